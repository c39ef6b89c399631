//! Building an image: layers of our own on top of an image that is there.
//!
//! A layer that we write keeps nearly everything, which neither `commit` nor `PUT archive` does.
//! It gets in through `load`, as a docker-archive. Docker with a store of its own takes an
//! archive that leaves out the layers it already has; containerd's store and Podman want the
//! whole image, whose lower layers are then saved from the engine and handed back as they are.
//!
//! The image has no name, and no tie to its parent but the shared layers: the history is ours,
//! so that no engine takes it for a child whose parent may not be removed.

use std::fs::File;
use std::io::{self, Cursor, Read};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::{About, EngineError, Object};
use super::saved::Blob;
use super::{Engine, Flavour, Image};

/// One layer to be put on top.
#[derive(Debug)]
pub struct LayerFile {
    /// An uncompressed tar, read from its beginning whatever its position is.
    pub tar: File,
    /// `sha256:` and the digest of the whole file.
    pub diff_id: String,
}

/// Which layers of the parent the archive holds.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// None: the engine has them.
    Short,
    /// All of them.
    Whole,
}

impl Engine {
    /// Makes an untagged image of the layers of `parent` and `layers` above them, and returns
    /// its id.
    ///
    /// Fields of `config` (`Cmd`, `Env` …) replace those of the parent's; `Labels` are added to
    /// the parent's, of which those beginning with `regrow.` are left out. With no `layers` this
    /// is the parent under another configuration.
    pub fn append_layers(
        &self,
        parent: &str,
        layers: Vec<LayerFile>,
        config: &Map<String, Value>,
    ) -> Result<String, EngineError> {
        let parent = self.image(parent)?;
        let about = About { act: "adding layers to", object: Object::Image(parent.id.clone()) };
        let mut diff_ids = parent.layers.clone();
        let mut own = vec![];
        for layer in layers {
            let blob = checked(layer.tar, &layer.diff_id)
                .map_err(|e| about.local("cannot read a layer of ours", e))?;
            diff_ids.push(layer.diff_id);
            own.push(blob);
        }
        let config = image_config(&parent, &diff_ids, config).to_string();
        let archive = Archive { config, diff_ids, own };
        let short = self.info().flavour == Flavour::Docker && !self.info().containerd_store;
        if short {
            match self.load_archive(&archive, &parent, Form::Short, &about) {
                // What is wrong with the short form is not said in so many words.
                Err(EngineError::Refused { .. } | EngineError::Unexpected { .. }) => {}
                Err(EngineError::NoSuch { .. }) => {}
                other => return other,
            }
        }
        self.load_archive(&archive, &parent, Form::Whole, &about)
    }

    /// Loads `archive`, and makes sure that what was loaded is what was meant.
    fn load_archive(
        &self,
        archive: &Archive,
        parent: &Image,
        form: Form,
        about: &About,
    ) -> Result<String, EngineError> {
        let lower = match form {
            Form::Short => vec![],
            Form::Whole => self.saved(parent)?.layers,
        };
        let loaded = self.load(archive.stream(&lower))?;
        let found = match loaded.as_slice() {
            [id] => self.image(id).and_then(|image| match image.layers == archive.diff_ids {
                true => Ok(image.id),
                false => Err(about.unexpected("the loaded image has other layers")),
            }),
            _ => Err(about.unexpected(format!("{} images were loaded", loaded.len()))),
        };
        if found.is_err() {
            for id in &loaded {
                // Nobody else knows of it; the first error is the one to report.
                let _ = self.for_cleanup().remove_image(id);
            }
        }
        found
    }
}

/// The layer in `file`, if it is the one that `diff_id` says.
///
/// containerd's store takes a layer of another digest without a word, and fails at its use.
fn checked(file: File, diff_id: &str) -> io::Result<Blob> {
    let blob = Blob::whole(file)?;
    let mut digest = Sha256::new();
    io::copy(&mut io::BufReader::with_capacity(1 << 20, blob.reader()), &mut digest)?;
    if diff_id.strip_prefix("sha256:") != Some(hex::encode(digest.finalize()).as_str()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its content does not have the digest that it was written with",
        ));
    }
    Ok(blob)
}

