//! [`Overlaid`]: a tree as it will be once a draft is placed over it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use super::{
    Content, Draft, DraftContent, DraftNode, Entry, Extent, Kind, Meta, RootPath, Store, Tree,
    TreeError,
};

/// A tree with a draft over it. Directories of both are one; anything else of the draft hides what
/// is below, and so does a deletion, but for what the draft puts there.
pub(crate) struct Overlaid<'a> {
    below: &'a dyn Tree,
    draft: &'a Draft,
    store: &'a (dyn Store + Sync),
    /// Directories that only the paths of the draft speak of.
    implied: BTreeSet<RootPath>,
}

impl<'a> Overlaid<'a> {
    /// `draft`, whose archived contents are in `store`, over `below`.
    pub(crate) fn new(
        below: &'a dyn Tree,
        draft: &'a Draft,
        store: &'a (dyn Store + Sync),
    ) -> Overlaid<'a> {
        let mut implied = BTreeSet::new();
        for node in draft.nodes() {
            // From below, as far as they are not known: what is above those is known too.
            let unknown = |dir: &RootPath| draft.get(dir).is_none() && !implied.contains(dir);
            let unknown: Vec<RootPath> =
                node.entry.path.ancestors().rev().take_while(unknown).collect();
            implied.extend(unknown);
        }
        Overlaid { below, draft, store, implied }
    }

    /// Whether the draft leaves to the tree below what is at `path`.
    fn shows_below(&self, path: &RootPath) -> bool {
        if self.draft.is_deleted(path) {
            return false;
        }
        let replaced = |dir: &RootPath| {
            self.draft.is_deleted(dir)
                || self.draft.get(dir).is_some_and(|node| !node.entry.kind.is_dir())
        };
        !path.ancestors().any(|dir| replaced(&dir))
    }

    fn node(&self, entry: &Entry) -> Option<&DraftNode> {
        self.draft.get(&entry.path)
    }
}

/// A directory of which nothing is known.
fn directory(path: RootPath) -> Entry {
    Entry::new(path, Kind::Dir, Meta::root(0o755))
}

impl Tree for Overlaid<'_> {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        let mut waiting: Vec<Result<Entry, TreeError>> =
            self.entry(&RootPath::root()).transpose().into_iter().collect();
        Box::new(std::iter::from_fn(move || {
            let next = waiting.pop()?;
            if let Ok(entry) = &next
                && entry.kind.is_dir()
            {
                match self.children(&entry.path) {
                    Ok(children) => waiting.extend(children.into_iter().rev().map(Ok)),
                    Err(error) => waiting.push(Err(error)),
                }
            }
            Some(next)
        }))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        if let Some(node) = self.draft.get(path) {
            return Ok(Some(node.entry.clone()));
        }
        let below = if self.shows_below(path) { self.below.entry(path)? } else { None };
        let is_implied = self.implied.contains(path);
        Ok(match below {
            Some(entry) if entry.kind.is_dir() || !is_implied => Some(entry),
            _ => is_implied.then(|| directory(path.clone())),
        })
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let mut children = BTreeMap::new();
        let is_dir = self.draft.get(path).is_none_or(|node| node.entry.kind.is_dir());
        if is_dir && self.shows_below(path) {
            for entry in self.below.children(path)? {
                if self.shows_below(&entry.path) {
                    children.insert(entry.path.clone(), entry);
                }
            }
        }
        for child in self.implied.range(path.clone()..).take_while(|dir| dir.is_within(path)) {
            if child.parent().as_ref() == Some(path) {
                children.extend(self.entry(child)?.map(|entry| (child.clone(), entry)));
            }
        }
        for node in self.draft.below(path).filter(|n| n.entry.path.parent().as_ref() == Some(path))
        {
            children.insert(node.entry.path.clone(), node.entry.clone());
        }
        Ok(children.into_values().collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        match self.node(entry).map(|node| &node.content) {
            None => self.below.open(entry),
            Some(DraftContent::Stored(id)) => {
                self.store.open(*id).map_err(|e| TreeError::io("reading", &entry.path, e))
            }
            Some(DraftContent::Bytes(bytes)) => Ok(Box::new(Cursor::new(bytes.as_slice()))),
            Some(DraftContent::None) => Ok(Box::new(Cursor::new(&[][..]))),
        }
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        match self.node(entry).map(|node| &node.content) {
            None => self.below.extents(entry),
            Some(DraftContent::Stored(id)) => {
                self.store.extents(*id).map_err(|e| TreeError::io("reading", &entry.path, e))
            }
            Some(_) => {
                let length = entry.kind.size();
                Ok(if length == 0 { vec![] } else { vec![Extent { offset: 0, length }] })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Empty;
    use crate::tree::memory::MemoryTree;
    use crate::tree::read_file;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn put(draft: &mut Draft, tree: &MemoryTree, at: &str, bytes: &str) {
        let entry = tree.entry(&path(at)).unwrap().unwrap();
        let content = match entry.kind.is_file() {
            true => DraftContent::Bytes(bytes.as_bytes().to_vec()),
            false => DraftContent::None,
        };
        draft.put(DraftNode { entry, content });
    }

    #[test]
    fn what_a_draft_puts_and_removes_is_seen_and_the_rest_is_as_below() {
        let below = MemoryTree::default()
            .file("/etc/a", "old")
            .file("/etc/b", "b")
            .file("/opt/x/y", "y")
            .file("/srv/data/z", "z");
        let ours = MemoryTree::default()
            .file("/etc/a", "new")
            .file("/var/new/deep", "deep")
            .file("/opt/x/mine", "m")
            .link("/srv/data", "/mnt");
        let mut draft = Draft::default();
        for (at, text) in [("/etc/a", "new"), ("/var/new/deep", "deep"), ("/opt/x/mine", "m")] {
            put(&mut draft, &ours, at, text);
        }
        put(&mut draft, &ours, "/srv/data", "");
        draft.delete(path("/etc/b"));
        draft.delete(path("/opt/x"));
        let seen = Overlaid::new(&below, &draft, &Empty);
        let paths: Vec<String> = seen.walk().map(|e| e.unwrap().path.to_string()).collect();
        let expected = [
            "/",
            "/etc",
            "/etc/a",
            "/opt",
            "/opt/x",
            "/opt/x/mine",
            "/srv",
            "/srv/data",
            "/var",
            "/var/new",
            "/var/new/deep",
        ];
        assert_eq!(paths, expected);
        assert_eq!(read_file(&seen, &path("/etc/a"), 10).unwrap().unwrap(), b"new");
        assert!(seen.entry(&path("/srv/data/z")).unwrap().is_none());
        assert!(seen.entry(&path("/opt/x/y")).unwrap().is_none());
    }
}
