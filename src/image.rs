//! [`ImageView`]: a container's image beneath the container's own life.
//!
//! The layers of an image and the container's writable layer form one stack. This view says for a
//! path of the whole stack which part of it the path comes from, and what the image alone holds
//! there.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use crate::tree::{
    Content, Deletion, Entry, Kind, LayerStack, Meta, RootPath, Tree, TreeError, Xattrs,
    is_mostly_holes,
};
use crate::verdict::Origin;

/// How much of the metadata of the container's own layer the way in delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fidelity {
    /// All of it.
    Exact,
    /// What an engine's tar of it tells.
    Api(Told),
}

/// What an engine's tar of a container or a volume tells of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Attributes of users; Podman tells them, Docker does not.
    pub user_attributes: bool,
}

impl Told {
    /// What `tree`, the engine's tar, shows to be told. Attributes of users are told of all files
    /// or of none: a tar without any counts as of an engine that does not tell them.
    pub fn of(tree: &dyn Tree) -> Result<Told, TreeError> {
        for entry in tree.walk() {
            if entry?.meta.xattrs.keys().any(|name| name.starts_with(b"user.")) {
                return Ok(Told { user_attributes: true });
            }
        }
        Ok(Told { user_attributes: false })
    }

    /// What such a tar lacks, as the beginning of a list of words.
    pub fn lacks(self) -> &'static str {
        if self.user_attributes {
            "whole seconds, nothing before 1970, no ACLs"
        } else {
            "whole seconds, nothing before 1970, no ACLs, no user attributes"
        }
    }

    /// Whether a path of which the attributes `now` were told can have those that the image has,
    /// `then`: what is never told may be there.
    pub(crate) fn same_attributes(self, now: &Xattrs, then: &Xattrs) -> bool {
        let tells = |name: &[u8]| {
            name == b"security.capability" || (self.user_attributes && name.starts_with(b"user."))
        };
        now.iter().all(|(name, value)| then.get(name) == Some(value))
            && then.keys().all(|name| now.contains_key(name) || !tells(name))
    }
}

/// How a path differs from the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The image holds the very same.
    Same,
    /// The image has no such path.
    Added,
    /// Content, target or type differ.
    Content,
    /// Only owner, mode or attributes differ.
    Meta,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Difference::Same => "the same",
            Difference::Added => "not in the image",
            Difference::Content => "content differs",
            Difference::Meta => "owner, mode or attributes differ",
        })
    }
}

/// An image and the life above it.
pub struct ImageView {
    stack: Arc<LayerStack>,
    /// How many of the stack's layers, from the bottom, are the image.
    image_layers: usize,
    fidelity: Fidelity,
}

impl ImageView {
    /// A view of `stack`, whose lowest `image_layers` layers are the image.
    pub fn new(stack: Arc<LayerStack>, image_layers: usize, fidelity: Fidelity) -> ImageView {
        ImageView { stack, image_layers, fidelity }
    }

    /// Where the visible `entry` comes from. The lowest layer counts as the base.
    ///
    /// Engines copy an entry up that was only opened for writing, and directories because of what
    /// is in them: what is as the image left it, whole seconds of its time included, is the image's.
    pub fn origin(&self, entry: &Entry) -> Result<Origin, TreeError> {
        let mut layer = self.stack.layer_of(&entry.path);
        if layer.is_none_or(|layer| layer >= self.image_layers) {
            if !self.is_untouched(entry)? {
                return Ok(Origin::Container);
            }
            layer = self.stack.layer_below(&entry.path, self.image_layers);
        }
        Ok(if layer == Some(0) { Origin::Base } else { Origin::Image })
    }

    /// Whether the visible `entry` is what the image holds at its path, and of the same second.
    fn is_untouched(&self, entry: &Entry) -> Result<bool, TreeError> {
        let Some(old) = self.entry(&entry.path)? else { return Ok(false) };
        // An engine's API has no time before 1970.
        let second = |meta: &Meta| meta.mtime.secs.max(0);
        Ok(second(&entry.meta) == second(&old.meta)
            && self.same_meta(entry, &old)
            && self.same_content(entry, &old, self.image_layers)?)
    }

