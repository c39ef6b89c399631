//! [`Entries`]: the paths that a manifest lists, in little space.
//!
//! There are as many as the source has files, while the bundle is written, when it is read back and
//! when it is restored. What is said of one path is said of many, so it is kept once; digests are
//! kept for those that have one. An entry is put together when it is asked for.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::digest::Digest;
use super::entry::{ImageText, ManifestEntry, Node};
use crate::tree::{
    Entry, FileType, Kind, LinkGroup, Meta, Packed, Repeated, RootPath, escaped, is_within,
    parent_of, path_order,
};
use crate::verdict::{Class, Origin, Reason};

/// Entries of a manifest, to be added in path order.
#[derive(Clone, Default)]
pub struct Entries {
    /// Of a deletion, a [`gap`].
    nodes: Packed,
    remarks: Repeated<Remark>,
    stored: Stored,
}

/// What is said of a path, as of many others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Remark {
    class: Class,
    reason: Reason,
    origin: Origin,
    deleted: bool,
    volume: Option<String>,
    package: Option<String>,
    pristine: Option<String>,
    image_text: Option<ImageText>,
    secret: bool,
}

/// Which entries have a member, and the digests of the regular files among them.
#[derive(Clone, Default)]
pub(super) struct Stored {
    /// By number of the entry.
    members: Vec<bool>,
    /// With the number of the entry, ascending.
    digests: Vec<(usize, Digest)>,
}

impl Stored {
    /// Adds what is to be said of the next entry.
    pub(super) fn push(&mut self, member: bool, digest: Option<Digest>) {
        self.digests.extend(digest.map(|digest| (self.members.len(), digest)));
        self.members.push(member);
    }

    fn digest(&self, number: usize) -> Option<Digest> {
        let at = self.digests.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.digests.get(at).map(|(_, digest)| *digest)
    }
}

/// What a list shows of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    /// The bytes of the path.
    pub path: &'a [u8],
    /// What it is worth.
    pub class: Class,
    /// The evidence that decided.
    pub reason: &'a Reason,
    /// Where it came from.
    pub origin: Origin,
    /// It was removed, and stays so.
    pub deleted: bool,
    /// Bytes; 0 unless a regular file.
    pub size: u64,
    /// What kind of node it is; of a deletion it says nothing.
    pub file_type: FileType,
    /// What it shares with its other names.
    pub links: Option<LinkGroup>,
    /// The package that owns it.
    pub package: Option<&'a str>,
    /// The volume it lies in.
    pub volume: Option<&'a str>,
    /// Where its pristine text was found.
    pub pristine: Option<&'a str>,
    /// What its image had there, where that is not the pristine text.
    pub image_text: Option<ImageText>,
    /// Whether it was kept and holds a key or a password.
    pub secret: bool,
    /// Whether the bundle holds it as a member.
    pub stored: bool,
}

impl Entries {
    /// Adds an entry; its path comes after all others.
    pub fn push(&mut self, entry: ManifestEntry) {
        let ManifestEntry { path, class, reason, origin, node, stored, digest, .. } = entry;
        let ManifestEntry { volume, package, pristine, image_text, secret, .. } = entry;
        let deleted = node.is_none();
        let remark = Remark {
            class,
            reason,
            origin,
            deleted,
            volume,
            package,
            pristine,
            image_text,
            secret,
        };
        self.remarks.push(remark);
        self.stored.push(stored, digest);
        let Node { kind, meta, links } = node.unwrap_or_else(gap);
        self.nodes.push(Entry { path, kind, meta, ctime: None, links });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry `number`, which is less than [`Self::len`].
    pub(super) fn get(&self, number: usize) -> ManifestEntry {
        let Entry { path, kind, meta, links, .. } = self.nodes.get(number);
        let remark = self.remarks.get(number).clone();
        ManifestEntry {
            path,
            class: remark.class,
            reason: remark.reason,
            origin: remark.origin,
            node: (!remark.deleted).then_some(Node { kind, meta, links }),
            stored: self.stored.members[number],
            digest: self.stored.digest(number),
            volume: remark.volume,
            package: remark.package,
            pristine: remark.pristine,
            image_text: remark.image_text,
            secret: remark.secret,
        }
    }

    /// The entry at `path`.
    pub fn find(&self, path: &RootPath) -> Option<ManifestEntry> {
        self.nodes.find(path.as_bytes()).ok().map(|number| self.get(number))
    }

    /// Whether there is an entry at `path`.
    pub fn contains(&self, path: &RootPath) -> bool {
        self.nodes.find(path.as_bytes()).is_ok()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = ManifestEntry> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// All of them, as far as a list shows them.
    pub(crate) fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..self.len()).map(|number| self.list(number))
    }

