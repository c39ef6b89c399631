//! Images as they are: inspected, saved, loaded, tagged.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::error::{About, EngineError, Object};
use super::stream::EngineReader;
use super::wire::Call;
use super::{Engine, items, text};

/// An image as the engine describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Id with its `sha256:`; of the configuration, or in containerd's store of the manifest.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// Digests of its uncompressed layers, the base first, with their `sha256:`.
    pub layers: Vec<String>,
    /// `Config`: what a container of it starts with.
    pub config: Map<String, Value>,
    /// Architecture, such as `amd64`.
    pub architecture: String,
    /// Variant of the architecture, such as `v8`; mostly empty.
    pub variant: String,
    /// Operating system, such as `linux`.
    pub os: String,
    /// Labels.
    pub labels: Map<String, Value>,
    /// Id of the image it was built from here, if the engine knows one; empty otherwise.
    pub parent: String,
}

fn call(
    method: &'static str,
    name: &str,
    tail: &[&str],
    act: &'static str,
) -> Result<Call, EngineError> {
    // A bare id is to Podman a name, and one that it refuses once the image is gone.
    let id = if is_hex_digest(name) { format!("sha256:{name}") } else { name.to_owned() };
    let segments = [&["images", id.as_str()], tail].concat();
    Call::new(method, &segments, act, Object::Image(name.to_owned()))
}

/// `id` with the digest's name before it, which Podman leaves out at places.
pub(super) fn with_algorithm(id: &str) -> String {
    if id.is_empty() || id.contains(':') { id.to_owned() } else { format!("sha256:{id}") }
}

fn is_hex_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl Image {
    fn new(raw: &Value, about: &About) -> Result<Image, EngineError> {
        let strings = |value: &Value| -> Vec<String> {
            items(value).iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let id = with_algorithm(&text(raw, &["Id"]));
        if id.is_empty() {
            return Err(about.unexpected("the image has no id"));
        }
        let config = raw["Config"].as_object().cloned().unwrap_or_default();
        Ok(Image {
            id,
            tags: strings(&raw["RepoTags"]),
            layers: strings(&raw["RootFS"]["Layers"]),
            architecture: text(raw, &["Architecture"]),
            variant: text(raw, &["Variant"]),
            os: text(raw, &["Os"]),
            labels: config.get("Labels").and_then(Value::as_object).cloned().unwrap_or_default(),
            config,
            parent: with_algorithm(&text(raw, &["Parent"])),
        })
    }
}

impl Engine {
    /// The image called `name`, or with that id. Nothing is pulled.
    pub fn image(&self, name: &str) -> Result<Image, EngineError> {
        let call = call("GET", name, &["json"], "inspecting")?;
        let about = call.about();
        Image::new(&self.json(call)?, &about)
    }

    /// The image as a tar that [`Engine::load`] takes: by kind and age of the engine a
    /// docker-archive, an OCI layout, or both in one.
    pub fn save(&self, image: &str) -> Result<EngineReader, EngineError> {
        self.reader(|| call("GET", image, &["get"], "saving"))
    }

    /// Loads images from a tar, and returns the ids and names that the engine says it loaded.
    pub fn load(&self, mut body: impl Read) -> Result<Vec<String>, EngineError> {
        let call = Call::new("POST", &["images", "load"], "loading an image into", Object::Engine)?
            .query("quiet", "true");
        let about = call.about();
        let answer = self.upload(call, &mut body)?;
        loaded(&answer, &about)
    }

    /// Gives the image `image` the further name `repository:tag`.
    pub fn tag(&self, image: &str, repository: &str, tag: &str) -> Result<(), EngineError> {
        let call = call("POST", image, &["tag"], "naming")?;
        self.bytes(call.query("repo", repository).query("tag", tag)).map(drop)
    }

    /// Removes the name `name` (`repository:tag`), and the image with it when that was its last;
    /// or, given an id, the image with all of its names. Untagged parents are kept.
    pub fn remove_image(&self, name: &str) -> Result<(), EngineError> {
        self.remove_image_with(name, &[("noprune", "true")])
    }

    pub(super) fn remove_image_with(
        &self,
        name: &str,
        query: &[(&'static str, &str)],
    ) -> Result<(), EngineError> {
        let mut call = call("DELETE", name, &[], "removing")?.patient();
        for (key, value) in query {
            call = call.query(key, *value);
        }
        self.bytes(call).map(drop)
    }

    /// Ids of all images, intermediate ones too, that carry `label`.
    pub fn images_labelled(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let call = Call::new("GET", &["images", "json"], "listing images of", Object::Engine)?
            .query("all", "true")
            .query("filters", json!({ "label": [label] }).to_string());
        let answer = self.json(call)?;
        Ok(items(&answer).iter().map(|i| with_algorithm(&text(i, &["Id"]))).collect())
    }
}

/// Reads the answer of `load`: JSON values one after the other, with the engine's progress in
/// words. An error may stand in the middle, under status 200.
fn loaded(answer: &[u8], about: &About) -> Result<Vec<String>, EngineError> {
    let mut names = vec![];
    for value in serde_json::Deserializer::from_slice(answer).into_iter::<Value>() {
        let value = value.map_err(|e| about.unexpected(format!("it is not JSON: {e}")))?;
        let error = text(&value, &["error"]);
        if !error.is_empty() {
            return Err(about.status(500, error));
        }
        for line in text(&value, &["stream"]).lines() {
            let Some(named) = line
                .strip_prefix("Loaded image ID: ")
                .or_else(|| line.strip_prefix("Loaded image: "))
                .or_else(|| line.strip_prefix("Loaded image(s): "))
            else {
                continue;
            };
            names.extend(named.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { act: "loading", object: Object::Engine }
    }

    #[test]
    fn what_was_loaded_is_read_from_the_words_of_both_engines() {
        let docker = b"{\"stream\":\"Loaded image ID: sha256:0a\\n\"}\r\n{\"stream\":\"Loaded image: a:b\\n\"}";
        assert_eq!(loaded(docker, &about()).unwrap(), ["sha256:0a", "a:b"]);
        let podman = b"{\"stream\":\"Loaded image: localhost/a:b,sha256:0b\"}";
        assert_eq!(loaded(podman, &about()).unwrap(), ["localhost/a:b", "sha256:0b"]);
        assert_eq!(loaded(b"", &about()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_error_under_status_200_is_an_error() {
        let answer =
            br#"{"errorDetail":{"message":"x"},"error":"write /a: no space left on device"}"#;
        let error = loaded(answer, &about()).unwrap_err();
        assert!(matches!(error, EngineError::NoSpace { .. }), "{error:?}");
    }
}
