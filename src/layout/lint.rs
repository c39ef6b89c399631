//! What a rule must keep beyond the form of its parts: every variable has a value, every operation
//! fits its syntax. Checked when a rule is loaded, so that a restore never meets it.

mod commands;
mod settings;

use std::collections::BTreeSet;

use super::change::Step;
use super::fault::{Fault, fault, listed, unknown};
use super::matcher::line_glob;
use super::model::{LayoutEntry, Rule};
use super::outdated::Outdated;
use super::scalar::{PathPattern, PathTemplate};
use super::unpacking::Unpacking;
use crate::verdict::Worth;

/// A check of a whole rule.
type Check = fn(&Rule) -> Option<Fault>;

/// All checks, in the order in which their faults are told.
const CHECKS: [Check; 10] = [
    recognised,
    layouts,
    secrets,
    access,
    names,
    commands::databases,
    settings::settings,
    outdated,
    steps,
    commands::others,
];

/// The first fault of `rule`.
pub(super) fn first_fault(rule: &Rule) -> Option<Fault> {
    CHECKS.iter().find_map(|check| check(rule))
}

fn recognised(rule: &Rule) -> Option<Fault> {
    let marks = &rule.recognise;
    if rule.earlier == super::Earlier::Replace
        && marks.packages.is_empty()
        && marks.paths.is_empty()
    {
        return Some(fault("app:", "nothing is said of how to recognise it"));
    }
    if !(1..=8).contains(&rule.version.components) {
        return Some(fault("components", "a version has 1 to 8 components"));
    }
    marks
        .packages
        .iter()
        .find_map(|mark| unknown(mark.name.as_str(), &mark.name.names(), &["version"]))
        .or_else(|| marks.paths.iter().find_map(|m| unknown(m.path.as_str(), &m.path.names(), &[])))
}

fn layouts(rule: &Rule) -> Option<Fault> {
    let created = || {
        rule.created.iter().find_map(|created| {
            let paths = &created.paths;
            let version = |path: &PathTemplate| unknown(path.as_str(), &path.names(), &["version"]);
            listed("paths", paths).or_else(|| paths.iter().find_map(version))
        })
    };
    rule.layout.iter().find_map(layout).or_else(created)
}

fn layout(entry: &LayoutEntry) -> Option<Fault> {
    let Some(first) = entry.globs.first().map(PathPattern::as_str) else {
        return listed("globs", &entry.globs);
    };
    let version = |glob: &PathPattern| unknown(glob.as_str(), &glob.names(), &["version"]);
    let bad = listed("globs", &entry.globs).or_else(|| entry.globs.iter().find_map(version));
    if bad.is_some() {
        return bad;
    }
    let is_copy = entry.worth == Worth::TemplateCopy;
    if is_copy != (entry.template.is_some() || !entry.sha256.is_empty()) {
        let what = "needs `template` or `sha256` exactly with `template-copy`";
        return Some(fault(first, format!("`{first}` {what}")));
    }
    if let Some((word, what)) = entry.unpacked.as_ref().and_then(Unpacking::fault) {
        return Some(fault(word, what));
    }
    if entry.packaged && entry.link.is_none() {
        return Some(fault(first, format!("`{first}` has `packaged` without `link`")));
    }
    let link = entry.link.as_ref().map(|link| (link.as_str(), link.names()));
    let template = entry.template.as_ref().map(|template| (template.as_str(), template.names()));
    let named = template.as_ref().is_some_and(|(_, names)| names.contains(&"name"));
    let wild = |glob: &&PathPattern| {
        glob.as_str().rsplit('/').next().is_some_and(|name| name.contains(['*', '?', '[', '{']))
    };
    if let Some(glob) = entry.globs.iter().find(wild).filter(|_| named) {
        let what = format!("`{glob}` is no one name that `{{name}}` could stand for");
        return Some(fault(glob.as_str(), what));
    }
    link.into_iter()
        .chain(template)
        .find_map(|(text, names)| unknown(text, &names, &["version", "name"]))
}

fn secrets(rule: &Rule) -> Option<Fault> {
    for secret in &rule.secrets {
        let version = |glob: &PathPattern| unknown(glob.as_str(), &glob.names(), &["version"]);
        let globs = &secret.globs;
        let bad = listed("globs", globs).or_else(|| globs.iter().find_map(version));
        if bad.is_some() {
            return bad;
        }
        if let Some(glob) = globs.first().filter(|_| secret.lines.is_empty()) {
            let what = format!("`{glob}` needs `lines`; for a whole file there is `worth: secret`");
            return Some(fault(glob.as_str(), what));
        }
        if let Some(bad) = secret.lines.iter().find_map(|line| line_pattern(line)) {
            return Some(bad);
        }
    }
    None
}

