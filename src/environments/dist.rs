//! [`Dist`]: one installed Python package, from its `*.dist-info` or `*.egg-info`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::fact::{Pinned, Provenance, is_word};
use super::{below, plain_file};
use crate::tree::{Entry, RootPath, Tree};

/// Largest metadata file that is read: some carry a whole manual.
const METADATA_LIMIT: u64 = 4 * 1024 * 1024;

/// Largest of the small files.
const SMALL: u64 = 64 * 1024;

/// What an environment is made with. A new one brings its own, in versions that fit.
const TOOLS: &[&str] = &["pip", "setuptools", "wheel", "pkg-resources", "distribute"];

/// Installers that name every source but an index in `direct_url.json`, and do not say which
/// packages somebody asked for.
const INSTALLERS: &[&str] = &["uv", "pdm", "poetry"];

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dist {
    /// As it calls itself.
    pub(super) name: String,
    pub(super) version: String,
    /// Somebody asked for it by name.
    pub(super) requested: bool,
    pub(super) origin: Origin,
    /// The record of its files; `None` where none with digests is kept.
    pub(super) record: Option<RootPath>,
    /// It brought what was compiled for the interpreter.
    pub(super) compiled: bool,
    /// What it needs, in comparable form.
    needs: BTreeSet<String>,
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From an index.
    Index,
    /// One of the environment's tools.
    Tool,
    /// From an index if something from an index needs it.
    Unknown,
    /// From somewhere else.
    Elsewhere(&'static str),
}

impl Origin {
    /// Why files of such a package are kept; `None` where they need not be.
    pub(super) fn why_kept(self) -> Option<&'static str> {
        match self {
            Origin::Index | Origin::Tool => None,
            Origin::Unknown => Some("nothing shows that it came from an index"),
            Origin::Elsewhere(why) => Some(why),
        }
    }
}

/// The names of one package are many, this is the one they are compared by.
pub(crate) fn comparable(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

/// The headers of a metadata file, up to its text.
fn headers(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    text.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

#[derive(Deserialize)]
struct DirectUrl {
    #[serde(default)]
    dir_info: Option<DirInfo>,
    #[serde(default)]
    vcs_info: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct DirInfo {
    #[serde(default)]
    editable: bool,
}

/// What `direct_url.json` says, in words.
fn direct(bytes: &[u8]) -> &'static str {
    match serde_json::from_slice::<DirectUrl>(bytes) {
        Ok(DirectUrl { dir_info: Some(DirInfo { editable: true }), .. }) => {
            "an editable installation"
        }
        Ok(DirectUrl { dir_info: Some(_), .. }) => "installed from a directory",
        Ok(DirectUrl { vcs_info: Some(_), .. }) => "installed from version control",
        _ => "installed from a file",
    }
}

impl Dist {
    /// The package whose records `entry` of `site` is; `None` for everything else, and for records
    /// that contradict themselves.
    pub(super) fn load(tree: &dyn Tree, site: &RootPath, entry: &Entry) -> Option<Dist> {
        let name = std::str::from_utf8(entry.path.name()).ok()?;
        let dir = site.child(name.as_bytes());
        if let Some(stem) = name.strip_suffix(".dist-info") {
            return entry.kind.is_dir().then(|| Dist::from_info(tree, &dir, stem))?;
        }
        if let Some(stem) = name.strip_suffix(".egg-link") {
            return Dist::bare(stem, "", "an editable installation");
        }
        let stem = name.strip_suffix(".egg-info")?;
        let file = if entry.kind.is_dir() { below(&dir, "PKG-INFO")? } else { dir };
        let headers = headers(&plain_file(tree, &file, METADATA_LIMIT)?);
        let get = |key: &str| headers.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v);
        let (name, version) = (get("name"), get("version"));
        if !stem_fits(stem, name, version) {
            return None;
        }
        Dist::bare(name, version, "no digests of its files are recorded")
    }

    fn bare(name: &str, version: &str, why: &'static str) -> Option<Dist> {
        let words = is_word(name, "._-") && (version.is_empty() || is_word(version, "._-+!"));
        words.then(|| Dist {
            name: name.to_owned(),
            version: version.to_owned(),
            requested: true,
            origin: Origin::Elsewhere(why),
            record: None,
            compiled: false,
            needs: BTreeSet::new(),
        })
    }

    fn from_info(tree: &dyn Tree, dir: &RootPath, stem: &str) -> Option<Dist> {
        let file = |name: &str, limit| plain_file(tree, &dir.child(name.as_bytes()), limit);
        let headers = headers(&file("METADATA", METADATA_LIMIT)?);
        let get = |key: &str| headers.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v);
        let (name, version) = (get("name"), get("version"));
        if !is_word(name, "._-") || !is_word(version, "._-+!") || !stem_fits(stem, name, version) {
            return None;
        }
        let requested = file("REQUESTED", SMALL).is_some();
        let installer = file("INSTALLER", SMALL).unwrap_or_default();
        let installer = String::from_utf8_lossy(&installer);
        let installer = installer.split_whitespace().next().unwrap_or_default();
        let private = headers
            .iter()
            .any(|(key, value)| key == "classifier" && value.starts_with("Private ::"));
        let there = tree.entry(&dir.child(b"direct_url.json"));
        let origin = match (there, file("direct_url.json", SMALL)) {
            (_, Some(bytes)) => Origin::Elsewhere(direct(&bytes)),
            (Ok(None), None) if private => Origin::Elsewhere("marked as private"),
            (Ok(None), None) if TOOLS.contains(&comparable(name).as_str()) => Origin::Tool,
            (Ok(None), None) if requested || INSTALLERS.contains(&installer) => Origin::Index,
            (Ok(None), None) => Origin::Unknown,
            // It is there and cannot be read.
            (_, None) => Origin::Elsewhere("installed from a file"),
        };
        let needs = headers
            .iter()
            .filter(|(key, value)| key == "requires-dist" && !value.contains('@'))
            .map(|(_, value)| {
                let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
                comparable(&value[..end.unwrap_or(value.len())])
            })
            .collect();
        Some(Dist {
            name: name.to_owned(),
            version: version.to_owned(),
            requested,
            origin,
            record: Some(dir.child(b"RECORD")),
            compiled: false,
            needs,
        })
    }

    /// As it stands on a list.
    pub(super) fn pinned(&self) -> Pinned {
        Pinned {
            name: self.name.clone(),
            version: self.version.clone(),
            requested: self.requested,
            from: match self.origin {
                Origin::Index => Provenance::Index,
                Origin::Tool => Provenance::Tool,
                Origin::Unknown | Origin::Elsewhere(_) => Provenance::Kept,
            },
            compiled: self.compiled,
        }
    }
}

