//! What to ask for when a system of Debian is built again.

use std::collections::{BTreeMap, BTreeSet};

use super::Dpkg;
use crate::packages::intent::{Intent, Wanted, Why};
use crate::packages::package::Package;
use crate::tree::RootPath;

/// Where even a package that brings nothing has its papers.
const PAPERS: &[&[u8]] = &[b"/usr/share/doc/", b"/usr/share/lintian/", b"/usr/share/bug/"];

impl Dpkg {
    /// The packages to ask for; those that every system of the family has are left out.
    pub fn wanted(&self) -> Vec<Wanted> {
        // What a package of another architecture needs is of that one.
        let needed: BTreeSet<(&str, Option<&str>)> = self
            .packages
            .iter()
            .filter(|package| package.has_files())
            .flat_map(|package| {
                let needs = package.depends.iter().flatten();
                needs.map(|name| (name.as_str(), self.foreign(package)))
            })
            .collect();
        let system = self.of_the_system();
        let with_content = self.with_content();
        let stands_for = |package: &Package| -> Vec<String> {
            if with_content.contains(package.name.as_str()) {
                return vec![];
            }
            let wanted = package.depends.iter().flatten();
            wanted.filter(|name| self.is_installed(name).is_some()).cloned().collect()
        };
        let comes_with_the_system = |package: &Package| {
            self.foreign(package).is_none() && system.contains(package.name.as_str())
        };
        let wanted = |intent: &Intent<'_>| {
            let (name, foreign) = (&intent.package.name, self.foreign(intent.package));
            let is_needed = needed.contains(&(name.as_str(), foreign));
            Wanted {
                name: foreign.map_or_else(|| name.clone(), |arch| format!("{name}:{arch}")),
                why: if intent.why == Why::Manual && is_needed { Why::Needed } else { intent.why },
                stands_for: stands_for(intent.package),
            }
        };
        self.intents(comes_with_the_system).iter().map(wanted).collect()
    }

    /// The installed packages that each of those called `names` depends on, as they are asked for.
    pub fn needs(&self, names: &BTreeSet<&str>) -> BTreeMap<String, Vec<String>> {
        let there = || self.packages.iter().enumerate().filter(|(_, package)| package.has_files());
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, package) in there() {
            for name in std::iter::once(&package.name).chain(&package.provides) {
                by_name.entry(name).or_default().push(number);
            }
        }
        let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, package) in there().filter(|(_, package)| names.contains(package.name.as_str())) {
            let needed = needs.entry(package.name.clone()).or_default();
            for group in &package.depends {
                let answering = group.iter().flat_map(|name| by_name.get(name.as_str()));
                let same = |number: &&usize| {
                    self.foreign(&self.packages[**number]) == self.foreign(package)
                };
                // What is for every architecture serves any.
                let found = answering.flatten().filter(same).min().map(|n| &self.packages[*n]);
                let found = found.or_else(|| group.iter().find_map(|name| self.is_installed(name)));
                needed.extend(found.map(|found| match self.foreign(found) {
                    Some(arch) => format!("{}:{arch}", found.name),
                    None => found.name.clone(),
                }));
            }
        }
        needs.into_iter().map(|(name, needed)| (name, needed.into_iter().collect())).collect()
    }

    /// The packages that every system of the family has, whoever asked for them: the essential and
    /// required ones, the package manager, and what these need. `important` alone says nothing: it
    /// is the priority of cron and rsyslog, which minimal systems do not have.
    fn of_the_system(&self) -> BTreeSet<&str> {
        let mut by_name: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
        for package in self.packages.iter().filter(|package| package.has_files()) {
            for name in std::iter::once(&package.name).chain(&package.provides) {
                by_name.entry(name).or_default().push(package);
            }
        }
        let is_seed = |package: &&Package| {
            package.essential || package.priority == "required" || package.name == "apt"
        };
        let mut todo: Vec<&Package> = self.packages.iter().filter(is_seed).collect();
        let mut found = BTreeSet::new();
        while let Some(package) = todo.pop() {
            if found.insert(package.name.as_str()) {
                let needs = package.depends.iter().flatten();
                todo.extend(needs.filter_map(|name| by_name.get(name.as_str())).flatten());
            }
        }
        found
    }

    /// The packages that bring some content.
    fn with_content(&self) -> BTreeSet<&str> {
        let is_paper = |path: &RootPath| PAPERS.iter().any(|dir| path.as_bytes().starts_with(dir));
        let contents =
            self.owned_paths().filter(|p| p.owned.digest.is_some() && !is_paper(&p.path));
        contents.map(|p| p.owned.package.name.as_str()).collect()
    }
}
