//! What is run: either a program or a script, every variable with a value, every file of an import
//! made by the export.

use super::settings::options;
use crate::layout::change::Step;
use crate::layout::command::{Call, Check, Database, Export, Stop, When};
use crate::layout::database::{DATA, OPTIONS};
use crate::layout::fault::{Fault, fault, listed, unknown};
use crate::layout::model::Rule;
use crate::layout::script;

/// The versions that an application comes from and goes to.
const VERSIONS: [&str; 2] = ["old", "new"];

/// The side that something is run on, where it is run on both.
const SIDE: &str = "at";

/// What is wrong with `call`, in which the variables `given` have values; `place` is the word that
/// it stands below.
fn call(call: Call<'_>, place: &str, given: &[&str]) -> Option<Fault> {
    match (call.argv, call.script) {
        (None, None) => Some(fault(place, "it needs `run` or `script`")),
        (Some(_), Some(name)) => {
            Some(fault(name.as_str(), "of a program and a `script` only one can be run"))
        }
        (Some(_), None) if !call.args.is_empty() || call.text.is_some() => {
            Some(fault(place, "`args` and `text` belong to a `script`"))
        }
        (Some(_), None) => None,
        (None, Some(name)) => {
            script::fault(name, call.text?).map(|what| fault(name.as_str(), what))
        }
    }
    .or_else(|| call.words().find_map(|word| unknown(word.as_str(), &word.names(), given)))
}

/// Faults of databases.
pub(super) fn databases(rule: &Rule) -> Option<Fault> {
    rule.databases.iter().find_map(database)
}

fn database(database: &Database) -> Option<Fault> {
    let find = &database.find;
    let mut captured = find.names();
    if captured.contains(&DATA) {
        let what = format!("`{{{DATA}}}` is the directory that `variable` names");
        return Some(fault(find.as_str(), what));
    }
    if let Some(variable) = &database.variable {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.is_empty() || !variable.chars().all(plain) {
            return Some(fault(variable, format!("`{variable}` is no variable's name")));
        }
        captured.push(DATA);
    }
    if let Some(given) = &database.options {
        let bad = options(&given.programs, given.syntax);
        let missing =
            || listed("programs", &given.programs).or_else(|| listed("keys", &given.keys));
        if let Some(fault) = bad.or_else(missing) {
            return Some(fault);
        }
        if given.directory.is_some() && database.variable.is_none() {
            captured.push(DATA);
        }
        captured.push(OPTIONS);
    }
    if find.as_str().contains("**") {
        return Some(fault(find.as_str(), format!("`{find}` has to say how deep to look")));
    }
    if captured.contains(&SIDE) {
        let what = format!("`{{{SIDE}}}` is the side that `check` and `stop` are run on");
        return Some(fault(find.as_str(), what));
    }
    let directory = &database.directory;
    unknown(directory.as_str(), &directory.names(), &captured)
        .or_else(|| exports(database, &captured))
        .or_else(|| imports(database, &captured))
        .or_else(|| both_sides(database, &captured))
}

fn exports(database: &Database, captured: &[&str]) -> Option<Fault> {
    let wrong = |export: &Export| call(export.call(), "export:", captured);
    if let Some(fault) = database.export.iter().find_map(wrong) {
        return Some(fault);
    }
    let kept = database.export.iter().filter_map(|export| export.file.as_ref());
    kept.chain(database.check.iter().map(|check| &check.file)).find_map(|file| {
        let is_name = !file.as_str().contains('/');
        unknown(file.as_str(), &file.names(), captured).or_else(|| {
            (!is_name).then(|| fault(file.as_str(), format!("`{file}` is not a file's name")))
        })
    })
}

fn imports(database: &Database, captured: &[&str]) -> Option<Fault> {
    let given = [captured, &VERSIONS].concat();
    let files: Vec<&str> =
        database.export.iter().filter_map(|export| Some(export.file.as_ref()?.as_str())).collect();
    database.import.iter().find_map(|import| {
        call(import.call(), "import:", &given).or_else(|| {
            let mut used = import.stdin.iter().chain(&import.expect);
            let missing = used.find(|file| !files.contains(&file.as_str()))?;
            Some(fault(missing.as_str(), format!("no export makes the file `{missing}`")))
        })
    })
}

fn both_sides(database: &Database, captured: &[&str]) -> Option<Fault> {
    let given = [captured, &[SIDE]].concat();
    let checks = database.check.iter().map(Check::call).map(|found| (found, "check:"));
    let stops = database.stop.iter().map(Stop::call).map(|found| (found, "stop:"));
    checks.chain(stops).find_map(|(found, place)| call(found, place, &given))
}

/// Faults of what is run in the new system, and of the conditions for it.
pub(super) fn others(rule: &Rule) -> Option<Fault> {
    let steps = rule.transitions.iter().flat_map(|t| &t.steps).filter_map(|step| match step {
        Step::Run(run) => Some((run.call(), "run:", run.when.as_ref())),
        _ => None,
    });
    let rebuilds = rule.rebuild.iter().map(|r| (r.call(), "rebuild:", r.when.as_ref()));
    let validators = rule.validate.iter().map(|v| (v.call(), "validate:", v.when.as_ref()));
    steps
        .chain(rebuilds)
        .chain(validators)
        .find_map(|(found, place, when)| call(found, place, &VERSIONS).or_else(|| condition(when?)))
}

fn condition(when: &When) -> Option<Fault> {
    if when.package.is_none() && when.path.is_none() {
        return Some(fault("when:", "`when` needs a `package` or a `path`"));
    }
    let package = when.package.iter().map(|p| (p.as_str(), p.names()));
    let path = when.path.iter().map(|p| (p.as_str(), p.names()));
    package.chain(path).find_map(|(text, used)| unknown(text, &used, &VERSIONS))
}
