//! What is run in the staged system: the installation of packages, the plan's commands, and the
//! validators.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};

use super::answers;
use super::journey::versions;
use super::notes::PlannedCommand;
use super::packages::{Offered, PackagePlan, Renamed, plan_packages};
use super::target::Target;
use crate::bundle::Contents;
use crate::environments;
use crate::failure::{Failure, Kind};
use crate::layout::{LayoutDb, Rule, Vars};
use crate::monitor::Monitor;
use crate::survey::{IntentFact, IntentWhy, Survey};
use crate::system::{Command, Ran, line};
use crate::tree::{RootPath, Store};

/// Where services are kept from starting while packages are installed. The name is Debian's; a
/// file that is there already belongs to the base and comes back afterwards.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Puts a policy in place that denies every start, the base's own one aside.
const DENY: &str = "[ ! -e \"$1\" ] || mv \"$1\" \"$1.regrow-base\"
printf '#!/bin/sh\\nexit 101\\n' >\"$1\" && chmod 755 \"$1\"";

/// Takes it away again.
const ALLOW: &str = "rm -f \"$1\"; [ ! -e \"$1.regrow-base\" ] || mv \"$1.regrow-base\" \"$1\"";

/// Systems without debconf have no questions.
const ANSWER: &str = "! command -v debconf-set-selections >/dev/null || debconf-set-selections";

/// Names, versions and architectures of everything that can be installed, and the names they
/// answer to.
const OFFERED: &str = "apt-cache dumpavail | grep -E '^(Package|Version|Architecture|Provides): '";

/// Largest list of offered packages that is read.
const OFFERED_LIMIT: u64 = 64 * 1024 * 1024;

/// A staged system with its packages.
#[derive(Debug, Default)]
pub(super) struct Equipped {
    /// What was decided about packages.
    pub(super) packages: PackagePlan,
    /// What lay below `/var/lib` before any was installed; `None` when none was.
    pub(super) state_before: Option<BTreeSet<RootPath>>,
}

/// Installs today's packages in the staged system.
///
/// # Errors
/// No network (environment); packages that cannot be installed (step).
pub(super) fn install(
    target: &mut dyn Target,
    survey: &Survey,
    layout: &LayoutDb,
    monitor: &dyn Monitor,
) -> Result<Equipped, Failure> {
    check_target(target, survey)?;
    let installed = installed(target)?;
    let intents = intents(survey);
    let architectures = add_architectures(target, &survey.choices.architectures)?;
    if intents.is_empty() {
        let packages = PackagePlan { architectures, ..PackagePlan::default() };
        return Ok(Equipped { packages, state_before: None });
    }
    monitor.phase("fetching the package lists");
    fetch_lists(target)?;
    let (offered, versions) = offered(target)?;
    let fates = Fates::new(survey, layout, &versions)?;
    let mut plan = plan_packages(&intents, &offered, &installed, &|name| fates.of(name));
    plan.architectures = architectures;
    let mut state_before = None;
    if !plan.install.is_empty() {
        state_before = Some(state(target)?);
        monitor.phase(&format!("installing {} packages", plan.install.len()));
        plan.answers = answers::given(&survey.choices.answers);
        answer(target, &plan)?;
        install_packages(target, &plan)?;
    }
    run_quietly(target, "cleaning up after", &["apt-get", "clean"])?;
    run_quietly(target, "cleaning up after", &["sh", "-c", "rm -rf /var/lib/apt/lists/*"])?;
    Ok(Equipped { packages: plan, state_before })
}

/// What the old system was asked for, and what its environments are rebuilt with.
fn intents(survey: &Survey) -> Vec<IntentFact> {
    let mut intents = survey.intents.clone();
    for fact in survey.environments.iter().filter(|fact| fact.rebuild) {
        let name = match fact.kind {
            environments::Kind::Venv => "python3-venv",
            environments::Kind::System | environments::Kind::User => "python3-pip",
            _ => continue,
        };
        if !intents.iter().any(|intent| intent.name == name) {
            let why = IntentWhy::Environment;
            intents.push(IntentFact { name: name.to_owned(), why, stands_for: vec![] });
        }
    }
    intents
}

