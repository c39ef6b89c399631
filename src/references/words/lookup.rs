//! [`Lookup`]: whether what a word names is gone, each asked once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::nearest::{self, Moved, Nearest, moved};
use crate::references::question::Question;
use crate::references::records::Records;
use crate::references::zones;
use crate::tree::{RootPath, TreeError, resolve, resolve_parent};

/// Where programs are looked for, unless something says otherwise.
const DIRS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Below these nothing stays, or nothing that is there does anything.
const PASSING: &[RootPath] = &[
    RootPath::literal("/dev"),
    RootPath::literal("/mnt"),
    RootPath::literal("/proc"),
    RootPath::literal("/run"),
    RootPath::literal("/sys"),
    RootPath::literal("/tmp"),
    RootPath::literal("/usr/share/doc"),
    RootPath::literal("/usr/share/info"),
    RootPath::literal("/usr/share/man"),
    RootPath::literal("/var/cache"),
    RootPath::literal("/var/lock"),
    RootPath::literal("/var/log"),
    RootPath::literal("/var/run"),
    RootPath::literal("/var/tmp"),
];

/// How many answers are remembered.
const MAX_KNOWN: usize = 10_000;

/// For how many words something is looked for that has taken the place.
const MAX_SEARCHED: usize = 1000;

/// What was there and is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// Where it really was.
    pub(super) place: RootPath,
    /// What it was, with its article.
    pub(super) what: &'static str,
    /// It could be run.
    pub(super) program: bool,
    /// What it came with.
    pub(super) package: Option<String>,
    /// What has taken its place.
    pub(super) nearest: Nearest,
}

impl Gone {
    /// The same, known as `what`, which is nothing that is run.
    pub(super) fn called(self, what: &'static str) -> Gone {
        Gone { what, program: false, ..self }
    }
}

/// By which name a program is called that surely has taken the place of another.
type NewName = Option<Vec<u8>>;

/// The directories of `search`, a list with colons, and those that every system has.
fn directories(search: &[u8]) -> Vec<RootPath> {
    let named = search.split(|b| *b == b':').filter(|dir| dir.starts_with(b"/"));
    let named = named.chain(DIRS.iter().map(|dir| dir.as_bytes()));
    let mut dirs: Vec<RootPath> = Vec::new();
    for dir in named.filter_map(|dir| RootPath::parse(dir).ok()) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// Answers about words.
pub(super) struct Lookup<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) records: &'a Records<'a>,
    dirs: Vec<RootPath>,
    /// Where programs are looked for in the new system.
    dirs_now: Vec<RootPath>,
    moved: Moved,
    /// What the container does not have of itself.
    mounted: Vec<RootPath>,
    asked: BTreeMap<RootPath, Option<Gone>>,
    /// Where programs of these names were.
    programs: RefCell<BTreeMap<Vec<u8>, Option<RootPath>>>,
    /// For how many words something was looked for to take the place.
    searched: Cell<usize>,
}

