//! [`Script`]: packages' scripts, which run when they are installed and removed.
//!
//! They are never run here, and not understood: they are found, to be looked through.

use super::admin::admin;
use crate::tree::{Entry, RootPath};

/// When a package's script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Once the package is unpacked.
    Installed,
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
const ENDINGS: &[(&[u8], Moment)] =
    &[(b".postinst", Moment::Installed), (b".postrm", Moment::Removed)];

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
