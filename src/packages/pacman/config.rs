//! What `pacman.conf` says about files and packages: what is not unpacked, not replaced, not
//! upgraded, and where the database is.

use super::super::glob;
use super::super::problem::{BadLines, LineFault, Problem};
use super::super::records::{Records, lines, recorded_path};
use crate::tree::RootPath;

const MAX_FILE: u64 = 16 << 20;
/// Real configurations include a list of mirrors per repository.
const MAX_FILES: usize = 64;
/// Bounds the work per path; real configurations have about ten.
const MAX_PATTERNS: usize = 512;
const MAX_PATTERN: usize = 1024;

/// Patterns in their order; a later one overrides those before it, and one with `!` takes back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Patterns(Vec<Vec<u8>>);

impl Patterns {
    /// Whether they take in `name`.
    pub(super) fn match_name(&self, name: &[u8]) -> bool {
        let matching = self.0.iter().rev().find_map(|pattern| match pattern.as_slice() {
            [b'!', pattern @ ..] => glob::matches(pattern, name).then_some(false),
            pattern => glob::matches(pattern, name).then_some(true),
        });
        matching.unwrap_or(false)
    }
}

/// The options that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The directory of the database.
    pub(super) database: RootPath,
    pub(super) no_extract: Patterns,
    pub(super) no_upgrade: Patterns,
    pub(super) ignored_packages: Patterns,
    pub(super) ignored_groups: Patterns,
}

impl Config {
    /// Reads them from the tree's `/etc/pacman.conf` and what it includes.
    pub(super) fn load(records: &mut Records<'_>) -> Config {
        let mut config = Config {
            database: const { RootPath::literal("/var/lib/pacman") },
            no_extract: Patterns::default(),
            no_upgrade: Patterns::default(),
            ignored_packages: Patterns::default(),
            ignored_groups: Patterns::default(),
        };
        let main = const { RootPath::literal("/etc/pacman.conf") };
        // What is still to be read, the next last; an included file goes on in its section.
        let mut pending = vec![(main.clone(), false)];
        let mut read = 0;
        while let Some((file, in_options)) = pending.pop() {
            read += 1;
            if read > MAX_FILES {
                let (file, limit) = (main, MAX_FILES);
                records.problems.note(Problem::TooMany { file, limit });
                break;
            }
            let Some(bytes) = records.read(&file, MAX_FILE) else { continue };
            config.take(records, &file, &bytes, in_options, &mut pending);
        }
        config
    }

