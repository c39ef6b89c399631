//! The check of references in a restore: cures are applied to the draft, the rest is held.

use crate::references::{self, Cure, Kept, Question};
use crate::restore::files::settle::stand;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::Step;
use crate::service::ServiceSettings;
use crate::tree::{Draft, DraftContent, DraftNode, Kind, Overlaid, Tree, TreeError};
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

/// What will be the service's own in the new system. A file that was moved is known by its content.
fn kept(archived: &Archived, draft: &Draft) -> Vec<Kept> {
    let moved = |node: &&DraftNode| !archived.has(&node.entry.path);
    let wanted = draft.nodes().filter(moved).filter_map(|node| match &node.content {
        DraftContent::Stored(id) => Some(*id),
        DraftContent::Bytes(_) | DraftContent::None => None,
    });
    let places = archived.places(&wanted.collect());
    let was = |node: &DraftNode| match &node.content {
        DraftContent::Stored(id) if !archived.has(&node.entry.path) => places.get(id).cloned(),
        _ => None,
    };
    let kept = |node: &DraftNode| {
        let path = node.entry.path.clone();
        Kept { was: was(node).unwrap_or_else(|| path.clone()), path }
    };
    draft.nodes().map(kept).collect()
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
