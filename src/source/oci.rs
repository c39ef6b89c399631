//! OCI image layouts: a directory, or a tar of one, in which `index.json` leads over manifests to
//! blobs that are named by their digests.
//!
//! Every blob that is read is compared with the digest and the size that led to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::shelf::{Shelf, Stated, StoredError};
use super::stored_image::{StoredImage, diff_ids};
use crate::tree::escaped;

/// How deep indexes may stand in indexes.
const MAX_DEPTH: usize = 4;

/// Most manifests that are looked at.
const MAX_MANIFESTS: usize = 1000;

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Types of layers, without what says how they are compressed: their first bytes say that too.
const LAYERS: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// Annotations that give an image a name.
const NAMES: [&str; 2] = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];

/// Where something is and what it is.
#[derive(Debug, Clone, Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Platform { os, architecture } = self;
        write!(f, "{}/{}", escaped(os.as_bytes()), escaped(architecture.as_bytes()))
    }
}

#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

impl Descriptor {
    fn names(&self) -> impl Iterator<Item = &str> {
        let annotations = self.annotations.iter().flatten();
        annotations.filter(|(key, _)| NAMES.contains(&key.as_str())).map(|(_, name)| name.as_str())
    }

    /// One name for people: its own, else its digest.
    fn name(&self) -> &str {
        self.names().next().unwrap_or(&self.digest)
    }

    fn is_called(&self, wanted: &str) -> bool {
        self.digest == wanted || self.names().any(|name| name == wanted)
    }

    /// Whether this is about another image (a signature, a list of what is in it) and none itself.
    fn is_about_another(&self) -> bool {
        self.annotations.iter().flatten().any(|(key, _)| key == "vnd.docker.reference.type")
            || self.platform.as_ref().is_some_and(|p| p.os == "unknown")
    }

    /// The name of the file, and what has to be in it.
    fn blob(&self) -> Result<(String, Stated), StoredError> {
        let hex = self.digest.strip_prefix("sha256:").unwrap_or_default();
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != 64 || !hex.bytes().all(plain) {
            return Err(StoredError::Malformed(format!(
                "`{}` is no digest that can be checked",
                escaped(self.digest.as_bytes())
            )));
        }
        let stated = Stated { digest: self.digest.clone(), size: self.size };
        Ok((format!("blobs/sha256/{hex}"), stated))
    }

    fn json<T: for<'a> Deserialize<'a>>(&self, shelf: &Shelf) -> Result<T, StoredError> {
        let (name, stated) = self.blob()?;
        parsed(&name, shelf.json(&name, &stated)?)
    }

    /// That its type is one of `known`, for what is called `what`.
    fn check_type(&self, what: &str, known: &[&str]) -> Result<(), StoredError> {
        let plain = self.media_type.strip_suffix("+gzip");
        let plain = plain.or_else(|| self.media_type.strip_suffix("+zstd"));
        let plain = plain.or_else(|| self.media_type.strip_suffix(".gzip"));
        if known.contains(&plain.unwrap_or(&self.media_type)) {
            return Ok(());
        }
        Err(StoredError::Malformed(format!(
            "{what} is of the unknown type `{}`",
            escaped(self.media_type.as_bytes())
        )))
    }
}

fn parsed<T: for<'a> Deserialize<'a>>(what: &str, json: Value) -> Result<T, StoredError> {
    serde_json::from_value(json)
        .map_err(|e| StoredError::Malformed(format!("{what} cannot be understood: {e}")))
}

/// Whether this is an OCI layout, of a version that is known.
pub(super) fn is_layout(shelf: &Shelf) -> Result<bool, StoredError> {
    let Some(text) = shelf.text("oci-layout")? else { return Ok(false) };
    let Ok(json) = serde_json::from_slice::<Value>(&text) else { return Ok(false) };
    match json["imageLayoutVersion"].as_str() {
        Some(version) if version.starts_with("1.") => Ok(true),
        Some(version) => Err(StoredError::Malformed(format!(
            "it is an OCI layout of the unknown version {}",
            escaped(version.as_bytes())
        ))),
        None => Ok(false),
    }
}

