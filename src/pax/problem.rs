//! [`Problem`]: what of a tar a tree cannot be true to.

use crate::tree::{PathError, RootPath, escaped};

/// What of a tar is not, or not exactly, in the tree made of it. Names are as stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// The name leads nowhere in a tree; the entry is left out.
    #[error("`{}` is left out", escaped(.name))]
    Name {
        /// The name.
        name: Vec<u8>,
        /// What is wrong with it.
        #[source]
        source: PathError,
    },
    /// The root is given as something other than a directory; it stays one.
    #[error("`{}` would make the root something other than a directory", escaped(.name))]
    Root {
        /// The name.
        name: Vec<u8>,
    },
    /// The target of a symlink cannot be one; the link is left out.
    #[error("the symlink `{}` is left out: its target is empty or holds a NUL byte", escaped(.name))]
    Symlink {
        /// The link's name.
        name: Vec<u8>,
    },
    /// A hard link to what the archive does not hold, or only by going round in a circle; it is
    /// left out.
    #[error("the hard link `{}` is left out: there is no `{}`", escaped(.name), escaped(.target))]
    Dangling {
        /// The link's name.
        name: Vec<u8>,
        /// What it should be a name of.
        target: Vec<u8>,
    },
    /// A hard link to a directory; it is left out.
    #[error("the hard link `{}` is left out: `{}` is a directory", escaped(.name), escaped(.target))]
    LinkedDirectory {
        /// The link's name.
        name: Vec<u8>,
        /// The directory.
        target: Vec<u8>,
    },
    /// An entry below something that is no directory, a symlink perhaps; it is left out.
    #[error("`{path}` is left out: it lies below `{above}`, which is not a directory")]
    Below {
        /// The entry.
        path: RootPath,
        /// What it lies below.
        above: RootPath,
    },
    /// A pax record states something about the entry that is not understood.
    #[error("`{}` has a property that is not understood: `{}`", escaped(.name), escaped(.key))]
    Ignored {
        /// The entry's name.
        name: Vec<u8>,
        /// The record's key.
        key: Vec<u8>,
    },
    /// Data after the end of the archive, a second archive perhaps; it is ignored.
    #[error("{bytes} bytes of data after the end of the archive are ignored")]
    Trailing {
        /// How many, zeros not counted.
        bytes: u64,
    },
}
