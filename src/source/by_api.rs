//! The way into a container that every engine has: its API.
//!
//! `save` delivers the layers of the image as they were built, exactly. What the container itself
//! changed comes out of `export`, of which only the paths that the engine calls changed are taken.
//! An export has whole seconds, no ACLs and no attributes of users.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::container::Layers;
use super::saved;
use super::shelf::{Shelf, StoredError, spool};
use crate::engine::{Change, ChangeKind, Container, Engine, EngineError, Flavour};
use crate::image::Fidelity;
use crate::monitor::Monitor;
use crate::pax::{Keep, Member, ReadError, TarTree};
use crate::tree::{
    Content, Entry, Extent, Layer, LayerStack, LinkGroup, RootPath, Tree, TreeError, Whiteouts,
};

/// What this way cannot deliver, in words for the report.
pub(super) const LIMITATION: &str = "what the container itself changed was read through the \
     engine's API, which has whole seconds, no ACLs and no user attributes";

/// The same for one volume.
pub(super) fn mount_limitation(destination: &RootPath, flavour: Flavour) -> String {
    let owners = match flavour {
        Flavour::Docker => "",
        // Measured with 5.4: the archive of a volume's path says 0:0 throughout.
        Flavour::Podman => "; Podman's also has no owners: everything in it belongs to root",
    };
    format!(
        "the volume at {destination} was read through the engine's API, which has whole seconds, \
         no ACLs and no user attributes{owners}"
    )
}

