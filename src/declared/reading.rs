//! [`Files`]: how declarations are read: small regular files, a bounded number of them. What
//! cannot be read declares nothing, and what nothing declares is kept.

use std::collections::BTreeMap;

use super::declaration::Author;
use crate::packages::Installed;
use crate::tree::{self, Entry, RootPath, Tree};

/// Larger than any file of this kind that somebody wrote.
const MAX_FILE: u64 = 1 << 20;

/// More files than any directory of this kind holds.
const MAX_FILES: usize = 8192;

/// Reads a source's declarations.
pub(super) struct Files<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) installed: &'a Installed,
}

impl Files<'_> {
    /// The text of a regular file.
    pub(super) fn read(&self, path: &RootPath) -> Option<Vec<u8>> {
        tree::read_file(self.tree, path, MAX_FILE).ok().flatten()
    }

    /// What lies directly in `dir`.
    pub(super) fn list(&self, dir: &RootPath) -> Vec<Entry> {
        let mut entries = tree::list(self.tree, dir).unwrap_or_default();
        entries.truncate(MAX_FILES);
        entries
    }

    /// The files in `dirs` whose names end in `ending`, by name: one in an earlier directory takes
    /// the place of its namesakes in later ones.
    pub(super) fn overlaid(&self, dirs: &[RootPath], ending: &[u8]) -> BTreeMap<Vec<u8>, RootPath> {
        let mut all = BTreeMap::new();
        for dir in dirs {
            for entry in self.list(dir) {
                let name = entry.path.name();
                if name.ends_with(ending) && !entry.kind.is_dir() {
                    all.entry(name.to_vec()).or_insert_with(|| dir.child(name));
                }
            }
        }
        all
    }

    /// Whether some package manager says what came with packages.
    pub(super) fn has_packages(&self) -> bool {
        self.installed.manager().is_some()
    }

    /// Who wrote `file`, of the kind that `by` says.
    pub(super) fn author(&self, by: &'static str, file: &RootPath) -> Author {
        Author { by, file: file.clone(), package: self.package(file) }
    }

    /// The package that brought the file, wherever links lead to it.
    pub(super) fn package(&self, path: &RootPath) -> Option<String> {
        let place = tree::resolve_parent(self.tree, path).ok().flatten()?;
        let claim = self.installed.claims(&place).next()?;
        Some(claim.package.to_owned())
    }
}

/// The lines of a text, less blanks around them; empty ones and comments left out. A backslash at
/// the end joins the next line.
pub(super) fn joined_lines(text: &[u8], comments: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = vec![];
    let mut open = false;
    for line in text.split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        if line.first().is_some_and(|first| comments.contains(first)) {
            continue;
        }
        let (part, more) = match line.strip_suffix(b"\\") {
            Some(part) => (part.trim_ascii_end(), true),
            None => (line, false),
        };
        match all.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(b' ');
                last.extend_from_slice(part);
            }
            // Nothing to go on with.
            None if part.is_empty() => {
                open = false;
                continue;
            }
            None => all.push(part.to_vec()),
        }
        open = more;
    }
    all
}
