//! What `inspect` and `explain` show, of a source as of a bundle.

use serde::Serialize;
use serde_json::Value;

use crate::archive::{ClassTotal, ClassTotals, Examined, Explained, Lost};
use crate::bundle::{Loss, Manifest};
use crate::classify::{climb, decide};
use crate::tree::RootPath;
use crate::verdict::{Class, Origin};

/// Every path with its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The facts of the source.
    pub survey: Value,
    /// Paths by class.
    pub classes: ClassTotals,
    /// All paths in order.
    pub entries: Vec<InspectedEntry>,
    /// What was found and could not be kept.
    pub losses: Vec<Loss>,
    /// What the way in can never deliver.
    pub limitations: Vec<String>,
}

/// One path.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedEntry {
    /// Where.
    #[serde(flatten)]
    pub path: RootPath,
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: String,
    /// Bytes; 0 unless a regular file.
    pub size: u64,
    /// Where it came from.
    pub origin: Origin,
    /// It was removed, and stays so.
    #[serde(skip_serializing_if = "is_false")]
    pub deleted: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
fn is_false(value: &bool) -> bool {
    !value
}

impl Inspection {
    /// Of a source that was examined.
    pub fn of_examined(examined: &Examined) -> Inspection {
        let entries: Vec<InspectedEntry> = examined
            .entries
            .iter()
            .map(|judged| InspectedEntry {
                path: judged.entry.path.clone(),
                class: judged.class,
                reason: judged.reason.to_string(),
                size: judged.entry.kind.size(),
                origin: judged.origin,
                deleted: judged.deleted,
            })
            .collect();
        Inspection {
            // A survey is plain data; it always has a JSON form.
            survey: serde_json::to_value(&examined.survey).unwrap_or_default(),
            classes: totals(&entries),
            entries,
            losses: examined.losses.iter().map(Lost::to_loss).collect(),
            limitations: examined.limitations.clone(),
        }
    }

    /// Of a bundle.
    pub fn of_manifest(manifest: &Manifest) -> Inspection {
        let entries: Vec<InspectedEntry> = manifest
            .entries
            .iter()
            .map(|entry| InspectedEntry {
                path: entry.path.clone(),
                class: entry.class,
                reason: entry.reason.clone(),
                size: entry.node.as_ref().map_or(0, |node| node.kind.size()),
                origin: entry.origin,
                deleted: entry.node.is_none(),
            })
            .collect();
        Inspection {
            survey: manifest.survey.clone(),
            classes: totals(&entries),
            entries,
            losses: manifest.losses.clone(),
            limitations: manifest.limitations.clone(),
        }
    }
}

/// Paths and bytes by class.
fn totals(entries: &[InspectedEntry]) -> ClassTotals {
    let present = entries.iter().filter(|entry| !entry.deleted);
    ClassTotal::by_class(present.map(|entry| (entry.class, entry.size)))
}

/// All evidence about one path.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Which path.
    #[serde(flatten)]
    pub path: RootPath,
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: String,
    /// Every piece of evidence, in words.
    pub evidence: Vec<String>,
    /// The steps of the ladder that had something to say, the deciding one first; empty for a
    /// bundle, which holds the verdict only.
    pub ladder: Vec<String>,
}

impl Explanation {
    /// Of a path in a source.
    pub fn of_evidence(path: &RootPath, explained: &Explained) -> Explanation {
        match explained {
            Explained::Present(evidence) => {
                let verdict = decide(evidence);
                let ladder = climb(evidence)
                    .into_iter()
                    .filter_map(|(rung, said)| {
                        said.map(|(class, reason)| format!("{rung}: {class} ({reason})"))
                    })
                    .collect();
                Explanation {
                    path: path.clone(),
                    class: verdict.class,
                    reason: verdict.reason.to_string(),
                    evidence: evidence.lines(),
                    ladder,
                }
            }
            Explained::Removed(judged) => Explanation {
                path: path.clone(),
                class: judged.class,
                reason: judged.reason.to_string(),
                evidence: vec![
                    "is not there any more".to_owned(),
                    format!("origin: {}", judged.origin),
                ],
                ladder: vec![],
            },
        }
    }

    /// Of a path in a bundle: its manifest holds the verdict.
    pub fn of_manifest(manifest: &Manifest, path: &RootPath) -> Option<Explanation> {
        let entry = manifest.entry(path)?;
        let mut evidence = vec![format!("origin: {}", entry.origin)];
        match &entry.node {
            Some(node) => evidence.insert(0, format!("is a {}", node.kind.word())),
            None => evidence.insert(0, "is not there any more".to_owned()),
        }
        evidence.extend(entry.package.iter().map(|p| format!("owned by package {p}")));
        evidence.extend(entry.volume.iter().map(|v| format!("in volume {v}")));
        evidence.extend(entry.digest.iter().map(|d| format!("kept with digest sha256:{d}")));
        Some(Explanation {
            path: path.clone(),
            class: entry.class,
            reason: entry.reason.clone(),
            evidence,
            ladder: vec![],
        })
    }
}
