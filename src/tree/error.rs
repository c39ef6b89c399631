//! [`TreeError`]: why a tree could not be read.

use super::RootPath;

/// Why a tree could not be read at one place.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The system refused an operation on a path.
    #[error("{act} `{path}`")]
    Io {
        /// What was being done: a gerund, such as `reading`.
        act: &'static str,
        /// Where.
        path: RootPath,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The content is not what the listing said: the source changed meanwhile.
    #[error("`{path}` changed while it was read: {what}")]
    Changed {
        /// Where.
        path: RootPath,
        /// What is different now.
        what: String,
    },
    /// Following links inside the root did not come to an end.
    #[error("`{path}` leads through too many symlinks")]
    Loop {
        /// Where the path began.
        path: RootPath,
    },
    /// A file that has to be read whole is larger than it can honestly be.
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge {
        /// Where.
        path: RootPath,
        /// The limit in bytes.
        limit: u64,
    },
}

impl TreeError {
    /// Wraps the system's answer for `act` on `path`.
    pub fn io(act: &'static str, path: &RootPath, source: std::io::Error) -> TreeError {
        TreeError::Io { act, path: path.clone(), source }
    }

    /// The path this error is about.
    pub fn path(&self) -> &RootPath {
        match self {
            TreeError::Io { path, .. }
            | TreeError::Changed { path, .. }
            | TreeError::Loop { path }
            | TreeError::TooLarge { path, .. } => path,
        }
    }

    /// The same error about `place`, as a tree calls it that shows another tree's paths elsewhere.
    pub(crate) fn at(mut self, place: &RootPath) -> TreeError {
        match &mut self {
            TreeError::Io { path, .. }
            | TreeError::Changed { path, .. }
            | TreeError::Loop { path }
            | TreeError::TooLarge { path, .. } => path.clone_from(place),
        }
        self
    }

    /// The same error once more, for a tree that met it when it was built.
    pub(crate) fn repeat(&self) -> TreeError {
        match self {
            TreeError::Io { act, path, source } => {
                let source = match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                };
                TreeError::io(act, path, source)
            }
            TreeError::Changed { path, what } => {
                TreeError::Changed { path: path.clone(), what: what.clone() }
            }
            TreeError::Loop { path } => TreeError::Loop { path: path.clone() },
            TreeError::TooLarge { path, limit } => {
                TreeError::TooLarge { path: path.clone(), limit: *limit }
            }
        }
    }
}
