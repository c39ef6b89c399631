//! Images as `docker save` and `podman save` store them: a tar whose `manifest.json` names for
//! each image a configuration and the layers. Newer engines put an OCI layout into the same tar.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::shelf::{Shelf, Stated, StoredError, digest_of};
use super::stored_image::{StoredImage, diff_ids};
use crate::tree::escaped;

/// One image in `manifest.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    names: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

impl Saved {
    /// What it can be called: its names, or the beginning of its id.
    fn names(&self) -> Vec<String> {
        match &self.names {
            Some(names) if !names.is_empty() => names.clone(),
            _ => vec![self.id().unwrap_or(&self.config).chars().take(12).collect()],
        }
    }

    /// The digest in the name of its configuration, which says what is in it.
    fn id(&self) -> Option<&str> {
        let name = self.config.rsplit('/').next()?;
        let digest = name.strip_suffix(".json").unwrap_or(name);
        (digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digest)
    }

    fn is_called(&self, wanted: &str) -> bool {
        let id = wanted.strip_prefix("sha256:").unwrap_or(wanted);
        let names = self.names.iter().flatten();
        names.into_iter().any(|name| name == wanted || name.strip_suffix(":latest") == Some(wanted))
            || (id.len() >= 12 && self.id().is_some_and(|whole| whole.starts_with(id)))
    }
}

/// The images that were saved; `None` when this is no such tar.
///
/// # Errors
/// One that Docker wrote before it had a `manifest.json`.
pub(super) fn index(shelf: &Shelf) -> Result<Option<Vec<Saved>>, StoredError> {
    if let Some(text) = shelf.text("manifest.json")? {
        let images = serde_json::from_slice(&text).ok();
        return Ok(images.filter(|images: &Vec<Saved>| !images.is_empty()));
    }
    let Some(text) = shelf.text("repositories")? else { return Ok(None) };
    let Ok(names) = serde_json::from_slice::<Repositories>(&text) else { return Ok(None) };
    for id in names.values().flat_map(BTreeMap::values) {
        if shelf.text(&format!("{id}/json"))?.is_some() {
            let why = "it was saved by a Docker before 1.10, whose images have no digests; an \
                       engine that can still load it saves it in the form of today";
            return Err(StoredError::Malformed(why.to_owned()));
        }
    }
    Ok(None)
}

/// `repositories`: the id of the topmost layer by name and tag.
type Repositories = BTreeMap<String, BTreeMap<String, String>>;

/// The image called `wanted`, or the only one.
pub(super) fn read(
    shelf: &Shelf,
    images: &[Saved],
    wanted: Option<&str>,
    scratch: &Path,
) -> Result<StoredImage, StoredError> {
    let found: Vec<&Saved> =
        images.iter().filter(|image| wanted.is_none_or(|name| image.is_called(name))).collect();
    let &[image] = &found[..] else {
        let names: Vec<String> = images.iter().flat_map(Saved::names).collect();
        let why = match wanted {
            Some(name) if found.is_empty() => {
                format!("it holds no image `{}`", escaped(name.as_bytes()))
            }
            _ => format!("it holds {} images", images.len()),
        };
        return Err(StoredError::Choice { why, names });
    };
    let text = shelf.needed(&image.config)?;
    let digest = digest_of(&text);
    let stated = image.id().map_or(digest, |id| format!("sha256:{id}"));
    let config =
        shelf.json(&image.config, &Stated { digest: stated.clone(), size: text.len() as u64 })?;
    let diff_ids = diff_ids(&config, image.layers.len())?;
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(&diff_ids) {
        layers.push(shelf.layer(name, None, diff_id, scratch)?);
    }
    let names = image.names.iter().flatten().map(String::as_str);
    Ok(StoredImage::new(stated, config, layers).called(names))
}
