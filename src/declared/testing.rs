//! What a tree declares, in words for tests.

use super::Declared;
use crate::packages::Installed;
use crate::tree::memory::MemoryTree;
use crate::tree::{RootPath, Tree};

/// Nature and author of the first declaration that reaches `path`, a file where nothing is there;
/// empty without any.
pub(super) fn told(tree: &MemoryTree, path: &str) -> String {
    let declared = Declared::load(tree, &Installed::load(tree).unwrap());
    let at = RootPath::parse(path.as_bytes()).unwrap();
    let found = tree.entry(&at).unwrap();
    let entry = found.or_else(|| MemoryTree::default().file(path, "").entry(&at).unwrap()).unwrap();
    let first = declared.of(&entry).first().map(|d| format!("{} {}", d.nature.word(), d.author.by));
    first.unwrap_or_default()
}
