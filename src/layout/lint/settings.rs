//! What `settings`, `everywhere` and `mentions` must keep: every operation fits its syntax and has
//! something to do, and none is written twice.

use std::collections::BTreeSet;

use crate::layout::fault::{Fault, fault, listed};
use crate::layout::model::Rule;
use crate::layout::scalar::PathPattern;
use crate::layout::setting::{Op, Setting, Syntax};

pub(super) fn settings(rule: &Rule) -> Option<Fault> {
    let versions = ["old", "new"];
    let in_everywhere = || rule.everywhere.iter().find_map(|op| op.fault(&versions));
    rule.settings.iter().find_map(setting).or_else(in_everywhere).or_else(|| twice(rule))
}

fn setting(setting: &Setting) -> Option<Fault> {
    let files = setting.files.iter().map(PathPattern::as_str);
    let bad = match setting.programs.as_slice() {
        [] => listed("files", &setting.files),
        programs => options(programs, setting.syntax),
    };
    let all = files.chain(setting.programs.iter().map(String::as_str));
    let Some(first) = all.into_iter().next().filter(|_| bad.is_none()) else { return bad };
    let ops = setting.ops();
    if ops.is_empty() {
        return Some(fault(first, format!("nothing is said of `{first}`")));
    }
    let only_text = |op: &Op| matches!(op, Op::Replace(_));
    if setting.syntax == Syntax::Text && !ops.iter().all(only_text) {
        let what = format!("`{first}` is edited as `text`, which only knows `replace`");
        return Some(fault(first, what));
    }
    // A capture has a value where every glob captures it, and no command line captures any.
    let all_capture = |name: &&str| {
        setting.programs.is_empty() && setting.files.iter().all(|glob| glob.names().contains(name))
    };
    let names = setting.files.first().map(PathPattern::names).unwrap_or_default();
    let mut given: Vec<&str> = names.into_iter().filter(all_capture).collect();
    given.extend(["old", "new"]);
    ops.iter().find_map(|op| op.fault(setting.syntax, &given))
}

/// What is wrong with programs whose options are read in this `syntax`.
pub(super) fn options(programs: &[String], syntax: Syntax) -> Option<Fault> {
    let bad = |name: &&String| name.is_empty() || name.contains(['/', ' ']);
    if let Some(name) = programs.iter().find(bad) {
        return Some(fault(name, format!("`{name}` is no program's name")));
    }
    matches!(syntax, Syntax::Directive | Syntax::Text).then(|| {
        let what = "`programs` have options of the syntax `ini`, `keyword` or `assign`";
        fault("programs:", what)
    })
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
