//! [`Descent`]: a way down into a tree of directories, of any depth, with few open handles.
//!
//! A tree can be deeper than a process may have files open. The base and the last levels stay
//! open; a level above them is opened again when the way leads back to it. Invariant: what is
//! opened again is the same inode as before, or an error.

use std::vec;

use rustix::io::Errno;

use super::RootPath;
use super::dir::{Dir, Inode, Stat};

/// Levels that stay open, the base not counted.
const OPEN: usize = 64;

/// How many names are looked at ahead.
const AHEAD: usize = 256;

struct Level {
    /// `None` while it is closed.
    dir: Option<Dir>,
    inode: Inode,
    name: Box<[u8]>,
    names: Names,
}

/// The names of a directory that are still to be visited.
struct Names {
    names: vec::IntoIter<Box<[u8]>>,
    /// What is known of the first of them.
    known: vec::IntoIter<Option<Stat>>,
}

impl Names {
    fn of(dir: &Dir) -> Result<Names, Errno> {
        Ok(Names { names: dir.names()?.into_iter(), known: vec![].into_iter() })
    }

    fn next(&mut self, dir: Option<&Dir>) -> Option<(Box<[u8]>, Option<Stat>)> {
        if let (Some(dir), []) = (dir, self.known.as_slice()) {
            let names = self.names.as_slice();
            self.known = dir.glance(&names[..names.len().min(AHEAD)]).into_iter();
        }
        let name = self.names.next()?;
        Some((name, self.known.next().flatten()))
    }
}

/// The directories from a base down to the current one, each with the names still to be visited.
pub(super) struct Descent {
    base: Dir,
    base_names: Names,
    levels: Vec<Level>,
}

impl Descent {
    /// Begins in `base`.
    pub(super) fn new(base: Dir) -> Result<Descent, Errno> {
        let base_names = Names::of(&base)?;
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
        let names = self.levels.last_mut().map_or(&mut self.base_names, |level| &mut level.names);
        names.next(None).map(|(name, _)| name)
    }

    /// The next name of the current directory, and what is known of it already: [`Dir::glance`].
    pub(super) fn next_glanced(&mut self) -> Option<(Box<[u8]>, Option<Stat>)> {
        match self.levels.last_mut() {
            None => self.base_names.next(Some(&self.base)),
            Some(level) => level.names.next(level.dir.as_ref()),
        }
    }

    /// How many levels below the base it is.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Goes down into `dir`, which is called `name` in the current directory.
    pub(super) fn enter(&mut self, name: &[u8], dir: Dir) -> Result<(), Errno> {
        let names = Names::of(&dir)?;
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
