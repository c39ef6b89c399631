//! What a tree declares, in words for tests.

use super::Declared;
use crate::packages::Installed;
use crate::tree::memory::MemoryTree;
use crate::tree::{Entry, Kind, Meta, RootPath, Time, Tree, Xattrs};

/// Nature and author of the first declaration that reaches `path`, a file where nothing is there;
/// empty without any.
pub(super) fn told(tree: &MemoryTree, path: &str) -> String {
    let declared = Declared::load(tree, &Installed::load(tree).unwrap());
    let path = RootPath::parse(path.as_bytes()).unwrap();
    let entry = tree.entry(&path).unwrap().unwrap_or_else(|| Entry {
        path,
        kind: Kind::File { size: 0 },
        meta: Meta {
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Time { secs: 0, nanos: 0 },
            xattrs: Xattrs::new(),
        },
        ctime: None,
        links: None,
    });
    let first = declared.of(&entry).first().map(|d| format!("{} {}", d.nature.word(), d.author.by));
    first.unwrap_or_default()
}
