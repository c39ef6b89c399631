//! Whether what a manifest lists can be a tree at all.
//!
//! Digests say that nothing was changed, and nothing of what was forged. Whoever restores relies on
//! what is checked here: what stands in something stands in a directory that is there, every name
//! can be one, a file has one content under all its names, and a volume's files lie in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Area;
use super::entries::Entries;
use super::entry::{ITSELF, ManifestEntry};
use super::manifest::{Manifest, MemberRecord};
use crate::tree::{
    FileType, Kind, LinkGroup, NAME_LIMIT, RootPath, escaped, is_within, parent_of, path_order,
};

/// Says what about the tree is impossible.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    Shape::new(manifest)?.check(&manifest.entries)?;
    check_nodes(&manifest.entries)?;
    check_members(&manifest.members)
}

/// What is known of the tree beside its entries.
struct Shape<'m> {
    /// Volumes by where they are mounted.
    volumes: BTreeMap<&'m [u8], &'m str>,
    /// Where something is mounted that is no directory.
    mounts: HashSet<&'m [u8]>,
}

/// An entry that may hold the next ones.
struct Holder<'m> {
    path: &'m [u8],
    /// `None` of a deletion.
    kind: Option<FileType>,
    volume: Option<&'m str>,
}

impl<'m> Shape<'m> {
    fn new(manifest: &'m Manifest) -> Result<Shape<'m>, String> {
        let mut volumes = BTreeMap::new();
        for volume in &manifest.volumes {
            if volume.path.is_root() {
                return Err(format!("volume `{}` is mounted over everything", volume.name));
            }
            if volumes.insert(volume.path.as_bytes(), volume.name.as_str()).is_some() {
                return Err(format!("two volumes are mounted at `{}`", volume.path));
            }
        }
        let mounts = manifest.survey.mounts.iter().map(|mount| mount.destination.as_bytes());
        let mounts = mounts.filter(|at| !volumes.contains_key(at)).collect();
        Ok(Shape { volumes, mounts })
    }

    /// Follows the entries, which ascend, with the directories that lead to each.
    fn check(&self, entries: &'m Entries) -> Result<(), String> {
        let mut holders: Vec<Holder<'m>> = Vec::new();
        for (listed, kind) in entries.listed().zip(entries.kinds()) {
            let path = listed.path;
            while holders.pop_if(|holder| !is_within(path, holder.path)).is_some() {}
            if let Some(kind) = kind {
                let at = |what: String| format!("entry `{}`: {what}", escaped(path));
                let volume = self.holds(path, kind, holders.last()).map_err(at)?;
                if listed.volume != volume && !self.mounts.contains(path) {
                    return Err(at(match volume {
                        Some(volume) => format!("it lies in volume `{volume}`, and not by its own"),
                        None => "it lies in no volume".to_owned(),
                    }));
                }
            }
            holders.push(Holder { path, kind, volume: listed.volume });
        }
        Ok(())
    }

    /// Whether something of this `kind` can stand at `path` where `above` is what comes before;
    /// returns the volume that it lies in. What is mounted needs no directory to lead to it: its
    /// mount point may have been in a mount of the running system.
    fn holds(
        &self,
        path: &[u8],
        kind: FileType,
        above: Option<&Holder<'m>>,
    ) -> Result<Option<&'m str>, String> {
        let Some(parent) = parent_of(path) else {
            return match kind {
                FileType::Dir => Ok(None),
                kind => Err(format!("the root is a {kind}")),
            };
        };
        if let Some(volume) = self.volumes.get(path) {
            return match kind {
                FileType::Dir => Ok(Some(volume)),
                kind => Err(format!("a volume is mounted there, and it is a {kind}")),
            };
        }
        match above.filter(|above| above.path == parent) {
            _ if self.mounts.contains(path) => Ok(None),
            None => Err("the directory that it is in is not there".to_owned()),
            Some(Holder { kind: None, .. }) => {
                Err("what it is in is recorded as removed".to_owned())
            }
            Some(Holder { kind: Some(FileType::Dir), volume, .. }) => Ok(*volume),
            Some(Holder { kind: Some(kind), .. }) => Err(format!("what it is in is a {kind}")),
        }
    }
}

/// Checks what entries say of themselves, and of a file with several names under each.
fn check_nodes(entries: &Entries) -> Result<(), String> {
    let mut files: HashMap<(Option<&str>, LinkGroup), ManifestEntry> = HashMap::new();
    for (number, (listed, kind)) in entries.listed().zip(entries.kinds()).enumerate() {
        let at = |what: &str| Err(format!("entry `{}`: {what}", escaped(listed.path)));
        let has_text = listed.pristine.is_some_and(|found| found != ITSELF);
        if (has_text || listed.image_text.is_some()) && kind != Some(FileType::File) {
            return at("it is no file, and has an unedited text");
        }
        if listed.size > i64::MAX as u64 {
            return at("no file is so large");
        }
        // Of what is not stored, names and numbers are no more than said.
        if listed.stored && kind == Some(FileType::Socket) {
            return at("a socket cannot be stored");
        }
        let is_device = matches!(kind, Some(FileType::Char | FileType::Block));
        let node = if is_device { entries.get(number).node } else { None };
        let kind = node.map_or(Kind::Dir, |node| node.kind);
        if let (true, Some(why)) = (listed.stored, unfit(listed.path, &kind)) {
            return at(why);
        }
        if let (true, Some(links)) = (listed.stored, listed.links) {
            let this = entries.get(number);
            let first = files.entry((listed.volume, links)).or_insert_with(|| this.clone());
            if (&first.node, first.digest) != (&this.node, this.digest) {
                return at("it is not what it is under its other names");
            }
        }
    }
    Ok(())
}

/// Why no file system of Linux can hold something of this `kind` at `path`; `None` when one can.
pub(super) fn unfit(path: &[u8], kind: &Kind) -> Option<&'static str> {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    if name.len() > NAME_LIMIT {
        return Some("its name is longer than 255 bytes, which no file system can hold");
    }
    (!kind.has_device_number()).then_some("no device has such a number")
}

/// Checks that the members which stand for no path can be unpacked.
fn check_members(members: &[MemberRecord]) -> Result<(), String> {
    let mut last: HashMap<&[u8], &MemberRecord> = HashMap::new();
    for member in members {
        let name = member.name.as_slice();
        let at = |what: &str| Err(format!("member `{}`: {what}", escaped(name)));
        let mut areas = [Area::Export, Area::Pristine, Area::Image].map(Area::prefix).into_iter();
        let Some(area) = areas.find_map(|area| name.strip_prefix(area.as_bytes())) else {
            continue;
        };
        let canonical = area.is_empty()
            || RootPath::parse(area).is_ok_and(|path| path.as_bytes() == area && !path.is_root());
        if !canonical || area.split(|b| *b == b'/').any(|part| part.len() > NAME_LIMIT) {
            return at("it has an impossible name");
        }
        let area = &name[..name.len() - area.len()];
        if let Some(last) = last.insert(area, member) {
            // As paths, which begin with a slash: the area's name is in both.
            if path_order(&last.name, name).is_ge() {
                return at("it comes too late, or twice");
            }
            if last.digest.is_some() && is_within(name, &last.name) {
                return at("what it is in is a file");
            }
        }
    }
    Ok(())
}
