//! [`PlaceError`]: why a tree on disk could not be written.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::RootPath;

/// Why a tree on disk could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The system refused to write; what was placed so far is incomplete.
    #[error("{act} `{path}`")]
    Io {
        /// What was being done: a gerund.
        act: &'static str,
        /// Where in the tree.
        path: RootPath,
        /// The system's answer.
        source: io::Error,
    },
    /// The content to be placed could not be read. The tree is as it was before this entry.
    #[error("reading the content for `{path}`")]
    Source {
        /// Where it was to go.
        path: RootPath,
        /// The reader's answer.
        source: io::Error,
    },
    /// There is no such entry, or the way to it passes something that is no directory.
    #[error("`{path}` is not there, or the way to it leads through something that is no directory")]
    Absent {
        /// The path that was looked for.
        path: RootPath,
    },
    /// The entry cannot be placed by anybody.
    #[error("`{path}` cannot be placed: {what}")]
    Refused {
        /// Where it was to go.
        path: RootPath,
        /// Why.
        what: &'static str,
    },
    /// Another file system is mounted there; what is in it is not ours to change.
    #[error("`{path}` is a mount point")]
    Mount {
        /// Where.
        path: RootPath,
    },
    /// Somebody asked this process to stop.
    #[error("ended by signal {0}")]
    Cancelled(i32),
    /// The system refused an operation on a path of the host.
    #[error("{act} `{}`", super::escaped(path.as_os_str().as_encoded_bytes()))]
    Host {
        /// What was being done: a gerund.
        act: &'static str,
        /// Where on the host.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl PlaceError {
    pub(super) fn io(act: &'static str, path: &RootPath, errno: Errno) -> PlaceError {
        PlaceError::Io { act, path: path.clone(), source: errno.into() }
    }

    pub(super) fn refused(path: &RootPath, what: &'static str) -> PlaceError {
        PlaceError::Refused { path: path.clone(), what }
    }
}
