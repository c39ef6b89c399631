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

/// Limit on links followed for one path, as the kernel's.
const MAX_LINKS: usize = 40;

/// Where a path leads.
pub(crate) enum Way {
    /// To something.
    End(RootPath),
    /// To nothing.
    Gap(Gap),
    /// Round in a circle, or through more than 40 links, which the kernel takes for one.
    Circle,
}

/// Where a way ends in nothing.
pub(crate) struct Gap {
    /// The link that was followed last; `None` when none was.
    pub link: Option<RootPath>,
    /// The first path on the way that is not there, or is no directory and would have to be.
    pub missing: RootPath,
    /// The names that follow it.
    pub rest: Vec<Vec<u8>>,
}

impl Gap {
    /// The path at the end of the way.
    pub(crate) fn whole(&self) -> RootPath {
        self.rest.iter().fold(self.missing.clone(), |path, name| path.child(name))
    }
}

/// Follows every symlink on `path`, the last component included, with `tree` as the root.
pub(crate) fn follow(tree: &dyn Tree, path: &RootPath) -> Result<Way, TreeError> {
    let mut followed = 0;
    let mut link = None;
    let mut todo: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut at = RootPath::root();
    while let Some(name) = todo.pop() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                at = at.parent().unwrap_or_else(RootPath::root);
                continue;
            }
            _ => {}
        }
        let next = at.child(&name);
        match tree.entry(&next)?.map(|entry| entry.kind) {
            Some(Kind::Symlink { target }) => {
                followed += 1;
                if followed > MAX_LINKS {
                    return Ok(Way::Circle);
                }
                if target.first() == Some(&b'/') {
                    at = RootPath::root();
                }
                todo.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
                link = Some(next);
            }
            Some(Kind::Dir) => at = next,
            // Anything else can only be the end.
            Some(_) if todo.iter().all(Vec::is_empty) => at = next,
            _ => {
                let plain = |name: &Vec<u8>| !matches!(name.as_slice(), b"" | b"." | b"..");
                let rest = todo.into_iter().rev().filter(plain).collect();
                return Ok(Way::Gap(Gap { link, missing: next, rest }));
            }
        }
    }
    Ok(Way::End(at))
}

/// Where `path` leads inside `tree` when every symlink on the way, the last one included, is
/// followed with `tree` as the root; `None` when something on the way does not exist.
///
/// # Errors
/// [`TreeError::Loop`] after 40 links, as the kernel does.
pub fn resolve(tree: &dyn Tree, path: &RootPath) -> Result<Option<RootPath>, TreeError> {
    match follow(tree, path)? {
        Way::End(place) => Ok(Some(place)),
        Way::Gap(_) => Ok(None),
        Way::Circle => Err(TreeError::Loop { path: path.clone() }),
    }
}

/// As [`resolve`], but the last component is taken as it is and may be missing: the place where a
/// file named `path` really lies or would be created.
pub fn resolve_parent(tree: &dyn Tree, path: &RootPath) -> Result<Option<RootPath>, TreeError> {
    match path.parent() {
        None => Ok(Some(RootPath::root())),
        Some(parent) => Ok(resolve(tree, &parent)?.map(|parent| parent.child(path.name()))),
    }
}

/// The content of the regular file that `path` leads to, links followed inside the tree; `None`
/// when it does not exist or is not a regular file.
///
/// # Errors
/// [`TreeError::TooLarge`] above `limit` bytes: the caller's bound on what it parses in memory.
pub fn read_file(
    tree: &dyn Tree,
    path: &RootPath,
    limit: u64,
) -> Result<Option<Vec<u8>>, TreeError> {
    let Some(place) = resolve(tree, path)? else { return Ok(None) };
    let Some(entry) = tree.entry(&place)? else { return Ok(None) };
    if !entry.kind.is_file() {
        return Ok(None);
    }
    if entry.kind.size() > limit {
        return Err(TreeError::TooLarge { path: path.clone(), limit });
    }
    let mut content = Vec::new();
    tree.open(&entry)?
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|e| TreeError::io("reading", path, e))?;
    Ok(Some(content))
}

/// The names directly below `dir` with their entries, links in `dir` itself followed; empty when
/// it does not exist.
pub fn list(tree: &dyn Tree, dir: &RootPath) -> Result<Vec<Entry>, TreeError> {
    let Some(place) = resolve(tree, dir)? else { return Ok(vec![]) };
    tree.children(&place)
}
