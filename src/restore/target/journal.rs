//! [`Journal`]: what a restore onto a root has made, where `gc` finds it.
//!
//! A record is a file in a directory of this machine. It is locked for as long as its run goes on,
//! and each of its lines is on disk before what it announces is done:
//!
//! | on record | and then | when the run is ended here |
//! |---|---|---|
//! | the name of the copy | the copy is made, empty and private | an empty private directory of that name is removed, nothing else |
//! | the copy's number | it is filled; at the end both roots are exchanged | what has that number under that name is removed; is it the replaced root, it stays, as nobody has compared it behind the exchange |
//! | that the replaced root may go | it is removed | what has the copy's or the replaced root's number under that name is removed |
//! | nothing any more | | |
//!
//! What stands at the target's own name is never touched, so a good root is never removed: the copy
//! waits under its own name before the exchange, the replaced root after it, and that one goes only
//! when the new one is durable. Directories are known by their numbers, within one boot of the
//! machine also by those of their file systems.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::tree::{DirId, NamedDir, PlaceError};

/// Where records are unless the surroundings say something else.
const STATE: &str = "/var/lib";

/// The largest record that is read.
const LIMIT: u64 = 1024 * 1024;

/// The record of a run that goes on.
#[derive(Debug)]
pub(in crate::restore) struct Journal {
    /// Locked.
    file: File,
    path: PathBuf,
    line: Line,
}

/// What is known of a run; the last whole line counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// The boot of the machine.
    boot: String,
    /// The directory that holds both roots, its bytes in hexadecimal.
    parent: String,
    parent_id: Id,
    /// The target's name and that of the copy, likewise.
    target: String,
    copy: String,
    original_id: Id,
    /// Known as soon as it is made.
    copy_id: Option<Id>,
    /// Whether the new root is in place for good.
    settled: bool,
}

/// The numbers of a file system and of a directory in it.
type Id = (u64, u64);

/// What came of a record.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::restore) enum Remains {
    /// This was removed.
    Removed(PathBuf),
    /// This was left alone, for a reason.
    Spared(String),
    /// There was nothing any more.
    Nothing,
}

