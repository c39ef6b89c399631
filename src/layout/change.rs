//! [`Step`]: what a transition does with files, as data; what that makes of a tree is in `step`.
//! Changes inside files belong to no transition: see `setting`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::RunStep;
use super::pattern::Template;
use super::scalar::{Mode, PathPattern, PathTemplate};
use super::version::Version;

/// One change, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    /// Everything at `from` goes to `to`; absolute links that led into it lead to the new place.
    Move {
        /// Which paths; captures are variables in `to`.
        from: PathPattern,
        /// Where to.
        to: PathTemplate,
    },
    /// As a move, and the old place stays.
    Copy {
        /// Which paths; captures are variables in `to`.
        from: PathPattern,
        /// Where to.
        to: PathTemplate,
    },
    /// Not placed: the new system's own, or none, takes its place.
    Drop {
        /// Which paths, with everything below them.
        path: PathPattern,
        /// The reason, for people.
        why: String,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// A symbolic link, where nothing is placed yet.
    Symlink {
        /// Where.
        path: PathTemplate,
        /// Its target.
        target: Template,
    },
    /// Another owner, once the accounts of both systems are merged: after all steps that move.
    Chown {
        /// Which paths; a directory does not include what is below it.
        path: PathPattern,
        /// An account of the new system, or a number.
        owner: Option<Template>,
        /// A group of the new system, or a number.
        group: Option<Template>,
    },
    /// Another mode.
    Chmod {
        /// Which paths; a directory does not include what is below it.
        path: PathPattern,
        /// Permission bits in octal.
        mode: Mode,
    },
    /// A command inside the new system.
    Run(RunStep),
    /// Nobody but a person can decide: the new default is placed, the old one kept beside it.
    Hold {
        /// Which paths.
        path: PathPattern,
        /// The question, for people.
        why: String,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
}

impl Step {
    /// The version from which on the step is needed; `None`: always.
    pub fn since(&self) -> Option<&Version> {
        match self {
            Step::Drop { since, .. } | Step::Hold { since, .. } => since.as_ref(),
            Step::Run(run) => run.since.as_ref(),
            _ => None,
        }
    }
}
