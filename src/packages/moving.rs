//! [`Moving`]: what a package says of paths that its earlier versions had.

use crate::tree::RootPath;

/// What became of a path of an earlier version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moving {
    /// A configuration file lies elsewhere.
    Moved {
        /// Where it was.
        from: RootPath,
        /// Where it is.
        to: RootPath,
    },
    /// A configuration file is brought no more.
    Removed(RootPath),
    /// A link became a directory.
    DirNow {
        /// The directory.
        dir: RootPath,
        /// Where the link led.
        formerly: RootPath,
    },
    /// A directory became a link.
    LinkNow {
        /// The link.
        link: RootPath,
        /// Where it leads.
        to: RootPath,
    },
}

/// A package's word about a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    /// The package, without architecture.
    pub package: String,
    /// What it says.
    pub moving: Moving,
}
