//! [`Mentions`]: which paths the files of packages name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::init::Scope;
use crate::packages::Installed;
use crate::restore::packages::in_use;
use crate::tree::{Draft, DraftContent, RootPath, Store, Tree, TreeError, list, read_file};

/// Larger files are no programs that read configuration, or nobody can tell.
const MAX_FILE: u64 = 32 << 20;

/// Longer than any configuration that people write.
const MAX_TEXT: u64 = 4 << 20;

/// How much is looked through at all.
const MAX_ALL: u64 = 512 << 20;

/// What is written for people.
const PROSE: &[&[u8]] = &[
    b"/usr/share/doc/",
    b"/usr/share/man/",
    b"/usr/share/info/",
    b"/usr/share/locale/",
    b"/usr/share/lintian/",
];

/// Where lines that begin with a hash are comments.
const CONFIGURATION: &[u8] = b"/etc/";

/// Paths that packages name.
#[derive(Debug, Default)]
pub(in crate::restore) struct Mentions(BTreeSet<RootPath>);

impl Mentions {
    /// Looks for each path in the files of its packages: for its name, or for all files of its
    /// directory (`DIRECTORY/*`).
    pub(in crate::restore) fn of<'a>(
        wanted: impl Iterator<Item = (&'a RootPath, &'a BTreeSet<String>)>,
        installed: &Installed,
        target: &dyn Tree,
    ) -> Result<Mentions, TreeError> {
        let mut by_package: BTreeMap<&str, Vec<&RootPath>> = BTreeMap::new();
        for (path, packages) in wanted {
            for package in packages {
                by_package.entry(package).or_default().push(path);
            }
        }
        let mut found = BTreeSet::new();
        if by_package.is_empty() {
            return Ok(Mentions(found));
        }
        let mut left = MAX_ALL;
        for file in installed.unpacked() {
            if PROSE.iter().any(|dir| file.as_bytes().starts_with(dir)) {
                continue;
            }
            let owners = installed.claims(&file).filter_map(|claim| by_package.get(claim.package));
            let paths: BTreeSet<&RootPath> =
                owners.flatten().copied().filter(|path| !found.contains(*path)).collect();
            if paths.is_empty() {
                continue;
            }
            let size = target.entry(&file)?.filter(|entry| entry.kind.is_file());
            let size = size.map_or(0, |entry| entry.kind.size());
            if size == 0 || size > MAX_FILE {
                continue;
            }
            // A smaller one may fit still.
            let Some(rest) = left.checked_sub(size) else { continue };
            left = rest;
            // What cannot be read names nothing.
            let Ok(Some(text)) = read_file(target, &file, MAX_FILE) else { continue };
            let text = if has_comments(&file) { without_comments(&text) } else { text };
            found.extend(paths.into_iter().filter(|path| names(&text, path)).cloned());
        }
        Ok(Mentions(found))
    }

    /// Looks for each path in the archived configuration in `draft` too, other than itself.
    pub(in crate::restore) fn add_archived(
        &mut self,
        paths: &[&RootPath],
        draft: &Draft,
        store: &dyn Store,
    ) -> Result<(), TreeError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut left = MAX_ALL;
        for node in draft.nodes() {
            let (file, size) = (&node.entry.path, node.entry.kind.size());
            let DraftContent::Stored(id) = node.content else { continue };
            if !file.as_bytes().starts_with(CONFIGURATION) || size > MAX_TEXT {
                continue;
            }
            let Some(rest) = left.checked_sub(size) else { continue };
            left = rest;
            let failed = |e| TreeError::io("reading the archived", file, e);
            let mut text = vec![];
            let content = store.open(id).map_err(failed)?;
            content.take(MAX_TEXT).read_to_end(&mut text).map_err(failed)?;
            let text = without_comments(&text);
            let others = paths.iter().filter(|path| **path != file);
            self.0.extend(others.filter(|path| names(&text, path)).map(|path| (*path).clone()));
        }
        Ok(())
    }

    /// Looks for each path in the configuration of a system that stands, other than itself, as far
    /// as it `is_own`: what a package brought says no more than it did.
    pub(in crate::restore) fn add_standing(
        &mut self,
        paths: &[&RootPath],
        target: &dyn Tree,
        is_own: &dyn Fn(&RootPath) -> bool,
    ) -> Result<(), TreeError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut left = MAX_ALL;
        let mut waiting = list(target, &in_use::CONFIGURATION)?;
        while let Some(entry) = waiting.pop() {
            let (file, size) = (&entry.path, entry.kind.size());
            if entry.kind.is_dir() {
                waiting.extend(target.children(file)?);
            }
            if !entry.kind.is_file() || size > MAX_TEXT || !is_own(file) {
                continue;
            }
            let Some(rest) = left.checked_sub(size) else { continue };
            left = rest;
            let Ok(Some(text)) = read_file(target, file, MAX_TEXT) else { continue };
            let text = without_comments(&text);
            let others = paths.iter().filter(|path| **path != file);
            self.0.extend(others.filter(|path| names(&text, path)).map(|path| (*path).clone()));
        }
        Ok(())
    }

    /// Whether a package of the path, or archived configuration, names it.
    pub(in crate::restore) fn names(&self, path: &RootPath) -> bool {
        self.0.contains(path)
    }
}

