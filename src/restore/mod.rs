//! Restore: from a bundle to a revived service on a current OS.
//!
//! Bundle → check whole → stage the target with today's packages → plan → place → commands →
//! seal → validators → publish. Until the last step the only trace is what carries our label; a
//! failure anywhere removes it and leaves the old container, the bundle and all names as they were.

mod difference;
mod files;
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

pub use options::{RestoreOptions, Start};
pub use outcome::{GarbageReport, PlanReport, PlanStep, RestoreReport};
pub use plan::Plan;
pub use python::downloads::Downloads;
pub use saved::PlanFile;
pub use target::garbage::collect_garbage;
pub use target::{TargetError, TargetSpec};

pub use crate::engine::Which;

use crate::bundle::{Contents, Manifest, Reader};
use crate::failure::Failure;
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use crate::service::ServiceSettings;
use packages::stage::{self, Wishes};
use python::execute;
use target::engine::{EngineSite, archived_settings};
use target::root::RootTarget;
use target::{AtRest, Published, Staged, Taken, Target};
use value::archived::Archived;
use value::inputs::{Inputs, VolumesAs};

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

fn open(file: &Path, monitor: &dyn Monitor) -> Result<Opened, Failure> {
    let reader = Reader::open(file).map_err(|e| e.into_failure("restoring", file))?;
    // This reads and checks the whole bundle: nothing is written before it is known to be whole.
    let contents = reader.contents(monitor).map_err(|e| e.into_failure("restoring", file))?;
    Ok(Opened { reader, contents })
}

/// A target whose plan is made and not yet executed.
struct Prepared {
    target: Target<AtRest>,
    plan: Plan,
}

/// Whether a name that something else has ends the preparation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnTaken {
    /// It does, before anything is installed.
    Refuse,
    /// It is said in the plan.
    Say,
}

/// Stages the target without packages; the names of the result that something else has.
fn stage(
    opened: &Opened,
    options: &RestoreOptions,
    on_taken: OnTaken,
    monitor: &dyn Monitor,
) -> Result<(Target<Staged>, Vec<Taken>), Failure> {
    monitor.phase("staging the new system");
    let image = match &options.target {
        TargetSpec::Image(image) => image,
        TargetSpec::Rootfs(dir) => {
            return Ok((Target::new(Box::new(RootTarget::open(dir, monitor)?)), vec![]));
        }
    };
    let site = EngineSite::find(image, &opened.manifest().survey, options)?;
    let taken = site.taken().to_vec();
    match taken.first() {
        Some(taken) if on_taken == OnTaken::Refuse => Err(taken.failure()),
        _ => {
            let built = site.stage(opened.manifest(), options.start)?;
            Ok((Target::new(Box::new(built)), taken))
        }
    }
}

/// Stages the target with its packages and makes the plan, which is the approved one if any was.
fn prepare(
    opened: &Opened,
    layout: &LayoutDb,
    options: &RestoreOptions,
    on_taken: OnTaken,
    monitor: &dyn Monitor,
) -> Result<Prepared, Failure> {
    let manifest = opened.manifest();
    if let Some(approved) = &options.approved {
        difference::check_inputs(approved, manifest, options)?;
    }
    let (mut staged, taken) = stage(opened, options, on_taken, monitor)?;
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
    let (volumes, settings) = match options.target {
        TargetSpec::Image(_) => (VolumesAs::Volumes, archived_settings(manifest)?),
        TargetSpec::Rootfs(_) => (VolumesAs::Files, None),
    };
    let wishes = Wishes {
        survey: &manifest.survey,
        archived: &Archived::new(manifest, &opened.contents),
        zones: settings.as_ref().map(ServiceSettings::zones).unwrap_or_default(),
        layout,
    };
    let equipped = stage::install(&mut staged, &wishes, monitor)?;
    monitor.phase("reading the new system");
    let target = staged.rest(&std::env::temp_dir())?;
    monitor.phase("planning");
    let planned = planner::plan(&Inputs {
        manifest,
        survey: &manifest.survey,
        contents: &opened.contents,
        layout,
        packages: &equipped.packages,
        state_before: equipped.state_before.as_ref(),
        target: target.tree(),
        settings: settings.as_ref(),
        volumes,
    })?;
    let terms = target.terms(planned.wanted())?;
    let plan = Plan::new(&manifest.id, &options.target, (planned, terms), taken)?;
    if let Some(approved) = &options.approved {
        difference::check_plan(approved, &plan)?;
    }
    Ok(Prepared { target, plan })
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
    let opened = open(file, monitor)?;
    Ok(prepare(&opened, layout, options, OnTaken::Say, monitor)?.plan)
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
    let opened = open(file, monitor)?;
    let prepared = prepare(&opened, layout, options, OnTaken::Refuse, monitor)?;
    let mut report = execute(prepared, &opened.contents, options, monitor)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Does what the plan says, and publishes the result.
fn execute(
    prepared: Prepared,
    contents: &Contents,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, Failure> {
    let Prepared { target, plan } = prepared;
    let work = plan.work();
    let mut report = RestoreReport::of(plan.report());
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
    monitor.phase("placing files");
    let (mut placed, lost) = target.place(plan.content.wanted(), contents)?;
    report.losses.extend(lost);
    let rebuilt = execute::rebuild(&mut placed, &work.rebuilds, &options.downloads, monitor)?;
    report.held.extend(rebuilt.held);
    report.losses.extend(rebuilt.losses);
    stage::execute(&mut placed, &work.commands, contents, monitor)?;
    let mut sealed = placed.seal()?;
    stage::validate(&mut sealed, &work.checks, monitor)?;
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
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
    Ok(report)
}
