//! Opening a stopped container: which way in, and what it delivers.
//!
//! Two ways lead to the same tree. The layers on disk are exact, but their paths are in the
//! engine's file system, so they are used only after a proof that it is ours. Else the engine's
//! API delivers the image's layers (exact) and the container's own changes (with less metadata),
//! and what it left out is a limitation of the archive.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::facts::{ContainerFacts, engine_failure, refuse_running, started};
use super::layers::Way;
use super::{
    Beneath, Binds, LeftOut, Mount, OpenOptions, Running, Source, SourceSpec, by_api, on_disk,
};
use crate::engine::{Container, Engine, EngineError, Which, settings};
use crate::facts::{ImageFact, MountFact, VolumeFact};
use crate::failure::{Failure, FailureKind, check_cancelled};
use crate::image::{Fidelity, ImageView};
use crate::monitor::Monitor;
use crate::service::MountKind;
use crate::tree::{LayerStack, Mounted, RootPath, Rootfs, Tree, TreeError, escaped};
use crate::verdict::Location;

/// Opens the container that `spec` names.
pub(super) fn open(
    spec: &SourceSpec,
    options: &OpenOptions,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Source, Failure> {
    let (which, name) = match spec {
        SourceSpec::Podman(name) => (Which::Podman, name),
        SourceSpec::Docker(name) => (Which::Docker, name),
        SourceSpec::Rootfs(_) | SourceSpec::Tar(_) | SourceSpec::Oci(_) => {
            return Err(Failure::new(FailureKind::Internal, "opening", spec.to_string())
                .why("it is no container"));
        }
    };
    let failed = |e: EngineError| engine_failure("opening", spec, e);
    let engine = Engine::connect(which).map_err(failed)?;
    engine.heed(monitor.cancel());
    let container = engine.container(name).map_err(failed)?;
    if options.running == Running::Refuse {
        refuse_running(spec, &container)?;
    }
    monitor.phase("reading the container's layers");
    let way = on_disk::way(&engine, &container).map_err(failed)?;
    let layers = match way {
        Way::OnDisk => on_disk::layers(&engine, &container).map_err(|e| unreadable(spec, e))?,
        Way::Api => by_api::layers(&engine, &container, scratch, monitor)
            .map_err(|e| by_api_failure(&engine, spec, e))?,
    };
    let mut limitations = vec![];
    if let Fidelity::Api(told) = layers.fidelity {
        limitations.push(by_api::limitation(told));
    }
    let base = match &options.base {
        Some(name) => {
            let image = engine.image(name).map_err(failed)?;
            let layers = by_api::image_layers(&engine, &image.id, scratch)
                .map_err(|e| by_api_failure(&engine, spec, e))?;
            Some(Arc::new(LayerStack::new(layers)) as Arc<dyn Tree>)
        }
        None => None,
    };
    let trees = layers.layers.iter().take(layers.image_layers).map(|l| l.tree.clone()).collect();
    let (image_layers, fidelity) = (layers.image_layers, layers.fidelity);
    let below = layers.layers.iter().take(image_layers).cloned().collect();
    let beneath = beneath(&engine, &container, LayerStack::new(below)).map_err(failed)?;
    let stack = Arc::new(LayerStack::new(layers.layers));
    let image = ImageView::new(stack.clone(), image_layers, fidelity);
    let reading = Reading {
        engine: &engine,
        container: &container,
        root: &stack,
        binds: options.binds,
        way,
        scratch,
        spec,
    };
    let opened = Mounts::of(&reading)?;
    limitations.extend(opened.limitations);
    let started = started(&container.raw);
    let mut inspect = container.raw;
    if let Some(all) = inspect.as_object_mut() {
        // Where layers lie on the engine's machine; Podman tells it otherwise while it reads them.
        all.remove("GraphDriver");
    }
    Ok(Source {
        settings: settings::for_bundle(inspect),
        tree: Mounted::new(stack.clone(), opened.trees),
        mounted: opened.mounted,
        listed: opened.listed,
        on_disk: opened.on_disk,
        image: Some(image),
        beneath,
        layers: trees,
        base,
        in_container: true,
        container: Some(ContainerFacts { engine, id: container.id.clone(), started }),
        limitations,
        left_out: opened.left_out,
        ..Source::new(spec, container.name.clone(), stack)
    })
}

/// The image of `container`, whose files are `tree`; `None` where its name is forgotten.
fn beneath(
    engine: &Engine,
    container: &Container,
    tree: LayerStack,
) -> Result<Option<Beneath>, EngineError> {
    let image = match engine.image(&container.image_id) {
        Ok(image) => image,
        // It was removed by force; the container goes on without it.
        Err(error) if error.is_absence() => return Ok(None),
        Err(error) => return Err(error),
    };
    let (settings, volumes) = settings::of_image(&image.config);
    let name = container.image_name.clone();
    let fact = ImageFact { name, settings, volumes, ..ImageFact::default() };
    Ok(Some(Beneath { fact, tree: Arc::new(tree) }))
}

fn unreadable(spec: &SourceSpec, error: TreeError) -> Failure {
    Failure::new(FailureKind::Resource, "reading", spec.to_string())
        .because(error)
        .safe("the source is untouched, nothing was published")
        .next("make the source readable and run the same command again")
}

fn by_api_failure(engine: &Engine, spec: &SourceSpec, error: by_api::ApiError) -> Failure {
    // A stream that ends because of it ends like a broken one.
    if let Err(cancelled) = check_cancelled(engine.cancel(), "reading", &spec.to_string()) {
        return cancelled;
    }
    match error {
        by_api::ApiError::Engine(error) => engine_failure("reading", spec, error),
        error => Failure::new(FailureKind::Environment, "reading", spec.to_string())
            .why("the engine's answer cannot be used")
            .because(error)
            .safe("the source is untouched, nothing was published")
            .next("see the engine's log, then run the same command again"),
    }
}

/// A container whose mounts are read, and how.
struct Reading<'a> {
    engine: &'a Engine,
    container: &'a Container,
    /// Its own files, in which links to the mounts are followed.
    root: &'a LayerStack,
    binds: Binds,
    way: Way,
    scratch: &'a Path,
    spec: &'a SourceSpec,
}

