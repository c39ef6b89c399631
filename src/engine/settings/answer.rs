//! An engine's answer to `inspect`, in parts: [`Old`] as it was told, [`Fields`] as far as nobody
//! has understood it yet.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{SettingsError, is_empty};
use crate::engine::items;

/// The parts of an answer to `inspect`.
pub(super) struct Old<'a> {
    pub(super) inspect: &'a Value,
    pub(super) config: &'a Map<String, Value>,
    pub(super) host: &'a Map<String, Value>,
    /// The first twelve digits of the id: host name and alias where none was given.
    pub(super) short_id: &'a str,
    pub(super) podman: bool,
}

impl<'a> Old<'a> {
    pub(super) fn new(inspect: &'a Value) -> Result<Old<'a>, SettingsError> {
        let id = inspect["Id"].as_str().ok_or(SettingsError::Missing("Id"))?;
        let config = inspect["Config"].as_object().ok_or(SettingsError::Missing("Config"))?;
        let host = inspect["HostConfig"].as_object().ok_or(SettingsError::Missing("HostConfig"))?;
        let podman = items(&inspect["Config"]["Env"]).iter().any(|v| v == "container=podman")
            || inspect["HostConfig"]["Runtime"] == "oci";
        Ok(Old { inspect, config, host, short_id: id.get(..12).unwrap_or(id), podman })
    }

    /// A text of `HostConfig`; empty when there is none.
    pub(super) fn mode(&self, key: &str) -> &'a str {
        self.host.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Fields that say something and were not understood yet.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn of(from: &Map<String, Value>, keys: &[&str]) -> Fields {
        let fields = keys.iter().filter_map(|key| Some(((*key).to_owned(), from.get(*key)?)));
        let telling = fields.filter(|(_, value)| !is_empty(value));
        Fields(telling.map(|(key, value)| (key, value.clone())).collect())
    }

    /// Takes the field `key` out when it has this form.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.take_as(key, Some)
    }

    /// Takes the field `key` out when it has this form and `understand` makes something of it.
    pub(super) fn take_as<T: DeserializeOwned, U>(
        &mut self,
        key: &str,
        understand: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let understood = understand(T::deserialize(self.0.get(key)?).ok()?)?;
        self.0.remove(key);
        Some(understood)
    }

    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        self.take(key).unwrap_or_default()
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        self.take(key).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.take(key).unwrap_or_default()
    }
}
