//! [`FileRecord`]: what a package manager wrote down about one path when it unpacked a package.
//!
//! What a manager does not record is `None`: nothing is concluded from what was never written.

use sha2::Digest as _;

use super::Md5;
use crate::tree::RootPath;

/// A recorded digest of a content. It recognises a file; the weaker ones protect from nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// dpkg, pacman, rpm up to about 2009.
    Md5(Md5),
    /// apk.
    Sha1([u8; 20]),
    /// The first 20 bytes of a SHA-256 digest: apk 3, in the place and form of a SHA-1.
    Sha256Head([u8; 20]),
    /// rpm, pacman.
    Sha256([u8; 32]),
    /// rpm where it was configured so.
    Sha512([u8; 64]),
}

impl Digest {
    /// Whether it is that of `text`.
    pub(crate) fn is_of(self, text: &[u8]) -> bool {
        match self {
            Digest::Md5(expected) => md5::Md5::digest(text)[..] == expected.0,
            Digest::Sha1(expected) => sha1::Sha1::digest(text)[..] == expected,
            Digest::Sha256Head(expected) => sha2::Sha256::digest(text)[..20] == expected,
            Digest::Sha256(expected) => sha2::Sha256::digest(text)[..] == expected,
            Digest::Sha512(expected) => sha2::Sha512::digest(text)[..] == expected,
        }
    }
}

/// The kind of a recorded path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedKind {
    /// A regular file, with what was recorded of its content.
    File {
        /// Length in bytes.
        size: Option<u64>,
        /// Digest of the content.
        digest: Option<Digest>,
    },
    /// A regular file or a symbolic link: the record does not say which (apk).
    FileOrSymlink {
        /// Digest of the content, or of the text of the link's target.
        digest: Option<Digest>,
    },
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it leads, as recorded.
        target: Option<Vec<u8>>,
    },
    /// A device, FIFO or socket.
    Special,
    /// The record does not say.
    Unknown,
}

impl RecordedKind {
    /// The recorded digest, if there is one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            RecordedKind::File { digest, .. } | RecordedKind::FileOrSymlink { digest } => *digest,
            _ => None,
        }
    }
}

/// What a recorded path is to its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The package's own file.
    Ordinary,
    /// A configuration file: the package brings it, the user may change it.
    Config,
    /// The package's, but not brought by it: made later, by its scripts or programs.
    Ghost,
}

/// Whether a recorded path was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It was.
    Unpacked,
    /// The manager was told not to (documentation, languages), or another package's file is there
    /// instead: its absence is no deletion.
    LeftOut,
}

/// What was recorded about one path of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// The path as recorded; links in its directories are not followed.
    pub path: RootPath,
    /// Its kind.
    pub kind: RecordedKind,
    /// Permission bits with set-id and sticky, without the kind.
    pub mode: Option<u32>,
    /// Its user by name, or by number where the record has numbers.
    pub user: Option<String>,
    /// Its group, likewise.
    pub group: Option<String>,
    /// Modification time in seconds since 1970.
    pub mtime: Option<i64>,
    /// File capabilities in the text form of `cap_from_text(3)`; empty for none.
    pub capabilities: Option<String>,
    /// What it is to the package.
    pub role: Role,
    /// Whether it was unpacked.
    pub presence: Presence,
}
