//! [`EngineError`]: what can go wrong between us and an engine.
//!
//! An engine's own words are kept in the error: they are all that tells a person what its log
//! would. They are shown escaped by whoever prints them.

use std::io;
use std::time::Duration;

use crate::failure::FailureKind;
use crate::tree::{PathError, escaped};

/// What a call to an engine is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A container, by name or id.
    Container(String),
    /// An image, by name or id.
    Image(String),
    /// A volume.
    Volume(String),
    /// A network.
    Network(String),
    /// The engine as such.
    Engine,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, name) = match self {
            Object::Container(name) => ("container", name),
            Object::Image(name) => ("image", name),
            Object::Volume(name) => ("volume", name),
            Object::Network(name) => ("network", name),
            Object::Engine => return f.write_str("engine"),
        };
        write!(f, "{word} `{}`", escaped(name.as_bytes()))
    }
}

/// Why an engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no socket at any of the places.
    #[error("no engine: there is no socket at {}", .tried.join(" nor at "))]
    NoSocket {
        /// The addresses looked at.
        tried: Vec<String>,
    },
    /// The socket or port is there and nobody listens.
    #[error("the engine is not running: nobody answers at {host}")]
    NotRunning {
        /// Its address.
        host: String,
        /// The system's answer.
        source: io::Error,
    },
    /// We may not open the socket.
    #[error("no permission to use the engine's socket at {host}")]
    PermissionDenied {
        /// Its address.
        host: String,
    },
    /// An address that is not spoken.
    #[error("cannot use the engine address `{}`: {why}", escaped(.host.as_bytes()))]
    Unsupported {
        /// The address.
        host: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The engine has no such thing.
    #[error("no such {object}")]
    NoSuch {
        /// What it has not.
        object: Object,
    },
    /// A path that is not in the container.
    #[error("{object} has no `{path}`")]
    NoSuchPath {
        /// The container.
        object: Object,
        /// The path in it.
        path: crate::tree::RootPath,
    },
    /// Something else has that name already.
    #[error("the name of {object} is already in use")]
    NameTaken {
        /// What was to be made.
        object: Object,
    },
    /// The engine understood and refused.
    #[error("{act} {object}: the engine refused ({status}): {}", escaped(.message.as_bytes()))]
    Refused {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The engine's disk is full.
    #[error("{act} {object}: no space left for the engine: {}", escaped(.message.as_bytes()))]
    NoSpace {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// The engine's words.
        message: String,
    },
    /// The connection broke.
    #[error("{act} {object}: lost the connection to the engine")]
    Lost {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// What the connection said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer, or no further byte, for too long.
    #[error("{act} {object}: the engine did not answer for {} s", .patience.as_secs())]
    Stalled {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// How long was waited.
        patience: Duration,
    },
    /// A command did not end in its time and was ended.
    #[error("the command in {object} did not end within {} s", .limit.as_secs())]
    CommandTimeout {
        /// The container.
        object: Object,
        /// The time it had.
        limit: Duration,
    },
    /// An answer that makes no sense.
    #[error("{act} {object}: unexpected answer from the engine: {what}")]
    Unexpected {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// What is wrong with it.
        what: String,
    },
    /// What we were to send could not be read, or what was received not be written.
    #[error("{act} {object}: {what}")]
    Local {
        /// A gerund.
        act: &'static str,
        /// What about.
        object: Object,
        /// Which side of ours.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled {
        /// The signal that asked for it.
        signal: i32,
    },
}

impl EngineError {
    /// What sort of failure an act that ends on this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            EngineError::NoSuch { .. }
            | EngineError::NoSuchPath { .. }
            | EngineError::NameTaken { .. } => FailureKind::Precondition,
            EngineError::NoSpace { .. } | EngineError::Local { .. } => FailureKind::Resource,
            EngineError::CommandTimeout { .. } => FailureKind::Step,
            EngineError::Cancelled { signal } => FailureKind::Signal(*signal),
            EngineError::NoSocket { .. }
            | EngineError::NotRunning { .. }
            | EngineError::PermissionDenied { .. }
            | EngineError::Unsupported { .. }
            | EngineError::Refused { .. }
            | EngineError::Lost { .. }
            | EngineError::Stalled { .. }
            | EngineError::Unexpected { .. } => FailureKind::Environment,
        }
    }

    /// Whether the engine has no such thing, which some callers expect.
    pub fn is_absence(&self) -> bool {
        matches!(self, EngineError::NoSuch { .. } | EngineError::NoSuchPath { .. })
    }
}

/// What a call is for: the words that its errors need.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) act: &'static str,
    pub(super) object: Object,
}

impl About {
    pub(super) fn unexpected(&self, what: impl Into<String>) -> EngineError {
        EngineError::Unexpected { act: self.act, object: self.object.clone(), what: what.into() }
    }

    pub(super) fn path(&self, error: &PathError) -> EngineError {
        self.unexpected(error.to_string())
    }

    pub(super) fn stalled(&self, patience: Duration) -> EngineError {
        EngineError::Stalled { act: self.act, object: self.object.clone(), patience }
    }

    pub(super) fn lost(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> EngineError {
        EngineError::Lost { act: self.act, object: self.object.clone(), source: source.into() }
    }

    pub(super) fn local(&self, what: &'static str, source: io::Error) -> EngineError {
        EngineError::Local { act: self.act, object: self.object.clone(), what, source }
    }

    /// A failed read of an engine's stream: the error it carries, or else a lost connection.
    pub(super) fn torn(&self, error: io::Error) -> EngineError {
        match error.downcast::<EngineError>() {
            Ok(inner) => inner,
            Err(error) => self.lost(error),
        }
    }

    /// The engine's error in our words.
    pub(super) fn engine(&self, error: bollard::errors::Error) -> EngineError {
        use bollard::errors::Error;
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                self.status(status_code, message)
            }
            Error::RequestTimeoutError => self.stalled(super::LONG),
            Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
                self.unexpected(error.to_string())
            }
            other => self.lost(other),
        }
    }

    /// An HTTP status with the engine's message. The words are looked at only where engines give
    /// one status to different things.
    pub(super) fn status(&self, status: u16, message: String) -> EngineError {
        let (act, object) = (self.act, self.object.clone());
        let lower = message.to_lowercase();
        if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
            return EngineError::NoSpace { act, object, message };
        }
        if lower.contains("is already in use") || lower.contains("already exists") {
            return EngineError::NameTaken { object };
        }
        match status {
            404 => EngineError::NoSuch { object },
            _ => EngineError::Refused { act, object, status, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { act: "creating", object: Object::Container("web".to_owned()) }
    }

    #[test]
    fn statuses_and_words_of_both_engines_become_the_same_errors() {
        let conflict = r#"Conflict. The container name "/web" is already in use by container "0a""#;
        let podman =
            r#"creating container storage: the container name "web" is already in use by 0a"#;
        assert!(matches!(about().status(409, conflict.into()), EngineError::NameTaken { .. }));
        assert!(matches!(about().status(500, podman.into()), EngineError::NameTaken { .. }));
        assert!(matches!(about().status(404, "nope".into()), EngineError::NoSuch { .. }));
        assert_eq!(
            about().status(500, "write /x: no space left on device".into()).kind(),
            FailureKind::Resource
        );
        assert_eq!(about().status(500, "boom".into()).kind(), FailureKind::Environment);
    }

    #[test]
    fn an_engines_words_cannot_forge_a_line() {
        let error = about().status(500, "a\nb\u{1b}[1m".into());
        assert_eq!(
            error.to_string(),
            "creating container `web`: the engine refused (500): a\\nb\\u{1b}[1m"
        );
    }
}
