//! [`Today`]: which packages of the new system stand where an old one stood, and what they have.

use std::collections::{BTreeMap, BTreeSet};

use crate::init::Scope;
use crate::packages::Installed;
use crate::restore::packages::in_use::{CONFIGURATION, InUse, Part};
use crate::restore::value::packages::{PackagePlan, Unserved};
use crate::survey::IntentWhy;
use crate::tree::{RootPath, Tree, TreeError, read_file};

/// Longer than any unit that people write.
const MAX_UNIT: u64 = 256 * 1024;

/// The packages of the new system.
pub(in crate::restore) struct Today<'a> {
    installed: &'a Installed,
    plan: &'a PackagePlan,
    /// Files of configuration, by package.
    configuration: BTreeMap<String, BTreeSet<RootPath>>,
    /// Units, and scripts by the names that their units would have, by package.
    services: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// The units that are files, by name.
    units: BTreeMap<Vec<u8>, RootPath>,
}

impl<'a> Today<'a> {
    /// Reads what `installed` has; `plan` is what was decided about packages.
    pub(in crate::restore) fn read(
        installed: &'a Installed,
        plan: &'a PackagePlan,
        target: &dyn Tree,
    ) -> Result<Today<'a>, TreeError> {
        let mut today = Today {
            installed,
            plan,
            configuration: BTreeMap::new(),
            services: BTreeMap::new(),
            units: BTreeMap::new(),
        };
        for path in installed.unpacked() {
            let Some(part) = Part::of(&path) else { continue };
            let is_dir = || Ok(target.entry(&path)?.is_some_and(|entry| entry.kind.is_dir()));
            if matches!(part, Part::Program(_)) || is_dir()? {
                continue;
            }
            let owners: Vec<String> =
                installed.claims(&path).map(|claim| claim.package.to_owned()).collect();
            if let Part::Service(name) = part {
                for owner in &owners {
                    today.services.entry(owner.clone()).or_default().insert(name.clone());
                }
                if path.parent().is_some_and(|dir| Scope::System.packaged().contains(&dir)) {
                    today.units.insert(name, path.clone());
                }
            }
            if path.is_within(&CONFIGURATION) {
                for owner in owners {
                    today.configuration.entry(owner).or_default().insert(path.clone());
                }
            }
        }
        Ok(today)
    }

    /// The packages that stand where `old` stood: itself, what was installed in its place, and what
    /// says that it took files of it.
    pub(in crate::restore) fn of(&self, old: &str) -> BTreeSet<String> {
        let itself = self.installed.version(old).map(|_| old.to_owned());
        let installs = self.plan.install.iter();
        let planned = installs.filter(|install| install.formerly.as_deref() == Some(old));
        let planned = planned.map(|install| install.name.clone());
        let took = self.installed.successors(old).map(str::to_owned);
        itself.into_iter().chain(planned).chain(took).collect()
    }

    /// The files of configuration that `packages` have.
    pub(in crate::restore) fn configuration<'b>(
        &'b self,
        packages: &'b BTreeSet<String>,
    ) -> impl Iterator<Item = &'b RootPath> {
        packages.iter().filter_map(|name| self.configuration.get(name)).flatten()
    }

    /// The services that `packages` have.
    pub(in crate::restore) fn services<'b>(
        &'b self,
        packages: &'b BTreeSet<String>,
    ) -> impl Iterator<Item = &'b Vec<u8>> {
        packages.iter().filter_map(|name| self.services.get(name)).flatten()
    }

    /// Today's names of services of `old`, without `.service`, as far as packages tell: a unit that
    /// has the old name for another one, or the only service of the package that the daemon left
    /// for.
    pub(in crate::restore) fn renamed(
        &self,
        old: &InUse,
        target: &dyn Tree,
    ) -> Result<BTreeMap<String, String>, TreeError> {
        let there: BTreeSet<&Vec<u8>> = self.services.values().flatten().collect();
        let mut gone: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
        for (package, parts) in &old.parts {
            for part in parts {
                if let Part::Service(name) = part
                    && !there.contains(name)
                    && let Some(stem) = stem(name)
                {
                    gone.entry(package).or_default().insert(stem);
                }
            }
        }
        if gone.is_empty() {
            return Ok(BTreeMap::new());
        }
        let aliases = self.aliases(target)?;
        let mut names = BTreeMap::new();
        for (package, stems) in gone {
            for stem in &stems {
                let other = aliases.get(*stem).cloned();
                let left = || self.left_for(package, old).filter(|_| stems.len() == 1);
                if let Some(name) = other.or_else(left) {
                    names.insert(text(stem), text(&name));
                }
            }
        }
        Ok(names)
    }

    /// Those of `unserved` that are to be told: a service that only its package switched on is the
    /// affair of the package that stands in its place, when that has a new one.
    pub(in crate::restore) fn unserved(
        &self,
        unserved: &[Unserved],
        old: &InUse,
        names: &BTreeMap<String, String>,
    ) -> Vec<Unserved> {
        let is_renamed = |service: &str| {
            stem(service.as_bytes()).is_some_and(|stem| names.contains_key(&text(stem)))
        };
        let has_new = |package: &str, successors: &BTreeSet<String>| {
            let known = old.parts.get(package);
            let is_new = |name: &Vec<u8>| {
                !known.is_some_and(|parts| parts.contains(&Part::Service(name.clone())))
            };
            self.services(successors).any(is_new)
        };
        let told = |unserved: &&Unserved| {
            let Unserved { service, package, by_hand, candidates } = unserved;
            let successors = self.of(package);
            let is_there = !successors.is_empty() && !has_new(package, &successors);
            !is_renamed(service) && (*by_hand || is_there || !candidates.is_empty())
        };
        unserved.iter().filter(told).cloned().collect()
    }

    /// Units by the further names that they say they have.
    fn aliases(&self, target: &dyn Tree) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, TreeError> {
        let mut aliases = BTreeMap::new();
        for (name, path) in &self.units {
            let Some(unit) = stem(name) else { continue };
            // What cannot be read as a unit has no further name.
            let Ok(Some(bytes)) = read_file(target, path, MAX_UNIT) else { continue };
            for line in String::from_utf8_lossy(&bytes).lines() {
                let Some(words) = line.trim().strip_prefix("Alias") else { continue };
                let Some(words) = words.trim_start().strip_prefix('=') else { continue };
                for alias in words.split_ascii_whitespace() {
                    if let Some(alias) = stem(alias.as_bytes()) {
                        aliases.entry(alias.to_vec()).or_insert_with(|| unit.to_vec());
                    }
                }
            }
        }
        Ok(aliases)
    }

    /// The only new service of the packages that a part of `package` left for.
    fn left_for(&self, package: &str, old: &InUse) -> Option<Vec<u8>> {
        let installs = self.plan.install.iter().filter(|install| install.why == IntentWhy::Part);
        let left = installs.filter(|install| install.formerly.as_deref() == Some(package));
        let packages: BTreeSet<String> = left.map(|install| install.name.clone()).collect();
        let known = old.parts.get(package);
        let new = self.services(&packages).filter(|name| {
            !known.is_some_and(|parts| parts.contains(&Part::Service((*name).clone())))
        });
        let stems: BTreeSet<&[u8]> = new.filter_map(|name| stem(name)).collect();
        stems.first().filter(|_| stems.len() == 1).map(|stem| stem.to_vec())
    }
}

/// The name of a service without its ending; `None` of templates and of units of other kinds.
fn stem(unit: &[u8]) -> Option<&[u8]> {
    unit.strip_suffix(b".service").filter(|stem| !stem.is_empty() && !stem.contains(&b'@'))
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
