//! Where dpkg's own files are.

use crate::packages::records::fixed;
use crate::tree::RootPath;

/// A file of dpkg's own directory.
pub(super) fn admin(name: &[u8]) -> RootPath {
    fixed(b"/var/lib/dpkg").child(name)
}
