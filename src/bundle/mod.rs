//! The bundle: the file that `archive` makes, `*.regrow`.
//!
//! ```text
//! preamble          an empty zstd frame, then a skippable frame "regrow bundle, format 2\n"
//! frames            independent zstd frames, at most 8 MiB of a tar stream each:
//!   README.txt  restore.sh                 for who has no regrow
//!   root/…  volumes/NAME/…  exports/…  pristine/…  image/…    what was kept
//!   SHA256SUMS                             of every regular file above
//!   manifest.json                          in frames of its own; written last
//! index             a skippable frame: every frame's sizes and digest, where the manifest is
//! ```
//!
//! `zstd -d | tar -x` reads it; `docs/FORMAT.md` gives every byte. Promises kept here:
//!
//! - The same input gives the same bytes, on any number of cores.
//! - Every byte of the file is covered by a SHA-256, so any change anywhere is found.
//! - A file under its final name is complete, was read back, and replaced nothing.
//! - Errors of the output are never mistaken for an unreadable source.
//!
//! A bundle knows paths, verdicts and digests, and nothing about containers.

mod added;
mod contents;
mod digest;
mod document;
mod entries;
mod entry;
mod failing;
mod file;
mod frames;
mod index;
mod json;
mod manifest;
mod pending;
mod reader;
mod shape;
mod source_tree;
mod texts;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use contents::Contents;
pub(crate) use digest::Sha;
pub use digest::{Digest, DigestError};
pub use entries::Entries;
pub(crate) use entries::Listed;
pub(crate) use entry::ITSELF;
pub use entry::{ImageText, ManifestEntry, Node};
pub use manifest::{Counts, ExportRecord, Loss, Manifest, MemberRecord, VolumeRecord};
pub(crate) use pending::Pending;
pub use reader::Reader;
pub(crate) use source_tree::SourceTree;
pub use verify::Verified;
pub(crate) use writer::Writer;

pub use crate::service::{ServiceSettings, Settings};

use crate::failure::FailureKind;
use crate::tree::{RootPath, escaped};

/// The format that is written, and the newest that is read.
pub(crate) const FORMAT: u32 = 2;

/// The oldest format that is read. It had reasons as sentences, and settings as an engine told
/// them.
pub(crate) const OLDEST_FORMAT: u32 = 1;

/// A part of a bundle that holds paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area<'a> {
    /// The source's root, below `root/`.
    Root,
    /// The volume of this name, below `volumes/NAME/`; paths begin at the volume's own root.
    Volume(&'a str),
    /// Dumps, below `exports/`.
    Export,
    /// Unedited texts of edited files, below `pristine/`, each under the path of the edited file.
    Pristine,
    /// Texts that the image had of edited files where these are not the unedited ones, below
    /// `image/`, each under the path of the edited file.
    Image,
}

impl Area<'_> {
    /// The directory of this area in a bundle.
    pub(crate) fn prefix(self) -> String {
        match self {
            Area::Root => "root".to_owned(),
            Area::Volume(name) => format!("volumes/{name}"),
            Area::Export => "exports".to_owned(),
            Area::Pristine => "pristine".to_owned(),
            Area::Image => "image".to_owned(),
        }
    }

    /// The name of the member that holds `path` of this area.
    pub fn member(self, path: &RootPath) -> Vec<u8> {
        let mut name = self.prefix().into_bytes();
        if !path.is_root() {
            name.extend_from_slice(path.as_bytes());
        }
        name
    }
}

