//! [`Offers`]: whether what is installed can be had again.

use std::collections::BTreeSet;

/// What is known of a source's installed packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offers {
    /// Nothing tells of any.
    Unknown,
    /// Nothing tells of any but these.
    Unproved {
        /// The installed packages that cannot be had again.
        missing: BTreeSet<String>,
    },
    /// Something tells of all.
    Known {
        /// The installed packages that cannot be had again.
        missing: BTreeSet<String>,
    },
}

impl Offers {
    /// Whether some package cannot be had again.
    pub(crate) fn any_missing(&self) -> bool {
        match self {
            Offers::Unknown => false,
            Offers::Unproved { missing } | Offers::Known { missing } => !missing.is_empty(),
        }
    }

    /// Whether the installed `package` can be had again; `None` where nothing tells.
    pub(crate) fn offered(&self, package: &str) -> Option<bool> {
        match self {
            Offers::Unknown => None,
            Offers::Unproved { missing } => missing.contains(package).then_some(false),
            Offers::Known { missing } => Some(!missing.contains(package)),
        }
    }
}
