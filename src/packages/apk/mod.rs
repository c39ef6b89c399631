//! Alpine's package database, read from its files.
//!
//! [`Apk::load`] reads everything once; all questions are answered from memory. Paths in
//! questions and answers are canonical, as a walk of the tree meets them.
//!
//! apk 2 and apk 3 write the same text. The binary form that apk 3 has for packages and indexes
//! is none of an installed system's records; where a tree has it in their place, that is said.

mod digest;
mod installed;
mod package;
mod protected;
mod repository;
mod supply;
pub mod version;
mod world;

use std::collections::{HashMap, HashSet};

pub use package::ApkPackage;
pub(crate) use repository::Repository;
pub(crate) use world::Constraint;

use self::protected::{Protected, Protection};
use super::index::{Brought, Index};
use super::problem::{BadLines, Damage, LineFault, Problem};
use super::records::{MAX_TABLE, Records, lines};
use super::{FileRecord, RecordedKind, Role};
use crate::tree::{self, Kind, RootPath, Tree, TreeError};

/// A package of a hundred files takes 10 KB; a large system has 20 MB.
const MAX_INSTALLED: u64 = 256 << 20;

/// A system's apk database.
#[derive(Debug)]
pub struct Apk {
    /// Every installed package, by name.
    pub packages: Vec<ApkPackage>,
    /// What somebody asked for, in the order of the file.
    pub world: Vec<Constraint>,
    /// Where packages come from.
    pub repositories: Vec<Repository>,
    /// The archive of the packages' scripts. It is not read: nothing of it is ever executed.
    pub scripts: Option<RootPath>,
    /// What is wrong with the database.
    pub problems: Vec<Problem>,
    index: Index,
}

impl Apk {
    /// Reads the database of `tree`; `None` when there is none.
    ///
    /// # Errors
    /// The system's, on the record of the packages itself. Damage is in [`Apk::problems`].
    pub fn load(tree: &dyn Tree) -> Result<Option<Apk>, TreeError> {
        let mut records = Records::new(tree);
        let Some((dir, bytes)) = find(&mut records)? else { return Ok(None) };
        let file = dir.child(b"installed");
        let mut packages = installed::parse(&file, &bytes, &mut records.problems);
        let world = asked_for(&mut records, &file, &mut packages);
        triggers(&mut records, &dir.child(b"triggers"), &mut packages);
        let protected = Protected::load(&mut records);
        for record in packages.iter_mut().flat_map(|package| &mut package.files) {
            record.role = role(&protected, record);
        }
        let index = Index::build(&mut records, &packages);
        Ok(Some(Apk {
            world,
            repositories: repository::load(&mut records),
            scripts: scripts(&mut records, &dir),
            problems: records.problems.finish(),
            packages,
            index,
        }))
    }

    /// The package that `path` came with. Of several owners, one that recorded a digest comes
    /// first.
    pub fn owner(&self, path: &RootPath) -> Option<Brought<'_, ApkPackage>> {
        self.owners(path).next()
    }

    /// Every package that `path` came with: directories have many.
    pub fn owners(&self, path: &RootPath) -> impl Iterator<Item = Brought<'_, ApkPackage>> {
        self.index.of(&self.packages, path)
    }

    /// Every path that packages brought, in path order: what is not there was deleted.
    pub fn owned_paths(&self) -> impl Iterator<Item = Brought<'_, ApkPackage>> {
        self.index.paths(&self.packages)
    }

    /// The package `name`.
    pub fn is_installed(&self, name: &str) -> Option<&ApkPackage> {
        let at = self.packages.binary_search_by(|package| package.name.as_str().cmp(name)).ok()?;
        self.packages.get(at)
    }
}

