//! [`Script`]: packages' scripts, which run when they are installed and removed.
//!
//! They are never run here, and not understood: they are found, to be looked through.

use super::super::moving::Told;
use super::admin::admin;
use super::helper;
use crate::tree::{Entry, RootPath, Tree, read_file};

/// Longer than any script that people write.
const MAX_SCRIPT: u64 = 1 << 20;

/// How much of all scripts of a system is read: ten times what a large one has.
const MAX_SCRIPTS: usize = 256 << 20;

/// When a package's script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Before it is unpacked.
    Unpacked,
    /// Once the package is unpacked.
    Installed,
    /// Before its files are removed.
    Removing,
    /// Once its files are removed, and when it is purged.
    Removed,
}

/// A package's script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The package, without architecture.
    pub package: String,
    /// When it runs.
    pub moment: Moment,
    /// The file.
    pub path: RootPath,
}

/// What the names of scripts end in.
const ENDINGS: &[(&[u8], Moment)] = &[
    (b".preinst", Moment::Unpacked),
    (b".postinst", Moment::Installed),
    (b".prerm", Moment::Removing),
    (b".postrm", Moment::Removed),
];

/// The scripts among the `entries` of the directory of packages' files, by path.
pub(super) fn among(entries: &[Entry]) -> Vec<Script> {
    let dir = admin(b"info");
    let script = |entry: &Entry| {
        let name = entry.path.name();
        let (stem, moment) = ENDINGS
            .iter()
            .find_map(|(ending, moment)| Some((name.strip_suffix(*ending)?, *moment)))?;
        let package = stem.split(|&b| b == b':').next().unwrap_or(stem);
        let package = String::from_utf8_lossy(package).into_owned();
        Some(Script { package, moment, path: dir.child(name) })
    };
    let mut all: Vec<Script> =
        entries.iter().filter(|entry| entry.kind.is_file()).filter_map(script).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// What `scripts` of `tree` say of paths that earlier versions had, each once; what cannot be read
/// says nothing.
pub(super) fn told(scripts: &[Script], tree: &dyn Tree) -> Vec<Told> {
    let mut all = vec![];
    let mut left = MAX_SCRIPTS;
    for script in scripts {
        let Ok(Some(text)) = read_file(tree, &script.path, MAX_SCRIPT) else { continue };
        let Some(rest) = left.checked_sub(text.len()) else { break };
        left = rest;
        let told = helper::movings(&text).into_iter();
        all.extend(told.map(|moving| Told { package: script.package.clone(), moving }));
    }
    all.sort();
    all.dedup();
    all
}
