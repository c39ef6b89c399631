//! Networks of an archived container.

use serde_json::{Map, Value, json};

use super::{Carried, Old, is_empty};
use crate::engine::items;

/// Networks that are there by themselves, under whatever name an engine gives its default.
const DEFAULT_NETWORKS: [&str; 7] =
    ["", "default", "bridge", "podman", "slirp4netns", "pasta", "private"];

impl Carried {
    pub(super) fn set_network(&mut self, old: &Old<'_>) {
        // Podman appends options: `slirp4netns:port_handler=…`.
        let whole = old.mode("NetworkMode");
        let (mode, rest) = whole.split_once(':').unwrap_or((whole, ""));
        match mode {
            "host" | "none" => {
                self.spec.host.insert("NetworkMode".to_owned(), mode.into());
                return;
            }
            "container" | "ns" => {
                self.drop_setting("NetworkMode", whole, "it belongs to another container");
                return;
            }
            "slirp4netns" | "pasta" if !rest.is_empty() => {
                self.drop_setting("NetworkMode", whole, "options of a rootless network");
            }
            _ => {}
        }
        let networks = old.inspect["NetworkSettings"]["Networks"].as_object();
        let mut in_default = false;
        for (name, endpoint) in networks.into_iter().flatten() {
            if DEFAULT_NETWORKS.contains(&name.as_str()) {
                in_default = true;
            } else {
                self.spec.endpoints.insert(name.clone(), carried_endpoint(endpoint, old.short_id));
            }
        }
        // Podman says `bridge` for every network of its own.
        let first = match DEFAULT_NETWORKS.contains(&mode) {
            true if in_default => None,
            true => self.spec.endpoints.keys().next().cloned(),
            false => Some(mode.to_owned()),
        };
        if let Some(first) = first {
            self.spec.endpoints.entry(first.clone()).or_insert_with(|| json!({}));
            self.spec.host.insert("NetworkMode".to_owned(), first.into());
        }
    }

    /// The networks that have to exist before the container can be made.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.spec.endpoints.keys().map(String::as_str)
    }

    /// Does without the network `name`, which the engine does not have: another of the
    /// container's networks, or the default one, takes its place.
    pub fn drop_network(&mut self, name: &str) {
        if self.spec.endpoints.remove(name).is_none() {
            return;
        }
        if self.spec.host.get("NetworkMode").is_some_and(|mode| mode == name) {
            match self.spec.endpoints.keys().next().cloned() {
                Some(next) => self.spec.host.insert("NetworkMode".to_owned(), next.into()),
                None => self.spec.host.remove("NetworkMode"),
            };
        }
        self.drop_setting("Networks", name, "the engine has no such network");
    }
}

/// What a person decided about the container's place in a network; addresses that the engine
/// assigned are not among it.
fn carried_endpoint(endpoint: &Value, short_id: &str) -> Value {
    let mut new = Map::new();
    for key in ["IPAMConfig", "DriverOpts"] {
        if !is_empty(&endpoint[key]) {
            new.insert(key.to_owned(), endpoint[key].clone());
        }
    }
    let aliases: Vec<Value> =
        items(&endpoint["Aliases"]).iter().filter(|a| **a != short_id).cloned().collect();
    if !aliases.is_empty() {
        new.insert("Aliases".to_owned(), aliases.into());
    }
    Value::Object(new)
}
