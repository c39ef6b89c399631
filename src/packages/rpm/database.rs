//! [`Database`]: which of rpm's databases a tree has, and their records.
//!
//! rpm keeps its records in one of three kinds of files, in one of three places. A system that was
//! upgraded may still have an old one beside the one in use.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

use super::fault::{DatabaseFault, RecordFault};
use super::sink::Sink;
use super::{bdb, ndb, sqlite};
use crate::packages::records::Records;
use crate::tree::{self, RootPath, Tree, TreeError};

/// A package takes some 100 kB; this is ten times the largest real system.
const MAX_FILE: u64 = 2 << 30;
const MAX_RECORDS: usize = 200_000;

/// Where rpm keeps its database: the usual place, SUSE's and Fedora's, that of image-based systems.
const PLACES: [RootPath; 3] = [
    RootPath::literal("/var/lib/rpm"),
    RootPath::literal("/usr/lib/sysimage/rpm"),
    RootPath::literal("/usr/share/rpm"),
];

/// The kinds of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Sqlite,
    Ndb,
    BerkeleyDb,
}

/// By the name of the file; what rpm prefers today first.
const FORMATS: [(&[u8], Format); 3] = [
    (b"rpmdb.sqlite", Format::Sqlite),
    (b"Packages.db", Format::Ndb),
    (b"Packages", Format::BerkeleyDb),
];

/// A database of a tree.
#[derive(Debug)]
pub(super) struct Database {
    /// Where it lies.
    pub(super) file: RootPath,
    format: Format,
}

impl Database {
    /// The databases of a tree, that first which is most likely in use.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn all(records: &mut Records<'_>) -> Result<Vec<Database>, TreeError> {
        let mut found: Vec<Database> = vec![];
        for dir in PLACES {
            for (name, format) in FORMATS {
                let file = match tree::resolve(records.tree, &dir.child(name)) {
                    Err(error @ TreeError::Io { .. }) => return Err(error),
                    result => records.or_problem(&dir, result).flatten(),
                };
                let Some(file) = file else { continue };
                let entry = records.tree.entry(&file)?;
                let known = found.iter().any(|database| database.file == file);
                if entry.is_some_and(|entry| entry.kind.is_file()) && !known {
                    found.push(Database { file, format });
                }
            }
        }
        Ok(found)
    }

    /// Gives every record to `sink`; a number that was there before is a fault.
    ///
    /// # Errors
    /// The system's on the database. Everything else is the inner result.
    pub(super) fn read(
        &self,
        tree: &dyn Tree,
        sink: &mut Sink<'_>,
    ) -> Result<Result<(), DatabaseFault>, TreeError> {
        let mut numbers = HashSet::new();
        let mut once = |number, record: Result<&[u8], RecordFault>| {
            let first = numbers.insert(number);
            if numbers.len() > MAX_RECORDS {
                return Err(DatabaseFault::TooMany(MAX_RECORDS));
            }
            sink(number, if first { record } else { Err(RecordFault::NumberTwice) })
        };
        if self.format == Format::Sqlite {
            return with_copy(tree, &self.file, |copy| sqlite::read(copy, &mut once));
        }
        let bytes = match tree::read_file(tree, &self.file, MAX_FILE) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(TreeError::TooLarge { limit, .. }) => {
                return Ok(Err(DatabaseFault::TooLarge(limit)));
            }
            Err(error) => return Err(error),
        };
        Ok(match self.format {
            Format::Ndb => ndb::read(&bytes, &mut once),
            _ => bdb::read(&bytes, &mut once),
        })
    }
}

/// Calls `act` with a private copy of the SQLite database `file`: of what was committed, whether
/// or not it has reached the file itself.
///
/// # Errors
/// The system's on the database. Everything else is the inner result.
pub(super) fn with_copy(
    tree: &dyn Tree,
    file: &RootPath,
    act: impl FnOnce(&Path) -> Result<(), DatabaseFault>,
) -> Result<Result<(), DatabaseFault>, TreeError> {
    let beside = |suffix: &[u8]| match file.parent() {
        Some(parent) => parent.child(&[file.name(), suffix].concat()),
        None => file.clone(),
    };
    if begins_with_data(tree, &beside(b"-journal"))? {
        return Ok(Err(DatabaseFault::Journal));
    }
    let dir = match tempfile::tempdir() {
        Ok(dir) => dir,
        Err(error) => return Ok(Err(DatabaseFault::Copy(error))),
    };
    let copy = dir.path().join("db");
    for (from, to) in [(file.clone(), copy.clone()), (beside(b"-wal"), dir.path().join("db-wal"))] {
        if let Err(fault) = copy_file(tree, &from, &to)? {
            return Ok(Err(fault));
        }
    }
    Ok(act(&copy))
}

/// Whether there is a journal that SQLite would play back. One that was played back is empty or
/// begins with NUL.
fn begins_with_data(tree: &dyn Tree, file: &RootPath) -> Result<bool, TreeError> {
    let Some(entry) = tree.entry(file)?.filter(|entry| entry.kind.is_file()) else {
        return Ok(false);
    };
    let mut first = Vec::new();
    let read = tree.open(&entry)?.take(1).read_to_end(&mut first);
    read.map_err(|e| TreeError::io("reading", file, e))?;
    Ok(first.iter().any(|&byte| byte != 0))
}

fn copy_file(
    tree: &dyn Tree,
    from: &RootPath,
    to: &Path,
) -> Result<Result<(), DatabaseFault>, TreeError> {
    let Some(entry) = tree.entry(from)?.filter(|entry| entry.kind.is_file()) else {
        return Ok(Ok(()));
    };
    if entry.kind.size() > MAX_FILE {
        return Ok(Err(DatabaseFault::TooLarge(MAX_FILE)));
    }
    let mut content = tree.open(&entry)?;
    let mut copy = match std::fs::File::create_new(to) {
        Ok(copy) => copy,
        Err(error) => return Ok(Err(DatabaseFault::Copy(error))),
    };
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match content.read(&mut buffer) {
            Ok(0) => return Ok(Ok(())),
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(TreeError::io("reading", from, e)),
        };
        if let Err(error) = io::Write::write_all(&mut copy, &buffer[..length]) {
            return Ok(Err(DatabaseFault::Copy(error)));
        }
    }
}