/// The directory of the records and the content of `installed`.
fn find(records: &mut Records<'_>) -> Result<Option<(RootPath, Vec<u8>)>, TreeError> {
    let mut binary = None;
    for dir in
        [const { RootPath::literal("/lib/apk/db") }, const { RootPath::literal("/usr/lib/apk/db") }]
    {
        let file = dir.child(b"installed");
        match tree::read_file(records.tree, &file, MAX_INSTALLED) {
            Ok(Some(bytes)) if bytes.starts_with(b"ADB") => binary = binary.or(Some((dir, file))),
            Ok(Some(bytes)) => return Ok(Some((dir, bytes))),
            Ok(None) => {
                let file = dir.child(b"installed.adb");
                if tree::resolve(records.tree, &file)?.is_some() {
                    binary = binary.or(Some((dir, file)));
                }
            }
            Err(error @ TreeError::Io { .. }) => return Err(error),
            Err(error) => {
                records.or_problem::<()>(&file, Err(error));
                return Ok(Some((dir, vec![])));
            }
        }
    }
    Ok(binary.map(|(dir, file)| {
        let why = "the binary form of apk's records is not supported".to_owned();
        records.problems.note(Problem::Unreadable { file, why });
        (dir, vec![])
    }))
}

/// Reads `world`, and marks what it asks for. Without it, everything was asked for.
fn asked_for(
    records: &mut Records<'_>,
    installed: &RootPath,
    packages: &mut [ApkPackage],
) -> Vec<Constraint> {
    let Some(world) = world::load(records) else {
        if !packages.is_empty() {
            records.problems.note(Problem::NothingAskedFor {
                file: const { RootPath::literal("/etc/apk/world") },
            });
        }
        return vec![];
    };
    if packages.is_empty() && !world.is_empty() {
        let (file, damage) = (installed.clone(), Damage::Empty);
        records.problems.note(Problem::Damaged { file, damage });
    }
    // Whether each name's version is pinned.
    let mut wanted: HashMap<&str, bool> = HashMap::new();
    for constraint in world.iter().filter(|constraint| !constraint.unwanted) {
        *wanted.entry(&constraint.name).or_default() |= constraint.pins();
    }
    let mut provided: HashSet<&str> = wanted.keys().copied().collect();
    for package in &mut *packages {
        provided.remove(package.name.as_str());
        package.hold = wanted.get(package.name.as_str()).is_some_and(|pinned| *pinned);
        package.auto = !wanted.contains_key(package.name.as_str());
    }
    // What no package is called, one provides.
    for package in packages {
        package.auto &= !package.provides.iter().any(|name| provided.contains(name.as_str()));
    }
    world
}

/// Reads the triggers: a package's identity and its patterns per line.
fn triggers(records: &mut Records<'_>, file: &RootPath, packages: &mut [ApkPackage]) {
    let Some(bytes) = records.read(file, MAX_TABLE) else { return };
    let mut by_identity: HashMap<String, &mut ApkPackage> =
        packages.iter_mut().map(|package| (package.identity.clone(), package)).collect();
    let mut bad = BadLines::default();
    for (index, line) in lines(&bytes).enumerate().filter(|(_, line)| !line.is_empty()) {
        let Ok(text) = std::str::from_utf8(line) else {
            bad.note(index, LineFault::Text);
            continue;
        };
        let mut words = text.split_ascii_whitespace();
        match words.next().and_then(|identity| by_identity.get_mut(identity)) {
            Some(package) => package.triggers.extend(words.map(str::to_owned)),
            None => bad.note(index, LineFault::Stray),
        }
    }
    bad.finish(file, &mut records.problems);
}

fn role(protected: &Protected, record: &FileRecord) -> Role {
    if record.kind == RecordedKind::Dir {
        return Role::Ordinary;
    }
    match protected.of(&record.path) {
        Protection::Changed | Protection::Always => Role::Config,
        Protection::SymlinksOnly if matches!(record.kind, RecordedKind::FileOrSymlink { .. }) => {
            Role::Config
        }
        Protection::SymlinksOnly | Protection::None => Role::Ordinary,
    }
}

fn scripts(records: &mut Records<'_>, dir: &RootPath) -> Option<RootPath> {
    let entries = records.list(dir);
    let files = entries.into_iter().filter(|entry| matches!(entry.kind, Kind::File { .. }));
    let mut names = files.map(|entry| entry.path);
    names.find(|path| [&b"scripts.tar"[..], b"scripts.tar.gz"].contains(&path.name()))
}

#[cfg(test)]
mod tests;
