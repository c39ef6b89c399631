//! Restore: from a bundle to a revived service on a current OS.
//!
//! Bundle → check whole → stage the target with today's packages → plan → place → commands →
//! seal → validators → observation → publish. Until the last step the only trace is what carries our label; a
//! failure anywhere removes it and leaves the old container, the bundle and all names as they were.

mod check;
mod checks;
mod difference;
pub(crate) mod files;
mod options;
mod outcome;
mod packages;
mod plan;
mod planner;
mod python;
mod saved;
mod target;
mod value;

use std::path::Path;
use std::time::Instant;

pub use check::{CheckReport, check};
pub use options::{Checks, OnFailure, RestoreOptions, Start};
pub use outcome::{GarbageReport, PlanReport, PlanStep, RestoreReport};
pub use plan::Plan;
pub use python::downloads::Downloads;
pub use saved::PlanFile;
pub use target::garbage::collect_garbage;
pub use target::{TargetError, TargetSpec};
pub use value::relation::Relation;

pub use crate::engine::Which;

use crate::bundle::{Contents, Manifest, Reader};
use crate::failure::{Failure, check_cancelled};
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use crate::observe::Renamed;
use crate::service::ServiceSettings;
use crate::verdict::Held;
use checks::Old;
use packages::stage::{self, Wishes};
use python::execute;
use target::engine::{EngineSite, archived_settings};
use target::root::RootTarget;
use target::{AtRest, Published, Staged, Taken, Target};
use value::archived::Archived;
use value::inputs::{Inputs, VolumesAs};
use value::succession::Succession;

/// An opened bundle, found whole.
struct Opened {
    reader: Reader,
    contents: Contents,
}

impl Opened {
    fn manifest(&self) -> &Manifest {
        self.reader.manifest()
    }
}

fn open(file: &Path, doing: &str, monitor: &dyn Monitor) -> Result<Opened, Failure> {
    let reader = Reader::open(file).map_err(|e| e.into_failure(doing, file))?;
    // This reads and checks the whole bundle: nothing is written before it is known to be whole.
    let contents = reader.contents(monitor).map_err(|e| e.into_failure(doing, file))?;
    Ok(Opened { reader, contents })
}

/// A target whose plan is made and not yet executed.
struct Prepared {
    target: Target<AtRest>,
    plan: Plan,
    /// What of the observed old system has another name in the new one.
    renamed: Renamed,
}

/// What a system is staged for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To become the result: a name that something else has ends it before anything is installed.
    Restore,
    /// To be looked at: such a name is said in the plan, and the system is removed in any case.
    Plan,
}

/// Stages the target without packages; the names of the result that something else has.
fn stage(
    opened: &Opened,
    options: &RestoreOptions,
    purpose: Purpose,
    monitor: &dyn Monitor,
) -> Result<(Target<Staged>, Vec<Taken>), Failure> {
    monitor.phase("staging the new system");
    let on_failure = match purpose {
        Purpose::Restore => options.on_failure,
        Purpose::Plan => OnFailure::Remove,
    };
    let image = match &options.target {
        TargetSpec::Image(image) => image,
        TargetSpec::Rootfs(dir) => {
            let built = RootTarget::open(dir, on_failure, &options.downloads, monitor)?;
            return Ok((Target::new(Box::new(built)), vec![]));
        }
    };
    let site = EngineSite::find(image, &opened.manifest().survey, options, monitor.cancel())?;
    let taken = site.taken().to_vec();
    match taken.first() {
        Some(taken) if purpose == Purpose::Restore => Err(taken.failure()),
        _ => {
            let built = site.stage(opened.manifest(), options.start, on_failure)?;
            Ok((Target::new(Box::new(built)), taken))
        }
    }
}

