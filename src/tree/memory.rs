//! [`MemoryTree`]: a tree made of values, for tests.
//!
//! It keeps the contract of [`Tree`] to the letter: entries in path order, links never followed,
//! every parent a directory.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::{
    Content, ContentId, Entry, Extent, Kind, LinkGroup, Meta, RootPath, Store, Tree, TreeError,
};

/// A store of texts, by number.
pub(crate) struct Texts<'a>(pub &'a [&'a str]);

impl Store for Texts<'_> {
    fn open(&self, id: ContentId) -> std::io::Result<Box<dyn Content + '_>> {
        let text = self.0.get(id.0 as usize).ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(text.as_bytes())))
    }

    fn extents(&self, id: ContentId) -> std::io::Result<Vec<Extent>> {
        let length = self.0.get(id.0 as usize).map_or(0, |text| text.len() as u64);
        Ok(vec![Extent { offset: 0, length }])
    }
}

/// A tree in memory; built by chaining, with missing parent directories made on the way.
#[derive(Debug, Clone)]
pub(crate) struct MemoryTree {
    nodes: BTreeMap<RootPath, (Entry, Vec<u8>)>,
    groups: u64,
}

impl Default for MemoryTree {
    /// Only a root directory.
    fn default() -> MemoryTree {
        let tree = MemoryTree { nodes: BTreeMap::new(), groups: 0 };
        tree.put(RootPath::root(), Kind::Dir, vec![])
    }
}

impl MemoryTree {
    /// A regular file, mode 0644, owned by root.
    pub(crate) fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> MemoryTree {
        let content = content.as_ref().to_vec();
        self.put(parse(path.as_ref()), Kind::File { size: content.len() as u64 }, content)
    }

    /// A symlink.
    pub(crate) fn link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> MemoryTree {
        self.put(parse(path.as_ref()), Kind::Symlink { target: target.as_ref().to_vec() }, vec![])
    }

    /// A directory, mode 0755.
    pub(crate) fn dir(self, path: impl AsRef<[u8]>) -> MemoryTree {
        self.put(parse(path.as_ref()), Kind::Dir, vec![])
    }

    /// Any other kind of node.
    #[allow(dead_code, reason = "not every module's tests need every kind of node")]
    pub(crate) fn node(self, path: impl AsRef<[u8]>, kind: Kind) -> MemoryTree {
        self.put(parse(path.as_ref()), kind, vec![])
    }

    /// A further name for the regular file at `old`.
    #[allow(dead_code, reason = "not every module's tests need every kind of node")]
    pub(crate) fn hard_link(mut self, new: impl AsRef<[u8]>, old: impl AsRef<[u8]>) -> MemoryTree {
        let (entry, content) = self.nodes.get_mut(&parse(old.as_ref())).expect("no such file");
        if entry.links.is_none() {
            self.groups += 1;
            entry.links = Some(LinkGroup(self.groups));
        }
        let (meta, links, kind) = (entry.meta.clone(), entry.links, entry.kind.clone());
        let content = content.clone();
        let path = parse(new.as_ref());
        let mut tree = self.put(path.clone(), kind, content);
        if let Some((entry, _)) = tree.nodes.get_mut(&path) {
            (entry.meta, entry.links) = (meta, links);
        }
        tree
    }

    /// Changes the metadata of what is at `path`.
    #[allow(dead_code, reason = "not every module's tests look at metadata")]
    pub(crate) fn meta(
        mut self,
        path: impl AsRef<[u8]>,
        change: impl FnOnce(&mut Meta),
    ) -> MemoryTree {
        change(&mut self.nodes.get_mut(&parse(path.as_ref())).expect("no such entry").0.meta);
        self
    }

    fn put(mut self, path: RootPath, kind: Kind, content: Vec<u8>) -> MemoryTree {
        if let Some(parent) = path.parent()
            && !self.nodes.get(&parent).is_some_and(|(entry, _)| entry.kind.is_dir())
        {
            assert!(!self.nodes.contains_key(&parent), "`{parent}` is no directory");
            self = self.put(parent, Kind::Dir, vec![]);
        }
        let mode = match kind {
            Kind::Dir => 0o755,
            Kind::Symlink { .. } => 0o777,
            _ => 0o644,
        };
        let meta = Meta::root(mode);
        let entry = Entry::new(path.clone(), kind, meta);
        self.nodes.insert(path, (entry, content));
        self
    }
}

impl Tree for MemoryTree {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.nodes.values().map(|(entry, _)| Ok(entry.clone())))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.nodes.get(path).map(|(entry, _)| entry.clone()))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let below = self.nodes.range(path..).map(|(_, (entry, _))| entry);
        let below = below.take_while(|entry| entry.path.is_within(path));
        Ok(below.filter(|entry| entry.path.parent().as_ref() == Some(path)).cloned().collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        match self.nodes.get(&entry.path) {
            Some((found, content)) if found.kind.is_file() => {
                Ok(Box::new(Cursor::new(content.as_slice())))
            }
            _ => Err(TreeError::Changed {
                path: entry.path.clone(),
                what: "it is no regular file any more".to_owned(),
            }),
        }
    }
}

fn parse(path: &[u8]) -> RootPath {
    RootPath::parse(path).expect("a test's path is plain")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{list, read_file, resolve};

    #[test]
    fn a_memory_tree_walks_in_order_and_follows_nothing_by_itself() {
        let tree = MemoryTree::default()
            .file("/usr/bin/ls", b"elf")
            .link("/bin", "usr/bin")
            .dir("/usr/bin-x")
            .hard_link("/usr/dir", "/usr/bin/ls");
        let walked: Vec<String> =
            tree.walk().map(|entry| entry.unwrap().path.to_string()).collect();
        assert_eq!(
            walked,
            ["/", "/bin", "/usr", "/usr/bin", "/usr/bin/ls", "/usr/bin-x", "/usr/dir"]
        );
        assert_eq!(tree.entry(&parse(b"/bin/ls")).unwrap(), None);
        assert_eq!(resolve(&tree, &parse(b"/bin/ls")).unwrap(), Some(parse(b"/usr/bin/ls")));
        assert_eq!(read_file(&tree, &parse(b"/bin/ls"), 9).unwrap(), Some(b"elf".to_vec()));
        assert_eq!(list(&tree, &parse(b"/bin")).unwrap().len(), 1);
        let names = tree.children(&parse(b"/usr")).unwrap();
        assert_eq!(names.len(), 3);
        assert_eq!(names[2].links, Some(LinkGroup(1)));
    }
}
