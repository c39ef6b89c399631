//! [`Versions`]: directories that an interpreter names by its own version, as two systems have them.
//!
//! A package of the old system had a file or directory of that name and version, such as
//! `/usr/share/perl/5.32.1` or `/usr/bin/perl5.32.1`, and the new system has one of another version
//! in the same place. Nothing needs to be known of interpreters for that.

use std::collections::{BTreeMap, BTreeSet};

use super::named::number;
use super::question::Question;
use crate::tree::{RootPath, Tree, TreeError, list, resolve};

/// How many versions are looked after.
const MOST: usize = 256;

/// How deep a directory is looked at for things of the new system.
const MOST_DEPTH: usize = 6;

/// Where packages have nothing of their own.
const OWN: [RootPath; 5] = [
    RootPath::literal("/usr/local"),
    RootPath::literal("/opt"),
    RootPath::literal("/srv"),
    RootPath::literal("/home"),
    RootPath::literal("/root"),
];

/// Names of directories that say nothing of what is in them.
const ANY: &[&str] = &["lib", "lib64", "share", "local", "usr", "var", "etc", "bin", "site", "opt"];

/// The name of a directory that ends with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// What stands before the version; nothing where the name is the version.
    before: &'a [u8],
    version: &'a [u8],
}

impl<'a> Named<'a> {
    /// Reads a name. A number without dots is a version when it looks like a date.
    pub(super) fn read(name: &'a [u8]) -> Option<Named<'a>> {
        let at = (0..name.len()).find(|&at| {
            let begins = at == 0 || !(name[at - 1].is_ascii_digit() || name[at - 1] == b'.');
            name[at].is_ascii_digit() && begins && at + number(&name[at..]) == name.len()
        })?;
        let (before, version) = name.split_at(at);
        let counts = version.contains(&b'.') || version.len() == 8;
        counts.then_some(Named { before, version })
    }

    /// Whether `other` names the same in another version.
    fn is_another(&self, other: &Named<'_>) -> bool {
        let shape = |version: &[u8]| {
            let dots = version.iter().filter(|&&byte| byte == b'.').count();
            (dots, if dots == 0 { version.len() } else { 0 })
        };
        self.before == other.before
            && self.version != other.version
            && shape(self.version) == shape(other.version)
    }
}

/// What the things in `dir` whose name is `named` may be parts of, the likeliest first.
fn subjects(dir: &RootPath, named: &Named<'_>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let before = text(named.before);
    let before = before.trim_end_matches(['-', '_', '.']);
    if !before.is_empty() {
        return vec![before.to_owned()];
    }
    let above = dir.parent();
    let near = [dir.name(), above.as_ref().map(RootPath::name).unwrap_or_default()];
    let words = near.iter().flat_map(|name| {
        let name = text(name);
        let parts: Vec<String> = name.split(['-', '_']).map(str::to_owned).collect();
        std::iter::once(name).chain(parts)
    });
    // Perl's own directories are called `perl` and `perl5`.
    let words = words.map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
    words.filter(|word| word.len() > 1 && !ANY.contains(&word.as_str())).collect()
}

/// What a version of the old system is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Today {
    /// What it is a version of.
    pub(super) subject: String,
    /// The versions that are there instead.
    pub(super) versions: BTreeSet<Vec<u8>>,
}

/// The versions of the old system's packages that the new one has not, with those of today.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// By subject and old version.
    gone: BTreeMap<(String, Vec<u8>), BTreeSet<Vec<u8>>>,
}

impl Versions {
    /// Compares the systems for versions that stand in `wanted`.
    pub(super) fn compare(
        question: &Question<'_>,
        wanted: &BTreeSet<Vec<u8>>,
    ) -> Result<Versions, TreeError> {
        let own: BTreeSet<&RootPath> = question.kept.iter().map(|kept| &kept.was).collect();
        let ours: BTreeSet<&RootPath> = question.kept.iter().map(|kept| &kept.path).collect();
        let mut gone = BTreeMap::new();
        let mut stays = BTreeSet::new();
        if wanted.is_empty() {
            return Ok(Versions::default());
        }
        for entry in question.old.walk() {
            let path = entry?.path;
            let Some(named) = Named::read(path.name()) else { continue };
            let is_apart = OWN.iter().any(|dir| path.is_within(dir));
            if is_apart
                || !wanted.contains(named.version)
                || !has_others(question.old, &path, &own, MOST_DEPTH)?
            {
                continue;
            }
            let Some(dir) = path.parent() else { continue };
            let keys = subjects(&dir, &named).into_iter().map(|s| (s, named.version.to_vec()));
            if has_others(question.new, &path, &ours, MOST_DEPTH)? {
                stays.extend(keys);
                continue;
            }
            let all = list(question.new, &dir)?;
            let others = all.iter().filter(|entry| !ours.contains(&entry.path));
            let others = others.filter_map(|entry| Named::read(entry.path.name()));
            let others = others.filter(|other| named.is_another(other));
            let others: BTreeSet<Vec<u8>> = others.map(|other| other.version.to_vec()).collect();
            for key in keys.filter(|_| !others.is_empty()) {
                gone.entry(key).or_insert_with(BTreeSet::new).extend(others.iter().cloned());
            }
        }
        gone.retain(|key, _| !stays.contains(key));
        Ok(Versions { gone })
    }

    /// What `path` is in the new system, where it is named by a version that is gone.
    pub(super) fn today(&self, path: &RootPath) -> Option<Today> {
        let named = Named::read(path.name())?;
        subjects(&path.parent()?, &named).into_iter().find_map(|subject| {
            let key = (subject, named.version.to_vec());
            let versions = self.gone.get(&key)?.clone();
            Some(Today { subject: key.0, versions })
        })
    }
}

/// Whether `tree` has something at `path` that is not one of `ours`, in a directory at any depth.
fn has_others(
    tree: &dyn Tree,
    path: &RootPath,
    ours: &BTreeSet<&RootPath>,
    depth: usize,
) -> Result<bool, TreeError> {
    let Ok(Some(place)) = resolve(tree, path) else { return Ok(false) };
    let Some(entry) = tree.entry(&place)? else { return Ok(false) };
    let children = if entry.kind.is_dir() { tree.children(&place)? } else { vec![] };
    if children.is_empty() || depth == 0 {
        return Ok(!ours.contains(&place));
    }
    for child in children {
        let is_other = match child.kind.is_dir() {
            true => has_others(tree, &child.path, ours, depth - 1)?,
            false => !ours.contains(&child.path),
        };
        if is_other {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The path beside `path` that is named by another version.
pub(super) fn renamed(path: &RootPath, version: &[u8]) -> Option<RootPath> {
    let named = Named::read(path.name())?;
    Some(path.parent()?.child(&[named.before, version].concat()))
}

/// The versions that directories above the kept things are named by.
pub(super) fn of_kept(question: &Question<'_>) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for kept in question.kept {
        let names = kept.path.components().filter_map(Named::read);
        found.extend(names.map(|named| named.version.to_vec()));
        if found.len() > MOST {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_version_at_its_end_is_read() {
        let read = |name: &'static str| {
            let named = Named::read(name.as_bytes())?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((text(named.before), text(named.version)))
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("5.32.1"), pair("", "5.32.1"));
        assert_eq!(read("python3.9"), pair("python", "3.9"));
        assert_eq!(read("20190902"), pair("", "20190902"));
        assert_eq!(read("tool-1.2"), pair("tool-", "1.2"));
        for none in ["perl5", "13", "x86_64-linux-gnu", "lib.d", "1.2.so", "v1.2x", ""] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
