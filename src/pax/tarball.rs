//! [`TarTree`]: somebody's tar as a tree.
//!
//! The index is in memory, one node per file and one name per entry; contents lie in a spool file.
//! The tree is whole whatever the tar was: the root exists, every entry has a directory above it,
//! no name leads out, and what could not be taken in is among the problems.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Bound;

use super::problem::Problem;
use super::section::{Run, Section};
use super::sparse;
use crate::tree::{Content, Entry, Extent, Kind, LinkGroup, Meta, RootPath, Tree, TreeError};

/// Where the content of a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// It has none.
    Nothing,
    /// It was left out.
    Listed,
    /// In one piece at this offset of the spool.
    Whole(u64),
    /// In runs, with holes between them.
    Runs(Box<[Run]>),
}

/// What the names of one file share.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) meta: Meta,
    pub(super) stored: Stored,
    /// How many names it has.
    pub(super) names: u32,
}

/// A tree read from a tar stream. Several readers can work on it at once.
pub(crate) struct TarTree {
    pub(super) spool: File,
    /// Every name with the index of its node; the root and all parents are there.
    pub(super) names: BTreeMap<RootPath, usize>,
    pub(super) nodes: Vec<Node>,
    pub(super) problems: Vec<Problem>,
    /// Directories that the tar does not mention.
    pub(super) implied: BTreeSet<RootPath>,
}

impl TarTree {
    /// What of the tar is not, or not exactly, in the tree.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The directories that the tar does not mention, the root perhaps among them.
    pub(crate) fn implied_dirs(&self) -> impl Iterator<Item = &RootPath> {
        self.implied.iter()
    }

    /// The file that holds the content of the regular file `entry` in one piece, and the byte
    /// where it begins there; `None` for a sparse file, or one that was not kept.
    ///
    /// # Errors
    /// The file cannot be opened a second time.
    pub(crate) fn place(&self, entry: &Entry) -> Result<Option<(File, u64)>, TreeError> {
        match self.node(entry)?.stored {
            Stored::Whole(start) => {
                let file = self.spool.try_clone();
                let file = file.map_err(|e| TreeError::io("opening", &entry.path, e))?;
                Ok(Some((file, start)))
            }
            _ => Ok(None),
        }
    }

    fn make(&self, path: &RootPath, index: usize) -> Entry {
        let node = &self.nodes[index];
        Entry {
            path: path.clone(),
            kind: node.kind.clone(),
            meta: node.meta.clone(),
            ctime: None,
            links: (node.names > 1).then_some(LinkGroup(index as u64)),
        }
    }

    /// The node of the regular file that `entry` describes.
    fn node(&self, entry: &Entry) -> Result<&Node, TreeError> {
        let node = self.names.get(&entry.path).map(|&index| &self.nodes[index]);
        node.filter(|node| node.kind.is_file() && node.kind == entry.kind).ok_or_else(|| {
            TreeError::Changed {
                path: entry.path.clone(),
                what: "the archive holds no such file".to_owned(),
            }
        })
    }
}

impl Tree for TarTree {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.names.iter().map(|(path, &index)| Ok(self.make(path, index))))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.names.get(path).map(|&index| self.make(path, index)))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let mut children = Vec::new();
        let mut from = Bound::Excluded(path.clone());
        while let Some((child, &index)) =
            self.names.range((from, Bound::Unbounded)).next().filter(|(at, _)| at.is_within(path))
        {
            children.push(self.make(child, index));
            // Of what begins with the child's name, this sorts after all that is below it and
            // before everything else.
            let after = [child.name(), b"\x01"].concat();
            from = Bound::Included(path.child(&after));
        }
        Ok(children)
    }

    fn implied(&self, path: &RootPath) -> bool {
        self.implied.contains(path)
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let node = self.node(entry)?;
        let size = node.kind.size();
        let runs = match &node.stored {
            Stored::Whole(place) if size > 0 => {
                Cow::Owned(vec![Run { offset: 0, length: size, place: *place }])
            }
            Stored::Whole(_) | Stored::Nothing => Cow::Owned(vec![]),
            Stored::Runs(runs) => Cow::Borrowed(&**runs),
            Stored::Listed => {
                let source = io::Error::new(io::ErrorKind::Unsupported, "only listed, not kept");
                return Err(TreeError::io("opening", &entry.path, source));
            }
        };
        Ok(Box::new(Section::new(&self.spool, runs, size)))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let node = self.node(entry)?;
        Ok(match &node.stored {
            Stored::Runs(runs) => {
                runs.iter().map(|run| Extent { offset: run.offset, length: run.length }).collect()
            }
            _ => sparse::whole(node.kind.size()),
        })
    }
}
