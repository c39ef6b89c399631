//! [`Carried`]: what became of decisions about packages, as values.

use std::fmt::Display;

use crate::tree::{DraftNode, RootPath};
use crate::verdict::{Held, HeldKind};

/// What is done about a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// A command runs in the new system once all files are placed.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
        /// Why.
        why: String,
    },
    /// A file of the new system is placed otherwise.
    Adapt {
        /// The file.
        path: RootPath,
        /// What is otherwise.
        what: String,
    },
    /// It is not carried over, and nobody has to do anything.
    LeaveOut {
        /// What it was about.
        path: RootPath,
        /// Why.
        why: String,
    },
}

/// What became of all decisions.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// What is done, in order.
    pub acts: Vec<Act>,
    /// What is left to a person.
    pub held: Vec<Held>,
    /// Nodes that take the place of a package's file on purpose: they are no edited versions of
    /// it, and go into the draft once it has met the new system's files.
    pub aside: Vec<DraftNode>,
}

impl Carried {
    pub(super) fn run(&mut self, argv: &[&str], why: &str) {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.acts.push(Act::Run { argv, why: why.to_owned() });
    }

    pub(super) fn adapt(&mut self, path: &RootPath, what: String) {
        self.acts.push(Act::Adapt { path: path.clone(), what });
    }

    pub(super) fn leave_out(&mut self, path: &RootPath, why: &str) {
        self.acts.push(Act::LeaveOut { path: path.clone(), why: why.to_owned() });
    }

    pub(super) fn hold(&mut self, kind: HeldKind, subject: impl Display, why: impl Display) {
        self.held.push(Held::new(kind, subject, why));
    }
}