/// The mounts of a container, sorted by what happens with them.
#[derive(Default)]
struct Mounts {
    trees: Vec<(RootPath, Arc<dyn Tree>)>,
    mounted: Vec<Mount>,
    listed: Vec<MountFact>,
    on_disk: Vec<(RootPath, Arc<Rootfs>)>,
    limitations: Vec<String>,
    left_out: Vec<LeftOut>,
}

impl Mounts {
    /// All mounts of the container that `reading` is of.
    fn of(reading: &Reading<'_>) -> Result<Mounts, Failure> {
        let mut opened = Mounts::default();
        for mount in &reading.container.mounts {
            opened.add(mount, reading)?;
        }
        Ok(opened)
    }

    /// Adds `mount` of the container that `reading` is of.
    fn add(&mut self, mount: &crate::engine::Mount, reading: &Reading<'_>) -> Result<(), Failure> {
        let Reading { engine, container, spec, .. } = *reading;
        // Engines follow links inside the container.
        let asked = &mount.destination;
        let place = crate::tree::resolve(reading.root, asked).map_err(|e| unreadable(spec, e))?;
        let place = place.unwrap_or_else(|| asked.clone());
        let mut fact = MountFact {
            kind: mount.kind,
            name: match mount.kind {
                MountKind::Volume => mount.name.clone(),
                _ => mount.source.to_string_lossy().into_owned(),
            },
            asked: (place != *asked).then(|| asked.clone()),
            destination: place.clone(),
            anonymous: mount.anonymous,
            kept: false,
            volume: match mount.kind {
                MountKind::Volume => volume_fact(engine, container, &mount.name)
                    .map_err(|e| engine_failure("inspecting the volume at", &place, e))?,
                _ => None,
            },
        };
        // What is mounted at a second place is kept at the first.
        let known = |other: &Mount| {
            (mount.kind, other.fact.kind) == (MountKind::Volume, MountKind::Volume)
                && other.fact.name == fact.name
        };
        let location = match (mount.kind, reading.binds) {
            (MountKind::Volume, _) if !self.mounted.iter().any(known) => Location::Volume,
            (MountKind::Bind, Binds::Take) => Location::Bind,
            _ => {
                if mount.kind == MountKind::Volume && is_in_parts(&container.raw, &mount.name) {
                    let subject = place.to_string();
                    let why = "a volume is kept at one place, and this is another part of it";
                    self.left_out.push(LeftOut { subject, why: why.to_owned() });
                }
                self.listed.push(fact);
                return Ok(());
            }
        };
        if let Some(volume) = &fact.volume {
            self.limitations.extend(volume_limitations(&fact.name, volume));
        }
        let on_disk = match reading.way {
            Way::OnDisk => on_disk::mount(engine, mount)
                .map_err(|e| engine_failure("reading", &mount.destination, e))?,
            Way::Api => None,
        };
        let tree: Arc<dyn Tree> = match on_disk {
            Some(found) => {
                self.on_disk.extend(found.rootfs.map(|rootfs| (place.clone(), rootfs)));
                found.tree
            }
            None => {
                let found = match by_api::mount(engine, container, mount, &place, reading.scratch) {
                    Ok(found) => found,
                    // Podman has no archive of a single file that is mounted.
                    Err(by_api::ApiError::Engine(error @ EngineError::Refused { .. }))
                        if location == Location::Bind =>
                    {
                        let subject = place.to_string();
                        self.left_out.push(LeftOut { subject, why: error.to_string() });
                        self.listed.push(fact);
                        return Ok(());
                    }
                    Err(error) => return Err(by_api_failure(engine, spec, error)),
                };
                self.limitations.push(by_api::mount_limitation(&place, found.told, found.owners));
                found.tree
            }
        };
        let top = tree.entry(&RootPath::root()).map_err(|e| unreadable(spec, e))?;
        let single = top.is_some_and(|top| !top.kind.is_dir());
        fact.kept = true;
        self.trees.push((place, tree));
        self.mounted.push(Mount { fact, location, single });
        Ok(())
    }
}

