//! [`Installed`]: the records of all package managers of a system, asked as one.
//!
//! Of two managers that claim one path, the system's own comes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::apk::Apk;
use super::dpkg::{Alternative, Dpkg, Moment, Script};
use super::file_record::{Digest, RecordedKind};
use super::intent::Wanted;
use super::ledger::{Claim, Decisions, Generated, Ledger, Unit};
use super::manager::Manager;
use super::md5::Md5;
use super::moving::Told;
use super::pacman::Pacman;
use super::problem::Problem;
use super::rpm::Rpm;
use super::supply::{Distribution, Supply};
use crate::tree::{RootPath, Tree, TreeError};

/// The records of all managers of one system.
#[derive(Default)]
pub(crate) struct Installed {
    /// The one that counts where several claim a path comes first.
    ledgers: Vec<Box<dyn Ledger>>,
}

impl Installed {
    /// Reads every database that `tree` has.
    ///
    /// # Errors
    /// As those of the single managers.
    pub(crate) fn load(tree: &dyn Tree) -> Result<Installed, TreeError> {
        fn boxed(ledger: impl Ledger + 'static) -> Box<dyn Ledger> {
            Box::new(ledger)
        }
        let all = [
            Dpkg::load(tree)?.map(boxed),
            Rpm::load(tree)?.map(boxed),
            Apk::load(tree)?.map(boxed),
            Pacman::load(tree)?.map(boxed),
        ];
        Ok(Installed { ledgers: all.into_iter().flatten().collect() })
    }

    fn ledgers(&self) -> impl Iterator<Item = &dyn Ledger> {
        self.ledgers.iter().map(|ledger| &**ledger)
    }

    /// The records of the manager that the system is made with.
    fn main(&self) -> Option<&dyn Ledger> {
        let packages = |ledger: &&dyn Ledger| (ledger.units().len(), Reverse(ledger.manager()));
        self.ledgers().max_by_key(packages)
    }

    /// The manager that the system is made with, the one with most packages: the tool of another
    /// one may leave a small database. `None` without any.
    pub(crate) fn manager(&self) -> Option<Manager> {
        self.main().map(Ledger::manager)
    }

