//! [`Ledger`] of Debian's records, which hold more than the others' do.

use std::collections::{BTreeMap, BTreeSet};

use super::super::dpkg::{Alternative, Dpkg, Moment, Script};
use super::super::file_record::{Digest, RecordedKind, Role};
use super::super::intent::Wanted;
use super::super::manager::Manager;
use super::super::md5::Md5;
use super::super::moving::Told;
use super::super::ownership::Owned;
use super::super::package::{Package, Status};
use super::super::problem::Problem;
use super::super::supply::{Distribution, Supply};
use super::claim::{Claim, Written};
use super::{Decisions, Diversion, Generated, Ledger, Unit};
use crate::tree::{RootPath, Tree, TreeError};

impl Ledger for Dpkg {
    fn manager(&self) -> Manager {
        Manager::Dpkg
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn units(&self) -> Vec<Unit<'_>> {
        self.packages.iter().filter(|p| p.status == Status::Installed).map(unit).collect()
    }

    fn claims(&self, path: &RootPath) -> Vec<Claim<'_>> {
        self.owners(path).map(claim).collect()
    }

    fn unpacked(&self) -> Box<dyn Iterator<Item = RootPath> + '_> {
        Box::new(self.owned_paths().filter(|owned| !owned.excluded).map(|owned| owned.path))
    }

    fn architecture(&self) -> Option<&str> {
        self.is_installed("dpkg").map(|package| package.arch.as_str())
    }

    fn version(&self, name: &str) -> Option<String> {
        self.is_installed(name).map(|package| package.version.clone())
    }

    fn recognisable(&self) -> Vec<(&str, &str)> {
        let there = self.packages.iter().filter(|package| package.has_files());
        there.map(|package| (package.name.as_str(), package.version.as_str())).collect()
    }

    fn wanted(&self) -> Vec<Wanted> {
        Dpkg::wanted(self)
    }

    fn supply(
        &self,
        tree: &dyn Tree,
        distribution: &Distribution<'_>,
    ) -> Result<Supply, TreeError> {
        Dpkg::supply(self, tree, distribution)
    }

    fn needs(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<String>> {
        Dpkg::needs(self, names)
    }

    fn baseline(&self, path: &RootPath) -> Option<Digest> {
        self.owner(path)?.conffile?.md5.map(Digest::Md5)
    }

    fn generated(&self, path: &RootPath) -> Option<Generated<'_>> {
        let (package, digest) = (self.ucf_package(path), self.ucf_digest(path));
        (package.is_some() || digest.is_some()).then(|| Generated {
            package,
            digest,
            copy: self.ucf_copy(path),
        })
    }

    fn alternative(&self, path: &RootPath) -> Option<&Alternative> {
        self.is_alternative_link(path)
    }

    fn brought_as(&self, path: &RootPath) -> RecordedKind {
        if self.is_directory(path) { RecordedKind::Dir } else { RecordedKind::Unknown }
    }

    fn shipped(&self) -> Box<dyn Iterator<Item = Md5> + '_> {
        Box::new(self.owned_paths().filter_map(|path| path.owned.digest))
    }

    fn scripts(&self, moment: Moment) -> Vec<&Script> {
        self.scripts.iter().filter(|script| script.moment == moment).collect()
    }

    fn told(&self, tree: &dyn Tree) -> Vec<Told> {
        Dpkg::told(self, tree)
    }

    fn successors(&self, name: &str) -> Vec<&str> {
        let there = self.packages.iter().filter(|package| package.has_files());
        let took = there.filter(|package| package.takes_over.iter().any(|old| old == name));
        took.map(|package| package.name.as_str()).collect()
    }

    fn decisions(&self) -> Decisions<'_> {
        let held = self.packages.iter().filter(|p| p.hold && p.status == Status::Installed);
        Decisions {
            architectures: self.architectures.get(1..).unwrap_or_default(),
            diversions: self
                .diversions()
                .map(|(from, to, by)| Diversion { from, to, by })
                .collect(),
            stat_overrides: self.stat_overrides(),
            alternatives: self.alternatives(),
            holds: held.map(unit).collect(),
        }
    }
}

fn unit(package: &Package) -> Unit<'_> {
    Unit {
        name: &package.name,
        version: package.version.clone(),
        arch: &package.arch,
        auto: package.auto,
    }
}

fn claim(owned: Owned<'_>) -> Claim<'_> {
    let digest = owned.conffile.and_then(|conffile| conffile.md5).or(owned.digest);
    Claim {
        package: &owned.package.name,
        role: if owned.conffile.is_some() { Role::Config } else { Role::Ordinary },
        digest: digest.map(Digest::Md5),
        record: None,
        written: Written::Dpkg(owned.package),
    }
}
