//! [`StoredImage`]: an image read from files, with the settings of a container made of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::shelf::{StoredError, digest_of};
use crate::engine::settings::of_image;
use crate::facts::ImageFact;
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
    /// What it is called, where the file tells more than a version.
    name: String,
    config: Value,
    /// Bottom first.
    pub(super) trees: Vec<Arc<TarTree>>,
}

impl StoredImage {
    pub(super) fn new(id: String, config: Value, layers: Vec<TarTree>) -> StoredImage {
        let trees = layers.into_iter().map(Arc::new).collect();
        StoredImage { id, name: String::new(), config, trees }
    }

    /// The same, called by the first of `names` that is more than a version.
    pub(super) fn called<'a>(mut self, mut names: impl Iterator<Item = &'a str>) -> StoredImage {
        let name = names.find(|name| name.contains([':', '/']) && !name.starts_with("sha256:"));
        self.name = name.unwrap_or_default().to_owned();
        self
    }

    /// How many of its layers, from the bottom, are those of the image beneath a container that was
    /// committed; else all.
    pub(super) fn beneath(&self) -> usize {
        self.trees.len() - usize::from(self.trees.len() > 1 && is_committed(&self.config))
    }

    /// What it says of itself.
    pub(super) fn fact(&self) -> ImageFact {
        let (settings, volumes) = match self.config["config"].as_object() {
            Some(config) => of_image(config),
            None => Default::default(),
        };
        ImageFact { name: self.name.clone(), settings, volumes, ..ImageFact::default() }
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

/// Whether the history of the topmost layer says what a container ran, which builders never do.
fn is_committed(config: &Value) -> bool {
    let history = config["history"].as_array();
    let mut of_layers = history.into_iter().flatten().filter(|step| step["empty_layer"] != true);
    let by = of_layers.next_back().and_then(|step| step["created_by"].as_str());
    let words = config["config"]["Cmd"].as_array().into_iter().flatten();
    let ran: Vec<&str> = words.filter_map(Value::as_str).collect();
    !ran.is_empty() && by == Some(ran.join(" ").as_str())
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
    fn an_image_says_of_itself_what_it_would_say_to_an_engine() {
        let own =
            json!({"Cmd": ["serve", "all"], "Volumes": {"/data": {}}, "Hostname": "0123456789ab"});
        let image = StoredImage::new(String::new(), json!({"config": own}), vec![]);
        let fact = image.called(["latest", "sha256:1", "shop:1"].into_iter()).fact();
        assert_eq!((fact.name.as_str(), &*fact.volumes), ("shop:1", &["/data".to_owned()][..]));
        let settings = fact.settings;
        assert_eq!(
            (settings.command.join(" "), &*settings.host_name),
            ("serve all".to_owned(), "")
        );
    }

    #[test]
    fn a_committed_container_is_told_by_its_history() {
        let is = |by: &[Value]| {
            is_committed(&json!({"config": {"Cmd": ["serve", "all"]}, "history": by}))
        };
        let (built, ran) = (json!({"created_by": "COPY x"}), json!({"created_by": "serve all"}));
        let empty = json!({"created_by": "serve all", "empty_layer": true});
        assert!(is(&[built.clone(), ran.clone()]));
        assert!(!is(&[ran, built.clone()]));
        assert!(!is(&[built, empty]));
        assert!(!is(&[]));
        assert!(!is_committed(&json!({"history": [{"created_by": ""}]})));
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
