//! [`Offers`]: whether repositories still offer what is installed.

use std::collections::BTreeSet;

/// What a source's own package lists say of its installed packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offers {
    /// There are no lists to tell.
    Unknown,
    /// There are.
    Known {
        /// The installed packages that no repository offers any more.
        missing: BTreeSet<String>,
    },
}

impl Offers {
    /// Whether a repository offers the installed `package`; `None` where nothing tells.
    pub(crate) fn offered(&self, package: &str) -> Option<bool> {
        match self {
            Offers::Unknown => None,
            Offers::Known { missing } => Some(!missing.contains(package)),
        }
    }
}
