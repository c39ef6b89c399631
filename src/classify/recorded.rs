//! What stands in a tree against what a package manager recorded of it.

use std::collections::BTreeMap;

use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::capabilities;
use super::digest::{digest, feed};
use super::evidence::Content;
use crate::accounts::{AccountDb, Problem};
use crate::packages::{Claim, Digest, FileRecord, RecordedKind};
use crate::tree::{Entry, Kind, RootPath, Tree, TreeError, is_mostly_holes};

/// The numbers of the accounts that records name.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    users: BTreeMap<Vec<u8>, u32>,
    groups: BTreeMap<Vec<u8>, u32>,
    unread: Vec<(RootPath, String)>,
}

impl Numbers {
    /// Those of `tree`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn load(tree: &dyn Tree) -> Result<Numbers, TreeError> {
        let loaded = AccountDb::load(tree)?;
        // A link is kept as what it is, wherever it leads.
        let unread = loaded.problems.iter().filter(|p| !matches!(p, Problem::Dangling { .. }));
        let unread = unread.map(|problem| (problem.path().clone(), problem.to_string())).collect();
        let accounts = loaded.accounts;
        let users = accounts.passwd.records().map(|user| (user.name.clone(), user.uid));
        let groups = accounts.group.records().map(|group| (group.name.clone(), group.gid));
        Ok(Numbers { users: users.collect(), groups: groups.collect(), unread })
    }

    /// The account files that could not be read, whole or in part, each with the reason.
    pub(crate) fn unread(&self) -> &[(RootPath, String)] {
        &self.unread
    }
}

/// A name's number; a number is its own.
fn number(name: &str, known: &BTreeMap<Vec<u8>, u32>) -> Option<u32> {
    known.get(name.as_bytes()).copied().or_else(|| match name {
        // Records of a minimal system, which may not even have an account file.
        "root" => Some(0),
        name => name.parse().ok(),
    })
}

/// How the content of `entry` compares with what `claim` recorded.
pub(super) fn recorded_content(
    tree: &dyn Tree,
    entry: &Entry,
    claim: &Claim,
) -> Result<Content, TreeError> {
    let equal = |same: bool| if same { Content::Equal } else { Content::Differs };
    let kind = claim.record.map(|record| &record.kind);
    match (&entry.kind, kind, claim.digest) {
        (_, Some(recorded), _) if is_another(entry, recorded) => Ok(Content::Differs),
        (Kind::File { size }, Some(RecordedKind::File { size: Some(was), .. }), _)
            if size != was =>
        {
            Ok(Content::Differs)
        }
        // No package brings holes, and nobody waits for the digest of a tebibyte of them.
        (Kind::File { .. }, _, Some(_)) if is_mostly_holes(tree, entry)? => Ok(Content::Differs),
        (Kind::File { .. }, _, Some(expected)) => Ok(equal(has(tree, entry, expected)?)),
        (Kind::Symlink { target }, Some(RecordedKind::Symlink { target: Some(was) }), _) => {
            Ok(equal(target == was))
        }
        (Kind::Symlink { target }, Some(RecordedKind::FileOrSymlink { digest: Some(was) }), _) => {
            Ok(equal(was.is_of(target)))
        }
        (Kind::File { .. }, _, None) => Ok(Content::Unrecorded),
        // Recorded as a file with a digest, and no file any more.
        (_, _, Some(_)) => Ok(Content::Differs),
        _ => Ok(Content::Unrecorded),
    }
}

/// Whether `entry` is of another kind than the one on record. A directory of the root, such as
/// `/lib`, may have become a link with all of its packages' files.
fn is_another(entry: &Entry, recorded: &RecordedKind) -> bool {
    let top = entry.path.parent().is_some_and(|parent| parent == RootPath::root());
    match (&entry.kind, recorded) {
        (_, RecordedKind::Unknown) | (Kind::Dir, RecordedKind::Dir) => false,
        (Kind::File { .. }, RecordedKind::File { .. } | RecordedKind::FileOrSymlink { .. })
        | (
            Kind::Symlink { .. },
            RecordedKind::Symlink { .. } | RecordedKind::FileOrSymlink { .. },
        ) => false,
        (Kind::Symlink { .. } | Kind::Dir, RecordedKind::Dir | RecordedKind::Symlink { .. }) => {
            !top
        }
        (Kind::File { .. } | Kind::Symlink { .. } | Kind::Dir, _) => true,
        (_, recorded) => *recorded != RecordedKind::Special,
    }
}

/// How owner and mode of `entry` compare with what the first of `claims` recorded; a directory has
/// many packages, and only needs to be as one of them says.
pub(super) fn recorded_meta(entry: &Entry, claims: &[Claim], numbers: &Numbers) -> Content {
    let records: Vec<&FileRecord> = claims.iter().filter_map(|claim| claim.record).collect();
    let considered =
        if entry.kind.is_dir() { &records[..] } else { &records[..records.len().min(1)] };
    let told: Vec<bool> =
        considered.iter().filter_map(|record| as_recorded(entry, record, numbers)).collect();
    match told.as_slice() {
        [] => Content::Unrecorded,
        told if told.contains(&true) => Content::Equal,
        _ => Content::Differs,
    }
}

