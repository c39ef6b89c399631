//! [`LayerStack`]: the layers of an image, and a container's own on top, as one tree.
//!
//! Invariant: what it shows is what the engine would have shown in the container; how layers mark
//! deletions, merges and renames is not to be seen in it. It also knows what each layer changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layer_index::{Data, LayerIndex, Slot};
use super::whiteout::{Mark, Redirect, Whiteouts, mark, strip};
use super::{Content, Entry, Extent, Kind, LinkGroup, RootPath, Tree, TreeError};

/// One layer of a stack.
#[derive(Clone)]
pub struct Layer {
    /// Its content with the marks in it.
    pub tree: Arc<dyn Tree>,
    /// How it marks what it deletes.
    pub style: Whiteouts,
}

/// Something that a lower layer has and the stack does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The topmost path that is gone; its parent is still there.
    pub path: RootPath,
    /// The layer that deleted it. [`LayerStack::below`] this layer it can still be read.
    pub layer: usize,
    /// What it was when it was last visible.
    pub kind: Kind,
}

/// Layers as one tree.
pub struct LayerStack {
    layers: Vec<Layer>,
    index: LayerIndex,
    /// Numbers of their own for the link groups of all layers, each layer's being its own.
    groups: BTreeMap<(u32, LinkGroup), u64>,
    /// What could not be read in some layer.
    faults: BTreeMap<RootPath, Fault>,
}

struct Fault {
    layer: u32,
    error: TreeError,
}

/// How many paths renamed directories may bring along in one stack. Real renames never multiply
/// paths; marks that a hostile image holds can, and would fill the memory.
const MOST_GRAFTS: usize = 1 << 22;

impl LayerStack {
    /// Puts `layers` on each other, the first one at the bottom, and indexes every path of them.
    ///
    /// What cannot be read in a layer is an error in [`walk`](Tree::walk), as in any tree; what
    /// layers below have at such a path is not shown instead of it.
    pub fn new(layers: Vec<Layer>) -> LayerStack {
        LayerStack::build(layers, MOST_GRAFTS)
    }

    fn build(layers: Vec<Layer>, most_grafts: usize) -> LayerStack {
        let mut stack = LayerStack {
            layers,
            index: LayerIndex::default(),
            groups: BTreeMap::new(),
            faults: BTreeMap::new(),
        };
        let mut grafts_left = most_grafts;
        for (number, layer) in (0..).zip(stack.layers.clone()) {
            stack.put_on(number, &layer, &mut grafts_left);
        }
        stack
    }

    /// The layer that put the visible entry at `path`, counted from 0 at the bottom.
    ///
    /// For what is below a directory that a layer renamed that is the renaming layer, although
    /// the file itself lies in a lower one.
    pub fn layer_of(&self, path: &RootPath) -> Option<usize> {
        self.index.get(path).map(|slot| slot.since as usize)
    }

    /// The layer that put what stood at `path` before `layer` was put on.
    pub fn layer_below(&self, path: &RootPath, layer: usize) -> Option<usize> {
        let layer = u32::try_from(layer).unwrap_or(u32::MAX);
        self.index.before(path, layer).map(|slot| slot.since as usize)
    }

    /// What some layer deleted, in path order; of a deleted directory only the directory itself.
    ///
    /// Where a directory was replaced by something else, what was directly in it counts as
    /// deleted, because the directory's own path still exists.
    pub fn deleted(&self) -> Result<Vec<Deletion>, TreeError> {
        let mut deletions = Vec::new();
        for (path, layer) in self.index.deleted() {
            let layer = layer as usize;
            if let Some(was) = self.below(path, layer)? {
                deletions.push(Deletion { path: path.clone(), layer, kind: was.kind });
            }
        }
        Ok(deletions)
    }

    /// The entry that stood at `path` before `layer` was put on; `None` when there was none.
    pub fn below(&self, path: &RootPath, layer: usize) -> Result<Option<Entry>, TreeError> {
        let layer = u32::try_from(layer).unwrap_or(u32::MAX);
        self.index.before(path, layer).map(|slot| self.read(path, slot)).transpose()
    }

