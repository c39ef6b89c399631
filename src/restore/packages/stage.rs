//! What is run in the staged system: the installation of packages, in its family's way, the plan's
//! commands, and the validators.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek};

use crate::bundle::Contents;
use crate::failure::{Failure, FailureKind};
use crate::family::{self, Family, Order};
use crate::layout::{LayoutDb, Migration, Vars};
use crate::monitor::Monitor;
use crate::restore::files::migration::former;
use crate::restore::packages::plan::{Market, Renamed, plan_packages};
use crate::restore::value::packages::PackagePlan;
use crate::restore::value::step::PlannedCommand;
use crate::survey::{IntentFact, IntentWhy, Survey};
use crate::system::{Command, System, line};
use crate::tree::{RootPath, Store};

/// Largest list of paths that is read.
const LIST_LIMIT: u64 = 64 * 1024 * 1024;

/// A staged system with its packages.
#[derive(Debug, Default)]
pub(in crate::restore) struct Equipped {
    /// What was decided about packages.
    pub(in crate::restore) packages: PackagePlan,
    /// What lay below `/var/lib` before any was installed; `None` when none was.
    pub(in crate::restore) state_before: Option<BTreeSet<RootPath>>,
}

/// Installs today's packages in the staged system.
///
/// # Errors
/// No network (environment); packages that cannot be installed (step).
pub(in crate::restore) fn install(
    system: &mut dyn System,
    survey: &Survey,
    layout: &LayoutDb,
    monitor: &dyn Monitor,
) -> Result<Equipped, Failure> {
    let family = family::of_bundle(survey)?;
    family.check(system, survey)?;
    let installed = family.installed(system)?;
    let intents = intents(survey, family);
    let architectures = family.allow(system, &survey.choices.architectures)?;
    if intents.is_empty() {
        let packages = PackagePlan { architectures, ..PackagePlan::default() };
        return Ok(Equipped { packages, state_before: None });
    }
    monitor.phase("fetching the package lists");
    let offered = family.offered(system)?;
    let renames = PackageRenames::new(survey, layout, &offered.versions)?;
    let market = Market { family, offered: &offered, installed: &installed };
    let mut plan = plan_packages(&intents, &market, &|name| renames.of(name));
    plan.architectures = architectures;
    let mut state_before = None;
    if !plan.install.is_empty() {
        state_before = Some(state(system)?);
        monitor.phase(&format!("installing {} packages", plan.install.len()));
        plan.answers = family.answers(&survey.choices.answers);
        let packages: Vec<&str> = plan.install.iter().map(|p| p.name.as_str()).collect();
        family.install(system, &Order { packages: &packages, answers: &plan.answers })?;
    }
    family.clean(system)?;
    Ok(Equipped { packages: plan, state_before })
}

/// What the old system was asked for, and what its environments are rebuilt with.
fn intents(survey: &Survey, family: &dyn Family) -> Vec<IntentFact> {
    let mut intents = survey.intents.clone();
    // Files of what cannot be installed run only with what it needs; that nobody asked for itself.
    for name in survey.withdrawn.iter().flat_map(|fact| &fact.needs) {
        let is_known = intents.iter().any(|intent| intent.name == *name);
        if !is_known && !survey.withdrawn.iter().any(|fact| fact.name == *name) {
            let why = IntentWhy::Leaf;
            intents.push(IntentFact { name: name.clone(), why, stands_for: vec![] });
        }
    }
    for fact in survey.environments.iter().filter(|fact| fact.rebuild) {
        let Some(name) = family.maker(fact.kind) else { continue };
        if !intents.iter().any(|intent| intent.name == name) {
            let why = IntentWhy::Environment;
            intents.push(IntentFact { name: name.to_owned(), why, stands_for: vec![] });
        }
    }
    intents
}

fn unreadable_output(error: std::io::Error, program: &str) -> Failure {
    Failure::new(FailureKind::Resource, "reading the output of", program).because(error)
}

/// Every path below `/var/lib`.
fn state(system: &mut dyn System) -> Result<BTreeSet<RootPath>, Failure> {
    let ran = system.run_one(Command::new(&["find", "/var/lib", "-xdev", "-print0"]))?;
    let mut listed = Vec::new();
    let mut output = ran.stdout.take(LIST_LIMIT);
    output.read_to_end(&mut listed).map_err(|e| unreadable_output(e, "find"))?;
    // A path that is none of ours is nobody's to remove either.
    Ok(listed.split(|&b| b == 0).filter_map(|path| RootPath::parse(path).ok()).collect())
}

/// What the rules say about package names on the way to what is offered today.
struct PackageRenames {
    migrations: Vec<(Migration, Vars)>,
}

