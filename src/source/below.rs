//! [`Below`]: what stands at one path of a tree, as a tree of its own.

use crate::tree::{Content, Entry, Extent, RootPath, Tree, TreeError};

/// What stands at one path, seen from there: a directory with all below it, or a single file.
pub(super) struct Below<T> {
    tree: T,
    top: RootPath,
}

impl<T: Tree> Below<T> {
    pub(super) fn new(tree: T, top: RootPath) -> Below<T> {
        Below { tree, top }
    }

    fn seen(&self, mut entry: Entry) -> Option<Entry> {
        entry.path = entry.path.strip_prefix(&self.top)?;
        Some(entry)
    }

    fn inner(&self, entry: &Entry) -> Entry {
        Entry { path: self.top.join(&entry.path), ..entry.clone() }
    }
}

impl<T: Tree> Tree for Below<T> {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        // What is around a single file may be large, and is nobody's business.
        match self.entry(&RootPath::root()) {
            Ok(Some(entry)) if !entry.kind.is_dir() => Box::new(std::iter::once(Ok(entry))),
            _ => Box::new(self.tree.walk().filter_map(|item| match item {
                Ok(entry) => self.seen(entry).map(Ok),
                Err(error) => Some(Err(error)),
            })),
        }
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
    use crate::tree::memory::MemoryTree;
    use crate::tree::read_file;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_directory_or_a_single_file_is_seen_from_where_it_stands() {
        let tree = MemoryTree::default().file("/a/b/c", "text").file("/a/bc", "other");
        let shown = |top: &str| -> Vec<String> {
            let below = Below::new(tree.clone(), path(top));
            below.walk().map(|entry| entry.unwrap().path.to_string()).collect()
        };
        assert_eq!(shown("/a/b"), ["/", "/c"]);
        assert_eq!(shown("/a/bc"), ["/"]);
        let single = Below::new(tree.clone(), path("/a/bc"));
        assert_eq!(read_file(&single, &RootPath::root(), 10).unwrap().unwrap(), b"other");
        assert!(single.entry(&path("/c")).unwrap().is_none());
    }
}
