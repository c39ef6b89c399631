//! Making containers from settings.

use serde_json::{Map, Value, json};

use super::error::{EngineError, Object};
use super::wire::{Call, parsed};
use super::{Engine, items, text};

/// The settings of a container to be made, in the words of the engine's API.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerSpec {
    /// `Config`: what runs, as whom, with which environment; with `Image`.
    pub config: Map<String, Value>,
    /// `HostConfig`: what the engine gives it: ports, mounts, limits, capabilities.
    pub host: Map<String, Value>,
    /// `NetworkingConfig.EndpointsConfig`: networks by name. The container is made in the one
    /// that `NetworkMode` of `host` names, or in the engine's default, and connected to the
    /// others.
    pub endpoints: Map<String, Value>,
}

impl ContainerSpec {
    /// A container of `image` that runs `argv`, with nothing else set.
    ///
    /// The argv replaces the image's entrypoint too: imported images have no command at all.
    pub fn new(image: &str, argv: &[&str]) -> ContainerSpec {
        let mut spec = ContainerSpec::default();
        spec.config.insert("Image".to_owned(), image.into());
        spec.config.insert("Entrypoint".to_owned(), json!([]));
        spec.config.insert("Cmd".to_owned(), argv.into());
        spec
    }

    /// Sets one field of `Config`.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> ContainerSpec {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// Sets one field of `HostConfig`.
    #[must_use]
    pub fn host(mut self, key: &str, value: impl Into<Value>) -> ContainerSpec {
        self.host.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> ContainerSpec {
        let labels = self.config.entry("Labels").or_insert_with(|| json!({}));
        if !labels.is_object() {
            *labels = json!({});
        }
        labels[key] = value.into();
        self
    }

    /// Cuts the container off from every network.
    #[must_use]
    pub fn without_network(mut self) -> ContainerSpec {
        self.endpoints.clear();
        self.host("NetworkMode", "none")
    }

    /// The network it is made in, of those in `endpoints`; the others are connected to later.
    fn first_network(&self) -> Option<&str> {
        let mode = self.host.get("NetworkMode").and_then(Value::as_str)?;
        self.endpoints.contains_key(mode).then_some(mode)
    }

    /// The body of the request, in one network at most: API versions before 1.44 refuse more.
    fn body(&self) -> Value {
        let mut body = self.config.clone();
        body.insert("HostConfig".to_owned(), Value::Object(self.host.clone()));
        if let Some(first) = self.first_network() {
            let endpoint = &self.endpoints[first];
            body.insert(
                "NetworkingConfig".to_owned(),
                json!({ "EndpointsConfig": { first: endpoint } }),
            );
        }
        Value::Object(body)
    }
}

impl Engine {
    /// Makes a container, not started, called `name` or as the engine likes, and returns its id.
    ///
    /// When it cannot be connected to all of its networks, it is removed again.
    ///
    /// # Errors
    /// [`EngineError::NameTaken`]; [`EngineError::NoSuch`] of the image.
    pub fn create(&self, name: Option<&str>, spec: &ContainerSpec) -> Result<String, EngineError> {
        let object = Object::Container(name.unwrap_or_default().to_owned());
        let mut call =
            Call::new("POST", &["containers", "create"], "creating", object)?.body(&spec.body());
        if let Some(name) = name {
            call = call.query("name", name);
        }
        let about = call.about();
        let answer = self.bytes(call.patient()).map_err(|error| match error {
            EngineError::NoSuch { .. } => {
                let image = spec.config.get("Image").and_then(Value::as_str).unwrap_or_default();
                EngineError::NoSuch { object: Object::Image(image.to_owned()) }
            }
            other => other,
        })?;
        let id = text(&parsed(&answer, &about)?, &["Id"]);
        if id.is_empty() {
            return Err(about.unexpected("there is no container id"));
        }
        let first = spec.first_network();
        for (network, endpoint) in &spec.endpoints {
            if Some(network.as_str()) == first {
                continue;
            }
            if let Err(error) = self.connect_network(network, &id, endpoint) {
                // The first error is the one to report.
                let _ = self.for_cleanup().remove(&id);
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Ids of all containers, running or not, that carry `label` (`KEY` or `KEY=VALUE`).
    pub fn containers_labelled(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let call =
            Call::new("GET", &["containers", "json"], "listing containers of", Object::Engine)?
                .query("all", "true")
                .query("filters", json!({ "label": [label] }).to_string());
        let answer = self.json(call)?;
        Ok(items(&answer).iter().map(|c| text(c, &["Id"])).filter(|id| !id.is_empty()).collect())
    }
}