/// Why the engine's answers make no tree.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The engine refused or went away.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What it sent is no tar.
    #[error("what the engine sent cannot be read")]
    Tar(#[from] ReadError),
    /// What it sent is no image, or there is no room for it.
    #[error(transparent)]
    Image(#[from] StoredError),
    /// An archive of a mount point without it.
    #[error("what the engine sent of {0} does not hold it")]
    Mount(RootPath),
    /// It contradicts itself.
    #[error("what the engine sent cannot be read back")]
    Tree(#[from] TreeError),
    /// A saved image that does not say which layers it has.
    #[error("the saved image has no readable index")]
    Index,
}

/// The layers of `container`: its image's and what it changed itself.
pub(super) fn layers(
    engine: &Engine,
    container: &Container,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Layers, ApiError> {
    monitor.phase("reading the image from the engine");
    let mut layers = image_layers(engine, &container.image_id, scratch)?;
    let image_layers = layers.len();
    monitor.phase("reading the container's changes from the engine");
    let image = LayerStack::new(layers.clone());
    layers.push(changed(engine, &container.id, &image, scratch)?);
    Ok(Layers { layers, image_layers, fidelity: Fidelity::Api })
}

/// What the container changed, as a layer over `image`.
fn changed(
    engine: &Engine,
    id: &str,
    image: &LayerStack,
    scratch: &Path,
) -> Result<Layer, ApiError> {
    let changes = Changes::of(engine.changes(id)?);
    let export = |more: &BTreeSet<RootPath>| -> Result<TarTree, ApiError> {
        let mut keep = |member: &Member| match RootPath::parse(&member.name) {
            Ok(path) if changes.touched(&path) || more.contains(&path) => Keep::Content,
            _ => Keep::Listing,
        };
        Ok(TarTree::spool(&mut engine.export(id)?, spool(scratch)?, &mut keep)?)
    };
    let mut tree = export(&BTreeSet::new())?;
    let siblings = siblings(&tree, &changes)?;
    if !siblings.is_empty() {
        tree = export(&siblings)?;
    }
    let deleted = changes.deleted(image, &tree)?;
    let mut paths = siblings;
    let mut implied = BTreeSet::new();
    for entry in tree.walk() {
        let entry = entry?;
        if changes.touched(&entry.path) {
            if same_directory(&entry, image)? {
                implied.insert(entry.path.clone());
            }
            paths.insert(entry.path);
        }
    }
    let above = paths.iter().flat_map(RootPath::ancestors);
    let parents: BTreeSet<RootPath> = above.chain([RootPath::root()]).collect();
    implied.extend(parents.difference(&paths).cloned());
    paths.extend(parents);
    let tree = Subset { tree, paths, implied };
    Ok(Layer { tree: Arc::new(tree), style: Whiteouts::Listed(deleted) })
}

/// Names that did not change of files that have a changed name too: their content may stand
/// under one of these in an export.
fn siblings(tree: &TarTree, changes: &Changes) -> Result<BTreeSet<RootPath>, TreeError> {
    let mut groups = BTreeMap::<LinkGroup, (Vec<RootPath>, Touch)>::new();
    for entry in tree.walk() {
        let entry = entry?;
        let Some(group) = entry.links else { continue };
        let (names, touch) = groups.entry(group).or_insert((vec![], Touch::None));
        if changes.touched(&entry.path) {
            *touch = Touch::Some;
        } else {
            names.push(entry.path);
        }
    }
    let touched = groups.into_values().filter(|(_, touch)| *touch == Touch::Some);
    Ok(touched.flat_map(|(names, _)| names).collect())
}

/// Whether any name of a file changed.
#[derive(PartialEq)]
enum Touch {
    None,
    Some,
}

/// Whether `entry` is a directory that shows nothing but what an export leaves of the image's:
/// engines call every directory changed that holds something changed.
fn same_directory(entry: &Entry, image: &LayerStack) -> Result<bool, TreeError> {
    if !entry.kind.is_dir() {
        return Ok(false);
    }
    let Some(below) = image.entry(&entry.path)? else { return Ok(false) };
    let (now, then) = (&entry.meta, &below.meta);
    Ok(below.kind.is_dir()
        && (now.mode, now.uid, now.gid) == (then.mode, then.uid, then.gid)
        && now.mtime.secs == then.mtime.secs)
}

/// What an engine says about changes. Its answer is JSON, in which every byte of a name that is
/// no UTF-8 has become U+FFFD; such a line stands for all names that look like it.
struct Changes {
    changed: BTreeSet<RootPath>,
    deleted: BTreeSet<RootPath>,
}

impl Changes {
    fn of(list: Vec<Change>) -> Changes {
        let mut changes = Changes { changed: BTreeSet::new(), deleted: BTreeSet::new() };
        for change in list {
            match change.kind {
                ChangeKind::Deleted => changes.deleted.insert(change.path),
                ChangeKind::Added | ChangeKind::Modified => changes.changed.insert(change.path),
            };
        }
        changes
    }

    /// Whether the path was added or modified.
    fn touched(&self, path: &RootPath) -> bool {
        self.changed.contains(path)
            || as_json(path).is_some_and(|shown| self.changed.contains(&shown))
    }

    /// The paths of `image` that are gone in `now`.
    fn deleted(&self, image: &LayerStack, now: &TarTree) -> Result<BTreeSet<RootPath>, TreeError> {
        const REPLACED: &[u8] = "\u{fffd}".as_bytes();
        let garbled = |path: &RootPath| path.as_bytes().windows(3).any(|w| w == REPLACED);
        let mut deleted = self.deleted.clone();
        if deleted.iter().any(garbled) {
            for entry in image.walk() {
                let path = entry?.path;
                let listed = as_json(&path).is_some_and(|shown| deleted.contains(&shown));
                if listed && now.entry(&path)?.is_none() {
                    deleted.insert(path);
                }
            }
        }
        Ok(deleted)
    }
}

/// How a name that is no UTF-8 looks in an engine's JSON; `None` for one that is.
fn as_json(path: &RootPath) -> Option<RootPath> {
    let bytes = path.as_bytes();
    std::str::from_utf8(bytes).err()?;
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        shown.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    RootPath::parse(shown.as_bytes()).ok()
}

/// The layers of an image, bottom first, as `save` delivers them.
pub(super) fn image_layers(
    engine: &Engine,
    image: &str,
    scratch: &Path,
) -> Result<Vec<Layer>, ApiError> {
    let mut stream = engine.save(image)?;
    let tar = TarTree::spool(&mut stream, spool(scratch)?, &mut |_| Keep::Content)?;
    let shelf = Shelf::Tar(Arc::new(tar));
    let images = saved::index(&shelf)?.ok_or(ApiError::Index)?;
    Ok(saved::read(&shelf, &images, None, scratch)?.layers())
}

/// The content of the volume mounted at `destination`, as a tree of its own.
pub(super) fn mount(
    engine: &Engine,
    container: &str,
    destination: &RootPath,
    scratch: &Path,
) -> Result<Arc<dyn Tree>, ApiError> {
    let mut stream = engine.get_archive(container, destination)?;
    let tree = TarTree::spool(&mut stream, spool(scratch)?, &mut |_| Keep::Content)?;
    Ok(Arc::new(Below::new(tree, destination)?))
}

/// Some paths of a tar.
struct Subset {
    tree: TarTree,
    paths: BTreeSet<RootPath>,
    /// Those of them that are there for what is below them only.
    implied: BTreeSet<RootPath>,
}

impl Tree for Subset {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.tree.walk().filter(|item| match item {
            Ok(entry) => entry.path.is_root() || self.paths.contains(&entry.path),
            Err(_) => true,
        }))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        if path.is_root() || self.paths.contains(path) { self.tree.entry(path) } else { Ok(None) }
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let mut children = self.tree.children(path)?;
        children.retain(|entry| self.paths.contains(&entry.path));
        Ok(children)
    }

    fn implied(&self, path: &RootPath) -> bool {
        self.implied.contains(path) || self.tree.implied(path)
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        self.tree.open(entry)
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        self.tree.extents(entry)
    }
}

/// What lies below one directory of a tar, seen from that directory.
struct Below {
    tree: TarTree,
    top: RootPath,
}

impl Below {
    /// The directory `destination` in the archive that an engine makes of it. Docker's archive of
    /// /srv/data holds `data` and what is below it, Podman's of a mount point `/` instead.
    fn new(tree: TarTree, destination: &RootPath) -> Result<Below, ApiError> {
        let named = RootPath::root().child(destination.name());
        let tops = [RootPath::root(), named];
        let described = |top: &RootPath| {
            let entry = tree.entry(top)?;
            Ok::<_, TreeError>(entry.is_some_and(|e| e.kind.is_dir()) && !tree.implied(top))
        };
        for top in tops {
            if described(&top)? {
                return Ok(Below { tree, top });
            }
        }
        // Passing for an empty volume would lose all that is in it.
        Err(ApiError::Mount(destination.clone()))
    }

    fn seen(&self, mut entry: Entry) -> Option<Entry> {
        entry.path = entry.path.strip_prefix(&self.top)?;
        Some(entry)
    }

    fn inner(&self, entry: &Entry) -> Entry {
        Entry { path: self.top.join(&entry.path), ..entry.clone() }
    }
}

impl Tree for Below {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.tree.walk().filter_map(|item| match item {
            Ok(entry) => self.seen(entry).map(Ok),
            Err(error) => Some(Err(error)),
        }))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.tree.entry(&self.top.join(path))?.and_then(|entry| self.seen(entry)))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let children = self.tree.children(&self.top.join(path))?;
        Ok(children.into_iter().filter_map(|entry| self.seen(entry)).collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        self.tree.open(&self.inner(entry))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        self.tree.extents(&self.inner(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> RootPath {
        RootPath::parse(bytes).unwrap()
    }

    #[test]
    fn a_name_that_is_no_utf8_is_found_in_an_engines_json() {
        // As Go writes it: one U+FFFD for every byte.
        let listed =
            Change { path: path("/a/\u{fffd}\u{fffd}x".as_bytes()), kind: ChangeKind::Added };
        let changes = Changes::of(vec![listed]);
        assert!(changes.touched(&path(b"/a/\xe2\x82x")));
        assert!(!changes.touched(&path(b"/a/\xe2x")));
        assert!(!changes.touched(&path(b"/a/x")));
    }

    #[test]
    fn a_volume_is_found_in_the_archives_of_both_engines() {
        let mounted = |names: &[&str]| {
            let mut tar = tar::Builder::new(vec![]);
            for name in names {
                let mut header = tar::Header::new_ustar();
                header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                header.set_mode(0o700);
                header.set_cksum();
                tar.append(&header, std::io::empty()).unwrap();
            }
            let tar = tar.into_inner().unwrap();
            let spool = tempfile::tempfile().unwrap();
            let tree = TarTree::spool(&mut &tar[..], spool, &mut |_| Keep::Content).unwrap();
            let below = Below::new(tree, &path(b"/srv/data")).ok()?;
            Some(below.walk().map(|e| e.unwrap().path.to_string()).collect::<Vec<_>>())
        };
        let whole = Some(vec!["/".to_owned(), "/data".to_owned()]);
        assert_eq!(mounted(&["data/", "data/data/"]), whole);
        assert_eq!(mounted(&["/", "/data/"]), whole);
        assert_eq!(mounted(&["other/"]), None);
    }
}
