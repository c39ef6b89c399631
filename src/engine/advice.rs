//! What a person can do about an engine's error.

use super::error::{EngineError, Object};

impl EngineError {
    /// The next step, in words for the end of a message.
    pub fn advice(&self) -> &'static str {
        match self {
            EngineError::NoSocket { .. } => {
                "start an engine, or name one in DOCKER_HOST or CONTAINER_HOST; unpacked roots \
                 (rootfs:DIR) need none"
            }
            EngineError::NotRunning { .. } => "start the engine and run the same command again",
            EngineError::PermissionDenied { .. } => {
                "run as a user who may use the engine, and run the same command again"
            }
            EngineError::Unsupported { .. } => "name the engine by unix:// or tcp://",
            EngineError::NoSuch { object: Object::Image(_) } => {
                "check the name (`docker images`), or fetch the image (`docker pull`) first"
            }
            EngineError::NoSuch { .. } => "check the name (`docker ps -a`)",
            EngineError::NoSuchPath { .. } => "check the path",
            EngineError::NameTaken { .. } => "choose another name",
            EngineError::NoSpace { .. } => {
                "free space where the engine keeps its data, then run the same command again"
            }
            EngineError::Local { .. } => {
                "free space for temporary files, then run the same command again"
            }
            EngineError::Cancelled { .. } => "run the same command again when you want to",
            EngineError::Refused { .. }
            | EngineError::Lost { .. }
            | EngineError::Stalled { .. }
            | EngineError::CommandTimeout { .. }
            | EngineError::Unexpected { .. } => {
                "see the engine's log, then run the same command again"
            }
        }
    }
}
