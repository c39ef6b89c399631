//! [`Family`]: the questions that a family of distributions answers.

use std::collections::{BTreeMap, BTreeSet};

use super::carried::Carried;
use super::offered::Offered;
use crate::accounts::{AccountDb, IdMap};
use crate::environments::EnvironmentKind;
use crate::failure::{Failure, FailureKind};
use crate::packages::{Installed, Manager};
use crate::survey::{AnswerFact, Choices, Survey};
use crate::system::System;
use crate::tree::{Draft, RootPath, Tree, TreeError};

/// What is installed at once.
pub(crate) struct Order<'a> {
    /// Names of packages, as the family's tools take them, the most wanted first.
    pub packages: &'a [&'a str],
    /// What packages are told when they ask.
    pub answers: &'a [AnswerFact],
}

/// A package that is not installed although something wanted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its name.
    pub package: String,
    /// Why, in the words of the package manager; nothing of it depends on when it was asked.
    pub why: String,
}

/// What decisions are carried over to: a system with its packages of today.
pub(crate) struct New<'a> {
    /// The system.
    pub target: &'a dyn Tree,
    /// Its packages.
    pub installed: &'a Installed,
    /// The accounts of both systems.
    pub accounts: &'a AccountDb,
    /// What became of the old ones' ids.
    pub ids: &'a IdMap,
    /// Today's names of packages by those that they had, where they differ.
    pub names: &'a BTreeMap<&'a str, &'a str>,
}

/// A family of distributions.
pub(crate) trait Family: Sync {
    /// The package manager that its systems are made with.
    fn manager(&self) -> Manager;

    /// What somebody decided about packages of `tree`; what cannot be read says nothing.
    fn decided(&self, tree: &dyn Tree, installed: &Installed) -> Choices;

    /// Makes sure that `system` is one that the bundle of `survey` can go onto.
    ///
    /// # Errors
    /// It is none (precondition).
    fn check(&self, system: &mut dyn System, survey: &Survey) -> Result<(), Failure>;

    /// The installed packages: each by its name, those of another architecture than the system's
    /// with it too.
    ///
    /// # Errors
    /// The system cannot be asked.
    fn installed(&self, system: &mut dyn System) -> Result<BTreeSet<String>, Failure>;

    /// Lets the system have packages of these architectures too; returns those it did not.
    ///
    /// # Errors
    /// One is refused (step).
    fn allow(
        &self,
        system: &mut dyn System,
        architectures: &[String],
    ) -> Result<Vec<String>, Failure>;

    /// What the system's repositories offer today; their lists are fetched for it.
    ///
    /// # Errors
    /// No network, or no working repository (environment).
    fn offered(&self, system: &mut dyn System) -> Result<Offered, Failure>;

    /// The packages on offer that say they took over files of the package `name` as it was at
    /// `version`; none where the family's lists do not tell.
    fn took_from(&self, _offered: &Offered, _name: &str, _version: &str) -> Vec<String> {
        vec![]
    }

    /// The paths that packages on offer would bring, without installing them; a package of which
    /// that is not known is not in the answer.
    ///
    /// # Errors
    /// The system cannot be asked.
    fn contents(
        &self,
        _system: &mut dyn System,
        _packages: &[&str],
    ) -> Result<BTreeMap<String, Vec<RootPath>>, Failure> {
        Ok(BTreeMap::new())
    }

    /// Whether a package of this name comes along with what needs it: nobody asks for it alone.
    fn comes_along(&self, name: &str) -> bool;

    /// The package with which environments of this kind are made again; `None` where none is
    /// needed, or known.
    fn maker(&self, environment: EnvironmentKind) -> Option<&'static str>;

    /// What is answered in a staged system, of the answers that were `given` in the old one.
    fn answers(&self, given: &[AnswerFact]) -> Vec<AnswerFact>;

    /// Installs those packages of an order that can be; no service starts. Returned are those that
    /// cannot, and packages that these need and whose own installation fails.
    ///
    /// # Errors
    /// What fails is no package's fault or cannot be taken out (step), or the disk is full
    /// (resource).
    fn install(&self, system: &mut dyn System, order: &Order<'_>) -> Result<Vec<Refused>, Failure>;

    /// Installs one package more; `None` when something would have to give way for it, else what
    /// of it, and of what it needs, failed and was taken out again.
    ///
    /// # Errors
    /// As [`Family::install`].
    fn add(&self, system: &mut dyn System, package: &str) -> Result<Option<Vec<Refused>>, Failure>;

    /// The package that has `path` since it was split off the one that had it.
    fn holder(&self, path: &RootPath) -> Option<&'static str>;

    /// Removes what fetching and installing left behind.
    ///
    /// # Errors
    /// It cannot be removed (step).
    fn clean(&self, system: &mut dyn System) -> Result<(), Failure>;

    /// Carries decisions over to packages of today. `draft`, settled and not yet met with the new
    /// system's files, is changed where that is simpler than a command.
    ///
    /// # Errors
    /// The new system cannot be read.
    fn carry(
        &self,
        choices: &Choices,
        new: &New<'_>,
        draft: &mut Draft,
    ) -> Result<Carried, TreeError>;
}

/// The new system is of another kind than the bundle's.
pub(super) fn refused(why: String) -> Failure {
    Failure::new(FailureKind::Precondition, "restoring onto", "the target")
        .why(why)
        .safe("nothing was made")
        .next("choose a target of the same family and architecture")
}
