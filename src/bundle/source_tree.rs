//! [`SourceTree`]: the source of a bundle as a tree.

use super::contents::Contents;
use super::manifest::Manifest;
use super::{Area, ManifestEntry};
use crate::tree::{Content, ContentId, Entry, Extent, RootPath, Store, Tree, TreeError};

/// Every path that the source of a bundle had. Only a file whose content was kept can be opened.
pub(crate) struct SourceTree<'a> {
    manifest: &'a Manifest,
    contents: &'a Contents,
}

impl<'a> SourceTree<'a> {
    /// The tree that `manifest` describes.
    pub(crate) fn new(manifest: &'a Manifest, contents: &'a Contents) -> SourceTree<'a> {
        SourceTree { manifest, contents }
    }

    /// Where the kept content of `entry` is.
    pub(crate) fn content(&self, entry: &ManifestEntry) -> Option<ContentId> {
        let (area, path) = self.manifest.place(entry)?;
        self.contents.find(area, &path)
    }

    /// Where the text that `entry` was made from is, if the bundle holds it apart.
    pub(crate) fn pristine(&self, entry: &ManifestEntry) -> Option<ContentId> {
        self.contents.find(Area::Pristine, &entry.path)
    }

    /// Where the text that the image had at `entry` is, if the bundle holds it apart.
    pub(crate) fn image_text(&self, entry: &ManifestEntry) -> Option<ContentId> {
        self.contents.find(Area::Image, &entry.path)
    }
}

impl Tree for SourceTree<'_> {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.manifest.entries.iter().filter_map(ManifestEntry::into_entry).map(Ok))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.manifest.entries.find(path).and_then(ManifestEntry::into_entry))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let children = self.manifest.entries.children(path);
        Ok(children.filter_map(ManifestEntry::into_entry).collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let missing = || {
            let why = std::io::Error::other("its content was not kept");
            TreeError::io("reading the archived", &entry.path, why)
        };
        let record = self.manifest.entries.find(&entry.path).ok_or_else(missing)?;
        let id = self.content(&record).ok_or_else(missing)?;
        self.contents.open(id).map_err(|e| TreeError::io("reading the archived", &entry.path, e))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let whole = vec![Extent { offset: 0, length: entry.kind.size() }];
        let record = self.manifest.entries.find(&entry.path);
        let Some(id) = record.and_then(|record| self.content(&record)) else {
            return Ok(whole);
        };
        self.contents.extents(id).map_err(|e| TreeError::io("reading the archived", &entry.path, e))
    }
}
