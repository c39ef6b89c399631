//! Check: what a service had, and a revived one that stands has not.
//!
//! The plan of a restore is made once more, with the standing system as the new one. Nothing of it
//! is executed: it only tells where what was archived belongs today. Then the standing system is
//! asked, as a person may have worked on it since: its files, and, in a throw-away copy of its
//! container, what it does once it is started. The container itself is only read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bundle::{Loss, Manifest};
use crate::copies::{Copies, Copy};
use crate::engine::settings;
use crate::failure::{Failure, FailureKind, check_cancelled};
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use crate::observe::Stage;
use crate::restore::checks::{self, Findings, MOST, Old};
use crate::restore::options::Checks;
use crate::restore::plan::Check;
use crate::restore::planner::{self, Standing};
use crate::restore::target::Seen;
use crate::restore::target::engine::archived_settings;
use crate::restore::value::inputs::{Inputs, VolumesAs, unreadable};
use crate::restore::value::packages::PackagePlan;
use crate::restore::value::succession::{Succession, programs};
use crate::service::ServiceSettings;
use crate::source::{Source, engine_failure};
use crate::system::{System, line};
use crate::tree::{Entry, RootPath, Tree, TreeError, list};
use crate::verdict::{Held, HeldKind};

/// Where services write their logs.
const LOGS: RootPath = RootPath::literal("/var/log");

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The bundle's id.
    pub bundle: String,
    /// What was looked at.
    pub standing: String,
    /// What is still open.
    pub held: Vec<Held>,
    /// Always empty: nothing is made.
    pub losses: Vec<Loss>,
    /// What could not be looked at.
    pub limitations: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Compares the system that `standing` holds with what was archived in `file`, and changes neither.
