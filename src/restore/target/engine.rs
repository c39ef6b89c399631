//! [`EngineTarget`]: the new system as a container of an engine.
//!
//! Built in layers, each made the way that is faithful for what is in it: packages are installed
//! in a staging container whose difference the engine commits; the draft is a layer of our own
//! writing; what commands change above it is committed again. The last step makes a container of
//! the settled image, under its final name and with the old one's settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::bundle::{Loss, Manifest};
use crate::cancel::Cancel;
use crate::engine::settings::{self, Carried, Renewal, SettingsError};
use crate::engine::{
    ContainerSpec, Engine, EngineError, Image, LayerFile, Made, RUN_LABEL, Staging, VolumeName,
    run_id,
};
use crate::failure::{Failure, FailureKind};
use crate::observe::Stage;
use crate::restore::options::{OnFailure, RestoreOptions, Start};
use crate::restore::target::layer::{LayerTar, layer};
use crate::restore::target::volumes::{self, VolumePlan};
use crate::restore::target::{
    Builder, Named, Publication, Published, Seen, Taken, Terms, Wanted, Watching,
};
use crate::service::ServiceSettings;
use crate::source::read_container;
use crate::survey::{ImageFact, Survey};
use crate::system::{Command, ContainerSystem, Ran, System};
use crate::tree::{Draft, Empty, Meta, RootPath, Store, Tree};

/// The label of what a restore made, with the bundle's id.
const BUNDLE_LABEL: &str = "regrow.bundle";

/// What the staging container does while commands run in it: nothing that a service's own programs
/// of the name, or an old busybox, would do otherwise.
const IDLE: &[&str] = &["/bin/sleep", "2147483647"];

/// The new system under construction in an engine.
pub(in crate::restore) struct EngineTarget {
    engine: Engine,
    staging: Staging,
    bundle: String,
    name: String,
    tag: Option<String>,
    start: Start,
    /// How the archived service was run.
    settings: Option<ServiceSettings>,
    base: Image,
    /// How `base` was named.
    onto: String,
    /// The container that commands run in.
    container: String,
    /// The image that `container` was made of.
    image: String,
    /// Whether `container` holds changes that its image does not.
    changed: bool,
    /// New names of the named volumes, by their archived ones.
    names: BTreeMap<String, String>,
    volumes: Vec<Filled>,
}

/// A volume that was made and filled.
struct Filled {
    destination: RootPath,
    /// Where it is mounted too.
    also: Vec<RootPath>,
    /// The volume that holds the content now.
    volume: String,
    /// It becomes a volume without a name of its own.
    anonymous: bool,
}

/// An engine where a new system may be built, and the names that it would have there.
pub(in crate::restore) struct EngineSite {
    engine: Engine,
    base: Image,
    onto: String,
    name: String,
    tag: Option<String>,
    names: BTreeMap<String, String>,
    taken: Vec<Taken>,
}

impl EngineSite {
    /// Looks for `image` and for names; nothing is made.
    ///
    /// # Errors
    /// No engine; no such image.
    pub(in crate::restore) fn find(
        image: &str,
        survey: &Survey,
        options: &RestoreOptions,
        cancel: &Cancel,
    ) -> Result<EngineSite, Failure> {
        let failed = |e: EngineError| failure("restoring onto", image, e);
        let engine = Engine::connect(options.engine).map_err(failed)?;
        engine.heed(cancel);
        let base = engine.image(image).map_err(failed)?;
        let (name, tag) = (options.container_name(&survey.name), options.tag.clone());
        let mut taken = taken_names(&engine, name, tag.as_deref())?;
        let names = volume_names(&engine, name, survey, &mut taken)?;
        let (onto, name) = (image.to_owned(), name.to_owned());
        Ok(EngineSite { base, onto, name, tag, names, taken, engine })
    }

    /// The names that something else has.
    pub(in crate::restore) fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Starts a staging container.
    ///
    /// # Errors
    /// The engine does not make it, or the image holds no Linux system.
    pub(in crate::restore) fn stage(
        self,
        manifest: &Manifest,
        start: Start,
        on_failure: OnFailure,
    ) -> Result<EngineTarget, Failure> {
        let EngineSite { engine, base, onto, name, tag, names, taken: _ } = self;
        let failed = |e: EngineError| failure("restoring onto", &base.id, e);
        let bundle = manifest.id.as_str();
        let staging = Staging::new(&engine, run_id(bundle.get(..12).unwrap_or(bundle)));
        if on_failure == OnFailure::Keep {
            staging.keep();
        }
        let spec = ContainerSpec::new(&base.id, IDLE).config("User", "0:0");
        let container = staging.container(&engine, None, &spec).map_err(failed)?;
        engine.start(&container).map_err(|e| {
            failed(e).why("the image cannot run `sleep`: it does not hold a Linux system")
        })?;
        Ok(EngineTarget {
            staging,
            bundle: bundle.to_owned(),
            name,
            tag,
            start,
            settings: None,
            image: base.id.clone(),
            base,
            onto,
            container,
            changed: true,
            names,
            volumes: vec![],
            engine,
        })
    }
}

