//! [`NamedDir`]: a directory together with its name in the directory that holds it, both open.
//!
//! Who may write in the holding directory may rename what is in it at any time. Invariants: what is
//! read and written is the directory that was opened, whatever its name leads to by now; what is
//! renamed is looked at before and behind, and brought back when it was not what was meant; nothing
//! but the open directory is ever removed.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, RenameFlags};
use rustix::io::Errno;

use super::dir::{Dir, Inode};
use super::removal::empty;
use super::{PlaceError, RootPath, RootWriter, Rootfs};

/// The number of a directory in its file system, and that of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirId {
    /// Of the file system. It may be another one after a reboot.
    pub dev: u64,
    /// Of the directory.
    pub ino: u64,
}

impl From<Inode> for DirId {
    fn from(inode: Inode) -> DirId {
        DirId { dev: inode.dev, ino: inode.ino }
    }
}

/// An open directory, the open one that holds it, and its name there.
#[derive(Debug)]
pub(crate) struct NamedDir {
    dir: Dir,
    parent: Dir,
    /// How the parent was called when it was opened, for messages.
    parent_path: PathBuf,
    name: OsString,
}

/// How an exchange of two directories ended.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// Each has the other's name, and that survives a power cut.
    Done,
    /// Each has its own name, and never had another one.
    Undone(PlaceError),
    /// Each has its own name again. For a moment it had the other's, and others may have written
    /// into it under that name.
    TakenBack(PlaceError),
    /// Neither could be brought about; what the names lead to has to be looked at.
    Astray(PlaceError),
}

impl NamedDir {
    /// Opens the directory at `path`, whose last name must not be a link.
    ///
    /// # Errors
    /// It is not there, no directory, or a mount point, which cannot be renamed.
    pub(crate) fn open(path: &Path) -> Result<NamedDir, PlaceError> {
        let name = path.file_name().ok_or_else(|| host("opening", path, Errno::INVAL))?;
        let parent_path = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let parent = Dir::open(&parent_path).map_err(|e| host("opening", &parent_path, e))?;
        let node = parent.node(name.as_bytes()).and_then(super::dir::Node::into_dir);
        let dir = node.map_err(|e| host("opening", path, e))?;
        if dir.mount != parent.mount {
            return Err(host("looking at the place of", path, Errno::BUSY));
        }
        Ok(NamedDir { dir, parent, parent_path, name: name.to_owned() })
    }

