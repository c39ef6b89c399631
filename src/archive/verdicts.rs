//! [`Verdicts`]: every path of a source with what became of it, packed.
//!
//! A source has as many of them as it has files, and they are needed more than once: for what is
//! missing, for the directories on the way to what is kept, for the bundle and for the report. One
//! record of a fixed size stands for a path; names lie in one arena, reasons and packages are kept
//! once each, and what few paths have lies aside.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::{ClassTotal, ClassTotals, Judged, Pristine};
use crate::classify::Reason;
use crate::environments::PartOf;
use crate::tree::{
    Entry, Kind, LinkGroup, Meta, RootPath, Time, Xattrs, near_partition_point, path_order,
};
use crate::verdict::{Class, Origin};

/// Judged paths in path order: those that are there, and among them those that are gone.
#[derive(Debug, Default)]
pub struct Verdicts {
    present: Packed,
    absent: Packed,
}

impl Verdicts {
    /// Adds a path; those that are there, and those that are gone, each come in path order.
    pub(super) fn push(&mut self, judged: Judged) {
        match judged.deleted {
            true => self.absent.push(judged),
            false => self.present.push(judged),
        }
    }

    /// Those that are there and lie in an environment of a language.
    pub(super) fn in_environments(&self) -> impl Iterator<Item = Judged> {
        let rare = self.present.rare.iter().filter(|(_, rare)| rare.part.is_some());
        rare.map(|(&number, _)| self.present.judged(number))
    }

    /// Whether there is something at a path: quickest when asked in path order.
    pub(super) fn presence(&self) -> impl Fn(&RootPath) -> bool {
        let near = Cell::new(0);
        move |path| {
            let all = &self.present;
            let at = near_partition_point(&all.records, near.get(), |record| {
                path_order(all.path(record), path.as_bytes()).is_lt()
            });
            near.set(at);
            all.records.get(at).is_some_and(|record| all.path(record) == path.as_bytes())
        }
    }

    /// All of them in path order.
    pub fn iter(&self) -> impl Iterator<Item = Judged> {
        self.in_order().map(|(packed, number)| packed.judged(number))
    }

    /// All of them in path order, as far as a list shows them.
    pub fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        self.in_order().map(|(packed, number)| packed.shown(number))
    }

    fn in_order(&self) -> impl Iterator<Item = (&Packed, usize)> {
        let (mut present, mut absent) = (0, 0);
        std::iter::from_fn(move || {
            let gone_first = match (self.present.path_of(present), self.absent.path_of(absent)) {
                (Some(there), Some(gone)) => path_order(gone, there).is_lt(),
                (there, _) => there.is_none(),
            };
            let (packed, next) = match gone_first {
                true => (&self.absent, &mut absent),
                false => (&self.present, &mut present),
            };
            let number = *next;
            *next += 1;
            (number < packed.records.len()).then_some((packed, number))
        })
    }

    /// What was found out about `path`.
    pub fn get(&self, path: &RootPath) -> Option<Judged> {
        let find = |packed: &Packed| packed.find(path).map(|at| packed.judged(at));
        find(&self.present).or_else(|| find(&self.absent))
    }

    /// Paths and bytes by class; deletions are not there to be counted.
    pub fn totals(&self) -> ClassTotals {
        let links = |number: usize| self.present.rare.get(&number).and_then(|rare| rare.links);
        let records = self.present.records.iter().enumerate();
        ClassTotal::by_class(
            records.map(|(at, record)| (record.class, record.file_size(), links(at))),
        )
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.present.records.len() + self.absent.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a list shows of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The bytes of the path.
    pub path: &'a [u8],
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: &'a Reason,
    /// Bytes; 0 unless a regular file.
    pub size: u64,
    /// Where it came from.
    pub origin: Origin,
    /// It was removed, and stays so.
    pub deleted: bool,
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

#[derive(Debug)]
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
    reason: u32,
    package: u32,
    mode: u16,
    tag: Tag,
    class: Class,
    origin: Origin,
    deleted: bool,
    secret: bool,
}

const NO_CTIME: u32 = u32::MAX;

impl Record {
    /// Bytes of a regular file, else 0.
    fn file_size(&self) -> u64 {
        if matches!(self.tag, Tag::File) { self.size } else { 0 }
    }
}

/// What few paths have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rare {
    xattrs: Xattrs,
    links: Option<LinkGroup>,
    pristine: Option<Pristine>,
    part: Option<Box<PartOf>>,
}

#[derive(Debug, Default)]
struct Packed {
    arena: Vec<u8>,
    records: Vec<Record>,
    /// By number of the record.
    rare: BTreeMap<usize, Rare>,
    reasons: Once<Reason>,
    packages: Once<Option<String>>,
}

