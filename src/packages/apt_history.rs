//! Packages that were installed from a file, as the logs of apt and dpkg tell.
//!
//! Whatever no repository gave, none gives again. Logs are cut, cleared and left out of images:
//! they prove that a package came from a file, never that it did not.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::records::lines;
use crate::tree::{self, RootPath, Tree};

/// A log of a system of ten years has a few MB.
const MAX_LOG: u64 = 64 << 20;

/// Where apt puts what it downloads; elsewhere are files that somebody had.
const DOWNLOADED: &[&str] = &["/var/cache/apt/archives/", "/tmp/apt-dpkg-install-", ".../"];

/// The packages that were installed from a file and not from a repository since.
pub(super) fn from_files(tree: &dyn Tree) -> BTreeSet<String> {
    let apt = const { RootPath::literal("/var/log/apt") };
    let log = const { RootPath::literal("/var/log") };
    let (history, terms) = (logs(tree, &apt, "history.log"), logs(tree, &apt, "term.log"));
    let mut found = BTreeSet::new();
    terms.iter().for_each(|text| unpacked(text, &mut found));
    let mut runs = vec![];
    history.iter().for_each(|text| ordered(text, &mut runs, &mut found));
    runs.sort_unstable();
    let mut beside_apt = BTreeSet::new();
    for text in logs(tree, &log, "dpkg.log") {
        beside(&text, &runs, &mut beside_apt);
    }
    found.append(&mut beside_apt);
    found
}

/// A log and its older parts, the oldest first.
fn logs(tree: &dyn Tree, dir: &RootPath, name: &str) -> Vec<Vec<u8>> {
    let older = (1..=12).rev().flat_map(|n| [format!("{name}.{n}.gz"), format!("{name}.{n}")]);
    let names = older.chain([name.to_owned()]);
    let read = |name: String| {
        let bytes = tree::read_file(tree, &dir.child(name.as_bytes()), MAX_LOG).ok().flatten()?;
        if !name.ends_with(".gz") {
            return Some(bytes);
        }
        let mut text = vec![];
        MultiGzDecoder::new(bytes.as_slice()).take(MAX_LOG).read_to_end(&mut text).ok()?;
        Some(text)
    };
    names.filter_map(read).collect()
}

/// The last that is known of a package counts.
fn note(found: &mut BTreeSet<String>, name: String, from_file: bool) {
    if from_file {
        found.insert(name);
    } else {
        found.remove(&name);
    }
}

/// `Preparing to unpack FILE ...`, then `Unpacking NAME[:ARCHITECTURE] (VERSION) ...`.
fn unpacked(text: &[u8], found: &mut BTreeSet<String>) {
    let mut from = None;
    for line in lines(text) {
        let line = String::from_utf8_lossy(line);
        if let Some(file) = line.strip_prefix("Preparing to unpack ") {
            from = Some(DOWNLOADED.iter().any(|place| file.starts_with(place)));
        } else if let (Some(rest), Some(downloaded)) = (line.strip_prefix("Unpacking "), from) {
            let name = rest.split([' ', ':']).next().unwrap_or_default().to_owned();
            note(found, name, !downloaded);
            from = None;
        }
    }
}

/// Runs of apt, from when to when, and what it was given as a file.
fn ordered(text: &[u8], runs: &mut Vec<(String, String)>, found: &mut BTreeSet<String>) {
    let mut start = None;
    for line in lines(text) {
        let line = String::from_utf8_lossy(line);
        if let Some(command) = line.strip_prefix("Commandline: ") {
            let files = command.split_whitespace().filter(|word| word.ends_with(".deb"));
            let names = files.filter_map(|file| file.rsplit('/').next()?.split_once('_'));
            found.extend(names.map(|(name, _)| name.to_owned()));
        } else if let Some(when) = line.strip_prefix("Start-Date: ") {
            start = Some(moment(when));
        } else if let (Some(when), Some(start)) = (line.strip_prefix("End-Date: "), start.take()) {
            runs.push((start, moment(when)));
        }
    }
}

/// `2023-01-05  12:00:00`, with one space.
fn moment(text: &str) -> String {
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// What dpkg installed while apt, which is known to have run before, did not run; `runs` are in
/// order.
fn beside(text: &[u8], runs: &[(String, String)], found: &mut BTreeSet<String>) {
    for line in lines(text) {
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.split_whitespace().take(4).collect();
        let &[day, time, "install" | "upgrade", name] = words.as_slice() else { continue };
        let when = format!("{day} {time}");
        let name = name.split(':').next().unwrap_or_default().to_owned();
        let started = runs.partition_point(|(start, _)| *start <= when);
        let Some((_, end)) = started.checked_sub(1).and_then(|at| runs.get(at)) else { continue };
        note(found, name, when > *end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn found(tree: &MemoryTree) -> Vec<String> {
        from_files(tree).into_iter().collect()
    }

    #[test]
    fn what_apt_unpacked_from_elsewhere_than_its_own_place_came_from_a_file() {
        let term = "Preparing to unpack .../0-tool_1_all.deb ...\nUnpacking tool (1) ...\n\
                    Preparing to unpack /root/vendor_2_amd64.deb ...\nUnpacking vendor:amd64 (2) ...\n\
                    Preparing to unpack /x/back_1_all.deb ...\nUnpacking back (1) ...\n\
                    Preparing to unpack .../back_2_all.deb ...\nUnpacking back (2) over (1) ...\n";
        assert_eq!(found(&MemoryTree::default().file("/var/log/apt/term.log", term)), ["vendor"]);
    }

    #[test]
    fn what_was_installed_while_apt_did_not_run_came_from_a_file() {
        let history = "Start-Date: 2023-01-05  12:00:00\nCommandline: apt-get install nginx ./own_1.deb\n\
                       End-Date: 2023-01-05  12:00:09\n";
        let dpkg = "2023-01-04 10:00:00 install base:amd64 <none> 1\n\
                    2023-01-05 12:00:03 install nginx:amd64 <none> 1\n\
                    2023-01-05 12:05:00 install tool:all <none> 1\n\
                    2023-01-05 12:05:00 status installed nginx:amd64 1\n";
        let tree = MemoryTree::default().file("/var/log/dpkg.log", dpkg);
        assert!(found(&tree).is_empty());
        assert_eq!(found(&tree.file("/var/log/apt/history.log", history)), ["own", "tool"]);
    }
}
