//! [`runtime_directories`]: the directories below `/run` that a whole system makes when it starts,
//! and that services rely on.

use std::collections::BTreeMap;

use crate::tree::{self, RootPath, Tree};

/// Where they are declared, the strongest place first.
const PLACES: &[RootPath] = &[
    RootPath::literal("/etc/tmpfiles.d"),
    RootPath::literal("/run/tmpfiles.d"),
    RootPath::literal("/usr/lib/tmpfiles.d"),
];

/// Larger than any such file.
const MAX_FILE: u64 = 1 << 18;

/// More than any system makes.
const MOST: usize = 256;

/// A directory that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) path: String,
    /// Four octal digits.
    pub(super) mode: String,
    /// `USER:GROUP`.
    pub(super) owner: String,
}

/// The directories of `tree`, parents first.
pub(super) fn runtime_directories(tree: &dyn Tree) -> Vec<Directory> {
    let mut files: BTreeMap<Vec<u8>, RootPath> = BTreeMap::new();
    for place in PLACES {
        for entry in tree::list(tree, place).unwrap_or_default() {
            let name = entry.path.name();
            if name.ends_with(b".conf") {
                files.entry(name.to_vec()).or_insert_with(|| place.child(name));
            }
        }
    }
    let lock = Directory {
        path: "/run/lock".to_owned(),
        mode: "1777".to_owned(),
        owner: "root:root".to_owned(),
    };
    let mut all = BTreeMap::from([(lock.path.clone(), lock)]);
    for file in files.values() {
        let place = tree::resolve(tree, file).ok().flatten();
        let text = place.and_then(|at| tree::read_file(tree, &at, MAX_FILE).ok().flatten());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        for directory in text.lines().filter_map(directory) {
            if all.len() < MOST {
                all.entry(directory.path.clone()).or_insert(directory);
            }
        }
    }
    all.into_values().collect()
}

/// The directory that a line asks for, if it is one below `/run`.
fn directory(line: &str) -> Option<Directory> {
    let mut words = line.split_whitespace();
    let kind = words.next()?.trim_end_matches(['!', '+', '-', '=', '~', '^', '$']);
    let path = words.next()?.trim_matches('"');
    let path = path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@+".contains(c);
    let safe = path.starts_with("/run/")
        && path.chars().all(plain)
        && !path.split('/').any(|part| part == "..");
    if !matches!(kind, "d" | "D") || !safe {
        return None;
    }
    let mut or = |other: &str| match words.next() {
        None | Some("-") => other.to_owned(),
        Some(word) => word.trim_start_matches([':', '~']).to_owned(),
    };
    let (mode, user, group) = (or("0755"), or("root"), or("root"));
    let octal = mode.bytes().all(|b| (b'0'..=b'7').contains(&b)) && (3..=4).contains(&mode.len());
    octal.then(|| Directory {
        path: path.trim_end_matches('/').to_owned(),
        mode,
        owner: format!("{user}:{group}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn directories_below_run_are_made_as_their_files_say() {
        let tree = MemoryTree::default()
            .file(
                "/usr/lib/tmpfiles.d/app.conf",
                "# comment\nd /run/app 0750 app web -\nD! /var/run/other\nd /var/lib/no 0755\n\
                 d /run/../etc 0755\nf /run/file 0644\nd /run/bad 9999\nd /run/a*b\n",
            )
            .file("/usr/lib/tmpfiles.d/x.conf", "d /run/x 0700 - -\n")
            .file("/etc/tmpfiles.d/x.conf", "d /run/own 0700 own\n");
        let told: Vec<String> = runtime_directories(&tree)
            .iter()
            .map(|made| format!("{} {} {}", made.path, made.mode, made.owner))
            .collect();
        assert_eq!(
            told,
            [
                "/run/app 0750 app:web",
                "/run/lock 1777 root:root",
                "/run/other 0755 root:root",
                "/run/own 0700 own:root",
            ]
        );
    }
}
