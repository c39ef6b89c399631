//! [`Finding`]: a reference that leads nowhere any more, and what can be done about it.

use crate::service::TextOf;
use crate::tree::RootPath;
use crate::verdict::Held;

/// A reference that leads nowhere any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What a person is told where nothing, or not enough, can be done about it.
    pub(crate) held: Option<Held>,
    /// What is certain to be right.
    pub(crate) cure: Option<Cure>,
}

/// A change that makes a reference lead where it led before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cure {
    /// The text at `path` becomes another.
    Text { path: RootPath, text: Vec<u8>, what: String },
    /// The link at `path` leads elsewhere.
    Link { path: RootPath, target: Vec<u8>, what: String },
    /// What is at `from`, with all below it, moves to `to`.
    Move { from: RootPath, to: RootPath, what: String },
    /// Of a setting of the container, all that stands for `from` as a word becomes `to`.
    Setting { which: TextOf, from: String, to: String, what: String },
}

impl Finding {
    /// Left to a person.
    pub(crate) fn held(held: Held) -> Finding {
        Finding { held: Some(held), cure: None }
    }

    /// Done.
    pub(crate) fn cured(cure: Cure) -> Finding {
        Finding { held: None, cure: Some(cure) }
    }
}
