//! State that an installation made where the archive has the service's own.
//!
//! A package that initialises its data directory when it is installed leaves files there that no
//! package owns. Files of the archived directory that have other names would be mixed with them,
//! and a server that finds the undo log of one database beside the tables of another destroys
//! both. So in a directory below `/var/lib` into which the archive brings files of its own, what
//! the installation made gives way: unless it was there before, a package owns it, the archived
//! system had it and did without it, or a rule knows what it is and so has its own way with it.

use std::collections::BTreeSet;

use crate::tree::{Draft, RootPath, Tree, TreeError};

/// Where packages keep state.
const STATE: &[u8] = b"/var/lib/";

/// What the new system's installation decides for itself.
pub(in crate::restore) struct Known<'a> {
    /// Whether a path stays whatever the archive brings: a package's, or older than the
    /// installation, or known to the archive.
    pub(in crate::restore) staying: &'a dyn Fn(&RootPath) -> bool,
    /// Whether a rule names a path.
    pub(in crate::restore) ruled: &'a dyn Fn(&RootPath) -> bool,
}

/// The topmost paths of `target` that give way to what the settled `draft` brings.
pub(in crate::restore) fn giving_way(
    draft: &Draft,
    target: &dyn Tree,
    known: &Known,
) -> Result<Vec<RootPath>, TreeError> {
    let mut directories = BTreeSet::new();
    for node in draft.nodes().filter(|node| node.entry.kind.is_file()) {
        let path = &node.entry.path;
        if path.as_bytes().starts_with(STATE)
            && let Some(parent) = path.parent()
            && parent.as_bytes().len() >= STATE.len()
            && !(known.staying)(path)
            && !(known.ruled)(path)
        {
            directories.insert(parent);
        }
    }
    let mut gone: Vec<RootPath> = Vec::new();
    for directory in &directories {
        for child in target.children(directory)? {
            if !gone.iter().any(|above| child.path.is_within(above))
                && draft.get(&child.path).is_none()
            {
                give_way(&child.path, child.kind.is_dir(), draft, target, known, &mut gone)?;
            }
        }
    }
    gone.sort();
    Ok(gone)
}

/// Adds `path` to `gone`, or, when something in it stays, what does not; says whether all of it is
/// gone.
fn give_way(
    path: &RootPath,
    is_dir: bool,
    draft: &Draft,
    target: &dyn Tree,
    known: &Known,
    gone: &mut Vec<RootPath>,
) -> Result<bool, TreeError> {
    let mut all =
        !(known.staying)(path) && !(known.ruled)(path) && draft.below(path).next().is_none();
    if is_dir && !(known.ruled)(path) {
        let before = gone.len();
        for child in target.children(path)? {
            if draft.get(&child.path).is_none() {
                all &= give_way(&child.path, child.kind.is_dir(), draft, target, known, gone)?;
            } else {
                all = false;
            }
        }
        if all {
            gone.truncate(before);
        }
    }
    if all {
        gone.push(path.clone());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftNode, Meta};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn draft(files: &[&str]) -> Draft {
        let mut draft = Draft::default();
        for at in files {
            draft.put(DraftNode::file(path(at), Meta::root(0o600), b"x".to_vec()));
        }
        draft
    }

    /// A system with one freshly initialised database, `owned` by a package and `ruled` as said.
    fn gone(archived: &[&str], owned: &[&str], ruled: &[&str]) -> Vec<String> {
        let target = MemoryTree::default()
            .file("/var/lib/db/tables", "new")
            .file("/var/lib/db/undo1", "new")
            .file("/var/lib/db/sys/one", "new")
            .file("/var/lib/db/sys/two", "new")
            .file("/var/lib/other/state", "new")
            .file("/etc/db/extra", "new");
        let among = |list: &[&str], at: &RootPath| list.iter().any(|p| path(p) == *at);
        let known = Known { staying: &|at| among(owned, at), ruled: &|at| among(ruled, at) };
        let gone = giving_way(&draft(archived), &target, &known).unwrap();
        gone.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_fresh_database_gives_way_to_the_archived_one() {
        let archived = ["/var/lib/db/tables", "/var/lib/db/mine/t", "/etc/db/conf"];
        assert_eq!(gone(&archived, &[], &[]), ["/var/lib/db/sys", "/var/lib/db/undo1"]);
    }

    #[test]
    fn what_a_package_or_a_rule_knows_stays_and_the_rest_beside_it_goes() {
        let archived = ["/var/lib/db/tables"];
        assert_eq!(
            gone(&archived, &["/var/lib/db/undo1"], &["/var/lib/db/sys/one"]),
            ["/var/lib/db/sys/two"]
        );
        assert_eq!(gone(&archived, &[], &["/var/lib/db/sys"]), ["/var/lib/db/undo1"]);
    }

    #[test]
    fn where_the_archive_brings_nothing_of_its_own_nothing_gives_way() {
        assert_eq!(gone(&["/var/lib/x", "/etc/db/conf"], &[], &[]), [""; 0]);
        let archived = ["/var/lib/db/tables"];
        assert_eq!(gone(&archived, &archived, &[]), [""; 0]);
        assert_eq!(gone(&archived, &[], &archived), [""; 0]);
    }
}