/// How owner and mode of `entry` compare with one record.
pub(super) fn recorded_meta_of(entry: &Entry, record: &FileRecord, numbers: &Numbers) -> Content {
    match as_recorded(entry, record, numbers) {
        None => Content::Unrecorded,
        Some(true) => Content::Equal,
        Some(false) => Content::Differs,
    }
}

/// Whether owner, mode and capabilities are as recorded; `None` where nothing was.
fn as_recorded(entry: &Entry, record: &FileRecord, numbers: &Numbers) -> Option<bool> {
    let mode = record.mode.filter(|_| !matches!(entry.kind, Kind::Symlink { .. }));
    let user = record.user.as_deref().and_then(|name| number(name, &numbers.users));
    let group = record.group.as_deref().and_then(|name| number(name, &numbers.groups));
    let meta = &entry.meta;
    let recorded = record.capabilities.as_deref().filter(|_| entry.kind.is_file());
    let capable = recorded.and_then(|text| capabilities::as_recorded(text, &meta.xattrs));
    if mode.is_none() && user.is_none() && group.is_none() && capable.is_none() {
        return None;
    }
    Some(
        mode.is_none_or(|mode| mode & 0o7777 == meta.mode & 0o7777)
            && user.is_none_or(|uid| uid == meta.uid)
            && group.is_none_or(|gid| gid == meta.gid)
            && capable.unwrap_or(true),
    )
}

/// Whether a regular file has this digest.
fn has(tree: &dyn Tree, entry: &Entry, expected: Digest) -> Result<bool, TreeError> {
    Ok(match expected {
        Digest::Md5(expected) => digest(tree, entry)? == expected,
        Digest::Sha1(expected) => hashed::<Sha1>(tree, entry)?[..] == expected,
        Digest::Sha256Head(expected) => hashed::<Sha256>(tree, entry)?[..20] == expected,
        Digest::Sha256(expected) => hashed::<Sha256>(tree, entry)?[..] == expected,
        Digest::Sha512(expected) => hashed::<Sha512>(tree, entry)?[..] == expected,
    })
}

fn hashed<H: sha2::Digest>(tree: &dyn Tree, entry: &Entry) -> Result<Vec<u8>, TreeError> {
    let mut hash = H::new();
    feed(tree, entry, |bytes| hash.update(bytes))?;
    Ok(hash.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Installed;
    use crate::tree::memory::MemoryTree;

    /// A system of Alpine: SHA-1 of `hello` and a newline, and of `busybox`.
    fn system() -> MemoryTree {
        let record = "P:app\nV:1-r0\nA:x86_64\nF:usr/bin\nM:0:0:755\nR:app\na:0:0:755\n\
                      Z:Q19XLTlvrpIGYocU+yzgD3LpTyJY8=\nR:sh\na:0:0:777\n\
                      Z:Q1LxBvJ/ofKKik4CrrENc7ePnJsko=\nR:plain\nF:srv/site\nF:sbin\n\n";
        MemoryTree::default()
            .file("/lib/apk/db/installed", record)
            .file("/etc/apk/world", "app\n")
            .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
            .file("/usr/bin/app", "hello\n")
            .meta("/usr/bin/app", |meta| meta.mode = 0o755)
            .file("/usr/bin/plain", "x")
            .link("/usr/bin/sh", "busybox")
    }

    fn found(tree: &MemoryTree, at: &str) -> (Content, Content) {
        let path = RootPath::parse(at.as_bytes()).unwrap();
        let installed = Installed::load(tree).unwrap();
        let numbers = Numbers::load(tree).unwrap();
        let entry = tree.entry(&path).unwrap().unwrap();
        let claims: Vec<Claim> = installed.claims(&path).collect();
        let content = recorded_content(tree, &entry, &claims[0]).unwrap();
        (content, recorded_meta(&entry, &claims, &numbers))
    }

    #[test]
    fn what_is_as_recorded_is_equal_in_content_and_metadata() {
        assert_eq!(found(&system(), "/usr/bin/app"), (Content::Equal, Content::Equal));
        assert_eq!(found(&system(), "/usr/bin/sh").0, Content::Equal);
        assert_eq!(found(&system(), "/usr/bin/plain").0, Content::Unrecorded);
    }

    #[test]
    fn every_change_is_seen() {
        let edited = system().file("/usr/bin/app", "hallo\n");
        assert_eq!(found(&edited, "/usr/bin/app").0, Content::Differs);
        let opened = system().meta("/usr/bin/app", |meta| meta.mode = 0o4755);
        assert_eq!(found(&opened, "/usr/bin/app"), (Content::Equal, Content::Differs));
        let given = system().meta("/usr/bin/app", |meta| meta.uid = 7);
        assert_eq!(found(&given, "/usr/bin/app"), (Content::Equal, Content::Differs));
        let elsewhere = system().link("/usr/bin/sh", "bash");
        assert_eq!(found(&elsewhere, "/usr/bin/sh").0, Content::Differs);
        let linked = system().link("/usr/bin/app", "sh");
        assert_eq!(found(&linked, "/usr/bin/app").0, Content::Differs);
        let moved = system().link("/srv/site", "/elsewhere");
        assert_eq!(found(&moved, "/srv/site").0, Content::Differs);
        let merged = system().link("/sbin", "usr/bin");
        assert_eq!(found(&merged, "/sbin").0, Content::Unrecorded);
    }
}
