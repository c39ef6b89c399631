//! Restore: from a bundle to a revived service on a current OS.
//!
//! Bundle → check whole → stage the target with today's packages → plan → place → commands →
//! seal → validators → publish. Until the last step the only trace is what carries our label; a
//! failure anywhere removes it and leaves the old container, the bundle and all names as they were.

mod answers;
mod archived;
mod choices;
mod config;
mod downloads;
mod engine_target;
mod environments;
mod fresh;
mod garbage;
mod inputs;
mod journey;
mod layer;
mod localhost;
mod merge;
mod notes;
mod outcome;
mod packages;
mod plan;
mod rebuild;
mod root_target;
mod services;
mod settle;
mod stage;
mod target;

use std::path::Path;
use std::time::Instant;

pub use downloads::Downloads;
pub use garbage::collect_garbage;
pub use outcome::{GarbageReport, PlanReport, PlanStep, RestoreReport};
pub use packages::{Install, Missing, Offered, PackagePlan, Renamed, plan_packages};
pub use target::{TargetError, TargetSpec};

use crate::bundle::{Contents, Manifest, Reader};
use crate::engine::Which;
use crate::failure::{Failure, Kind};
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use engine_target::EngineTarget;
use inputs::{Inputs, VolumesAs};
use plan::Plan;
use root_target::RootTarget;
use target::{Published, Target};

/// Whether the new container is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// It is made and left for the user to start.
    #[default]
    No,
    /// It is started.
    Yes,
}

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// What to restore onto.
    pub target: TargetSpec,
    /// Which engine builds it.
    pub engine: Which,
    /// The new container's name; without, the archived one's.
    pub name: Option<String>,
    /// A tag for the resulting image.
    pub tag: Option<String>,
    /// Whether it is started.
    pub start: Start,
    /// What is lent to commands that download.
    pub downloads: Downloads,
}

impl RestoreOptions {
    fn check(&self) -> Result<(), Failure> {
        let container = self.name.is_some() || self.tag.is_some() || self.start == Start::Yes;
        if let Some(name) = self.name.as_deref().filter(|name| !is_container_name(name)) {
            return Err(Failure::new(Kind::Usage, "reading --name", name)
                .why("a container's name has letters, digits, `_`, `.` and `-`, and begins with a letter or a digit")
                .next("choose such a name"));
        }
        match &self.target {
            TargetSpec::Rootfs(_) if container => {
                Err(Failure::new(Kind::Usage, "restoring onto", self.target.to_string())
                    .why("--name, --tag and --start are for containers, and a root is none")
                    .next("leave them out, or name an image"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether every engine takes `name` for a container.
fn is_container_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}

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

/// Stages the target with its packages and makes the plan.
fn prepare(
    opened: &Opened,
    layout: &LayoutDb,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<(Box<dyn Target>, Plan), Failure> {
    let manifest = opened.manifest();
    monitor.phase("staging the new system");
    let mut target: Box<dyn Target> = match &options.target {
        TargetSpec::Image(image) => {
            let name = options.name.as_deref().unwrap_or(&manifest.survey.name);
            Box::new(EngineTarget::open(image, name, &manifest.id, &manifest.settings, options)?)
        }
        TargetSpec::Rootfs(dir) => Box::new(RootTarget::open(dir, monitor)?),
    };
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
    let equipped = stage::install(&mut *target, &manifest.survey, layout, monitor)?;
    monitor.phase("reading the new system");
    let tree = target.tree(&std::env::temp_dir())?;
    monitor.phase("planning");
    let plan = plan::plan(&Inputs {
        manifest,
        survey: &manifest.survey,
        contents: &opened.contents,
        layout,
        packages: &equipped.packages,
        state_before: equipped.state_before.as_ref(),
        target: &*tree,
        volumes: match options.target {
            TargetSpec::Image(_) => VolumesAs::Volumes,
            TargetSpec::Rootfs(_) => VolumesAs::Files,
        },
    })?;
    Ok((target, plan))
}

/// What a restore of `file` would do. The packages are really installed, in a staged system that
/// is thrown away: only that shows what they bring.
///
/// # Errors
/// As [`restore`], up to the point where it would begin to place.
pub fn plan(
    file: &Path,
    layout: &LayoutDb,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<PlanReport, Failure> {
    options.check()?;
    let opened = open(file, monitor)?;
    let (_staged, plan) = prepare(&opened, layout, options, monitor)?;
    Ok(PlanReport {
        bundle: opened.manifest().id.clone(),
        target: options.target.to_string(),
        steps: plan.steps,
        held: plan.held,
        losses: plan.losses,
        limitations: vec![],
    })
}

/// Restores `file`.
///
/// # Errors
/// A bundle that is not whole, a target that is not there or not current, packages that cannot be
/// installed, a command or a validator that fails. Nothing is left then.
pub fn restore(
    file: &Path,
    layout: &LayoutDb,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport, Failure> {
    let started = Instant::now();
    options.check()?;
    let opened = open(file, monitor)?;
    let (mut target, mut plan) = prepare(&opened, layout, options, monitor)?;
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
    monitor.phase("placing files");
    let undelivered = target.place(&plan.draft, &plan.volumes, &opened.contents)?;
    plan.losses.extend(undelivered.losses);
    let rebuilt = rebuild::rebuild(&mut *target, &plan.rebuilds, &options.downloads, monitor)?;
    plan.held.extend(rebuilt.held);
    plan.losses.extend(rebuilt.losses);
    stage::execute(&mut *target, &plan.commands, &opened.contents, monitor)?;
    target.seal()?;
    stage::validate(&mut *target, &plan.validators, monitor)?;
    crate::failure::check_cancelled("restoring", &options.target.to_string())?;
    monitor.phase("publishing");
    let published = target.publish()?;
    for left in target.clean() {
        monitor.notice(&left);
    }
    for (old, new) in target.volume_names() {
        plan.steps.push(PlanStep {
            action: "volume".to_owned(),
            subject: new,
            reason: format!("holds what {old} held"),
        });
    }
    let (container, container_id, root) = match published {
        Published::Container { name, id, dropped, grants } => {
            plan.losses.extend(dropped);
            plan.steps.extend(grants.into_iter().map(|grant| PlanStep {
                action: "grant".to_owned(),
                subject: grant,
                reason: "the old container had it".to_owned(),
            }));
            (Some(name), Some(id), None)
        }
        Published::Root(dir) => (None, None, Some(dir.to_string_lossy().into_owned())),
    };
    Ok(RestoreReport {
        bundle: opened.manifest().id.clone(),
        container,
        container_id,
        root,
        steps: plan.steps,
        held: plan.held,
        losses: plan.losses,
        limitations: undelivered.limitations,
        seconds: started.elapsed().as_secs_f64(),
    })
}
