//! Why a package was installed. rpm itself does not know: dnf does, 5 in `packages.toml` and 4 in
//! its history. Other programs' records (yum, zypper) are not read.
//!
//! `packages.toml` is written by a program and only in these two ways:
//!
//! ```text
//! [packages]
//! "name.arch" = {reason="Dependency"}
//! ```
//! or
//! ```text
//! [packages."name.arch"]
//! reason = "Dependency"
//! ```

use std::collections::HashSet;

use super::history;
use super::package::RpmPackage;

use crate::packages::records::{MAX_TABLE, Records, lines};
use crate::tree::RootPath;

/// Where dnf 5 keeps the state of the system.
const FILE: RootPath = RootPath::literal("/usr/lib/sysimage/libdnf5/packages.toml");

/// The reasons that mean that no person asked.
const AUTO: [&[u8]; 2] = [b"Dependency", b"Weak Dependency"];

/// Sets [`RpmPackage::auto`] where the tree says so.
pub(super) fn mark(records: &mut Records<'_>, packages: &mut [RpmPackage]) {
    let auto = match records.read(&FILE, MAX_TABLE) {
        Some(table) => parse(&table),
        None => history::auto(records),
    };
    for package in packages {
        package.auto = auto.contains(&format!("{}.{}", package.name, package.arch));
    }
}

/// Name and architecture, joined by a dot, of every package that came for another one.
fn parse(table: &[u8]) -> HashSet<String> {
    let mut auto = HashSet::new();
    let mut section: Option<&[u8]> = None;
    for line in lines(table).map(<[u8]>::trim_ascii) {
        if line.starts_with(b"[") {
            section = line.strip_prefix(b"[packages.").and_then(|rest| quoted(rest)).map(|q| q.0);
            continue;
        }
        let (name, value) = match (quoted(line), section) {
            (Some(pair), _) => pair,
            (None, Some(name)) => (name, line),
            (None, None) => continue,
        };
        let Some(at) = value.windows(6).position(|word| word == b"reason") else { continue };
        let value = value[at + 6..].trim_ascii_start();
        let reason = value.strip_prefix(b"=").and_then(|value| quoted(value.trim_ascii_start()));
        if reason.is_some_and(|(reason, _)| AUTO.contains(&reason)) {
            auto.insert(String::from_utf8_lossy(name).into_owned());
        }
    }
    auto
}

/// The text between the quotes that `bytes` begins with, and what follows.
fn quoted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(b"\"")?;
    let end = rest.iter().position(|&b| b == b'"')?;
    Some((&rest[..end], &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_the_table_are_read() {
        let table = b"version = \"1.0\"\n[packages]\n\"a.x86_64\" = {reason=\"Dependency\"}\n\
                      \"b.noarch\" = { reason = \"Weak Dependency\" }\n\"c.noarch\" = {reason=\"User\"}\n\
                      [packages.\"d.i686\"]\nreason = \"Dependency\"\n\
                      [packages.\"e.i686\"]\nreason = \"External User\"\n\
                      [other]\nreason = \"Dependency\"\nnonsense\n\"f\n\"g\" = reason";
        let mut auto: Vec<_> = parse(table).into_iter().collect();
        auto.sort_unstable();
        assert_eq!(auto, ["a.x86_64", "b.noarch", "d.i686"]);
    }
}
