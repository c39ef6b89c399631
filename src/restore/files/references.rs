//! The check of references in a restore: cures are applied to the draft, the rest is held.

use std::collections::BTreeMap;

use crate::references::{self, Change, Cure, Kept, Question};
use crate::restore::files::settle::stand;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::Step;
use crate::service::ServiceSettings;
use crate::tree::{Draft, DraftContent, DraftNode, Kind, Overlaid, RootPath, Tree, TreeError};
use crate::verdict::{Held, HeldKind};

/// Looks for references that lead nowhere any more once `draft` is placed, cures what can be, and
/// holds the rest.
///
/// # Errors
/// The staged system or the bundle cannot be read.
pub(in crate::restore) fn check(
    inputs: &Inputs,
    archived: &Archived,
    draft: &mut Draft,
    settings: &mut Option<ServiceSettings>,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    for round in 0..references::ROUNDS {
        let kept = kept(archived, draft);
        let placed = Overlaid::new(inputs.target, draft, inputs.contents);
        let question = Question {
            old: archived.source(),
            new: &placed,
            kept: &kept,
            settings: inputs.settings.zip(settings.as_ref()),
        };
        let findings = references::check(round, &question)?;
        for finding in findings {
            let held = finding.held.filter(|held| !is_told(held, &decisions.held));
            decisions.held.extend(held);
            if let Some(cure) = finding.cure {
                apply(cure, inputs.target, draft, settings.as_mut(), decisions)?;
            }
        }
    }
    let placed = Overlaid::new(inputs.target, draft, inputs.contents);
    let change = Change {
        before: inputs.target,
        after: &placed,
        placed: draft
            .nodes()
            .filter(|node| !node.entry.kind.is_dir())
            .map(|node| node.entry.path.clone())
            .collect(),
        removed: draft.deletions().cloned().collect(),
    };
    decisions.held.extend(references::disturbed(&change)?);
    Ok(())
}

/// Whether a rule has said already what is to be done about it.
fn is_told(held: &Held, others: &[Held]) -> bool {
    held.kind == HeldKind::Modules
        && others.iter().any(|other| {
            let rest = held.subject.strip_prefix(&other.subject);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// What will be the service's own in the new system. A file that was moved is known by its content,
/// a link by its name.
fn kept(archived: &Archived, draft: &Draft) -> Vec<Kept> {
    let moved: Vec<&DraftNode> =
        draft.nodes().filter(|node| !archived.has(&node.entry.path)).collect();
    let wanted = moved.iter().filter_map(|node| match &node.content {
        DraftContent::Stored(id) => Some(*id),
        DraftContent::Bytes(_) | DraftContent::None => None,
    });
    let places = archived.places(&wanted.collect());
    let is_link = |node: &&&DraftNode| matches!(node.entry.kind, Kind::Symlink { .. });
    let mut left = match moved.iter().any(|node| is_link(&node)) {
        true => archived.links(),
        false => BTreeMap::new(),
    };
    left.retain(|path, _| draft.get(path).is_none());
    let was = |node: &DraftNode| match (&node.content, &node.entry.kind) {
        _ if archived.has(&node.entry.path) => None,
        (DraftContent::Stored(id), _) => places.get(id).cloned(),
        (_, Kind::Symlink { target }) => link_before(&left, &node.entry.path, target),
        _ => None,
    };
    let kept = |node: &DraftNode| {
        let path = node.entry.path.clone();
        Kept { was: was(node).unwrap_or_else(|| path.clone()), path }
    };
    draft.nodes().map(kept).collect()
}

/// Of the links that are not where they were, the one that is at `path` now: it has the same name,
/// and the same target, should several be called so.
fn link_before(
    left: &BTreeMap<RootPath, Vec<u8>>,
    path: &RootPath,
    target: &[u8],
) -> Option<RootPath> {
    let named: Vec<_> = left.iter().filter(|(link, _)| link.name() == path.name()).collect();
    let same: Vec<_> = named.iter().filter(|(_, to)| to.as_slice() == target).collect();
    match (named.as_slice(), same.as_slice()) {
        ([(link, _)], _) | (_, [(link, _)]) => Some((*link).clone()),
        _ => None,
    }
}

fn apply(
    cure: Cure,
    target: &dyn Tree,
    draft: &mut Draft,
    settings: Option<&mut ServiceSettings>,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    match cure {
        Cure::Text { path, text, what } => {
            if draft.write(&path, text) {
                decisions.adapt(&path, what);
            }
        }
        Cure::Link { path, target, what } => {
            if let Some(node) = draft.get_mut(&path) {
                node.entry.kind = Kind::Symlink { target };
                decisions.adapt(&path, what);
            }
        }
        Cure::Move { from, to, what } => {
            if draft.rename(&from, &to) > 0 {
                stand(&to, draft, target)?;
                decisions.adapt(&to, what);
            }
        }
        Cure::Setting { which, from, to, what } => {
            let texts = settings.map(ServiceSettings::texts_mut).into_iter().flatten();
            let mut changed = false;
            for (_, text) in texts.filter(|(of, _)| *of == which) {
                if text.contains(&from) {
                    *text = text.replace(&from, &to);
                    changed = true;
                }
            }
            if changed {
                decisions.step(Step::Setting { which, what });
            }
        }
    }
    Ok(())
}
