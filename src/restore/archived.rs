//! [`Archived`]: the archived source as a tree, and as the draft of what is to be placed.

use std::collections::BTreeMap;

use crate::bundle::{Area, Contents, Manifest, ManifestEntry};
use crate::tree::{
    Content, ContentId, Draft, DraftContent, DraftNode, Entry, Extent, Kind, LinkGroup, RootPath,
    Store, Tree, TreeError,
};
use crate::verdict::Class;

/// A bundle's source as a tree: every path the manifest lists, but for regular files whose content
/// was not kept: they are the new system's own affair.
pub(super) struct Archived<'a> {
    manifest: &'a Manifest,
    contents: &'a Contents,
}

impl<'a> Archived<'a> {
    /// The tree that `manifest` describes.
    pub(super) fn new(manifest: &'a Manifest, contents: &'a Contents) -> Archived<'a> {
        Archived { manifest, contents }
    }

    /// What stands in the tree for `record`.
    fn seen(record: &ManifestEntry) -> Option<Entry> {
        record.to_entry().filter(|entry| record.stored || !entry.kind.is_file())
    }

    /// The kept content of `entry`.
    fn content(&self, entry: &ManifestEntry) -> Option<ContentId> {
        let (area, path) = self.manifest.place(entry)?;
        self.contents.find(area, &path)
    }

    /// Everything that is to be placed: what was kept for itself, and what was removed.
    ///
    /// Directories that only went along as a frame are not in it; [`Archived::directory`] knows
    /// them.
    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let mut groups = Groups::default();
        for record in &self.manifest.entries {
            if record.is_deleted() {
                draft.delete(record.path.clone());
            } else if record.class == Class::Mutable
                && record.stored
                && let Some(mut entry) = record.to_entry()
            {
                entry.links =
                    entry.links.map(|group| groups.unique(record.volume.as_deref(), group));
                let content = match entry.kind {
                    Kind::File { .. } => match self.content(record) {
                        Some(id) => DraftContent::Stored(id),
                        None => continue,
                    },
                    _ => DraftContent::None,
                };
                draft.put(DraftNode { entry, content });
            }
        }
        draft
    }

    /// The directory that was at `path`, whatever its class.
    pub(super) fn directory(&self, path: &RootPath) -> Option<Entry> {
        self.manifest.entry(path)?.to_entry().filter(|entry| entry.kind.is_dir())
    }

    /// The pristine text of the archived configuration file whose content is `id`, for each that
    /// has one.
    pub(super) fn pristine(&self) -> BTreeMap<ContentId, ContentId> {
        self.manifest
            .entries
            .iter()
            .filter(|record| record.pristine.is_some())
            .filter_map(|record| {
                let ours = self.content(record)?;
                Some((ours, self.contents.find(Area::Pristine, &record.path)?))
            })
            .collect()
    }
}

/// Hard links are counted within the root and within each volume; a draft has one count.
#[derive(Default)]
struct Groups(BTreeMap<(Option<String>, LinkGroup), LinkGroup>);

impl Groups {
    fn unique(&mut self, volume: Option<&str>, group: LinkGroup) -> LinkGroup {
        let next = LinkGroup(self.0.len() as u64 + 1);
        *self.0.entry((volume.map(str::to_owned), group)).or_insert(next)
    }
}

impl Tree for Archived<'_> {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(self.manifest.entries.iter().filter_map(Archived::seen).map(Ok))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        Ok(self.manifest.entry(path).and_then(Archived::seen))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let entries = &self.manifest.entries;
        let from = entries.partition_point(|entry| entry.path <= *path);
        Ok(entries[from..]
            .iter()
            .take_while(|entry| entry.path.is_within(path))
            .filter(|entry| entry.path.parent().as_ref() == Some(path))
            .filter_map(Archived::seen)
            .collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let missing = || {
            let why = std::io::Error::other("its content was not kept");
            TreeError::io("reading the archived", &entry.path, why)
        };
        let record = self.manifest.entry(&entry.path).ok_or_else(missing)?;
        let id = self.content(record).ok_or_else(missing)?;
        self.contents.open(id).map_err(|e| TreeError::io("reading the archived", &entry.path, e))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let whole = vec![Extent { offset: 0, length: entry.kind.size() }];
        let Some(id) = self.manifest.entry(&entry.path).and_then(|r| self.content(r)) else {
            return Ok(whole);
        };
        self.contents.extents(id).map_err(|e| TreeError::io("reading the archived", &entry.path, e))
    }
}
