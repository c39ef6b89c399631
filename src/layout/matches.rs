//! Which paths of a [`Draft`] a rule's pattern is about.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::StepError;
use super::pattern::{Pattern, Vars};
use super::scalar::PathPattern;
use crate::tree::{Draft, RootPath};

/// The entries of the draft that `pattern` matches.
pub(super) fn matching(
    pattern: &PathPattern,
    vars: &Vars,
    draft: &Draft,
) -> Result<Vec<RootPath>, StepError> {
    let pattern = pattern.compile(vars)?;
    let base = base(&pattern)?;
    let paths = draft.below(&base).map(|node| &node.entry.path);
    Ok(paths.filter(|path| pattern.matches(path.as_bytes()).is_some()).cloned().collect())
}

fn base(pattern: &Pattern) -> Result<RootPath, StepError> {
    RootPath::parse(&pattern.base()).map_err(|e| StepError::Expand(e.into()))
}

/// The topmost paths that `pattern` matches and at or below which the draft has something, an
/// entry or a deletion, with what the pattern captured there.
pub(super) fn tops(
    pattern: &PathPattern,
    vars: &Vars,
    draft: &Draft,
) -> Result<BTreeMap<RootPath, Vars>, StepError> {
    let pattern = pattern.compile(vars)?;
    let base = base(&pattern)?;
    let entries = draft.below(&base).map(|node| &node.entry.path);
    let deletions = draft.deletions().filter(|path| path.is_within(&base));
    let mut tops = BTreeMap::new();
    let mut looked_at = BTreeSet::new();
    for path in entries.chain(deletions) {
        for place in path.ancestors().iter().chain([path]).filter(|p| p.is_within(&base)) {
            if tops.contains_key(place) {
                break;
            }
            if !looked_at.insert(place.clone()) {
                continue;
            }
            if let Some(captured) = pattern.matches(place.as_bytes()) {
                tops.insert(place.clone(), captured);
                break;
            }
        }
    }
    Ok(tops)
}
