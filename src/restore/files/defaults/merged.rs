//! What clean merges bring of new defaults.

use std::collections::BTreeSet;

use super::finding::{question, told, with_lines};
use super::old_default::adapted;
use super::opening::{Opening, opened};
use super::systems::Systems;
use crate::defaults::{Change, by_head, compare, lines};
use crate::failure::Failure;
use crate::layout::Access;
use crate::restore::value::config_merge::Outcome;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::step::Step;
use crate::tree::{Draft, DraftContent, DraftNode, RootPath};
use crate::verdict::HeldKind;

/// The files of which the new default's changes were merged into the user's.
pub(super) fn merged(decisions: &Decisions) -> BTreeSet<RootPath> {
    let merged = decisions.steps.iter().filter_map(|step| match step {
        Step::Meet { path, outcome: Outcome::Merged { .. } } => Some(path.clone()),
        _ => None,
    });
    merged.collect()
}

/// What the file at `path` has of the new default now and had not in the archived `text`.
pub(super) fn taken_over(
    systems: &Systems<'_>,
    path: &RootPath,
    text: &[u8],
    draft: &Draft,
) -> Result<Vec<Change>, Failure> {
    let Some(DraftNode { content: DraftContent::Bytes(now), .. }) = draft.get(path) else {
        return Ok(vec![]);
    };
    let old = adapted(systems, path, text, false)?.map(|old| old.lines);
    let (Some(old), Some(new)) = (old, lines(now)) else { return Ok(vec![]) };
    let opens = |change: &Change| opened(systems.access, path, change).is_some();
    Ok(by_head(&compare(&old, &new, (None, None)), &old, &opens))
}

/// Says of a merge what it brought, in its step and to a person.
pub(super) fn tell_merge(
    access: &Access,
    path: &RootPath,
    mut changes: Vec<Change>,
    decisions: &mut Decisions,
) {
    if changes.is_empty() {
        return;
    }
    let opening = Opening::first(access, path, &mut changes);
    let words: Vec<String> = told(&changes).collect();
    for step in &mut decisions.steps {
        if let Step::Meet { path: met, outcome: Outcome::Merged { lines } } = step
            && met == path
        {
            lines.clone_from(&words);
        }
    }
    let why = format!(
        "merged without a conflict, and lines that the new default brings have an effect: {}",
        words.join("; ")
    );
    let held = question(path, why, &opening, HeldKind::Default.harm());
    decisions.held.push(with_lines(held, &changes).file(path));
}
