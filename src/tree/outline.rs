//! [`outline`]: where in a tree most of some paths lie, in few lines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::path::{escaped, parent_of};

/// Paths in one directory, and in those below it that have no line of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectoryTotal {
    /// The directory, escaped.
    pub path: String,
    /// Paths that are no directories.
    pub files: u64,
    /// Sizes of regular files among them.
    pub bytes: u64,
}

/// How many paths there are, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    files: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.files += other.files;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Its share of `all`, in thousandths: of the paths and of the bytes together.
    fn share(self, all: Sum) -> u128 {
        let part = |part: u64, all: u64| u128::from(part) * 1000 / u128::from(all.max(1));
        part(self.files, all.files) + part(self.bytes, all.bytes)
    }
}

/// A directory less than this, in thousandths of all paths and of all bytes together, is not taken
/// apart.
const SMALL: u128 = 100;

/// A directory with what lies in it.
#[derive(Default)]
struct Directory<'a> {
    own: Sum,
    all: Sum,
    below: Vec<&'a [u8]>,
}

/// A line of the outline while it is made.
struct Line<'a> {
    path: &'a [u8],
    sum: Sum,
    /// It cannot be taken apart, or not in the lines that there are.
    done: bool,
}

/// The directories that `paths` lie in, each path with its size, in `most` lines at most: where
/// there is most, down to where it is.
pub(crate) fn outline<'a>(
    paths: impl Iterator<Item = (&'a [u8], u64)>,
    most: usize,
) -> Vec<DirectoryTotal> {
    let directories = directories(paths);
    let root: &[u8] = b"/";
    let Some(all) = directories.get(root).map(|root| root.all) else { return vec![] };
    let mut lines = vec![Line { path: root, sum: all, done: false }];
    while let Some(next) = largest(&lines, all) {
        let Some(directory) = directories.get(lines[next].path) else { break };
        let own = (directory.own.files > 0).then_some(Line {
            path: lines[next].path,
            sum: directory.own,
            done: true,
        });
        let below = directory.below.iter().map(|path| Line {
            path,
            sum: directories.get(path).map(|found| found.all).unwrap_or_default(),
            done: false,
        });
        let parts: Vec<Line> = own.into_iter().chain(below).collect();
        let leaf = directory.below.is_empty();
        if leaf || lines.len() - 1 + parts.len() > most {
            lines[next].done = true;
        } else {
            lines.splice(next..=next, parts);
        }
    }
    let total = |line: Line| DirectoryTotal {
        path: escaped(line.path),
        files: line.sum.files,
        bytes: line.sum.bytes,
    };
    lines.into_iter().map(total).collect()
}

/// The line to be taken apart next.
fn largest(lines: &[Line], all: Sum) -> Option<usize> {
    let shares = lines.iter().enumerate().filter(|(_, line)| !line.done);
    let shares = shares.map(|(at, line)| (line.sum.share(all), at));
    shares
        .filter(|(share, _)| *share >= SMALL)
        .max_by_key(|(share, at)| (*share, usize::MAX - at))
        .map(|(_, at)| at)
}

/// Every directory on the way to one of `paths`.
fn directories<'a>(
    paths: impl Iterator<Item = (&'a [u8], u64)>,
) -> BTreeMap<&'a [u8], Directory<'a>> {
    let mut found: BTreeMap<&[u8], Directory> = BTreeMap::new();
    for (path, bytes) in paths {
        let parent = parent_of(path).unwrap_or(b"/");
        found.entry(parent).or_default().own.add(Sum { files: 1, bytes });
    }
    let own: Vec<(&[u8], Sum)> = found.iter().map(|(path, dir)| (*path, dir.own)).collect();
    for (path, sum) in own {
        found.entry(path).or_default().all.add(sum);
        let mut at = path;
        while let Some(parent) = parent_of(at) {
            found.entry(parent).or_default().all.add(sum);
            at = parent;
        }
    }
    let paths: Vec<&[u8]> = found.keys().copied().collect();
    for path in paths {
        if let Some(parent) = parent_of(path).and_then(|parent| found.get_mut(parent)) {
            parent.below.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(paths: &[(&str, u64)], most: usize) -> Vec<String> {
        let paths = paths.iter().map(|(path, bytes)| (path.as_bytes(), *bytes));
        let line = |d: DirectoryTotal| format!("{} {} {}", d.path, d.files, d.bytes);
        outline(paths, most).into_iter().map(line).collect()
    }

    #[test]
    fn a_directory_that_only_leads_to_another_has_no_line() {
        assert_eq!(lines(&[("/srv/www/a", 1), ("/srv/www/b", 2)], 9), ["/srv/www 2 3"]);
        assert!(lines(&[], 9).is_empty());
    }

    #[test]
    fn the_largest_is_taken_apart_as_long_as_there_are_lines() {
        let paths = [
            ("/etc/a", 1),
            ("/etc/x/b", 1),
            ("/srv/a/1", 500),
            ("/srv/b/1", 100),
            ("/srv/b/2", 1),
            ("/srv/top", 1),
        ];
        assert_eq!(lines(&paths, 1), ["/ 6 604"]);
        assert_eq!(lines(&paths, 2), ["/etc 2 2", "/srv 4 602"]);
        let expected = ["/etc 2 2", "/srv 1 1", "/srv/a 1 500", "/srv/b 2 101"];
        assert_eq!(lines(&paths, 4), expected);
    }

    #[test]
    fn every_path_is_counted_once_however_few_lines_there_are() {
        let names: Vec<String> = (0..500).map(|n| format!("/d{}/e{n}/f", n % 7)).collect();
        for most in [1, 3, 8, 20, 900] {
            let found = outline(names.iter().map(|name| (name.as_bytes(), 2)), most);
            assert!(found.len() <= most);
            assert_eq!(found.iter().map(|line| line.files).sum::<u64>(), 500);
            assert_eq!(found.iter().map(|line| line.bytes).sum::<u64>(), 1000);
        }
    }
}
