//! dpkg's `path-exclude` and `path-include`: what it was told not to unpack.
//!
//! Slim images leave documentation and translations out this way. Their lists still name the
//! files, so without the filters every one of them would look deleted by the user.

use super::super::glob::matches;
use super::super::problem::Problem;
use super::super::records::{MAX_TABLE, Records, lines};
use crate::tree::RootPath;

/// Bounds the work per path; real configurations have about ten.
const MAX_FILTERS: usize = 512;
const MAX_PATTERN: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Exclude,
    Include,
}

/// What a path is, as far as a filter asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    /// A directory or a link, which may lead to one: needed for what an include brings back
    /// below it.
    Way,
    /// A regular file.
    File,
}

/// The filters in the order dpkg reads them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filters(Vec<(Act, Vec<u8>)>);

impl Filters {
    /// Reads them from the tree's configuration of dpkg: first the files of `dpkg.cfg.d`, by
    /// name, then `dpkg.cfg`.
    pub(super) fn load(records: &mut Records<'_>) -> Filters {
        let dir = const { RootPath::literal("/etc/dpkg/dpkg.cfg.d") };
        let mut files: Vec<RootPath> = records
            .list(&dir)
            .iter()
            .map(|entry| entry.path.name())
            .filter(|name| name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)))
            .map(|name| dir.child(name))
            .collect();
        files.sort();
        files.push(const { RootPath::literal("/etc/dpkg/dpkg.cfg") });
        let mut filters = Filters::default();
        for file in files {
            let Some(bytes) = records.read(&file, MAX_TABLE) else { continue };
            for filter in lines(&bytes).filter_map(filter) {
                if filters.0.len() == MAX_FILTERS || filter.1.len() > MAX_PATTERN {
                    records.problems.note(Problem::TooMany { file, limit: MAX_FILTERS });
                    return filters;
                }
                filters.0.push(filter);
            }
        }
        filters
    }

    /// Whether dpkg leaves `path`, as a package names it, out: the last match decides.
    pub(super) fn exclude(&self, path: &RootPath, node: Node) -> bool {
        let path = path.as_bytes();
        let mut matching = self.0.iter().rev().filter(|(_, pattern)| matches(pattern, path));
        let excluded = matching.next().is_some_and(|(act, _)| *act == Act::Exclude);
        excluded && !(node == Node::Way && self.include_below(path))
    }

    /// Whether an include may bring something back below the directory `dir`.
    fn include_below(&self, dir: &[u8]) -> bool {
        let includes = self.0.iter().filter(|(act, _)| *act == Act::Include);
        includes.map(|(_, pattern)| pattern).any(|pattern| {
            let wild = pattern.iter().position(|b| b"*?[\\".contains(b)).unwrap_or(pattern.len());
            let fixed = &pattern[..wild];
            let fixed = &fixed[..fixed.iter().rposition(|&b| b != b'/').map_or(0, |at| at + 1)];
            dir.starts_with(fixed) || fixed.starts_with(dir)
        })
    }
}

/// `path-exclude=PATTERN`, with blanks or one `=` or both between, and quotes around or not.
fn filter(line: &[u8]) -> Option<(Act, Vec<u8>)> {
    let line = line.trim_ascii();
    let (act, rest) = match line.strip_prefix(b"path-exclude") {
        Some(rest) => (Act::Exclude, rest),
        None => (Act::Include, line.strip_prefix(b"path-include")?),
    };
    let value = rest.trim_ascii_start();
    let value = value.strip_prefix(b"=").unwrap_or(value);
    if value.len() == rest.len() {
        return None; // another option that begins the same
    }
    let value = value.trim_ascii();
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let pattern = quoted.unwrap_or(value);
    (!pattern.is_empty()).then(|| (act, pattern.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_match_decides_and_directories_of_an_include_are_kept() {
        let tree = MemoryTree::default()
            .file("/etc/dpkg/dpkg.cfg", "#path-exclude=/x\nno-debsig\npath-include /keep/me\n")
            .file(
                "/etc/dpkg/dpkg.cfg.d/docker",
                "path-exclude=/usr/share/doc/*\n path-include = \"/usr/share/doc/*/copyright\"\n\
                 path-exclude /keep/*\npath-excluded=/no\n",
            )
            .file("/etc/dpkg/dpkg.cfg.d/ignored.bak", "path-exclude=*\n");
        let mut records = Records::new(&tree);
        let filters = Filters::load(&mut records);
        assert_eq!(filters.0.len(), 4);
        let exclude = |text, node| filters.exclude(&path(text), node);
        assert!(exclude("/usr/share/doc/bash/README", Node::File));
        assert!(!exclude("/usr/share/doc/bash/copyright", Node::File));
        assert!(!exclude("/usr/share/doc/bash", Node::Way));
        assert!(!exclude("/usr/share/doc", Node::Way));
        assert!(!exclude("/keep/me", Node::File));
        assert!(exclude("/keep/you", Node::File));
        assert!(!exclude("/x", Node::File));
        assert_eq!(records.problems.finish(), []);
    }
}