    /// The content of a regular file as it was before `layer` was put on; `entry` comes from
    /// [`below`](LayerStack::below) with the same `layer`.
    pub fn open_below<'a>(
        &'a self,
        entry: &Entry,
        layer: usize,
    ) -> Result<Box<dyn Content + 'a>, TreeError> {
        let layer = u32::try_from(layer).unwrap_or(u32::MAX);
        let (tree, inner) = self.holder(entry, self.index.before(&entry.path, layer))?;
        tree.open(&inner).map_err(|error| error.at(&entry.path))
    }

    fn put_on(&mut self, number: u32, layer: &Layer, grafts_left: &mut usize) {
        if let Whiteouts::Listed(deletions) = &layer.style {
            for path in deletions {
                self.hide(path, number);
            }
        }
        let mut renames = Renames::default();
        let mut skipped: Option<RootPath> = None;
        for entry in layer.tree.walk() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.put_fault(error, number);
                    continue;
                }
            };
            if skipped.as_ref().is_some_and(|mark| entry.path.is_within(mark)) {
                continue;
            }
            let path = &entry.path;
            match mark(&layer.style, &entry) {
                // Nothing is said about it but that it exists.
                Mark::Content if layer.tree.implied(path) && self.is_dir(path) => {}
                Mark::Content => self.put(&entry, number, Data::Own),
                Mark::OpaqueDir => {
                    self.put(&entry, number, Data::Own);
                    self.hide_below(path, number);
                }
                Mark::RedirectDir(redirect) => {
                    self.put(&entry, number, Data::Own);
                    let from = renames.source(path, Some(&redirect));
                    self.graft(from, path, number, grafts_left, &mut renames);
                }
                Mark::MetaOnly(redirect) => {
                    let from = renames.source(path, redirect.as_ref());
                    let data = self.data_before(from.as_ref(), number);
                    self.put(&entry, number, data);
                }
                Mark::Gone(gone) => {
                    self.hide(&gone, number);
                    skipped = Some(path.clone());
                }
                Mark::Opaque(dir) => {
                    self.hide_below(&dir, number);
                    skipped = Some(path.clone());
                }
                Mark::Bookkeeping => skipped = Some(path.clone()),
            }
        }
    }

    /// Whether a directory is visible at `path`, of the layers put on so far.
    fn is_dir(&self, path: &RootPath) -> bool {
        let entry = self.index.get(path).map(|slot| self.in_layer(path, slot));
        matches!(entry, Some(Ok(entry)) if entry.kind.is_dir())
    }

    fn put(&mut self, entry: &Entry, layer: u32, data: Data) {
        if !entry.kind.is_dir() {
            self.hide(&entry.path, layer);
        }
        self.index.put(&entry.path, layer, data);
        if let Some(group) = entry.links {
            let next = self.groups.len() as u64;
            self.groups.entry((layer, group)).or_insert(next);
        }
    }

    /// What lower layers have at `path` and below it is gone, readable or not.
    fn hide(&mut self, path: &RootPath, layer: u32) {
        self.index.hide(path, layer);
        self.forget_faults(layer, path);
        if self.faults.get(path).is_some_and(|fault| fault.layer != layer) {
            self.faults.remove(path);
        }
    }

    fn hide_below(&mut self, path: &RootPath, layer: u32) {
        self.index.hide_below(path, layer);
        self.forget_faults(layer, path);
    }

    /// Forgets what could not be read of lower layers below `dir`.
    fn forget_faults(&mut self, layer: u32, dir: &RootPath) {
        let below = self.faults.range(dir.clone()..).take_while(|(at, _)| at.is_within(dir));
        let lower = below.filter(|(at, fault)| *at != dir && fault.layer != layer);
        for path in lower.map(|(at, _)| at.clone()).collect::<Vec<_>>() {
            self.faults.remove(&path);
        }
    }

    /// An entry that could not be read hides what is below it, lest an old version of a file
    /// passes for the current one; a directory that could not be listed stays.
    fn put_fault(&mut self, error: TreeError, layer: u32) {
        let path = error.path().clone();
        if self.index.get(&path).is_none_or(|slot| slot.layer != layer) {
            self.index.hide(&path, layer);
        }
        self.faults.insert(path, Fault { layer, error });
    }

    fn graft(
        &mut self,
        from: Option<RootPath>,
        to: &RootPath,
        layer: u32,
        left: &mut usize,
        renames: &mut Renames,
    ) {
        let Some(from) = from else {
            self.hide_below(to, layer);
            self.put_mark_fault(to, layer, "the layer's mark of a renaming is malformed");
            return;
        };
        match self.index.graft(&from, to, layer, *left) {
            Some(count) => *left -= count,
            None => {
                self.put_mark_fault(to, layer, "renamed directories repeat too many paths");
            }
        }
        renames.done.insert(to.clone(), from);
    }

    fn put_mark_fault(&mut self, path: &RootPath, layer: u32, what: &str) {
        let error = TreeError::io("merging", path, std::io::Error::other(what));
        self.faults.insert(path.clone(), Fault { layer, error });
    }

    fn data_before(&self, from: Option<&RootPath>, layer: u32) -> Data {
        let Some(from) = from else { return Data::Missing };
        match self.index.before(from, layer) {
            None => Data::Missing,
            Some(slot) => match slot.data() {
                Data::Own => Data::At(slot.layer, slot.inner(from).clone()),
                data => data.clone(),
            },
        }
    }

    fn layer(&self, number: u32) -> &dyn Tree {
        &*self.layers[number as usize].tree
    }

    fn read(&self, path: &RootPath, slot: &Slot) -> Result<Entry, TreeError> {
        let mut entry = self.in_layer(path, slot)?;
        entry.path = path.clone();
        strip(&mut entry.meta.xattrs);
        entry.links = entry
            .links
            .and_then(|group| self.groups.get(&(slot.layer, group)))
            .map(|&number| LinkGroup(number));
        Ok(entry)
    }

    /// The entry in its layer as it is there.
    fn in_layer(&self, path: &RootPath, slot: &Slot) -> Result<Entry, TreeError> {
        self.layer(slot.layer)
            .entry(slot.inner(path))
            .map_err(|error| error.at(path))?
            .ok_or_else(|| changed(path, "it is gone"))
    }

    /// The layer that holds the content of `entry`, and its entry there.
    fn holder(&self, entry: &Entry, slot: Option<&Slot>) -> Result<(&dyn Tree, Entry), TreeError> {
        let path = &entry.path;
        let slot = slot.ok_or_else(|| changed(path, "it is not in the stack"))?;
        let inner = self.in_layer(path, slot)?;
        inner.check_version(entry)?;
        let missing = || {
            let what = "its data is in a layer that is not part of this stack";
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, what);
            TreeError::io("opening", path, source)
        };
        match slot.data() {
            Data::Own => Ok((self.layer(slot.layer), inner)),
            Data::Missing => Err(missing()),
            Data::At(layer, at) => {
                let data = self.layer(*layer).entry(at).map_err(|error| error.at(path))?;
                let data = data.ok_or_else(missing)?;
                if data.kind != entry.kind {
                    return Err(changed(
                        path,
                        "its data is of another size than its metadata says",
                    ));
                }
                Ok((self.layer(*layer), data))
            }
        }
    }
}

