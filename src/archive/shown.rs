//! [`Shown`]: what a list shows of a path, be it of a source or of a bundle.

use crate::bundle::Listed;
use crate::tree::{FileType, LinkGroup};
use crate::verdict::{Class, Origin, Reason};

/// What a list shows of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The bytes of the path.
    pub path: &'a [u8],
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: &'a Reason,
    /// Bytes; 0 unless a regular file.
    pub size: u64,
    /// What kind of node it is, or was.
    pub file_type: FileType,
    /// What it shares with its other names.
    pub links: Option<LinkGroup>,
    /// The package that owns it.
    pub package: Option<&'a str>,
    /// Where it came from.
    pub origin: Origin,
    /// It was removed, and stays so.
    pub deleted: bool,
    /// It is kept, and holds a key or a password.
    pub secret: bool,
}

impl<'a> From<Listed<'a>> for Shown<'a> {
    fn from(listed: Listed<'a>) -> Shown<'a> {
        let Listed { path, class, reason, size, file_type, links, package, .. } = listed;
        let Listed { origin, deleted, secret, .. } = listed;
        Shown { path, class, reason, size, file_type, links, package, origin, deleted, secret }
    }
}
