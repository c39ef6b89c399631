//! [`Records`]: what is on record of both systems beside their trees.

use super::outdated::Outdated;
use crate::accounts::{AccountDb, IdMap};
use crate::tree::{RootPath, Tree};

/// What is on record of both systems beside their trees.
pub(crate) struct Records<'a> {
    /// Whether what the old system had at a path was there to stay: no cache, nothing that is made
    /// again, nothing of the machine's.
    pub(crate) lasted: &'a dyn Fn(&RootPath) -> bool,
    /// The package that a path of the old system came with.
    pub(crate) package: &'a dyn Fn(&RootPath) -> Option<String>,
    /// The package that a path of the new system comes with.
    pub(crate) package_now: &'a dyn Fn(&RootPath) -> Option<String>,
    /// The new system as its packages made it, without what was kept.
    pub(crate) theirs: &'a dyn Tree,
    /// The accounts of the old system.
    pub(crate) accounts: &'a AccountDb,
    /// The accounts of the new system, with those that were kept.
    pub(crate) accounts_now: &'a AccountDb,
    /// What the old system's ids are now.
    pub(crate) ids: &'a IdMap,
    /// What the new versions of applications do not know any more.
    pub(crate) outdated: &'a [Outdated],
}
