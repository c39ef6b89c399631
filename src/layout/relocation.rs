//! Moving and copying inside a draft: where things go, what they would meet there, and which links
//! have to lead elsewhere afterwards.

use std::collections::BTreeMap;

use super::matches::tops;
use super::outcome::{StepError, StepOutcome};
use super::pattern::Vars;
use super::scalar::{PathPattern, PathTemplate};
use crate::tree::{Draft, DraftNode, Kind, RootPath, escaped};

/// Where each of the topmost matches of `from` goes; those that would meet something are held.
fn destinations(
    from: &PathPattern,
    to: &PathTemplate,
    vars: &Vars,
    draft: &Draft,
) -> Result<(BTreeMap<RootPath, RootPath>, Vec<StepOutcome>), StepError> {
    let mut places = BTreeMap::new();
    let mut held = Vec::new();
    for (source, captured) in tops(from, vars, draft)? {
        let place = to.expand(&captured.and(vars))?;
        // A link to the new place is the old name of what lies there already.
        let old_name = draft.get(&source).is_some_and(|node| match &node.entry.kind {
            Kind::Symlink { target } => source.aim(target) == place,
            _ => false,
        });
        if place == source || old_name {
            continue;
        }
        let met = draft.below(&source).find(|node| {
            let moved = node.entry.path.strip_prefix(&source).map(|rest| place.join(&rest));
            let there = moved.and_then(|moved| draft.get(&moved));
            there.is_some_and(|there| !(there.entry.kind.is_dir() && node.entry.kind.is_dir()))
        });
        match met {
            Some(node) => {
                let path = node.entry.path.clone();
                let why = format!("its new place below `{place}` is taken by an archived file");
                held.push(StepOutcome::Hold { path, why });
            }
            None => drop(places.insert(source, place)),
        }
    }
    Ok((places, held))
}

/// Moves what `from` matches, and lets links follow.
pub(super) fn moved(
    from: &PathPattern,
    to: &PathTemplate,
    vars: &Vars,
    draft: &mut Draft,
) -> Result<Vec<StepOutcome>, StepError> {
    let (places, mut done) = destinations(from, to, vars, draft)?;
    let links = follow(&places, draft);
    for (source, place) in &places {
        draft.rename(source, place);
        let what = format!("moved from {source}");
        done.push(StepOutcome::Changed { path: place.clone(), what });
    }
    for (path, target) in links {
        if let Some(node) = draft.get_mut(&path) {
            let what = format!("link leads to {} now", escaped(&target));
            node.entry.kind = Kind::Symlink { target };
            done.push(StepOutcome::Changed { path, what });
        }
    }
    Ok(done)
}

/// The links that a move would break, by the place where they are afterwards, with new targets.
fn follow(places: &BTreeMap<RootPath, RootPath>, draft: &Draft) -> Vec<(RootPath, Vec<u8>)> {
    let after = |path: &RootPath| -> Option<RootPath> {
        path.ancestors().chain([path.clone()]).find_map(|top| {
            places.get(&top).and_then(|to| path.strip_prefix(&top).map(|rest| to.join(&rest)))
        })
    };
    let mut links = Vec::new();
    for node in draft.nodes() {
        let Kind::Symlink { target } = &node.entry.kind else { continue };
        let path = &node.entry.path;
        let place = path.aim(target);
        let (path_after, aim_after) = (after(path), after(&place));
        if path_after.is_none() && aim_after.is_none() {
            continue;
        }
        let path_after = path_after.unwrap_or_else(|| path.clone());
        let aim_after = aim_after.unwrap_or(place);
        if path_after.aim(target) != aim_after {
            links.push((path_after, aim_after.as_bytes().to_vec()));
        }
    }
    links
}

/// Copies what `from` matches.
pub(super) fn copied(
    from: &PathPattern,
    to: &PathTemplate,
    vars: &Vars,
    draft: &mut Draft,
) -> Result<Vec<StepOutcome>, StepError> {
    let (places, mut done) = destinations(from, to, vars, draft)?;
    for (source, place) in places {
        let nodes: Vec<DraftNode> = draft.below(&source).cloned().collect();
        for mut node in nodes {
            if let Some(rest) = node.entry.path.strip_prefix(&source) {
                node.entry.path = place.join(&rest);
                // A copy is a file of its own.
                node.entry.links = None;
                draft.put(node);
            }
        }
        if draft.get(&place).is_some() {
            done.push(StepOutcome::Changed { path: place, what: format!("copied from {source}") });
        }
    }
    Ok(done)
}
