//! [`Offers`]: whether what is installed can be had again.

use std::collections::BTreeSet;

/// What is known of a source's installed packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offers {
    /// Nothing tells of any.
    Unknown,
    /// Something does.
    Known {
        /// The installed packages that cannot be had again.
        missing: BTreeSet<String>,
    },
}

impl Offers {
    /// Whether the installed `package` can be had again; `None` where nothing tells.
    pub(crate) fn offered(&self, package: &str) -> Option<bool> {
        match self {
            Offers::Unknown => None,
            Offers::Known { missing } => Some(!missing.contains(package)),
        }
    }
}
