//! [`Entry`]: one name in a tree with everything that belongs to it but its content.

use std::collections::BTreeMap;
use std::fmt;

use super::{RootPath, TreeError};

/// Extended attributes by name; ACLs and capabilities are attributes like any other.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A moment: seconds since 1970 (negative before) and nanoseconds, `0..1_000_000_000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Whole seconds since the epoch, rounded down.
    pub secs: i64,
    /// Nanoseconds after `secs`.
    pub nanos: u32,
}

/// What kind of node an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of `size` bytes.
    File {
        /// Apparent size in bytes, holes included.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link; its target is bytes and never normalised.
    Symlink {
        /// The target as stored.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    Char {
        /// Device major number.
        major: u32,
        /// Device minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Device major number.
        major: u32,
        /// Device minor number.
        minor: u32,
    },
    /// A socket: exists only while its server runs, and is never kept.
    Socket,
}

/// What kind of node an entry is, without what only one kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A socket.
    Socket,
}

impl FileType {
    /// The word for this type in messages.
    pub fn word(self) -> &'static str {
        match self {
            FileType::File => "file",
            FileType::Dir => "directory",
            FileType::Symlink => "symlink",
            FileType::Fifo => "FIFO",
            FileType::Char => "character device",
            FileType::Block => "block device",
            FileType::Socket => "socket",
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Kind {
    /// The kind alone.
    pub fn file_type(&self) -> FileType {
        match self {
            Kind::File { .. } => FileType::File,
            Kind::Dir => FileType::Dir,
            Kind::Symlink { .. } => FileType::Symlink,
            Kind::Fifo => FileType::Fifo,
            Kind::Char { .. } => FileType::Char,
            Kind::Block { .. } => FileType::Block,
            Kind::Socket => FileType::Socket,
        }
    }

    /// The word for this kind in messages.
    pub fn word(&self) -> &'static str {
        self.file_type().word()
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self, Kind::Dir)
    }

    /// Whether this is a regular file.
    pub fn is_file(&self) -> bool {
        matches!(self, Kind::File { .. })
    }

    /// Whether a device has a number that Linux knows, of twelve bits and twenty; true of all that
    /// is no device.
    pub(crate) fn has_device_number(&self) -> bool {
        match self {
            Kind::Char { major, minor } | Kind::Block { major, minor } => {
                *major <= 0xfff && *minor <= 0xf_ffff
            }
            _ => true,
        }
    }

    /// Size in bytes: of a regular file, else 0.
    pub fn size(&self) -> u64 {
        match self {
            Kind::File { size } => *size,
            _ => 0,
        }
    }
}

/// Owner, mode, times and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with set-id and sticky, `0..=0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification of the content.
    pub mtime: Time,
    /// Extended attributes, ACLs and capabilities among them.
    pub xattrs: Xattrs,
}

impl Meta {
    /// Owned by root, of no time, without attributes: of what this program makes by itself.
    pub fn root(mode: u32) -> Meta {
        Meta { mode, uid: 0, gid: 0, mtime: Time { secs: 0, nanos: 0 }, xattrs: Xattrs::new() }
    }
}

/// Names that share a number within one tree are one file (hard links).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkGroup(pub u64);

/// One name in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: RootPath,
    /// What it is.
    pub kind: Kind,
    /// Its metadata.
    pub meta: Meta,
    /// Last change of the inode, where the way in shows it (a directory does, a tar does not).
    pub ctime: Option<Time>,
    /// Set when the file has further names. Never set on directories.
    pub links: Option<LinkGroup>,
}

impl Entry {
    /// Of what has one name, and no inode that shows when it last changed.
    pub fn new(path: RootPath, kind: Kind, meta: Meta) -> Entry {
        Entry { path, kind, meta, ctime: None, links: None }
    }

    /// Makes sure that this entry, read just now, is the version that `listed` was.
    ///
    /// # Errors
    /// [`TreeError::Changed`] about the path of `listed`.
    pub(crate) fn check_version(&self, listed: &Entry) -> Result<(), TreeError> {
        let what = if self.kind != listed.kind {
            let (was, is) = (listed.kind.word(), self.kind.word());
            format!(
                "a {was} of {} bytes before, a {is} of {} now",
                listed.kind.size(),
                self.kind.size()
            )
        } else if self.meta.mtime != listed.meta.mtime || self.ctime != listed.ctime {
            "it was written to or replaced".to_owned()
        } else {
            return Ok(());
        };
        Err(TreeError::Changed { path: listed.path.clone(), what })
    }
}

/// A run of data in a sparse file; what lies between runs are holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}
