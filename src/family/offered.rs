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
    /// By the name of a package, those that took over files of it.
    pub taken: BTreeMap<String, Vec<Taken>>,
}

/// A package that took over files of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its name.
    pub by: String,
    /// Which versions of the other had those files, in the family's words; `None` for all.
    pub of: Option<String>,
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

    /// Forgets `name`, which is on offer and cannot be installed.
    pub(crate) fn withdraw(&mut self, name: &str) {
        self.packages.remove(name);
        self.versions.retain(|(offered, _)| offered != name);
        for providers in self.provided.values_mut() {
            providers.remove(name);
        }
        for taken in self.taken.values_mut() {
            taken.retain(|taken| taken.by != name);
        }
    }
}
