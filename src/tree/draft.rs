//! [`Draft`]: a tree that does not exist yet, as a value.
//!
//! The restore decides on a draft: what will be placed over the new system's packages and what
//! will be removed from it. Moving a directory or editing a file changes the draft, never a disk,
//! so every step can be tested without a root, and printed before it is done. Content that stays
//! as it was archived is only referred to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Content, Entry, Extent, Kind, Meta, RootPath};

/// Names one archived content in its [`Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u64);

/// Where the contents that a draft refers to can be read.
pub trait Store {
    /// The content behind `id`, holes as zeros.
    fn open(&self, id: ContentId) -> std::io::Result<Box<dyn Content + '_>>;

    /// Its data runs, ascending.
    fn extents(&self, id: ContentId) -> std::io::Result<Vec<Extent>>;
}

/// The content of a regular file in a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftContent {
    /// Not a regular file.
    None,
    /// As it was archived.
    Stored(ContentId),
    /// Made or edited by a step.
    Bytes(Vec<u8>),
}

/// One entry of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftNode {
    /// Name and metadata. The kind's size agrees with the content.
    pub entry: Entry,
    /// Its content.
    pub content: DraftContent,
}

impl DraftNode {
    /// A regular file of `bytes`.
    pub fn file(path: RootPath, meta: Meta, bytes: Vec<u8>) -> DraftNode {
        let kind = Kind::File { size: bytes.len() as u64 };
        DraftNode { entry: Entry::new(path, kind, meta), content: DraftContent::Bytes(bytes) }
    }

    /// Anything but a regular file.
    pub fn bare(path: RootPath, kind: Kind, meta: Meta) -> DraftNode {
        DraftNode { entry: Entry::new(path, kind, meta), content: DraftContent::None }
    }
}

/// A tree to be placed over another one: entries to put there, and paths to remove from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    nodes: BTreeMap<RootPath, DraftNode>,
    deletions: BTreeSet<RootPath>,
}

impl Draft {
    /// Puts `node` at its path; what was there is replaced, a deletion of the path is forgotten.
    pub fn put(&mut self, node: DraftNode) {
        self.deletions.remove(&node.entry.path);
        self.nodes.insert(node.entry.path.clone(), node);
    }

    /// Replaces the content of the regular file at `path`; `false` when there is none.
    pub fn write(&mut self, path: &RootPath, bytes: Vec<u8>) -> bool {
        match self.nodes.get_mut(path) {
            Some(node) if node.entry.kind.is_file() => {
                node.entry.kind = Kind::File { size: bytes.len() as u64 };
                // An edited file is a file of its own.
                node.entry.links = None;
                node.content = DraftContent::Bytes(bytes);
                true
            }
            _ => false,
        }
    }

    /// Marks `path` to be removed from the tree below, with everything under it.
    pub fn delete(&mut self, path: RootPath) {
        self.deletions.insert(path);
    }

    /// Takes `path` and everything below it out of the draft, so that the tree below decides.
    pub fn take(&mut self, path: &RootPath) -> Vec<DraftNode> {
        let paths: Vec<RootPath> = self.below(path).map(|node| node.entry.path.clone()).collect();
        paths.iter().filter_map(|path| self.nodes.remove(path)).collect()
    }

    /// Moves `from` and everything below it to `to`, deletions included, and returns how many
    /// entries moved. What already stands at a destination is replaced by what arrives.
    pub fn rename(&mut self, from: &RootPath, to: &RootPath) -> usize {
        let moved = self.take(from);
        let count = moved.len();
        for mut node in moved {
            if let Some(rest) = node.entry.path.strip_prefix(from) {
                node.entry.path = to.join(&rest);
                self.put(node);
            }
        }
        let gone: Vec<RootPath> =
            self.deletions.iter().filter(|path| path.is_within(from)).cloned().collect();
        for path in gone {
            self.deletions.remove(&path);
            if let Some(rest) = path.strip_prefix(from) {
                self.deletions.insert(to.join(&rest));
            }
        }
        count
    }

    /// The node at `path`.
    pub fn get(&self, path: &RootPath) -> Option<&DraftNode> {
        self.nodes.get(path)
    }

    /// The node at `path`, to change its metadata; its path must stay.
    pub fn get_mut(&mut self, path: &RootPath) -> Option<&mut DraftNode> {
        self.nodes.get_mut(path)
    }

