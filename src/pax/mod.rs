//! Tar streams: one canonical POSIX pax form for writing, and a reader for that form and for the
//! tars of others.
//!
//! A member is stored as
//!
//! ```text
//! x header   ./PaxHeaders/entry      only when something does not fit into the next header
//! records    "LEN KEY=VALUE\n"…      in a fixed order, padded to 512
//! header     ustar
//! map        decimal lines           only for a sparse file (GNU.sparse 1.0), padded to 512
//! content    the data runs           padded to 512
//! ```
//!
//! and two blocks of zeros end the stream. For one [`Member`] there is exactly one sequence of
//! header bytes: [`Writer`] produces it, and in [`Dialect::Strict`] [`Reader`] accepts nothing
//! else, so that no two programs can read one bundle differently. [`Dialect::Lenient`] takes what
//! GNU tar, bsdtar, Python and container engines write; [`TarTree`] makes a tree of it.
//!
//! Nothing here touches a file system: extraction belongs to those who hold a directory.

mod content;
mod decode;
mod encode;
mod extension;
mod fault;
mod header;
mod number;
mod problem;
mod reader;
mod record;
mod section;
mod sparse;
mod spool;
mod stream;
mod tarball;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use content::ReadMember;
pub(crate) use encode::stored_runs;
pub(crate) use fault::{Fault, ReadError};
pub(crate) use problem::Problem;
pub(crate) use reader::Reader;
pub(crate) use spool::Keep;
pub(crate) use tarball::TarTree;
pub(crate) use writer::{WriteError, Writer};

use crate::tree::{Kind, Meta};

/// Everything in a tar is counted in blocks of this many bytes.
const BLOCK: usize = 512;

/// Largest extension header (pax records, a GNU long name) that is written or read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;

/// Most data runs of one sparse file that are written or read.
const MAX_RUNS: u64 = 1_000_000;

/// Most entries of a tar that is made a tree: each needs memory, and compressed headers nothing.
const MAX_ENTRIES: u64 = 10_000_000;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// A node of its own. Sockets cannot be stored.
    Node(Kind),
    /// A further name of the file that another member stores.
    Hardlink {
        /// The name of that member, as stored.
        target: Vec<u8>,
    },
}

/// One member of a tar, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name as stored, such as `root/etc/hosts`; a directory without the slash at its end.
    pub name: Vec<u8>,
    /// What it is.
    pub body: Body,
    /// Owner, mode, times and attributes.
    pub meta: Meta,
}

impl Member {
    /// Bytes of content: of a regular file, else 0.
    pub(crate) fn size(&self) -> u64 {
        match &self.body {
            Body::Node(kind) => kind.size(),
            Body::Hardlink { .. } => 0,
        }
    }

    /// Whether this is a regular file with content of its own.
    pub(crate) fn is_file(&self) -> bool {
        matches!(&self.body, Body::Node(kind) if kind.is_file())
    }
}

/// Whose tars are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Ours: byte for byte what [`Writer`] writes.
    Strict,
    /// Anybody's: v7, ustar, pax and GNU, with their sparse forms.
    Lenient,
}

/// How far a [`Reader`] goes along with its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Whose tars are read.
    pub dialect: Dialect,
    /// Largest extension header in bytes.
    pub extension_bytes: u64,
    /// Most entries in the map of a sparse file.
    pub sparse_runs: u64,
}

impl From<Dialect> for Limits {
    /// What [`Writer`] keeps to: extension headers of 1 MiB, maps of a million entries.
    fn from(dialect: Dialect) -> Limits {
        // A map may hold one more entry than there are runs: the hole at the end.
        Limits { dialect, extension_bytes: MAX_EXTENSION, sparse_runs: MAX_RUNS + 1 }
    }
}

/// Zero bytes that follow `length` bytes up to the next block.
fn padding(length: u64) -> usize {
    let over = (length % BLOCK as u64) as usize;
    if over == 0 { 0 } else { BLOCK - over }
}
