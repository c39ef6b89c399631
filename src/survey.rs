//! Reading the facts of a [`Survey`] from a source, or from a target.
//!
//! Everything is read from files; nothing in the tree is executed.

mod choices;

use std::collections::{BTreeMap, BTreeSet};

pub use crate::facts::{
    AddedFact, AlternativeFact, AnswerFact, AppFact, Choices, DiversionFact, HoldFact, IntentFact,
    IntentWhy, MountFact, OsRelease, PackageFact, RepositoryFact, StatOverrideFact, Survey,
};
use crate::packages::dpkg::Dpkg;
use crate::packages::{Installed, Intent, Manager, Package, Unit, Why};
use crate::tree::{RootPath, Tree, TreeError, read_file};

/// Limit for an os-release file.
const OS_RELEASE_LIMIT: u64 = 64 * 1024;

/// Reads the OS of `tree`; everything empty when it does not say.
pub fn os_release(tree: &dyn Tree) -> Result<OsRelease, TreeError> {
    for place in ["/etc/os-release", "/usr/lib/os-release"] {
        let Ok(path) = RootPath::parse(place.as_bytes()) else { continue };
        // Anything but a readable small file is the source's oddity, not a reason to stop.
        if let Ok(Some(bytes)) = read_file(tree, &path, OS_RELEASE_LIMIT) {
            return Ok(parse_os_release(&bytes));
        }
    }
    Ok(OsRelease::default())
}

/// Reads `KEY=value` lines; quotes around a value are taken off, unknown keys are left alone.
fn parse_os_release(bytes: &[u8]) -> OsRelease {
    let text = String::from_utf8_lossy(bytes);
    let fields: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(key, value)| (key, value.trim_matches(|c| c == '"' || c == '\'')))
        .collect();
    let get = |key: &str| fields.get(key).map(|v| (*v).to_owned()).unwrap_or_default();
    OsRelease {
        id: get("ID"),
        version: get("VERSION_ID"),
        codename: get("VERSION_CODENAME"),
        name: get("PRETTY_NAME"),
    }
}

/// The packages that every system of the family has, whoever asked for them: the essential and
/// required ones, the package manager, and what these need. `important` alone says nothing: it is
/// the priority of cron and rsyslog, which minimal systems do not have.
fn of_the_system(dpkg: &Dpkg) -> BTreeSet<&str> {
    let mut by_name: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in dpkg.packages.iter().filter(|package| package.has_files()) {
        for name in std::iter::once(&package.name).chain(&package.provides) {
            by_name.entry(name).or_default().push(package);
        }
    }
    let is_seed = |package: &&Package| {
        package.essential || package.priority == "required" || package.name == "apt"
    };
    let mut todo: Vec<&Package> = dpkg.packages.iter().filter(is_seed).collect();
    let mut found = BTreeSet::new();
    while let Some(package) = todo.pop() {
        if found.insert(package.name.as_str()) {
            let needs = package.depends.iter().flatten();
            todo.extend(needs.filter_map(|name| by_name.get(name.as_str())).flatten());
        }
    }
    found
}

/// Where even a package that brings nothing has its papers.
const PAPERS: &[&[u8]] = &[b"/usr/share/doc/", b"/usr/share/lintian/", b"/usr/share/bug/"];

/// The packages that bring some content.
fn with_content(dpkg: &Dpkg) -> BTreeSet<&str> {
    let is_paper = |path: &RootPath| PAPERS.iter().any(|dir| path.as_bytes().starts_with(dir));
    let contents = dpkg.owned_paths().filter(|p| p.owned.digest.is_some() && !is_paper(&p.path));
    contents.map(|p| p.owned.package.name.as_str()).collect()
}

/// What a package database says about packages: all of them, and the ones to ask for again.
pub fn packages(installed: &Installed) -> (Vec<PackageFact>, Vec<IntentFact>) {
    let fact = |unit: Unit| PackageFact {
        name: unit.name.to_owned(),
        version: unit.version,
        arch: unit.arch.to_owned(),
        auto: unit.auto,
    };
    let facts: Vec<PackageFact> = installed.units().map(fact).collect();
    let intents = match &installed.dpkg {
        Some(dpkg) if installed.manager() == Some(Manager::Dpkg) => intents(dpkg),
        // What the other managers call asked for is taken as it stands.
        _ => {
            let asked = facts.iter().filter(|fact| !fact.auto);
            let intent = |fact: &PackageFact| IntentFact {
                name: fact.name.clone(),
                why: IntentWhy::Manual,
                stands_for: vec![],
            };
            asked.map(intent).collect()
        }
    };
    (facts, intents)
}

