//! [`Packed`]: a list of entries in little space.
//!
//! A tree has as many entries as it has files, and a whole service is looked at more than once.
//! One record of a fixed size stands for each; paths and the targets of links lie in one arena,
//! equal attributes are kept once, and the groups of hard links, which few have, lie aside.

use std::collections::BTreeMap;

use super::repeated::Repeated;
use super::{
    Entry, FileType, Kind, LinkGroup, Meta, RootPath, Time, Xattrs, near_partition_point,
    path_order,
};

/// Entries by number, in the order in which they were added. What looks up a path needs them in
/// path order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    arena: Vec<u8>,
    records: Vec<Record>,
    xattrs: Repeated<Xattrs>,
    /// By number of the entry.
    links: BTreeMap<usize, LinkGroup>,
}

/// What kind of node a record is of; what else there is to say lies in the record's `size`.
#[derive(Debug, Clone, Copy)]
enum Tag {
    /// `size` bytes.
    File,
    Dir,
    /// The target is `size` bytes behind the path.
    Symlink,
    Fifo,
    /// The numbers are the halves of `size`.
    Char,
    Block,
    Socket,
}

#[derive(Debug, Clone)]
struct Record {
    /// Where the path begins in the arena.
    at: usize,
    size: u64,
    mtime_secs: i64,
    ctime_secs: i64,
    mtime_nanos: u32,
    /// [`NO_CTIME`] when there is none.
    ctime_nanos: u32,
    uid: u32,
    gid: u32,
    length: u32,
    mode: u16,
    tag: Tag,
}

const NO_CTIME: u32 = u32::MAX;

