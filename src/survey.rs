//! Reading the facts of a [`Survey`] from a source, or from a target.
//!
//! Everything is read from files; nothing in the tree is executed.

mod locales;

use std::collections::BTreeMap;

pub(crate) use locales::locales;

pub(crate) use crate::facts::{
    AddedFact, AlternativeFact, AnswerFact, AppFact, Choices, DiversionFact, HoldFact, ImageFact,
    IntentFact, IntentWhy, MountFact, Observation, OsRelease, PackageFact, RepositoryFact,
    StatOverrideFact, Survey, WithdrawnFact,
};
use crate::packages::{Installed, Unit, Wanted, Why};
use crate::tree::{RootPath, Tree, TreeError, read_file};

/// Limit for an os-release file.
const OS_RELEASE_LIMIT: u64 = 64 * 1024;

/// Reads the OS of `tree`; everything empty when it does not say.
pub(crate) fn os_release(tree: &dyn Tree) -> Result<OsRelease, TreeError> {
    const PLACES: [RootPath; 2] =
        [RootPath::literal("/etc/os-release"), RootPath::literal("/usr/lib/os-release")];
    for path in &PLACES {
        // Anything but a readable small file is the source's oddity, not a reason to stop.
        if let Ok(Some(bytes)) = read_file(tree, path, OS_RELEASE_LIMIT) {
            return Ok(parse_os_release(&bytes));
        }
    }
    Ok(OsRelease::default())
}

/// Reads `KEY=value` lines; quotes around a value are taken off, unknown keys are left alone.
pub(crate) fn parse_os_release(bytes: &[u8]) -> OsRelease {
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

/// What a package database says about packages: all of them, and the ones to ask for again.
pub(crate) fn packages(installed: &Installed) -> (Vec<PackageFact>, Vec<IntentFact>) {
    let fact = |unit: Unit| PackageFact {
        name: unit.name.to_owned(),
        version: unit.version,
        arch: unit.arch.to_owned(),
        auto: unit.auto,
    };
    let intent = |wanted: Wanted| IntentFact {
        name: wanted.name,
        why: match wanted.why {
            Why::Manual => IntentWhy::Manual,
            Why::Needed => IntentWhy::Needed,
            Why::Leaf | Why::Orphan => IntentWhy::Leaf,
        },
        stands_for: wanted.stands_for,
    };
    let facts = installed.units().map(fact).collect();
    (facts, installed.wanted().into_iter().map(intent).collect())
}

/// The packages among those `gone` that are installed, with what each needs.
pub(crate) fn withdrawn(
    installed: &Installed,
    gone: &BTreeMap<String, String>,
) -> Vec<WithdrawnFact> {
    let needs = installed.needs(&gone.keys().map(String::as_str).collect());
    let fact = |unit: Unit| {
        let why = gone.get(unit.name)?.clone();
        let needs = needs.get(unit.name).cloned().unwrap_or_default();
        Some(WithdrawnFact { name: unit.name.to_owned(), version: unit.version, why, needs })
    };
    installed.units().filter_map(fact).collect()
}

/// The architecture of the system in its package manager's words: what most packages are of that
/// are of any.
pub(crate) fn architecture(installed: &Installed) -> String {
    if let Some(architecture) = installed.architecture() {
        return architecture.to_owned();
    }
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in installed.units().filter(|unit| !["", "all", "any", "noarch"].contains(&unit.arch))
    {
        *count.entry(unit.arch).or_default() += 1;
    }
    count.into_iter().max_by_key(|(_, n)| *n).map(|(arch, _)| arch.to_owned()).unwrap_or_default()
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
        assert_eq!(installed.decisions().architectures, ["i386"]);
    }
}
