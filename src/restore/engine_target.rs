//! [`EngineTarget`]: the new system as a container of an engine.
//!
//! Built in layers, each made the way that is faithful for what is in it: packages are installed
//! in a staging container whose difference the engine commits; the draft is a layer of our own
//! writing; what commands change above it is committed again. The last step makes a container of
//! the settled image, under its final name and with the old one's settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::layer::{LayerTar, layer};
use super::target::{Published, Target, Undelivered, VolumePlan};
use super::{RestoreOptions, Start};
use crate::bundle::Loss;
use crate::engine::settings::{self, Carried, Renewal};
use crate::engine::{
    ContainerSpec, Engine, EngineError, Image, LayerFile, Made, RUN_LABEL, Staging, VolumeName,
    run_id,
};
use crate::failure::{Failure, Kind};
use crate::source::read_container;
use crate::system::{Command, ContainerSystem, Ran, System};
use crate::tree::{Content, Draft, Entry, Meta, RootPath, Store, Tree, TreeError};

/// The label of what a restore made, with the bundle's id.
const BUNDLE_LABEL: &str = "regrow.bundle";

/// What the staging container does while commands run in it: nothing that a service's own programs
/// of the name, or an old busybox, would do otherwise.
const IDLE: &[&str] = &["/bin/sleep", "2147483647"];

/// The new system under construction in an engine.
pub(super) struct EngineTarget {
    engine: Engine,
    staging: Staging,
    bundle: String,
    name: String,
    tag: Option<String>,
    start: Start,
    /// The archived container's description; null for a source that was none.
    settings: Value,
    base: Image,
    /// The container that commands run in.
    container: String,
    /// The image that `container` was made of.
    image: String,
    /// Whether `container` holds changes that its image does not.
    changed: bool,
    below: Option<Arc<dyn Tree>>,
    volumes: Vec<Filled>,
}

/// A volume that was made and filled.
struct Filled {
    destination: RootPath,
    /// The archived name.
    archived: String,
    /// The volume that holds the content now.
    volume: String,
    /// It becomes a volume without a name of its own.
    anonymous: bool,
}

impl EngineTarget {
    /// Starts a staging container of `image`.
    ///
    /// # Errors
    /// No engine; no such image; the name, the tag or a volume's name is taken.
    pub(super) fn open(
        image: &str,
        name: &str,
        bundle: &str,
        settings: &Value,
        options: &RestoreOptions,
    ) -> Result<EngineTarget, Failure> {
        let failed = |e: EngineError| failure("restoring onto", image, e);
        let engine = Engine::connect(options.engine).map_err(failed)?;
        engine.heed_cancellation();
        let base = engine.image(image).map_err(failed)?;
        refuse_taken(&engine, name, options.tag.as_deref())?;
        let staging = Staging::new(&engine, run_id(bundle.get(..12).unwrap_or(bundle)));
        let spec = ContainerSpec::new(&base.id, IDLE).config("User", "0:0");
        let container = staging.container(&engine, None, &spec).map_err(failed)?;
        engine.start(&container).map_err(|e| {
            failed(e).why("the image cannot run `sleep`: it does not hold a Linux system")
        })?;
        Ok(EngineTarget {
            staging,
            bundle: bundle.to_owned(),
            name: name.to_owned(),
            tag: options.tag.clone(),
            start: options.start,
            settings: settings.clone(),
            image: base.id.clone(),
            base,
            container,
            changed: true,
            below: None,
            volumes: vec![],
            engine,
        })
    }

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
        let failed = |e| failure("making the volume", &plan.archived, e);
        let Some(wanted) = &plan.name else {
            // Its content waits in a volume of the run until the container has its own.
            let labels = self.staging.labels(&[]);
            let volume =
                self.engine.create_volume(VolumeName::Generated, &labels).map_err(failed)?;
            self.staging.register(Made::Volume(volume.name.clone()));
            return Ok(volume.name);
        };
        let free = !self.engine.volume_exists(wanted).map_err(failed)?;
        let name = if free { wanted.clone() } else { format!("{}_{wanted}", self.name) };
        let labels = self.lasting_labels();
        let volume = self.engine.create_volume(VolumeName::New(&name), &labels).map_err(failed)?;
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
        let packed = layer(&plan.content, store, &Nothing)?;
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
            Some(ran) if ran.code != 0 => {
                Err(Failure::new(Kind::Resource, "filling the volume at", subject.as_bytes())
                    .why(format!("`tar` ended with {}: {}", ran.code, ran.complaint()))
                    .next("see the reason, then run the same command again"))
            }
            _ => Ok(()),
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
            let spec = ContainerSpec::new(&self.base.id, &["cp", "-a", "/from/.", "/to/"])
                .config("User", "0:0")
                .without_network()
                .host(
                    "Binds",
                    json!([
                        format!("{}:/from:nocopy", filled.volume),
                        format!("{}:/to:nocopy", own.name)
                    ]),
                );
            let id = self.staging.container(&self.engine, None, &spec).map_err(failed)?;
            let mut nothing = std::io::sink();
            let ran =
                self.engine.run(&id, None, &mut nothing, crate::system::LIMIT).map_err(failed)?;
            if ran.code != 0 {
                return Err(Failure::new(
                    Kind::Resource,
                    "filling the volume at",
                    filled.destination.as_bytes(),
                )
                .why(String::from_utf8_lossy(&ran.stderr_tail).into_owned()));
            }
        }
        Ok(())
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
    fn final_spec(&self, image: &str) -> Result<Carried, Failure> {
        if self.settings.is_null() {
            let mut spec = ContainerSpec::default();
            spec.config.insert("Image".to_owned(), image.into());
            let has_command = ["Cmd", "Entrypoint"]
                .iter()
                .any(|key| self.base.config[*key].as_array().is_some_and(|a| !a.is_empty()));
            let spec = if has_command { spec } else { ContainerSpec::new(image, IDLE) };
            return Ok(Carried { spec, dropped: vec![], grants: vec![] });
        }
        let volumes = self.volume_names().into_iter().collect();
        let flavour = self.engine.info().flavour;
        let mut carried =
            settings::carry(&self.settings, &Renewal { image, volumes: &volumes, flavour })
                .map_err(|e| {
                    Failure::new(Kind::Refused, "carrying the settings of", &self.name)
                    .because(e)
                    .safe("the old container and the bundle are as they were, nothing new was left")
                    .next("archive the container again")
                })?;
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

/// A tree without anything in it: below a volume's content there is nothing.
struct Nothing;

impl Tree for Nothing {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(std::iter::empty())
    }

    fn entry(&self, _path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(None)
    }

    fn children(&self, _path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        Ok(vec![])
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let why = std::io::Error::from(std::io::ErrorKind::NotFound);
        Err(TreeError::io("reading", &entry.path, why))
    }
}

