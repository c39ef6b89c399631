//! Names: where they are in a system, and which differ by numbers only.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{RootPath, Tree, TreeError};

/// How many places are remembered of one name.
const MOST_PLACES: usize = 16;

/// Where what is called by one of `names` is in `tree`, directories left out.
pub(super) fn find(
    tree: &dyn Tree,
    names: &BTreeSet<Vec<u8>>,
) -> Result<BTreeMap<Vec<u8>, Vec<RootPath>>, TreeError> {
    let mut found: BTreeMap<Vec<u8>, Vec<RootPath>> = BTreeMap::new();
    for entry in tree.walk() {
        let entry = entry?;
        let name = entry.path.name();
        if !entry.kind.is_dir() && names.contains(name) {
            let places = found.entry(name.to_vec()).or_default();
            if places.len() < MOST_PLACES {
                places.push(entry.path.clone());
            }
        }
    }
    Ok(found)
}

/// Whether two names are the same but for the numbers in them; equal ones are.
pub(super) fn alike(one: &[u8], other: &[u8]) -> bool {
    skeleton(one) == skeleton(other)
}

/// The name with each number, dots inside it included, as one mark.
fn skeleton(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut at = 0;
    while at < name.len() {
        let run = number(&name[at..]);
        match run {
            0 => {
                out.push(name[at]);
                at += 1;
            }
            _ => {
                out.push(0);
                at += run;
            }
        }
    }
    out
}

/// The length of the number that `text` begins with: digits, and dots between them.
pub(super) fn number(text: &[u8]) -> usize {
    let mut end = 0;
    while end < text.len() {
        let digit = text[end].is_ascii_digit();
        let dot = end > 0 && text[end] == b'.' && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !digit && !dot {
            break;
        }
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_by_numbers_are_alike() {
        assert!(alike(b"java-11-openjdk-amd64", b"java-21-openjdk-amd64"));
        assert!(alike(b"libfoo.so.1", b"libfoo.so.2.3"));
        assert!(alike(b"python3.9", b"python3.13"));
        assert!(!alike(b"java-11-openjdk-amd64", b"java-21-openjdk-arm64"));
        assert!(!alike(b"python3.9", b"python"));
        assert!(!alike(b"a1b", b"ab"));
    }
}