    /// Makes an empty directory called `name` beside this one, open to root only.
    ///
    /// # Errors
    /// There is something of that name, or somebody put something else in its place at once.
    pub(crate) fn make_beside(&self, name: &OsStr) -> Result<NamedDir, PlaceError> {
        let path = self.parent_path.join(name);
        let failed = |errno| host("creating", &path, errno);
        rustix::fs::mkdirat(&self.parent, name, Mode::RWXU).map_err(failed)?;
        let made = self.beside(name)?.ok_or_else(|| failed(Errno::STALE))?;
        match made.is_fresh() {
            Ok(true) => Ok(made),
            Ok(false) => Err(failed(Errno::STALE)),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The directory called `name` beside this one; `None` where there is none.
    pub(crate) fn beside(&self, name: &OsStr) -> Result<Option<NamedDir>, PlaceError> {
        let path = self.parent_path.join(name);
        let failed = |errno| host("opening", &path, errno);
        let Some(node) = self.parent.find(name.as_bytes()).map_err(failed)? else {
            return Ok(None);
        };
        let Ok(dir) = node.into_dir() else { return Ok(None) };
        if dir.mount != self.parent.mount {
            return Ok(None);
        }
        let parent = self.parent.again().map_err(failed)?;
        let parent_path = self.parent_path.clone();
        Ok(Some(NamedDir { dir, parent, parent_path, name: name.to_owned() }))
    }

    /// Whether it is as a directory is that this process just made: ours, private and empty.
    pub(crate) fn is_fresh(&self) -> Result<bool, Errno> {
        let stat = self.dir.own()?.stat;
        let own = stat.uid == rustix::process::geteuid().as_raw() && stat.mode & 0o777 == 0o700;
        Ok(own && self.dir.few_names(0)?.is_some())
    }

    /// Its path when it was opened, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.parent_path.join(&self.name)
    }

    /// Its name in the directory that holds it.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Which directory it is.
    pub(crate) fn id(&self) -> DirId {
        self.dir.inode.into()
    }

    /// Which directory holds it.
    pub(crate) fn parent_id(&self) -> DirId {
        self.parent.inode.into()
    }

    /// Its tree.
    pub(crate) fn tree(&self) -> Result<Rootfs, PlaceError> {
        Ok(Rootfs::of(self.dir.again().map_err(|e| self.failed("opening", e))?))
    }

    /// A writer of its tree.
    pub(crate) fn writer(&self) -> Result<RootWriter, PlaceError> {
        Ok(RootWriter::of(self.dir.again().map_err(|e| self.failed("opening", e))?))
    }

    /// A handle of it to begin from.
    pub(crate) fn handle(&self) -> Result<OwnedFd, PlaceError> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.dir, 0);
        fd.map_err(|e| self.failed("opening", e))
    }

    /// Keeps other runs away from it for as long as the answer lives; `None` when another run does.
    pub(crate) fn lock(&self) -> Result<Option<OwnedFd>, PlaceError> {
        let fd = self.dir.readable().map_err(|e| self.failed("opening", e))?;
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(fd)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(self.failed("locking", errno)),
        }
    }

    /// Whether its name still leads to it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.leads_to(&self.name, self.dir.inode)
    }

    fn leads_to(&self, name: &OsStr, inode: Inode) -> bool {
        self.parent.find(name.as_bytes()).is_ok_and(|n| n.is_some_and(|n| n.stat.inode == inode))
    }

    /// Puts everything in it, and beside it, on disk.
    pub(crate) fn synchronise(&self) -> Result<(), PlaceError> {
        let done = self.dir.readable().and_then(rustix::fs::syncfs);
        done.map_err(|e| self.failed("synchronising", e))
    }

    /// Gives this directory and `other`, which is beside it, each the other's name, in one step
    /// that survives a power cut.
    pub(crate) fn exchange(&mut self, other: &mut NamedDir) -> Exchanged {
        if !self.is_in_place() || !other.is_in_place() {
            return Exchanged::Undone(self.failed("exchanging", Errno::STALE));
        }
        if let Err(errno) = self.swap_names(other) {
            return Exchanged::Undone(self.failed("exchanging", errno));
        }
        // Between the look and the step somebody may have put something else there.
        let there = self.is_in_place() && other.is_in_place();
        let done = if there { self.synchronise_names() } else { Err(Errno::STALE) };
        let Err(errno) = done else { return Exchanged::Done };
        let error = self.failed("exchanging", errno);
        match self.swap_back(other) {
            Ok(()) => Exchanged::TakenBack(error),
            Err(_) => Exchanged::Astray(error),
        }
    }

    /// Takes an exchange with `other` back.
    ///
    /// # Errors
    /// Somebody moved one of them: what the names lead to has to be looked at.
    pub(crate) fn swap_back(&mut self, other: &mut NamedDir) -> Result<(), PlaceError> {
        self.swap_names(other).map_err(|e| self.failed("exchanging", e))?;
        if !self.is_in_place() || !other.is_in_place() {
            return Err(self.failed("exchanging", Errno::STALE));
        }
        // A failure of the disk changes nothing about what stands where.
        let _ = self.synchronise_names();
        Ok(())
    }

    fn swap_names(&mut self, other: &mut NamedDir) -> Result<(), Errno> {
        let (dir, flags) = (&self.parent, RenameFlags::EXCHANGE);
        rustix::fs::renameat_with(dir, &self.name, dir, &other.name, flags)?;
        std::mem::swap(&mut self.name, &mut other.name);
        Ok(())
    }

    fn synchronise_names(&self) -> Result<(), Errno> {
        self.parent.readable().and_then(rustix::fs::fsync)
    }

    /// Removes it with everything in it.
    ///
    /// # Errors
    /// Something in it cannot be removed, or its name leads to something else, which is left alone.
    pub(crate) fn remove(&self) -> Result<(), PlaceError> {
        let failed = |errno| self.failed("removing", errno);
        empty(self.dir.again().map_err(failed)?, &RootPath::root())?;
        if !self.is_in_place() {
            return match self.dir.own().map_err(failed)?.stat.names {
                0 => Ok(()),
                _ => Err(failed(Errno::STALE)),
            };
        }
        let removed = rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR);
        removed.map_err(failed)?;
        self.synchronise_names().map_err(failed)
    }

    fn failed(&self, act: &'static str, errno: Errno) -> PlaceError {
        host(act, &self.path(), errno)
    }
}