fn access(rule: &Rule) -> Option<Fault> {
    for mark in &rule.access {
        let version = |glob: &PathPattern| unknown(glob.as_str(), &glob.names(), &["version"]);
        let globs = &mark.globs;
        let bad = listed("globs", globs).or_else(|| globs.iter().find_map(version));
        if bad.is_some() {
            return bad;
        }
        let mut lines = mark.opens.iter().chain(&mark.closes).peekable();
        if let Some(glob) = globs.first().filter(|_| lines.peek().is_none()) {
            let what = format!("`{glob}` needs `opens` or `closes`");
            return Some(fault(glob.as_str(), what));
        }
        if let Some(bad) = lines.find_map(|line| line_pattern(line)) {
            return Some(bad);
        }
    }
    None
}

/// What is wrong with a glob of lines.
fn line_pattern(line: &str) -> Option<Fault> {
    match line_glob(line) {
        Err(error) => Some(fault(line, format!("`{line}`: {}", error.kind()))),
        // Every line, or every one that is not empty.
        Ok(glob) if glob.compile_matcher().is_match("x") => {
            Some(fault(line, format!("`{line}` would match every line")))
        }
        Ok(_) => None,
    }
}

fn names(rule: &Rule) -> Option<Fault> {
    for change in &rule.packages {
        let mut given = change.from.names();
        given.extend(["old", "new"]);
        for to in &change.to {
            if let Some(fault) = unknown(to.as_str(), &to.names(), &given) {
                return Some(fault);
            }
        }
    }
    rule.accounts.iter().chain(&rule.services).find_map(|renaming| {
        unknown(renaming.from.as_str(), &renaming.from.names(), &["old"])
            .or_else(|| unknown(renaming.to.as_str(), &renaming.to.names(), &["old", "new"]))
    })
}

fn outdated(rule: &Rule) -> Option<Fault> {
    let mut seen = BTreeSet::new();
    rule.outdated.iter().find_map(|one| {
        said(one).or_else(|| {
            let own = |words: &[String]| {
                words.iter().map(|word| (one.programs.clone(), word.clone())).collect::<Vec<_>>()
            };
            let all = [own(&one.says), own(&one.calls), own(&one.arguments)].concat();
            let again = all.into_iter().find(|key| !seen.insert(key.clone()))?;
            Some(fault(&again.1, format!("`{}` is said to be outdated twice", again.1)))
        })
    })
}

/// What is wrong with something that is outdated.
fn said(one: &Outdated) -> Option<Fault> {
    let Outdated { language, says, calls, programs, arguments, why, .. } = one;
    let in_programs = language.is_some() && !(says.is_empty() && calls.is_empty());
    let by_commands = !programs.is_empty() && !arguments.is_empty();
    let is_one = (in_programs && programs.is_empty() && arguments.is_empty())
        || (by_commands && language.is_none() && says.is_empty() && calls.is_empty());
    if !is_one {
        let what = "`outdated` needs a `language` and `says` or `calls`, or `programs` and their `arguments`";
        return Some(fault(why, what));
    }
    let all = [says, calls, programs, arguments];
    let empty = all.into_iter().flatten().find(|word| word.trim().is_empty());
    empty.map(|word| fault(word, "nothing is said by an empty word"))
}

fn steps(rule: &Rule) -> Option<Fault> {
    for transition in &rule.transitions {
        let mut seen = Vec::new();
        for step in &transition.steps {
            if seen.contains(&step) {
                let to = transition.to.to_string();
                return Some(fault(&to, format!("one step stands twice on the way to `{to}`")));
            }
            seen.push(step);
        }
    }
    rule.transitions.iter().flat_map(|t| &t.steps).find_map(step)
}

fn step(step: &Step) -> Option<Fault> {
    let versions = ["old", "new"];
    match step {
        Step::Move { from, to } | Step::Copy { from, to } => {
            let mut given = from.names();
            given.extend(versions);
            unknown(to.as_str(), &to.names(), &given)
        }
        Step::Symlink { path, target } => unknown(path.as_str(), &path.names(), &versions)
            .or_else(|| unknown(target.as_str(), &target.names(), &versions)),
        Step::Chown { path, owner, group } => {
            if owner.is_none() && group.is_none() {
                return Some(fault(path.as_str(), "`chown` needs an `owner` or a `group`"));
            }
            let mut given = path.names();
            given.extend(versions);
            owner.iter().chain(group).find_map(|who| unknown(who.as_str(), &who.names(), &given))
        }
        // Commands are looked at with all others.
        Step::Run(_) | Step::Drop { .. } | Step::Chmod { .. } | Step::Hold { .. } => None,
    }
}
