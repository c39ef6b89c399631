//! What has taken the place of a path that is gone.

use std::collections::BTreeMap;

use crate::references::question::{Kept, Question};
use crate::references::records::Records;
use crate::tree::{Entry, Kind, RootPath, TreeError, list, resolve};

/// How many that may take the place are named.
const MAX_CANDIDATES: usize = 3;

/// Names of links to what is used unless somebody says otherwise.
const USUAL: &[&[u8]] = &[b"current", b"default", b"latest", b"stable"];

/// What has taken the place of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Nearest {
    /// What surely has.
    pub(super) certain: Option<RootPath>,
    /// What may have.
    pub(super) candidates: Vec<RootPath>,
}

/// Where kept files and their directories were moved to; `None` where they went several ways.
pub(super) type Moved = BTreeMap<RootPath, Option<RootPath>>;

/// Where what was kept lies now, as far as it was moved.
pub(super) fn moved(kept: &[Kept]) -> Moved {
    let mut moved = Moved::new();
    for Kept { path, was } in kept.iter().filter(|kept| kept.path != kept.was) {
        let (mut old, mut new) = (was.clone(), path.clone());
        loop {
            let known = moved.entry(old.clone()).or_insert_with(|| Some(new.clone()));
            if known.as_ref() != Some(&new) {
                *known = None;
            }
            let (Some(above), Some(new_above)) = (old.parent(), new.parent()) else { break };
            if old.name() != new.name() || above == new_above {
                break;
            }
            (old, new) = (above, new_above);
        }
    }
    moved
}

/// What has taken the place of `path`, which the old system had and the new one has not; a program
/// may also lie in another of `dirs`.
///
/// # Errors
/// One of the systems cannot be read.
pub(super) fn nearest(
    question: &Question<'_>,
    records: &Records<'_>,
    (moved, dirs): (&Moved, &[RootPath]),
    path: &RootPath,
) -> Result<Nearest, TreeError> {
    if let Some(Some(to)) = moved.get(path)
        && question.is_there(to)
    {
        return Ok(Nearest { certain: Some(to.clone()), candidates: vec![] });
    }
    let Some(gone) = first_gone(question, path) else { return Ok(Nearest::default()) };
    let Some(rest) = path.strip_prefix(&gone) else { return Ok(Nearest::default()) };
    let usual = usual(question, &gone)?.map(|usual| usual.join(&rest));
    let usual = usual.filter(|usual| question.is_there(usual));
    let elsewhere = if rest.is_root() { elsewhere(question, dirs, path) } else { None };
    let same_package = |now: &RootPath| {
        let package = (records.package)(path);
        package.is_some() && package == (records.package_now)(now)
    };
    let certain = usual.or_else(|| elsewhere.clone().filter(same_package));
    let mut candidates: Vec<RootPath> = elsewhere.into_iter().collect();
    for sibling in siblings(question, &gone)? {
        candidates.push(sibling.join(&rest));
    }
    candidates.retain(|candidate| question.is_there(candidate));
    candidates.truncate(MAX_CANDIDATES);
    Ok(Nearest { certain, candidates })
}

/// The uppermost of `path` and its parents that is gone.
fn first_gone(question: &Question<'_>, path: &RootPath) -> Option<RootPath> {
    path.ancestors().chain([path.clone()]).find(|path| !question.is_there(path))
}

/// What was the same as `gone` by a name without its version, and is there.
fn usual(question: &Question<'_>, gone: &RootPath) -> Result<Option<RootPath>, TreeError> {
    let Some(dir) = gone.parent() else { return Ok(None) };
    let end = resolve(question.old, gone)?;
    let is_dir = match &end {
        Some(end) => question.old.entry(end)?.is_some_and(|entry| entry.kind.is_dir()),
        None => return Ok(None),
    };
    let mut best: Option<RootPath> = None;
    for link in links(list(question.old, &dir)?) {
        let name = link.path.name();
        let fits = is_without_version(name, gone.name())
            || (is_dir && USUAL.iter().any(|usual| name.starts_with(usual)));
        let longer = best.as_ref().is_none_or(|best| best.name().len() < name.len());
        let here = dir.child(name);
        if fits && longer && question.is_there(&here) && resolve(question.old, &here)? == end {
            best = Some(here);
        }
    }
    Ok(best)
}

