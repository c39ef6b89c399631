//! [`Added`]: what stands for a path of the source, matched with the manifest's entries.
//!
//! Invariant: after [`fill`], exactly the entries with a member are `stored`, each with its
//! member's digest; every member has its entry.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::entries::{Listed, Stored};
use super::entry::{ITSELF, ImageText};
use super::manifest::{Counts, Manifest};
use super::{Area, BundleError, Digest, shape};
use crate::tree::{RootPath, escaped};

/// The members of an area, ascending.
#[derive(Default)]
pub(super) struct Added {
    /// Their paths from the area's root, each ended by a NUL, which no path holds.
    paths: Vec<u8>,
    /// Where the last path begins.
    last: usize,
    /// For each, the digest of a regular file.
    digests: Vec<Option<Digest>>,
}

impl Added {
    /// Adds a member.
    pub(super) fn push(&mut self, path: &RootPath, digest: Option<Digest>) {
        self.last = self.paths.len();
        self.paths.extend_from_slice(path.as_bytes());
        self.paths.push(0);
        self.digests.push(digest);
    }

    /// The path of the member added last.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.paths.get(self.last..)?.strip_suffix(b"\0")
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], Option<Digest>)> {
        self.paths.split(|b| *b == 0).zip(self.digests.iter().copied())
    }
}

/// The members by area.
pub(super) type Areas = BTreeMap<String, Added>;

/// Fills in what only the writer knows: `stored`, digests, link numbers, counts, the id.
pub(super) fn fill(
    manifest: &mut Manifest,
    added: &Areas,
    counts: Counts,
) -> Result<(), BundleError> {
    let misuse = |what: String| BundleError::Misuse { what };
    manifest.check().map_err(misuse)?;
    let mut areas: BTreeMap<&str, _> = added
        .iter()
        .map(|(prefix, members)| (prefix.as_str(), members.iter().peekable()))
        .collect();
    for area in [Area::Export, Area::Pristine, Area::Image] {
        areas.remove(area.prefix().as_str());
    }
    let mut stored = Stored::default();
    let mut members = 0;
    for entry in manifest.entries.iter() {
        let member = manifest.place(&entry).and_then(|(area, path)| {
            let members = areas.get_mut(area.prefix().as_str())?;
            members.next_if(|(member, _)| *member == path.as_bytes())
        });
        if member.is_some() && entry.is_deleted() {
            return Err(misuse(format!("`{}` was added and is recorded as deleted", entry.path)));
        }
        stored.push(member.is_some(), member.and_then(|(_, digest)| digest));
        members += u64::from(member.is_some());
    }
    for (prefix, mut members) in areas {
        if let Some((path, _)) = members.next() {
            return Err(misuse(format!("`{}` of {prefix} has no entry", escaped(path))));
        }
    }
    manifest.entries.set_stored(stored);
    manifest.entries.number_links();
    manifest.counts = Counts { entries: manifest.entries.len() as u64, stored: members, ..counts };
    check_references(manifest).map_err(misuse)?;
    shape::check(manifest).map_err(misuse)?;
    manifest.id = manifest.computed_id().map_err(|error| misuse(error.to_string()))?;
    Ok(())
}

/// Checks that exports and texts of edited files have their members, and the members their mention.
pub(super) fn check_references(manifest: &Manifest) -> Result<(), String> {
    let files: HashMap<&[u8], &Digest> = manifest
        .members
        .iter()
        .filter_map(|member| Some((member.name.as_slice(), member.digest.as_ref()?)))
        .collect();
    let (mut names, mut members) = (HashSet::new(), HashSet::new());
    for export in &manifest.exports {
        if !export.member.starts_with("exports/") || !members.insert(&export.member) {
            return Err(format!("export `{}` has another's member", export.name.escape_debug()));
        }
        if files.get(export.member.as_bytes()) != Some(&&export.digest) {
            return Err(format!("export `{}` has no such member", export.name.escape_debug()));
        }
        if !names.insert(&export.name) {
            return Err(format!("export `{}` is listed twice", export.name.escape_debug()));
        }
    }
    if files.keys().filter(|name| name.starts_with(b"exports/")).count() != members.len() {
        return Err("a dump belongs to no export".to_owned());
    }
    let pristine = |listed: Listed| listed.pristine.is_some_and(|found| found != ITSELF);
    check_texts(manifest, &files, (Area::Pristine, "pristine text"), pristine)?;
    let of_image = |listed: Listed| listed.image_text == Some(ImageText::Apart);
    check_texts(manifest, &files, (Area::Image, "image's text"), of_image)
}

/// Checks that the texts of an area are those that entries have apart.
fn check_texts(
    manifest: &Manifest,
    files: &HashMap<&[u8], &Digest>,
    (area, what): (Area<'_>, &str),
    apart: impl Fn(Listed) -> bool,
) -> Result<(), String> {
    let mut mentioned = 0;
    for entry in manifest.entries.wanted(apart) {
        if !files.contains_key(area.member(&entry.path).as_slice()) {
            return Err(format!("the {what} of `{}` has no member", entry.path));
        }
        mentioned += 1;
    }
    let below = format!("{}/", area.prefix());
    if files.keys().filter(|name| name.starts_with(below.as_bytes())).count() != mentioned {
        return Err(format!("a {what} belongs to no entry"));
    }
    Ok(())
}
