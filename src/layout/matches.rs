//! Which paths of a [`Draft`] a rule's pattern is about.

use std::collections::{BTreeMap, HashMap};

use super::outcome::StepError;
use super::pattern::{Pattern, Vars};
use super::scalar::PathPattern;
use crate::tree::{Draft, RootPath, is_within, parent_of};

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
    // What was looked at, and whether it is a top or lies below one.
    let mut looked_at: HashMap<&[u8], bool> = HashMap::new();
    for path in entries.chain(deletions) {
        // From below, as far as nothing is known: each place is looked at once.
        let all = std::iter::successors(Some(path.as_bytes()), |path| parent_of(path));
        let within = all.take_while(|place| is_within(place, base.as_bytes()));
        let mut unknown = Vec::new();
        let mut covered = false;
        for place in within {
            if let Some(known) = looked_at.get(place) {
                covered = *known;
                break;
            }
            unknown.push(place);
        }
        for place in unknown.into_iter().rev() {
            let captured = if covered { None } else { pattern.matches(place) };
            if let (Some(captured), Ok(top)) = (captured, RootPath::parse(place)) {
                tops.insert(top, captured);
                covered = true;
            }
            looked_at.insert(place, covered);
        }
    }
    Ok(tops)
}