/// The configuration of the new image.
fn image_config(parent: &Image, diff_ids: &[String], given: &Map<String, Value>) -> Value {
    let mut config = parent.config.clone();
    let mut labels = parent.labels.clone();
    // Labels of a staging container, or of an earlier restore, are not the new image's.
    labels.retain(|key, _| !key.starts_with("regrow."));
    for (key, value) in given {
        match (key.as_str(), value) {
            ("Labels", Value::Object(more)) => labels.extend(more.clone()),
            _ => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
    config.insert("Labels".to_owned(), Value::Object(labels));
    // One line for each layer, or engines that count them refuse the image.
    let history: Vec<Value> = (0..diff_ids.len())
        .map(|n| {
            let from = if n < parent.layers.len() { parent.id.as_str() } else { "regrow" };
            json!({ "created_by": from })
        })
        .collect();
    let mut image = json!({
        "created": jiff::Timestamp::now().to_string(),
        "architecture": parent.architecture,
        "os": parent.os,
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    });
    if !parent.variant.is_empty() {
        image["variant"] = parent.variant.as_str().into();
    }
    image
}

/// A docker-archive to be.
struct Archive {
    /// The image's configuration, as bytes whose digest is its name.
    config: String,
    diff_ids: Vec<String>,
    /// Our layers, the uppermost ones of `diff_ids`.
    own: Vec<Blob>,
}

impl Archive {
    /// The archive as a stream, with `lower` as the parent's layers, or none of them.
    fn stream(&self, lower: &[Blob]) -> impl Read + use<> {
        let config_name = format!("{}.json", hex::encode(Sha256::digest(self.config.as_bytes())));
        // By number, as two layers may well be equal.
        let name = |n: usize| format!("{n}.tar");
        let names: Vec<String> = (0..self.diff_ids.len()).map(name).collect();
        let manifest =
            json!([{ "Config": config_name, "RepoTags": null, "Layers": names }]).to_string();
        let first_own = self.diff_ids.len() - self.own.len();
        let blobs = lower.iter().enumerate().chain((first_own..).zip(&self.own));

        let mut parts: Vec<Box<dyn Read + Send>> = vec![];
        for (n, blob) in blobs {
            parts.push(Box::new(Cursor::new(header(&name(n), blob.length()))));
            parts.push(Box::new(blob.reader()));
            parts.push(Box::new(padding(blob.length())));
        }
        for (name, content) in [(config_name.as_str(), &self.config), ("manifest.json", &manifest)]
        {
            let length = content.len() as u64;
            parts.push(Box::new(Cursor::new(header(name, length))));
            parts.push(Box::new(Cursor::new(content.clone().into_bytes())));
            parts.push(Box::new(padding(length)));
        }
        parts.push(Box::new(io::repeat(0).take(1024)));
        parts.reverse();
        Parts(parts)
    }
}

fn header(name: &str, length: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    // Cannot fail: our names are short and relative.
    let _ = header.set_path(name);
    header.set_size(length);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padding(length: u64) -> impl Read + Send {
    io::repeat(0).take(length.next_multiple_of(512) - length)
}

/// Readers one after the other, the next one last.
struct Parts(Vec<Box<dyn Read + Send>>);

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.0.last_mut() {
            let n = part.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            self.0.pop();
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> Image {
        Image {
            id: "sha256:p".to_owned(),
            tags: vec![],
            layers: vec!["sha256:a".to_owned()],
            config: json!({ "Env": ["A=b"], "Cmd": ["old"], "Labels": null })
                .as_object()
                .cloned()
                .unwrap(),
            architecture: "arm64".to_owned(),
            variant: "v8".to_owned(),
            os: "linux".to_owned(),
            labels: json!({ "kept": "1", "regrow.staging": "x" }).as_object().cloned().unwrap(),
            parent: String::new(),
        }
    }

    #[test]
    fn the_new_configuration_keeps_the_parents_without_our_own_labels() {
        let given = json!({ "Cmd": ["new"], "Labels": { "regrow.bundle": "y" } });
        let diff_ids = ["sha256:a".to_owned(), "sha256:b".to_owned()];
        let mut config = image_config(&parent(), &diff_ids, given.as_object().unwrap());
        config["created"].take();
        assert_eq!(
            config,
            json!({
                "created": null,
                "architecture": "arm64",
                "variant": "v8",
                "os": "linux",
                "config": {
                    "Env": ["A=b"],
                    "Cmd": ["new"],
                    "Labels": { "kept": "1", "regrow.bundle": "y" },
                },
                "rootfs": { "type": "layers", "diff_ids": diff_ids },
                "history": [{ "created_by": "sha256:p" }, { "created_by": "regrow" }],
            })
        );
    }

    #[test]
    fn gnu_tar_reads_the_archive_in_both_forms() {
        let blob = |content: &str| {
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
            Blob::whole(file).unwrap()
        };
        let archive = Archive {
            config: "{}".to_owned(),
            diff_ids: vec!["a".to_owned(), "b".to_owned()],
            own: vec![blob(&"x".repeat(1000))],
        };
        let listed = |lower: &[Blob]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            io::copy(&mut archive.stream(lower), &mut file).unwrap();
            let output =
                std::process::Command::new("tar").arg("-tvf").arg(file.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .map(|line| {
                    let fields: Vec<&str> = line.split_whitespace().collect();
                    format!("{} {}", fields[2], fields[5])
                })
                .collect::<Vec<_>>()
        };
        let config = format!("2 {}.json", hex::encode(Sha256::digest(b"{}")));
        let manifest = "127 manifest.json";
        assert_eq!(listed(&[]), ["1000 1.tar", &config, manifest]);
        assert_eq!(listed(&[blob("low")]), ["3 0.tar", "1000 1.tar", &config, manifest]);
    }
}