/// Whether `name` can be a directory below `volumes/`: one plain component of printable ASCII.
pub(crate) fn is_volume_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'\\')
}

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file is something else, or nothing that can be read.
    #[error("not a regrow bundle: {what}")]
    NotABundle {
        /// What it is instead.
        what: String,
    },
    /// A later regrow wrote it.
    #[error(
        "made by a newer regrow: {needs}; this regrow reads format {OLDEST_FORMAT} to {FORMAT}"
    )]
    Newer {
        /// What it asks for.
        needs: String,
    },
    /// It begins as a bundle and does not end as one.
    #[error("the bundle is incomplete: {what}")]
    Truncated {
        /// What is missing.
        what: String,
    },
    /// Bytes are not the ones that were written.
    #[error("the bundle is damaged, {at}: {what}")]
    Damaged {
        /// Where.
        at: String,
        /// How it shows.
        what: String,
    },
    /// All digests are right, and yet regrow would not have written this.
    #[error("the bundle is malformed, {at}: {what}")]
    Malformed {
        /// Where.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// The output's name is taken; nothing was written.
    #[error("`{}` exists already", escaped(path.as_os_str().as_encoded_bytes()))]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// The file, or the directory for it, does not exist or is no directory.
    #[error("no such file or directory: `{}`", escaped(path.as_os_str().as_encoded_bytes()))]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The bundle's file could not be written or read. When writing, the bundle is void.
    #[error("{act} `{}`", escaped(path.as_os_str().as_encoded_bytes()))]
    Io {
        /// What was being done, a gerund.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// One file of the source could not be read to its end. The bundle is as if it had not been
    /// added, and goes on.
    #[error("cannot read `{path}`")]
    Source {
        /// The file in the source.
        path: RootPath,
        /// Why.
        source: io::Error,
    },
    /// One entry cannot stand in a bundle, such as a socket. Goes on, as with `Source`.
    #[error("cannot store `{path}`: {why}")]
    Unfit {
        /// The entry in the source.
        path: RootPath,
        /// Why not.
        why: String,
    },
    /// The source is larger than the format can say.
    #[error("the bundle would be too large: {what}")]
    TooLarge {
        /// What there is too much of.
        what: String,
    },
    /// The run was asked to stop.
    #[error("ended by signal {signal}")]
    Cancelled {
        /// The signal that asked for it.
        signal: i32,
    },
    /// The caller broke the writer's order or forgot an entry: a bug in regrow.
    #[error("the bundle was written wrongly: {what}")]
    Misuse {
        /// What was done.
        what: String,
    },
}

impl BundleError {
    pub(crate) fn io(act: &'static str, path: &Path, source: io::Error) -> BundleError {
        BundleError::Io { act, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(at: impl Into<String>, what: impl Into<String>) -> BundleError {
        BundleError::Damaged { at: at.into(), what: what.into() }
    }

    pub(crate) fn malformed(at: impl Into<String>, what: impl Into<String>) -> BundleError {
        BundleError::Malformed { at: at.into(), what: what.into() }
    }

    /// Whether only one entry is affected and the writer can go on without it.
    pub fn is_about_one_entry(&self) -> bool {
        matches!(self, BundleError::Source { .. } | BundleError::Unfit { .. })
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            BundleError::NotABundle { .. }
            | BundleError::Newer { .. }
            | BundleError::Malformed { .. } => FailureKind::Refused,
            BundleError::Truncated { .. } | BundleError::Damaged { .. } => FailureKind::Integrity,
            BundleError::Exists { .. } | BundleError::Missing { .. } => FailureKind::Precondition,
            BundleError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                FailureKind::Environment
            }
            BundleError::Io { .. }
            | BundleError::Source { .. }
            | BundleError::Unfit { .. }
            | BundleError::TooLarge { .. } => FailureKind::Resource,
            BundleError::Cancelled { signal } => FailureKind::Signal(*signal),
            BundleError::Misuse { .. } => FailureKind::Internal,
        }
    }

    /// Carries an error through an interface that knows only `io::Error`.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// The error that [`Self::into_io`] carried, or the given one as `act` on `path`.
    pub(crate) fn from_io(error: io::Error, act: &'static str, path: &Path) -> BundleError {
        match error.downcast::<BundleError>() {
            Ok(carried) => carried,
            Err(error) => BundleError::io(act, path, error),
        }
    }
}