fn id(of: DirId) -> Id {
    (of.dev, of.ino)
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn bytes(text: &str) -> io::Result<OsString> {
    let decoded = hex::decode(text).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(OsString::from_vec(decoded))
}

/// The directories that may hold records; new ones go into the first.
fn places() -> Vec<PathBuf> {
    let own = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let places = own.into_iter().filter(|dir| dir.is_absolute()).chain([PathBuf::from(STATE)]);
    places.map(|dir| dir.join("regrow/roots")).collect()
}

impl Journal {
    /// Writes down that `copy` will be made beside `original`.
    pub(in crate::restore) fn begin(original: &NamedDir, copy: &OsStr) -> io::Result<Journal> {
        let dir = places().remove(0);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        // Until the record is locked and has its name, nobody sweeps here.
        let begun = File::open(&dir)?;
        rustix::fs::flock(&begun, FlockOperation::LockShared)?;
        let path = original.path();
        let parent = path.parent().unwrap_or(Path::new("/"));
        let line = Line {
            boot: boot(),
            parent: hex::encode(parent.as_os_str().as_bytes()),
            parent_id: id(original.parent_id()),
            target: hex::encode(original.name().as_bytes()),
            copy: hex::encode(copy.as_bytes()),
            original_id: id(original.id()),
            copy_id: None,
            settled: false,
        };
        let unique = format!("{:x}-{}", id(original.id()).1, copy_id(copy));
        // Only a locked and whole record has a name that is looked for.
        let (fresh, path) = (dir.join(format!(".{unique}")), dir.join(format!("{unique}.json")));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&fresh)?;
        let mut journal = Journal { file, path, line };
        let named = lock(&journal.file)
            .and_then(|_| journal.write())
            .and_then(|()| std::fs::rename(&fresh, &journal.path))
            .and_then(|()| begun.sync_all());
        if named.is_err() {
            // Neither name may stay behind; the first error is the one that counts.
            let _ = std::fs::remove_file(&fresh).or_else(|_| std::fs::remove_file(&journal.path));
        }
        named.map(|()| journal)
    }

    /// Writes down which directory the copy is.
    pub(in crate::restore) fn made(&mut self, copy: &NamedDir) -> io::Result<()> {
        self.line.copy_id = Some(id(copy.id()));
        self.write()
    }

    /// Writes down that the new root is in place for good.
    pub(in crate::restore) fn settled(&mut self) -> io::Result<()> {
        self.line.settled = true;
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let mut text = serde_json::to_vec(&self.line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_all()
    }

    /// Removes the record: nothing is left that it is about.
    pub(in crate::restore) fn end(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)?;
        match self.path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Opens the record at `path` if its run has ended; says which copy it is about otherwise.
    fn open(path: &Path) -> io::Result<Result<Journal, PathBuf>> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let free = lock(&file)?;
        let mut text = String::new();
        Read::by_ref(&mut file).take(LIMIT).read_to_string(&mut text)?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line: Line = serde_json::from_str(whole.lines().next_back().unwrap_or_default())?;
        let copy = Path::new(&bytes(&line.parent)?).join(bytes(&line.copy)?);
        // Its run may have removed it between the opening and the lock.
        if free && file.metadata()?.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(if free { Ok(Journal { file, path: path.to_owned(), line }) } else { Err(copy) })
    }

    fn is(&self, found: DirId, known: Id) -> bool {
        found.ino == known.1 && (found.dev == known.0 || self.line.boot != boot())
    }

    /// What is to be known of the replaced root when its run was ended right behind the exchange.
    fn replaced(&self, target: &Path) -> String {
        let new = NamedDir::open(target).ok();
        let stands =
            new.is_some_and(|new| self.line.copy_id.is_some_and(|id| self.is(new.id(), id)));
        let there = match stands {
            true => "the new system stands there now, and all of it was on disk before",
            false => "what stands there now is not the system that this run made",
        };
        format!(
            "it is the root that stood at {} before; {there}. The run was ended right behind the \
             exchange, so nobody has seen whether something was written into the old root at that \
             moment. Look for what you miss in it, then remove this directory by hand: the next \
             `regrow gc` drops the record of it",
            target.display()
        )
    }

    /// Removes what its run has left, and then the record.
    fn clear(&self) -> Result<Remains, PlaceError> {
        let failed = |source: io::Error| PlaceError::Host {
            act: "reading the record",
            path: self.path.clone(),
            source,
        };
        let parent = PathBuf::from(bytes(&self.line.parent).map_err(failed)?);
        let (copy, target) = (
            parent.join(bytes(&self.line.copy).map_err(failed)?),
            parent.join(bytes(&self.line.target).map_err(failed)?),
        );
        let spared = |why: String| Ok(Remains::Spared(format!("{}: {why}", copy.display())));
        let Some(holding) = std::fs::metadata(&parent).ok() else {
            return spared("the directory that held it is not there".to_owned());
        };
        if holding.ino() != self.line.parent_id.1 {
            return spared("another directory stands where the one was that held it".to_owned());
        }
        if std::fs::symlink_metadata(&copy).is_err() {
            self.end().map_err(failed)?;
            return Ok(Remains::Nothing);
        }
        let Ok(found) = NamedDir::open(&copy) else {
            return spared("something else has its name".to_owned());
        };
        let held = self.is(found.parent_id(), self.line.parent_id);
        let ours = match self.line.copy_id {
            None => found.is_fresh().unwrap_or(false),
            Some(made) => self.is(found.id(), made),
        };
        let replaced = self.is(found.id(), self.line.original_id);
        if held && replaced && !self.line.settled {
            return spared(self.replaced(&target));
        }
        if !held || !(ours || replaced) {
            return spared("something else has its name".to_owned());
        }
        found.remove()?;
        self.end().map_err(failed)?;
        Ok(Remains::Removed(copy))
    }
}

impl Line {
    /// Whether this is about a copy of `root` called `name`.
    fn is_about(&self, root: &NamedDir, name: &OsStr) -> bool {
        self.target == hex::encode(root.name().as_bytes())
            && self.copy == hex::encode(name.as_bytes())
    }
}

/// What lies beside `root` under the name of a copy of it without being on record, and so is never
/// removed: records may be where another run's surroundings had them, or be lost. A file beside the
/// root would be found always, but anybody who may write there could forge it.
pub(in crate::restore) fn unknown_beside(root: &NamedDir, begin: &OsStr) -> Vec<PathBuf> {
    let path = root.path();
    let parent = path.parent().unwrap_or(Path::new("/"));
    let mut found = listed(&[parent.to_owned()]);
    let known: Vec<Line> = records(&places()).iter().filter_map(|path| last_line(path)).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default();
        name.as_bytes().starts_with(begin.as_bytes())
            && !known.iter().any(|line| line.is_about(root, name))
    });
    found
}

/// What the record at `path` says, whoever has it locked.
fn last_line(path: &Path) -> Option<Line> {
    let mut text = String::new();
    File::open(path).ok()?.take(LIMIT).read_to_string(&mut text).ok()?;
    let (whole, _) = text.rsplit_once('\n')?;
    serde_json::from_str(whole.lines().next_back()?).ok()
}

/// The last part of the copy's name, which no two runs share.
fn copy_id(copy: &OsStr) -> String {
    let name = copy.to_string_lossy();
    name.rsplit('-').next().unwrap_or_default().to_owned()
}

/// Whether the lock was free; it is held from now on then.
fn lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// What lies in `dirs`, in order.
fn listed(dirs: &[PathBuf]) -> Vec<PathBuf> {
    let listed = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten());
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The records in `dirs`.
fn records(dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = listed(dirs);
    paths.retain(|path| path.extension() == Some(OsStr::new("json")));
    paths
}

