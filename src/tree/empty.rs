//! [`Empty`]: nothing at all.

use super::{Content, ContentId, Entry, Extent, RootPath, Store, Tree, TreeError};

/// A tree without anything in it, not even a root, and a store that nothing was put into.
pub struct Empty;

impl Tree for Empty {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(std::iter::empty())
    }

    fn entry(&self, _path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(None)
    }

    fn children(&self, _path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        Ok(vec![])
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        Err(TreeError::io("reading", &entry.path, std::io::ErrorKind::NotFound.into()))
    }
}

impl Store for Empty {
    fn open(&self, _id: ContentId) -> std::io::Result<Box<dyn Content + '_>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn extents(&self, _id: ContentId) -> std::io::Result<Vec<Extent>> {
        Ok(vec![])
    }
}
