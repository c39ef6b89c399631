//! [`Staging`]: what is under construction, and its removal.
//!
//! Whatever an act makes before its last step carries the label `regrow.staging=ID`, and is
//! removed when the guard is dropped, be it by an error, a panic or a cancelled run. What a killed
//! process could not remove is found by its label later. Only what carries the label is ever
//! removed by [`Engine::remove_leftover`].

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::image::with_algorithm;
use super::{ContainerSpec, Engine, EngineError, Object};

/// The label of everything under construction; its value is the id of the run.
pub const STAGING_LABEL: &str = "regrow.staging";

/// The label of what is meant to outlive the run that made it; its value is the id of the run. A
/// label cannot be taken off again: it says nothing any more once the run is over, and all that
/// carries [`STAGING_LABEL`] with the same id is gone.
pub const RUN_LABEL: &str = "regrow.restore";

/// Pauses before a removal that the engine refused is tried again: it may still be letting go of
/// what it has just stopped, and says so by an error of its storage driver.
const PAUSES: [u64; 5] = [100, 400, 1_500, 3_000, 5_000];

/// Something that was made in an engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// A container, by id. Removed first, with its unnamed volumes.
    Container(String),
    /// A volume, by name. Removed when no container uses it any more.
    Volume(String),
    /// An image, by id or by name. Removed last.
    Image(String),
}

/// Something that could not be removed.
#[derive(Debug)]
pub struct Undeleted {
    /// What it is.
    pub made: Made,
    /// The last answer.
    pub why: EngineError,
}

impl fmt::Display for Undeleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} is still there, and `regrow gc` removes it: {}", self.made, self.why)
    }
}

/// Something that an interrupted run left.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    /// What it is.
    pub made: Made,
    /// The id of the run that made it.
    pub staging: String,
    /// All of its labels.
    pub labels: Map<String, Value>,
}

/// Removes what a run has made, unless it was published.
#[must_use = "what is under construction is removed when this is dropped"]
#[derive(Debug)]
pub struct Staging {
    engine: Engine,
    id: String,
    ledger: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    made: Vec<Made>,
    published: Vec<Made>,
    closed: bool,
    /// What is not removed on purpose stays.
    kept: bool,
}

impl Staging {
    /// A guard for the run `id`, which no other run may share.
    pub fn new(engine: &Engine, id: impl Into<String>) -> Staging {
        Staging { engine: engine.for_cleanup(), id: id.into(), ledger: Mutex::default() }
    }

    /// The id of the run.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a container that is meant to stay is called until it is complete.
    pub fn draft_name(&self) -> String {
        draft_name(&self.id)
    }

    /// The label of the run, together with `more`.
    pub fn labels(&self, more: &[(&str, &str)]) -> Map<String, Value> {
        let ours = (STAGING_LABEL.to_owned(), Value::from(self.id.as_str()));
        let more = more.iter().map(|&(key, value)| (key.to_owned(), Value::from(value)));
        more.chain([ours]).collect()
    }

    /// Makes a container that is labelled and registered.
    pub fn container(
        &self,
        engine: &Engine,
        name: Option<&str>,
        spec: &ContainerSpec,
    ) -> Result<String, EngineError> {
        let id = engine.create(name, &spec.clone().label(STAGING_LABEL, &self.id))?;
        self.register(Made::Container(id.clone()));
        Ok(id)
    }

    /// Takes responsibility for something that was made.
    pub fn register(&self, made: Made) {
        self.ledger().made.push(made);
    }

    /// Lets go of something that has been published.
    pub fn disarm(&self, made: &Made) {
        let mut ledger = self.ledger();
        ledger.made.retain(|m| m != made);
        ledger.published.push(made.clone());
    }

    /// Leaves everything to be looked at, with its label, unless it is discarded.
    pub fn keep(&self) {
        self.ledger().kept = true;
    }

    /// Removes everything that is registered or carries the label of this run, and was not
    /// disarmed; returns what could not be removed. The guard has done its work then.
    #[must_use = "what could not be removed is still there"]
    pub fn discard(&self) -> Vec<Undeleted> {
        self.remove_all()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The lists are whole after every single operation, so a panic elsewhere does not matter.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove_all(&self) -> Vec<Undeleted> {
        let (mut made, published) = {
            let mut ledger = self.ledger();
            if ledger.closed {
                return vec![];
            }
            ledger.closed = true;
            (std::mem::take(&mut ledger.made), std::mem::take(&mut ledger.published))
        };
        // The last one made may stand on those before it. The label finds what was made by a
        // request whose answer got lost; an engine that cannot list still gets the rest removed.
        made.reverse();
        let labelled = self.engine.labelled(&format!("{STAGING_LABEL}={}", self.id));
        for found in labelled.unwrap_or_default() {
            if !made.contains(&found) && !published.contains(&found) {
                made.push(found);
            }
        }
        made.sort_by_key(Made::turn);
        self.engine.remove_stubborn(made)
    }
}

impl Made {
    /// When it can be removed: what uses something goes before it.
    fn turn(&self) -> u8 {
        match self {
            Made::Container(_) => 0,
            Made::Volume(_) => 1,
            Made::Image(_) => 2,
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = match self.clone() {
            Made::Container(id) => Object::Container(id),
            Made::Volume(name) => Object::Volume(name),
            Made::Image(id) => Object::Image(id),
        };
        object.fmt(f)
    }
}

fn draft_name(run: &str) -> String {
    format!("regrow-unfinished-{run}")
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nobody is there to be told; what is still there afterwards is found by its label.
        if !self.ledger().kept {
            drop(self.remove_all());
        }
    }
}

impl Engine {
    /// Removes `made`; what is not there any more is fine.
    fn remove_made(&self, made: &Made) -> Result<(), EngineError> {
        let removed = match made {
            Made::Container(id) => self.remove(id),
            Made::Volume(name) => self.remove_volume(name),
            Made::Image(id) => self.remove_image(id),
        };
        match removed {
            Err(error) if error.is_absence() => Ok(()),
            other => other,
        }
    }