fn failure(doing: &str, subject: &str, error: EngineError) -> Failure {
    Failure::new(error.kind(), doing, subject)
        .safe("the old container and the bundle are as they were, nothing new was left")
        .next(error.advice())
        .because(error)
}

fn refuse_taken(engine: &Engine, name: &str, tag: Option<&str>) -> Result<(), Failure> {
    match engine.container(name) {
        Ok(_) => {
            return Err(Failure::new(Kind::Precondition, "making the container", name)
                .why("a container of this name exists")
                .safe("the existing container is untouched, nothing was made")
                .next("choose another name with --name"));
        }
        Err(error) if error.is_absence() => {}
        Err(error) => return Err(failure("making the container", name, error)),
    }
    match tag.map(|tag| (tag, engine.image(tag))) {
        Some((tag, Ok(_))) => Err(Failure::new(Kind::Precondition, "tagging the image", tag)
            .why("an image of this name exists")
            .safe("the existing image is untouched, nothing was made")
            .next("choose another name with --tag")),
        Some((_, Err(error))) if error.is_absence() => Ok(()),
        Some((tag, Err(error))) => Err(failure("tagging the image", tag, error)),
        None => Ok(()),
    }
}

impl Target for EngineTarget {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.changed = true;
        ContainerSystem::new(self.engine.clone(), self.container.clone()).run(commands)
    }

    fn tree(&mut self, scratch: &Path) -> Result<Arc<dyn Tree>, Failure> {
        self.halt()?;
        let tree = read_container(&self.engine, &self.container, scratch)?;
        self.below = Some(tree.clone());
        Ok(tree)
    }

    fn place(
        &mut self,
        draft: &Draft,
        volumes: &[VolumePlan],
        store: &dyn Store,
    ) -> Result<Undelivered, Failure> {
        let Some(below) = self.below.take() else {
            return Err(Failure::new(Kind::Internal, "placing", "the files")
                .why("the staged system was not looked at"));
        };
        let packaged = self.commit()?;
        let tar = layer(draft, store, &*below)?;
        drop(below);
        let labels = json!({ "Labels": self.staging.labels(&[]) });
        let config = labels.as_object().cloned().unwrap_or_default();
        let image = self.append(&packaged, vec![tar], &config)?;
        let mut binds = Vec::new();
        for plan in volumes {
            let volume = self.make_volume(plan)?;
            self.fill(&volume, plan, store)?;
            binds.push(format!("{volume}:{}:nocopy", plan.destination));
            self.volumes.push(Filled {
                destination: plan.asked.clone(),
                archived: plan.archived.clone(),
                volume,
                anonymous: plan.name.is_none(),
            });
        }
        let spec =
            ContainerSpec::new(&image, IDLE).config("User", "0:0").host("Binds", json!(binds));
        let failed = |e| failure("starting", "the staged system", e);
        self.container = self.staging.container(&self.engine, None, &spec).map_err(failed)?;
        self.image = image;
        self.changed = false;
        self.engine.start(&self.container).map_err(failed)?;
        Ok(Undelivered { losses: vec![], limitations: before_1970(draft) })
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

    fn adapt(&mut self, settings: &Value) {
        self.settings = settings.clone();
    }

    fn publish(&mut self) -> Result<Published, Failure> {
        self.halt()?;
        let failed = |e| failure("making", "the new container", e);
        let image = self.append(&self.image, vec![], &self.final_config())?;
        let carried = self.final_spec(&image)?;
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
        let dropped = carried
            .dropped
            .iter()
            .map(|d| Loss {
                subject: d.setting.clone(),
                what: format!("setting `{}` not carried", d.value),
                why: d.reason.to_owned(),
            })
            .collect();
        Ok(Published::Container { name: self.name.clone(), id, dropped, grants: carried.grants })
    }

    fn clean(&mut self) -> Vec<String> {
        // The layers that were read are let go of before their container goes.
        self.below = None;
        self.staging.discard().into_iter().map(|left| left.to_string()).collect()
    }

    fn volume_names(&self) -> Vec<(String, String)> {
        self.volumes
            .iter()
            .filter(|filled| !filled.anonymous)
            .map(|filled| (filled.archived.clone(), filled.volume.clone()))
            .collect()
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
