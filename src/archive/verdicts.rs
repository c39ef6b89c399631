//! [`Verdicts`]: every path of a source with what became of it, packed.
//!
//! A source has as many of them as it has files, and they are needed more than once: for what is
//! missing, for the directories on the way to what is kept, for the bundle and for the report.
//! What the ladder says of one path it says of many, so it is kept once.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::shown::Shown;
use super::{Judged, Pristine, Totals};
use crate::environments::PartOf;
use crate::tree::{Packed, Repeated, RootPath, path_order};
use crate::verdict::{Class, Origin, Reason};

/// Judged paths in path order: those that are there, and among them those that are gone.
#[derive(Debug, Default)]
pub struct Verdicts {
    present: Side,
    absent: Side,
}

impl Verdicts {
    /// Adds a path; those that are there, and those that are gone, each come in path order.
    pub(super) fn push(&mut self, judged: Judged) {
        match judged.deleted {
            true => self.absent.push(judged),
            false => self.present.push(judged),
        }
    }

    /// Adds the unedited text of `path`, which is there.
    pub(super) fn set_pristine(&mut self, path: &RootPath, pristine: Pristine) {
        if let Ok(number) = self.present.entries.find(path.as_bytes()) {
            self.present.rare.entry(number).or_default().pristine = Some(pristine);
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
            let found = self.present.entries.find_near(path.as_bytes(), near.get());
            near.set(found.unwrap_or_else(|place| place));
            found.is_ok()
        }
    }

    /// All of them in path order.
    pub fn iter(&self) -> impl Iterator<Item = Judged> {
        self.in_order().map(|(side, number)| side.judged(number))
    }

    /// All of them in path order, as far as a list shows them.
    pub fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        self.in_order().map(|(side, number)| side.shown(number))
    }

    fn in_order(&self) -> impl Iterator<Item = (&Side, usize)> {
        let (mut present, mut absent) = (0, 0);
        std::iter::from_fn(move || {
            let gone_first = match (self.present.path_of(present), self.absent.path_of(absent)) {
                (Some(there), Some(gone)) => path_order(gone, there).is_lt(),
                (there, _) => there.is_none(),
            };
            let (side, next) = match gone_first {
                true => (&self.absent, &mut absent),
                false => (&self.present, &mut present),
            };
            let number = *next;
            *next += 1;
            (number < side.entries.len()).then_some((side, number))
        })
    }

    /// What was found out about `path`.
    pub fn get(&self, path: &RootPath) -> Option<Judged> {
        let find = |side: &Side| {
            let found = side.entries.find(path.as_bytes());
            found.ok().map(|number| side.judged(number))
        };
        find(&self.present).or_else(|| find(&self.absent))
    }

    /// How much there is of what; deletions are not there to be counted.
    pub fn totals(&self) -> Totals {
        let there = (0..self.present.entries.len()).map(|number| self.present.shown(number));
        Totals::of(there)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.present.entries.len() + self.absent.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is said of a path, as of many others.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Remark {
    class: Class,
    reason: Reason,
    origin: Origin,
    package: Option<String>,
    deleted: bool,
    secret: bool,
}

/// What few paths have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rare {
    pristine: Option<Pristine>,
    image_text: Option<Pristine>,
    part: Option<Box<PartOf>>,
}

/// Those that are there, or those that are gone.
#[derive(Debug, Default)]
struct Side {
    entries: Packed,
    remarks: Repeated<Remark>,
    /// By number of the entry.
    rare: BTreeMap<usize, Rare>,
}

impl Side {
    fn push(&mut self, judged: Judged) {
        let Judged { entry, class, reason, origin, package, part, deleted, secret, .. } = judged;
        let rare = Rare { pristine: judged.pristine, image_text: judged.image_text, part };
        if rare != Rare::default() {
            self.rare.insert(self.entries.len(), rare);
        }
        self.remarks.push(Remark { class, reason, origin, package, deleted, secret });
        self.entries.push(entry);
    }

    fn path_of(&self, number: usize) -> Option<&[u8]> {
        (number < self.entries.len()).then(|| self.entries.path(number))
    }

    fn shown(&self, number: usize) -> Shown<'_> {
        let remark = self.remarks.get(number);
        Shown {
            path: self.entries.path(number),
            class: remark.class,
            reason: &remark.reason,
            size: self.entries.size(number),
            file_type: self.entries.file_type(number),
            links: self.entries.links(number),
            package: remark.package.as_deref(),
            origin: remark.origin,
            deleted: remark.deleted,
            secret: remark.secret,
        }
    }

    fn judged(&self, number: usize) -> Judged {
        let remark = self.remarks.get(number);
        let rare = self.rare.get(&number);
        Judged {
            entry: self.entries.get(number),
            class: remark.class,
            reason: remark.reason.clone(),
            origin: remark.origin,
            package: remark.package.clone(),
            deleted: remark.deleted,
            secret: remark.secret,
            pristine: rare.and_then(|rare| rare.pristine.clone()),
            image_text: rare.and_then(|rare| rare.image_text.clone()),
            part: rare.and_then(|rare| rare.part.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Entry, Kind, Meta, Time, Xattrs};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn judged(at: &str, kind: Kind, deleted: bool) -> Judged {
        let mtime = Time { secs: -7, nanos: 999_999_999 };
        let meta = Meta { mode: 0o7777, uid: 1, gid: u32::MAX - 1, mtime, xattrs: Xattrs::new() };
        Judged {
            entry: Entry::new(path(at), kind, meta),
            class: Class::Immutable,
            reason: Reason::AsPackaged { package: "app".to_owned() },
            origin: Origin::Base,
            package: Some("app".to_owned()),
            deleted,
            secret: !deleted,
            pristine: None,
            image_text: None,
            part: None,
        }
    }

    /// One of everything that there is.
    fn all() -> Vec<Judged> {
        let file = Kind::File { size: u64::MAX };
        let mut rare = judged("/b/rare", file.clone(), false);
        rare.pristine = Some(Pristine::Text { bytes: b"text".to_vec(), found: "image" });
        rare.image_text = Some(Pristine::Itself);
        rare.reason = Reason::Unexplained;
        rare.package = None;
        vec![
            judged("/", Kind::Dir, false),
            judged("/a", Kind::Dir, false),
            judged("/a/gone", file.clone(), true),
            judged("/b", Kind::Dir, false),
            rare,
            judged("/b-c", Kind::Fifo, false),
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
                file_type: judged.entry.kind.file_type(),
                links: judged.entry.links,
                package: judged.package.as_deref(),
                origin: judged.origin,
                deleted: judged.deleted,
                secret: judged.secret,
            };
            assert_eq!(shown, expected);
        }
        assert_eq!((verdicts.len(), verdicts.is_empty()), (7, false));
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
