//! [`StoredImage`]: an image read from files, with the settings of a container made of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::shelf::{StoredError, digest_of};
use crate::pax::TarTree;
use crate::tree::{Layer, Whiteouts};

/// Most layers of an image. Engines allow 127; each needs an open file.
const MAX_LAYERS: usize = 500;

/// What a container takes from its image.
const TAKEN: [&str; 9] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "StopSignal",
    "User",
    "WorkingDir",
];

/// An image that lies in files.
pub(super) struct StoredImage {
    /// The digest of its configuration.
    id: String,
    config: Value,
    /// Bottom first.
    pub(super) trees: Vec<Arc<TarTree>>,
}

impl StoredImage {
    pub(super) fn new(id: String, config: Value, layers: Vec<TarTree>) -> StoredImage {
        StoredImage { id, config, trees: layers.into_iter().map(Arc::new).collect() }
    }

    /// Its layers, bottom first.
    pub(super) fn layers(&self) -> Vec<Layer> {
        let layer = |tree: &Arc<TarTree>| Layer { tree: tree.clone(), style: Whiteouts::Tar };
        self.trees.iter().map(layer).collect()
    }

    /// What an engine would say about a fresh container of this image.
    pub(super) fn settings(&self, name: &str) -> Value {
        let own = &self.config["config"];
        let mut config = Map::new();
        for key in TAKEN {
            config.insert(key.to_owned(), own[key].clone());
        }
        let volumes = own["Volumes"].as_object().into_iter().flat_map(Map::keys);
        let mounts: Vec<Value> = volumes
            .filter(|destination| destination.starts_with('/'))
            .map(|destination| {
                // A container has a volume of its own there, under a name that the engine makes up.
                let name = digest_of(destination.as_bytes()).replace("sha256:", "");
                json!({ "Type": "volume", "Name": name, "Destination": destination, "RW": true })
            })
            .collect();
        json!({
            "Id": self.id.trim_start_matches("sha256:"),
            "Name": format!("/{name}"),
            "Image": self.id,
            "Config": config,
            "HostConfig": {},
            "Mounts": mounts,
            "NetworkSettings": {},
        })
    }
}

/// The digests of the uncompressed layers that a configuration names, `layers` of them.
pub(super) fn diff_ids(config: &Value, layers: usize) -> Result<Vec<String>, StoredError> {
    let listed = config["rootfs"]["diff_ids"].as_array();
    let texts: Option<Vec<String>> =
        listed.and_then(|all| all.iter().map(|id| id.as_str().map(str::to_owned)).collect());
    let texts = texts.ok_or_else(|| {
        StoredError::Malformed("the image's configuration does not list its layers".to_owned())
    })?;
    if layers > MAX_LAYERS {
        return Err(StoredError::Malformed(format!("the image has more than {MAX_LAYERS} layers")));
    }
    if texts.len() == layers {
        return Ok(texts);
    }
    Err(StoredError::Malformed(format!(
        "the image has {layers} layers, and {} in its configuration",
        texts.len()
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::Flavour;
    use crate::engine::settings::{Renewal, carry, translate};

    #[test]
    fn a_container_made_of_the_settings_is_a_fresh_one_of_the_image() {
        let config = json!({ "config": {
            "Cmd": ["serve"],
            "Entrypoint": ["/init"],
            "Env": ["A=1"],
            "ExposedPorts": { "80/tcp": {} },
            "Healthcheck": { "Test": ["CMD", "true"] },
            "Hostname": "0123456789ab",
            "Image": "sha256:parent",
            "Labels": { "a": "b" },
            "OnBuild": ["RUN false"],
            "StopSignal": "SIGINT",
            "User": "web",
            "Volumes": { "/data": {}, "relative": {} },
            "WorkingDir": "/srv",
        }});
        let image = StoredImage::new(digest_of(b"config"), config, vec![]);
        let volumes = BTreeMap::new();
        for flavour in [Flavour::Docker, Flavour::Podman] {
            let renewal = Renewal { image: "new", volumes: &volumes, flavour };
            let carried = carry(&translate(&image.settings("web")).unwrap(), &renewal).unwrap();
            assert_eq!((carried.dropped, carried.grants), (vec![], vec![]));
            assert_eq!(Value::Object(carried.spec.host), json!({}));
            assert_eq!(
                Value::Object(carried.spec.config),
                json!({
                    "Cmd": ["serve"],
                    "Entrypoint": ["/init"],
                    "Env": ["A=1"],
                    "ExposedPorts": { "80/tcp": {} },
                    "Healthcheck": { "Test": ["CMD", "true"] },
                    "Image": "new",
                    "Labels": { "a": "b" },
                    "StopSignal": "SIGINT",
                    "User": "web",
                    "Volumes": { "/data": {} },
                    "WorkingDir": "/srv",
                })
            );
        }
    }

    #[test]
    fn a_configuration_of_anything_else_is_still_one() {
        for config in [json!(null), json!({ "config": 7 }), json!({ "config": { "Volumes": [] } })]
        {
            let settings = StoredImage::new(String::new(), config, vec![]).settings("x");
            assert_eq!(settings["Mounts"], json!([]));
        }
        let short = json!({ "rootfs": { "diff_ids": ["sha256:1"] } });
        assert!(diff_ids(&short, 1).is_ok());
        assert!(diff_ids(&short, 2).is_err());
        assert!(diff_ids(&json!({ "rootfs": { "diff_ids": [7] } }), 1).is_err());
        assert!(diff_ids(&json!({}), 0).is_err());
        let many = |layers| {
            let ids = vec!["sha256:1"; layers];
            diff_ids(&json!({ "rootfs": { "diff_ids": ids } }), layers)
        };
        assert!(many(MAX_LAYERS).is_ok());
        assert!(many(MAX_LAYERS + 1).is_err());
    }
}