    /// All nodes in path order.
    pub fn nodes(&self) -> impl Iterator<Item = &DraftNode> {
        self.nodes.values()
    }

    /// All nodes, to change their metadata; their paths must stay.
    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut DraftNode> {
        self.nodes.values_mut()
    }

    /// The node at `path` and everything below it, in path order.
    pub fn below<'a>(&'a self, path: &'a RootPath) -> impl Iterator<Item = &'a DraftNode> {
        self.nodes
            .range(path.clone()..)
            .map(|(_, node)| node)
            .take_while(move |node| node.entry.path.is_within(path))
    }

    /// The paths to remove, in order.
    pub fn deletions(&self) -> impl Iterator<Item = &RootPath> {
        self.deletions.iter()
    }

    /// Whether `path` itself is to be removed.
    pub fn is_deleted(&self, path: &RootPath) -> bool {
        self.deletions.contains(path)
    }

    /// Forgets deletions below what is no directory: where it takes the place of one, what was in
    /// that goes too, and there is no such path to remove.
    pub fn forget_idle_deletions(&mut self) {
        let nodes = &self.nodes;
        let is_in_the_way = |dir: &RootPath| nodes.get(dir).is_some_and(|n| !n.entry.kind.is_dir());
        self.deletions.retain(|path| !path.ancestors().any(|dir| is_in_the_way(&dir)));
    }

    /// Takes `path` and everything below it out of the draft, deletions included; whether there
    /// was anything.
    pub fn forget(&mut self, path: &RootPath) -> bool {
        let before = self.deletions.len();
        self.deletions.retain(|gone| !gone.is_within(path));
        !self.take(path).is_empty() || self.deletions.len() < before
    }

    /// Takes the node at `path` out of the draft, and nothing below it.
    pub fn remove(&mut self, path: &RootPath) {
        self.nodes.remove(path);
    }

    /// Forgets the deletion of `path`.
    pub fn keep(&mut self, path: &RootPath) {
        self.deletions.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn file(at: &str, text: &str) -> DraftNode {
        DraftNode::file(path(at), Meta::root(0o644), text.as_bytes().to_vec())
    }

    fn paths(draft: &Draft) -> Vec<String> {
        draft.nodes().map(|n| n.entry.path.to_string()).collect()
    }

    #[test]
    fn nothing_is_removed_below_what_takes_a_directorys_place() {
        let mut draft = Draft::default();
        draft.put(file("/var/log/nginx", ""));
        for at in ["/var/log/nginx/access.log", "/var/log/nginx-old/x", "/var/log/app"] {
            draft.delete(path(at));
        }
        draft.forget_idle_deletions();
        let left: Vec<String> = draft.deletions().map(ToString::to_string).collect();
        assert_eq!(left, ["/var/log/app", "/var/log/nginx-old/x"]);
    }

    #[test]
    fn renaming_a_directory_moves_what_is_below_it_and_its_deletions_only() {
        let mut draft = Draft::default();
        for at in ["/etc/php/7.4/fpm/php.ini", "/etc/php/7.4x", "/etc/hosts"] {
            draft.put(file(at, at));
        }
        draft.delete(path("/etc/php/7.4/fpm/pool.d/www.conf"));
        assert_eq!(draft.rename(&path("/etc/php/7.4"), &path("/etc/php/8.4")), 1);
        assert_eq!(paths(&draft), ["/etc/hosts", "/etc/php/7.4x", "/etc/php/8.4/fpm/php.ini"]);
        let gone: Vec<_> = draft.deletions().map(ToString::to_string).collect();
        assert_eq!(gone, ["/etc/php/8.4/fpm/pool.d/www.conf"]);
    }

    #[test]
    fn putting_a_file_undoes_its_deletion_and_writing_changes_its_size() {
        let mut draft = Draft::default();
        draft.delete(path("/a"));
        draft.put(file("/a", "one"));
        assert_eq!(draft.deletions().count(), 0);
        assert!(draft.write(&path("/a"), b"longer".to_vec()));
        assert_eq!(draft.get(&path("/a")).unwrap().entry.kind, Kind::File { size: 6 });
        assert!(!draft.write(&path("/b"), vec![]));
    }
}
