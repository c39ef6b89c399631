//! What `inspect` and `explain` show, of a source as of a bundle.

use serde::{Serialize, Serializer};

use crate::archive::{Examined, Explained, Lost, Shown, Totals, Verdicts};
use crate::bundle::{Entries, Loss, Manifest};
use crate::classify::{climb, decide};
use crate::facts::Survey;
use crate::tree::{FileType, RootPath};
use crate::verdict::{Class, Origin, Reason};

/// Every path with its verdict.
#[derive(Debug, Serialize)]
pub struct Inspection<'a> {
    /// The facts of the source.
    pub survey: &'a Survey,
    /// How much there is of what.
    #[serde(flatten)]
    pub totals: Totals,
    /// All paths in order.
    pub entries: InspectedEntries<'a>,
    /// What was found and could not be kept.
    pub losses: Vec<Loss>,
    /// What the way in can never deliver.
    pub limitations: Vec<String>,
}

/// All paths, made one by one while they are printed: there may be millions.
#[derive(Debug)]
pub enum InspectedEntries<'a> {
    /// Of a source.
    Examined(&'a Verdicts),
    /// Of a bundle.
    Manifest(&'a Entries),
}

impl InspectedEntries<'_> {
    /// Each of them, in order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = InspectedEntry<'_>> + '_> {
        match self {
            InspectedEntries::Examined(verdicts) => {
                Box::new(verdicts.shown().map(InspectedEntry::of))
            }
            InspectedEntries::Manifest(entries) => {
                Box::new(entries.listed().map(|listed| InspectedEntry::of(listed.into())))
            }
        }
    }
}

impl Serialize for InspectedEntries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// One path.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedEntry<'a> {
    /// Its bytes.
    #[serde(skip)]
    pub bytes: &'a [u8],
    /// When it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    /// Else, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    /// Its class.
    pub class: Class,
    /// Why, as a sentence.
    #[serde(serialize_with = "sentence")]
    pub reason: &'a Reason,
    /// Why, as a code with arguments.
    pub because: &'a Reason,
    /// Bytes; 0 unless a regular file.
    pub size: u64,
    /// Where it came from.
    pub origin: Origin,
    /// It was removed, and stays so.
    #[serde(skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// The package that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<&'a str>,
    /// What kind of node it is.
    #[serde(skip)]
    pub file_type: FileType,
    /// It is kept, and holds a key or a password.
    #[serde(skip_serializing_if = "is_false")]
    pub secret: bool,
}

/// A reason as its sentence.
fn sentence<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
fn is_false(value: &bool) -> bool {
    !value
}

/// The bytes of a path as text, or else as hexadecimal.
fn spelled(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    let text = std::str::from_utf8(bytes).ok();
    (text, text.is_none().then(|| hex::encode(bytes)))
}

impl<'a> InspectedEntry<'a> {
    fn of(shown: Shown<'a>) -> InspectedEntry<'a> {
        let Shown { path: bytes, class, reason, size, origin, deleted, .. } = shown;
        let Shown { package, file_type, secret, .. } = shown;
        let (path, path_hex) = spelled(bytes);
        InspectedEntry {
            bytes,
            path,
            path_hex,
            class,
            reason,
            because: reason,
            size,
            origin,
            deleted,
            package,
            file_type,
            secret,
        }
    }
}

impl<'a> Inspection<'a> {
    /// Of a source that was examined.
    pub fn of_examined(examined: &'a Examined) -> Inspection<'a> {
        Inspection {
            survey: &examined.survey,
            totals: examined.entries.totals(),
            entries: InspectedEntries::Examined(&examined.entries),
            losses: examined.losses.iter().map(Lost::to_loss).collect(),
            limitations: examined.limitations.clone(),
        }
    }

    /// Of a bundle.
    pub fn of_manifest(manifest: &'a Manifest) -> Inspection<'a> {
        Inspection {
            survey: &manifest.survey,
            totals: Totals::of(
                manifest.entries.listed().filter(|listed| !listed.deleted).map(Shown::from),
            ),
            entries: InspectedEntries::Manifest(&manifest.entries),
            losses: manifest.losses.clone(),
            limitations: manifest.limitations.clone(),
        }
    }
}

/// All evidence about one path.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Which path.
    #[serde(flatten)]
    pub path: RootPath,
    /// Its class.
    pub class: Class,
    /// Why, as a sentence.
    pub reason: String,
    /// Why, as a code with arguments.
    pub because: Reason,
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
                    because: verdict.reason,
                    evidence: evidence.lines(),
                    ladder,
                }
            }
            Explained::Removed(judged) => Explanation {
                path: path.clone(),
                class: judged.class,
                reason: judged.reason.to_string(),
                because: judged.reason.clone(),
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
        let entry = manifest.entries.find(path)?;
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
            reason: entry.reason.to_string(),
            because: entry.reason,
            evidence,
            ladder: vec![],
        })
    }
}
