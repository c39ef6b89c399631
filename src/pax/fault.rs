//! [`ReadError`] and [`Fault`]: why a tar is not read on.

use std::io;

use super::MAX_EXTENSION;
use crate::tree::escaped;

/// Why a member cannot stand in our tars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Empty, absolute, or with an empty, `.` or `..` component or a NUL.
    #[error("the name is not a canonical relative path")]
    Name,
    /// As [`Unfit::Name`], for the target of a hard link.
    #[error("the hard link's target is not a canonical relative path")]
    Hardlink,
    /// Empty, longer than 4095 bytes, or with a NUL: no file system holds it.
    #[error("the symlink's target is empty, too long or holds a NUL byte")]
    Symlink,
    /// A socket lives only as long as its server.
    #[error("a socket cannot be stored")]
    Socket,
    /// Bits above `0o7777`.
    #[error("the mode has more than permission bits")]
    Mode,
    /// To the kernel, id -1 means "do not change": what is given it stays root's.
    #[error("-1 (4294967295) is not a user or group id")]
    Owner,
    /// A billion nanoseconds or more.
    #[error("the time has more nanoseconds than a second")]
    Time,
    /// 2^63 bytes or more.
    #[error("the size is beyond what a file can have")]
    Size,
    /// Runs that overlap, go back or leave the file.
    #[error("the data runs are not ascending runs of the file")]
    Extents,
    /// Empty, or with a NUL.
    #[error("an extended attribute has no proper name")]
    Attribute,
    /// More than 1 MiB of records.
    #[error("names and extended attributes take more than {MAX_EXTENSION} bytes")]
    Records,
    /// A file with bytes came without content, or something else came with it.
    #[error("content is for regular files, and needed there")]
    Content,
}

/// Why a tar stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream itself could not be read.
    #[error("reading the archive at byte {position}")]
    Io {
        /// Where, counted from the start of the stream.
        position: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// The stream ends before the archive does.
    #[error("the archive is cut short at byte {position}")]
    Truncated {
        /// Where it ends.
        position: u64,
    },
    /// The stream is no tar, or not one of the dialect.
    #[error("not a proper archive at byte {position}")]
    Malformed {
        /// Where the header begins that is at fault, or the data that should not be there.
        position: u64,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The file that keeps the contents could not be written ([`TarTree::spool`] only).
    ///
    /// [`TarTree::spool`]: super::TarTree::spool
    #[error("keeping the contents of the archive")]
    Spool(#[source] io::Error),
    /// More entries than a tree is made of.
    #[error("the archive has more than {} entries", super::MAX_ENTRIES)]
    Entries,
    /// An error was returned before; there is no knowing where a member would begin.
    #[error("the archive cannot be read on after an error")]
    Failed,
}

/// What is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The sum of its bytes is not the stated one: this is no header, or a damaged one.
    #[error("the checksum of the header is wrong")]
    Checksum,
    /// A number is none, or out of range.
    #[error("the {0} in the header is not a possible number")]
    Field(&'static str),
    /// The type flag is not one that can be dealt with.
    #[error("members of type `{}` are not supported", escaped(&[*.0]))]
    Type(u8),
    /// Two extension headers of a kind, or one without a member.
    #[error("an extension header is not followed by its member")]
    Sequence,
    /// An extension header is larger than the limit.
    #[error("an extension header of {size} bytes is beyond the limit of {limit}")]
    Extension {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The content of a pax header is no sequence of records.
    #[error("the pax records are malformed")]
    Records,
    /// A record's value makes no sense.
    #[error("the pax record `{}` has an impossible value", escaped(.0))]
    Record(Vec<u8>),
    /// Two records state the same.
    #[error("the pax record `{}` stands twice", escaped(.0))]
    RecordTwice(Vec<u8>),
    /// A record that is not ours.
    #[error("the pax record `{}` is unknown", escaped(.0))]
    RecordUnknown(Vec<u8>),
    /// A record that can only be about one file stands for all.
    #[error("the global pax record `{}` can only be about one file", escaped(.0))]
    Global(Vec<u8>),
    /// Header and record disagree on where the content ends.
    #[error("the header states {header} bytes of content, its pax record {record}")]
    Sizes {
        /// What the header says.
        header: u64,
        /// What the record says.
        record: u64,
    },
    /// Something other than a regular file claims to have content.
    #[error("content for something that can have none")]
    Content,
    /// The map of a sparse file is malformed, overlaps, or disagrees with its sizes.
    #[error("the map of a sparse file is malformed")]
    SparseMap,
    /// The map of a sparse file is longer than the limit.
    #[error("the map of a sparse file has more than {0} entries")]
    SparseRuns(u64),
    /// A block of zeros in the middle: a header was lost.
    #[error("a block of zeros stands in the place of a header")]
    Zeros,
    /// Bytes other than zero fill up a block.
    #[error("the padding is not zeros")]
    Padding,
    /// More bytes after the end of the archive.
    #[error("data follows the end of the archive")]
    Trailing,
    /// Something that our writer refuses.
    #[error("not something that a bundle can hold")]
    Unfit(#[source] Unfit),
    /// Something that our writer writes otherwise.
    #[error("the header is not in canonical form")]
    NotCanonical,
}

impl From<ReadError> for io::Error {
    /// For [`io::Read`], which knows no other errors.
    fn from(error: ReadError) -> io::Error {
        let kind = match &error {
            ReadError::Io { source, .. } | ReadError::Spool(source) => source.kind(),
            ReadError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            ReadError::Malformed { .. } | ReadError::Entries => io::ErrorKind::InvalidData,
            ReadError::Failed => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl From<io::Error> for ReadError {
    /// Brings back a `ReadError` that went through [`io::Read`]; any other error is taken for one
    /// of the stream, at an unknown place.
    fn from(error: io::Error) -> ReadError {
        match error.downcast::<ReadError>() {
            Ok(error) => error,
            Err(source) => ReadError::Io { position: 0, source },
        }
    }
}
