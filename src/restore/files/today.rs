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

    /// The units that are called as `stem` is, or begin so, of `packages`.
    pub(in crate::restore) fn units<'b>(
        &'b self,
        packages: &'b BTreeSet<String>,
        stem: &'b [u8],
    ) -> impl Iterator<Item = &'b RootPath> {
        let called = self.services(packages).filter(move |name| name.starts_with(stem));
        called.filter_map(|name| self.units.get(name))
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
    /// affair of the package that stands in its place, when that has any.
    pub(in crate::restore) fn unserved(&self, unserved: &[Unserved]) -> Vec<Unserved> {
        let told = |unserved: &&Unserved| {
            let Unserved { service: _, package, by_hand, candidates } = unserved;
            let successors = self.of(package);
            let is_idle = !successors.is_empty() && self.services(&successors).next().is_none();
            *by_hand || is_idle || !candidates.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::packages::in_use::testing::{manifest, packaged};
    use crate::restore::value::packages::Install;
    use crate::tree::memory::MemoryTree;

    /// A system with the packages `mail` and `maild`, of which the second took files of the first.
    fn system(unit: &str) -> MemoryTree {
        let status = "Package: mail\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\n\
                      Package: maild\nStatus: install ok installed\nVersion: 2\n\
                      Architecture: all\nReplaces: mail (<< 2)\nBreaks: mail (<< 2)\n\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/mail.list", "/.\n/etc\n/etc/mail.conf\n")
            .file(
                "/var/lib/dpkg/info/maild.list",
                "/.\n/usr/lib/systemd/system/maild.service\n/etc/default/maild\n",
            )
            .file("/usr/lib/systemd/system/maild.service", unit)
            .file("/etc/mail.conf", "")
            .file("/etc/default/maild", "")
    }

    fn old(services: &[&str]) -> InUse {
        let unit = |name: &&str| packaged(&format!("/lib/systemd/system/{name}.service"), "mail");
        InUse::of(
            &manifest(services.iter().map(unit).collect()),
            &[],
            crate::restore::Relation::Plain,
        )
    }

    fn plan(part: bool) -> PackagePlan {
        let install = Install {
            name: "maild".to_owned(),
            formerly: Some("mail".to_owned()),
            why: IntentWhy::Part,
        };
        PackagePlan {
            install: part.then_some(install).into_iter().collect(),
            ..PackagePlan::default()
        }
    }

    fn renamed(services: &[&str], unit: &str, part: bool) -> Vec<(String, String)> {
        let (target, plan) = (system(unit), plan(part));
        let installed = Installed::load(&target).unwrap();
        let today = Today::read(&installed, &plan, &target).unwrap();
        today.renamed(&old(services), &target).unwrap().into_iter().collect()
    }

    #[test]
    fn what_took_files_of_a_package_stands_in_its_place_with_what_it_has() {
        let (target, plan) = (system(""), PackagePlan::default());
        let installed = Installed::load(&target).unwrap();
        let today = Today::read(&installed, &plan, &target).unwrap();
        let packages = today.of("mail");
        assert_eq!(packages, BTreeSet::from(["mail".to_owned(), "maild".to_owned()]));
        let files: Vec<String> = today.configuration(&packages).map(ToString::to_string).collect();
        assert_eq!(files, ["/etc/mail.conf", "/etc/default/maild"]);
        assert!(today.of("other").is_empty());
    }

    #[test]
    fn a_service_is_called_as_the_unit_that_has_its_name_too() {
        let pair = vec![("post".to_owned(), "maild".to_owned())];
        assert_eq!(renamed(&["post", "else"], "[Install]\nAlias=post.service\n", false), pair);
        assert_eq!(renamed(&["post"], "[Install]\nWantedBy=x.target\n", false), []);
    }

    #[test]
    fn the_only_service_of_what_a_daemon_left_for_is_it() {
        let pair = vec![("mail".to_owned(), "maild".to_owned())];
        assert_eq!(renamed(&["mail"], "", true), pair);
        // It did not leave, or it is not clear which service did.
        assert_eq!(renamed(&["mail"], "", false), []);
        assert_eq!(renamed(&["mail", "mail-queue"], "", true), []);
    }

    #[test]
    fn a_service_that_its_package_switched_on_is_told_when_the_package_has_none_today() {
        let (target, plan) = (system(""), PackagePlan::default());
        let installed = Installed::load(&target).unwrap();
        let today = Today::read(&installed, &plan, &target).unwrap();
        let unserved = |package: &str, by_hand, candidates: &[&str]| Unserved {
            service: "mail.service".to_owned(),
            package: package.to_owned(),
            by_hand,
            candidates: candidates.iter().map(|&name| name.to_owned()).collect(),
        };
        let told = |unserved: Unserved| today.unserved(&[unserved]).len();
        assert_eq!(told(unserved("mail", false, &[])), 0);
        assert_eq!(told(unserved("mail", true, &[])), 1);
        assert_eq!(told(unserved("mail", false, &["post"])), 1);
        // A package that is not there is missed as a package.
        assert_eq!(told(unserved("other", false, &[])), 0);
        let bare = MemoryTree::default().file(
            "/var/lib/dpkg/status",
            "Package: mail\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n",
        );
        let installed = Installed::load(&bare).unwrap();
        let today = Today::read(&installed, &plan, &bare).unwrap();
        assert_eq!(today.unserved(&[unserved("mail", false, &[])]).len(), 1);
    }
}
