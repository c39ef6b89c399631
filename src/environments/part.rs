//! [`PartOf`]: what a path is to the environment that it lies in.

use std::sync::Arc;

use crate::tree::RootPath;

/// What a path is to its environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// The directory of the environment: its owner and mode are kept.
    Root,
    /// Made whenever such an environment is made: links, scripts, directories.
    Made,
    /// A package brought it.
    Installed {
        /// Name and version.
        package: Arc<str>,
        /// The package's record, which holds the digest.
        record: Arc<RootPath>,
        /// Whether content, owner and mode are what the package manager left.
        unchanged: bool,
    },
    /// Made whenever such an environment is made, and not as it was made.
    Edited,
    /// Of a package that comes from no index that is known.
    NoIndex {
        /// Name and version.
        package: Arc<str>,
        /// Where it comes from.
        why: &'static str,
    },
    /// In the environment, and of none of its packages.
    Own {
        /// The package in whose directory it lies.
        among: Option<Arc<str>>,
    },
    /// In an environment of which nothing is left out.
    Whole {
        /// Why not.
        why: Arc<str>,
    },
}

/// A path's part in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartOf {
    /// The directory of the environment.
    pub root: Arc<RootPath>,
    /// What it is there.
    pub part: Part,
}