fn host(act: &'static str, path: &Path, errno: Errno) -> PlaceError {
    PlaceError::Host { act, path: path.to_owned(), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    /// `root` with a file that says `old`, and `copy` with one that says `new`.
    fn two() -> (tempfile::TempDir, NamedDir, NamedDir) {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("root")).unwrap();
        std::fs::write(temp.path().join("root/file"), "old").unwrap();
        let root = NamedDir::open(&temp.path().join("root")).unwrap();
        let copy = root.make_beside(OsStr::new("copy")).unwrap();
        std::fs::write(temp.path().join("copy/file"), "new").unwrap();
        (temp, root, copy)
    }

    #[test]
    fn exchanged_directories_have_each_others_name_and_the_old_one_can_go() {
        let (temp, mut root, mut copy) = two();
        assert!(matches!(copy.exchange(&mut root), Exchanged::Done));
        assert_eq!(text(&temp.path().join("root/file")), "new");
        assert_eq!(root.name(), "copy");
        root.remove().unwrap();
        assert!(!temp.path().join("copy").exists());
        assert_eq!(text(&temp.path().join("root/file")), "new");
    }

    #[test]
    fn an_exchange_that_is_taken_back_leaves_everything_as_it_was() {
        let (temp, mut root, mut copy) = two();
        assert!(matches!(copy.exchange(&mut root), Exchanged::Done));
        copy.swap_back(&mut root).unwrap();
        assert_eq!(text(&temp.path().join("root/file")), "old");
        assert!(root.is_in_place() && copy.is_in_place());
    }

    #[test]
    fn a_directory_whose_name_leads_elsewhere_is_written_and_removed_by_handle() {
        let (temp, mut root, mut copy) = two();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir(at("victim")).unwrap();
        std::fs::write(at("victim/file"), "victim").unwrap();
        std::fs::rename(at("copy"), at("aside")).unwrap();
        symlink(at("victim"), at("copy")).unwrap();
        copy.writer().unwrap().remove(&RootPath::parse(b"/file").unwrap()).unwrap();
        assert!(!at("aside/file").exists());
        assert!(matches!(copy.exchange(&mut root), Exchanged::Undone(_)));
        assert_eq!(text(&at("root/file")), "old");
        assert!(copy.remove().is_err());
        assert_eq!(text(&at("victim/file")), "victim");
        assert!(at("copy").is_symlink());
    }

    #[test]
    fn what_was_put_in_place_of_a_new_directory_is_not_taken_for_it() {
        let (temp, root, copy) = two();
        assert!(!copy.is_fresh().unwrap(), "it holds a file");
        assert!(root.make_beside(OsStr::new("copy")).is_err());
        symlink("root", temp.path().join("link")).unwrap();
        assert!(NamedDir::open(&temp.path().join("link")).is_err());
        assert!(root.beside(OsStr::new("link")).unwrap().is_none());
    }
}