/// What the layer that is being put on has renamed: new path, and where it was before.
#[derive(Default)]
struct Renames {
    done: BTreeMap<RootPath, RootPath>,
}

impl Renames {
    /// Where below this layer the content of the node at `path` is; `None` when the mark is broken.
    fn source(&self, path: &RootPath, redirect: Option<&Redirect>) -> Option<RootPath> {
        match redirect {
            None => Some(self.original(path)),
            Some(Redirect::Path(path)) => Some(path.clone()),
            Some(Redirect::Name(name)) => Some(self.original(&path.parent()?).child(name)),
            Some(Redirect::Broken) => None,
        }
    }

    /// What `path` was called before the directories above it were renamed.
    fn original(&self, path: &RootPath) -> RootPath {
        let mut above = Some(path.clone());
        while let Some(dir) = above {
            if let (Some(from), Some(rest)) = (self.done.get(&dir), path.strip_prefix(&dir)) {
                return from.join(&rest);
            }
            above = dir.parent();
        }
        path.clone()
    }
}

fn changed(path: &RootPath, what: &str) -> TreeError {
    TreeError::Changed { path: path.clone(), what: what.to_owned() }
}

impl Tree for LayerStack {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        let mut entries = self.index.visible().peekable();
        let mut faults = self.faults.iter().peekable();
        Box::new(std::iter::from_fn(move || {
            let fault_first = match (faults.peek(), entries.peek()) {
                (Some((fault, _)), Some((path, _))) => fault < path,
                (fault, _) => fault.is_some(),
            };
            if fault_first {
                return faults.next().map(|(_, fault)| Err(fault.error.repeat()));
            }
            entries.next().map(|(path, slot)| self.read(path, slot))
        }))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        match (self.index.get(path), self.faults.get(path)) {
            (Some(slot), _) => self.read(path, slot).map(Some),
            (None, Some(fault)) => Err(fault.error.repeat()),
            (None, None) => Ok(None),
        }
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        if self.index.get(path).is_none() {
            return Ok(vec![]);
        }
        let here = self.faults.range(path.clone()..).take_while(|(at, _)| at.is_within(path));
        for (at, fault) in here {
            let unread = at.parent().as_ref() == Some(path) && self.index.get(at).is_none();
            if at == path || unread {
                return Err(fault.error.repeat());
            }
        }
        self.index.children(path).map(|(path, slot)| self.read(path, slot)).collect()
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let (tree, inner) = self.holder(entry, self.index.get(&entry.path))?;
        tree.open(&inner).map_err(|error| error.at(&entry.path))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let (tree, inner) = self.holder(entry, self.index.get(&entry.path))?;
        tree.extents(&inner).map_err(|error| error.at(&entry.path))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rustix::fs::FileType;

