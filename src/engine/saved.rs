//! [`SavedImage`]: the layers of an image as its engine saves them.
//!
//! Engines save in two forms, and newer ones in both at once: the docker-archive, whose
//! `manifest.json` names a configuration and layer files, and the OCI layout, whose `index.json`
//! leads to manifests of blobs named by digest. What is looked for is not a name but the image
//! with the right uncompressed layers, so that a save of several images or platforms is no
//! trouble. Layers are handed out as they lie there, plain or compressed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use serde_json::Value;

use super::error::{About, EngineError, Object};
use super::{Engine, Image, items, text};

/// Most members of a saved image: a few per layer, and engines allow some hundred layers.
const MAX_MEMBERS: usize = 100_000;

/// Longest configuration or manifest that is read.
const MAX_JSON: u64 = 32 << 20;

/// How deep indexes may stand in indexes, and links lead to links.
const MAX_DEPTH: usize = 8;

/// An image that was saved into an unnamed temporary file.
#[derive(Debug)]
pub struct SavedImage {
    /// Its layers, the base first, in the order of [`Image::layers`].
    pub layers: Vec<Blob>,
    /// The image's configuration, with `rootfs` and `history`.
    pub config: Value,
}

/// A run of bytes in a file.
#[derive(Debug, Clone)]
pub struct Blob {
    file: Arc<File>,
    offset: u64,
    length: u64,
}

impl Blob {
    /// The whole of `file`, as long as it is now.
    pub(super) fn whole(file: File) -> io::Result<Blob> {
        let length = file.metadata()?.len();
        Ok(Blob { file: Arc::new(file), offset: 0, length })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads it from its beginning; readers of one file do not disturb each other.
    pub fn reader(&self) -> BlobReader {
        BlobReader { blob: self.clone(), at: 0 }
    }

    fn json(&self) -> Option<Value> {
        if self.length > MAX_JSON {
            return None;
        }
        serde_json::from_reader(BufReader::new(self.reader())).ok()
    }
}

/// Reads a [`Blob`]; a file that became shorter is an error.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    at: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.length - self.at;
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.blob.file.read_at(&mut buffer[..wanted], self.blob.offset + self.at)?;
        if n == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Engine {
    /// Saves `image` into an unnamed temporary file, and finds its layers there.
    pub fn saved(&self, image: &Image) -> Result<SavedImage, EngineError> {
        let about = About { act: "saving", object: Object::Image(image.id.clone()) };
        let mut file =
            tempfile::tempfile().map_err(|e| about.local("cannot make a temporary file", e))?;
        copy(&mut self.save(&image.id)?, &mut file, &about)?;
        Members::of(file, &about)?
            .find(&image.layers)
            .ok_or_else(|| about.unexpected("the saved image does not hold the image's layers"))
    }
}

/// Copies all of a stream, telling the engine's errors from those of our disk.
fn copy(from: &mut dyn Read, to: &mut File, about: &About) -> Result<(), EngineError> {
    use std::io::Write;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(about.torn(e)),
        };
        to.write_all(&buffer[..n]).map_err(|e| about.local("cannot keep it for a while", e))?;
    }
    to.rewind().map_err(|e| about.local("cannot keep it for a while", e))
}

/// What a name in the tar stands for.
enum Named {
    Blob(Blob),
    /// Docker before 25 links layers that occur twice.
    Link(String),
}

/// The members of a saved image by name.
struct Members(HashMap<String, Named>);

impl Members {
    fn of(file: File, about: &About) -> Result<Members, EngineError> {
        let bad = |e: io::Error| about.unexpected(format!("the saved image is no tar: {e}"));
        let shared = Arc::new(file.try_clone().map_err(|e| about.local("cannot read it", e))?);
        let mut members = HashMap::new();
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek().map_err(bad)? {
            let entry = entry.map_err(bad)?;
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else { continue };
            let kind = entry.header().entry_type();
            let member = if kind.is_file() {
                let (offset, length) = (entry.raw_file_position(), entry.size());
                Named::Blob(Blob { file: Arc::clone(&shared), offset, length })
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                Named::Link(match kind.is_symlink() {
                    true => beside(&name, &target),
                    false => target,
                })
            } else {
                continue;
            };
            members.insert(name.trim_start_matches("./").to_owned(), member);
            if members.len() > MAX_MEMBERS {
                return Err(about.unexpected("the saved image has too many members"));
            }
        }
        Ok(Members(members))
    }

    fn blob(&self, name: &str) -> Option<&Blob> {
        let mut name = name;
        for _ in 0..MAX_DEPTH {
            match self.0.get(name)? {
                Named::Blob(blob) => return Some(blob),
                Named::Link(target) => name = target,
            }
        }
        None
    }

    fn by_digest(&self, digest: &str) -> Option<&Blob> {
        let (algorithm, hex) = digest.split_once(':')?;
        self.blob(&format!("blobs/{algorithm}/{hex}"))
    }

    /// The image whose uncompressed layers are `diff_ids`.
    fn find(&self, diff_ids: &[String]) -> Option<SavedImage> {
        self.in_docker_archive(diff_ids).or_else(|| {
            let index = self.blob("index.json")?.json()?;
            self.in_index(&index, diff_ids, 0)
        })
    }