impl Packed {
    fn push(&mut self, judged: Judged) {
        let Entry { path, kind, meta, ctime, links } = judged.entry;
        let Judged { pristine, part, .. } = judged;
        let rare = Rare { xattrs: meta.xattrs, links, pristine, part };
        if rare != Rare::default() {
            self.rare.insert(self.records.len(), rare);
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
            // Walks give no path that does not fit, and a mode has twelve bits.
            length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            mode: u16::try_from(meta.mode).unwrap_or(u16::MAX),
            reason: self.reasons.number(judged.reason),
            package: self.packages.number(judged.package),
            tag,
            class: judged.class,
            origin: judged.origin,
            deleted: judged.deleted,
            secret: judged.secret,
        });
    }

    fn path(&self, record: &Record) -> &[u8] {
        &self.arena[record.at..record.at + record.length as usize]
    }

    fn find(&self, path: &RootPath) -> Option<usize> {
        self.records.binary_search_by(|record| path_order(self.path(record), path.as_bytes())).ok()
    }

    fn path_of(&self, number: usize) -> Option<&[u8]> {
        self.records.get(number).map(|record| self.path(record))
    }

    fn shown(&self, number: usize) -> Shown<'_> {
        let record = &self.records[number];
        Shown {
            path: self.path(record),
            class: record.class,
            reason: &self.reasons.values[record.reason as usize],
            size: record.file_size(),
            origin: record.origin,
            deleted: record.deleted,
        }
    }

    fn judged(&self, number: usize) -> Judged {
        let record = &self.records[number];
        let none = Rare::default();
        let rare = self.rare.get(&number).unwrap_or(&none);
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
        let entry = Entry {
            // What was a path is one.
            path: RootPath::parse(self.path(record)).unwrap_or_else(|_| RootPath::root()),
            kind,
            meta: Meta {
                mode: u32::from(record.mode),
                uid: record.uid,
                gid: record.gid,
                mtime,
                xattrs: rare.xattrs.clone(),
            },
            ctime: (record.ctime_nanos != NO_CTIME).then_some(ctime),
            links: rare.links,
        };
        Judged {
            entry,
            class: record.class,
            reason: self.reasons.of(record.reason),
            origin: record.origin,
            package: self.packages.of(record.package),
            deleted: record.deleted,
            secret: record.secret,
            pristine: rare.pristine.clone(),
            part: rare.part.clone(),
        }
    }
}

/// Equal values once, each with a number.
#[derive(Debug)]
struct Once<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once { values: vec![], numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Once<T> {
    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        // There are no more values than paths, and no tree has that many.
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    fn of(&self, number: u32) -> T {
        self.values[number as usize].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn judged(at: &str, kind: Kind, deleted: bool) -> Judged {
        let mtime = Time { secs: -7, nanos: 999_999_999 };
        let meta = Meta { mode: 0o7777, uid: 1, gid: u32::MAX - 1, mtime, xattrs: Xattrs::new() };
        Judged {
            entry: Entry { path: path(at), kind, meta, ctime: None, links: None },
            class: Class::Immutable,
            reason: Reason::AsPackaged("app".to_owned()),
            origin: Origin::Base,
            package: Some("app".to_owned()),
            deleted,
            secret: !deleted,
            pristine: None,
            part: None,
        }
    }

    /// One of everything that there is.
    fn all() -> Vec<Judged> {
        let file = Kind::File { size: u64::MAX };
        let mut rare = judged("/b/rare", file.clone(), false);
        rare.entry.meta.xattrs.insert(b"user.a".to_vec(), vec![0, 1]);
        rare.entry.ctime = Some(Time { secs: i64::MAX, nanos: 0 });
        rare.entry.links = Some(LinkGroup(u64::MAX));
        rare.pristine = Some(Pristine { bytes: b"text".to_vec(), found: "image" });
        rare.reason = Reason::Unexplained;
        rare.package = None;
        let numbers = (u32::MAX, 7);
        vec![
            judged("/", Kind::Dir, false),
            judged("/a", Kind::Socket, false),
            judged("/a/gone", file.clone(), true),
            judged("/b", Kind::Symlink { target: b"../\xff".to_vec() }, false),
            rare,
            judged("/b-c", Kind::Char { major: numbers.0, minor: numbers.1 }, false),
            judged("/c", Kind::Block { major: numbers.1, minor: numbers.0 }, false),
            judged("/d", Kind::Fifo, false),
            judged("/z", file, true),
        ]
    }

    #[test]
    fn what_goes_in_comes_out_in_path_order() {
        let mut verdicts = Verdicts::default();
        for deleted in [false, true] {
            all().into_iter().filter(|j| j.deleted == deleted).for_each(|j| verdicts.push(j));
        }
        assert_eq!(verdicts.iter().collect::<Vec<_>>(), all());
        for (shown, judged) in verdicts.shown().zip(all()) {
            let expected = Shown {
                path: judged.entry.path.as_bytes(),
                class: judged.class,
                reason: &judged.reason,
                size: judged.entry.kind.size(),
                origin: judged.origin,
                deleted: judged.deleted,
            };
            assert_eq!(shown, expected);
        }
        assert_eq!((verdicts.len(), verdicts.is_empty()), (9, false));
    }

    #[test]
    fn a_path_is_found_and_only_what_is_there_is_held() {
        let mut verdicts = Verdicts::default();
        all().into_iter().for_each(|j| verdicts.push(j));
        let holds = verdicts.presence();
        for judged in all().into_iter().chain(all().into_iter().rev()) {
            assert_eq!(verdicts.get(&judged.entry.path), Some(judged.clone()));
            assert_eq!(holds(&judged.entry.path), !judged.deleted);
        }
        assert!(!holds(&path("/b/none")));
        assert_eq!(verdicts.get(&path("/b/none")), None);
    }
}
