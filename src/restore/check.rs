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
use crate::failure::{Failure, FailureKind};
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
use crate::system::line;
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
/// With [`Checks::Run`] the service is started twice in a throw-away copy of its container without
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
    let mut copies = Copies::new(standing, scratch);
    let findings = match copied(standing, &old, found, settings, &mut copies, monitor) {
        Err(failure) if !matches!(failure.kind(), FailureKind::Signal(_)) => {
            Ok(Findings::not(&failure.reason()))
        }
        other => other,
    };
    copies.clean(monitor);
    findings
}

fn copied(
    standing: &Source,
    old: &Old<'_>,
    found: &Standing,
    settings: &ServiceSettings,
    copies: &mut Copies<'_>,
    monitor: &dyn Monitor,
) -> Result<Findings, Failure> {
    let unreadable = |e: TreeError| {
        Failure::new(FailureKind::Resource, "reading", standing.to_string()).because(e)
    };
    let mut size = 0_u64;
    for mount in standing.directories() {
        let mut add = |entry: &Entry| size = size.saturating_add(entry.kind.size());
        each(standing.tree(), &mount.destination, &mut add).map_err(unreadable)?;
    }
    if size > MOST {
        let (size, most) = (size >> 20, MOST >> 20);
        return Ok(Findings::not(&format!("{size} MiB would be copied, more than {most}")));
    }
    monitor.phase("copying the service");
    let copy = copies.copy(monitor)?;
    let mut findings = Findings::default();
    if !found.checks.is_empty() {
        let system = copy.system()?;
        for (app, argv) in &found.checks {
            let judged = checks::validate(system, &[Check { app, argv }], old, monitor);
            findings.held.extend(refusal(judged, argv)?);
        }
    }
    let (Copy::Container(copied), Some(facts), Some(before)) =
        (copy, standing.container(), old.observation())
    else {
        return Ok(findings);
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
        logs: logs(standing.tree()).map_err(unreadable)?,
        lent: before.lent.clone(),
    };
    let does = checks::found_twice(before, old.renamed, &mut || {
        let seen = stage.observe().map_err(|e| engine_failure("observing", standing, e))?;
        // Nothing is switched on: nothing runs.
        Ok(Seen::Observation(seen.unwrap_or_default()))
    })?;
    findings.held.extend(does.held);
    findings.limitations.extend(does.limitations);
    Ok(findings)
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

/// The lengths of all logs.
fn logs(tree: &dyn Tree) -> Result<BTreeMap<String, u64>, TreeError> {
    let mut logs = BTreeMap::new();
    each(tree, &LOGS, &mut |entry| {
        if entry.kind.is_file() {
            logs.insert(entry.path.to_string(), entry.kind.size());
        }
    })?;
    Ok(logs)
}

/// Shows `each` thing below `dir`.
fn each(tree: &dyn Tree, dir: &RootPath, each: &mut dyn FnMut(&Entry)) -> Result<(), TreeError> {
    let mut waiting = list(tree, dir)?;
    while let Some(entry) = waiting.pop() {
        each(&entry);
        if entry.kind.is_dir() {
            waiting.extend(tree.children(&entry.path)?);
        }
    }
    Ok(())
}
