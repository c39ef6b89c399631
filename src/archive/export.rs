//! Exports: what the old version itself says about its data.
//!
//! The only place where something of the source is executed. It runs in a throw-away copy of the
//! stopped container and its volumes, or of the tree, without network; the source is not touched.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Examined;
use crate::engine::{ContainerSpec, EngineError, Made, Staging, VolumeName, run_id};
use crate::environments::EnvironmentFact;
use crate::failure::{Failure, FailureKind};
use crate::layout;
use crate::monitor::Monitor;
use crate::pack::pack;
use crate::source::{ContainerFacts, Source};
use crate::system::{Command, ContainerSystem, RootSystem, System, line};
use crate::tree::{Lost, RootPath, copy_tree, remove_tree};

/// One export.
pub(super) struct Export {
    /// Its name in the bundle.
    pub(super) name: String,
    /// The application.
    pub(super) app: String,
    /// The version that wrote it.
    pub(super) version: String,
    /// What it wrote, from the beginning.
    pub(super) content: File,
}

/// A command with the export it makes.
struct Wanted {
    app: String,
    version: String,
    command: layout::Command,
}

/// Runs the exports that the rules ask for; without any, no copy is made.
///
/// # Errors
/// A command that fails (step): nothing is published then.
pub(super) fn run(
    source: &Source,
    examined: &Examined,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Vec<Export>, Failure> {
    let wanted = wanted(source, examined)?;
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    monitor.phase("copying the old system for its exports");
    let mut copy = Copy::of(source, scratch, monitor)?;
    monitor.phase("exporting databases with the old version");
    let batch = wanted
        .iter()
        .map(|wanted| Command { argv: wanted.command.argv.clone(), stdin: None, env: vec![] })
        .collect();
    let ran = copy.system().run(batch)?;
    copy.clean(monitor);
    let mut exports = Vec::new();
    for (wanted, ran) in wanted.into_iter().zip(ran) {
        if ran.code != 0 {
            return Err(Failure::new(
                FailureKind::Step,
                "exporting with",
                line(&wanted.command.argv),
            )
            .why(format!("it ended with {}: {}", ran.code, ran.complaint()))
            .safe("the source is untouched, no bundle was written")
            .next("repair the old service, or leave the export out with --no-export"));
        }
        if let Some(name) = wanted.command.file {
            let Wanted { app, version, .. } = wanted;
            exports.push(Export { name, app, version, content: ran.stdout });
        }
    }
    Ok(exports)
}

/// The lists of what package managers of languages installed.
///
/// # Errors
/// No place for temporary files.
pub(super) fn lists(environments: &[EnvironmentFact]) -> Result<Vec<Export>, Failure> {
    let mut lists = Vec::new();
    for fact in environments {
        let Some(name) = fact.list_name() else { continue };
        let unwritten = |e: std::io::Error| {
            Failure::new(FailureKind::Resource, "writing the list", &name).because(e)
        };
        let mut content = tempfile::tempfile().map_err(unwritten)?;
        content.write_all(fact.list_text().as_bytes()).map_err(unwritten)?;
        content.rewind().map_err(unwritten)?;
        let (app, version) = (fact.kind.to_string(), fact.interpreter.clone());
        lists.push(Export { name, app, version, content });
    }
    Ok(lists)
}

fn wanted(source: &Source, examined: &Examined) -> Result<Vec<Wanted>, Failure> {
    let mut all = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for app in &examined.apps {
        // Several versions of one application share its rule.
        if !seen.insert(app.app.clone()) {
            continue;
        }
        let misfit = |e: Box<dyn std::error::Error + Send + Sync>| {
            Failure::new(FailureKind::Step, "applying the rule of", &app.app)
                .because(e)
                .next("correct the rule and run the same command again")
        };
        for database in &app.rule.databases {
            let version = app.version.as_ref().map(ToString::to_string).unwrap_or_default();
            let found = database.instances(source.tree(), &version);
            for instance in found.map_err(|e| misfit(e.into()))? {
                for command in database.exports(&instance).map_err(|e| misfit(e.into()))? {
                    let version = instance.version.clone();
                    all.push(Wanted { app: app.app.clone(), version, command });
                }
            }
        }
    }
    Ok(all)
}

/// A throw-away copy of the old system.
enum Copy {
    Container { system: ContainerSystem, staging: Staging },
    Root { system: RootSystem, _dir: Removed },
}

/// A directory that is removed in the end.
struct Removed(PathBuf);

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

    /// Removes the copy and tells what could not be removed; dropping it says nothing.
    fn clean(self, monitor: &dyn Monitor) {
        if let Copy::Container { staging, .. } = self {
            for left in staging.discard() {
                monitor.notice(&left.to_string());
            }
        }
    }

    fn system(&mut self) -> &mut dyn System {
        match self {
            Copy::Container { system, .. } => system,
            Copy::Root { system, .. } => system,
        }
    }
}

