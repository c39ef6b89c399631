//! [`Copies`]: the throw-away copy of a source, made when something first has to run in it.
//!
//! The only place where something of a source is executed: exports, checks of rules, and the
//! service itself, while it is observed. A container's copy has its volumes' content in volumes of
//! its own, and no network; all of it is removed in the end. The container itself is neither
//! stopped nor paused, whether it runs or not.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::engine::{ContainerSpec, EngineError, Made, Staging, VolumeName, run_id};
use crate::failure::{Failure, FailureKind, cancelled};
use crate::monitor::Monitor;
use crate::pack::pack;
use crate::source::{ContainerFacts, Source};
use crate::system::{Command, ContainerSystem, RootSystem, System};
use crate::tree::{Lost, PlaceError, RootPath, copy_tree, remove_tree};

/// The copy of a source, once it is needed.
pub(crate) struct Copies<'a> {
    source: &'a Source,
    scratch: &'a Path,
    made: Option<Copy>,
}

impl<'a> Copies<'a> {
    /// No copy yet; that of a root will lie in `scratch`.
    pub(crate) fn new(source: &'a Source, scratch: &'a Path) -> Copies<'a> {
        Copies { source, scratch, made: None }
    }

    /// The copy, made now if there is none yet.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn copy(&mut self, monitor: &dyn Monitor) -> Result<&mut Copy, Failure> {
        let made = match self.made.take() {
            Some(made) => made,
            None => Copy::of(self.source, self.scratch, monitor)?,
        };
        Ok(self.made.insert(made))
    }

    /// Whether there is a copy already.
    pub(crate) fn is_made(&self) -> bool {
        self.made.is_some()
    }

    /// Removes the copy and tells what could not be removed; dropping it says nothing.
    pub(crate) fn clean(self, monitor: &dyn Monitor) {
        if let Some(Copy::Container(copied)) = self.made {
            for left in copied.staging.discard() {
                monitor.notice(&left.to_string());
            }
        }
    }
}

/// A throw-away copy of a system.
pub(crate) enum Copy {
    /// Of a container.
    Container(Copied),
    /// Of a tree.
    Root { system: RootSystem, _dir: Removed },
}

/// The copy of a container.
pub(crate) struct Copied {
    system: ContainerSystem,
    /// The container that commands run in.
    pub(crate) container: String,
    /// The container's files, as an image.
    pub(crate) image: String,
    /// Volumes with the content of its volumes, as `VOLUME:PLACE:nocopy`.
    pub(crate) binds: Vec<String>,
    /// Why no command runs in it: its image may have no program that waits.
    unable: Option<EngineError>,
    /// Removes all of it.
    pub(crate) staging: Staging,
}

/// A directory that is removed in the end.
pub(crate) struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // What is still there lies where the user looks for the bundle.
        remove_tree(&self.0).ok();
    }
}

impl Copy {
    fn of(source: &Source, scratch: &Path, monitor: &dyn Monitor) -> Result<Copy, Failure> {
        match source.container() {
            Some(facts) => container(source, facts),
            None => root(source, scratch, monitor),
        }
    }

    /// Where commands run.
    ///
    /// # Errors
    /// It holds no system in which one could.
    pub(crate) fn system(&mut self) -> Result<&mut dyn System, Failure> {
        match self {
            Copy::Container(copied) => match copied.unable.take() {
                Some(error) => Err(failed("copying", &"the container", error)
                    .why("its image cannot run `sleep`: no command can run in a copy of it")),
                None => Ok(&mut copied.system),
            },
            Copy::Root { system, .. } => Ok(system),
        }
    }
}

fn failed(doing: &str, subject: &dyn std::fmt::Display, error: EngineError) -> Failure {
    crate::source::engine_failure(doing, subject, error)
}