/// Stages the target with its packages and makes the plan, which is the approved one if any was.
fn prepare(
    opened: &Opened,
    layout: &LayoutDb,
    options: &RestoreOptions,
    purpose: Purpose,
    monitor: &dyn Monitor,
) -> Result<Prepared, Failure> {
    let manifest = opened.manifest();
    if let Some(approved) = &options.approved {
        difference::check_inputs(approved, manifest, options)?;
    }
    let (mut staged, taken) = stage(opened, options, purpose, monitor)?;
    check_cancelled(monitor.cancel(), "restoring", &options.target.to_string())?;
    let (volumes, settings) = match options.target {
        TargetSpec::Image(_) => (VolumesAs::Volumes, archived_settings(manifest)?),
        TargetSpec::Rootfs(_) => (VolumesAs::Files, None),
    };
    let (programs, there) = stage::programs_there(&mut staged, manifest)?;
    let image = staged.image();
    let said = options.said();
    let succession = Succession::of(&manifest.survey, image, said, (programs, &there));
    let survey = succession.survey(manifest);
    let wishes = Wishes {
        manifest,
        survey: &survey,
        onto: succession.relation,
        archived: &Archived::new(manifest, &opened.contents, succession.relation),
        command: settings.as_ref().map(ServiceSettings::words).unwrap_or_default(),
        zones: settings.as_ref().map(ServiceSettings::zones).unwrap_or_default(),
        layout,
    };
    let equipped = stage::install(&mut staged, &wishes, monitor)?;
    monitor.phase("reading the new system");
    let target = staged.rest(&std::env::temp_dir())?;
    monitor.phase("planning");
    let mut planned = planner::plan(&Inputs {
        manifest,
        survey: &survey,
        contents: &opened.contents,
        layout,
        packages: &equipped.packages,
        unserved: &equipped.unserved,
        state_before: equipped.state_before.as_ref(),
        target: target.tree(),
        settings: settings.as_ref(),
        volumes,
        succession: &succession,
    })?;
    let renamed = std::mem::take(&mut planned.renamed);
    let terms = target.terms(planned.wanted())?;
    let plan = Plan::new(&manifest.id, &options.target, (planned, terms), taken)?;
    if let Some(approved) = &options.approved {
        difference::check_plan(approved, &plan)?;
    }
    Ok(Prepared { target, plan, renamed })
}

/// The plan of a restore of `file`. The packages are really installed, in a staged system that is
/// thrown away: only that shows what they bring.
///
/// # Errors
/// As [`restore`], up to the point where it would begin to place; a name that is taken is no error
/// here, but said in the plan.
pub fn plan(
    file: &Path,
    layout: &LayoutDb,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<Plan, Failure> {
    options.check()?;
    let opened = open(file, "restoring", monitor)?;
    Ok(prepare(&opened, layout, options, Purpose::Plan, monitor)?.plan)
}

/// Restores `file`: makes the plan and executes it.
///
/// # Errors
/// A bundle that is not whole, a target that is not there or not current, packages that cannot be
/// installed, a plan other than the approved one, a command or a validator that fails. Nothing is
/// left then.
pub fn restore(
    file: &Path,
    layout: &LayoutDb,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, Failure> {
    let started = Instant::now();
    options.check()?;
    let opened = open(file, "restoring", monitor)?;
    let restored = prepare(&opened, layout, options, Purpose::Restore, monitor)
        .and_then(|prepared| execute(prepared, &opened, options, monitor));
    let mut report = restored.map_err(|failure| match options.on_failure {
        OnFailure::Remove => failure,
        OnFailure::Keep => failure.safe(
            "the old service and the bundle are as they were; what was made of the new system is \
             kept for a look, containers and images with the label regrow.staging, a root beside \
             the one that was named, and `regrow gc` removes it",
        ),
    })?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Does what the plan says, and publishes the result.
fn execute(
    prepared: Prepared,
    opened: &Opened,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, Failure> {
    let Prepared { target, plan, renamed } = prepared;
    let contents = &opened.contents;
    let work = plan.work();
    let mut report = RestoreReport::of(plan.report());
    check_cancelled(monitor.cancel(), "restoring", &options.target.to_string())?;
    monitor.phase("placing files");
    let (mut placed, lost) = target.place(plan.content.wanted(), contents)?;
    report.losses.extend(lost);
    let rebuilt = execute::rebuild(&mut placed, &work.rebuilds, &options.downloads, monitor)?;
    report.held.extend(rebuilt.held);
    report.losses.extend(rebuilt.losses);
    stage::execute(&mut placed, &work.commands, contents, monitor)?;
    let mut sealed = placed.seal()?;
    match options.checks {
        Checks::Run => {
            let lends = matches!(options.target, TargetSpec::Image(_));
            let old = Old { manifest: opened.manifest(), renamed: &renamed, lends };
            report.held.extend(checks::validate(&mut sealed, &work.checks, &old, monitor)?);
            let scratch = std::env::temp_dir();
            let found = checks::observe(&mut sealed, &plan.content, &old, &scratch, monitor)?;
            report.held.extend(found.held);
            report.limitations.extend(found.limitations);
        }
        Checks::Skip => report.limitations.push(checks::SKIPPED.to_owned()),
    }
    check_cancelled(monitor.cancel(), "restoring", &options.target.to_string())?;
    monitor.phase("publishing");
    let (published, left) = sealed.publish()?;
    left.iter().for_each(|left| monitor.notice(left));
    match published {
        Published::Container { name, id, dropped } => {
            // What the engine refused since the plan was made.
            let known = &plan.content.losses;
            report.losses.extend(dropped.into_iter().filter(|loss| !known.contains(loss)));
            (report.container, report.container_id) = (Some(name), Some(id));
        }
        Published::Root(dir) => report.root = Some(dir.to_string_lossy().into_owned()),
    }
    Held::sort(&mut report.held);
    Ok(report)
}