    /// The claims to `path`, the one that counts first.
    pub(crate) fn claims(&self, path: &RootPath) -> impl Iterator<Item = Claim<'_>> {
        self.ledgers().flat_map(|ledger| ledger.claims(path))
    }

    /// Every path that packages unpacked: what is not there was deleted.
    pub(crate) fn unpacked(&self) -> impl Iterator<Item = RootPath> {
        self.ledgers().flat_map(Ledger::unpacked)
    }

    /// All installed packages.
    pub(crate) fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        self.ledgers().flat_map(Ledger::units)
    }

    /// What is wrong with the databases.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.ledgers().flat_map(Ledger::problems)
    }
    /// The system's own architecture, where the manager it is made with says.
    pub(crate) fn architecture(&self) -> Option<&str> {
        self.main()?.architecture()
    }

    /// The version of the package `name`, when its files are on disk.
    pub(crate) fn version(&self, name: &str) -> Option<String> {
        self.ledgers().find_map(|ledger| ledger.version(name))
    }

    /// As [`Ledger::recognisable`].
    pub(crate) fn recognisable(&self) -> Vec<(&str, &str)> {
        self.ledgers().flat_map(Ledger::recognisable).collect()
    }

    /// The packages to ask for when the system is built again, as the manager has them that it is
    /// made with.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        self.main().map(Ledger::wanted).unwrap_or_default()
    }

    /// As [`Ledger::supply`], of every manager.
    ///
    /// # Errors
    /// What shows it cannot be listed.
    pub(crate) fn supply(
        &self,
        tree: &dyn Tree,
        distribution: &Distribution<'_>,
    ) -> Result<BTreeMap<Manager, Supply>, TreeError> {
        let all = self.ledgers().filter(|ledger| !ledger.units().is_empty());
        all.map(|ledger| Ok((ledger.manager(), ledger.supply(tree, distribution)?))).collect()
    }

    /// As [`Ledger::needs`].
    pub(crate) fn needs(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<String>> {
        let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, needed) in self.ledgers().flat_map(|ledger| ledger.needs(names)) {
            needs.entry(name).or_default().extend(needed);
        }
        needs
    }

    /// As [`Ledger::baseline`].
    pub(crate) fn baseline(&self, path: &RootPath) -> Option<Digest> {
        self.ledgers().find_map(|ledger| ledger.baseline(path))
    }

    /// As [`Ledger::generated`].
    pub(crate) fn generated(&self, path: &RootPath) -> Option<Generated<'_>> {
        self.ledgers().find_map(|ledger| ledger.generated(path))
    }

    /// As [`Ledger::alternative`].
    pub(crate) fn alternative(&self, path: &RootPath) -> Option<&Alternative> {
        self.ledgers().find_map(|ledger| ledger.alternative(path))
    }

    /// As [`Ledger::brought_as`], of the first manager that knows.
    pub(crate) fn brought_as(&self, path: &RootPath) -> RecordedKind {
        let mut all = self.ledgers().map(|ledger| ledger.brought_as(path));
        all.find(|kind| *kind != RecordedKind::Unknown).unwrap_or(RecordedKind::Unknown)
    }

    /// As [`Ledger::shipped`].
    pub(crate) fn shipped(&self) -> impl Iterator<Item = Md5> {
        self.ledgers().flat_map(Ledger::shipped)
    }

    /// As [`Ledger::scripts`].
    pub(crate) fn scripts(&self, moment: Moment) -> impl Iterator<Item = &Script> {
        self.ledgers().flat_map(move |ledger| ledger.scripts(moment))
    }

    /// As [`Ledger::told`]: `tree` is the one that these are the records of.
    pub(crate) fn told(&self, tree: &dyn Tree) -> Vec<Told> {
        self.ledgers().flat_map(|ledger| ledger.told(tree)).collect()
    }

    /// As [`Ledger::successors`].
    pub(crate) fn successors(&self, name: &str) -> impl Iterator<Item = &str> {
        self.ledgers().flat_map(move |ledger| ledger.successors(name))
    }

    /// What was decided about packages, as the manager records it that the system is made with.
    pub(crate) fn decisions(&self) -> Decisions<'_> {
        self.main().map(Ledger::decisions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// A system of Alpine that has dpkg's tool with one package.
    fn system() -> Installed {
        let installed = "C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:busybox\nV:1.36-r0\nA:x86_64\nF:bin\nR:busybox\na:0:0:755\n\n\
                         C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:musl\nV:1.2-r0\nA:x86_64\nF:lib\nR:libc.so\n\n";
        let status = "Package: tool\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        let tree = MemoryTree::default()
            .file("/lib/apk/db/installed", installed)
            .file("/etc/apk/world", "busybox\n")
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/tool.list", "/.\n/usr\n/usr/bin\n/usr/bin/tool\n")
            .file("/bin/busybox", "")
            .file("/usr/bin/tool", "");
        Installed::load(&tree).unwrap()
    }

    #[test]
    fn every_managers_packages_and_claims_are_there_and_the_largest_is_the_systems() {
        let installed = system();
        assert_eq!(installed.manager(), Some(Manager::Apk));
        let units: Vec<_> = installed.units().map(|u| (u.name.to_owned(), u.auto)).collect();
        assert_eq!(
            units,
            [("tool".to_owned(), false), ("busybox".to_owned(), false), ("musl".to_owned(), true)]
        );
        let of = |at| installed.claims(&path(at)).map(|c| c.package).collect::<Vec<_>>();
        assert_eq!(of("/bin/busybox"), ["busybox"]);
        assert_eq!(of("/usr/bin/tool"), ["tool"]);
        assert!(of("/srv/data").is_empty());
        assert!(installed.unpacked().any(|at| at == path("/lib/libc.so")));
    }

    #[test]
    fn a_system_without_any_database_has_no_manager() {
        let installed = Installed::load(&MemoryTree::default()).unwrap();
        assert_eq!(installed.manager(), None);
        assert_eq!(installed.units().count(), 0);
    }
}
