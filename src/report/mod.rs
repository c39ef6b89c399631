//! Reports: what a run found or did, as values that serialise, as text for people, and as a page.
//!
//! The JSON names of the fields are a contract; they may grow and never change. No decision is
//! made here: the same value is printed either way.

mod html;
mod inspection;
mod styled;
mod text;
mod units;
mod view;

use std::time::Duration;

use serde::Serialize;

pub use html::PageFile;
pub use inspection::{Explanation, InspectedEntries, InspectedEntry, Inspection};
pub use styled::{Role, Span, Text};
pub use view::View;

use crate::bundle::{Loss, Manifest, Verified};
use crate::layout::Rule;
use crate::verdict::Held;

/// What `verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// The bundle's id.
    pub id: String,
    /// The source it was made of.
    pub source: String,
    /// Members checked.
    pub members: u64,
    /// Bytes of content checked.
    pub bytes: u64,
    /// What the archive could not keep, as recorded in the bundle.
    pub losses: Vec<Loss>,
    /// What the archive's way in could not deliver.
    pub limitations: Vec<String>,
    /// Always empty.
    pub held: Vec<Held>,
    /// How long it took.
    pub seconds: f64,
}

impl Verification {
    /// What to say of a bundle that was found whole.
    pub fn new(manifest: &Manifest, verified: &Verified, elapsed: Duration) -> Verification {
        Verification {
            id: manifest.id.clone(),
            source: manifest.survey.source.clone(),
            members: verified.members,
            bytes: verified.bytes,
            losses: manifest.losses.clone(),
            limitations: manifest.limitations.clone(),
            held: vec![],
            seconds: elapsed.as_secs_f64(),
        }
    }
}

/// The applications that rules know.
#[derive(Debug, Clone, Serialize)]
pub struct RuleList {
    /// By name.
    pub rules: Vec<RuleLine>,
}

/// One rule in a list.
#[derive(Debug, Clone, Serialize)]
pub struct RuleLine {
    /// The application.
    pub app: String,
    /// Its family of distributions.
    pub distribution: String,
    /// For people.
    pub title: String,
    /// How many transitions it knows.
    pub transitions: usize,
}

impl RuleList {
    /// A line for each of `rules`.
    pub fn new(rules: &[Rule]) -> RuleList {
        RuleList {
            rules: rules
                .iter()
                .map(|rule| RuleLine {
                    app: rule.app.to_string(),
                    distribution: rule.distribution.to_string(),
                    title: rule.title.clone(),
                    transitions: rule.transitions.len(),
                })
                .collect(),
        }
    }
}
