//! [`Supply`]: which installed packages can be had again, as far as anything shows it.
//!
//! What a system says of itself is a claim, and lists of packages are as old as the system. So a
//! package counts as one that can be had again when something shows it: a release of its
//! distribution is known to offer it, or its records say that the distribution made it. Whatever is
//! left cannot be had again.

use std::collections::BTreeMap;
use std::io::Read;

/// A distribution, as a system's os-release names it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Distribution<'a> {
    /// Its short name, such as `debian`.
    pub id: &'a str,
    /// The version of its release; empty where it has none yet.
    pub version: &'a str,
    /// The name of its release.
    pub codename: &'a str,
    /// What is known of what a distribution's releases offer; `None` where nothing is.
    pub tables: &'a dyn Tables,
}

/// Where tables of what releases offer come from.
pub(crate) trait Tables: Sync {
    /// The table of a distribution, as [`super::release_table`] reads it; unpacked as it is read.
    fn table(&self, distribution: &str) -> Option<Box<dyn Read>>;
}

/// No tables.
impl Tables for () {
    fn table(&self, _: &str) -> Option<Box<dyn Read>> {
        None
    }
}

impl std::fmt::Debug for dyn Tables + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl Default for &dyn Tables {
    fn default() -> Self {
        &()
    }
}

/// What is known of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Something shows that it can be had again.
    Shown,
    /// Something speaks against it.
    Against(String),
    /// Nothing shows it; what is missing.
    Nothing(String),
}

/// Which packages cannot be had again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Supply {
    /// Packages, each with why it cannot be had again.
    pub gone: BTreeMap<String, String>,
    /// How many more there are of which nothing is known, because nothing shows it of any package
    /// at all: then to count them as gone would be to keep a whole system.
    pub unknown: usize,
}

impl Supply {
    /// Of packages with what is known of each.
    pub(crate) fn of(packages: impl Iterator<Item = (String, Proof)>) -> Supply {
        let (mut gone, mut unknown, mut shown) = (BTreeMap::new(), BTreeMap::new(), false);
        for (name, proof) in packages {
            match proof {
                Proof::Shown => shown = true,
                Proof::Against(why) => drop(gone.insert(name, why)),
                Proof::Nothing(why) => drop(unknown.insert(name, why)),
            }
        }
        if !shown {
            return Supply { gone, unknown: unknown.len() };
        }
        gone.append(&mut unknown);
        Supply { gone, unknown: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(proofs: &[(&str, Proof)]) -> Supply {
        Supply::of(proofs.iter().map(|(name, proof)| ((*name).to_owned(), proof.clone())))
    }

    #[test]
    fn what_nothing_shows_is_gone_unless_nothing_shows_anything() {
        let nothing = || Proof::Nothing("no record".to_owned());
        let (file, rest) = (("a", Proof::Against("from a file".to_owned())), ("b", nothing()));
        let whole = of(&[file.clone(), rest.clone()]);
        assert_eq!((whole.gone.len(), whole.unknown), (1, 1));
        let part = of(&[file, rest, ("c", Proof::Shown)]);
        assert_eq!(part.gone.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(part.unknown, 0);
    }
}