/// With [`Checks::Run`] the service is started up to twice in a throw-away copy of its container without
/// network, and watched; what cannot be copied goes into `scratch` meanwhile.
///
/// # Errors
/// A bundle that is not whole, a standing system that cannot be read, the run was cancelled. That
/// the service cannot be watched is a limitation.
pub fn check(
    standing: &Source,
    file: &Path,
    layout: &LayoutDb,
    (checks, scratch): (Checks, &Path),
    monitor: &dyn Monitor,
) -> Result<CheckReport, Failure> {
    let started = Instant::now();
    let opened = super::open(file, "checking", monitor)?;
    let manifest = opened.manifest();
    monitor.phase("comparing");
    let now = settings::of_bundle(standing.settings()).map_err(|e| {
        Failure::new(FailureKind::Refused, "checking", standing.to_string())
            .because(e)
            .safe("nothing was changed")
            .next("make the container again and run the same command")
    })?;
    let was = archived_settings(manifest)?;
    let image = standing.beneath().map(|beneath| beneath.fact.clone());
    let (all, mut there) = (programs(manifest), vec![]);
    for path in &all {
        let found = crate::tree::resolve(standing.tree(), path).map_err(unreadable)?;
        there.extend(found.map(|_| path.clone()));
    }
    let programs = (all.len(), there.as_slice());
    let succession = Succession::of(&manifest.survey, image, None, programs);
    let survey = succession.survey(manifest);
    let found = planner::check(
        &Inputs {
            manifest,
            survey: &survey,
            contents: &opened.contents,
            layout,
            packages: &PackagePlan::default(),
            unserved: &[],
            state_before: None,
            target: standing.tree(),
            settings: was.as_ref().filter(|_| now.is_some()),
            volumes: VolumesAs::Files,
            succession: &succession,
        },
        now.as_ref(),
    )?;
    let does = match checks {
        Checks::Run => does(standing, manifest, &found, now.as_ref(), scratch, monitor)?,
        Checks::Skip => Findings { held: vec![], limitations: vec![checks::SKIPPED.to_owned()] },
    };
    let mut held = found.held;
    held.extend(does.held);
    Held::sort(&mut held);
    Ok(CheckReport {
        bundle: manifest.id.clone(),
        standing: standing.to_string(),
        held,
        losses: vec![],
        limitations: standing.limitations().iter().cloned().chain(does.limitations).collect(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// What the standing service does otherwise than the old one, once it is started.
///
/// # Errors
/// The run was cancelled; whatever else goes wrong is a limitation.
fn does(
    standing: &Source,
    manifest: &Manifest,
    found: &Standing,
    settings: Option<&ServiceSettings>,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Findings, Failure> {
    let old = Old { manifest, renamed: &found.renamed, lends: true };
    if old.observation().is_none() && found.checks.is_empty() {
        return Ok(Findings::default());
    }
    let Some(settings) = settings.filter(|_| standing.container().is_some()) else {
        return Ok(Findings::not("it is an unpacked root, and no container"));
    };
    let (mut copies, mut findings) = (Copies::new(standing, scratch), Findings::default());
    let looked = copied(standing, &old, found, settings, (&mut copies, &mut findings), monitor);
    copies.clean(monitor);
    // What was found until then is so.
    if let Err(failure) = looked {
        findings.add(Findings::not(&spared(failure)?));
    }
    Ok(findings)
}

/// Why something could not be looked at.
///
/// # Errors
/// The run was cancelled.
fn spared(failure: Failure) -> Result<String, Failure> {
    match failure.kind() {
        FailureKind::Signal(_) => Err(failure),
        _ => Ok(failure.reason()),
    }
}

fn copied(
    standing: &Source,
    old: &Old<'_>,
    found: &Standing,
    settings: &ServiceSettings,
    (copies, findings): (&mut Copies<'_>, &mut Findings),
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    let places: Vec<&RootPath> = standing.directories().map(|mount| &mount.destination).collect();
    let size = size(standing.tree(), &places, monitor)?;
    if size > MOST {
        let (size, most) = (size >> 20, MOST >> 20);
        findings.add(Findings::not(&format!("{size} MiB would be copied, more than {most}")));
        return Ok(());
    }
    monitor.phase("copying the service");
    let copy = copies.copy(monitor)?;
    if !found.checks.is_empty() {
        judge(copy.system(), &found.checks, old, findings, monitor)?;
    }
    let (Copy::Container(copied), Some(facts), Some(before)) =
        (copy, standing.container(), old.observation())
    else {
        return Ok(());
    };
    monitor.phase("observing the service in a copy");
    // What was started to judge its files would be in its way.
    let failed = |e| engine_failure("observing", standing, e);
    facts.engine.stop(&copied.container, Duration::ZERO).map_err(failed)?;
    let stage = Stage {
        engine: &facts.engine,
        staging: &copied.staging,
        image: &copied.image,
        binds: copied.binds.clone(),
        settings,
        tree: standing.tree(),
        logs: logs(standing.tree(), monitor)?,
        lent: before.lent.clone(),
    };
    let does = checks::found_twice(before, old.renamed, &mut || {
        let seen = stage.observe().map_err(|e| engine_failure("observing", standing, e))?;
        // Nothing is switched on: nothing runs.
        Ok(Seen::Observation(seen.unwrap_or_default()))
    })?;
    findings.add(does);
    Ok(())
}

/// Asks each application whether it accepts its files; one that cannot be asked is a limitation.
///
/// # Errors
/// The run was cancelled.
fn judge(
    system: Result<&mut dyn System, Failure>,
    checks: &[(String, Vec<String>)],
    old: &Old<'_>,
    findings: &mut Findings,
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    let system = match system {
        Ok(system) => system,
        Err(failure) => {
            let why = spared(failure)?;
            let what = "whether the applications accept their files was not checked";
            findings.limitations.push(format!("{what}: {why}"));
            return Ok(());
        }
    };
    for (app, argv) in checks {
        let judged = checks::validate(system, &[Check { app, argv }], old, monitor);
        match refusal(judged, argv) {
            Ok(held) => findings.held.extend(held),
            Err(failure) => {
                let why = spared(failure)?;
                let what = format!("whether {app} accepts its files was not checked");
                findings.limitations.push(format!("{what}: {why}"));
            }
        }
    }
    Ok(())
}

/// What a command found that judges an application's files: that they are refused ends a restore,
/// and here is what is open.
fn refusal(judged: Result<Vec<Held>, Failure>, argv: &[String]) -> Result<Vec<Held>, Failure> {
    match judged {
        Err(failure) if failure.kind() == FailureKind::Step => {
            let why = format!("it does not accept the files as they are: {}", failure.reason());
            Ok(vec![Held::new(HeldKind::Configuration, line(argv), why)])
        }
        other => other,
    }
}

/// How much lies below `places`. What lies below several of them counts once.
fn size(tree: &dyn Tree, places: &[&RootPath], monitor: &dyn Monitor) -> Result<u64, Failure> {
    let is_outermost =
        |place: &RootPath| !places.iter().any(|other| *other != place && place.is_within(other));
    let mut size = 0_u64;
    for place in places.iter().filter(|place| is_outermost(place)) {
        let mut add = |entry: &Entry| size = size.saturating_add(entry.kind.size());
        each(tree, place, &mut add, monitor)?;
    }
    Ok(size)
}

/// The lengths of all logs.
fn logs(tree: &dyn Tree, monitor: &dyn Monitor) -> Result<BTreeMap<String, u64>, Failure> {
    let mut logs = BTreeMap::new();
    let mut add = |entry: &Entry| {
        if entry.kind.is_file() {
            logs.insert(entry.path.to_string(), entry.kind.size());
        }
    };
    each(tree, &LOGS, &mut add, monitor)?;
    Ok(logs)
}

/// Shows `each` thing below `dir`.
///
/// # Errors
/// The tree cannot be read, or the run was cancelled.
fn each(
    tree: &dyn Tree,
    dir: &RootPath,
    each: &mut dyn FnMut(&Entry),
    monitor: &dyn Monitor,
) -> Result<(), Failure> {
    let unreadable = |e: TreeError| {
        Failure::new(FailureKind::Resource, "reading", dir.as_bytes())
            .because(e)
            .safe("nothing was changed")
            .next("see the reason, then run the same command again")
    };
    let subject = dir.to_string();
    let mut waiting = list(tree, dir).map_err(unreadable)?;
    while let Some(entry) = waiting.pop() {
        check_cancelled(monitor.cancel(), "checking", &subject)?;
        each(&entry);
        if entry.kind.is_dir() {
            waiting.extend(tree.children(&entry.path).map_err(unreadable)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::monitor::{Silent, Stoppable};
    use crate::observe::Renamed;
    use crate::system::{Command, Ran};
    use crate::tree::memory::MemoryTree;

    /// A system in which the program `refuses` does, `breaks` cannot be asked, and another is
    /// content.
    struct Answers;

    impl System for Answers {
        fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
            let answer = |command: Command| {
                let code = match command.argv[0].as_str() {
                    "breaks" => return Err(broken(FailureKind::Resource)),
                    "refuses" => 1,
                    _ => 0,
                };
                let stderr = b"[emerg] unknown directive in /etc/app.conf:1".to_vec();
                Ok(Ran { code, stdout: tempfile::tempfile().unwrap(), stderr })
            };
            commands.into_iter().map(answer).collect()
        }
    }

    fn broken(kind: FailureKind) -> Failure {
        Failure::new(kind, "running", "x").why("no space")
    }

    fn judged(
        system: Result<&mut dyn System, Failure>,
        programs: &[&str],
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        let (manifest, renamed) = (Manifest::default(), Renamed::default());
        let old = Old { manifest: &manifest, renamed: &renamed, lends: false };
        let checks = programs.iter().map(|name| ((*name).to_owned(), vec![(*name).to_owned()]));
        let mut findings = Findings::default();
        judge(system, &checks.collect::<Vec<_>>(), &old, &mut findings, &Silent)?;
        let held = findings.held.into_iter().map(|held| held.subject);
        Ok((held.collect(), findings.limitations))
    }

    #[test]
    fn an_application_that_cannot_be_asked_takes_nothing_from_what_others_said() {
        let found = judged(Ok(&mut Answers), &["refuses", "breaks", "accepts", "refuses"]).unwrap();
        let limitation = "whether breaks accepts its files was not checked: no space".to_owned();
        assert_eq!(found, (vec!["refuses".to_owned(); 2], vec![limitation]));
    }

    #[test]
    fn a_copy_in_which_no_command_runs_is_a_limitation_unless_the_run_was_cancelled() {
        let (held, limitations) =
            judged(Err(broken(FailureKind::Environment)), &["refuses"]).unwrap();
        let limitation = "whether the applications accept their files was not checked: no space";
        assert_eq!((held, limitations), (vec![], vec![limitation.to_owned()]));
        let cancelled = judged(Err(broken(FailureKind::Signal(15))), &["refuses"]);
        assert_eq!(cancelled.unwrap_err().kind(), FailureKind::Signal(15));
    }

    #[test]
    fn what_lies_in_a_volume_within_another_counts_once_and_a_cancelled_run_counts_nothing() {
        let tree = MemoryTree::default()
            .file("/data/a", "12345")
            .file("/data/sub/b", "123")
            .file("/database/c", "1");
        let places = ["/data", "/data/sub", "/database"].map(RootPath::literal);
        let places: Vec<&RootPath> = places.iter().collect();
        assert_eq!(size(&tree, &places, &Silent).unwrap(), 9);
        let cancel = Cancel::new();
        cancel.request(15);
        let failure = size(&tree, &places, &Stoppable::new(&Silent, cancel)).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Signal(15));
    }
}