    use super::*;
    use crate::tree::testing::{listing, node, path, set_time, xattr};
    use crate::tree::{Meta, Rootfs, Time, Xattrs, list, read_file};

    /// Directories for layers, made from one line each: `d PATH`, `f PATH TEXT`, `w PATH` (a
    /// device 0:0), `x PATH ATTRIBUTE VALUE`.
    struct Bench {
        temp: tempfile::TempDir,
        layers: Vec<Layer>,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { temp: tempfile::tempdir().unwrap(), layers: vec![] }
        }

        fn layer(&mut self, style: Whiteouts, lines: &[&str]) -> &mut Bench {
            let dir = self.temp.path().join(self.layers.len().to_string());
            fs::create_dir(&dir).unwrap();
            for line in lines {
                let words: Vec<&str> = line.split(' ').collect();
                let at = dir.join(words[1]);
                fs::create_dir_all(at.parent().unwrap()).unwrap();
                match words[0] {
                    "d" => fs::create_dir_all(at).unwrap(),
                    "f" => fs::write(at, words.get(2).unwrap_or(&"")).unwrap(),
                    "w" => node(&at, FileType::CharacterDevice, 0),
                    "x" => xattr(&at, words[2], words[3].as_bytes()),
                    _ => panic!("{line}"),
                }
            }
            let tree = Arc::new(Rootfs::open(&dir).unwrap());
            self.layers.push(Layer { tree, style });
            self
        }

