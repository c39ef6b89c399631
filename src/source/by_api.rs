//! The way into a container that every engine has: its API.
//!
//! `save` delivers the layers of the image as they were built, exactly. What the container itself
//! changed is what its `export` and the image differ in: what an engine calls changed is not asked,
//! because it compares size and time only, and does not tell what a new directory hides of the one
//! it replaced. What an export does not tell is a limitation of the archive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::below::Below;
use super::layers::Layers;
use super::saved;
use super::shelf::{Files, Shelf, StoredError, spool};
use crate::engine::{Container, Engine, EngineError, Flavour, Mount};
use crate::image::{Fidelity, Told, equal_streams};
use crate::monitor::Monitor;
use crate::pax::{Keep, ReadError, TarTree};
use crate::service::MountKind;
use crate::tree::{
    Content, Entry, Extent, Kind, Layer, LayerStack, LinkGroup, Meta, RootPath, Tree, TreeError,
    Whiteouts,
};

/// What this way cannot deliver, in words for the report.
pub(super) fn limitation(told: Told) -> String {
    format!(
        "what the container itself changed was read through the engine's API, which has {}, no \
         sockets and nothing of the root directory itself",
        told.lacks()
    )
}

/// The same for what is mounted at `place`.
pub(super) fn mount_limitation(place: &RootPath, told: Told, owners: Owners) -> String {
    let owners = match owners {
        Owners::Known => "",
        Owners::Inside => "; its own directory has no owner there, and belongs to root",
        Owners::Shifted => {
            "; the engine remaps users, and the owners in it are those on the engine's disk, not \
             those that the container saw"
        }
        Owners::Unknown => {
            "; Podman's also has no owners, everything in it belongs to the container's user, and \
             leaves out what is called dev, proc or sys at its top"
        }
    };
    format!(
        "the content of {place} was read through the engine's API, which has {} and no \
         sockets{owners}",
        told.lacks()
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
    let (changed, told) = changed(engine, &container.id, &image, scratch)?;
    layers.push(changed);
    Ok(Layers { layers, image_layers, fidelity: Fidelity::Api(told) })
}

/// What the container changed, as a layer over `image`.
fn changed(
    engine: &Engine,
    id: &str,
    image: &LayerStack,
    scratch: &Path,
) -> Result<(Layer, Told), ApiError> {
    let mut export = engine.export(id)?;
    let tree = TarTree::spool(&mut export, spool(scratch)?, &mut |_| Keep::Content)?;
    let told = Told::of(&tree)?;
    let mut paths = BTreeSet::new();
    let mut implied = BTreeSet::new();
    for entry in tree.walk() {
        let entry = entry?;
        if entry.kind.is_dir() && same_directory(&entry, image, told)? {
            implied.insert(entry.path.clone());
        } else if !entry.kind.is_dir() && !differs(&tree, &entry, image, told)? {
            continue;
        }
        paths.insert(entry.path);
    }
    paths.extend(siblings(&tree, &paths)?);
    let deleted = deleted(&tree, image)?;
    let above = paths.iter().flat_map(RootPath::ancestors);
    let parents: BTreeSet<RootPath> = above.chain([RootPath::root()]).collect();
    implied.extend(parents.difference(&paths).cloned());
    paths.extend(parents);
    let tree = Subset { tree, paths, implied };
    Ok((Layer { tree: Arc::new(tree), style: Whiteouts::Listed(deleted) }, told))
}

/// Whether `entry` of an export, which is no directory, is anything but what the image holds there.
fn differs(
    tree: &TarTree,
    entry: &Entry,
    image: &LayerStack,
    told: Told,
) -> Result<bool, TreeError> {
    let Some(old) = image.entry(&entry.path)? else { return Ok(true) };
    if entry.kind != old.kind || !same_meta(&entry.meta, &old.meta, told) {
        return Ok(true);
    }
    if !entry.kind.is_file() {
        return Ok(false);
    }
    let (mut ours, mut theirs) = (tree.open(entry)?, image.open(&old)?);
    equal_streams(&mut *ours, &mut *theirs)
        .map(|equal| !equal)
        .map_err(|e| TreeError::io("comparing with the image's", &entry.path, e))
}

/// Whether an export shows the metadata `now` of what has `then` in the image.
fn same_meta(now: &Meta, then: &Meta, told: Told) -> bool {
    let facts = |meta: &Meta| (meta.mode, meta.uid, meta.gid, meta.mtime.secs);
    facts(now) == facts(then) && told.same_attributes(&now.xattrs, &then.xattrs)
}

/// The other names of files of which `changed` has one: they are one file in an export.
fn siblings(tree: &TarTree, changed: &BTreeSet<RootPath>) -> Result<BTreeSet<RootPath>, TreeError> {
    let mut groups = BTreeMap::<LinkGroup, (Vec<RootPath>, Touch)>::new();
    for entry in tree.walk() {
        let entry = entry?;
        let Some(group) = entry.links else { continue };
        let (names, touch) = groups.entry(group).or_insert((vec![], Touch::None));
        if changed.contains(&entry.path) {
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
fn same_directory(entry: &Entry, image: &LayerStack, told: Told) -> Result<bool, TreeError> {
    if !entry.kind.is_dir() {
        return Ok(false);
    }
    let below = image.entry(&entry.path)?.filter(|below| below.kind.is_dir());
    Ok(below.is_some_and(|below| same_meta(&entry.meta, &below.meta, told)))
}

/// The paths of `image` that an export of the container does not hold; a tar holds no sockets.
fn deleted(tree: &TarTree, image: &LayerStack) -> Result<BTreeSet<RootPath>, TreeError> {
    let mut deleted = BTreeSet::new();
    for entry in image.walk() {
        let Entry { path, kind, .. } = entry?;
        let gone = kind != Kind::Socket && !path.is_root() && tree.entry(&path)?.is_none();
        // Below something that is gone all is gone.
        if gone && !path.ancestors().any(|above| deleted.contains(&above)) {
            deleted.insert(path);
        }
    }
    Ok(deleted)
}

/// The layers of an image, bottom first, as `save` delivers them.
pub(super) fn image_layers(
    engine: &Engine,
    image: &str,
    scratch: &Path,
) -> Result<Vec<Layer>, ApiError> {
    let mut stream = engine.save(image)?;
    let tar = TarTree::spool(&mut stream, spool(scratch)?, &mut |_| Keep::Content)?;
    let shelf = Shelf::new(Files::Tar(Arc::new(tar)), engine.cancel().clone());
    let images = saved::index(&shelf)?.ok_or(ApiError::Index)?;
    Ok(saved::read(&shelf, &images, None, scratch)?.layers())
}

/// The content of a mount, as an engine delivers it.
pub(super) struct Delivered {
    pub(super) tree: Arc<dyn Tree>,
    pub(super) told: Told,
    pub(super) owners: Owners,
}

/// What is known of the owners of a mount's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    /// All of them.
    Known,
    /// Those of everything in it, and not its own.
    Inside,
    /// As they are on disk: a Docker with `userns-remap` translates exports, and not archives.
    Shifted,
    /// None: Podman's archives give everything to the container's user.
    Unknown,
}

/// What is mounted into `container`, as a tree of its own; `place` is where links led the mount.
pub(super) fn mount(
    engine: &Engine,
    container: &Container,
    mount: &Mount,
    place: &RootPath,
    scratch: &Path,
) -> Result<Delivered, ApiError> {
    let podman = engine.info().flavour == Flavour::Podman;
    // Podman compares the path with what was asked for, Docker looks at what is there.
    let path = if podman { &mount.destination } else { place };
    let archive = |keep: Keep| -> Result<TarTree, ApiError> {
        let mut stream = engine.get_archive(&container.id, path)?;
        Ok(TarTree::spool(&mut stream, spool(scratch)?, &mut |_| keep)?)
    };
    let exported = match podman && mount.kind == MountKind::Volume {
        true => engine.export_volume(&mount.name)?,
        false => None,
    };
    let Some(mut stream) = exported else {
        let tree = archive(Keep::Content)?;
        let top = top(&tree, path)?;
        let owners = match podman {
            true => Owners::Unknown,
            false if engine.info().is_remapped() => Owners::Shifted,
            false => Owners::Known,
        };
        let told = Told::of(&tree)?;
        return Ok(Delivered { tree: Arc::new(Below::new(tree, top)), told, owners });
    };
    let tree = TarTree::spool(&mut stream, spool(scratch)?, &mut |_| Keep::Content)?;
    let told = Told::of(&tree)?;
    if !tree.implied(&RootPath::root()) {
        return Ok(Delivered { tree: Arc::new(tree), told, owners: Owners::Known });
    }
    // Of the volume's own directory it says nothing.
    let around = archive(Keep::Listing)?;
    let entry = around.entry(&top(&around, path)?)?;
    let meta = entry.ok_or_else(|| ApiError::Mount(path.clone()))?.meta;
    Ok(Delivered { tree: Arc::new(Topped { tree, meta }), told, owners: Owners::Inside })
}

/// What stands at `path`, in the archive that an engine makes of it. Docker's archive of /srv/data
/// holds `data` and what is below it, Podman's of a mount point `/` instead.
fn top(tree: &TarTree, path: &RootPath) -> Result<RootPath, ApiError> {
    let named = RootPath::root().child(path.name());
    for top in [RootPath::root(), named] {
        let entry = tree.entry(&top)?.filter(|_| !tree.implied(&top));
        if entry.is_some_and(|e| e.kind.is_dir() || (e.kind.is_file() && !top.is_root())) {
            return Ok(top);
        }
    }
    // Passing for an empty volume would lose all that is in it.
    Err(ApiError::Mount(path.clone()))
}

/// A tar whose own directory is described elsewhere.
struct Topped {
    tree: TarTree,
    meta: Meta,
}

impl Topped {
    fn seen(&self, mut entry: Entry) -> Entry {
        if entry.path.is_root() {
            entry.meta = self.meta.clone();
        }
        entry
    }
}

impl Tree for Topped {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.tree.walk().map(|item| item.map(|entry| self.seen(entry))))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.tree.entry(path)?.map(|entry| self.seen(entry)))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        self.tree.children(path)
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        self.tree.open(entry)
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        self.tree.extents(entry)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(bytes: &[u8]) -> RootPath {
        RootPath::parse(bytes).unwrap()
    }

    /// A tar of empty directories and of files with a text, all of the same time.
    fn tar_of(members: &[(&str, Option<&str>)]) -> TarTree {
        let mut tar = tar::Builder::new(vec![]);
        for (name, text) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(text.map_or(0, str::len) as u64);
            header.set_mode(0o755);
            header.set_mtime(7);
            if text.is_none() {
                header.set_entry_type(tar::EntryType::Directory);
            }
            tar.append_data(&mut header, name, text.unwrap_or_default().as_bytes()).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let spool = tempfile::tempfile().unwrap();
        TarTree::spool(&mut &tar[..], spool, &mut |_| Keep::Content).unwrap()
    }

    fn image_of(members: &[(&str, Option<&str>)]) -> LayerStack {
        let tree = Arc::new(tar_of(members));
        LayerStack::new(vec![Layer { tree, style: Whiteouts::Tar }])
    }

    const SPARING: Told = Told { user_attributes: false };

    #[test]
    fn a_content_that_was_exchanged_at_the_same_size_and_time_is_a_difference() {
        let image = image_of(&[("a", Some("old"))]);
        let found = |name: &str, text: &str| {
            let now = tar_of(&[(name, Some(text))]);
            let at = path(&[b"/", name.as_bytes()].concat());
            differs(&now, &now.entry(&at).unwrap().unwrap(), &image, SPARING).unwrap()
        };
        assert!(!found("a", "old"));
        assert!(found("a", "new"));
        assert!(found("a", "newer"));
        assert!(found("b", "old"));
    }

    #[test]
    fn an_attribute_of_a_directory_is_a_difference_where_it_is_told() {
        let with = |value: &str| {
            let tree = MemoryTree::default().dir("/d");
            tree.meta("/d", |meta| {
                if !value.is_empty() {
                    meta.xattrs.insert(b"user.note".to_vec(), value.into());
                }
            })
        };
        let style = Whiteouts::Tar;
        let image = LayerStack::new(vec![Layer { tree: Arc::new(with("old")), style }]);
        let same = |value: &str, told: Told| {
            let entry = with(value).entry(&path(b"/d")).unwrap().unwrap();
            same_directory(&entry, &image, told).unwrap()
        };
        let talkative = Told { user_attributes: true };
        assert!(same("old", talkative));
        assert!(!same("new", talkative));
        assert!(!same("", talkative));
        assert!(same("", SPARING));
    }

    #[test]
    fn what_a_new_directory_hides_of_the_one_it_replaced_is_deleted() {
        let image = image_of(&[
            ("d", None),
            ("d/old", None),
            ("d/old/file", Some("x")),
            ("e", Some("x")),
            ("f", Some("x")),
        ]);
        let now = tar_of(&[("d", None), ("f", Some("x"))]);
        let gone: Vec<String> =
            deleted(&now, &image).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(gone, ["/d/old", "/e"]);
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
            let top = top(&tree, &path(b"/srv/data")).ok()?;
            let below = Below::new(tree, top);
            Some(below.walk().map(|e| e.unwrap().path.to_string()).collect::<Vec<_>>())
        };
        let whole = Some(vec!["/".to_owned(), "/data".to_owned()]);
        assert_eq!(mounted(&["data/", "data/data/"]), whole);
        assert_eq!(mounted(&["/", "/data/"]), whole);
        assert_eq!(mounted(&["other/"]), None);
    }
}