    fn in_docker_archive(&self, diff_ids: &[String]) -> Option<SavedImage> {
        let manifest = self.blob("manifest.json")?.json()?;
        items(&manifest).iter().find_map(|image| {
            let config = self.blob(&text(image, &["Config"]))?.json()?;
            let layers = items(&image["Layers"])
                .iter()
                .map(|layer| self.blob(layer.as_str()?).cloned())
                .collect::<Option<Vec<_>>>()?;
            matching(config, layers, diff_ids)
        })
    }

    fn in_index(&self, index: &Value, diff_ids: &[String], depth: usize) -> Option<SavedImage> {
        if depth > MAX_DEPTH {
            return None;
        }
        items(&index["manifests"]).iter().find_map(|descriptor| {
            let manifest = self.by_digest(&text(descriptor, &["digest"]))?.json()?;
            if manifest["manifests"].is_array() {
                return self.in_index(&manifest, diff_ids, depth + 1);
            }
            let config = self.by_digest(&text(&manifest, &["config", "digest"]))?.json()?;
            let layers = items(&manifest["layers"])
                .iter()
                .map(|layer| self.by_digest(&text(layer, &["digest"])).cloned())
                .collect::<Option<Vec<_>>>()?;
            matching(config, layers, diff_ids)
        })
    }
}

fn matching(config: Value, layers: Vec<Blob>, diff_ids: &[String]) -> Option<SavedImage> {
    let listed = items(&config["rootfs"]["diff_ids"]);
    let same = listed.len() == layers.len() && listed.iter().eq(diff_ids.iter());
    same.then_some(SavedImage { layers, config })
}

/// Where the symlink `name` leads with its relative `target`.
fn beside(name: &str, target: &str) -> String {
    let mut at: Vec<&str> = name.split('/').collect();
    at.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(at.pop()),
            part => at.push(part),
        }
    }
    at.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A tar of `members`; a value that starts with `->` is a symlink.
    fn tar_of(members: &[(&str, &str)]) -> File {
        let mut tar = tar::Builder::new(tempfile::tempfile().unwrap());
        for (name, content) in members {
            let mut header = tar::Header::new_ustar();
            match content.strip_prefix("->") {
                Some(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, name, target).unwrap();
                }
                None => {
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, name, content.as_bytes()).unwrap();
                }
            }
        }
        let mut file = tar.into_inner().unwrap();
        file.rewind().unwrap();
        file
    }

    fn found(members: &[(&str, &str)], diff_ids: &[&str]) -> Option<Vec<String>> {
        let about = About { act: "saving", object: Object::Engine };
        let diff_ids: Vec<String> = diff_ids.iter().map(|&d| d.to_owned()).collect();
        let saved = Members::of(tar_of(members), &about).unwrap().find(&diff_ids)?;
        let text = |blob: &Blob| std::io::read_to_string(blob.reader()).unwrap();
        Some(saved.layers.iter().map(text).collect())
    }

    fn config(diff_ids: &[&str]) -> String {
        json!({ "rootfs": { "diff_ids": diff_ids } }).to_string()
    }

    #[test]
    fn the_right_image_of_a_docker_archive_is_found_through_links() {
        let manifest = json!([
            { "Config": "other.json", "Layers": ["b/layer.tar"] },
            { "Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar"] },
        ])
        .to_string();
        let members = [
            ("a/layer.tar", "one"),
            ("b/layer.tar", "->../a/layer.tar"),
            ("c.json", &config(&["x", "x"])),
            ("other.json", &config(&["x"])),
            ("manifest.json", &manifest),
        ];
        assert_eq!(found(&members, &["x", "x"]).unwrap(), ["one", "one"]);
        assert_eq!(found(&members, &["x"]).unwrap(), ["one"]);
        assert_eq!(found(&members, &["y"]), None);
    }

    #[test]
    fn the_right_platform_of_an_oci_layout_is_found_below_an_index() {
        let index = json!({ "manifests": [{ "digest": "sha256:1" }] }).to_string();
        let inner = json!({ "manifests": [{ "digest": "sha256:2" }, { "digest": "sha256:3" }] })
            .to_string();
        let manifest = |config: &str, layer: &str| {
            json!({ "config": { "digest": config }, "layers": [{ "digest": layer }] }).to_string()
        };
        let members = [
            ("index.json", index.as_str()),
            ("blobs/sha256/1", &inner),
            ("blobs/sha256/2", &manifest("sha256:4", "sha256:absent")),
            ("blobs/sha256/3", &manifest("sha256:5", "sha256:6")),
            ("blobs/sha256/4", &config(&["x"])),
            ("blobs/sha256/5", &config(&["y"])),
            ("blobs/sha256/6", "layer"),
        ];
        assert_eq!(found(&members, &["y"]).unwrap(), ["layer"]);
        assert_eq!(found(&members, &["x"]), None);
    }

    #[test]
    fn links_and_indexes_that_go_in_circles_end() {
        let index = json!({ "manifests": [{ "digest": "sha256:1" }] }).to_string();
        let members = [
            ("manifest.json", "->other"),
            ("other", "->manifest.json"),
            ("index.json", index.as_str()),
            ("blobs/sha256/1", index.as_str()),
        ];
        assert_eq!(found(&members, &["x"]), None);
    }
}
