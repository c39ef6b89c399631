//! Which rule is in force where several files speak of one application on one distribution.
//!
//! Rules are joined as the values they are stored as, so that no word of the language is named
//! here but those whose order matters.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use super::rule_source::RuleSource;
use super::{Earlier, LayoutError, Rule};

/// Lists that are searched for their first match: a later file's entries go in front of them, so
/// that the later file decides. To all others they are added at the end.
const FIRST_MATCH: [&str; 4] = ["accounts", "packages", "services", "transitions"];

/// A rule as it is stored.
pub(super) struct Joined {
    /// The files it was made of, in the order they were read.
    pub(super) sources: Vec<RuleSource>,
    /// JSON in the form of the rule language.
    pub(super) body: String,
}

/// One rule for each application and distribution, `rules` taken in order.
pub(super) fn joined(rules: Vec<(RuleSource, Rule)>) -> Result<Vec<Joined>, LayoutError> {
    let mut all: BTreeMap<(String, String), Joined> = BTreeMap::new();
    for (source, rule) in rules {
        let key = (rule.app.to_string(), rule.distribution.to_string());
        let body = serde_json::to_string(&rule).map_err(LayoutError::body)?;
        match (rule.earlier, all.get_mut(&key)) {
            (Earlier::Extend, Some(earlier)) => {
                earlier.body = extended(&earlier.body, &body).map_err(LayoutError::body)?;
                earlier.sources.push(source);
            }
            (Earlier::Extend, None) => {
                let (app, distribution) = key;
                return Err(LayoutError::Orphan { file: source.file, app, distribution });
            }
            (Earlier::Replace, _) => drop(all.insert(key, Joined { sources: vec![source], body })),
        }
    }
    Ok(all.into_values().collect())
}

/// `body` with the lists of `more` added to its own, those inside of mappings too. What is neither
/// stays as it was.
fn extended(body: &str, more: &str) -> serde_json::Result<String> {
    let mut all: BTreeMap<String, Box<RawValue>> = serde_json::from_str(body)?;
    for (key, value) in serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(more)? {
        let own = all.get(&key).map(|own| own.get());
        let value = value.get();
        let joined = if value.starts_with('[') {
            let own = own.unwrap_or("[]");
            let first_match = FIRST_MATCH.contains(&key.as_str());
            let [first, second] = if first_match { [value, own] } else { [own, value] };
            concatenated(first, second)?
        } else if value.starts_with('{') {
            RawValue::from_string(extended(own.unwrap_or("{}"), value)?)?
        } else {
            continue;
        };
        all.insert(key, joined);
    }
    serde_json::to_string(&all)
}

/// One list of two.
fn concatenated(first: &str, second: &str) -> serde_json::Result<Box<RawValue>> {
    let mut all: Vec<&RawValue> = serde_json::from_str(first)?;
    all.extend(serde_json::from_str::<Vec<&RawValue>>(second)?);
    to_raw_value(&all)
}