/// Makes sure that the target is a system this bundle can go onto.
fn check_target(target: &mut dyn Target, survey: &Survey) -> Result<(), Failure> {
    let refused = |why: String| {
        Failure::new(Kind::Precondition, "restoring onto", "the target")
            .why(why)
            .safe("nothing was made")
            .next("choose a target of the same family and architecture")
    };
    if !["", "dpkg"].contains(&survey.manager.as_str()) {
        return Err(refused(format!(
            "the bundle is of a system of {}, and restores are for systems of dpkg so far",
            survey.manager
        )));
    }
    let mut ran = run_one(target, Command::new(&["dpkg", "--print-architecture"]))?;
    if ran.code != 0 {
        return Err(refused("it has no dpkg, and the bundle is of a dpkg system".to_owned()));
    }
    let architecture = ran.text(64).map_err(|e| unreadable_output(e, "dpkg"))?;
    let architecture = architecture.trim();
    if !survey.architecture.is_empty() && survey.architecture != architecture {
        return Err(refused(format!(
            "its architecture is {architecture}, the bundle's is {}",
            survey.architecture
        )));
    }
    Ok(())
}

fn unreadable_output(error: std::io::Error, program: &str) -> Failure {
    Failure::new(Kind::Resource, "reading the output of", program).because(error)
}

fn run_one(target: &mut dyn Target, command: Command) -> Result<Ran, Failure> {
    let line = command.line();
    target.run(vec![command])?.pop().ok_or_else(|| {
        Failure::new(Kind::Internal, "running", line).why("the command gave no answer")
    })
}

/// Runs something whose failure means that the staged system is unusable.
fn run_quietly(target: &mut dyn Target, doing: &str, argv: &[&str]) -> Result<(), Failure> {
    let ran = run_one(target, Command::new(argv))?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(Kind::Step, doing, argv.join(" "))
        .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
        .safe("the old container and the bundle are as they were, nothing new was left")
        .next("see the reason, then run the same command again"))
}

/// The installed packages: each by its name, those of another architecture than the system's with
/// it too.
fn installed(target: &mut dyn Target) -> Result<BTreeSet<String>, Failure> {
    let argv = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Architecture}\n"];
    let mut ran = run_one(target, Command::new(&argv))?;
    let text = ran.text(OFFERED_LIMIT).map_err(|e| unreadable_output(e, "dpkg-query"))?;
    let installed = text.lines().filter_map(|line| line.strip_prefix("installed "));
    let both = installed.filter_map(|line| line.split_once(' '));
    let names = both.flat_map(|(name, arch)| [name.to_owned(), format!("{name}:{arch}")]);
    Ok(names.collect())
}

/// Lets the staged system have packages of these architectures too; returns those it did not.
fn add_architectures(target: &mut dyn Target, wanted: &[String]) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let mut ran = run_one(target, Command::new(&["dpkg", "--print-foreign-architectures"]))?;
    let known = ran.text(OFFERED_LIMIT).map_err(|e| unreadable_output(e, "dpkg"))?;
    let new: Vec<&String> =
        wanted.iter().filter(|name| !known.lines().any(|k| k == *name)).collect();
    for name in &new {
        run_quietly(target, "adding an architecture with", &["dpkg", "--add-architecture", name])?;
    }
    Ok(new.into_iter().cloned().collect())
}

/// Every path below `/var/lib`.
fn state(target: &mut dyn Target) -> Result<BTreeSet<RootPath>, Failure> {
    let ran = run_one(target, Command::new(&["find", "/var/lib", "-xdev", "-print0"]))?;
    let mut listed = Vec::new();
    let mut output = ran.stdout.take(OFFERED_LIMIT);
    output.read_to_end(&mut listed).map_err(|e| unreadable_output(e, "find"))?;
    // A path that is none of ours is nobody's to remove either.
    Ok(listed.split(|&b| b == 0).filter_map(|path| RootPath::parse(path).ok()).collect())
}

fn fetch_lists(target: &mut dyn Target) -> Result<(), Failure> {
    let argv = ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"];
    let ran = run_one(target, Command::new(&argv))?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(Kind::Environment, "fetching", "the package lists of the target")
        .why(ran.complaint())
        .safe("the old container and the bundle are as they were, nothing new was left")
        .next("give the target a network and working sources, then run the same command again"))
}

/// What can be installed, and the packages of the system's own architecture with their versions.
fn offered(target: &mut dyn Target) -> Result<(Offered, Vec<(String, String)>), Failure> {
    let mut ran = run_one(target, Command::new(&["sh", "-c", OFFERED]))?;
    let text = ran.text(OFFERED_LIMIT).map_err(|e| unreadable_output(e, "apt-cache"))?;
    let mut ran = run_one(target, Command::new(&["dpkg", "--print-architecture"]))?;
    let native = ran.text(64).map_err(|e| unreadable_output(e, "dpkg"))?;
    Ok(Offered::read(&text, native.trim()))
}