/// Whether a record's directory is called after the package that it describes: what is listed is
/// what the directory is about.
fn stem_fits(stem: &str, name: &str, version: &str) -> bool {
    let mut parts = stem.splitn(3, '-');
    let (named, versioned) = (parts.next().unwrap_or_default(), parts.next());
    let spelled = |version: &str| version.replace(['-', '_'], ".").to_ascii_lowercase();
    !name.is_empty()
        && comparable(named) == comparable(name)
        && versioned.is_none_or(|found| spelled(found) == spelled(version))
}

/// What a package from an index needs came from an index too, unless it says otherwise.
pub(super) fn prove(dists: &mut [Dist]) {
    let mut unknown: BTreeMap<String, usize> = dists
        .iter()
        .enumerate()
        .filter(|(_, dist)| dist.origin == Origin::Unknown)
        .map(|(index, dist)| (comparable(&dist.name), index))
        .collect();
    let proven = dists.iter().filter(|dist| dist.origin == Origin::Index);
    let mut todo: Vec<String> = proven.flat_map(|dist| dist.needs.iter().cloned()).collect();
    while let Some(name) = todo.pop() {
        if let Some(dist) = unknown.remove(&name).and_then(|index| dists.get_mut(index)) {
            dist.origin = Origin::Index;
            todo.extend(dist.needs.iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_one_package_are_one() {
        assert_eq!(comparable("Zope.Interface"), comparable("zope__interface"));
        assert!(stem_fits("zope.interface-5.4.0", "zope.interface", "5.4.0"));
        assert!(stem_fits("docopt-0.6.2-py3.9", "docopt", "0.6.2"));
        assert!(!stem_fits("flask-2.0", "requests", "2.0"));
        assert!(!stem_fits("flask-2.0", "flask", "3.0"));
        assert!(!stem_fits("-1", "", "1"));
    }

    #[test]
    fn no_word_of_a_list_can_be_an_option_or_a_second_line() {
        assert!(is_word("Flask", "._-"));
        assert!(is_word("2.0.3+cu118", "._-+!"));
        for word in ["", "-r", "--index-url", "a b", "a\nb", "a@b", "x;y", "a/"] {
            assert!(!is_word(word, "._-+!"), "{word}");
        }
        assert!(!is_word(&"a".repeat(129), ""));
    }
}