impl<'a> Lookup<'a> {
    /// Looks in these systems; `was` and `now` are the values of further lists of directories of
    /// programs, of the old system and of the new one.
    pub(super) fn new(
        question: &'a Question<'a>,
        records: &'a Records<'a>,
        (was, now): (&[u8], &[u8]),
    ) -> Lookup<'a> {
        let dirs = directories(was);
        let mut dirs_now = directories(now);
        // What was found there may be there still, and is no news then.
        dirs_now
            .extend(dirs.iter().filter(|dir| !dirs_now.contains(dir)).cloned().collect::<Vec<_>>());
        let mounts = question.settings.iter().flat_map(|(_, now)| &now.mounts);
        let mounts = mounts.filter(|mount| mount.kind != crate::service::MountKind::Volume);
        let mounted = mounts.filter_map(|mount| RootPath::parse(mount.target.as_bytes()).ok());
        Lookup {
            question,
            records,
            dirs,
            dirs_now,
            moved: moved(question.kept),
            mounted: mounted.collect(),
            asked: BTreeMap::new(),
            programs: RefCell::default(),
            searched: Cell::default(),
        }
    }

    /// What was at `path`, if it is gone.
    ///
    /// # Errors
    /// One of the systems cannot be read.
    pub(super) fn path(&mut self, path: &RootPath) -> Result<Option<Gone>, TreeError> {
        if let Some(known) = self.asked.get(path) {
            return Ok(known.clone());
        }
        let gone = self.ask(path)?;
        if self.asked.len() >= MAX_KNOWN {
            self.asked.clear();
        }
        self.asked.insert(path.clone(), gone.clone());
        Ok(gone)
    }

    fn ask(&self, path: &RootPath) -> Result<Option<Gone>, TreeError> {
        let passes = |dirs: &[RootPath]| dirs.iter().any(|dir| path.is_within(dir));
        let (question, records) = (self.question, self.records);
        let is_gone = !path.is_root()
            && !passes(PASSING)
            && !passes(&self.mounted)
            && question.was_there(path)
            && !question.is_there(path)
            && (records.lasted)(path);
        if !is_gone {
            return Ok(None);
        }
        let place = resolve_parent(question.old, path)?.unwrap_or_else(|| path.clone());
        let end = resolve(question.old, path)?.unwrap_or_else(|| path.clone());
        let entry = question.old.entry(&end)?;
        let program =
            entry.is_some_and(|entry| entry.kind.is_file() && entry.meta.mode & 0o111 != 0);
        let package = (records.package)(path).or_else(|| (records.package)(&end));
        let mut nearest = Nearest::default();
        // To look around for very many words takes too long.
        if self.searched.get() < MAX_SEARCHED {
            self.searched.set(self.searched.get() + 1);
            nearest = nearest::nearest(question, records, (&self.moved, &self.dirs), path)?;
        }
        let what = if program { "a program" } else { "a path" };
        Ok(Some(Gone { place, what, program, package, nearest }))
    }

    /// The file of the time zone that was called `name`, if none is now, and what the zone is called
    /// today.
    ///
    /// # Errors
    /// One of the systems cannot be read.
    pub(super) fn zone(&mut self, name: &[u8]) -> Result<Option<(Gone, NewName)>, TreeError> {
        let Some(file) = std::str::from_utf8(name).ok().and_then(zones::file) else {
            return Ok(None);
        };
        let Some(gone) = self.path(&file)? else { return Ok(None) };
        let mut gone = gone.called("a time zone");
        let Some(today) = zones::today(self.question.new, &file)? else {
            return Ok(Some((gone, None)));
        };
        let name = zones::name(&today);
        gone.nearest = Nearest { certain: None, candidates: vec![today] };
        Ok(Some((gone, name)))
    }

    /// Whether the old system had a program of this name.
    pub(super) fn was_program(&self, name: &[u8]) -> bool {
        self.place(name).is_some()
    }

    /// What a program of this name was in the old system, links followed.
    pub(super) fn led_to(&self, name: &[u8]) -> Option<RootPath> {
        resolve(self.question.old, &self.place(name)?).ok().flatten()
    }

    fn place(&self, name: &[u8]) -> Option<RootPath> {
        if let Some(known) = self.programs.borrow().get(name) {
            return known.clone();
        }
        let place = self.find(name);
        let mut programs = self.programs.borrow_mut();
        if programs.len() >= MAX_KNOWN {
            programs.clear();
        }
        programs.insert(name.to_vec(), place.clone());
        place
    }

    fn find(&self, name: &[u8]) -> Option<RootPath> {
        if name.is_empty()
            || name.contains(&b'/')
            || name.contains(&0)
            || matches!(name, b"." | b"..")
        {
            return None;
        }
        let places = self.dirs.iter().map(|dir| dir.child(name));
        places.into_iter().find(|place| {
            let end = resolve(self.question.old, place).ok().flatten();
            let entry = end.and_then(|end| self.question.old.entry(&end).ok().flatten());
            entry.is_some_and(|entry| entry.kind.is_file() && entry.meta.mode & 0o111 != 0)
        })
    }

    /// The program that was called `name`, if no program is now, and by which name the one is
    /// called that surely has taken its place.
    ///
    /// # Errors
    /// One of the systems cannot be read.
    pub(super) fn program(&mut self, name: &[u8]) -> Result<Option<(Gone, NewName)>, TreeError> {
        let Some(place) = self.place(name) else { return Ok(None) };
        if self.dirs_now.iter().any(|dir| self.question.is_there(&dir.child(name))) {
            return Ok(None);
        }
        let Some(gone) = self.path(&place)? else { return Ok(None) };
        let certain = gone.nearest.certain.as_ref().map(|path| {
            let is_found = path.parent().is_some_and(|dir| self.dirs_now.contains(&dir));
            if is_found { path.name().to_vec() } else { path.as_bytes().to_vec() }
        });
        Ok(Some((gone, certain)))
    }
}
