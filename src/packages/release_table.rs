//! [`ReleaseTable`]: what the releases of a distribution offer, of the packages that one system has.
//!
//! The table is text, written by `fixtures/releases.sh`, which says what its lines are. It is read
//! as a stream: only what was asked for stays in memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, BufRead, BufReader, Read};

use md5::{Digest, Md5};

/// Longest line that is read.
const MAX_LINE: u64 = 1 << 20;

/// What one package's versions are in each release, in the order of [`ReleaseTable::releases`].
pub(crate) type Versions = Vec<Vec<String>>;

/// A table, as far as it was asked for.
#[derive(Debug, Default)]
pub(crate) struct ReleaseTable {
    /// Number and code name of each release, in their order.
    pub releases: Vec<(String, String)>,
    /// The first digits of the digest of each address of those who make packages.
    makers: HashSet<String>,
    /// The packages that were asked for and are in it.
    found: BTreeMap<String, Versions>,
    /// By their names without numbers: those that differ from what was asked for in numbers alone.
    alike: BTreeMap<String, Vec<Versions>>,
}

impl ReleaseTable {
    /// Reads what `table` says of the packages `names`.
    pub(crate) fn read(table: impl Read, names: &BTreeSet<&str>) -> io::Result<ReleaseTable> {
        let shapes: HashSet<String> = names.iter().filter_map(|name| shape(name)).collect();
        let mut lines = BufReader::with_capacity(1 << 16, table);
        let mut read = ReleaseTable::default();
        let mut line = String::new();
        loop {
            line.clear();
            if (&mut lines).take(MAX_LINE).read_line(&mut line)? == 0 {
                return Ok(read);
            }
            let mut words = line.split_ascii_whitespace();
            let Some(name) = words.next() else { continue };
            if read.releases.is_empty() || read.makers.is_empty() {
                match name {
                    "releases" => read.releases = pairs(words),
                    "makers" => read.makers = words.map(str::to_owned).collect(),
                    _ => {}
                }
                continue;
            }
            if names.contains(name) {
                read.found.insert(name.to_owned(), versions(words));
            } else if let Some(shape) = shape(name).filter(|shape| shapes.contains(shape)) {
                read.alike.entry(shape).or_default().push(versions(words));
            }
        }
    }

    /// The place of a release among all.
    pub(crate) fn release(&self, version: &str, codename: &str) -> Option<usize> {
        let known = |(number, name): &(String, String)| {
            if version.is_empty() { name == codename } else { number == version }
        };
        self.releases.iter().position(known)
    }

    /// The versions of the package `name` in each release.
    pub(crate) fn versions(&self, name: &str) -> Option<&Versions> {
        self.found.get(name)
    }

    /// The versions of packages whose names differ from `name` in numbers alone.
    pub(crate) fn alike(&self, name: &str) -> &[Versions] {
        shape(name).and_then(|shape| self.alike.get(&shape)).map_or(&[], Vec::as_slice)
    }

    /// Whether `address`, in lower case, is that of somebody who makes packages of it.
    pub(crate) fn made_by(&self, address: &str) -> bool {
        let mut digest = hex::encode(Md5::digest(address));
        digest.truncate(8);
        self.makers.contains(&digest)
    }
}

fn pairs<'a>(mut words: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut all = vec![];
    while let (Some(number), Some(name)) = (words.next(), words.next()) {
        all.push((number.to_owned(), name.to_owned()));
    }
    all
}

fn versions<'a>(words: impl Iterator<Item = &'a str>) -> Versions {
    let mut all: Versions = vec![];
    let mut last = vec![];
    for word in words {
        match word {
            "-" => all.push(vec![]),
            "=" => all.push(last.clone()),
            _ => {
                last = word.split(',').map(str::to_owned).collect();
                all.push(last.clone());
            }
        }
    }
    all
}

/// A name with every number taken for `0`; `None` for one without a number.
fn shape(name: &str) -> Option<String> {
    let mut shape = String::with_capacity(name.len());
    for c in name.chars() {
        match c.is_ascii_digit() {
            true if shape.ends_with('0') => {}
            true => shape.push('0'),
            false => shape.push(c),
        }
    }
    shape.contains('0').then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "releases 11 bullseye 12 bookworm\nmakers 5d60d4e2\n\
                         image-5.10.0-44 5.10.262-1 -\nnginx 1.18-6,1.18-6+deb11u1 =\nsamba - 4.17-1\n";

    fn table(names: &[&str]) -> ReleaseTable {
        ReleaseTable::read(TABLE.as_bytes(), &names.iter().copied().collect()).unwrap()
    }

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let table = table(&["nginx", "image-5.10.0-7"]);
        let both = vec!["1.18-6".to_owned(), "1.18-6+deb11u1".to_owned()];
        assert_eq!(table.versions("nginx"), Some(&vec![both.clone(), both]));
        assert_eq!(table.versions("samba"), None);
        assert_eq!(table.alike("image-5.10.0-7"), [vec![vec!["5.10.262-1".to_owned()], vec![]]]);
        assert!(table.alike("nginx").is_empty());
    }

    #[test]
    fn a_release_without_a_number_goes_by_its_name() {
        let table = table(&[]);
        assert_eq!(table.release("12", "x"), Some(1));
        assert_eq!(table.release("", "bullseye"), Some(0));
        assert_eq!(table.release("10", "bullseye"), None);
        assert_eq!(table.release("", ""), None);
    }

    #[test]
    fn a_maker_is_known_by_the_digest_of_the_address() {
        assert!(table(&[]).made_by("a@b.c"));
        assert!(!table(&[]).made_by("x@b.c"));
    }
}
