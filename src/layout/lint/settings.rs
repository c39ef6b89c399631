//! What `settings`, `everywhere` and `mentions` must keep: every operation fits its syntax and has
//! something to do, and none is written twice.

use std::collections::BTreeSet;

use super::fault::{Fault, fault, listed, unknown};
use crate::layout::model::Rule;
use crate::layout::setting::{Op, Replace, Setting, Syntax};

pub(super) fn settings(rule: &Rule) -> Option<Fault> {
    let versions = ["old", "new"];
    let in_everywhere = || rule.everywhere.iter().find_map(|r| replace(r, &versions));
    rule.settings.iter().find_map(setting).or_else(in_everywhere).or_else(|| twice(rule))
}

fn setting(setting: &Setting) -> Option<Fault> {
    let bad = listed("files", &setting.files);
    let Some(first) = setting.files.first().filter(|_| bad.is_none()) else { return bad };
    let ops = setting.ops();
    if ops.is_empty() {
        return Some(fault(first.as_str(), format!("nothing is said of `{first}`")));
    }
    let only_text = |op: &Op| matches!(op, Op::Replace(_));
    if setting.syntax == Syntax::Text && !ops.iter().all(only_text) {
        let what = format!("`{first}` is edited as `text`, which only knows `replace`");
        return Some(fault(first.as_str(), what));
    }
    // A capture has a value where every glob captures it.
    let all_capture = |name: &&str| setting.files.iter().all(|glob| glob.names().contains(name));
    let mut given: Vec<&str> = first.names().into_iter().filter(all_capture).collect();
    given.extend(["old", "new"]);
    ops.into_iter().find_map(|op| operation(op, setting.syntax, &given))
}

fn operation(op: Op, syntax: Syntax, given: &[&str]) -> Option<Fault> {
    match op {
        Op::Ask(op) => listed("keys", &op.keys),
        Op::Gone(op) => listed("keys", &op.keys),
        Op::MapValue(op) => listed("keys", &op.keys),
        Op::DropItem(op) => listed("keys", &op.keys).or_else(|| listed("items", &op.items)),
        Op::Rename(_) => None,
        Op::Replace(op) => replace(op, given),
        Op::Set(op) | Op::SetIfUnset(op) => match &op.section {
            Some(section) if syntax != Syntax::Ini => {
                Some(fault(section, format!("the section `{section}` needs the syntax `ini`")))
            }
            _ => unknown(op.value.as_str(), &op.value.names(), given),
        },
    }
}

fn replace(op: &Replace, given: &[&str]) -> Option<Fault> {
    if op.text.as_str().is_empty() {
        return Some(fault("text:", "an empty text cannot be replaced"));
    }
    if op.endings.iter().any(String::is_empty) {
        return Some(fault(op.text.as_str(), "an ending is not empty"));
    }
    [&op.text, &op.with].into_iter().find_map(|t| unknown(t.as_str(), &t.names(), given))
}

/// The first operation of the rule that is written a second time.
///
/// Operations on keys are told apart key by key, so that moving a key into a longer list is no way
/// around; a second list of files is.
fn twice(rule: &Rule) -> Option<Fault> {
    let mut seen = BTreeSet::new();
    for setting in &rule.settings {
        for op in setting.ops() {
            for (subject, told) in told(op) {
                let told = (format!("{:?}", setting.syntax), told);
                if !seen.insert(told) {
                    let what = format!("the same is said of `{subject}` twice; `files` is a list");
                    return Some(fault(&subject, what));
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    let again = rule.everywhere.iter().find(|op| !seen.insert(format!("{op:?}")))?;
    let text = again.text.as_str();
    Some(fault(text, format!("`{text}` is replaced twice")))
}

/// What an operation does, key by key: the key or text, and all of it in words.
fn told(op: Op) -> Vec<(String, String)> {
    let of_keys = |keys: &[String], rest: String| {
        keys.iter().map(|key| (key.clone(), format!("{key}: {rest}"))).collect()
    };
    match op {
        Op::Ask(op) => of_keys(&op.keys, format!("ask {:?} {:?}", op.values, op.since)),
        Op::Gone(op) => of_keys(&op.keys, format!("gone {:?} {:?}", op.values, op.since)),
        Op::MapValue(op) => of_keys(&op.keys, format!("map {:?} {:?}", op.values, op.since)),
        Op::DropItem(op) => of_keys(&op.keys, format!("drop {:?} {:?}", op.items, op.since)),
        Op::Rename(op) => vec![(op.key.clone(), format!("{op:?}"))],
        Op::Replace(op) => vec![(op.text.as_str().to_owned(), format!("{op:?}"))],
        Op::Set(op) | Op::SetIfUnset(op) => vec![(op.key.clone(), format!("{op:?}"))],
    }
}
