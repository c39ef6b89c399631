//! [`Descent`]: a way down into a tree of directories, of any depth, with few open handles.
//!
//! A tree can be deeper than a process may have files open. The base and the last levels stay
//! open; a level above them is opened again when the way leads back to it. Invariant: what is
//! opened again is the same inode as before, or an error.

use std::vec;

use rayon::prelude::*;
use rustix::io::Errno;

use super::RootPath;
use super::dir::{Dir, Glance, Inode, Stat};

/// Levels that stay open, the base not counted.
const OPEN: usize = 64;

/// How many names are looked at ahead.
const AHEAD: usize = 256;

/// How many directories are looked into ahead, all at a time, and how many names one of them may
/// have at most: what lies ahead is held in memory.
pub(super) const SCOUTED: usize = 16;
const FEW: usize = 512;

struct Level {
    /// `None` while it is closed.
    dir: Option<Dir>,
    inode: Inode,
    name: Box<[u8]>,
    names: Names,
}

/// What is known of a name before the way comes to it.
pub(super) enum Known {
    /// It is a regular file without attributes.
    File(Stat),
    /// It is a directory that nobody has looked into.
    Dir,
    /// It was a directory with few names.
    Listed(Box<Listed>),
    /// It has to be opened to be known.
    Nothing,
}

/// A directory that was looked into ahead.
pub(super) struct Listed {
    inode: Inode,
    names: Names,
}

impl Listed {
    /// What is called `name` in `dir`, if it is a directory with few names.
    fn ahead(dir: &Dir, name: &[u8]) -> Option<Box<Listed>> {
        let node = dir.node(name).ok().filter(|node| node.stat.mount == dir.mount)?;
        let found = node.into_dir().ok()?;
        let mut names = Names::new(found.few_names(FEW).ok()??);
        names.glance(&found);
        Some(Box::new(Listed { inode: found.inode, names }))
    }
}

/// The names of a directory that are still to be visited.
struct Names {
    names: vec::IntoIter<Box<[u8]>>,
    /// What is known of the first of them.
    known: vec::IntoIter<Known>,
}

impl Names {
    fn new(names: Vec<Box<[u8]>>) -> Names {
        Names { names: names.into_iter(), known: vec![].into_iter() }
    }

    fn next(&mut self, dir: Option<&Dir>) -> Option<(Box<[u8]>, Known)> {
        if let Some(dir) = dir {
            if self.known.as_slice().is_empty() {
                self.glance(dir);
            }
            if let Some(Known::Dir) = self.known.as_slice().first() {
                self.scout(dir);
            }
        }
        let name = self.names.next()?;
        Some((name, self.known.next().unwrap_or(Known::Nothing)))
    }

    fn glance(&mut self, dir: &Dir) {
        let names = self.names.as_slice();
        let known =
            dir.glance(&names[..names.len().min(AHEAD)]).into_iter().map(|glance| match glance {
                Glance::File(stat) => Known::File(stat),
                Glance::Dir => Known::Dir,
                Glance::Unknown => Known::Nothing,
            });
        self.known = known.collect::<Vec<_>>().into_iter();
    }

    /// Looks into the next directories. One that is another when the way comes to it, or that
    /// cannot be looked into, is looked into then.
    fn scout(&mut self, dir: &Dir) {
        let names = self.names.as_slice().iter().zip(self.known.as_mut_slice());
        let next: Vec<_> =
            names.filter(|(_, known)| matches!(known, Known::Dir)).take(SCOUTED).collect();
        next.into_par_iter().for_each(|(name, known)| {
            *known = Listed::ahead(dir, name).map_or(Known::Nothing, Known::Listed);
        });
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
        let base_names = Names::new(base.names()?);
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

    /// The next name of the current directory, and what is known of it already.
    pub(super) fn next_known(&mut self) -> Option<(Box<[u8]>, Known)> {
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
    pub(super) fn enter(&mut self, name: &[u8], dir: Dir, known: Known) -> Result<(), Errno> {
        let inode = dir.inode;
        let names = match known {
            Known::Listed(listed) if listed.inode == inode => listed.names,
            _ => Names::new(dir.names()?),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(descent: &mut Descent) -> Vec<String> {
        let names = std::iter::from_fn(|| descent.next_known());
        names.map(|(name, _)| String::from_utf8(name.into()).unwrap()).collect()
    }

    #[test]
    fn a_directory_that_was_looked_into_ahead_is_not_taken_for_another_in_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let at = |path: &str| temp.path().join(path);
        std::fs::create_dir(at("a")).unwrap();
        std::fs::write(at("a/old"), "").unwrap();
        let base = Dir::open(temp.path()).unwrap();
        let ahead = |name: &[u8]| Listed::ahead(&base, name).map(Known::Listed);
        let (first, again) = (ahead(b"a").unwrap(), ahead(b"a").unwrap());
        let dir = || base.node(b"a").unwrap().into_dir().unwrap();
        // What was added since is not seen: the names are those of before.
        std::fs::write(at("a/late"), "").unwrap();
        let mut descent = Descent::new(base.again().unwrap()).unwrap();
        descent.enter(b"a", dir(), first).unwrap();
        assert_eq!(names(&mut descent), ["old"]);
        descent.leave();

        std::fs::rename(at("a"), at("b")).unwrap();
        std::fs::create_dir(at("a")).unwrap();
        std::fs::write(at("a/new"), "").unwrap();
        descent.enter(b"a", dir(), again).unwrap();
        assert_eq!(names(&mut descent), ["new"]);
    }

    #[test]
    fn what_is_no_directory_or_has_many_names_is_not_looked_into() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("full", temp.path().join("link")).unwrap();
        for number in 0..=FEW {
            std::fs::create_dir_all(temp.path().join(format!("full/{number}"))).unwrap();
        }
        let base = Dir::open(temp.path()).unwrap();
        for name in ["file", "link", "none", "full"] {
            assert!(Listed::ahead(&base, name.as_bytes()).is_none(), "{name}");
        }
        std::fs::remove_dir(temp.path().join("full/0")).unwrap();
        assert!(Listed::ahead(&base, b"full").is_some());
    }
}
