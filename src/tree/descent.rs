//! [`Descent`]: a way down into a tree of directories, of any depth, with few open handles.
//!
//! A tree can be deeper than a process may have files open. The base and the last levels stay
//! open; a level above them is opened again when the way leads back to it. Invariant: what is
//! opened again is the same inode as before, or an error.

use std::vec;

use rustix::io::Errno;

use super::RootPath;
use super::dir::{Dir, Inode};

/// Levels that stay open, the base not counted.
const OPEN: usize = 64;

struct Level {
    /// `None` while it is closed.
    dir: Option<Dir>,
    inode: Inode,
    name: Box<[u8]>,
    names: vec::IntoIter<Box<[u8]>>,
}

/// The directories from a base down to the current one, each with the names still to be visited.
pub(super) struct Descent {
    base: Dir,
    base_names: vec::IntoIter<Box<[u8]>>,
    levels: Vec<Level>,
}

impl Descent {
    /// Begins in `base`.
    pub(super) fn new(base: Dir) -> Result<Descent, Errno> {
        let base_names = base.names()?.into_iter();
        Ok(Descent { base, base_names, levels: Vec::new() })
    }

    /// The current directory; an error when it could not be opened again.
    pub(super) fn dir(&self) -> Result<&Dir, Errno> {
        match self.levels.last() {
            None => Ok(&self.base),
            Some(level) => level.dir.as_ref().ok_or(Errno::STALE),
        }
    }

    /// The next name of the current directory.
    pub(super) fn next_name(&mut self) -> Option<Box<[u8]>> {
        match self.levels.last_mut() {
            None => self.base_names.next(),
            Some(level) => level.names.next(),
        }
    }

    /// How many levels below the base it is.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Goes down into `dir`, which is called `name` in the current directory.
    pub(super) fn enter(&mut self, name: &[u8], dir: Dir) -> Result<(), Errno> {
        let names = dir.names()?.into_iter();
        let inode = dir.inode;
        self.levels.push(Level { dir: Some(dir), inode, name: name.into(), names });
        if let Some(far) = self.levels.len().checked_sub(OPEN + 1) {
            self.levels[far].dir = None;
        }
        Ok(())
    }

    /// Goes back up and returns the name of the directory that was left; `None` at the base.
    pub(super) fn leave(&mut self) -> Option<Box<[u8]>> {
        let left = self.levels.pop()?;
        if self.levels.last().is_some_and(|level| level.dir.is_none()) {
            let again = self.reopened(left.dir.as_ref());
            if let Some(level) = self.levels.last_mut() {
                level.dir = again.ok();
            }
        }
        Some(left.name)
    }

    /// Opens the current level again: from `child` where that still lies in it, else from the base.
    fn reopened(&self, child: Option<&Dir>) -> Result<Dir, Errno> {
        let inode = self.levels.last().map(|level| level.inode).ok_or(Errno::STALE)?;
        if let Some(dir) = child.and_then(|child| child.up(inode).ok()) {
            return Ok(dir);
        }
        let mut path = RootPath::root();
        for level in &self.levels {
            path = path.child(&level.name);
        }
        let dir = self.base.below(&path)?;
        if dir.inode == inode { Ok(dir) } else { Err(Errno::STALE) }
    }
}