        fn stack(&self) -> LayerStack {
            LayerStack::new(self.layers.clone())
        }
    }

    /// `PATH@LAYER` with `=TEXT` for files; the root left out.
    fn shown(stack: &LayerStack) -> Vec<String> {
        let entries = stack.walk().map(Result::unwrap).filter(|entry| !entry.path.is_root());
        entries
            .map(|entry| {
                let layer = stack.layer_of(&entry.path).unwrap();
                let text = read_file(stack, &entry.path, 100).unwrap();
                let text = text.map(|text| format!("={}", String::from_utf8(text).unwrap()));
                format!("{}@{layer}{}", entry.path, text.unwrap_or_default())
            })
            .collect()
    }

    fn gone(stack: &LayerStack) -> Vec<String> {
        let deleted = stack.deleted().unwrap();
        deleted.iter().map(|d| format!("{} {}@{}", d.kind.word(), d.path, d.layer)).collect()
    }

    fn base(bench: &mut Bench) {
        let lines = ["f a/one 1", "f a/sub/two 2", "f b/three 3", "f c 4"];
        bench.layer(Whiteouts::Overlay, &lines);
    }

    /// One layer of each style that says the same: `/a/one` and `/b` are gone, `/c` is another
    /// file, `/a/new` is new.
    #[test]
    fn every_way_to_mark_a_deletion_means_the_same() {
        let listed: BTreeSet<RootPath> = ["/a/one", "/b"].map(path).into_iter().collect();
        let marked: [(Whiteouts, &[&str]); 7] = [
            (Whiteouts::Overlay, &["w a/one", "w b"]),
            (Whiteouts::OverlayUser, &["w a/one", "w b"]),
            (Whiteouts::FuseOverlay, &["w a/one", "f a/../.wh.b"]),
            (Whiteouts::FuseOverlay, &["d a", "f a/.wh.one", "w b", "w .pivot_root123"]),
            (Whiteouts::FuseOverlay, &["d a", "f a/.wh.one", "w b", "f .wh..pivot_root9"]),
            (
                Whiteouts::Tar,
                &["f a/.wh.one", "f .wh.b", "f a/.wh..wh.plnk x", "f .wh.", "f .wh..."],
            ),
            (Whiteouts::Listed(listed), &[]),
        ];
        for (style, marks) in marked {
            let mut bench = Bench::new();
            base(&mut bench);
            let lines: Vec<&str> =
                ["d a", "f c 44", "f a/new 5"].iter().chain(marks).copied().collect();
            bench.layer(style.clone(), &lines);
            let stack = bench.stack();
            let want = ["/a@1", "/a/new@1=5", "/a/sub@0", "/a/sub/two@0=2", "/c@1=44"];
            assert_eq!(shown(&stack), want, "{style:?} {marks:?}");
            assert_eq!(gone(&stack), ["file /a/one@1", "directory /b@1"], "{style:?} {marks:?}");
        }
    }

    #[test]
    fn every_way_to_mark_an_opaque_directory_means_the_same() {
        if crate::tree::testing::without_root() {
            return;
        }
        let marked: [(Whiteouts, &[&str]); 8] = [
            (Whiteouts::Overlay, &["x a trusted.overlay.opaque y"]),
            (Whiteouts::OverlayUser, &["x a user.overlay.opaque y"]),
            (Whiteouts::FuseOverlay, &["x a trusted.overlay.opaque y"]),
            (Whiteouts::FuseOverlay, &["x a user.overlay.opaque y"]),
            (Whiteouts::FuseOverlay, &["x a user.fuseoverlayfs.opaque y"]),
            (Whiteouts::FuseOverlay, &["f a/.wh..wh..opq"]),
            (Whiteouts::FuseOverlay, &["f a/.wh..opq"]),
            (Whiteouts::Tar, &["f a/.wh..wh..opq"]),
        ];
        for (style, marks) in marked {
            let mut bench = Bench::new();
            base(&mut bench);
            // One name sorts before the mark, one behind it, one was there before.
            let lines: Vec<&str> =
                ["f a/.early e", "f a/new n", "f a/sub/x x"].iter().chain(marks).copied().collect();
            bench.layer(style.clone(), &lines);
            let stack = bench.stack();
            let want = [
                "/a@1",
                "/a/.early@1=e",
                "/a/new@1=n",
                "/a/sub@1",
                "/a/sub/x@1=x",
                "/b@0",
                "/b/three@0=3",
                "/c@0=4",
            ];
            assert_eq!(shown(&stack), want, "{style:?} {marks:?}");
            assert_eq!(gone(&stack), ["file /a/one@1", "file /a/sub/two@1"], "{style:?} {marks:?}");
            let dir = stack.entry(&path("/a")).unwrap().unwrap();
            assert!(dir.meta.xattrs.is_empty(), "{:?}", dir.meta.xattrs);
        }
    }

    #[test]
    fn marks_of_another_engine_are_files_of_the_user() {
        let mut bench = Bench::new();
        base(&mut bench);
        let lines = ["f a/.wh.one", "f .wh..wh..opq", "x a user.overlay.opaque y"];
        bench.layer(Whiteouts::Overlay, &lines);
        let text = shown(&bench.stack()).join(" ");
        assert!(text.contains("/.wh..wh..opq@1= /a@1 /a/.wh.one@1= /a/one@0=1"), "{text}");

        let mut bench = Bench::new();
        bench.layer(Whiteouts::Listed(BTreeSet::new()), &["f .wh.x", "w y"]);
        assert_eq!(shown(&bench.stack()), ["/.wh.x@0=", "/y@0"]);
    }

    #[test]
    fn another_kind_of_node_hides_what_was_below_it_and_does_not_give_it_back() {
        let mut bench = Bench::new();
        base(&mut bench);
        bench.layer(Whiteouts::Overlay, &["f a file", "d c", "f c/in x"]);
        bench.layer(Whiteouts::Overlay, &["d a", "f a/again y"]);
        let stack = bench.stack();
        let want = ["/a@2", "/a/again@2=y", "/b@0", "/b/three@0=3", "/c@1", "/c/in@1=x"];
        assert_eq!(shown(&stack), want);
        assert_eq!(gone(&stack), ["file /a/one@1", "directory /a/sub@1"]);
    }

    #[test]
    fn the_stack_knows_what_each_layer_changed() {
        let mut bench = Bench::new();
        base(&mut bench);
        bench.layer(Whiteouts::Tar, &["f c 44", "f .wh.b", "f new n"]);
        bench.layer(Whiteouts::Overlay, &["f c 444", "f b/three back", "w new"]);
        let stack = bench.stack();
        let text = |at: &str, layer: usize| {
            let entry = stack.below(&path(at), layer).unwrap()?;
            let mut text = String::new();
            let mut content = stack.open_below(&entry, layer).unwrap();
            std::io::Read::read_to_string(&mut content, &mut text).unwrap();
            Some(text)
        };
        let before = |at: &str| [0, 1, 2, 3].map(|layer| text(at, layer));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(before("/c"), [None, some("4"), some("44"), some("444")]);
        assert_eq!(before("/b/three"), [None, some("3"), None, some("back")]);
        assert_eq!(before("/new"), [None, None, some("n"), None]);
        assert_eq!(gone(&stack), ["file /new@2"]);
    }

    #[test]
    fn a_mark_and_what_replaces_it_in_one_layer_is_no_deletion() {
        let mut bench = Bench::new();
        base(&mut bench);
        bench
            .layer(Whiteouts::Tar, &["f .wh.b", "f b/four 4", "f .wh.c", "f c new", "f .wh.never"]);
        let stack = bench.stack();
        assert_eq!(gone(&stack), ["file /b/three@1"]);
        assert_eq!(stack.layer_of(&path("/b")), Some(1));
        assert_eq!(stack.layer_of(&path("/never")), None);
    }

    #[test]
    fn equal_link_groups_of_two_layers_are_two_groups() {
        let mut bench = Bench::new();
        for text in ["f a 1", "f c 2"] {
            bench.layer(Whiteouts::Tar, &[text]);
        }
        for (layer, [from, to]) in [["a", "b"], ["c", "d"]].iter().enumerate() {
            let dir = bench.temp.path().join(layer.to_string());
            fs::hard_link(dir.join(from), dir.join(to)).unwrap();
        }
        let stack = bench.stack();
        let group = |at: &str| stack.entry(&path(at)).unwrap().unwrap().links.unwrap();
        let groups = ["/a", "/b", "/c", "/d"].map(group);
        assert_eq!(groups, [0, 0, 1, 1].map(LinkGroup));
    }

    #[test]
    fn a_lookup_agrees_with_the_walk() {
        let mut bench = Bench::new();
        base(&mut bench);
        bench.layer(Whiteouts::Overlay, &["f a.b x", "f a/sub-x y", "w c", "f a/sub/z z"]);
        let stack = bench.stack();
        let all: Vec<Entry> = stack.walk().map(Result::unwrap).collect();
        for entry in &all {
            assert_eq!(stack.entry(&entry.path).unwrap().as_ref(), Some(entry));
            let below = all.iter().filter(|e| e.path.parent().as_ref() == Some(&entry.path));
            assert_eq!(stack.children(&entry.path).unwrap(), below.cloned().collect::<Vec<_>>());
        }
        assert_eq!(stack.entry(&path("/c")).unwrap(), None);
        assert_eq!(list(&stack, &path("/c")).unwrap(), []);
    }

    #[test]
    fn data_that_no_layer_has_is_an_error_and_not_zeros() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut bench = Bench::new();
        bench.layer(Whiteouts::Overlay, &["f f zeros", "x f trusted.overlay.metacopy "]);
        let stack = bench.stack();
        let entry = stack.entry(&path("/f")).unwrap().unwrap();
        let Err(error) = stack.open(&entry) else { panic!("it has no data") };
        assert_eq!(error.path(), &path("/f"));
    }

    #[test]
    fn a_broken_or_multiplying_redirect_is_an_error_of_its_directory() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut bench = Bench::new();
        base(&mut bench);
        bench.layer(Whiteouts::Overlay, &["d x", "x x trusted.overlay.redirect /a/../../b"]);
        let stack = bench.stack();
        let errors: Vec<_> = stack.walk().filter_map(Result::err).collect();
        assert_eq!(errors.iter().map(TreeError::path).collect::<Vec<_>>(), [&path("/x")]);
        assert!(stack.entry(&path("/x")).unwrap().is_some());
        assert!(stack.children(&path("/x")).is_err());

        let mut bench = Bench::new();
        base(&mut bench);
        let lines =
            ["d x", "x x trusted.overlay.redirect /a", "d y", "x y trusted.overlay.redirect /a"];
        bench.layer(Whiteouts::Overlay, &lines);
        let errors = |most| {
            let stack = LayerStack::build(bench.layers.clone(), most);
            stack.walk().filter_map(Result::err).map(|e| e.path().clone()).collect::<Vec<_>>()
        };
        // `/a` holds three paths.
        assert_eq!(errors(6), []);
        assert_eq!(errors(5), [path("/y")]);
        assert_eq!(errors(2), [path("/x"), path("/y")]);
    }

    /// A tree in which one entry cannot be read.
    struct Broken(Rootfs, RootPath);

    impl Tree for Broken {
        fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
            Box::new(self.0.walk().map(|entry| match entry {
                Ok(entry) if entry.path == self.1 => {
                    let source = std::io::Error::from_raw_os_error(5);
                    Err(TreeError::io("reading", &entry.path, source))
                }
                entry => entry,
            }))
        }
        fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
            self.0.entry(path)
        }
        fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
            self.0.children(path)
        }
        fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
            self.0.open(entry)
        }
    }

    #[test]
    fn what_cannot_be_read_in_a_layer_is_told_until_a_layer_above_replaces_it() {
        let break_at = |bench: &mut Bench, at: &str| {
            let number = bench.layers.len() - 1;
            let root = Rootfs::open(&bench.temp.path().join(number.to_string())).unwrap();
            bench.layers[number].tree = Arc::new(Broken(root, path(at)));
        };
        let errors = |stack: &LayerStack| {
            let all = stack.walk().filter_map(Result::err);
            all.map(|error| error.path().to_string()).collect::<Vec<_>>()
        };
        let mut bench = Bench::new();
        base(&mut bench);
        bench.layer(Whiteouts::Tar, &["f a/.early x", "f a/one 11", "f a/.wh..wh..opq", "f c 44"]);
        break_at(&mut bench, "/a/.early");
        let stack = bench.stack();
        assert_eq!(errors(&stack), ["/a/.early"]);
        assert!(stack.entry(&path("/a/.early")).is_err() && stack.children(&path("/a")).is_err());

        break_at(&mut bench, "/c");
        let stack = bench.stack();
        assert_eq!(errors(&stack), ["/c"]);
        // Not the old file in its place.
        assert!(stack.entry(&path("/c")).is_err() && stack.children(&path("/")).is_err());
        for lines in [["w c"], ["f c new"]] {
            bench.layer(Whiteouts::Overlay, &lines);
            assert_eq!(errors(&bench.stack()), [""; 0]);
            bench.layers.pop();
            fs::remove_dir_all(bench.temp.path().join("2")).unwrap();
        }
    }

    /// A kernel overlay of the bench's own, mounted while it lives.
    struct Overlay {
        point: PathBuf,
    }

    impl Overlay {
        fn mount(lower: &str, upper: &Path, options: &str) -> Option<Overlay> {
            let point = upper.with_extension("merged");
            let work = upper.with_extension("work");
            for dir in [upper, &point, &work] {
                fs::create_dir_all(dir).unwrap();
            }
            let options = format!(
                "lowerdir={lower},upperdir={},workdir={}{options}",
                upper.display(),
                work.display()
            );
            let mut mount = Command::new("mount");
            mount.args(["-t", "overlay", "overlay", "-o", &options]).arg(&point);
            mount.status().unwrap().success().then_some(Overlay { point })
        }
    }

    impl Drop for Overlay {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.point).status();
        }
    }

    fn change(merged: &Path, round: usize) {
        let at = |name: &str| merged.join(name);
        let run = |script: &str| {
            let done = Command::new("sh").args(["-ec", script]).current_dir(merged).status();
            assert!(done.unwrap().success(), "{script}");
        };
        match round {
            0 => run("mkdir -p etc/app/conf.d usr/lib/deep/er var/x; echo base > etc/app/a; \
                 echo b > etc/app/conf.d/b; echo lib > usr/lib/deep/er/lib; ln usr/lib/deep/er/lib \
                 usr/lib/hard; ln -s lib usr/lib64; mkfifo var/fifo; echo gone > var/x/gone; \
                 mkdir -p old usr/share/doc/x; echo o > old/o; echo p > old/p; echo d > usr/share/doc/x/d; \
                 echo e > usr/share/e; head -c 100000 /dev/zero > big"),
            1 => run(
                "rm -r var/x; mkdir var/x; echo new > var/x/new; rm etc/app/a; mv usr/lib/deep \
                 usr/lib/moved; chmod 600 big; chown 33:44 usr/lib/hard; rm usr/lib64; mkdir \
                 usr/lib64; echo in > usr/lib64/in; mv old renamed; rm renamed/o; echo q > \
                 renamed/q; mv usr/share usr/shared; mv usr/shared/doc usr/shared/docs; mv usr/shared/docs/x \
                 usr/shared/docs/y; chmod 604 usr/shared/e usr/shared/docs/y/d; touch .wh.user; echo user > etc/.wh..wh..opq",
            ),
            _ => {
                run("mv usr/lib/moved/er usr/lib/er2; echo more >> usr/lib/er2/lib; mv renamed \
                     etc/app/r; mv big etc/app/conf.d/big; chmod 640 etc/app/conf.d/big; rm -r \
                     usr/lib64; echo f > usr/lib64; rm var/fifo; chmod 641 usr/shared/e; rm -r usr/shared/docs/y; mkdir old; echo again > old/o; \
                     mv etc/app etc/program");
                xattr(&at("etc"), "user.mine", b"kept");
                set_time(&at("old"), -5, 5);
            }
        }
    }

    #[test]
    fn a_stack_of_upper_directories_shows_what_the_kernel_shows() {
        for options in ["", ",redirect_dir=on", ",redirect_dir=on,metacopy=on"] {
            let temp = tempfile::tempdir().unwrap();
            let empty = temp.path().join("empty");
            fs::create_dir(&empty).unwrap();
            let mut lower = empty.display().to_string();
            let mut layers = vec![Layer {
                tree: Arc::new(Rootfs::open(&empty).unwrap()),
                style: Whiteouts::Overlay,
            }];
            for round in 0..3 {
                let upper = temp.path().join(format!("{round}"));
                let Some(overlay) = Overlay::mount(&lower, &upper, options) else {
                    eprintln!("no overlay file system here: not compared with the kernel's");
                    return;
                };
                change(&overlay.point, round);
                let tree = Arc::new(Rootfs::open(&upper).unwrap());
                layers.push(Layer { tree, style: Whiteouts::Overlay });
                let stack = LayerStack::new(layers.clone());
                let mut found = listing(&stack);
                let mut want = listing(&Rootfs::open(&overlay.point).unwrap());
                // Which names the kernel counts for a file that was copied up in part is its own.
                for (entry, _) in found.iter_mut().chain(&mut want) {
                    entry.links = None;
                }
                for (want, found) in want.iter().zip(&found) {
                    assert_eq!(want, found, "{options} {round}");
                }
                assert_eq!(want.len(), found.len());
                drop(overlay);
                lower = format!("{}:{lower}", upper.display());
            }
        }
    }

    #[test]
    fn a_directory_that_a_layer_does_not_describe_keeps_its_metadata() {
        let tar = |names: &[(&str, u32)]| {
            let mut writer = crate::pax::Writer::new(vec![]);
            for &(name, mode) in names {
                let meta = Meta {
                    mode,
                    uid: 7,
                    gid: 7,
                    mtime: Time { secs: 9, nanos: 9 },
                    xattrs: Xattrs::new(),
                };
                let body = crate::pax::Body::Node(Kind::Dir);
                let name = name.as_bytes().to_vec();
                writer.append(&crate::pax::Member { name, body, meta }, None, &[]).unwrap();
            }
            let tar = writer.finish().unwrap();
            let spool = tempfile::tempfile().unwrap();
            let tree = crate::pax::TarTree::spool(&mut &tar[..], spool, &mut |_| {
                crate::pax::Keep::Content
            });
            Layer { tree: Arc::new(tree.unwrap()), style: Whiteouts::Tar }
        };
        let stack = LayerStack::new(vec![
            tar(&[("srv", 0o700)]),
            tar(&[("srv/a", 0o711), ("new/b", 0o711)]),
            tar(&[("new/b/c", 0o711)]),
        ]);
        let mode = |at: &str| stack.entry(&path(at)).unwrap().unwrap().meta.mode;
        assert_eq!(["/srv", "/srv/a", "/new", "/new/b"].map(mode), [0o700, 0o711, 0o755, 0o711]);
        assert_eq!(stack.layer_of(&path("/srv")), Some(0));
    }
}
