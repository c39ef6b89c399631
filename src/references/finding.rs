//! [`Finding`]: a reference that leads nowhere any more, and what can be done about it.

use std::fmt;

use crate::service::TextOf;
use crate::tree::RootPath;
use crate::verdict::{Held, HeldKind};

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
    /// What a person is told when nobody applies the cure.
    pub(crate) fn into_held(self) -> Option<Held> {
        self.held.or_else(|| self.cure.map(Cure::into_held))
    }

    /// Left to a person.
    pub(crate) fn held(held: Held) -> Finding {
        Finding { held: Some(held), cure: None }
    }

    /// Done.
    pub(crate) fn cured(cure: Cure) -> Finding {
        Finding { held: None, cure: Some(cure) }
    }
}

impl Cure {
    /// The change, for a person to make.
    fn into_held(self) -> Held {
        let held = |subject: &dyn fmt::Display, what: String| {
            Held::new(HeldKind::Reference, subject, what)
        };
        match self {
            Cure::Text { path, what, .. } | Cure::Link { path, what, .. } => held(&path, what),
            Cure::Move { from, to, what } => held(&from, what).candidate(to),
            Cure::Setting { which, from, to, what } => {
                held(&format!("the container's {}", which.word()), what).was(from).candidate(to)
            }
        }
    }
}
