//! What `archive` returns: a value that `report` prints.
//!
//! The JSON names of the fields are a contract; they may grow and never change.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::bundle::Loss;
use crate::survey::Observation;
use crate::tree::LinkGroup;
use crate::verdict::{Class, Held};

/// What `archive` did.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveReport {
    /// Where the bundle is.
    pub bundle: String,
    /// Its id.
    pub id: String,
    /// Its size.
    pub bundle_bytes: u64,
    /// Paths by class.
    pub classes: ClassTotals,
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

/// Totals by the word of a class, of what is there.
pub type ClassTotals = BTreeMap<&'static str, ClassTotal>;

impl ClassTotal {
    /// Adds up `paths`: each a class, the size of a regular file (0 for anything else), and what it
    /// shares with its other names. A file counts once, whatever the number of its names.
    pub fn by_class(paths: impl Iterator<Item = (Class, u64, Option<LinkGroup>)>) -> ClassTotals {
        let mut totals = ClassTotals::new();
        let mut counted = HashSet::new();
        for (class, size, links) in paths {
            let total = totals.entry(class.word()).or_default();
            total.paths += 1;
            if links.is_none_or(|group| counted.insert(group)) {
                total.bytes = total.bytes.saturating_add(size);
            }
        }
        totals
    }
}
