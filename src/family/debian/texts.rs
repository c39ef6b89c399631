//! [`Texts`]: the files of a system in which decisions are written down.

use crate::packages::Installed;
use crate::tree::{RootPath, Tree, list, read_file, resolve_parent};

/// Larger than any table of this kind.
const LIMIT: u64 = 16 << 20;

/// The files of a system in which decisions are written down.
pub(super) struct Texts<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) installed: &'a Installed,
}

impl Texts<'_> {
    /// The text at `path`; empty where there is none.
    pub(super) fn read(&self, path: &str) -> Vec<u8> {
        let path = RootPath::parse(path.as_bytes()).ok();
        let text = path.and_then(|path| read_file(self.tree, &path, LIMIT).ok().flatten());
        text.unwrap_or_default()
    }

    /// The files directly in `dir`.
    pub(super) fn list(&self, dir: &str) -> Vec<RootPath> {
        let Ok(dir) = RootPath::parse(dir.as_bytes()) else { return vec![] };
        let entries = list(self.tree, &dir).unwrap_or_default();
        let files = entries.into_iter().filter(|entry| entry.kind.is_file());
        files.map(|entry| dir.child(entry.path.name())).collect()
    }

    /// The files in `dir` and among `more` that no package brought.
    pub(super) fn unowned(&self, dir: &str, more: &[&str]) -> Vec<String> {
        let more = more.iter().filter_map(|path| RootPath::parse(path.as_bytes()).ok());
        let there = more.filter(|path| self.tree.entry(path).is_ok_and(|e| e.is_some()));
        let all = there.chain(self.list(dir));
        let unowned = all.filter(|path| self.installed.claims(path).next().is_none());
        unowned.map(|path| path.to_string()).collect()
    }

    /// Whether a package brought what is there, or nothing is there.
    pub(super) fn is_owned(&self, path: &RootPath) -> bool {
        let place = resolve_parent(self.tree, path).ok().flatten();
        let there = place.filter(|place| self.tree.entry(place).is_ok_and(|e| e.is_some()));
        there.is_none_or(|place| self.installed.claims(&place).next().is_some())
    }
}