impl EngineTarget {
    fn halt(&self) -> Result<(), Failure> {
        self.engine
            .stop(&self.container, Duration::ZERO)
            .map_err(|e| failure("stopping", "the staging container", e))
    }

    /// Makes an image of what the staging container holds.
    fn commit(&self) -> Result<String, Failure> {
        let config = json!({ "Labels": self.staging.labels(&[]) });
        let id = self
            .engine
            .commit(&self.container, &config)
            .map_err(|e| failure("keeping", "the staging container", e))?;
        self.staging.register(Made::Image(id.clone()));
        Ok(id)
    }

    /// An untagged image of `parent` with `layers` above it.
    fn append(
        &self,
        parent: &str,
        layers: Vec<LayerTar>,
        config: &Map<String, Value>,
    ) -> Result<String, Failure> {
        let layers = layers
            .into_iter()
            .map(|l| LayerFile { tar: l.tar, diff_id: format!("sha256:{}", l.digest) })
            .collect();
        let id = self
            .engine
            .append_layers(parent, layers, config)
            .map_err(|e| failure("loading", "the new image", e))?;
        self.staging.register(Made::Image(id.clone()));
        Ok(id)
    }

    fn make_volume(&self, plan: &VolumePlan) -> Result<String, Failure> {
        let texts = |map: &BTreeMap<String, String>| -> Map<String, Value> {
            map.iter().map(|(key, value)| (key.clone(), json!(value))).collect()
        };
        let options = texts(&plan.options);
        let (name, labels) = match self.names.get(&plan.archived).filter(|_| !plan.anonymous) {
            Some(name) => {
                let mut labels = texts(&plan.labels);
                labels.extend(self.lasting_labels());
                (VolumeName::New(name), labels)
            }
            // Its content waits in a volume of the run until the container has its own.
            None => (VolumeName::Generated, self.staging.labels(&[])),
        };
        let volume = self
            .engine
            .create_volume(name, &labels, &options)
            .map_err(|e| failure("making the volume", &plan.archived, e))?;
        self.staging.register(Made::Volume(volume.name.clone()));
        Ok(volume.name)
    }

    /// The labels of what is meant to stay.
    fn lasting_labels(&self) -> Map<String, Value> {
        Map::from_iter([
            (BUNDLE_LABEL.to_owned(), json!(self.bundle)),
            (RUN_LABEL.to_owned(), json!(self.staging.id())),
        ])
    }