impl PackageRenames {
    fn new(
        survey: &Survey,
        layout: &LayoutDb,
        offered: &[(String, String)],
    ) -> Result<PackageRenames, Failure> {
        let offered: Vec<(&str, &str)> =
            offered.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let today = layout.recognise(&offered, &|_| false).map_err(Failure::from)?;
        let migrations = layout.migrations(former(survey), &today).map_err(Failure::from)?;
        let with_vars = migrations.into_iter().map(|migration| {
            let vars = migration.vars();
            (migration, vars)
        });
        Ok(PackageRenames { migrations: with_vars.collect() })
    }

    fn of(&self, name: &str) -> Option<Renamed> {
        let (name, arch) = name.split_once(':').map_or((name, None), |(n, a)| (n, Some(a)));
        let full = |name: String| arch.map_or(name.clone(), |arch| format!("{name}:{arch}"));
        self.migrations.iter().find_map(|(migration, vars)| {
            // A pattern that cannot be filled in says nothing about this name.
            let fate = migration.rule.package(name, vars).ok()??;
            Some(match fate.to.is_empty() {
                true => Renamed::Dropped(fate.why),
                false => Renamed::To(fate.to.into_iter().map(full).collect()),
            })
        })
    }
}

/// Runs the plan's commands in one batch: a server that one starts serves the next.
///
/// # Errors
/// A command that does not exit 0, or whose output is not the expected one (step).
pub(in crate::restore) fn execute(
    system: &mut dyn System,
    commands: &[&PlannedCommand],
    contents: &Contents,
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    if commands.is_empty() {
        return Ok(());
    }
    monitor.phase(&format!("running {} commands of the rules", commands.len()));
    let batch = commands
        .iter()
        .map(|command| {
            let stdin = command.stdin.as_deref().map(|name| export(contents, name)).transpose()?;
            Ok(Command { argv: command.argv.clone(), stdin, env: vec![] })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let ran = system.run(batch)?;
    for (command, mut ran) in commands.iter().zip(ran) {
        let failed = |why: String| {
            Failure::new(FailureKind::Step, "running", line(&command.argv))
                .why(why)
                .nothing_left()
                .next("correct the rule or the target, then run the same command again")
        };
        if ran.code != 0 {
            return Err(failed(format!("it ended with {}: {}", ran.code, ran.complaint())));
        }
        if let Some(name) = &command.expect {
            let same = same_content(&mut ran.stdout, &mut export(contents, name)?)
                .map_err(|e| unreadable_output(e, "the import"))?;
            if !same {
                return Err(failed(format!("its output differs from the archived {name}")));
            }
        }
    }
    Ok(())
}

/// An export of the bundle as a file of its own.
fn export(contents: &Contents, name: &str) -> Result<File, Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(FailureKind::Resource, "reading the export", name).because(e)
    };
    let id = contents.export(name).ok_or_else(|| {
        Failure::new(FailureKind::Integrity, "reading the export", name)
            .why("the bundle does not hold it")
    })?;
    let mut file = tempfile::tempfile().map_err(failed)?;
    std::io::copy(&mut contents.open(id).map_err(failed)?, &mut file).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn same_content(a: &mut File, b: &mut File) -> std::io::Result<bool> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    a.rewind()?;
    b.rewind()?;
    a.read_to_end(&mut left)?;
    b.read_to_end(&mut right)?;
    Ok(left == right)
}

/// Asks the applications whether their files are right.
///
/// # Errors
/// The first validator that does not exit 0 (step).
pub(in crate::restore) fn validate(
    system: &mut dyn System,
    validators: &[&[String]],
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    for argv in validators {
        monitor.phase(&format!("checking with {}", line(argv)));
        let ran = system.run_one(Command { argv: argv.to_vec(), stdin: None, env: vec![] })?;
        if ran.code != 0 {
            return Err(Failure::new(FailureKind::Step, "checking with", line(argv))
                .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
                .nothing_left()
                .next(
                    "write a rule for what it complains about, then run the same command again",
                ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Manager;
    use crate::survey::WithdrawnFact;

    #[test]
    fn what_a_package_that_cannot_be_had_needs_is_installed() {
        let withdrawn = |name: &str, needs: &[&str]| WithdrawnFact {
            name: name.to_owned(),
            version: "1".to_owned(),
            why: String::new(),
            needs: needs.iter().map(ToString::to_string).collect(),
        };
        let asked = |name: &str| IntentFact {
            name: name.to_owned(),
            why: IntentWhy::Manual,
            stands_for: vec![],
        };
        let survey = Survey {
            intents: vec![asked("tool"), asked("curl")],
            withdrawn: vec![
                withdrawn("tool", &["curl", "libtool", "perl"]),
                withdrawn("libtool", &["zlib"]),
            ],
            ..Survey::default()
        };
        let intents = intents(&survey, family::of(Manager::Dpkg).unwrap());
        let names: Vec<_> = intents.iter().map(|i| (i.name.as_str(), i.why)).collect();
        let expected = [
            ("tool", IntentWhy::Manual),
            ("curl", IntentWhy::Manual),
            ("perl", IntentWhy::Leaf),
            ("zlib", IntentWhy::Leaf),
        ];
        assert_eq!(names, expected);
    }
}