/// What somebody decided about packages of `tree`, as `installed` and the files beside it say.
pub fn choices(tree: &dyn Tree, installed: &Installed) -> Choices {
    choices::choices(tree, installed)
}

/// The architecture of the system in its package manager's words: what most packages are of that
/// are of any.
pub fn architecture(installed: &Installed) -> String {
    let dpkg = installed.dpkg.as_ref().and_then(|dpkg| dpkg.is_installed("dpkg"));
    if let Some(package) = dpkg.filter(|_| installed.manager() == Some(Manager::Dpkg)) {
        return package.arch.clone();
    }
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in installed.units().filter(|unit| !["", "all", "any", "noarch"].contains(&unit.arch))
    {
        *count.entry(unit.arch).or_default() += 1;
    }
    count.into_iter().max_by_key(|(_, n)| *n).map(|(arch, _)| arch.to_owned()).unwrap_or_default()
}

/// What has to be asked for again.
fn intents(dpkg: &Dpkg) -> Vec<IntentFact> {
    // What a package of another architecture needs is of that one.
    let needed: BTreeSet<(&str, Option<&str>)> = dpkg
        .packages
        .iter()
        .filter(|package| package.has_files())
        .flat_map(|package| {
            let needs = package.depends.iter().flatten();
            needs.map(|name| (name.as_str(), dpkg.foreign(package)))
        })
        .collect();
    let system = of_the_system(dpkg);
    let with_content = with_content(dpkg);
    let stands_for = |package: &Package| -> Vec<String> {
        if with_content.contains(package.name.as_str()) {
            return vec![];
        }
        let wanted = package.depends.iter().flatten();
        wanted.filter(|name| dpkg.is_installed(name).is_some()).cloned().collect()
    };
    let comes_with_the_system = |package: &Package| {
        dpkg.foreign(package).is_none() && system.contains(package.name.as_str())
    };
    let fact = |intent: &Intent<'_>| {
        let (name, foreign) = (&intent.package.name, dpkg.foreign(intent.package));
        IntentFact {
            name: foreign.map_or_else(|| name.clone(), |arch| format!("{name}:{arch}")),
            why: match intent.why {
                Why::Manual if needed.contains(&(name.as_str(), foreign)) => IntentWhy::Needed,
                Why::Manual => IntentWhy::Manual,
                Why::Leaf | Why::Orphan => IntentWhy::Leaf,
            },
            stands_for: stands_for(intent.package),
        }
    };
    dpkg.intents(comes_with_the_system).iter().map(fact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let os = parse_os_release(
            b"PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nID=debian\nVERSION_ID='11'\nVERSION_CODENAME=bullseye\n#x\n",
        );
        assert_eq!(os.id, "debian");
        assert_eq!(os.version, "11");
        assert_eq!(os.codename, "bullseye");
        assert_eq!(os.name, "Debian GNU/Linux 11 (bullseye)");
    }

    #[test]
    fn what_was_asked_for_of_another_architecture_is_asked_for_with_its_name() {
        let stanza = |name: &str, arch: &str, more: &str| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\n\
                 Version: 1\n{more}\n"
            )
        };
        let status = stanza("dpkg", "amd64", "Essential: yes\nDepends: libc6\n")
            + &stanza("libc6", "amd64", "")
            + &stanza("libc6", "i386", "")
            + &stanza("libz", "amd64", "")
            + &stanza("libz", "i386", "")
            + &stanza("tool", "amd64", "Depends: libz\n");
        let tree = MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/arch", "amd64\ni386\n");
        let installed = Installed::load(&tree).unwrap();
        let (_, intents) = packages(&installed);
        let told: Vec<_> = intents.iter().map(|i| (i.name.as_str(), i.why)).collect();
        let expected = [
            ("libc6:i386", IntentWhy::Manual),
            ("libz", IntentWhy::Needed),
            ("libz:i386", IntentWhy::Manual),
            ("tool", IntentWhy::Manual),
        ];
        assert_eq!(told, expected);
        assert_eq!(choices(&tree, &installed).architectures, ["i386"]);
    }
}