/// The image called `wanted`, or the only one; of several platforms this machine's.
pub(super) fn read(
    shelf: &Shelf,
    wanted: Option<&str>,
    scratch: &Path,
) -> Result<StoredImage, StoredError> {
    let text = shelf.text("index.json")?;
    let text = text.ok_or_else(|| StoredError::Malformed("it has no index.json".to_owned()))?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|e| StoredError::Malformed(format!("its index.json cannot be understood: {e}")))?;
    let manifest = choose(shelf, index.manifests, wanted)?;
    manifest.check_type("the image", &MANIFESTS)?;
    let digest = manifest.digest.clone();
    let named = manifest.clone();
    let manifest: Manifest = manifest.json(shelf)?;
    manifest.config.check_type("the image's configuration", &CONFIGS)?;
    let config: Value = manifest.config.json(shelf)?;
    let diff_ids = diff_ids(&config, manifest.layers.len())?;
    let mut layers = Vec::new();
    for (layer, diff_id) in manifest.layers.iter().zip(&diff_ids) {
        layer.check_type("a layer", &LAYERS)?;
        let (name, stated) = layer.blob()?;
        layers.push(shelf.layer(&name, Some(&stated), diff_id, scratch)?);
    }
    Ok(StoredImage::new(digest, config, layers).called(named.names()))
}

/// The one manifest that is meant.
fn choose(
    shelf: &Shelf,
    top: Vec<Descriptor>,
    wanted: Option<&str>,
) -> Result<Descriptor, StoredError> {
    let names: BTreeSet<String> = top.iter().map(|d| d.name().to_owned()).collect();
    let called = |d: &Descriptor| wanted.is_none_or(|name| d.is_called(name));
    // A digest may also be that of an image which stands in an index.
    let inside = wanted.filter(|name| name.starts_with("sha256:") && !top.iter().any(called));
    let mut walk = Walk { shelf, seen: BTreeSet::new(), found: vec![] };
    for descriptor in top.into_iter().filter(|d| inside.is_some() || called(d)) {
        walk.follow(descriptor, 0)?;
    }
    let mut all = walk.found;
    all.retain(|d| inside.is_none_or(|digest| d.digest == digest));
    let here: Vec<&Descriptor> = all.iter().filter(|d| runs_here(d)).collect();
    match (&here[..], &all[..]) {
        ([one], _) => return Ok((*one).clone()),
        // Nothing of it is executed here, so that another machine's image is as good.
        ([], [one]) => return Ok(one.clone()),
        _ => {}
    }
    let (why, names) = match (wanted, here.len()) {
        (Some(name), 0) if all.is_empty() => {
            (format!("it holds no image `{}`", escaped(name.as_bytes())), names)
        }
        (None, 0) if all.is_empty() => ("it holds no image".to_owned(), names),
        (_, 0) => {
            let platforms: BTreeSet<String> =
                all.iter().filter_map(|d| d.platform.as_ref()).map(ToString::to_string).collect();
            let platforms = Vec::from_iter(platforms).join(", ");
            let why = format!("it holds no image for this machine, but for {platforms}");
            (why, all.iter().map(|d| d.digest.clone()).collect())
        }
        (_, here) if names.len() > 1 => (format!("it holds {here} images"), names),
        (_, count) => {
            let digests = here.iter().map(|d| d.digest.clone()).collect();
            (format!("it holds {count} images of that name"), digests)
        }
    };
    Err(StoredError::Choice { why, names: names.into_iter().collect() })
}

/// A way through indexes to the manifests of images.
struct Walk<'a> {
    shelf: &'a Shelf,
    /// Digests of all that was met: an image can have several names, and indexes that name each
    /// other many times would never come to an end.
    seen: BTreeSet<String>,
    found: Vec<Descriptor>,
}

impl Walk<'_> {
    /// Finds all manifests that `descriptor` leads to.
    fn follow(&mut self, descriptor: Descriptor, depth: usize) -> Result<(), StoredError> {
        if descriptor.is_about_another() || !self.seen.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        if depth > MAX_DEPTH || self.seen.len() > MAX_MANIFESTS {
            let why = "its indexes name too many manifests, or stand too deep in each other";
            return Err(StoredError::Malformed(why.to_owned()));
        }
        if !INDEXES.contains(&descriptor.media_type.as_str()) {
            self.found.push(descriptor);
            return Ok(());
        }
        let index: Index = descriptor.json(self.shelf)?;
        index.manifests.into_iter().try_for_each(|inner| self.follow(inner, depth + 1))
    }
}

/// Whether it is for machines like this one; without a word about it, it is.
fn runs_here(descriptor: &Descriptor) -> bool {
    let here = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    };
    descriptor
        .platform
        .as_ref()
        .is_none_or(|platform| platform.os == "linux" && platform.architecture == here)
}