    /// Removes all of `made`, in this order, and tries again what the engine refuses; returns what
    /// could not be removed.
    fn remove_stubborn(&self, made: Vec<Made>) -> Vec<Undeleted> {
        let mut left = self.attempt(made);
        for pause in PAUSES {
            if !left.iter().any(|u| matches!(u.why, EngineError::Refused { .. })) {
                break;
            }
            std::thread::sleep(Duration::from_millis(pause));
            left = self.attempt(left.into_iter().map(|u| u.made).collect());
        }
        left
    }

    fn attempt(&self, made: Vec<Made>) -> Vec<Undeleted> {
        let attempt = |made: Made| match self.remove_made(&made) {
            Ok(()) => None,
            Err(why) => Some(Undeleted { made, why }),
        };
        made.into_iter().filter_map(attempt).collect()
    }

    /// What carries `label`, in the order in which it can be removed.
    fn labelled(&self, label: &str) -> Result<Vec<Made>, EngineError> {
        let containers = self.containers_labelled(label)?.into_iter().map(Made::Container);
        let volumes = self.volumes_labelled(label)?.into_iter().map(Made::Volume);
        let images = self.images_labelled(label)?.into_iter().map(Made::Image);
        Ok(containers.chain(volumes).chain(images).collect())
    }

    /// Everything under construction, in the order in which it can be removed. Runs that go on
    /// have their things here too.
    pub fn staged(&self) -> Result<Vec<Leftover>, EngineError> {
        let mut found = vec![];
        for made in self.labelled(STAGING_LABEL)? {
            let labels = match &made {
                Made::Container(id) => self.container(id).map(|c| c.labels()),
                Made::Volume(name) => self.volume(name).map(|v| v.labels),
                Made::Image(id) => self.image(id).map(|i| i.labels),
            };
            let labels = match labels {
                // Gone between being listed and being looked at.
                Err(error) if error.is_absence() => continue,
                other => other?,
            };
            // An engine that ignores the filter must not make us remove what is not ours.
            if let Some(staging) = labels.get(STAGING_LABEL).and_then(Value::as_str) {
                found.push(Leftover { made, staging: staging.to_owned(), labels });
            }
        }
        Ok(found)
    }

    /// What the run `run` made for good, of which nothing is of use: a container that did not get
    /// its name, volumes and images that no container uses. Only of a run that left something
    /// under construction: the things of another one are the user's.
    ///
    /// Volumes may be among them that are used after all: the engine then refuses to remove them,
    /// see [`Engine::remove_unused`].
    pub fn unfinished(&self, run: &str) -> Result<Vec<Made>, EngineError> {
        let label = format!("{RUN_LABEL}={run}");
        let mut made = vec![];
        let mut used = vec![];
        for id in self.containers_labelled(&label)? {
            match self.container(&id) {
                Ok(container) if container.name == draft_name(run) => {
                    made.push(Made::Container(id));
                }
                Ok(container) => used.push(with_algorithm(&container.image_id)),
                Err(error) if error.is_absence() => {}
                Err(error) => return Err(error),
            }
        }
        made.extend(self.volumes_labelled(&label)?.into_iter().map(Made::Volume));
        for id in self.images_labelled(&label)? {
            let tagged = match self.image(&id) {
                Ok(image) => !image.tags.is_empty(),
                Err(error) if error.is_absence() => continue,
                Err(error) => return Err(error),
            };
            if !tagged && !used.contains(&id) {
                made.push(Made::Image(id));
            }
        }
        Ok(made)
    }

    /// Removes `made` unless something uses it; whether it was removed.
    pub fn remove_unused(&self, made: &Made) -> Result<bool, EngineError> {
        match self.remove_made(made) {
            Ok(()) => Ok(true),
            Err(EngineError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes something that [`Engine::staged`] found.
    pub fn remove_leftover(&self, leftover: &Leftover) -> Result<(), EngineError> {
        self.remove_made(&leftover.made)
    }
}
