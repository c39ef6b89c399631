//! [`Ledger`]: everything that is asked of one package manager's records.
//!
//! Managers record different things. A question that a manager's records do not answer has the
//! answer *unknown*, and nothing is concluded from that: whoever reads another manager's records
//! answers what they hold, and is done.

mod claim;
mod dpkg;
mod recorded;

pub(crate) use claim::Claim;

use std::collections::{BTreeMap, BTreeSet};

use super::dpkg::{Alternative, Moment, Script, StatOverride};
use super::file_record::{Digest, RecordedKind};
use super::intent::{Wanted, Why};
use super::manager::Manager;
use super::md5::Md5;
use super::moving::Told;
use super::problem::Problem;
use super::supply::{Distribution, Supply};
use crate::tree::{RootPath, Tree, TreeError};

/// An installed package, of whichever manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version as its manager writes it.
    pub version: String,
    /// Its architecture as recorded.
    pub arch: &'a str,
    /// Whether it came because another package asked for it.
    pub auto: bool,
}

/// A text that a package's script put at a path that no package brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generated<'a> {
    /// The package; `None` where it is not on record.
    pub package: Option<&'a str>,
    /// Digest of the text: equal content is not edited.
    pub digest: Option<Md5>,
    /// Where the manager keeps a copy of the text.
    pub copy: Option<RootPath>,
}

/// A package's file that was made to lie elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Diversion<'a> {
    /// What packages call it.
    pub from: &'a RootPath,
    /// Where it lies.
    pub to: &'a RootPath,
    /// The package whose own file stays in its place; `None` for the administrator's.
    pub by: Option<&'a [u8]>,
}

/// What was decided about packages and is on record; empty where a manager records no such thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decisions<'a> {
    /// Architectures beside the system's own that packages may be of.
    pub architectures: &'a [String],
    /// Files that lie elsewhere.
    pub diversions: Vec<Diversion<'a>>,
    /// Owners and modes that were fixed, by path.
    pub stat_overrides: &'a [StatOverride],
    /// Programs chosen among several, by name.
    pub alternatives: &'a [Alternative],
    /// Packages that are to stay at their version.
    pub holds: Vec<Unit<'a>>,
}

/// One manager's records.
pub(crate) trait Ledger: Send + Sync {
    /// Whose they are.
    fn manager(&self) -> Manager;

    /// What is wrong with them.
    fn problems(&self) -> &[Problem];

    /// The installed packages.
    fn units(&self) -> Vec<Unit<'_>>;

    /// The claims to `path`, the one that counts first.
    fn claims(&self, path: &RootPath) -> Vec<Claim<'_>>;

    /// Every path that packages unpacked.
    fn unpacked(&self) -> Box<dyn Iterator<Item = RootPath> + '_>;

    /// The system's own architecture.
    fn architecture(&self) -> Option<&str> {
        None
    }

    /// The version of the package `name`, when its files are on disk.
    fn version(&self, name: &str) -> Option<String> {
        self.units().into_iter().find(|unit| unit.name == name).map(|unit| unit.version)
    }

    /// Names and versions of the packages whose files are on disk, all of them or some, where
    /// their names are those by which rules recognise applications.
    fn recognisable(&self) -> Vec<(&str, &str)> {
        vec![]
    }

    /// The packages to ask for when the system is built again.
    fn wanted(&self) -> Vec<Wanted> {
        let asked = self.units().into_iter().filter(|unit| !unit.auto);
        let wanted = |unit: Unit<'_>| Wanted {
            name: unit.name.to_owned(),
            why: Why::Manual,
            stands_for: vec![],
        };
        asked.map(wanted).collect()
    }

    /// Which packages can be had again, in `tree`, whose records these are.
    ///
    /// # Errors
    /// What shows it cannot be listed.
    fn supply(&self, tree: &dyn Tree, distribution: &Distribution<'_>)
    -> Result<Supply, TreeError>;

    /// The installed packages that each of the packages `names` depends on, as they are asked for.
    fn needs(&self, _names: &BTreeSet<&str>) -> BTreeMap<String, Vec<String>> {
        BTreeMap::new()
    }

    /// Digest of the text that a package brought for its configuration file at `path`: what an
    /// edited one was made from.
    fn baseline(&self, _path: &RootPath) -> Option<Digest> {
        None
    }

    /// The text that a package's script put at `path`.
    fn generated(&self, _path: &RootPath) -> Option<Generated<'_>> {
        None
    }

    /// The alternative that manages the link at `path`, be it the one that users follow or the one
    /// that leads to the choice.
    fn alternative(&self, _path: &RootPath) -> Option<&Alternative> {
        None
    }

    /// What packages brought at `path`, as far as it can be told without a [`Claim`].
    fn brought_as(&self, _path: &RootPath) -> RecordedKind {
        RecordedKind::Unknown
    }

    /// Digests of all contents that packages brought.
    fn shipped(&self) -> Box<dyn Iterator<Item = Md5> + '_> {
        Box::new(std::iter::empty())
    }

    /// The packages' scripts that run at `moment`, by path.
    fn scripts(&self, _moment: Moment) -> Vec<&Script> {
        vec![]
    }

    /// What packages say of paths that their earlier versions had, as far as the scripts in `tree`,
    /// whose records these are, tell.
    fn told(&self, _tree: &dyn Tree) -> Vec<Told> {
        vec![]
    }

    /// The installed packages that say they took over files of the package `name`.
    fn successors(&self, _name: &str) -> Vec<&str> {
        vec![]
    }

    /// What somebody, or a package, decided about packages.
    fn decisions(&self) -> Decisions<'_> {
        Decisions::default()
    }
}