fn container(source: &Source, facts: &ContainerFacts) -> Result<Copy, Failure> {
    let engine = &facts.engine;
    let failed = |e: EngineError| failed("copying", source, e);
    let staging = Staging::new(engine, run_id("copy"));
    let config = json!({ "Labels": staging.labels(&[]) });
    let image = engine.commit(&facts.id, &config).map_err(failed)?;
    staging.register(Made::Image(image.clone()));
    let mut binds = Vec::new();
    let mounts = source.mounts();
    for mount in source.directories() {
        let labels = staging.labels(&[]);
        let volume = engine
            .create_volume(VolumeName::Generated, &labels, &serde_json::Map::new())
            .map_err(failed)?;
        staging.register(Made::Volume(volume.name.clone()));
        binds.push(format!("{}:{}:nocopy", volume.name, mount.destination));
        let also = mount.also_at(&mounts);
        binds.extend(also.map(|also| format!("{}:{}:nocopy", volume.name, also.destination)));
    }
    let spec = ContainerSpec::new(&image, &["sleep", "infinity"])
        .config("User", "0:0")
        .host("Binds", json!(binds.clone()))
        .without_network();
    let id = staging.container(engine, None, &spec).map_err(failed)?;
    let mut system = ContainerSystem::new(engine.clone(), id.clone());
    let unable = match engine.start(&id) {
        Err(error @ EngineError::Refused { .. }) if binds.is_empty() => Some(error),
        started => started.map_err(failed).map(|()| None)?,
    };
    for mount in source.directories() {
        fill(source, &mount.destination, &mut system)?;
    }
    Ok(Copy::Container(Copied { system, container: id, image, binds, unable, staging }))
}

/// Copies what lies at `destination` of the source into the copy's volume there.
fn fill(
    source: &Source,
    destination: &RootPath,
    system: &mut ContainerSystem,
) -> Result<(), Failure> {
    let tar = pack(source.tree(), destination).map_err(|e| {
        Failure::new(FailureKind::Resource, "copying the volume at", destination.as_bytes())
            .because(e)
            .safe("the source is untouched")
            .next("free space for temporary files and run the same command again")
    })?;
    let target = destination.to_string();
    let mut command = Command::new(&["tar", "-xpf", "-", "--numeric-owner", "-C", &target]);
    command.stdin = Some(tar);
    let mut commands = vec![command];
    if let Some(meta) = source.tree().entry(destination).ok().flatten().map(|entry| entry.meta) {
        // A tar cannot name the directory itself.
        commands.push(Command::new(&["chown", &format!("{}:{}", meta.uid, meta.gid), &target]));
        commands.push(Command::new(&["chmod", &format!("{:04o}", meta.mode), &target]));
    }
    match system.run(commands)?.pop() {
        Some(ran) if ran.code != 0 => {
            Err(Failure::new(FailureKind::Step, "copying the volume at", destination.as_bytes())
                .why(ran.complaint())
                .safe("the source is untouched"))
        }
        _ => Ok(()),
    }
}

fn root(source: &Source, scratch: &Path, monitor: &dyn Monitor) -> Result<Copy, Failure> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(FailureKind::Resource, "copying", source.to_string())
            .because(e)
            .safe("the source is untouched")
            .next(format!("free space in {} and run the same command again", scratch.display()))
    };
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(FailureKind::Environment, "copying", source.to_string())
            .why("commands run in a copy with all owners, which only root can make")
            .safe("the source is untouched")
            .next("run regrow as root"));
    }
    let copy = scratch.join(format!(".regrow-export-{}", std::process::id()));
    let problems = copy_tree(source.tree(), &copy, monitor).map_err(|e| match e {
        PlaceError::Cancelled(signal) => cancelled(signal, "copying", &source.to_string()),
        e => failed(e.into()),
    })?;
    let removed = Removed(copy);
    // Attributes that the file system there does not take matter less to an export than its data.
    if let Some(unread) = problems.iter().find(|p| matches!(p.what, Lost::Unread { .. })) {
        return Err(failed(unread.what.to_string().into()));
    }
    let system =
        RootSystem::open(&removed.0, monitor.cancel()).map_err(|failure| match failure.kind() {
            FailureKind::Environment => failure.next("run regrow as root"),
            _ => failure,
        })?;
    Ok(Copy::Root { system, _dir: removed })
}