    /// What the image alone holds at `path`.
    pub fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        self.stack.below(path, self.image_layers)
    }

    /// The regular file at `path` as each layer of the image left it, the topmost first; those of
    /// more than `limit` bytes are left out.
    pub fn versions(
        &self,
        path: &RootPath,
        limit: u64,
    ) -> Result<Vec<Box<dyn Content + '_>>, TreeError> {
        let mut versions = Vec::new();
        for layer in (1..=self.image_layers).rev() {
            if let Some(entry) = self.stack.below(path, layer)?
                && entry.kind.is_file()
                && entry.kind.size() <= limit
            {
                versions.push(self.stack.open_below(&entry, layer)?);
            }
        }
        Ok(versions)
    }

    /// How the visible `entry` differs from what the image holds at its path.
    pub fn difference(&self, entry: &Entry) -> Result<Difference, TreeError> {
        if self.stack.layer_of(&entry.path).is_some_and(|layer| layer < self.image_layers) {
            return Ok(Difference::Same);
        }
        let old = self.entry(&entry.path)?;
        old.map_or(Ok(Difference::Added), |old| self.compare(entry, &old, self.image_layers))
    }

    /// How the visible `entry` of a package differs from what the package put there: `record` is a
    /// file that was written when the package was installed, and every layer above the one that
    /// holds it came later, those of the image too. `None` where the package was installed in the
    /// very layer that holds the entry: nothing shows the two contents apart.
    pub fn difference_since(
        &self,
        entry: &Entry,
        record: &RootPath,
    ) -> Result<Option<Difference>, TreeError> {
        let layers = (self.stack.layer_of(record), self.stack.layer_of(&entry.path));
        let (Some(installed), Some(changed)) = layers else {
            return self.difference(entry).map(Some);
        };
        if changed == installed && changed >= self.image_layers {
            // Owner, mode and attributes seldom change with a version, unless the kind does.
            let old = self.entry(&entry.path)?.filter(|old| same_kind(&old.kind, &entry.kind));
            let other = old.is_some_and(|old| !self.same_meta(entry, &old));
            return Ok(other.then_some(Difference::Meta));
        }
        if installed < changed
            && let Some(old) = self.stack.below(&entry.path, installed + 1)?
        {
            return self.compare(entry, &old, installed + 1).map(Some);
        }
        self.difference(entry).map(Some)
    }

    /// Compares the visible `entry` with `old`, which the lowest `layers` layers hold.
    fn compare(&self, entry: &Entry, old: &Entry, layers: usize) -> Result<Difference, TreeError> {
        if !self.same_content(entry, old, layers)? {
            return Ok(Difference::Content);
        }
        Ok(if self.same_meta(entry, old) { Difference::Same } else { Difference::Meta })
    }

    fn same_content(&self, entry: &Entry, old: &Entry, layers: usize) -> Result<bool, TreeError> {
        if entry.kind != old.kind {
            return Ok(false);
        }
        if !matches!(entry.kind, Kind::File { .. }) {
            return Ok(true);
        }
        // To read a tebibyte of holes takes an hour: such a file counts as changed.
        if is_mostly_holes(&*self.stack, entry)? {
            return Ok(false);
        }
        let mut ours = self.stack.open(entry)?;
        let mut theirs = self.stack.open_below(old, layers)?;
        equal_streams(&mut *ours, &mut *theirs)
            .map_err(|e| TreeError::io("comparing with the image's", &entry.path, e))
    }

    /// Whether the visible `new` has the metadata of `old`, which the image holds at its path.
    fn same_meta(&self, new: &Entry, old: &Entry) -> bool {
        let of_image = self.stack.layer_of(&new.path).is_some_and(|at| at < self.image_layers);
        let (new, old) = (&new.meta, &old.meta);
        let same_attributes = match self.fidelity {
            // The image's own layers are exact, whatever the way in.
            Fidelity::Api(told) if !of_image => told.same_attributes(&new.xattrs, &old.xattrs),
            _ => new.xattrs == old.xattrs,
        };
        (new.mode, new.uid, new.gid) == (old.mode, old.uid, old.gid) && same_attributes
    }

    /// Paths that some layer held and that the whole stack holds no more.
    pub fn deleted(&self) -> Result<Vec<Deletion>, TreeError> {
        self.stack.deleted()
    }

    /// Whether a deletion happened in the container's own life.
    pub fn deleted_in_life(&self, deletion: &Deletion) -> bool {
        deletion.layer >= self.image_layers
    }
}

