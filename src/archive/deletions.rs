//! What is not there any more: removed by somebody, and so to stay removed.

use std::collections::BTreeMap;

use super::Judged;
use super::verdicts::Verdicts;
use crate::classify::{Classifier, decide};
use crate::image::ImageView;
use crate::layout::{Recognised, Vars};
use crate::packages::ever_listed;
use crate::source::Source;
use crate::tree::{Entry, Kind, Meta, RootPath, TreeError};
use crate::verdict::{Class, Location, Origin, Reason};

/// Whether `entry` says to an overlay file system that something is gone. As a device it opens
/// nothing.
pub(super) fn is_whiteout(entry: &Entry) -> bool {
    entry.kind == Kind::Char { major: 0, minor: 0 }
}

/// A deletion that a whiteout stands for.
pub(super) fn removed(entry: Entry, source: &Source) -> Judged {
    gone(absent(entry.path, entry.kind), own_origin(source))
}

/// Where what nobody saw before comes from.
fn own_origin(source: &Source) -> Origin {
    if source.image().is_some() { Origin::Container } else { Origin::Root }
}

/// The verdict on `entry`, which was removed.
fn gone(entry: Entry, origin: Origin) -> Judged {
    Judged {
        entry,
        class: Class::Mutable,
        reason: Reason::Removed,
        origin,
        package: None,
        part: None,
        deleted: true,
        secret: false,
        pristine: None,
        image_text: None,
    }
}

/// What is not there any more and would come back with the packages, or with what the packages of
/// `apps` make.
pub(super) fn deletions(
    classifier: &Classifier,
    source: &Source,
    apps: &[Recognised],
    present: &Verdicts,
) -> Result<Vec<Judged>, TreeError> {
    let here = present.presence();
    let mut missing: BTreeMap<RootPath, (Kind, Origin)> = BTreeMap::new();
    let origin = own_origin(source);
    let unknown = || Kind::File { size: 0 };
    // What is not in the image either was left out by its makers.
    let since = |path: &RootPath| -> Result<Origin, TreeError> {
        let never = |image: &ImageView| Ok(image.entry(path)?.is_none());
        let left_out = source.image().map_or(Ok(false), never)?;
        Ok(if left_out { Origin::Image } else { origin })
    };
    for path in classifier.installed.unpacked() {
        if !here(&path) {
            let origin = since(&path)?;
            missing.insert(path, (unknown(), origin));
        }
    }
    for path in created(apps).into_iter().chain(classifier.declared.switches.made()) {
        if !here(&path) {
            missing.insert(path, (unknown(), origin));
        }
    }
    if let Some(image) = source.image() {
        let listed = ever_listed(source.layers(), source.tree())?;
        for deletion in image.deleted()? {
            // A package that was upgraded or removed takes its files along: no change by hand.
            if !listed.contains(&deletion.path) {
                let origin = if image.deleted_in_life(&deletion) {
                    Origin::Container
                } else {
                    Origin::Image
                };
                missing.entry(deletion.path).or_insert((deletion.kind, origin));
            }
        }
    }
    let worth_recording = |entry: &Entry, origin| {
        let parent = entry.path.parent();
        parent.is_some_and(|parent| here(&parent))
            && source.location(&entry.path) == Location::Root
            && decide(&classifier.evidence_of_absent(entry, origin)).class == Class::Mutable
    };
    Ok(missing
        .into_iter()
        .map(|(path, (kind, origin))| (absent(path, kind), origin))
        .filter(|(entry, origin)| worth_recording(entry, *origin))
        .map(|(entry, origin)| gone(entry, origin))
        .collect())
}

/// What the applications' packages make once without owning it.
fn created(apps: &[Recognised]) -> Vec<RootPath> {
    let paths = apps.iter().flat_map(|app| {
        let mut vars = Vars::default();
        if let Some(version) = &app.version {
            vars.set("version", version.short());
        }
        // A path that needs a version nobody knows is no path.
        let paths = app.rule.created.iter().flat_map(|created| &created.paths);
        paths.filter_map(move |path| path.expand(&vars).ok())
    });
    paths.collect()
}

/// An entry for something that is not there: its metadata is unknown.
fn absent(path: RootPath, kind: Kind) -> Entry {
    let kind = if kind.is_file() { Kind::File { size: 0 } } else { kind };
    Entry::new(path, kind, Meta::root(0))
}
