//! [`StepOutcome`]: what a step did to a draft, and [`StepError`]: why it could not.

use super::command::{CallError, When};
use super::pattern::PatternError;
use super::scalar::ExpandError;
use crate::tree::{RootPath, TreeError};

/// What one step did, or wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// The draft was changed.
    Changed {
        /// Where it is now.
        path: RootPath,
        /// What was done, in words: `moved from /etc/ntp.conf`.
        what: String,
    },
    /// Entries were taken out of the draft.
    Dropped {
        /// The topmost one.
        path: RootPath,
        /// How many.
        entries: usize,
        /// The rule's reason.
        why: String,
    },
    /// A person has to decide about it.
    Hold {
        /// What.
        path: RootPath,
        /// The question.
        why: String,
    },
    /// A command for the new system.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
        /// The rule's reason.
        why: String,
        /// Only when this holds in the new system.
        when: Option<When>,
    },
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A variable has no value or a pattern does not compile with its values.
    #[error("the step does not fit what was found")]
    Pattern(#[from] PatternError),
    /// What is to be run cannot be said.
    #[error("the step cannot be run")]
    Call(#[from] CallError),
    /// The values make no path.
    #[error("the step leads to no path")]
    Expand(#[from] ExpandError),
    /// An archived file could not be read.
    #[error("reading the archived `{path}`")]
    Content {
        /// Which.
        path: RootPath,
        /// The store's answer.
        source: std::io::Error,
    },
    /// The new system could not be read.
    #[error("reading the new system")]
    Target(#[from] TreeError),
}