    /// Of each, what kind of node it is; `None` of a deletion.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Option<FileType>> {
        (0..self.len()).map(|at| (!self.remarks.get(at).deleted).then(|| self.nodes.file_type(at)))
    }

    /// Those of which a list shows what is wanted; the others are not put together.
    pub(crate) fn wanted(
        &self,
        wanted: impl Fn(Listed) -> bool,
    ) -> impl Iterator<Item = ManifestEntry> {
        let numbers = (0..self.len()).filter(move |number| wanted(self.list(*number)));
        numbers.map(|number| self.get(number))
    }

    /// Those directly below `dir`.
    pub fn children(&self, dir: &RootPath) -> impl Iterator<Item = ManifestEntry> {
        let dir = dir.as_bytes();
        let from = self.nodes.find(dir).map_or_else(|place| place, |number| number + 1);
        (from..self.len())
            .take_while(move |number| is_within(self.nodes.path(*number), dir))
            .filter(move |number| parent_of(self.nodes.path(*number)) == Some(dir))
            .map(|number| self.get(number))
    }

    fn list(&self, number: usize) -> Listed<'_> {
        let remark = self.remarks.get(number);
        Listed {
            path: self.nodes.path(number),
            class: remark.class,
            reason: &remark.reason,
            origin: remark.origin,
            deleted: remark.deleted,
            size: self.nodes.size(number),
            file_type: self.nodes.file_type(number),
            links: self.nodes.links(number),
            package: remark.package.as_deref(),
            volume: remark.volume.as_deref(),
            pristine: remark.pristine.as_deref(),
            image_text: remark.image_text,
            secret: remark.secret,
            stored: self.stored.members[number],
        }
    }

    /// The first path that does not come after the one before it, escaped.
    pub(super) fn out_of_order(&self) -> Option<String> {
        let ascends = |number: &usize| {
            path_order(self.nodes.path(number - 1), self.nodes.path(*number)).is_lt()
        };
        let found = (1..self.len()).find(|number| !ascends(number))?;
        Some(escaped(self.nodes.path(found)))
    }

    /// Says of every entry, in order, whether it has a member.
    pub(super) fn set_stored(&mut self, stored: Stored) {
        debug_assert_eq!(stored.members.len(), self.len());
        self.stored = stored;
    }

    /// Numbers hard links in the order of the entries, in the root and in each volume apart.
    ///
    /// The source's numbers may be those of its inodes, which another copy of it does not share.
    pub(super) fn number_links(&mut self) {
        let mut numbers: HashMap<(Option<&str>, LinkGroup), LinkGroup> = HashMap::new();
        for (number, links) in self.nodes.links_mut() {
            let next = LinkGroup(numbers.len() as u64 + 1);
            let volume = self.remarks.get(number).volume.as_deref();
            *links = *numbers.entry((volume, *links)).or_insert(next);
        }
    }
}

/// What stands for nothing.
fn gap() -> Node {
    let meta = Meta::root(0);
    Node { kind: Kind::File { size: 0 }, meta, links: None }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Entries) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl FromIterator<ManifestEntry> for Entries {
    fn from_iter<I: IntoIterator<Item = ManifestEntry>>(entries: I) -> Entries {
        let mut all = Entries::default();
        entries.into_iter().for_each(|entry| all.push(entry));
        all
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_seq(OneByOne)
    }
}

/// Packs each entry as soon as it is read.
struct OneByOne;

impl<'de> Visitor<'de> for OneByOne {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entries, A::Error> {
        let mut entries = Entries::default();
        while let Some(entry) = seq.next_element()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Time, Xattrs};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn file(at: &str, links: Option<u64>, volume: Option<&str>) -> ManifestEntry {
        let mtime = Time { secs: 1, nanos: 2 };
        let meta = Meta { mode: 0o640, uid: 3, gid: 4, mtime, xattrs: Xattrs::new() };
        let (kind, links) = (Kind::File { size: 5 }, links.map(LinkGroup));
        let entry = Entry { path: path(at), kind, meta, ctime: None, links };
        ManifestEntry {
            volume: volume.map(str::to_owned),
            ..ManifestEntry::new(&entry, Class::Mutable, Reason::Unexplained, Origin::Root)
        }
    }

