//! [`Survey`]: the facts about a source that its rebuild needs, as a bundle carries them.
//!
//! Which OS it is, what is installed and why, which applications are recognised. Values only: how
//! they are read from a system is `survey`'s affair. A later version may add facts; one that this
//! version does not know is left alone, and kept where it stands beside the others.

mod choices;
mod image;
mod observation;

use std::collections::BTreeMap;

pub use choices::{
    AddedFact, AlternativeFact, AnswerFact, Choices, DiversionFact, HoldFact, RepositoryFact,
    StatOverrideFact,
};
pub use image::ImageFact;
pub use observation::{CheckFact, Health, ListenerFact, Observation, ProcessFact, Protocol, Reach};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::environments::EnvironmentFact;
use crate::service::MountKind;
use crate::tree::RootPath;

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

/// A package that cannot be had again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawnFact {
    /// Binary package name.
    pub name: String,
    /// Version as recorded.
    pub version: String,
    /// What speaks against it, or what is missing.
    pub why: String,
    /// The installed packages that it needs: its files do not run without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
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
    /// It has a part of another package today that was in use; no bundle says so.
    Part,
    /// What was kept leads to a file of it; no bundle says so.
    Referred,
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
    /// Of a volume: what a directory of the engine's has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeFact>,
}

/// What a volume is besides a directory of the engine's for one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeFact {
    /// Who made it, when not the engine itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// What its maker was told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// What somebody wrote on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The names of other containers that use it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
}

impl VolumeFact {
    /// Whether its options say which device or directory it is: nothing that is made anew can be
    /// that one.
    pub fn is_elsewhere(&self) -> bool {
        !self.driver.is_empty() || self.options.contains_key("device")
    }

    /// Its options in words, without what may be a password.
    pub fn options_shown(&self) -> String {
        let shown = self.options.iter().map(|(name, value)| match name.as_str() {
            "type" | "device" if !value.contains('@') => format!("{name}={value}"),
            _ => name.clone(),
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

impl MountFact {
    /// Those of `mounts` whose content is not in the bundle at all.
    pub fn absent(mounts: &[MountFact]) -> impl Iterator<Item = &MountFact> {
        let is_elsewhere =
            |mount: &MountFact| mounts.iter().any(|kept| kept.also_at([mount]).next().is_some());
        mounts.iter().filter(move |mount| !mount.kept && !is_elsewhere(mount))
    }

    /// Where else of `mounts` its volume is mounted. A volume is kept once, where it is seen first.
    pub fn also_at<'a>(
        &'a self,
        mounts: impl IntoIterator<Item = &'a MountFact> + 'a,
    ) -> impl Iterator<Item = &'a MountFact> + 'a {
        let same = |other: &&MountFact| {
            (other.kind, self.kind) == (MountKind::Volume, MountKind::Volume)
                && other.name == self.name
                && self.kept
                && !other.kept
        };
        mounts.into_iter().filter(same)
    }

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
    /// Packages that cannot be had again: their files are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<WithdrawnFact>,
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
    /// What the service did while it was watched; `None` where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
    /// The locales that it had, beside that of no language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locales: Vec<String>,
    /// The image beneath; `None` where there is none, or the engine does not tell of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFact>,
    /// What a later version found out and this one has no field for.
    #[serde(flatten)]
    pub further: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fact_of_a_later_version_is_kept() {
        let mut written = serde_json::to_value(Survey::default()).unwrap();
        written["weather"] = json!({"wind": "north"});
        let read: Survey = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read.further.keys().collect::<Vec<_>>(), ["weather"]);
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }
}
