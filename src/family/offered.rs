//! [`Offered`]: what a system's repositories offer.

use std::collections::{BTreeMap, BTreeSet};

/// What a system's repositories offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Names of packages, as an intent has them.
    pub packages: BTreeSet<String>,
    /// Further names that packages answer to, with those packages.
    pub provided: BTreeMap<String, BTreeSet<String>>,
    /// Names and versions of the packages of the system's own architecture.
    pub versions: Vec<(String, String)>,
}

impl Offered {
    /// What to ask for to get `name`; of several packages that answer to it none is chosen.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.packages.contains(name) {
            return Some(name);
        }
        let providers = self.provided.get(name)?;
        providers.first().filter(|_| providers.len() == 1).map(String::as_str)
    }
}
