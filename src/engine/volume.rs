//! Volumes.

use serde_json::{Map, Value, json};

use super::error::{EngineError, Object};
use super::stream::EngineReader;
use super::wire::{Call, parsed};
use super::{Engine, STAGING_LABEL, at, items, text};

/// A volume as the engine describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// Where its content lies, in the engine's file system.
    pub mountpoint: std::path::PathBuf,
    /// Its labels.
    pub labels: Map<String, Value>,
    /// Options of its driver.
    pub options: Map<String, Value>,
}

/// What a volume to be made is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeName<'a> {
    /// As given, and not if something is called so already.
    New(&'a str),
    /// As the engine likes.
    Generated,
}

fn call(method: &'static str, name: &str, act: &'static str) -> Result<Call, EngineError> {
    Call::new(method, &["volumes", name], act, Object::Volume(name.to_owned()))
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

impl Volume {
    fn new(raw: &Value) -> Volume {
        Volume {
            name: text(raw, &["Name"]),
            driver: text(raw, &["Driver"]),
            mountpoint: text(raw, &["Mountpoint"]).into(),
            labels: map(&raw["Labels"]),
            options: map(&raw["Options"]),
        }
    }
}

impl Engine {
    /// Makes an empty volume with `labels`, by the driver `local` with `options`.
    ///
    /// # Errors
    /// [`EngineError::NameTaken`]. Engines answer a request for a volume that exists with that
    /// volume; a name that is taken between the look and the request is seen from its labels,
    /// so `labels` should hold one that is this run's own.
    pub fn create_volume(
        &self,
        name: VolumeName<'_>,
        labels: &Map<String, Value>,
        options: &Map<String, Value>,
    ) -> Result<Volume, EngineError> {
        let shown = match name {
            VolumeName::New(name) => name,
            VolumeName::Generated => "",
        };
        let taken = || EngineError::NameTaken { object: Object::Volume(shown.to_owned()) };
        let mut body = json!({ "Driver": "local", "Labels": labels });
        if !options.is_empty() {
            body["DriverOpts"] = Value::Object(options.clone());
        }
        if let VolumeName::New(name) = name {
            if self.volume_exists(name)? {
                return Err(taken());
            }
            body["Name"] = name.into();
        }
        let object = Object::Volume(shown.to_owned());
        let call = Call::new("POST", &["volumes", "create"], "creating", object)?.body(&body);
        let about = call.about();
        let volume = Volume::new(&parsed(&self.bytes(call)?, &about)?);
        if volume.name.is_empty() {
            return Err(about.unexpected("the volume has no name"));
        }
        if labels.iter().any(|(key, value)| volume.labels.get(key) != Some(value)) {
            return Err(taken());
        }
        Ok(volume)
    }

    /// The volume called `name`.
    pub fn volume(&self, name: &str) -> Result<Volume, EngineError> {
        Ok(Volume::new(&self.json(call("GET", name, "inspecting")?)?))
    }

    /// Whether there is a volume called `name`.
    pub fn volume_exists(&self, name: &str) -> Result<bool, EngineError> {
        match self.volume(name) {
            // Podman finds a volume by the beginning of its name too.
            Ok(volume) => Ok(volume.name == name),
            Err(error) if error.is_absence() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names of the containers, running or not, that have the volume `name` mounted, in order;
    /// those that a run of ours left out.
    pub fn users_of_volume(&self, name: &str) -> Result<Vec<String>, EngineError> {
        let object = Object::Volume(name.to_owned());
        let call = Call::new("GET", &["containers", "json"], "listing containers of", object)?
            .query("all", "true")
            .query("filters", json!({ "volume": [name] }).to_string());
        let answer = self.json(call)?;
        let theirs = items(&answer).iter().filter(|container| {
            let mounts = items(&container["Mounts"]);
            // Engines find a volume by a part of its name too.
            let uses =
                mounts.is_empty() || mounts.iter().any(|mount| text(mount, &["Name"]) == name);
            uses && at(container, &["Labels", STAGING_LABEL]).is_null()
        });
        let names = theirs.map(|container| {
            let names = items(&container["Names"]);
            let first = names.first().and_then(Value::as_str).unwrap_or_default();
            first.trim_start_matches('/').to_owned()
        });
        let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        names.sort();
        Ok(names)
    }

    /// The content of a volume as a tar, names relative to the volume, owners included; `None`
    /// where the engine cannot: Docker, and Podman before 5.6.
    pub fn export_volume(&self, name: &str) -> Result<Option<EngineReader>, EngineError> {
        let segments = ["libpod", "volumes", name, "export"];
        let object = || Object::Volume(name.to_owned());
        match self.reader(|| Call::new("GET", &segments, "exporting", object())) {
            Ok(reader) => Ok(Some(reader)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a volume that no container uses.
    pub fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.bytes(call("DELETE", name, "removing")?.patient()).map(drop)
    }

    /// Names of the volumes that carry `label`.
    pub fn volumes_labelled(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let call = Call::new("GET", &["volumes"], "listing volumes of", Object::Engine)?
            .query("filters", json!({ "label": [label] }).to_string());
        let answer = self.json(call)?;
        Ok(items(&answer["Volumes"]).iter().map(|v| text(v, &["Name"])).collect())
    }
}
