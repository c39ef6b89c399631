//! File trees: names, metadata and content, wherever they come from.
//!
//! A tree is read through [`Tree`]: an unpacked root by directory handle, a tar, a stack of image
//! layers, or a root with volumes mounted into it all look the same. Two rules hold everywhere:
//! names are bytes, and the last component of a path is never followed. Nothing here knows about
//! containers, packages or bundles.

mod census;
mod content;
pub(crate) mod copy;
mod descent;
mod dir;
pub(crate) mod draft;
mod draft_json;
pub(crate) mod empty;
mod entry;
mod error;
pub(crate) mod follow;
mod layer_index;
#[cfg(test)]
pub(crate) mod memory;
mod mounted;
mod named;
mod nearby;
mod outline;
mod overlaid;
mod packed;
mod path;
mod place;
mod place_error;
mod real;
mod removal;
mod repeated;
pub(crate) mod rootfs;
mod stack;
mod stamp;
mod temp;
#[cfg(test)]
pub(crate) mod testing;
mod whiteout;

use std::io::{Read, Seek};

pub(crate) use census::{Census, CensusError};
pub(crate) use copy::{copy_into, copy_tree, remove_tree};
pub use draft::{ContentId, Store};
pub(crate) use draft::{Draft, DraftContent, DraftNode};
pub(crate) use empty::Empty;
pub use entry::{Entry, Extent, FileType, Kind, LinkGroup, Meta, Time, Xattrs};
pub use error::TreeError;
pub(crate) use follow::{Gap, Way, follow, list, read_file, resolve, resolve_parent};
pub(crate) use mounted::Mounted;
pub(crate) use named::{DirId, Exchanged, NamedDir};
pub(crate) use nearby::near_partition_point;
pub use outline::DirectoryTotal;
pub(crate) use outline::outline;
pub(crate) use overlaid::Overlaid;
pub(crate) use packed::Packed;
pub(crate) use path::{NAME_LIMIT, is_within, parent_of, path_order};
pub use path::{PathError, RootPath, escaped, is_unprintable, printable};
pub(crate) use place::RootWriter;
pub(crate) use place_error::PlaceError;
pub(crate) use real::{RealPlaces, real_directory, real_place};
pub(crate) use repeated::Repeated;
pub(crate) use rootfs::Rootfs;
pub(crate) use stack::{Deletion, Layer, LayerStack};
pub(crate) use stamp::{Lost, Problem};
pub(crate) use whiteout::{Whiteouts, take_reserved};

/// Content that can be read and, for sparse files, skipped through.
pub trait Content: Read + Seek + Send {}

impl<T: Read + Seek + Send> Content for T {}

/// A readable file tree.
pub trait Tree: Send + Sync {
    /// Every entry, the root first, in [`RootPath`] order. An error stands for the entry, or for
    /// what lies below the directory, that it names; the walk goes on after it.
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_>;

    /// The entry at `path`, the last component not followed; `None` when there is none.
    ///
    /// Symlinks *in between* are not followed either: `/bin/ls` is `None` where `/bin` is a link.
    /// [`resolve`] follows them.
    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError>;

    /// The entries directly below the directory at `path`, by name; empty when it is no directory.
    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError>;

    /// Whether the directory at `path` is only known to exist, because something lies below it:
    /// its metadata is made up, and in a stack of layers a lower layer's counts.
    fn implied(&self, _path: &RootPath) -> bool {
        false
    }

    /// The content of the regular file that `entry`, obtained from this tree, describes: exactly
    /// its `size` bytes, holes as zeros; fewer or more is an error of the reader.
    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError>;

    /// The data runs of a regular file, ascending; a file without holes is one run.
    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let length = entry.kind.size();
        Ok(if length == 0 { vec![] } else { vec![Extent { offset: 0, length }] })
    }
}

/// A file with more holes than this is not worth reading to compare it with another.
const MANY_HOLES: u64 = 1 << 30;

/// Whether the regular file `entry` of `tree` has so many holes that reading it says little and
/// takes for ever.
pub(crate) fn is_mostly_holes(tree: &dyn Tree, entry: &Entry) -> Result<bool, TreeError> {
    let size = entry.kind.size();
    if size <= MANY_HOLES {
        return Ok(false);
    }
    let data: u64 = tree.extents(entry)?.iter().map(|run| run.length).sum();
    Ok(size.saturating_sub(data) > MANY_HOLES)
}
