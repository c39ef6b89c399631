//! [`PackagePlan`]: what is installed in the new system, as a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::survey::{AnswerFact, IntentWhy};
use crate::tree::RootPath;

/// A package to install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Install {
    /// Today's name.
    pub name: String,
    /// What it was called in the source, when that differs.
    pub formerly: Option<String>,
    /// Why it is asked for.
    pub why: IntentWhy,
}

/// A package that was asked for and is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    /// Its old name.
    pub name: String,
}

/// A package on offer that cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Uninstallable {
    /// What was to be installed.
    pub wanted: Install,
    /// Why not, in the words of the package manager.
    pub why: String,
    /// Units of the old package that were on.
    pub services: Vec<String>,
    /// Files of the old package's configuration that somebody edited.
    pub configuration: Vec<RootPath>,
}

/// What becomes of the intents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PackagePlan {
    /// To install, by name.
    pub install: Vec<Install>,
    /// Intents that the target has already.
    pub present: Vec<String>,
    /// Asked for by somebody, not offered today and not renamed by any rule.
    pub missing: Vec<Missing>,
    /// Offered today, and not to be installed.
    pub refused: Vec<Uninstallable>,
    /// Architectures that packages may be of from now on.
    pub architectures: Vec<String>,
    /// Dropped by a rule or of no consequence today, with the reason.
    pub dropped: BTreeMap<String, String>,
    /// What packages are told when they ask, before any is installed.
    pub answers: Vec<AnswerFact>,
    /// Programs and modules of no package that cannot work in the new system.
    pub stranded: Vec<Stranded>,
}

/// A program or a module of no package that cannot work in the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stranded {
    /// Where it was.
    pub path: RootPath,
    /// Why it cannot.
    pub why: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of what cannot work any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Fate {
    /// It gives way to a file of a package of today.
    GivesWay { to: RootPath, package: String },
    /// What it was for is in the program of this package itself.
    BuiltIn { package: String },
    /// It is placed as it was; these packages may have it.
    Open { candidates: Vec<String> },
}

impl PackagePlan {
    /// Whether the old package `name` is wanted and not to be had today.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        let mut refused = self.refused.iter();
        self.dropped.contains_key(name) || refused.any(|one| one.wanted.name == name)
    }
}

/// A service of the old system that nothing in the new one is, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unserved {
    /// The unit.
    pub service: String,
    /// The package that it came with.
    pub package: String,
    /// A person switched it on.
    pub by_hand: bool,
    /// Packages on offer that may bring it.
    pub candidates: Vec<String>,
}