    /// Unpacks `content` into the volume mounted at `destination` of the staging container, by the
    /// new system's own tar: an engine's way in would lose attributes on some of them.
    fn fill(&mut self, volume: &str, plan: &VolumePlan, store: &dyn Store) -> Result<(), Failure> {
        const PLACE: &str = "/regrow-volume";
        let subject = &plan.destination;
        let failed = |e| failure("filling the volume at", &subject.to_string(), e);
        // With the programs of the base image: the service may have others of their names.
        let spec = ContainerSpec::new(&self.base.id, IDLE)
            .config("User", "0:0")
            .without_network()
            .host("Binds", json!([format!("{volume}:{PLACE}:nocopy")]));
        let container = self.staging.container(&self.engine, None, &spec).map_err(failed)?;
        self.engine.start(&container).map_err(failed)?;
        let packed = layer(&plan.content, store, &Empty)?;
        let argv =
            ["tar", "-xpf", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", PLACE];
        let command = Command { stdin: Some(packed.tar), ..Command::new(&argv) };
        let mut commands = vec![command];
        if let Some(root) = plan.content.get(&RootPath::root()) {
            commands.extend(dress(PLACE, &root.entry.meta));
        }
        let ran = ContainerSystem::new(self.engine.clone(), container.clone()).run(commands)?;
        self.engine.remove(&container).map_err(failed)?;
        match ran.last() {
            Some(ran) if ran.code != 0 => Err(Failure::new(
                FailureKind::Resource,
                "filling the volume at",
                subject.as_bytes(),
            )
            .why(format!("`tar` ended with {}: {}", ran.code, ran.complaint()))
            .next("see the reason, then run the same command again")),
            _ => Ok(()),
        }
    }

    /// What was asked of the engine with `spec` and the new container `id` has not. It exists and is
    /// whole by now: an engine that does not describe it is no reason to remove it.
    fn unmet(&self, id: &str, spec: &ContainerSpec) -> Vec<Loss> {
        match self.engine.container(id) {
            Ok(made) => {
                let flavour = self.engine.info().flavour;
                settings::unmet(spec, &made.raw, flavour).iter().map(loss).collect()
            }
            Err(error) => vec![Loss {
                subject: self.name.clone(),
                what: "settings not compared".to_owned(),
                why: format!("the engine does not describe the new container: {error}"),
            }],
        }
    }

    /// Gives the new container's own unnamed volumes the content that waits for them.
    fn hand_over(&mut self, container: &str) -> Result<(), Failure> {
        let failed = |e| failure("filling the volumes of", "the new container", e);
        let made = self.engine.container(container).map_err(failed)?;
        for filled in self.volumes.iter().filter(|filled| filled.anonymous) {
            let Some(own) = made.mounts.iter().find(|m| m.destination == filled.destination) else {
                continue;
            };
            self.copy_volume(&filled.volume, &own.name, &filled.destination)?;
        }
        Ok(())
    }

    /// Copies the content of a volume into an empty one.
    fn copy_volume(&self, from: &str, to: &str, place: &RootPath) -> Result<(), Failure> {
        let failed = |e| failure("filling the volume at", &place.to_string(), e);
        let binds = json!([format!("{from}:/from:nocopy"), format!("{to}:/to:nocopy")]);
        let spec = ContainerSpec::new(&self.base.id, &["cp", "-a", "/from/.", "/to/"])
            .config("User", "0:0")
            .without_network()
            .host("Binds", binds);
        let id = self.staging.container(&self.engine, None, &spec).map_err(failed)?;
        let mut nothing = std::io::sink();
        let ran = self.engine.run(&id, None, &mut nothing, crate::system::LIMIT).map_err(failed)?;
        match ran.code {
            0 => Ok(()),
            _ => {
                Err(Failure::new(FailureKind::Resource, "filling the volume at", place.as_bytes())
                    .why(String::from_utf8_lossy(&ran.stderr_tail).into_owned()))
            }
        }
    }

    /// Copies of the volumes, where they are mounted.
    fn copied_volumes(&self) -> Result<Vec<String>, Failure> {
        let mut binds = vec![];
        for filled in &self.volumes {
            let failed = |e| failure("making a volume for", "the observation", e);
            let labels = self.staging.labels(&[]);
            let copy = self
                .engine
                .create_volume(VolumeName::Generated, &labels, &Map::new())
                .map_err(failed)?
                .name;
            self.staging.register(Made::Volume(copy.clone()));
            self.copy_volume(&filled.volume, &copy, &filled.destination)?;
            let places = std::iter::once(&filled.destination).chain(&filled.also);
            binds.extend(places.map(|place| format!("{copy}:{place}:nocopy")));
        }
        Ok(binds)
    }

    /// The configuration of the final image: the base's own, whatever the staging containers were
    /// started with, and labels that last.
    fn final_config(&self) -> Map<String, Value> {
        let mut config = Map::from_iter([
            ("User".to_owned(), json!("")),
            ("Cmd".to_owned(), Value::Null),
            ("Entrypoint".to_owned(), Value::Null),
        ]);
        config.extend(self.base.config.clone());
        config.insert("Labels".to_owned(), json!(self.lasting_labels()));
        config
    }

    /// The settings of the final container.
    fn final_spec(
        &self,
        image: &str,
        archived: Option<&ServiceSettings>,
    ) -> Result<Carried, Failure> {
        let Some(archived) = archived else {
            let mut spec = ContainerSpec::default();
            spec.config.insert("Image".to_owned(), image.into());
            let has_command = ["Cmd", "Entrypoint"]
                .iter()
                .any(|key| self.base.config[*key].as_array().is_some_and(|a| !a.is_empty()));
            let spec = if has_command { spec } else { ContainerSpec::new(image, IDLE) };
            return Ok(Carried { spec, dropped: vec![], grants: vec![] });
        };
        let flavour = self.engine.info().flavour;
        let renewal = Renewal { image, volumes: &self.names, flavour };
        let mut carried =
            settings::carry(archived, &renewal).map_err(|e| refused(&self.name, e))?;
        let networks: Vec<String> = carried.networks().map(str::to_owned).collect();
        for network in networks {
            let there = self.engine.network_exists(&network);
            if !there.map_err(|e| failure("looking for the network", &network, e))? {
                carried.drop_network(&network);
            }
        }
        Ok(carried)
    }
}

/// A loss for a setting that the new container does not have.
fn loss(dropped: &settings::Dropped) -> Loss {
    Loss {
        subject: dropped.setting.clone(),
        what: format!("setting `{}` not carried", dropped.value),
        why: dropped.reason.to_owned(),
    }
}

/// How the service of a bundle was run.
///
/// # Errors
/// What an engine told of it cannot be read (refused).
pub(in crate::restore) fn archived_settings(
    manifest: &Manifest,
) -> Result<Option<ServiceSettings>, Failure> {
    settings::of_bundle(&manifest.settings).map_err(|e| refused(&manifest.id, e))
}

fn refused(subject: &str, error: SettingsError) -> Failure {
    Failure::new(FailureKind::Refused, "carrying the settings of", subject)
        .because(error)
        .nothing_left()
        .next("archive the container again")
}

/// The commands that give the directory `target` its owner, mode and time: a tar cannot name it.
fn dress(target: &str, meta: &Meta) -> Vec<Command> {
    let owner = format!("{}:{}", meta.uid, meta.gid);
    let mode = format!("{:04o}", meta.mode);
    let time = format!("@{}.{:09}", meta.mtime.secs, meta.mtime.nanos);
    vec![
        Command::new(&["chown", &owner, target]),
        Command::new(&["chmod", &mode, target]),
        Command::new(&["touch", "-d", &time, target]),
    ]
}

fn failure(doing: &str, subject: &str, error: EngineError) -> Failure {
    Failure::new(error.kind(), doing, subject).nothing_left().next(error.advice()).because(error)
}

/// Which of the names that the result should have something else has.
fn taken_names(engine: &Engine, name: &str, tag: Option<&str>) -> Result<Vec<Taken>, Failure> {
    let mut taken = Vec::new();
    let mut note = |what, name: &str| taken.push(Taken { what, name: name.to_owned() });
    match engine.container(name) {
        Ok(_) => note(Named::Container, name),
        Err(error) if error.is_absence() => {}
        Err(error) => return Err(failure("making the container", name, error)),
    }
    match tag.map(|tag| (tag, engine.image(tag))) {
        Some((tag, Ok(_))) => note(Named::Image, tag),
        Some((tag, Err(error))) if !error.is_absence() => {
            return Err(failure("tagging the image", tag, error));
        }
        _ => {}
    }
    Ok(taken)
}

/// What the named volumes of `survey` will be called: as they were where that is free, else after
/// the container too.
fn volume_names(
    engine: &Engine,
    container: &str,
    survey: &Survey,
    taken: &mut Vec<Taken>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut names = BTreeMap::new();
    for mount in volumes::kept(survey).filter(|mount| !mount.anonymous) {
        let failed = |e| failure("looking for the volume", &mount.name, e);
        let mut name = mount.name.clone();
        if engine.volume_exists(&name).map_err(failed)? {
            name = format!("{container}_{name}");
            if engine.volume_exists(&name).map_err(failed)? {
                taken.push(Taken { what: Named::Volume, name: name.clone() });
            }
        }
        names.insert(mount.name.clone(), name);
    }
    Ok(names)
}

/// The settings of the old container that the new one will not have.
fn dropped(carried: &Carried) -> Vec<Loss> {
    carried.dropped.iter().map(loss).collect()
}

impl System for EngineTarget {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.changed = true;
        ContainerSystem::new(self.engine.clone(), self.container.clone()).run(commands)
    }
}

