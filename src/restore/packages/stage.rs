//! What is run in the staged system: the installation of packages, in its family's way, and the
//! plan's commands.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek};

use crate::bundle::{Contents, Manifest};
use crate::failure::{Failure, FailureKind};
use crate::family::{self, Family};
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use crate::references;
use crate::restore::packages::further;
use crate::restore::packages::in_use::InUse;
use crate::restore::packages::parts::{self, Found, Place};
use crate::restore::packages::plan::{Market, plan_packages};
use crate::restore::packages::renames::PackageRenames;
use crate::restore::packages::replaced::replace;
use crate::restore::packages::staging::{Staging, paths, unreadable_output};
use crate::restore::value::archived::Archived;
use crate::restore::value::inputs::unreadable;
use crate::restore::value::packages::{PackagePlan, Unserved};
use crate::restore::value::relation::Relation;
use crate::restore::value::step::PlannedCommand;
use crate::restore::value::succession::programs;
use crate::survey::{IntentFact, IntentWhy, OsRelease, Survey, parse_os_release};
use crate::system::{Command, System, line};
use crate::tree::{RootPath, Store};

/// Longer than any text that says which release a system is.
const RELEASE_LIMIT: u64 = 64 * 1024;

/// Where programs, services and configuration of packages are. What is not there is not listed.
const PLACES_OF_PARTS: &[&str] = &[
    "/etc",
    "/usr/bin",
    "/usr/sbin",
    "/usr/games",
    "/bin/",
    "/sbin/",
    "/usr/lib/systemd/",
    "/lib/systemd/",
];

/// A staged system with its packages.
#[derive(Debug, Default)]
pub(in crate::restore) struct Equipped {
    /// What was decided about packages.
    pub(in crate::restore) packages: PackagePlan,
    /// What lay below `/var/lib` before any was installed; `None` when none was.
    pub(in crate::restore) state_before: Option<BTreeSet<RootPath>>,
    /// Services that were on and that no package brings.
    pub(in crate::restore) unserved: Vec<Unserved>,
}

/// What the packages of the new system are chosen by.
pub(in crate::restore) struct Wishes<'a> {
    /// What is known of the old system.
    pub(in crate::restore) manifest: &'a Manifest,
    /// The facts of it that are carried.
    pub(in crate::restore) survey: &'a Survey,
    /// What the new system is to the old image.
    pub(in crate::restore) onto: Relation,
    /// What was kept of it.
    pub(in crate::restore) archived: &'a Archived<'a>,
    /// What the container ran.
    pub(in crate::restore) command: Vec<String>,
    /// The time zones that the container's settings name.
    pub(in crate::restore) zones: Vec<String>,
    /// What the rules say about names of packages.
    pub(in crate::restore) layout: &'a LayoutDb,
}

/// Installs today's packages in the staged system: those that were asked for, those that have
/// parts of old ones today that were in use, and those that have what kept files lead to.
///
/// # Errors
/// No network (environment); packages that cannot be installed (step).
pub(in crate::restore) fn install(
    system: &mut dyn System,
    wishes: &Wishes<'_>,
    monitor: &dyn Monitor,
) -> Result<Equipped, Failure> {
    let Wishes { manifest, survey, onto, archived, command, zones, layout } = wishes;
    let family = family::of_bundle(survey)?;
    family.check(system, survey)?;
    let installed = family.installed(system)?;
    let intents = intents(survey, family);
    let architectures = family.allow(system, &survey.choices.architectures)?;
    let old = InUse::of(manifest, command, *onto);
    let leads = further::leads(archived, zones, &survey.locales).map_err(unreadable)?;
    if intents.is_empty()
        && !parts::lacks(&old, &paths(system, PLACES_OF_PARTS)?)
        && further::absent(system, &leads)?.is_empty()
    {
        let packages = PackagePlan { architectures, ..PackagePlan::default() };
        return Ok(Equipped { packages, ..Equipped::default() });
    }
    monitor.phase("fetching the package lists");
    let offered = family.offered(system)?;
    let release = release(system)?;
    let renames = PackageRenames::new((survey, &intents), layout, &release, &offered)?;
    let market = Market { family, offered: &offered, installed: &installed };
    let mut plan = plan_packages(&intents, &market, &|name| renames.of(name));
    plan.architectures = architectures;
    let (state_before, refused) = (None, vec![]);
    let mut staging =
        Staging { system, family, monitor, offered, old: &old, state_before, refused };
    if !plan.install.is_empty() {
        plan.answers = family.answers(&survey.choices.answers);
        plan.install = staging.install(plan.install, &plan.answers)?;
    }
    let place = Place {
        family,
        offered: &staging.offered,
        installed: &family.installed(staging.system)?,
        present: &paths(staging.system, PLACES_OF_PARTS)?,
        brought_by: &|path| {
            let brought = layout.brought_by(&release.id, &release.version, path);
            brought.unwrap_or_default()
        },
        ruled: &|name| renames.ruled(name),
    };
    let mut look = |packages: &[&str]| family.contents(staging.system, packages);
    let Found { install: parts, unserved } = parts::find(survey, &old, &place, &mut look)?;
    if !parts.is_empty() {
        plan.install.extend(staging.install(parts, &[])?);
    }
    let absent = further::absent(staging.system, &leads)?;
    let owners = further::owners(&absent, &|name| renames.of(name));
    staging.add(owners, &mut plan)?;
    let absent = further::absent(staging.system, &absent)?;
    let holders = absent.keys().filter_map(|path| family.holder(path)).map(str::to_owned);
    staging.add(holders.collect(), &mut plan)?;
    let absent = further::absent(staging.system, &absent)?;
    if !absent.is_empty() {
        let all = references::needing(archived.source(), &further::kept(archived));
        let mut all = all.map_err(unreadable)?;
        all.retain(|one| archived.owner(&one.path).is_none());
        replace(&mut staging, &all, &absent, &mut plan)?;
    }
    plan.install.sort_by(|a, b| a.name.cmp(&b.name));
    plan.install.dedup_by(|a, b| a.name == b.name);
    family.clean(staging.system)?;
    plan.refused = staging.refused;
    Ok(Equipped { packages: plan, state_before: staging.state_before, unserved })
}

/// The programs of the old image, how many there are, and those of them that `system` has.
///
/// # Errors
/// The system cannot be asked.
pub(in crate::restore) fn programs_there(
    system: &mut dyn System,
    manifest: &Manifest,
) -> Result<(usize, Vec<RootPath>), Failure> {
    let all = programs(manifest);
    let leads = all.iter().map(|path| (path.clone(), None)).collect();
    let absent = further::absent(system, &leads)?;
    let there = all.iter().filter(|path| !absent.contains_key(*path)).cloned().collect();
    Ok((all.len(), there))
}

/// Which release the staged system is of.
fn release(system: &mut dyn System) -> Result<OsRelease, Failure> {
    let argv = ["cat", "/etc/os-release"];
    let mut ran = system.run_one(Command::new(&argv))?;
    let text = ran.text(RELEASE_LIMIT).map_err(|e| unreadable_output(e, "cat"))?;
    Ok(parse_os_release(text.as_bytes()))
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
