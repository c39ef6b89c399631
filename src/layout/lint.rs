//! What a rule must keep beyond the form of its parts: every variable has a value, every operation
//! fits its syntax. Checked when a rule is loaded, so that a restore never meets it.

use std::fmt;

use super::change::{Edit, Op, Step, Syntax};
use super::command::Database;
use super::matcher::line_glob;
use super::model::{Rule, Worth};
use super::unpacking::Unpacking;

/// Something in a rule that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The text in the rule that it is about; its first occurrence is shown as the place.
    pub(super) subject: String,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

fn fault(subject: &str, what: impl Into<String>) -> Fault {
    Fault { subject: subject.to_owned(), what: what.into() }
}

/// A check of a whole rule.
type Check = fn(&Rule) -> Option<Fault>;

/// All checks, in the order in which their faults are told.
const CHECKS: [Check; 7] = [recognised, layouts, secrets, names, databases, steps, conditions];

/// The first fault of `rule`.
pub(super) fn first_fault(rule: &Rule) -> Option<Fault> {
    CHECKS.iter().find_map(|check| check(rule))
}

/// The first of `used` that is not in `given`.
fn unknown(subject: &str, used: &[&str], given: &[&str]) -> Option<Fault> {
    let name = used.iter().find(|name| !given.contains(*name))?;
    let given = if given.is_empty() {
        "none is known here".to_owned()
    } else {
        format!("known here: {}", given.join(", "))
    };
    Some(fault(subject, format!("`{{{name}}}` has no value in `{subject}`; {given}")))
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
    for entry in &rule.layout {
        if let Some(fault) = unknown(entry.glob.as_str(), &entry.glob.names(), &["version"]) {
            return Some(fault);
        }
        let is_copy = entry.worth == Worth::TemplateCopy;
        if is_copy != (entry.template.is_some() || !entry.sha256.is_empty()) {
            let what = "needs `template` or `sha256` exactly with `template-copy`";
            return Some(fault(entry.glob.as_str(), format!("`{}` {what}", entry.glob)));
        }
        if let Some(link) = &entry.link
            && let Some(fault) = unknown(link.as_str(), &link.names(), &["version", "name"])
        {
            return Some(fault);
        }
        if let Some((word, what)) = entry.unpacked.as_ref().and_then(Unpacking::fault) {
            return Some(fault(word, what));
        }
        if entry.packaged && entry.link.is_none() {
            let what = format!("`{}` has `packaged` without `link`", entry.glob);
            return Some(fault(entry.glob.as_str(), what));
        }
        if let Some(template) = &entry.template
            && let Some(fault) = unknown(template.as_str(), &template.names(), &["version"])
        {
            return Some(fault);
        }
    }
    rule.created.iter().find_map(|c| unknown(c.path.as_str(), &c.path.names(), &["version"]))
}

