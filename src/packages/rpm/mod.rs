//! rpm's package database, read from its files: SQLite, rpm's own format or Berkeley DB.
//!
//! [`Rpm::load`] reads everything once; all questions are answered from memory. Paths in
//! questions and answers are canonical, as a walk of the tree meets them, wherever the records
//! say `/bin/ls` of a `/usr/bin/ls`.
//!
//! A file without an owner is one more file to keep: so a database that cannot be read is one that
//! owns nothing, and a [`Problem`] says so.

mod bdb;
mod database;
pub mod evr;
mod fault;
mod files;
mod header;
mod history;
mod ndb;
mod package;
mod reason;
mod sink;
mod sqlite;
mod supply;
mod tag;

pub(crate) use fault::RecordFault;
pub use package::RpmPackage;

use self::database::Database;
use self::files::Room;
use self::package::BadRecord;
use super::index::{Brings, Index};
use super::problem::{Problem, chain};
use super::records::Records;
use super::{Brought, FileRecord};
use crate::tree::{RootPath, Tree, TreeError};

/// A system's rpm database.
#[derive(Debug)]
pub struct Rpm {
    /// Every installed package, by name, then version and architecture. Several of one name are
    /// no mistake: kernels, keys, two architectures.
    pub packages: Vec<RpmPackage>,
    /// What is wrong with the database.
    pub problems: Vec<Problem>,
    index: Index,
}

impl Brings for RpmPackage {
    fn files(&self) -> &[FileRecord] {
        &self.files
    }
}

impl Rpm {
    /// Reads the database of `tree`; `None` when there is none.
    ///
    /// Waits for SQLite on a runtime of its own: not to be used from inside an asynchronous task.
    ///
    /// # Errors
    /// The system's, on the database itself. Damage is in [`Rpm::problems`].
    pub fn load(tree: &dyn Tree) -> Result<Option<Rpm>, TreeError> {
        let mut records = Records::new(tree);
        let databases = Database::all(&mut records)?;
        if databases.is_empty() && records.problems.is_empty() {
            return Ok(None);
        }
        let mut packages = vec![];
        let mut used: Option<&Database> = None;
        for database in &databases {
            if let Some(used) = used {
                let (file, used) = (database.file.clone(), used.file.clone());
                records.problems.note(Problem::Unused { file, used });
                continue;
            }
            packages = read(&mut records, database)?;
            if !packages.is_empty() {
                used = Some(database);
            }
        }
        packages.sort_by(|a, b| {
            let names = a.name.cmp(&b.name);
            names.then_with(|| evr::compare(&a.evr(), &b.evr())).then_with(|| a.arch.cmp(&b.arch))
        });
        reason::mark(&mut records, &mut packages);
        let index = Index::build(&mut records, &packages);
        Ok(Some(Rpm { packages, index, problems: records.problems.finish() }))
    }

    /// The package that `path` came with. Of several owners, one whose file was unpacked comes
    /// first, then one that recorded a digest.
    pub fn owner(&self, path: &RootPath) -> Option<Brought<'_, RpmPackage>> {
        self.owners(path).next()
    }

    /// Every package that `path` came with: directories have many, and files that are the same
    /// for several architectures.
    pub fn owners(&self, path: &RootPath) -> impl Iterator<Item = Brought<'_, RpmPackage>> {
        self.index.of(&self.packages, path)
    }

    /// Every path that packages have on record with the claim that counts, in path order. What is
    /// not there was deleted, or was never unpacked, which its record tells.
    pub fn owned_paths(&self) -> impl Iterator<Item = Brought<'_, RpmPackage>> {
        self.index.paths(&self.packages)
    }

    /// The packages of one name, the oldest version first.
    pub fn packages_named(&self, name: &str) -> &[RpmPackage] {
        let from = self.packages.partition_point(|package| package.name.as_str() < name);
        let to = self.packages.partition_point(|package| package.name.as_str() <= name);
        &self.packages[from..to]
    }
}

/// Every usable record of `database`.
fn read(records: &mut Records<'_>, database: &Database) -> Result<Vec<RpmPackage>, TreeError> {
    let file = &database.file;
    let tree = records.tree;
    let mut packages: Vec<RpmPackage> = vec![];
    let mut room = Room::default();
    let mut sink = |number: u32, record: Result<&[u8], RecordFault>| {
        let package = match record {
            Ok(blob) => package::package(blob, &mut room),
            Err(fault) => Err(BadRecord { name: None, fault }),
        };
        match package {
            Ok((package, skipped)) => {
                if let Some(files::Skipped { count, fault }) = skipped {
                    let (file, package) = (file.clone(), package.name.clone());
                    records.problems.note(Problem::Paths { file, package, count, fault });
                }
                packages.push(package);
            }
            Err(BadRecord { name: package, fault }) => {
                let (file, fault) = (file.clone(), fault.to_string());
                records.problems.note(Problem::Record { file, number, package, fault });
            }
        }
        Ok(())
    };
    if let Err(fault) = database.read(tree, &mut sink)? {
        let (file, why) = (file.clone(), chain(&fault));
        records.problems.note(match packages.is_empty() {
            true => Problem::Unreadable { file, why },
            false => Problem::Partly { file, why },
        });
    }
    Ok(packages)
}

#[cfg(test)]
mod tests;
