//! What `settings`, `everywhere` and `mentions` must keep: every operation fits its syntax and has
//! something to do, and none is written twice.

use std::collections::BTreeSet;

use crate::layout::fault::{Fault, fault, listed};
use crate::layout::model::Rule;
use crate::layout::setting::{Op, Setting, Syntax};

pub(super) fn settings(rule: &Rule) -> Option<Fault> {
    let versions = ["old", "new"];
    let in_everywhere = || rule.everywhere.iter().find_map(|op| op.fault(&versions));
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
    ops.iter().find_map(|op| op.fault(setting.syntax, &given))
}

/// The first operation of the rule that is written a second time.
///
/// Operations on keys are told apart key by key, so that moving a key into a longer list is no way
/// around; a second list of files is.
fn twice(rule: &Rule) -> Option<Fault> {
    let mut seen = BTreeSet::new();
    for setting in &rule.settings {
        for op in setting.ops() {
            for (subject, told) in op.said() {
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
