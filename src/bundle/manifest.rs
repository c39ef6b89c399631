//! [`Manifest`]: what a bundle says about every path of its source.
//!
//! Invariant of a manifest that was read: entries ascend strictly by path, and what an entry says
//! about itself fits its kind. That the members are the ones it lists is checked by `verify`.
//!
//! How it stands in `manifest.json` is in `document` and `json`.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::entries::Entries;
use super::entry::ManifestEntry;
use super::{Area, FORMAT, is_volume_name};
use crate::facts::Survey;
use crate::service::Settings;
use crate::tree::RootPath;

/// Everything a bundle says about itself and its source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format's number.
    pub format: u32,
    /// The version of regrow that wrote it.
    pub regrow: semver::Version,
    /// The bundle's name for life, 64 hexadecimal digits: the root hash over all that follows,
    /// and so over the digest of everything kept. Filled in by the writer.
    pub id: String,
    /// What a reader has to understand beyond the format, else it must refuse the bundle.
    pub features_required: Vec<String>,
    /// Facts about the source: OS release, packages, applications, environments.
    pub survey: Survey,
    /// How the service was run.
    pub settings: Settings,
    /// The volumes, by name, and where their files stand among the entries.
    pub volumes: Vec<VolumeRecord>,
    /// What was exported, in the members below `exports/`.
    pub exports: Vec<ExportRecord>,
    /// Members that stand for no path of the source: texts, exports, pristine texts. Filled in by
    /// the writer.
    pub members: Vec<MemberRecord>,
    /// What was found and could not be kept.
    pub losses: Vec<Loss>,
    /// What the way in can never deliver.
    pub limitations: Vec<String>,
    /// Totals. Filled in by the writer.
    pub counts: Counts,
    /// Every path of the source, ascending.
    pub entries: Entries,
}

/// Totals, so that a missing part shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Entries of the manifest, deletions included.
    pub entries: u64,
    /// Entries that have a member.
    pub stored: u64,
    /// Members of the tar but the manifest.
    pub members: u64,
    /// Sizes of the regular files among them, holes included, further names of a file not.
    pub bytes: u64,
}

/// A volume and the place it was mounted at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRecord {
    /// Its name: printable ASCII without slashes.
    pub name: String,
    /// Its mount point.
    pub path: RootPath,
}

/// One dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRecord {
    /// Its name, unique in a bundle.
    pub name: String,
    /// The application that wrote it.
    pub app: String,
    /// The member that holds it, such as `exports/postgresql.sql`.
    pub member: String,
    /// The member's digest.
    pub digest: Digest,
    /// What the importing side needs to know, such as the version that wrote it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// A member that stands for no path of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its name in the tar.
    pub name: Vec<u8>,
    /// Size of a regular file, 0 of a directory.
    pub size: u64,
    /// Of a regular file; `None` of a directory.
    pub digest: Option<Digest>,
}

/// Something that could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// What it happened to: a path, shown escaped, or another name.
    pub subject: String,
    /// What is lost.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Manifest {
    /// A manifest of the current format with nothing in it.
    pub fn new() -> Manifest {
        Manifest {
            format: FORMAT,
            regrow: version(),
            id: String::new(),
            features_required: Vec::new(),
            survey: Survey::default(),
            settings: Settings::None,
            volumes: Vec::new(),
            exports: Vec::new(),
            members: Vec::new(),
            losses: Vec::new(),
            limitations: Vec::new(),
            counts: Counts::default(),
            entries: Entries::default(),
        }
    }

    /// The area that holds `entry`, and its path there; `None` when its volume is not listed or
    /// mounted elsewhere.
    pub fn place<'a>(&self, entry: &'a ManifestEntry) -> Option<(Area<'a>, RootPath)> {
        let Some(name) = &entry.volume else { return Some((Area::Root, entry.path.clone())) };
        let volume = self.volumes.iter().find(|volume| volume.name == *name)?;
        Some((Area::Volume(name), entry.path.strip_prefix(&volume.path)?))
    }

    /// What holds for every manifest, whatever the members.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        for volume in &self.volumes {
            if !is_volume_name(&volume.name) {
                return Err(format!("`{}` cannot be a volume's name", volume.name.escape_debug()));
            }
            if !names.insert(&volume.name) {
                return Err(format!("volume `{}` is listed twice", volume.name));
            }
        }
        if let Some(path) = self.entries.out_of_order() {
            return Err(format!("entries do not ascend at `{path}`"));
        }
        let mut in_volumes = self.entries.wanted(|listed| listed.volume.is_some());
        match in_volumes.find(|entry| self.place(entry).is_none()) {
            Some(entry) => Err(format!("`{}` does not lie in its volume", entry.path)),
            None => Ok(()),
        }
    }
}

impl Default for Manifest {
    fn default() -> Manifest {
        Manifest::new()
    }
}

/// This version of regrow.
fn version() -> semver::Version {
    // Cargo accepts nothing else as a version, so the fallback is never taken.
    env!("CARGO_PKG_VERSION").parse().unwrap_or(semver::Version::new(0, 0, 0))
}