/// Whether both are files, both links, and so on.
fn same_kind(a: &Kind, b: &Kind) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Whether two streams hold the same bytes to their ends.
pub(crate) fn equal_streams(a: &mut dyn Read, b: &mut dyn Read) -> std::io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let n = fill(a, &mut left)?;
        let m = fill(b, &mut right)?;
        if left[..n] != right[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Reads until `buffer` is full or the stream ends.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{Layer, Whiteouts};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// What the difference of `/usr/bin/app` is since `/list` was written, in an image of one
    /// layer with `life` above it.
    fn difference(life: MemoryTree) -> Option<Difference> {
        let image = MemoryTree::default().file("/usr/bin/app", "one").file("/list", "1");
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let stack = Arc::new(LayerStack::new(vec![layer(image), layer(life)]));
        let view = ImageView::new(stack.clone(), 1, Fidelity::Exact);
        let entry = stack.entry(&path("/usr/bin/app")).unwrap().unwrap();
        view.difference_since(&entry, &path("/list")).unwrap()
    }

    #[test]
    fn what_was_only_copied_up_is_still_the_images() {
        let image = MemoryTree::default().file("/a", "one").file("/b", "one").file("/c", "one");
        let upper = MemoryTree::default().file("/a", "one").file("/b", "two").file("/d", "one");
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let layers = vec![layer(MemoryTree::default()), layer(image), layer(upper)];
        let stack = Arc::new(LayerStack::new(layers));
        let view = ImageView::new(stack.clone(), 2, Fidelity::Exact);
        let origin = |at: &str| {
            let entry = stack.entry(&path(at)).unwrap().unwrap();
            view.origin(&entry).unwrap()
        };
        assert_eq!(origin("/a"), Origin::Image);
        assert_eq!(origin("/b"), Origin::Container);
        assert_eq!(origin("/c"), Origin::Image);
        assert_eq!(origin("/d"), Origin::Container);
    }

    /// Where `/a` comes from, and how it differs from the image, when the container's layer shows
    /// it with the attributes `now` and the image holds it with `then`.
    fn attributes(fidelity: Fidelity, then: &[&str], now: &[&str]) -> (Origin, Difference) {
        let with = |attributes: &[&str]| {
            MemoryTree::default().file("/a", "same").meta("/a", |meta| {
                meta.xattrs = attributes
                    .iter()
                    .filter_map(|attribute| attribute.split_once('='))
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect();
            })
        };
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let stack = Arc::new(LayerStack::new(vec![layer(with(then)), layer(with(now))]));
        let view = ImageView::new(stack.clone(), 1, fidelity);
        let entry = stack.entry(&path("/a")).unwrap().unwrap();
        (view.origin(&entry).unwrap(), view.difference(&entry).unwrap())
    }

    const CHANGED: (Origin, Difference) = (Origin::Container, Difference::Meta);
    const SAME: (Origin, Difference) = (Origin::Base, Difference::Same);
    const ABLE: &str = "security.capability=x";

    #[test]
    fn an_attribute_that_the_way_in_tells_is_compared_with_the_images() {
        for user_attributes in [false, true] {
            let found = |then: &[&str], now: &[&str]| {
                attributes(Fidelity::Api(Told { user_attributes }), then, now)
            };
            assert_eq!(found(&["user.a=1"], &["user.a=1"]), SAME);
            assert_eq!(found(&["user.a=1"], &["user.a=2"]), CHANGED);
            assert_eq!(found(&[], &["user.a=1"]), CHANGED);
            assert_eq!(found(&[ABLE], &[ABLE]), SAME);
            // Every engine tells capabilities: one that is not told is not there.
            assert_eq!(found(&[ABLE], &[]), CHANGED);
            assert_eq!(found(&["system.posix_acl_access=x"], &[]), SAME);
            let gone = if user_attributes { CHANGED } else { SAME };
            assert_eq!(found(&["user.a=1"], &[]), gone);
            assert_eq!(found(&["user.a=1", "user.b=2"], &["user.b=2"]), gone);
        }
    }

    #[test]
    fn one_attribute_of_a_user_shows_that_they_are_told() {
        let with = |name: &str| {
            let tree = MemoryTree::default().file("/a", "").file("/b", "");
            tree.meta("/b", |meta| drop(meta.xattrs.insert(name.into(), b"x".to_vec())))
        };
        for (name, user_attributes) in [("user.note", true), ("security.capability", false)] {
            let told = Told::of(&with(name)).unwrap();
            assert_eq!(told, Told { user_attributes });
            assert_eq!(told.lacks().contains("no user attributes"), !user_attributes);
        }
    }

    #[test]
    fn a_way_in_that_tells_all_shows_what_was_removed() {
        let found = |then: &[&str], now: &[&str]| attributes(Fidelity::Exact, then, now);
        for attribute in [ABLE, "user.a=1", "system.posix_acl_access=x", "trusted.x=y"] {
            assert_eq!(found(&[attribute], &[attribute]), SAME);
            assert_eq!(found(&[attribute], &[]), CHANGED);
            assert_eq!(found(&[], &[attribute]), CHANGED);
        }
    }

    #[test]
    fn the_images_own_layers_tell_all_whatever_the_way_in() {
        let acl = |value: &'static str| {
            move |meta: &mut Meta| {
                meta.xattrs.insert(b"system.posix_acl_access".to_vec(), value.into());
            }
        };
        let layer = |tree: MemoryTree| Layer { tree: Arc::new(tree), style: Whiteouts::Tar };
        let file = || MemoryTree::default().file("/a", "same");
        let stack = Arc::new(LayerStack::new(vec![
            layer(file().file("/list", "1")),
            layer(file().meta("/a", acl("x"))),
            layer(MemoryTree::default()),
        ]));
        let view = ImageView::new(stack.clone(), 2, Fidelity::Api(Told { user_attributes: false }));
        let entry = stack.entry(&path("/a")).unwrap().unwrap();
        let difference = view.difference_since(&entry, &path("/list")).unwrap();
        assert_eq!(difference, Some(Difference::Meta));
    }

    #[test]
    fn an_upgrade_in_the_life_is_no_change_by_hand() {
        let changed = MemoryTree::default().file("/usr/bin/app", "two");
        assert_eq!(difference(changed.clone()), Some(Difference::Content));
        assert_eq!(difference(changed.file("/list", "2")), None);
        assert_eq!(difference(MemoryTree::default()), Some(Difference::Same));
        assert_eq!(difference(MemoryTree::default().file("/list", "2")), Some(Difference::Same));
        let linked = MemoryTree::default()
            .link("/usr/bin/app", "other")
            .meta("/usr/bin/app", |meta| meta.mode = 0o777);
        assert_eq!(difference(linked.file("/list", "2")), None);
    }
}