fn secrets(rule: &Rule) -> Option<Fault> {
    for secret in &rule.secrets {
        let glob = &secret.glob;
        if let Some(fault) = unknown(glob.as_str(), &glob.names(), &["version"]) {
            return Some(fault);
        }
        if secret.lines.is_empty() {
            let what = format!("`{glob}` needs `lines`; for a whole file there is `worth: secret`");
            return Some(fault(glob.as_str(), what));
        }
        for line in &secret.lines {
            match line_glob(line) {
                Err(error) => return Some(fault(line, format!("`{line}`: {}", error.kind()))),
                // Every line, or every one that is not empty.
                Ok(glob) if glob.compile_matcher().is_match("x") => {
                    return Some(fault(line, format!("`{line}` would match every line")));
                }
                Ok(_) => {}
            }
        }
    }
    None
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

fn databases(rule: &Rule) -> Option<Fault> {
    rule.databases.iter().find_map(database)
}

fn database(database: &Database) -> Option<Fault> {
    let captured = database.find.names();
    if database.find.as_str().contains("**") {
        let what = format!("`{}` has to say how deep to look", database.find);
        return Some(fault(database.find.as_str(), what));
    }
    let directory = &database.directory;
    if let Some(fault) = unknown(directory.as_str(), &directory.names(), &captured) {
        return Some(fault);
    }
    let mut files = Vec::new();
    for export in &database.export {
        let file = export.file.iter();
        for word in export.run.words().iter().chain(file) {
            if let Some(fault) = unknown(word.as_str(), &word.names(), &captured) {
                return Some(fault);
            }
        }
        if let Some(file) = &export.file {
            if file.as_str().contains('/') {
                return Some(fault(file.as_str(), format!("`{file}` is not a file's name")));
            }
            files.push(file.as_str());
        }
    }
    let mut given = captured.clone();
    given.extend(["old", "new"]);
    for import in &database.import {
        for word in import.run.words() {
            if let Some(fault) = unknown(word.as_str(), &word.names(), &given) {
                return Some(fault);
            }
        }
        for file in import.stdin.iter().chain(&import.expect) {
            if !files.contains(&file.as_str()) {
                return Some(fault(file.as_str(), format!("no export makes the file `{file}`")));
            }
        }
    }
    None
}

fn steps(rule: &Rule) -> Option<Fault> {
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
        Step::Edit(edit) => edit_ops(edit),
        Step::RenamePackage { from, to } | Step::RenameAccount { from, to } => {
            unknown(from.as_str(), &from.names(), &versions)
                .or_else(|| unknown(to.as_str(), &to.names(), &versions))
        }
        Step::Run { argv, .. } => {
            argv.words().iter().find_map(|word| unknown(word.as_str(), &word.names(), &versions))
        }
        Step::Drop { .. } | Step::Chmod { .. } | Step::Hold { .. } => None,
    }
}

fn edit_ops(edit: &Edit) -> Option<Fault> {
    let mut given = edit.file.names();
    given.extend(["old", "new"]);
    for op in &edit.ops {
        if edit.syntax == Syntax::Text && !matches!(op, Op::Replace { .. }) {
            let what = format!("`{}` is edited as `text`, which only knows `replace`", edit.file);
            return Some(fault(edit.file.as_str(), what));
        }
        let (section, values) = match op {
            Op::Set { value, section, .. } | Op::SetIfUnset { value, section, .. } => {
                (section.as_ref(), vec![value])
            }
            Op::Replace { text, .. } if text.as_str().is_empty() => {
                return Some(fault("text:", "an empty text cannot be replaced"));
            }
            Op::Replace { text, with, .. } => (None, vec![text, with]),
            _ => (None, vec![]),
        };
        if let Some(section) = section
            && edit.syntax != Syntax::Ini
        {
            let what = format!("the section `{section}` needs the syntax `ini`");
            return Some(fault(section, what));
        }
        let bad = values.iter().find_map(|v| unknown(v.as_str(), &v.names(), &given));
        if bad.is_some() {
            return bad;
        }
    }
    None
}

fn conditions(rule: &Rule) -> Option<Fault> {
    let in_validators = rule.validate.iter().filter_map(|v| v.when.as_ref());
    let in_rebuilds = rule.rebuild.iter().filter_map(|r| r.when.as_ref());
    let in_steps = rule.transitions.iter().flat_map(|t| &t.steps).filter_map(|step| match step {
        Step::Run { when, .. } => when.as_ref(),
        _ => None,
    });
    for when in in_validators.chain(in_rebuilds).chain(in_steps) {
        if when.package.is_none() && when.path.is_none() {
            return Some(fault("when:", "`when` needs a `package` or a `path`"));
        }
        let package = when.package.iter().map(|p| (p.as_str(), p.names()));
        let path = when.path.iter().map(|p| (p.as_str(), p.names()));
        let bad = package.chain(path).find_map(|(text, used)| unknown(text, &used, &["new"]));
        if bad.is_some() {
            return bad;
        }
    }
    let words = |run: &super::Argv| run.words().to_vec();
    rule.validate
        .iter()
        .flat_map(|v| words(&v.run))
        .find_map(|word| unknown(word.as_str(), &word.names(), &["new"]))
}
