//! Where dpkg's own files are.

use crate::tree::RootPath;

/// A file of dpkg's own directory.
pub(super) fn admin(name: &[u8]) -> RootPath {
    const { RootPath::literal("/var/lib/dpkg") }.child(name)
}