    fn gone(at: &str) -> ManifestEntry {
        ManifestEntry::deleted(path(at), Class::Mutable, Reason::Removed, Origin::Root)
    }

    /// One of everything, in path order.
    fn all() -> Vec<ManifestEntry> {
        let mut stored = file("/b", None, None);
        (stored.stored, stored.digest) = (true, Some(Digest::of(b"b")));
        stored.package = Some("app".to_owned());
        stored.pristine = Some("image layer".to_owned());
        stored.image_text = Some(ImageText::Apart);
        stored.secret = true;
        let mut directory = file("/c", None, Some("data"));
        directory.node = directory.node.map(|node| Node { kind: Kind::Dir, ..node });
        directory.stored = true;
        let mut last = file("/c/z", Some(7), Some("data"));
        (last.stored, last.digest) = (true, Some(Digest::of(b"z")));
        vec![gone("/a"), stored, directory, file("/c/y", None, None), last]
    }

    #[test]
    fn what_goes_in_comes_out() {
        let entries: Entries = all().into_iter().collect();
        assert_eq!(entries.iter().collect::<Vec<_>>(), all());
        assert_eq!(entries.len(), 5);
        for (listed, entry) in entries.listed().zip(all()) {
            let expected = Listed {
                path: entry.path.as_bytes(),
                class: entry.class,
                reason: &entry.reason,
                origin: entry.origin,
                deleted: entry.is_deleted(),
                size: entry.size(),
                file_type: listed.file_type,
                links: entry.node.as_ref().and_then(|node| node.links),
                package: entry.package.as_deref(),
                volume: entry.volume.as_deref(),
                pristine: entry.pristine.as_deref(),
                image_text: entry.image_text,
                secret: entry.secret,
                stored: entry.stored,
            };
            assert_eq!(listed, expected);
            let file_type = entry.node.as_ref().map(|node| node.kind.file_type());
            assert!(file_type.is_none_or(|kind| kind == listed.file_type));
        }
        let mut others = all();
        others[4].digest = Some(Digest::of(b"other"));
        assert_ne!(entries, others.into_iter().collect());
    }

    #[test]
    fn an_entry_is_found_by_its_path() {
        let entries: Entries = all().into_iter().collect();
        for entry in all() {
            assert!(entries.contains(&entry.path));
            assert_eq!(entries.find(&entry.path), Some(entry));
        }
        assert!(!entries.contains(&path("/c/none")));
        assert_eq!(entries.find(&path("/c/none")), None);
    }

    #[test]
    fn children_lie_directly_below_whether_or_not_their_directory_is_listed() {
        let paths = ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/a-b", "/e/f", "/e/f/g"];
        let entries: Entries = paths.iter().map(|at| file(at, None, None)).collect();
        let children = |dir: &str| -> Vec<String> {
            entries.children(&path(dir)).map(|entry| entry.path.to_string()).collect()
        };
        assert_eq!(children("/"), ["/a", "/a-b"]);
        assert_eq!(children("/a"), ["/a/b", "/a/d"]);
        assert_eq!(children("/e"), ["/e/f"]);
        assert_eq!(children("/a/d"), [""; 0]);
        assert_eq!(children("/z"), [""; 0]);
    }

    #[test]
    fn a_path_that_comes_twice_or_too_late_is_named() {
        let wrong = |paths: &[&str]| {
            let entries: Entries = paths.iter().map(|at| file(at, None, None)).collect();
            entries.out_of_order()
        };
        assert_eq!(wrong(&[]), None);
        assert_eq!(wrong(&["/", "/a", "/a/b", "/a-b"]), None);
        assert_eq!(wrong(&["/a", "/a"]).as_deref(), Some("/a"));
        assert_eq!(wrong(&["/", "/a-b", "/a\n"]).as_deref(), Some("/a\\n"));
    }

    #[test]
    fn links_are_numbered_from_one_and_apart_in_each_volume() {
        let mut entries: Entries = [
            file("/a", Some(9), None),
            file("/b", None, None),
            file("/c", Some(4), None),
            file("/d", Some(9), None),
            file("/v/a", Some(9), Some("data")),
        ]
        .into_iter()
        .collect();
        entries.number_links();
        let numbers: Vec<_> = entries.listed().map(|listed| listed.links.map(|l| l.0)).collect();
        assert_eq!(numbers, [Some(1), None, Some(2), Some(1), Some(3)]);
    }
}
