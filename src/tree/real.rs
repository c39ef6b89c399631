//! Where a path really lies in a tree whose directories may be links.

use super::{RootPath, Tree, TreeError, resolve};

/// Where `path` lies when links among its parents are followed as far as they exist.
///
/// # Errors
/// The tree cannot be read.
pub(crate) fn real_place(target: &dyn Tree, path: &RootPath) -> Result<RootPath, TreeError> {
    match path.parent() {
        None => Ok(RootPath::root()),
        Some(parent) => Ok(real_directory(target, &parent)?.child(path.name())),
    }
}

/// Where the directory `path` lies: followed to its end when it leads to a directory, and as far
/// as it exists otherwise.
///
/// # Errors
/// The tree cannot be read.
pub(crate) fn real_directory(target: &dyn Tree, path: &RootPath) -> Result<RootPath, TreeError> {
    if path.is_root() {
        return Ok(RootPath::root());
    }
    if let Some(place) = resolve(target, path)?
        && target.entry(&place)?.is_some_and(|entry| entry.kind.is_dir())
    {
        return Ok(place);
    }
    real_place(target, path)
}
