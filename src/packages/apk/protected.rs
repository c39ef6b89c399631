//! The paths that apk does not overwrite once they are changed: its configuration files.
//!
//! A package does not say which of its files are configuration; the system says where it lies.

use super::super::glob;
use super::super::problem::Problem;
use super::super::records::{MAX_TABLE, Records, lines};
use crate::tree::RootPath;

/// Bounds the work per path; real systems have about ten.
const MAX_RULES: usize = 100;
const MAX_PATTERN: usize = 1024;

/// What apk itself begins with.
const BUILT_IN: &[u8] = b"+etc\n@etc/init.d\n!etc/apk\n";

/// How apk treats a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// It is the package's.
    None,
    /// It stays when it was changed.
    Changed,
    /// It stays when it is a symlink that was changed.
    SymlinksOnly,
    /// It stays.
    Always,
}

/// The rules in the order apk reads them: a pattern per component.
#[derive(Debug, Default)]
pub(super) struct Protected(Vec<(Protection, Vec<Vec<u8>>)>);

impl Protected {
    /// Reads the tree's rules behind the built-in ones.
    pub(super) fn load(records: &mut Records<'_>) -> Protected {
        let mut protected = Protected(lines(BUILT_IN).filter_map(rule).collect());
        let dir = const { RootPath::literal("/etc/apk/protected_paths.d") };
        let mut files: Vec<RootPath> = records
            .list(&dir)
            .iter()
            .map(|entry| entry.path.name())
            .filter(|name| name.ends_with(b".list") && !name.starts_with(b"."))
            .map(|name| dir.child(name))
            .collect();
        files.sort();
        for file in files {
            let Some(bytes) = records.read(&file, MAX_TABLE) else { continue };
            for line in lines(&bytes) {
                let Some(rule) = rule(line) else { continue };
                if protected.0.len() == MAX_RULES || line.len() > MAX_PATTERN {
                    records.problems.note(Problem::TooMany { file, limit: MAX_RULES });
                    return protected;
                }
                protected.0.push(rule);
            }
        }
        protected
    }

    /// How `path` is treated. A rule for a directory goes for all below it; one for what lies
    /// deeper counts more, of several for the same the last.
    pub(super) fn of(&self, path: &RootPath) -> Protection {
        let components: Vec<&[u8]> = path.components().collect();
        let matching = self.0.iter().filter(|(_, pattern)| {
            let mut pairs = pattern.iter().zip(&components);
            pattern.len() <= components.len() && pairs.all(|(p, name)| glob::matches(p, name))
        });
        // The last of the longest.
        matching.max_by_key(|(_, pattern)| pattern.len()).map_or(Protection::None, |rule| rule.0)
    }
}

fn rule(line: &[u8]) -> Option<(Protection, Vec<Vec<u8>>)> {
    let (protection, pattern) = match line {
        [] | [b'#', ..] => return None,
        [b'-', rest @ ..] => (Protection::None, rest),
        [b'+', rest @ ..] => (Protection::Changed, rest),
        [b'@', rest @ ..] => (Protection::SymlinksOnly, rest),
        [b'!', rest @ ..] => (Protection::Always, rest),
        _ => (Protection::Changed, line),
    };
    let parts = pattern.split(|&b| b == b'/').filter(|part| !part.is_empty());
    let pattern: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    (!pattern.is_empty()).then_some((protection, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn the_deepest_rule_counts_and_of_those_the_last() {
        let tree = MemoryTree::default()
            .file("/etc/apk/protected_paths.d/b.list", "# -etc\n\n-etc/ssl/certs/ca-cert-*.pem\n")
            .file(
                "/etc/apk/protected_paths.d/a.list",
                "+etc/ssl/certs/*\n/srv/www/\n-srv/www/x\n@\n",
            )
            .file("/etc/apk/protected_paths.d/c.list", "-srv\n")
            .file("/etc/apk/protected_paths.d/c.list.bak", "-etc\n")
            .file("/etc/apk/protected_paths.d/.d.list", "-etc\n");
        let mut records = Records::new(&tree);
        let protected = Protected::load(&mut records);
        for (path, expected) in [
            ("/etc", Protection::Changed),
            ("/etc/demo.conf", Protection::Changed),
            ("/etc/init.d/demo", Protection::SymlinksOnly),
            ("/etc/init.d-x/demo", Protection::Changed),
            ("/etc/apk/world", Protection::Always),
            ("/etc/ssl/certs/ca-cert-a.pem", Protection::None),
            ("/etc/ssl/certs/mine.pem", Protection::Changed),
            ("/etc2", Protection::None),
            ("/srv/www/index", Protection::Changed),
            ("/srv/www/x/y", Protection::None),
            ("/srv", Protection::None),
            ("/", Protection::None),
        ] {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            assert_eq!(protected.of(&path), expected, "{path}");
        }
        assert_eq!(records.problems.finish(), []);
    }

    #[test]
    fn more_rules_than_any_system_has_are_left_out() {
        let file = "/etc/apk/protected_paths.d/a.list";
        let tree = MemoryTree::default().file(file, "-etc/*\n".repeat(MAX_RULES));
        let mut records = Records::new(&tree);
        assert_eq!(Protected::load(&mut records).0.len(), MAX_RULES);
        let file = RootPath::parse(file.as_bytes()).unwrap();
        let problem = Problem::TooMany { file, limit: MAX_RULES };
        assert_eq!(records.problems.finish(), [problem]);
    }
}