fn has_comments(file: &RootPath) -> bool {
    let unit = |scope: &Scope| scope.packaged().iter().any(|dir| file.is_within(dir));
    file.as_bytes().starts_with(CONFIGURATION) || Scope::ALL.iter().any(unit)
}

fn without_comments(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&b| b == b'\n');
    let meant = lines.filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    meant.flat_map(|line| [line, b"\n"]).flatten().copied().collect()
}

/// Whether `text` names `path`, or all that is in its directory.
fn names(text: &[u8], path: &RootPath) -> bool {
    let goes_on = |b: &u8| b.is_ascii_alphanumeric() || b"_-./".contains(b);
    let whole = finds(text, path.as_bytes()).any(|end| !text.get(end).is_some_and(goes_on));
    let dir = path.parent_bytes().filter(|dir| dir.len() > CONFIGURATION.len());
    let all = dir.map(|dir| [dir, b"/*"].concat());
    whole || all.is_some_and(|all| finds(text, &all).next().is_some())
}

/// Where `needle` ends in `text`.
fn finds<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let first = *needle.first()?;
            at += text.get(at..)?.iter().position(|&b| b == first)?;
            let here = at;
            at += 1;
            if text[here..].starts_with(needle) {
                return Some(here + needle.len());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Kind;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// Whether the package `app` with these files names `/etc/app/old.conf`.
    fn named(files: &[(&str, &str)]) -> bool {
        let status = "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        let list: String = files.iter().map(|(at, _)| format!("{at}\n")).collect();
        let tree = files.iter().fold(
            MemoryTree::default()
                .file("/var/lib/dpkg/status", status)
                .file("/var/lib/dpkg/info/app.list", list),
            |tree, (at, text)| tree.file(at, text),
        );
        let installed = Installed::load(&tree).unwrap();
        let (at, packages) = (path("/etc/app/old.conf"), BTreeSet::from(["app".to_owned()]));
        let wanted = std::iter::once((&at, &packages));
        Mentions::of(wanted, &installed, &tree).unwrap().names(&at)
    }

    #[test]
    fn a_path_is_named_by_a_program_a_setting_or_with_its_directory() {
        assert!(named(&[("/usr/bin/app", "\0\x01/etc/app/old.conf\0")]));
        assert!(named(&[("/etc/app/app.conf", "include /etc/app/old.conf\n")]));
        assert!(named(&[("/etc/app/app.conf", "include /etc/app/*.conf\n")]));
    }

    #[test]
    fn comments_documents_and_other_paths_name_nothing() {
        assert!(!named(&[("/etc/app/app.conf", "# was /etc/app/old.conf\n")]));
        assert!(!named(&[("/usr/share/doc/app/NEWS", "/etc/app/old.conf\n")]));
        assert!(!named(&[("/usr/bin/app", "/etc/app/old.conf.d")]));
        assert!(!named(&[("/usr/bin/app", "/etc/app")]));
    }

    #[test]
    fn what_is_too_much_to_look_at_keeps_nothing_else_from_being_looked_at() {
        // Listed after what names the file, and looked at before it.
        let sizes = std::iter::repeat_n(MAX_TEXT, 127).chain([MAX_TEXT - 512, MAX_TEXT]);
        let tree = sizes.enumerate().fold(
            MemoryTree::default().file("/etc/a", "/etc/app/old.conf\n"),
            |tree, (n, size)| tree.node(format!("/etc/b{:03}", 200 - n), Kind::File { size }),
        );
        let (mut mentions, at) = (Mentions::default(), path("/etc/app/old.conf"));
        mentions.add_standing(&[&at], &tree, &|_| true).unwrap();
        assert!(mentions.names(&at));
    }
}
