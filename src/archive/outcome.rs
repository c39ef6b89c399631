//! What `archive` returns: a value that `report` prints.
//!
//! The JSON names of the fields are a contract; they may grow and never change.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::shown::Shown;
use crate::bundle::Loss;
use crate::survey::Observation;
use crate::tree::{DirectoryTotal, FileType, outline};
use crate::verdict::{Comeback, Held};

/// What `archive` did.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveReport {
    /// Where the bundle is.
    pub bundle: String,
    /// Its id.
    pub id: String,
    /// Its size.
    pub bundle_bytes: u64,
    /// How much there is of what.
    #[serde(flatten)]
    pub totals: Totals,
    /// Names of the exports in it.
    pub exports: Vec<String>,
    /// What the service did while it was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observation: Option<Observation>,
    /// Paths that hold keys or passwords and are kept unencrypted.
    pub secrets: Vec<String>,
    /// What was found and could not be kept.
    pub losses: Vec<Loss>,
    /// What the way in can never deliver.
    pub limitations: Vec<String>,
    /// Always empty: an archive decides everything.
    pub held: Vec<Held>,
    /// How long it took.
    pub seconds: f64,
}

/// How much there is of a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClassTotal {
    /// Paths, deletions not counted.
    pub paths: u64,
    /// Sizes of regular files among them.
    pub bytes: u64,
}

/// Totals by the word of a class, or of where paths come back from; of what is there.
pub type ClassTotals = BTreeMap<&'static str, ClassTotal>;

/// How much there is of what.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// By class.
    pub classes: ClassTotals,
    /// By where it comes back from.
    pub comes_back: ClassTotals,
    /// What the bundle keeps, by directory.
    pub directories: Vec<DirectoryTotal>,
}

/// In how many lines what is kept is told by directory.
const DIRECTORIES: usize = 8;

impl Totals {
    /// Adds up `paths`, deletions not among them. A file counts its bytes once, whatever the number of its names.
    pub fn of<'a>(paths: impl Iterator<Item = Shown<'a>>) -> Totals {
        let mut totals = Totals::default();
        let mut counted = HashSet::new();
        let mut kept = Vec::new();
        for path in paths {
            let first = path.links.is_none_or(|group| counted.insert(group));
            let bytes = if first { path.size } else { 0 };
            let comeback = Comeback::of(path.class, path.reason);
            totals.classes.entry(path.class.word()).or_default().add(bytes);
            totals.comes_back.entry(comeback.word()).or_default().add(bytes);
            if comeback == Comeback::Bundle && path.file_type != FileType::Dir {
                kept.push((path.path, bytes));
            }
        }
        totals.directories = outline(kept.into_iter(), DIRECTORIES);
        totals
    }
}

impl ClassTotal {
    fn add(&mut self, bytes: u64) {
        self.paths += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