impl Builder for EngineTarget {
    fn terms(&self, wanted: Wanted<'_>) -> Result<Terms, Failure> {
        // Which image it will be made of changes nothing in what is carried.
        let carried = self.final_spec(&self.base.id, wanted.settings)?;
        Ok(Terms {
            publication: Publication {
                image: Some(self.base.id.clone()),
                container: Some(self.name.clone()),
                volumes: self.names.clone(),
            },
            dropped: dropped(&carried),
            grants: carried.grants,
            limitations: before_1970(wanted.draft),
        })
    }

    fn image(&self) -> Option<ImageFact> {
        let (settings, volumes) = settings::of_image(&self.base.config);
        Some(ImageFact { name: self.onto.clone(), settings, volumes, ..ImageFact::default() })
    }

    fn tree(&mut self, scratch: &Path) -> Result<Arc<dyn Tree>, Failure> {
        self.halt()?;
        read_container(&self.engine, &self.container, scratch)
    }

    fn place(
        &mut self,
        below: &dyn Tree,
        wanted: Wanted<'_>,
        store: &dyn Store,
    ) -> Result<Vec<Loss>, Failure> {
        self.settings = wanted.settings.cloned();
        let packaged = self.commit()?;
        let tar = layer(wanted.draft, store, below)?;
        let labels = json!({ "Labels": self.staging.labels(&[]) });
        let config = labels.as_object().cloned().unwrap_or_default();
        let image = self.append(&packaged, vec![tar], &config)?;
        let mut binds = Vec::new();
        for plan in wanted.volumes {
            let volume = self.make_volume(plan)?;
            self.fill(&volume, plan, store)?;
            let places = std::iter::once(&plan.destination).chain(&plan.also);
            binds.extend(places.map(|place| format!("{volume}:{place}:nocopy")));
            self.volumes.push(Filled {
                destination: plan.asked.clone(),
                also: plan.also.clone(),
                volume,
                anonymous: plan.anonymous,
            });
        }
        let spec =
            ContainerSpec::new(&image, IDLE).config("User", "0:0").host("Binds", json!(binds));
        let failed = |e| failure("starting", "the staged system", e);
        self.container = self.staging.container(&self.engine, None, &spec).map_err(failed)?;
        self.image = image;
        self.changed = false;
        self.engine.start(&self.container).map_err(failed)?;
        Ok(vec![])
    }