    fn take(
        &mut self,
        records: &mut Records<'_>,
        file: &RootPath,
        bytes: &[u8],
        mut in_options: bool,
        pending: &mut Vec<(RootPath, bool)>,
    ) {
        let mut bad = BadLines::default();
        let mut included = vec![];
        for (index, line) in lines(bytes).enumerate() {
            let line = line.trim_ascii();
            if let Some(section) = line.strip_prefix(b"[").and_then(|l| l.strip_suffix(b"]")) {
                in_options = section == b"options";
            }
            let Some(equals) = line.iter().position(|&b| b == b'=') else { continue };
            let (key, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
            let done = match key {
                _ if !in_options => Ok(()),
                b"NoExtract" => add(&mut self.no_extract, value),
                b"NoUpgrade" => add(&mut self.no_upgrade, value),
                b"IgnorePkg" => add(&mut self.ignored_packages, value),
                b"IgnoreGroup" => add(&mut self.ignored_groups, value),
                b"DBPath" => recorded_path(value).map(|path| self.database = path),
                b"Include" => recorded_path(value).map(|path| {
                    included.extend(expanded(records, &path).into_iter().map(|f| (f, true)));
                }),
                _ => Ok(()),
            };
            if let Err(fault) = done {
                bad.note(index, fault);
            }
        }
        bad.finish(file, &mut records.problems);
        // One too many is enough to say so.
        included.truncate(MAX_FILES + 1);
        pending.extend(included.into_iter().rev());
        pending.truncate(2 * MAX_FILES);
    }
}

fn add(patterns: &mut Patterns, value: &[u8]) -> Result<(), LineFault> {
    for pattern in value.split(u8::is_ascii_whitespace).filter(|pattern| !pattern.is_empty()) {
        if pattern.len() > MAX_PATTERN {
            return Err(LineFault::TooLong);
        }
        if patterns.0.len() == MAX_PATTERNS {
            return Err(LineFault::TooMany);
        }
        patterns.0.push(pattern.to_vec());
    }
    Ok(())
}

/// The files that `path` names; its last component may be a pattern.
fn expanded(records: &mut Records<'_>, path: &RootPath) -> Vec<RootPath> {
    let (Some(dir), pattern) = (path.parent(), path.name()) else { return vec![] };
    if !pattern.iter().any(|b| b"*?[\\".contains(b)) {
        return vec![path.clone()];
    }
    let entries = records.list(&dir);
    let names = entries.iter().map(|entry| entry.path.name());
    let matching = names.filter(|name| !name.starts_with(b".") && glob::matches(pattern, name));
    let mut files: Vec<RootPath> = matching.map(|name| dir.child(name)).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn options_are_read_from_their_section_and_what_it_includes() {
        let tree = MemoryTree::default()
            .file(
                "/etc/pacman.conf",
                "NoExtract = a\n[options]\n#NoExtract = b\nNoExtract = usr/share/locale/* !usr/share/locale/de/*\n\
                 NoExtract=usr/share/man/*\nNoUpgrade = etc/passwd\nInclude = /etc/pacman.d/*.conf\n\
                 DBPath = /srv/db/\n[core]\nInclude = /etc/pacman.d/no\nNoUpgrade = etc/group\n",
            )
            .file("/etc/pacman.d/b.conf", "IgnorePkg = linux*\nDBPath = ../x\n")
            .file("/etc/pacman.d/a.conf", "IgnoreGroup = base-devel\n[core]\nIgnorePkg = x\n")
            .file("/etc/pacman.d/.c.conf", "IgnorePkg = y\n")
            .file("/etc/pacman.d/no", "[options]\nIgnorePkg = z\n");
        let mut records = Records::new(&tree);
        let config = Config::load(&mut records);
        let globs = |all: &[&str]| Patterns(all.iter().map(|p| p.as_bytes().to_vec()).collect());
        let no_extract = ["usr/share/locale/*", "!usr/share/locale/de/*", "usr/share/man/*"];
        let expected = Config {
            database: const { RootPath::literal("/srv/db") },
            no_extract: globs(&no_extract),
            no_upgrade: globs(&["etc/passwd"]),
            ignored_packages: globs(&["linux*"]),
            ignored_groups: globs(&["base-devel"]),
        };
        assert_eq!(config, expected);
        assert!(config.no_extract.match_name(b"usr/share/locale/fr/x"));
        assert!(!config.no_extract.match_name(b"usr/share/locale/de/x"));
        assert!(!config.no_extract.match_name(b"usr/share/locale"));
        let problems = records.problems.finish();
        assert!(matches!(&problems[..], [Problem::Lines { first: 2, .. }]), "{problems:?}");
    }

    #[test]
    fn more_patterns_than_any_system_has_are_left_out() {
        let long = "x".repeat(MAX_PATTERN + 1);
        let many = "NoExtract = a b\n".repeat(MAX_PATTERNS);
        let text = format!("[options]\n{many}NoUpgrade = {long}\n");
        let tree = MemoryTree::default().file("/etc/pacman.conf", text);
        let mut records = Records::new(&tree);
        let config = Config::load(&mut records);
        assert_eq!((config.no_extract.0.len(), config.no_upgrade.0.len()), (MAX_PATTERNS, 0));
        let (file, fault) = (const { RootPath::literal("/etc/pacman.conf") }, LineFault::TooMany);
        let count = MAX_PATTERNS / 2 + 1;
        let problem = Problem::Lines { file, count, first: count + 1, fault };
        assert_eq!(records.problems.finish(), [problem]);
    }

    #[test]
    fn files_that_include_each_other_come_to_an_end() {
        let many = "Include = /etc/pacman.conf\n".repeat(10_000);
        let tree = MemoryTree::default().file("/etc/pacman.conf", format!("[options]\n{many}"));
        let mut records = Records::new(&tree);
        Config::load(&mut records);
        let problem = Problem::TooMany {
            file: const { RootPath::literal("/etc/pacman.conf") },
            limit: MAX_FILES,
        };
        assert_eq!(records.problems.finish(), [problem]);
    }
}
