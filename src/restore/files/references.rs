//! The check of references in a restore: cures are applied to the draft, the rest is held.

use std::collections::BTreeMap;

use crate::accounts::AccountDb;
use crate::bundle::ManifestEntry;
use crate::packages::{Installed, NEW_DEFAULT, OLD_TEXT};
use crate::references::{self, Change, Cure, Finding, Kept, Outdated, Question, Records};
use crate::restore::files::accounts::Merged;
use crate::restore::files::settle::stand;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::step::Step;
use crate::service::{ServiceSettings, TextOf};
use crate::tree::{
    Draft, DraftContent, DraftNode, Kind, Overlaid, RootPath, Tree, TreeError, resolve,
    resolve_parent,
};
use crate::verdict::{Class, Held, HeldKind, Reason, Worth};

/// What is known of the new system: its packages, its accounts with those that were kept, and what
/// its applications do not know any more.
pub(in crate::restore) type System<'a> = (&'a Installed, &'a Merged, &'a [Outdated]);

/// Looks for references that lead nowhere any more once `draft` is placed, cures what can be, and
/// holds the rest.
///
/// # Errors
/// The staged system or the bundle cannot be read.
pub(in crate::restore) fn check(
    inputs: &Inputs,
    archived: &Archived,
    system: System<'_>,
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
        let accounts = &system.1.accounts;
        let findings = find(round, inputs, archived, system, accounts, &question)?;
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

/// What the standing system, which is the target of `inputs`, lacks of what was archived: files
/// of `draft` that are not in it, and references that lead nowhere.
///
/// # Errors
/// The standing system or the bundle cannot be read.
pub(in crate::restore) fn open(
    inputs: &Inputs,
    archived: &Archived,
    system: System<'_>,
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
    let accounts = AccountDb::load(inputs.target)?.accounts;
    for round in 0..references::ROUNDS {
        let found = find(round, inputs, archived, system, &accounts, &question)?;
        open.extend(found.into_iter().filter_map(Finding::into_held));
    }
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

/// What leads nowhere any more in the system that `question` asks about; it has `accounts`.
fn find(
    round: usize,
    inputs: &Inputs,
    archived: &Archived,
    (installed, merged, outdated): System<'_>,
    accounts: &AccountDb,
    question: &Question<'_>,
) -> Result<Vec<Finding>, TreeError> {
    let entry = |path: &RootPath| inputs.manifest.entries.find(path);
    let records = Records {
        lasted: &|path| lasted(path, &entry, archived.source(), question.new),
        package: &|path| {
            let place = resolve_parent(archived.source(), path).ok().flatten();
            place.and_then(|place| entry(&place)).and_then(|entry| entry.package)
        },
        package_now: &|path| installed.claims(path).next().map(|claim| claim.package.to_owned()),
        theirs: inputs.target,
        accounts: &AccountDb::load(archived)?.accounts,
        accounts_now: accounts,
        ids: &merged.ids,
        outdated,
    };
    references::check(round, question, &records)
}

/// Whether what the old system had at `path` was there to stay.
fn lasted(
    path: &RootPath,
    recorded: &dyn Fn(&RootPath) -> Option<ManifestEntry>,
    old: &dyn Tree,
    new: &dyn Tree,
) -> bool {
    let place = resolve_parent(old, path).ok().flatten();
    let end = resolve(old, path).ok().flatten();
    // A link that is made again will lead there.
    let is_made_again = |entry: &ManifestEntry| {
        let is_link = entry.node.as_ref().is_some_and(|n| matches!(n.kind, Kind::Symlink { .. }));
        let leads = || end.as_ref().is_some_and(|end| matches!(new.entry(end), Ok(Some(_))));
        is_generated(&entry.reason) && (!is_link || leads())
    };
    let stays = |entry: ManifestEntry| {
        !matches!(entry.class, Class::Ephemeral | Class::Identity)
            && !is_of_environment(&entry.reason)
            && !is_made_again(&entry)
    };
    let all = [place.as_ref(), end.as_ref()].into_iter().flatten();
    all.filter_map(recorded).all(stays)
}

fn is_generated(reason: &Reason) -> bool {
    matches!(reason, Reason::Rule { worth: Worth::Generated, .. })
}

/// What environments bring is brought by them again, or named by them.
fn is_of_environment(reason: &Reason) -> bool {
    reason.code().starts_with("environment-")
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
            let Some(settings) = settings else { return Ok(()) };
            let mut changed = false;
            let mut change = |(of, text): (TextOf, &mut String)| {
                if of == which && has_word(text, &from) {
                    *text = with_word(text, &from, &to);
                    changed = true;
                }
            };
            settings.texts_mut().for_each(&mut change);
            settings.accounts_mut().for_each(&mut change);
            if changed {
                decisions.step(Step::Setting { which, what });
            }
        }
    }
    Ok(())
}

/// Whether `word` stands in `text` and does not go on at either end.
fn has_word(text: &str, word: &str) -> bool {
    with_word(text, word, "") != text
}

/// `text` with `new` for every `word` that does not go on at either end.
fn with_word(text: &str, word: &str, new: &str) -> String {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let (mut result, mut rest, mut before) = (String::new(), text, None);
    while let Some(at) = rest.find(word).filter(|_| !word.is_empty()) {
        let (head, tail) = (&rest[..at], &rest[at + word.len()..]);
        let begins = !head.chars().next_back().or(before).is_some_and(goes_on);
        result.push_str(head);
        if begins && !tail.starts_with(goes_on) {
            result.push_str(new);
        } else {
            result.push_str(word);
        }
        before = word.chars().next_back();
        rest = tail;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_of_a_setting_are_replaced() {
        let cases = [
            ("/a/b", "/a/b", "/c"),
            ("x=/a/b:/a/b/c:/a/bc:/x/a/b", "/a/b", "x=/c:/a/b/c:/a/bc:/x/a/b"),
            ("/a/b /a/b", "/a/b", "/c /c"),
            ("é/a/b", "/a/b", "é/a/b"),
            ("", "/a/b", ""),
        ];
        for (text, word, expected) in cases {
            assert_eq!(with_word(text, word, "/c"), expected, "{text}");
        }
    }
}