fn links(entries: Vec<Entry>) -> impl Iterator<Item = Entry> {
    entries.into_iter().filter(|entry| matches!(entry.kind, Kind::Symlink { .. }))
}

/// Whether `name` is `versioned` without the end of its version, or without all of it.
fn is_without_version(name: &[u8], versioned: &[u8]) -> bool {
    let Some(version) = versioned.strip_prefix(name).filter(|version| !version.is_empty()) else {
        return false;
    };
    let digits = name.last().is_some_and(u8::is_ascii_digit);
    let starts =
        matches!(version, [b'.' | b'-', digit, ..] | [digit, ..] if digit.is_ascii_digit());
    let all = version.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    !name.is_empty() && starts && all && !(digits && version[0].is_ascii_digit())
}

/// The program of this name in another directory of programs, if there is one.
fn elsewhere(question: &Question<'_>, dirs: &[RootPath], path: &RootPath) -> Option<RootPath> {
    let dir = path.parent()?;
    let among = dirs.contains(&dir);
    dirs.iter().filter(|_| among).map(|dir| dir.child(path.name())).find(|p| question.is_there(p))
}

/// What lies beside `gone` and is called the same but for numbers.
fn siblings(question: &Question<'_>, gone: &RootPath) -> Result<Vec<RootPath>, TreeError> {
    let Some(dir) = gone.parent() else { return Ok(vec![]) };
    let stem = stem(gone.name());
    if stem == gone.name() {
        // Without a number in it, a name is one of a kind, unless others begin with all of it.
        let others =
            list(question.new, &dir)?.into_iter().map(|entry| dir.child(entry.path.name()));
        return Ok(others.filter(|other| is_without_version(gone.name(), other.name())).collect());
    }
    let others = list(question.new, &dir)?.into_iter().map(|entry| dir.child(entry.path.name()));
    Ok(others.filter(|other| self::stem(other.name()) == stem).collect())
}