/// Whether only a directory of the volume `name` is mounted somewhere: what is seen at two places is
/// not the same then.
fn is_in_parts(raw: &Value, name: &str) -> bool {
    let mounts = raw["HostConfig"]["Mounts"].as_array().into_iter().flatten();
    let mut of_it = mounts.filter(|mount| mount["Source"] == name);
    of_it.any(|mount| !matches!(mount["VolumeOptions"]["Subpath"].as_str(), None | Some("")))
}

/// What the volume `name` is besides a directory for `container`, if anything.
fn volume_fact(
    engine: &Engine,
    container: &Container,
    name: &str,
) -> Result<Option<VolumeFact>, EngineError> {
    let volume = match engine.volume(name) {
        Ok(volume) => volume,
        Err(error) if error.is_absence() => return Ok(None),
        Err(error) => return Err(error),
    };
    let texts = |map: &Map<String, Value>| -> BTreeMap<String, String> {
        let texts = map.iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
        texts.map(|(key, value)| (key.clone(), value.to_owned())).collect()
    };
    let mut labels = texts(&volume.labels);
    // What engines and this program write on volumes says nothing about the service.
    let engines = ["com.docker.volume.", "regrow."];
    labels.retain(|key, _| !engines.iter().any(|own| key.starts_with(own)));
    let mut shared_with = engine.users_of_volume(name)?;
    shared_with.retain(|user| *user != container.name);
    let driver = Some(volume.driver).filter(|driver| driver != "local").unwrap_or_default();
    let fact = VolumeFact { driver, options: texts(&volume.options), labels, shared_with };
    Ok(Some(fact).filter(|fact| *fact != VolumeFact::default()))
}

/// What a bundle cannot hold of a volume.
fn volume_limitations(name: &str, volume: &VolumeFact) -> Vec<String> {
    let mut told = Vec::new();
    let name = escaped(name.as_bytes());
    if volume.is_elsewhere() {
        let driver = if volume.driver.is_empty() { "local" } else { &volume.driver };
        let options = volume.options_shown();
        told.push(format!(
            "volume {name}: made by the driver {driver} with options ({options}); its content is \
             kept as it is now, and a restore makes a volume of the engine's own"
        ));
    }
    if !volume.shared_with.is_empty() {
        told.push(format!(
            "volume {name}: {} use it too; its content is kept for this container alone",
            volume.shared_with.join(", ")
        ));
    }
    told
}

/// The tree of a stopped container of our own.
///
/// # Errors
/// The engine cannot deliver it.
pub(crate) fn read_container(
    engine: &Engine,
    id: &str,
    scratch: &Path,
) -> Result<Arc<dyn Tree>, Failure> {
    let failed = |e: EngineError| engine_failure("reading", &"the staging container", e);
    let container = engine.container(id).map_err(failed)?;
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
        let doing = ("reading", "the staging container");
        if let Err(cancelled) = check_cancelled(engine.cancel(), doing.0, doing.1) {
            return cancelled;
        }
        Failure::new(FailureKind::Environment, "reading", "the staging container")
            .because(error)
            .next("see the engine's log, then run the same command again")
    };
    let layers = match on_disk::way(engine, &container).map_err(failed)? {
        Way::OnDisk => on_disk::layers(engine, &container).map_err(|e| unusable(e.into()))?,
        Way::Api => by_api::layers(engine, &container, scratch, &crate::monitor::Silent)
            .map_err(|e| unusable(e.into()))?,
    };
    Ok(Arc::new(LayerStack::new(layers.layers)))
}