/// Removes what interrupted runs have left, whatever they were restoring onto. What came of each
/// record is told beside the first failure.
pub(in crate::restore) fn clear_all() -> (Vec<Remains>, Result<(), PlaceError>) {
    clear_in(&places())
}

fn clear_in(dirs: &[PathBuf]) -> (Vec<Remains>, Result<(), PlaceError>) {
    let mut all = Vec::new();
    let mut done = Ok(());
    for path in records(dirs) {
        match clear_one(path) {
            Ok(remains) => all.push(remains),
            Err(error) => done = done.and(Err(error)),
        }
    }
    for dir in dirs {
        let swept = sweep(dir);
        done = done.and(swept.map_err(|source| PlaceError::Host {
            act: "removing unfinished records in",
            path: dir.clone(),
            source,
        }));
    }
    (all, done)
}

fn clear_one(path: PathBuf) -> Result<Remains, PlaceError> {
    match Journal::open(&path) {
        Ok(Ok(journal)) => journal.clear(),
        Ok(Err(copy)) => Ok(Remains::Spared(format!("root {}", copy.display()))),
        // Its run has just ended by itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Remains::Nothing),
        Err(error) if is_no_record(&error) => {
            let why = "it is no record that can be read, so what it is about is not known";
            Ok(Remains::Spared(format!("record {}: {why}: {error}", path.display())))
        }
        Err(source) => Err(PlaceError::Host { act: "reading the record", path, source }),
    }
}

/// Whether what was read is at fault, and not the reading.
fn is_no_record(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, UnexpectedEof};
    matches!(error.kind(), InvalidData | IsADirectory | UnexpectedEof)
}

/// Removes records from `dir` whose runs were ended before they had their names, and so before
/// anything else was made.
fn sweep(dir: &Path) -> io::Result<()> {
    let held = match File::open(dir) {
        Ok(held) => held,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // A run is about to name its record; what is left over waits for the next time.
    if !lock(&held)? {
        return Ok(());
    }
    for path in listed(&[dir.to_owned()]) {
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if hidden && path.symlink_metadata()?.is_file() && lock(&File::open(&path)?)? {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes what interrupted runs have left beside `root`, which this run has locked.
pub(in crate::restore) fn clear_beside(root: &NamedDir) {
    for path in records(&places()) {
        let Ok(Ok(journal)) = Journal::open(&path) else { continue };
        let target = hex::encode(root.name().as_bytes());
        if journal.line.target == target && journal.is(root.parent_id(), journal.line.parent_id) {
            // What cannot be removed stays on record, and in nobody's way.
            let _ = journal.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy that was on record as made when its run was ended, and the record in `dir`.
    fn left(root: &NamedDir, dir: &Path) -> PathBuf {
        let copy = root.make_beside(OsStr::new("copy")).unwrap();
        let line = Line {
            boot: boot(),
            parent: hex::encode(root.path().parent().unwrap().as_os_str().as_bytes()),
            parent_id: id(root.parent_id()),
            target: hex::encode(root.name().as_bytes()),
            copy: hex::encode(copy.name().as_bytes()),
            original_id: id(root.id()),
            copy_id: Some(id(copy.id())),
            settled: false,
        };
        let text = serde_json::to_string(&line).unwrap();
        std::fs::write(dir.join("b.json"), format!("{text}\n")).unwrap();
        copy.path()
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named_and_keeps_nothing_else_from_being_removed() {
        let temp = tempfile::tempdir().unwrap();
        let (root, dir) = (temp.path().join("root"), temp.path().join("records"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir_all(dir.join("d.json")).unwrap();
        let copy = left(&NamedDir::open(&root).unwrap(), &dir);
        for (name, text) in [("a.json", ""), ("c.json", "{\"boot\": 1}\n")] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let (remains, done) = clear_in(&[dir.clone(), temp.path().join("none")]);
        done.unwrap();
        let spared = |found: &Remains, name: &str| match found {
            Remains::Spared(words) => words.contains(&dir.join(name).display().to_string()),
            _ => false,
        };
        assert_eq!(remains.len(), 4, "{remains:?}");
        assert!(spared(&remains[0], "a.json") && spared(&remains[2], "c.json"), "{remains:?}");
        assert!(spared(&remains[3], "d.json"), "{remains:?}");
        assert_eq!(remains[1], Remains::Removed(copy.clone()));
        assert!(!copy.exists() && root.exists());
        assert!(dir.join("a.json").exists() && !dir.join("b.json").exists());
    }

    #[test]
    fn a_record_without_its_name_is_removed_unless_its_run_goes_on() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::write(at(".stale"), "").unwrap();
        let live = File::create(at(".live")).unwrap();
        assert!(lock(&live).unwrap());
        let begun = File::open(temp.path()).unwrap();
        rustix::fs::flock(&begun, FlockOperation::LockShared).unwrap();
        sweep(temp.path()).unwrap();
        assert!(at(".stale").exists(), "a run is about to lock its record");
        drop(begun);
        sweep(temp.path()).unwrap();
        assert!(!at(".stale").exists() && at(".live").exists());
    }
}
