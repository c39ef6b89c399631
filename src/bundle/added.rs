//! [`Added`]: what stands for a path of the source, matched with the manifest's entries.
//!
//! Invariant: after [`fill`], exactly the entries with a member are `stored`, each with its
//! member's digest; every member has its entry.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::manifest::{Counts, Manifest, ManifestEntry};
use super::{Area, BundleError, Digest};
use crate::tree::{LinkGroup, RootPath};

/// One member of an area.
pub(super) struct Added {
    /// Its path, from the area's root.
    pub(super) path: RootPath,
    /// Of a regular file.
    pub(super) digest: Option<Digest>,
}

/// The members of each area, ascending.
pub(super) type Areas = BTreeMap<String, Vec<Added>>;

/// Fills in what only the writer knows: `stored`, digests, link numbers, counts, the id.
pub(super) fn fill(
    manifest: &mut Manifest,
    added: Areas,
    counts: Counts,
) -> Result<(), BundleError> {
    let misuse = |what: String| BundleError::Misuse { what };
    manifest.check().map_err(misuse)?;
    let mut areas: BTreeMap<String, _> = added
        .into_iter()
        .map(|(prefix, members)| (prefix, members.into_iter().peekable()))
        .collect();
    for area in [Area::Export, Area::Pristine] {
        areas.remove(&area.prefix());
    }
    let mut links = Links::default();
    let mut stored = 0;
    let mut entries = std::mem::take(&mut manifest.entries);
    for entry in &mut entries {
        // `check` has found a place for every entry.
        let Some((area, path)) = manifest.place(entry) else { continue };
        let prefix = area.prefix();
        links.renumber(&prefix, entry);
        let member = areas
            .get_mut(&prefix)
            .and_then(|members| members.next_if(|member| member.path == path));
        entry.stored = member.is_some();
        entry.digest = member.and_then(|member| member.digest);
        if entry.stored && entry.node.is_none() {
            return Err(misuse(format!("`{}` was added and is recorded as deleted", entry.path)));
        }
        stored += u64::from(entry.stored);
    }
    manifest.entries = entries;
    for (prefix, mut members) in areas {
        if let Some(member) = members.next() {
            return Err(misuse(format!("`{}` of {prefix} has no entry", member.path)));
        }
    }
    manifest.counts = Counts { entries: manifest.entries.len() as u64, stored, ..counts };
    check_references(manifest).map_err(misuse)?;
    manifest.id = manifest.computed_id().map_err(|error| misuse(error.to_string()))?;
    Ok(())
}

/// Numbers of link groups in the order of their first names.
#[derive(Default)]
struct Links {
    numbers: HashMap<(String, LinkGroup), u64>,
}

impl Links {
    /// The source's numbers may be those of its inodes, which another copy of it does not share.
    fn renumber(&mut self, prefix: &str, entry: &mut ManifestEntry) {
        let Some(links) = entry.node.as_mut().and_then(|node| node.links.as_mut()) else { return };
        let next = self.numbers.len() as u64 + 1;
        let number = self.numbers.entry((prefix.to_owned(), *links)).or_insert(next);
        *links = LinkGroup(*number);
    }
}

/// Checks that exports and pristine texts have their members, and the members their mention.
pub(super) fn check_references(manifest: &Manifest) -> Result<(), String> {
    let files: HashMap<&[u8], &Digest> = manifest
        .members
        .iter()
        .filter_map(|member| Some((member.name.as_slice(), member.digest.as_ref()?)))
        .collect();
    let mut names = HashSet::new();
    for export in &manifest.exports {
        if files.get(export.member.as_bytes()) != Some(&&export.digest) {
            return Err(format!("export `{}` has no such member", export.name.escape_debug()));
        }
        if !names.insert(&export.name) {
            return Err(format!("export `{}` is listed twice", export.name.escape_debug()));
        }
    }
    let mut mentioned = 0;
    for entry in manifest.entries.iter().filter(|entry| entry.pristine.is_some()) {
        if !files.contains_key(Area::Pristine.member(&entry.path).as_slice()) {
            return Err(format!("the pristine text of `{}` has no member", entry.path));
        }
        mentioned += 1;
    }
    if files.keys().filter(|name| name.starts_with(b"pristine/")).count() != mentioned {
        return Err("a pristine text belongs to no entry".to_owned());
    }
    Ok(())
}
