//! Where a path leads when links are followed, with the tree as the root.

use std::io::Read;

use super::{Entry, Kind, RootPath, Tree, TreeError};

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
pub(crate) fn list(tree: &dyn Tree, dir: &RootPath) -> Result<Vec<Entry>, TreeError> {
    let Some(place) = resolve(tree, dir)? else { return Ok(vec![]) };
    tree.children(&place)
}