/// A name without its numbers, and without what joins them to it.
fn stem(name: &[u8]) -> Vec<u8> {
    let mut stem: Vec<u8> = Vec::new();
    for (at, b) in name.iter().enumerate() {
        let after_digit = stem.len() < at && name[at - 1].is_ascii_digit();
        let joins = matches!(b, b'.' | b'-' | b'_')
            && (after_digit || name.get(at + 1).is_some_and(u8::is_ascii_digit));
        if !b.is_ascii_digit() && !joins {
            stem.push(*b);
        }
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountDb, IdMap};
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn found(old: &MemoryTree, new: &MemoryTree, gone: &str) -> (Option<String>, Vec<String>) {
        let question = Question { old, new, kept: &[], settings: None };
        let (accounts, ids) = (AccountDb::default(), IdMap::default());
        let owner = |path: &RootPath| path.as_bytes().ends_with(b"moved").then(|| "x".to_owned());
        let records = Records {
            lasted: &|_| true,
            package: &owner,
            package_now: &owner,
            theirs: new,
            accounts: &accounts,
            accounts_now: &accounts,
            ids: &ids,
            outdated: &[],
        };
        let dirs = [path("/usr/sbin"), path("/usr/bin")];
        let found = nearest(&question, &records, (&Moved::new(), &dirs), &path(gone)).unwrap();
        let candidates = found.candidates.iter().map(ToString::to_string).collect();
        (found.certain.map(|path| path.to_string()), candidates)
    }

    #[test]
    fn a_link_without_the_version_that_led_there_is_what_takes_its_place() {
        let old = MemoryTree::default()
            .file("/usr/bin/lang3.9", "")
            .link("/usr/bin/lang3", "lang3.9")
            .file("/usr/bin/web7.4", "")
            .link("/usr/bin/web", "/etc/alternatives/web")
            .link("/etc/alternatives/web", "/usr/bin/web7.4")
            .file("/usr/lib/vm/vm-11-x/bin/run", "")
            .link("/usr/lib/vm/default-vm", "vm-11-x")
            .file("/usr/bin/lang3.8", "");
        let new = MemoryTree::default()
            .file("/usr/bin/lang3.13", "")
            .link("/usr/bin/lang3", "lang3.13")
            .file("/usr/bin/web8.4", "")
            .link("/usr/bin/web", "web8.4")
            .file("/usr/lib/vm/vm-21-x/bin/run", "")
            .link("/usr/lib/vm/default-vm", "vm-21-x");
        let certain = |gone| found(&old, &new, gone).0;
        assert_eq!(certain("/usr/bin/lang3.9").as_deref(), Some("/usr/bin/lang3"));
        assert_eq!(certain("/usr/bin/web7.4").as_deref(), Some("/usr/bin/web"));
        let run = certain("/usr/lib/vm/vm-11-x/bin/run");
        assert_eq!(run.as_deref(), Some("/usr/lib/vm/default-vm/bin/run"));
        assert_eq!(certain("/usr/bin/lang3.8"), None, "it was not what the link led to");
    }

    #[test]
    fn what_differs_in_its_numbers_or_lies_elsewhere_may_take_its_place() {
        let old = MemoryTree::default()
            .file("/usr/lib/db/13/bin/dump", "")
            .file("/usr/bin/tool", "")
            .file("/usr/bin/moved", "")
            .file("/usr/bin/old2", "")
            .file("/usr/bin/lang", "");
        let new = MemoryTree::default()
            .file("/usr/lib/db/17/bin/dump", "")
            .file("/usr/sbin/tool", "")
            .file("/usr/sbin/moved", "")
            .file("/usr/bin/lang3", "");
        let told = |gone| found(&old, &new, gone);
        assert_eq!(told("/usr/lib/db/13/bin/dump"), (None, vec!["/usr/lib/db/17/bin/dump".into()]));
        assert_eq!(told("/usr/bin/tool"), (None, vec!["/usr/sbin/tool".into()]));
        assert_eq!(told("/usr/bin/moved").0.as_deref(), Some("/usr/sbin/moved"));
        assert_eq!(told("/usr/bin/lang"), (None, vec!["/usr/bin/lang3".into()]));
        assert_eq!(told("/usr/bin/old2"), (None, vec![]));
    }

    #[test]
    fn what_was_moved_is_known_with_its_directories_as_far_as_they_went_together() {
        let kept = |was: &str, now: &str| Kept { path: path(now), was: path(was) };
        let moved = moved(&[
            kept("/etc/web/7/pool/a", "/etc/web/8/pool/a"),
            kept("/etc/web/7/b", "/etc/web/8/b"),
            kept("/etc/x/a", "/etc/y/a"),
            kept("/etc/x/b", "/etc/z/b"),
        ]);
        let to = |was: &str| moved.get(&path(was)).cloned().flatten();
        assert_eq!(to("/etc/web/7/pool"), Some(path("/etc/web/8/pool")));
        assert_eq!(to("/etc/web/7"), Some(path("/etc/web/8")));
        assert_eq!(to("/etc/web"), None);
        assert_eq!(to("/etc/x"), None);
    }

    #[test]
    fn a_stem_is_a_name_without_its_numbers() {
        for (name, expected) in [
            ("python3.9", "python"),
            ("gcc-10", "gcc"),
            ("java-11-openjdk-amd64", "javaopenjdk-amd"),
            ("13", ""),
            ("tool", "tool"),
        ] {
            assert_eq!(stem(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }
}