fn install_packages(target: &mut dyn Target, plan: &PackagePlan) -> Result<(), Failure> {
    run_quietly(target, "denying services to start with", &["sh", "-c", DENY, "sh", POLICY])?;
    let mut argv: Vec<String> = [
        "apt-get",
        "-qy",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
        "install",
        "--",
    ]
    .map(str::to_owned)
    .to_vec();
    argv.extend(plan.install.iter().map(|package| package.name.clone()));
    let ran = run_one(target, Command { argv, stdin: None, env: vec![] })?;
    let outcome = if ran.code == 0 {
        Ok(())
    } else {
        let names: Vec<&str> = plan.install.iter().map(|p| p.name.as_str()).collect();
        Err(Failure::new(installation_failure(&ran), "installing", names.join(" "))
            .why(ran.complaint())
            .safe("the old container and the bundle are as they were, nothing new was left")
            .next("see the reason, then run the same command again"))
    };
    outcome?;
    run_quietly(target, "allowing services to start with", &["sh", "-c", ALLOW, "sh", POLICY])
}

/// Answers packages' questions before they are asked, where the system has somebody to ask.
fn answer(target: &mut dyn Target, plan: &PackagePlan) -> Result<(), Failure> {
    if plan.answers.is_empty() {
        return Ok(());
    }
    let selections = answers::selections(&plan.answers);
    let failed = |e| unreadable_output(e, "debconf-set-selections");
    let mut stdin = tempfile::tempfile().map_err(failed)?;
    stdin.write_all(selections.as_bytes()).and_then(|()| stdin.rewind()).map_err(failed)?;
    let command = Command { stdin: Some(stdin), ..Command::new(&["sh", "-c", ANSWER]) };
    let ran = run_one(target, command)?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Failure::new(Kind::Step, "answering", "the packages' questions")
        .why(format!("debconf-set-selections ended with {}: {}", ran.code, ran.complaint()))
        .safe("the old container and the bundle are as they were, nothing new was left")
        .next("see the reason, then run the same command again"))
}

/// A full disk is no fault of the packages. The words are apt's and the C library's.
fn installation_failure(ran: &Ran) -> Kind {
    let complaint = String::from_utf8_lossy(&ran.stderr);
    let full = ["No space left on device", "enough free space"];
    if full.iter().any(|words| complaint.contains(words)) { Kind::Resource } else { Kind::Step }
}

/// What the rules say about package names on the way to what is offered today.
struct Fates {
    journeys: Vec<(Rule, Vars)>,
}

impl Fates {
    fn new(
        survey: &Survey,
        layout: &LayoutDb,
        offered: &[(String, String)],
    ) -> Result<Fates, Failure> {
        let nowhere = |_: &crate::tree::RootPath| false;
        let offered: Vec<(&str, &str)> =
            offered.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let today = layout.recognise(&offered, &nowhere).map_err(Failure::from)?;
        let mut journeys = Vec::new();
        for app in &survey.apps {
            let rule = layout.rule(&app.name, &app.distribution).map_err(Failure::from)?;
            let (Some(rule), Some((old, new))) = (rule, versions(app, &today)) else { continue };
            let vars = Vars::versions(&old, &new);
            journeys.push((rule, vars));
        }
        Ok(Fates { journeys })
    }

    fn of(&self, name: &str) -> Option<Renamed> {
        let (name, arch) = name.split_once(':').map_or((name, None), |(n, a)| (n, Some(a)));
        let full = |name: String| arch.map_or(name.clone(), |arch| format!("{name}:{arch}"));
        self.journeys.iter().find_map(|(rule, vars)| {
            // A pattern that cannot be filled in says nothing about this name.
            let fate = rule.package(name, vars).ok()??;
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
pub(super) fn execute(
    target: &mut dyn Target,
    commands: &[PlannedCommand],
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
    let ran = target.run(batch)?;
    for (command, mut ran) in commands.iter().zip(ran) {
        let failed = |why: String| {
            Failure::new(Kind::Step, "running", line(&command.argv))
                .why(why)
                .safe("the old container and the bundle are as they were, nothing new was left")
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
    let failed =
        |e: std::io::Error| Failure::new(Kind::Resource, "reading the export", name).because(e);
    let id = contents.export(name).ok_or_else(|| {
        Failure::new(Kind::Integrity, "reading the export", name).why("the bundle does not hold it")
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
pub(super) fn validate(
    target: &mut dyn Target,
    validators: &[Vec<String>],
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    for argv in validators {
        monitor.phase(&format!("checking with {}", line(argv)));
        let ran = run_one(target, Command { argv: argv.clone(), stdin: None, env: vec![] })?;
        if ran.code != 0 {
            return Err(Failure::new(Kind::Step, "checking with", line(argv))
                .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
                .safe("the old container and the bundle are as they were, nothing new was left")
                .next(
                    "write a rule for what it complains about, then run the same command again",
                ));
        }
    }
    Ok(())
}
