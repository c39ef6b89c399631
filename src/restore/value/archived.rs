//! [`Archived`]: the archived source as a tree, and as the draft of what is to be placed.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Contents, ITSELF, ImageText, Listed, Manifest, ManifestEntry, SourceTree};
use crate::defaults::{IN_PLACE, IN_SERVICE};
use crate::restore::value::relation::Relation;
use crate::tree::{
    Content, ContentId, Draft, DraftContent, DraftNode, Entry, Extent, Kind, LinkGroup, RootPath,
    Tree, TreeError,
};
use crate::verdict::Class;

/// A bundle's source as a tree: every path the manifest lists, but for regular files whose content
/// was not kept: they are the new system's own affair.
pub(in crate::restore) struct Archived<'a> {
    manifest: &'a Manifest,
    source: SourceTree<'a>,
    /// What it is placed on: decides what of it is.
    onto: Relation,
}

impl<'a> Archived<'a> {
    /// The tree that `manifest` describes, for a target that is `onto` to its image.
    pub(in crate::restore) fn new(
        manifest: &'a Manifest,
        contents: &'a Contents,
        onto: Relation,
    ) -> Archived<'a> {
        Archived { manifest, source: SourceTree::new(manifest, contents), onto }
    }

    /// What stands in the tree for `record`.
    fn seen(record: ManifestEntry) -> Option<Entry> {
        let stored = record.stored;
        record.into_entry().filter(|entry| stored || !entry.kind.is_file())
    }

    /// Whether the source had `path`.
    pub(in crate::restore) fn has(&self, path: &RootPath) -> bool {
        self.manifest.entries.find(path).is_some_and(|record| !record.is_deleted())
    }

    /// The package that owns `path`.
    pub(in crate::restore) fn owner(&self, path: &RootPath) -> Option<String> {
        self.manifest.entries.find(path)?.package
    }

    /// Where the contents `wanted` stood in the source; of several names the last.
    pub(in crate::restore) fn places(
        &self,
        wanted: &BTreeSet<ContentId>,
    ) -> BTreeMap<ContentId, RootPath> {
        if wanted.is_empty() {
            return BTreeMap::new();
        }
        let stored = self.manifest.entries.wanted(|listed| listed.stored);
        let placed = stored.filter_map(|record| Some((self.source.content(&record)?, record.path)));
        placed.filter(|(id, _)| wanted.contains(id)).collect()
    }

    /// The links that were kept for themselves, with their targets.
    pub(in crate::restore) fn links(&self) -> BTreeMap<RootPath, Vec<u8>> {
        let kept = |listed: Listed| listed.class == Class::Mutable && listed.stored;
        let links =
            self.manifest.entries.wanted(kept).filter_map(|record| match record.into_entry()? {
                Entry { path, kind: Kind::Symlink { target }, .. } => Some((path, target)),
                _ => None,
            });
        links.collect()
    }

    /// Every path of it, those too whose content was not kept.
    pub(in crate::restore) fn source(&self) -> &SourceTree<'a> {
        &self.source
    }

    /// Everything that is to be placed: what was kept for itself, and what was removed. What the old
    /// image brought is never placed onto its successor.
    ///
    /// Directories that only went along as a frame are not in it; [`Archived::directory`] knows
    /// them.
    pub(in crate::restore) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let mut groups = Groups::default();
        let placed = |listed: Listed| {
            self.onto.carries(listed.origin)
                && (listed.deleted || (listed.class == Class::Mutable && listed.stored))
        };
        for record in self.manifest.entries.wanted(placed) {
            let content = self.source.content(&record);
            let (path, volume) = (record.path.clone(), record.volume.clone());
            let Some(mut entry) = record.into_entry() else {
                draft.delete(path);
                continue;
            };
            entry.links = entry.links.map(|group| groups.unique(volume.as_deref(), group));
            let content = match (&entry.kind, content) {
                (Kind::File { .. }, Some(id)) => DraftContent::Stored(id),
                (Kind::File { .. }, None) => continue,
                _ => DraftContent::None,
            };
            draft.put(DraftNode { entry, content });
        }
        draft
    }

    /// The directory that was at `path`, whatever its class.
    pub(in crate::restore) fn directory(&self, path: &RootPath) -> Option<Entry> {
        self.manifest.entries.find(path)?.into_entry().filter(|entry| entry.kind.is_dir())
    }

    /// The unedited files that were not kept, with the texts that tell what was set in them.
    pub(in crate::restore) fn defaults(&self) -> impl Iterator<Item = (ManifestEntry, ContentId)> {
        let found = |found: &str| found == IN_PLACE || found == IN_SERVICE;
        let onto = self.onto;
        let wanted = move |listed: Listed| {
            !listed.stored && listed.pristine.is_some_and(found) && onto.carries(listed.origin)
        };
        let records = self.manifest.entries.wanted(wanted);
        records.filter_map(|record| {
            let text = self.source.pristine(&record)?;
            Some((record, text))
        })
    }

    /// The contents of files of which only owner, mode or attributes were changed.
    pub(in crate::restore) fn unedited(&self) -> BTreeSet<ContentId> {
        let on_successor = self.onto == Relation::Successor;
        let itself = |listed: Listed| match listed.image_text {
            Some(text) if on_successor => text == ImageText::Itself,
            _ => listed.pristine == Some(ITSELF),
        };
        let records = self.manifest.entries.wanted(itself);
        records.filter_map(|record| self.source.content(&record)).collect()
    }

    /// The contents that hold keys or passwords.
    pub(in crate::restore) fn secrets(&self) -> BTreeSet<ContentId> {
        let secrets = self.manifest.entries.wanted(|listed| listed.secret);
        secrets.filter_map(|record| self.source.content(&record)).collect()
    }

    /// The text that each archived file was made from, where it is known, by its content; the same
    /// content where only owner, mode or attributes were changed.
    ///
    /// On a successor the container's life began with what the image had; elsewhere what the image
    /// changed is the service's own too, and it began with the package's text.
    pub(in crate::restore) fn bases(&self) -> BTreeMap<ContentId, ContentId> {
        let on_successor = self.onto == Relation::Successor;
        self.manifest
            .entries
            .wanted(|listed| listed.pristine.is_some() || listed.image_text.is_some())
            .filter_map(|record| {
                // What was not kept has nothing to be merged.
                let ours = self.source.content(&record)?;
                let base = match (record.image_text, record.pristine.as_deref()) {
                    (Some(ImageText::Itself), _) if on_successor => ours,
                    (Some(ImageText::Apart), _) if on_successor => {
                        self.source.image_text(&record)?
                    }
                    (_, None) => return None,
                    (_, Some(ITSELF)) => ours,
                    (_, Some(_)) => self.source.pristine(&record)?,
                };
                Some((ours, base))
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
        Ok(self.manifest.entries.find(path).and_then(Archived::seen))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        Ok(self.manifest.entries.children(path).filter_map(Archived::seen).collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        self.source.open(entry)
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        self.source.extents(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::bundle::{Area, Reader, Writer};
    use crate::monitor::Silent;
    use crate::tree::{Meta, Store, Time, Xattrs};
    use crate::verdict::{Origin, Reason};

    const ORIGINS: [Origin; 6] = [
        Origin::Base,
        Origin::Image,
        Origin::Container,
        Origin::Volume,
        Origin::Bind,
        Origin::Root,
    ];

    /// One path: which origin and class, whether it is gone, a directory, an edited file.
    type Drawn = (usize, bool, bool, bool);

    fn bundle(drawn: &[Drawn]) -> (Manifest, Contents) {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().join("x.regrow");
        let mut writer = Writer::create(&at).unwrap();
        let mut manifest = Manifest::new();
        let mut texts = Vec::new();
        let mtime = Time { secs: 0, nanos: 0 };
        let meta = Meta { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() };
        let (path, kind) = (RootPath::root(), Kind::Dir);
        let root = Entry { path, kind, meta: meta.clone(), ctime: None, links: None };
        writer.add(Area::Root, &root, None, &[]).unwrap();
        let frame = (Class::Immutable, Reason::Unexplained, Origin::Base);
        manifest.entries.push(ManifestEntry::new(&root, frame.0, frame.1, frame.2));
        for (number, (origin, deleted, is_dir, edited)) in drawn.iter().enumerate() {
            let path = RootPath::parse(format!("/{number:03}").as_bytes()).unwrap();
            let reason = if *deleted { Reason::Removed } else { Reason::Unexplained };
            if *deleted {
                let origin = ORIGINS[*origin];
                let gone = ManifestEntry::deleted(path, Class::Mutable, reason, origin);
                manifest.entries.push(gone);
                continue;
            }
            let kind = if *is_dir { Kind::Dir } else { Kind::File { size: 1 } };
            let entry = Entry { path, kind, meta: meta.clone(), ctime: None, links: None };
            let extents = [Extent { offset: 0, length: 1 }];
            let mut content = Cursor::new(vec![b'x']);
            let content = (!is_dir).then_some(&mut content as &mut dyn Content);
            let extents = if *is_dir { &extents[..0] } else { &extents[..] };
            writer.add(Area::Root, &entry, content, extents).unwrap();
            let mut record = ManifestEntry::new(&entry, Class::Mutable, reason, ORIGINS[*origin]);
            if *edited && !is_dir {
                record.pristine = Some("image".to_owned());
                texts.push(entry);
            }
            manifest.entries.push(record);
        }
        for entry in texts {
            let extents = [Extent { offset: 0, length: 1 }];
            let mut content = Cursor::new(vec![b'y']);
            writer.add(Area::Pristine, &entry, Some(&mut content), &extents).unwrap();
        }
        writer.finish(manifest, &Silent).unwrap();
        let reader = Reader::open(&at).unwrap();
        let contents = reader.contents(&Silent).unwrap();
        (reader.manifest().clone(), contents)
    }

    /// What the only file of a bundle, with the text `ours`, was made from on a target that is `onto`
    /// to its image: its package's text was `packaged`, its image's `of_image`.
    fn base(onto: Relation, packaged: bool, of_image: Option<ImageText>) -> Option<String> {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().join("x.regrow");
        let mut writer = Writer::create(&at).unwrap();
        let mut manifest = Manifest::new();
        let root = Entry::new(RootPath::root(), Kind::Dir, Meta::root(0o755));
        writer.add(Area::Root, &root, None, &[]).unwrap();
        let record = |entry| {
            ManifestEntry::new(entry, Class::Mutable, Reason::Unexplained, Origin::Container)
        };
        manifest.entries.push(record(&root));
        let mut add = |area, text: &str| {
            let path = RootPath::parse(b"/x").unwrap();
            let entry = Entry::new(path, Kind::File { size: text.len() as u64 }, Meta::root(0o644));
            let extents = [Extent { offset: 0, length: text.len() as u64 }];
            let mut content = Cursor::new(text.as_bytes().to_vec());
            writer.add(area, &entry, Some(&mut content), &extents).unwrap();
            entry
        };
        let mut file = record(&add(Area::Root, "ours"));
        if packaged {
            add(Area::Pristine, "packaged");
            file.pristine = Some("image".to_owned());
        }
        if of_image == Some(ImageText::Apart) {
            add(Area::Image, "of the image");
        }
        file.image_text = of_image;
        manifest.entries.push(file);
        writer.finish(manifest, &Silent).unwrap();
        let reader = Reader::open(&at).unwrap();
        let contents = reader.contents(&Silent).unwrap();
        let bases = Archived::new(reader.manifest(), &contents, onto).bases();
        let mut text = String::new();
        let mut found = contents.open(*bases.values().next()?).unwrap();
        std::io::Read::read_to_string(&mut found, &mut text).unwrap();
        Some(text)
    }

    #[test]
    fn a_file_is_merged_on_what_its_target_had_too() {
        let (plain, successor) = (Relation::Plain, Relation::Successor);
        for (onto, packaged, of_image, expected) in [
            (plain, true, None, Some("packaged")),
            (successor, true, None, Some("packaged")),
            (plain, true, Some(ImageText::Apart), Some("packaged")),
            (successor, true, Some(ImageText::Apart), Some("of the image")),
            (plain, true, Some(ImageText::Itself), Some("packaged")),
            (successor, true, Some(ImageText::Itself), Some("ours")),
            (plain, false, Some(ImageText::Apart), None),
            (successor, false, Some(ImageText::Apart), Some("of the image")),
            (successor, false, None, None),
        ] {
            let found = base(onto, packaged, of_image);
            assert_eq!(found.as_deref(), expected, "{onto:?} {packaged} {of_image:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn nothing_that_the_old_image_brought_is_placed_onto_its_successor(
            drawn in prop::collection::vec(
                (0..ORIGINS.len(), any::<bool>(), any::<bool>(), any::<bool>()),
                0..24,
            ),
        ) {
            let (manifest, contents) = bundle(&drawn);
            let places = |onto| {
                let draft = Archived::new(&manifest, &contents, onto).draft();
                let nodes = draft.nodes().map(|node| node.entry.path.clone());
                nodes.chain(draft.deletions().cloned()).collect::<BTreeSet<_>>()
            };
            let (plain, successor) = (places(Relation::Plain), places(Relation::Successor));
            prop_assert_eq!(plain.len(), drawn.len());
            for path in plain {
                let origin = manifest.entries.find(&path).unwrap().origin;
                let of_image = matches!(origin, Origin::Base | Origin::Image);
                prop_assert_eq!(successor.contains(&path), !of_image);
            }
        }
    }
}