impl Packed {
    /// Adds an entry at the end.
    pub(crate) fn push(&mut self, entry: Entry) {
        let Entry { path, kind, meta, ctime, links } = entry;
        if let Some(links) = links {
            self.links.insert(self.records.len(), links);
        }
        let at = self.arena.len();
        let bytes = path.as_bytes();
        self.arena.extend_from_slice(bytes);
        let numbers = |major: u32, minor: u32| u64::from(major) << 32 | u64::from(minor);
        let (tag, size) = match kind {
            Kind::File { size } => (Tag::File, size),
            Kind::Dir => (Tag::Dir, 0),
            Kind::Symlink { target } => {
                self.arena.extend_from_slice(&target);
                (Tag::Symlink, target.len() as u64)
            }
            Kind::Fifo => (Tag::Fifo, 0),
            Kind::Char { major, minor } => (Tag::Char, numbers(major, minor)),
            Kind::Block { major, minor } => (Tag::Block, numbers(major, minor)),
            Kind::Socket => (Tag::Socket, 0),
        };
        self.records.push(Record {
            at,
            size,
            mtime_secs: meta.mtime.secs,
            ctime_secs: ctime.map_or(0, |ctime| ctime.secs),
            mtime_nanos: meta.mtime.nanos,
            ctime_nanos: ctime.map_or(NO_CTIME, |ctime| ctime.nanos),
            uid: meta.uid,
            gid: meta.gid,
            // No source has a path that does not fit, and a mode has twelve bits.
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            mode: u16::try_from(meta.mode).unwrap_or(u16::MAX),
            tag,
        });
        self.xattrs.push(meta.xattrs);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The entry `number`, which is less than [`Self::len`], as everywhere here.
    pub(crate) fn get(&self, number: usize) -> Entry {
        let record = &self.records[number];
        let numbers = ((record.size >> 32) as u32, record.size as u32);
        let kind = match record.tag {
            Tag::File => Kind::File { size: record.size },
            Tag::Dir => Kind::Dir,
            Tag::Symlink => {
                let from = record.at + record.length as usize;
                Kind::Symlink { target: self.arena[from..from + record.size as usize].to_vec() }
            }
            Tag::Fifo => Kind::Fifo,
            Tag::Char => Kind::Char { major: numbers.0, minor: numbers.1 },
            Tag::Block => Kind::Block { major: numbers.0, minor: numbers.1 },
            Tag::Socket => Kind::Socket,
        };
        let mtime = Time { secs: record.mtime_secs, nanos: record.mtime_nanos };
        let ctime = Time { secs: record.ctime_secs, nanos: record.ctime_nanos };
        Entry {
            path: RootPath::of_canonical(self.path(number)),
            kind,
            meta: Meta {
                mode: u32::from(record.mode),
                uid: record.uid,
                gid: record.gid,
                mtime,
                xattrs: self.xattrs.get(number).clone(),
            },
            ctime: (record.ctime_nanos != NO_CTIME).then_some(ctime),
            links: self.links(number),
        }
    }

    /// The bytes of its path.
    pub(crate) fn path(&self, number: usize) -> &[u8] {
        self.path_of(&self.records[number])
    }

    fn path_of(&self, record: &Record) -> &[u8] {
        &self.arena[record.at..record.at + record.length as usize]
    }

    /// Bytes of a regular file, else 0.
    pub(crate) fn size(&self, number: usize) -> u64 {
        match self.records[number].tag {
            Tag::File => self.records[number].size,
            _ => 0,
        }
    }

    /// What kind of node it is.
    pub(crate) fn file_type(&self, number: usize) -> FileType {
        match self.records[number].tag {
            Tag::File => FileType::File,
            Tag::Dir => FileType::Dir,
            Tag::Symlink => FileType::Symlink,
            Tag::Fifo => FileType::Fifo,
            Tag::Char => FileType::Char,
            Tag::Block => FileType::Block,
            Tag::Socket => FileType::Socket,
        }
    }

    /// What it shares with its other names.
    pub(crate) fn links(&self, number: usize) -> Option<LinkGroup> {
        self.links.get(&number).copied()
    }

    /// The group of each entry that has one, by ascending number.
    pub(crate) fn links_mut(&mut self) -> impl Iterator<Item = (usize, &mut LinkGroup)> {
        self.links.iter_mut().map(|(number, group)| (*number, group))
    }

    /// The number of the entry at `path`, or else of the one that would follow it.
    pub(crate) fn find(&self, path: &[u8]) -> Result<usize, usize> {
        self.found(path, self.records.partition_point(|record| self.is_before(record, path)))
    }

    /// As [`Self::find`], faster the nearer the answer is to `near`.
    pub(crate) fn find_near(&self, path: &[u8], near: usize) -> Result<usize, usize> {
        let is_before = |record: &Record| self.is_before(record, path);
        self.found(path, near_partition_point(&self.records, near, is_before))
    }

    fn found(&self, path: &[u8], at: usize) -> Result<usize, usize> {
        let holds = at < self.len() && self.path(at) == path;
        if holds { Ok(at) } else { Err(at) }
    }

    fn is_before(&self, record: &Record, path: &[u8]) -> bool {
        path_order(self.path_of(record), path).is_lt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, kind: Kind) -> Entry {
        let mtime = Time { secs: -7, nanos: 999_999_999 };
        let meta = Meta { mode: 0o7777, uid: 1, gid: u32::MAX - 1, mtime, xattrs: Xattrs::new() };
        Entry::new(RootPath::parse(at.as_bytes()).unwrap(), kind, meta)
    }

    /// One of everything that there is.
    fn all() -> Vec<Entry> {
        let mut rare = entry("/b/rare", Kind::File { size: u64::MAX });
        rare.meta.xattrs.insert(b"user.a".to_vec(), vec![0, 1]);
        rare.ctime = Some(Time { secs: i64::MAX, nanos: 0 });
        rare.links = Some(LinkGroup(u64::MAX));
        vec![
            entry("/", Kind::Dir),
            entry("/a", Kind::Socket),
            entry("/b", Kind::Symlink { target: b"../\xff".to_vec() }),
            rare,
            entry("/b-c", Kind::Char { major: u32::MAX, minor: 7 }),
            entry("/c", Kind::Block { major: 7, minor: u32::MAX }),
            entry("/d", Kind::Fifo),
        ]
    }

    fn packed() -> Packed {
        let mut packed = Packed::default();
        all().into_iter().for_each(|entry| packed.push(entry));
        packed
    }

    #[test]
    fn what_goes_in_comes_out() {
        let packed = packed();
        let out: Vec<Entry> = (0..packed.len()).map(|number| packed.get(number)).collect();
        assert_eq!(out, all());
        for (number, entry) in all().iter().enumerate() {
            assert_eq!(packed.path(number), entry.path.as_bytes());
            assert_eq!(packed.size(number), entry.kind.size());
            assert_eq!(packed.file_type(number), entry.kind.file_type());
            assert_eq!(packed.links(number), entry.links);
        }
    }

    #[test]
    fn a_path_is_found_from_anywhere_or_its_place_is() {
        let packed = packed();
        for (number, entry) in all().iter().enumerate() {
            assert_eq!(packed.find(entry.path.as_bytes()), Ok(number));
            for near in 0..packed.len() + 2 {
                assert_eq!(packed.find_near(entry.path.as_bytes(), near), Ok(number));
                assert_eq!(packed.find_near(b"/b/none", near), Err(3));
            }
        }
        assert_eq!((packed.find(b"/b/none"), packed.find(b"/z")), (Err(3), Err(7)));
    }

    #[test]
    fn groups_of_links_can_be_numbered_anew() {
        let mut packed = packed();
        let before: Vec<usize> = packed.links_mut().map(|(number, _)| number).collect();
        packed.links_mut().for_each(|(_, group)| *group = LinkGroup(1));
        assert_eq!((before, packed.get(3).links), (vec![3], Some(LinkGroup(1))));
    }
}