    fn seal(&mut self) -> Result<(), Failure> {
        if self.changed {
            self.halt()?;
            self.image = self.commit()?;
            self.engine
                .start(&self.container)
                .map_err(|e| failure("starting", "the staged system", e))?;
            self.changed = false;
        }
        Ok(())
    }

    fn observe(&mut self, watching: &Watching<'_>) -> Result<Seen, Failure> {
        let Some(settings) = &self.settings else {
            return Ok(Seen::Nothing("nothing says how it is run"));
        };
        self.halt()?;
        let tree = read_container(&self.engine, &self.container, watching.scratch)?;
        let stage = Stage {
            engine: &self.engine,
            staging: &self.staging,
            image: &self.image,
            binds: self.copied_volumes()?,
            settings,
            tree: &*tree,
            logs: watching.logs.clone(),
            lent: watching.lent.clone(),
        };
        let failed = |e| failure("observing", "the new service", e);
        let seen = stage.observe().map_err(failed)?;
        // Nothing is switched on any more: nothing runs.
        Ok(Seen::Observation(seen.unwrap_or_default()))
    }

    fn publish(&mut self) -> Result<Published, Failure> {
        self.halt()?;
        let failed = |e| failure("making", "the new container", e);
        let image = self.append(&self.image, vec![], &self.final_config())?;
        let carried = self.final_spec(&image, self.settings.as_ref())?;
        let spec = carried.spec.clone().label(RUN_LABEL, self.staging.id());
        let draft = self.staging.draft_name();
        let id = self.engine.create(Some(&draft), &spec).map_err(failed)?;
        let container = Made::Container(id.clone());
        self.staging.register(container.clone());
        self.hand_over(&id)?;
        self.engine.rename(&id, &self.name).map_err(failed)?;
        if let Some(tag) = &self.tag {
            let (repository, version) = split_tag(tag);
            self.engine.tag(&image, repository, version).map_err(failed)?;
        }
        if self.start == Start::Yes {
            self.engine.start(&id).map_err(|e| failure("starting", &self.name, e))?;
        }
        self.staging.disarm(&container);
        self.staging.disarm(&Made::Image(image));
        for filled in self.volumes.iter().filter(|filled| !filled.anonymous) {
            self.staging.disarm(&Made::Volume(filled.volume.clone()));
        }
        let mut lost = dropped(&carried);
        lost.extend(self.unmet(&id, &spec));
        Ok(Published::Container { name: self.name.clone(), id, dropped: lost })
    }

    fn clean(&mut self) -> Vec<String> {
        self.staging.discard().into_iter().map(|left| left.to_string()).collect()
    }
}

/// `registry/name:tag` in two; the tag is `latest` when there is none.
fn split_tag(tag: &str) -> (&str, &str) {
    match tag.rsplit_once(':') {
        Some((repository, version)) if !version.contains('/') => (repository, version),
        _ => (tag, "latest"),
    }
}

/// Engines turn times before 1970 into 1970 when they load a layer.
fn before_1970(draft: &Draft) -> Vec<String> {
    draft
        .nodes()
        .filter(|node| node.entry.meta.mtime.secs < 0)
        .map(|node| {
            format!("{}: its time before 1970 becomes 1970 in an engine's image", node.entry.path)
        })
        .collect()
}
