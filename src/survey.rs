//! [`Survey`]: the facts read from a source, or from a target, that its rebuild needs.
//!
//! Which OS it is, what is installed and why, which applications are recognised. Everything is
//! read from files; nothing in the tree is executed.

mod choices;

use std::collections::BTreeMap;

pub use choices::{
    AddedFact, AlternativeFact, AnswerFact, Choices, DiversionFact, HoldFact, RepositoryFact,
    StatOverrideFact,
};
use serde::{Deserialize, Serialize};

use crate::environments::EnvironmentFact;
use crate::packages::{Installed, Unit, Wanted, Why};
use crate::service::MountKind;
use crate::tree::{RootPath, Tree, TreeError, read_file};

/// Which operating system a tree holds, from `os-release(5)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`, such as `debian`; empty when the tree does not say.
    pub id: String,
    /// `VERSION_ID`, such as `11`; empty on rolling releases.
    pub version: String,
    /// `VERSION_CODENAME`, such as `bullseye`.
    pub codename: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFact {
    /// Binary package name.
    pub name: String,
    /// Version as the package manager writes it.
    pub version: String,
    /// Architecture.
    pub arch: String,
    /// Installed because something else needed it, not because somebody asked.
    pub auto: bool,
}

/// A package whose installation the rebuild has to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentFact {
    /// Binary package name; of another architecture than the system's, `name:architecture`.
    pub name: String,
    /// Why it is asked for again.
    pub why: IntentWhy,
    /// Of a package that brings nothing itself: the installed packages it depends on. They are what
    /// was wanted, should its own name be gone one day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<String>,
}

/// Why a package is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentWhy {
    /// Somebody asked for it.
    Manual,
    /// Somebody asked for it, and something installed needs it anyway: all packages of a base
    /// system that was made by naming them.
    Needed,
    /// It came along, but nothing installed needs it.
    Leaf,
    /// An environment is rebuilt with it; no bundle says so.
    Environment,
}

/// A recognised application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFact {
    /// Name of its rule.
    pub name: String,
    /// The family of distributions its rule is for.
    pub distribution: String,
    /// Its version in the source, where it can be told.
    pub version: Option<String>,
}

/// A mount of the archived container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountFact {
    /// What is mounted.
    pub kind: MountKind,
    /// Volume name, or the host's path of a bind mount.
    pub name: String,
    /// Where it is mounted.
    #[serde(flatten)]
    pub destination: RootPath,
    /// The mount point that was asked for, where a link on the way leads elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<RootPath>,
    /// The volume had no name of its own.
    pub anonymous: bool,
    /// Whether its content is in the bundle.
    pub kept: bool,
}

impl MountFact {
    /// Its name in a bundle: the volume's, or one made of the mount point for a bind mount.
    pub fn area_name(&self) -> String {
        if self.kind == MountKind::Volume {
            self.name.clone()
        } else {
            let plain = |b: &u8| if b.is_ascii_alphanumeric() { char::from(*b) } else { '-' };
            format!("bind{}", self.destination.as_bytes().iter().map(plain).collect::<String>())
        }
    }
}

/// The facts about one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Where it lived, such as `docker:web`.
    pub source: String,
    /// Its name without the scheme: what the restored container is called by default.
    pub name: String,
    /// Operating system.
    pub os: OsRelease,
    /// The package manager it is made with: `dpkg`, `rpm`, `apk`, `pacman`; empty without any.
    #[serde(default)]
    pub manager: String,
    /// The package manager's own architecture word, such as `amd64`.
    pub architecture: String,
    /// Installed packages by name.
    pub packages: Vec<PackageFact>,
    /// What to install again.
    pub intents: Vec<IntentFact>,
    /// Recognised applications.
    pub apps: Vec<AppFact>,
    /// What package managers of languages installed.
    #[serde(default)]
    pub environments: Vec<EnvironmentFact>,
    /// Volumes and bind mounts.
    pub mounts: Vec<MountFact>,
    /// What somebody decided about packages.
    #[serde(default)]
    pub choices: Choices,
}

/// Limit for an os-release file.
const OS_RELEASE_LIMIT: u64 = 64 * 1024;

/// Reads the OS of `tree`; everything empty when it does not say.
pub fn os_release(tree: &dyn Tree) -> Result<OsRelease, TreeError> {
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

/// What a package database says about packages: all of them, and the ones to ask for again.
pub fn packages(installed: &Installed) -> (Vec<PackageFact>, Vec<IntentFact>) {
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

/// The architecture of the system in its package manager's words: what most packages are of that
/// are of any.
pub fn architecture(installed: &Installed) -> String {
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
