//! The check of references in a restore: cures are applied to the draft, the rest is held.

use crate::packages::{NEW_DEFAULT, OLD_TEXT};
use crate::references::{self, Cure, Finding, Kept, Question};
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
    let kept = kept(archived, draft);
    let placed = Overlaid::new(inputs.target, draft, inputs.contents);
    let question = Question {
        old: archived.source(),
        new: &placed,
        kept: &kept,
        settings: inputs.settings.zip(settings.as_ref()),
    };
    let findings = references::check(&question)?;
    for finding in findings {
        decisions.held.extend(finding.held);
        if let Some(cure) = finding.cure {
            apply(cure, draft, settings.as_mut(), decisions);
        }
    }
    Ok(())
}

/// What the standing system, which is the target of `inputs`, lacks of what was archived: files
/// of `draft` that are not in it, and references that lead nowhere.
///
/// # Errors
/// The standing system or the bundle cannot be read.
pub(in crate::restore) fn open(
    inputs: &Inputs,
    archived: &Archived,
    draft: &Draft,
    settings: Option<&ServiceSettings>,
) -> Result<Vec<Held>, TreeError> {
    let (kept, missing): (Vec<Kept>, Vec<Kept>) =
        kept(archived, draft).into_iter().partition(|kept| stands(inputs.target, kept));
    let question = Question {
        old: archived.source(),
        new: inputs.target,
        kept: &kept,
        settings: inputs.settings.zip(settings),
    };
    let mut open = gone(&missing);
    open.extend(undecided(inputs, archived, &kept));
    open.extend(references::check(&question)?.into_iter().filter_map(Finding::into_held));
    Ok(open)
}

/// What is missing, a directory with all that was in it as one.
fn gone(missing: &[Kept]) -> Vec<Held> {
    let mut gone: Vec<Held> = Vec::new();
    let mut dir: Option<&RootPath> = None;
    for Kept { path, was } in missing {
        if dir.is_some_and(|dir| path.is_within(dir)) {
            continue;
        }
        dir = Some(path);
        let why = "it was archived, and is not there";
        gone.push(Held::new(HeldKind::Data, path, why).was(was));
    }
    gone
}

/// Kept files with another text still beside them that a restore put there to be looked at.
fn undecided(inputs: &Inputs, archived: &Archived, kept: &[Kept]) -> Vec<Held> {
    let mut open = Vec::new();
    for Kept { path, .. } in kept {
        for ending in [NEW_DEFAULT, OLD_TEXT] {
            let Some(dir) = path.parent() else { continue };
            let beside = dir.child(&[path.name(), ending].concat());
            if !archived.has(&beside) && matches!(inputs.target.entry(&beside), Ok(Some(_))) {
                let why = "two texts are still beside each other: decide, and remove the other one";
                open.push(Held::new(HeldKind::Configuration, path, why).file(beside));
            }
        }
    }
    open
}

/// Whether there is something where a kept path belongs.
fn stands(tree: &dyn Tree, kept: &Kept) -> bool {
    !matches!(tree.entry(&kept.path), Ok(None))
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
    draft: &mut Draft,
    settings: Option<&mut ServiceSettings>,
    decisions: &mut Decisions,
) {
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
}