fn container(source: &Source, facts: &ContainerFacts) -> Result<Copy, Failure> {
    let engine = &facts.engine;
    let failed = |e: EngineError| crate::source::engine_failure("copying", source, e);
    let staging = Staging::new(engine, run_id("export"));
    let config = json!({ "Labels": staging.labels(&[]) });
    let image = engine.commit(&facts.id, &config).map_err(failed)?;
    staging.register(Made::Image(image.clone()));
    let mut binds = Vec::new();
    for mount in source.directories() {
        let labels = staging.labels(&[]);
        let volume = engine
            .create_volume(VolumeName::Generated, &labels, &serde_json::Map::new())
            .map_err(failed)?;
        staging.register(Made::Volume(volume.name.clone()));
        binds.push(format!("{}:{}:nocopy", volume.name, mount.destination));
    }
    let spec = ContainerSpec::new(&image, &["sleep", "infinity"])
        .config("User", "0:0")
        .host("Binds", json!(binds))
        .without_network();
    let id = staging.container(engine, None, &spec).map_err(failed)?;
    engine.start(&id).map_err(failed)?;
    let mut system = ContainerSystem::new(engine.clone(), id);
    for mount in source.directories() {
        fill(source, &mount.destination, &mut system)?;
    }
    Ok(Copy::Container { system, staging })
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
            .safe("the source is untouched, no bundle was written")
            .next("free space for temporary files and run the same command again")
    })?;
    let target = destination.to_string();
    let mut command = Command::new(&["tar", "-xpf", "-", "--numeric-owner", "-C", &target]);
    command.stdin = Some(tar);
    match system.run(vec![command])?.pop() {
        Some(ran) if ran.code != 0 => {
            Err(Failure::new(FailureKind::Step, "copying the volume at", destination.as_bytes())
                .why(ran.complaint())
                .safe("the source is untouched, no bundle was written")
                .next("leave the export out with --no-export"))
        }
        _ => Ok(()),
    }
}

fn root(source: &Source, scratch: &Path, monitor: &dyn Monitor) -> Result<Copy, Failure> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(FailureKind::Resource, "copying", source.to_string())
            .because(e)
            .safe("the source is untouched, no bundle was written")
            .next("free space beside the bundle, or leave the export out with --no-export")
    };
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(FailureKind::Environment, "copying", source.to_string())
            .why("an export runs in a copy with all owners, which only root can make")
            .safe("the source is untouched, no bundle was written")
            .next("run regrow as root, or leave the export out with --no-export"));
    }
    let copy = scratch.join(format!(".regrow-export-{}", std::process::id()));
    let problems = copy_tree(source.tree(), &copy, monitor).map_err(|e| {
        let ended = crate::failure::check_cancelled("copying", &source.to_string());
        ended.err().unwrap_or_else(|| failed(e.into()))
    })?;
    let removed = Removed(copy);
    // Attributes that the file system there does not take matter less to an export than its data.
    if let Some(unread) = problems.iter().find(|p| matches!(p.what, Lost::Unread { .. })) {
        return Err(failed(unread.what.to_string().into()));
    }
    let system = RootSystem::open(&removed.0).map_err(|e| {
        let next = match e.kind() {
            FailureKind::Environment => {
                "run regrow as root, or leave the export out with --no-export"
            }
            _ => "leave the export out with --no-export",
        };
        e.next(next)
    })?;
    Ok(Copy::Root { system, _dir: removed })
}
