//! Environments whose records hold no digests of files: listed, and kept whole.
//!
//! A registry vouches for the archive that it sent, not for the files that are made of it, so that
//! a patched file cannot be told from an installed one. The safe side is to keep them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::fact::{EnvironmentFact, EnvironmentKind, Options, Pinned, Provenance};
use super::python::{Content, Environment};
use super::{below, plain_file};
use crate::tree::{RootPath, Tree, TreeError, escaped};

/// Largest list that is read.
const LIST_LIMIT: u64 = 16 * 1024 * 1024;

/// Largest description of one package.
const ONE_LIMIT: u64 = 256 * 1024;

/// How many packages are listed of one environment.
const MAX: usize = 5_000;

const NO_DIGESTS: &str = "no digests of its files are recorded";

fn whole(
    root: &RootPath,
    kind: EnvironmentKind,
    interpreter: &str,
    why: &str,
    scope: RootPath,
    mut packages: Vec<Pinned>,
) -> Environment {
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    packages.dedup_by(|a, b| a.name == b.name && a.version == b.version);
    let fact = EnvironmentFact {
        kind,
        root: root.clone(),
        interpreter: interpreter.to_owned(),
        rebuild: false,
        kept_because: why.to_owned(),
        packages,
        parked: vec![],
        options: Options::default(),
        list: None,
    };
    let content = Content::Whole { why: why.into(), fact: Box::new(fact), scope };
    Environment { root: root.clone().into(), content }
}

/// One line of a list; control characters would make it two.
fn pinned(name: &str, version: &str, requested: bool) -> Option<Pinned> {
    let plain = |text: &str| text.len() <= 256 && !text.chars().any(char::is_control);
    (!name.is_empty() && plain(name) && plain(version)).then(|| Pinned {
        name: name.to_owned(),
        version: version.to_owned(),
        requested,
        from: Provenance::Kept,
        compiled: false,
    })
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize, Default)]
struct Wanted {
    #[serde(default)]
    dependencies: Value,
    #[serde(default, rename = "devDependencies")]
    dev_dependencies: Value,
}

/// The tree of Node modules at `root`: the packages at its top.
pub(super) fn node(tree: &dyn Tree, root: &RootPath) -> Result<Environment, TreeError> {
    let beside = root.parent().and_then(|dir| below(&dir, "package.json"));
    let wanted = beside.and_then(|file| plain_file(tree, &file, ONE_LIMIT));
    let wanted: Wanted =
        wanted.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let wanted: BTreeSet<&String> = [&wanted.dependencies, &wanted.dev_dependencies]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|names| names.keys())
        .collect();
    let mut dirs = Vec::new();
    for entry in tree.children(root)? {
        if entry.path.name().starts_with(b"@") {
            dirs.extend(tree.children(&entry.path)?);
        } else {
            dirs.push(entry);
        }
        if dirs.len() > MAX {
            break;
        }
    }
    let packages = dirs.iter().take(MAX).filter_map(|entry| {
        let text = plain_file(tree, &entry.path.child(b"package.json"), ONE_LIMIT)?;
        let Named { name, version } = serde_json::from_slice(&text).ok()?;
        pinned(&name, &version, wanted.contains(&name))
    });
    Ok(whole(root, EnvironmentKind::Node, "", NO_DIGESTS, root.clone(), packages.collect()))
}

/// The gems at `root`, whose name is the version of Ruby's interface.
pub(super) fn gems(tree: &dyn Tree, root: &RootPath) -> Result<Environment, TreeError> {
    let mut packages = Vec::new();
    for entry in tree.children(&root.child(b"specifications"))?.iter().take(MAX) {
        let name = String::from_utf8_lossy(entry.path.name()).into_owned();
        let Some(stem) = name.strip_suffix(".gemspec") else { continue };
        // `name-1.2.3` or `name-1.2.3-x86_64-linux`: the version is what begins with a digit.
        let split = stem
            .match_indices('-')
            .find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        if let Some((at, _)) = split {
            packages.extend(pinned(&stem[..at], &stem[at + 1..], false));
        }
    }
    let version = escaped(root.name());
    Ok(whole(root, EnvironmentKind::Gems, &version, NO_DIGESTS, root.clone(), packages))
}

/// The packages that Composer put into `root`.
pub(super) fn composer(tree: &dyn Tree, root: &RootPath) -> Environment {
    let file = below(root, "composer/installed.json");
    let text = file.and_then(|file| plain_file(tree, &file, LIST_LIMIT)).unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let list = value.get("packages").unwrap_or(&value).as_array();
    let packages = list.into_iter().flatten().take(MAX).filter_map(|package| {
        let Named { name, version } = serde_json::from_value(package.clone()).ok()?;
        pinned(&name, &version, false)
    });
    whole(root, EnvironmentKind::Composer, "", NO_DIGESTS, root.clone(), packages.collect())
}

/// The programs that `cargo install` built for the user of `root`.
pub(super) fn cargo(tree: &dyn Tree, root: &RootPath) -> Environment {
    let file = root.child(b".crates.toml");
    let text = plain_file(tree, &file, LIST_LIMIT).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // "ripgrep 13.0.0 (registry+…)" = ["rg"]
    let packages = text.lines().take(MAX).filter_map(|line| {
        let mut words = line.strip_prefix('"')?.split([' ', '"']);
        pinned(words.next()?, words.next()?, true)
    });
    let why = "it holds the only copy of its programs";
    whole(root, EnvironmentKind::Cargo, "", why, root.child(b"bin"), packages.collect())
}
