//! [`ContainerFacts`]: which container a source is, and whether it still is what was opened.

use serde_json::Value;

use super::SourceSpec;
use crate::engine::{Container, Engine, EngineError, State};
use crate::failure::{Failure, FailureKind};

/// The facts of an opened container.
pub(crate) struct ContainerFacts {
    /// The engine it lives in.
    pub(crate) engine: Engine,
    /// Full id.
    pub(crate) id: String,
    /// When it was last started, in the engine's words.
    pub(super) started: Value,
}

/// When a container that an engine describes was last started.
pub(super) fn started(inspect: &Value) -> Value {
    inspect["State"]["StartedAt"].clone()
}

impl ContainerFacts {
    /// Makes sure that the container was not started, removed or replaced since it was opened.
    pub(super) fn check_unchanged(&self, spec: &SourceSpec) -> Result<(), Failure> {
        let now = self.engine.container(&self.id).map_err(|e| match e.is_absence() {
            true => Failure::new(FailureKind::Environment, "archiving", spec.to_string())
                .why("the container was removed while it was read")
                .safe("no bundle was written")
                .next("archive a container that nobody removes meanwhile"),
            false => engine_failure("checking again", spec, e),
        })?;
        refuse_running(spec, &now)?;
        if started(&now.raw) != self.started {
            return Err(Failure::new(FailureKind::Precondition, "archiving", spec.to_string())
                .why("the container was started while it was read")
                .safe("the container goes on as it is, no bundle was written")
                .next("stop it and run the same command again"));
        }
        Ok(())
    }
}

/// Refuses a container whose processes may still write.
pub(super) fn refuse_running(spec: &SourceSpec, container: &Container) -> Result<(), Failure> {
    let why = match &container.state {
        State::Created | State::Exited => return Ok(()),
        State::Running => "the container is running".to_owned(),
        State::Paused => "the container is paused, its processes still hold data".to_owned(),
        State::Other(word) => format!("the container is {word}"),
    };
    Err(Failure::new(FailureKind::Precondition, "opening", spec.to_string())
        .why(why)
        .safe("the container goes on as it was, nothing was changed")
        .next(format!("stop it (`docker stop {}`) and run the same command again", container.name)))
}

/// A failure of an engine's call, with what the user can do.
pub(crate) fn engine_failure(
    doing: &str,
    subject: &dyn std::fmt::Display,
    error: EngineError,
) -> Failure {
    Failure::new(error.kind(), doing, subject.to_string())
        .safe("the source is untouched, nothing was published")
        .next(error.advice())
        .because(error)
}
