//! [`Resolv`]: a place for the host's resolver configuration in a root, for one run.
//!
//! A mount needs a regular file to be mounted on. Where the root has none, or a symlink that leads
//! to what does not run here, an empty file stands in its place meanwhile. Invariant: afterwards
//! the root has exactly what it had, the same inode under the same name.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

const NAME: &str = "resolv.conf";
/// Where a symlink waits. One that a killed run left here is put back by the next.
const ASIDE: &str = ".resolv.conf.regrow";

/// What has to be done afterwards.
#[derive(Debug, PartialEq, Eq)]
enum Undo {
    Nothing,
    Remove,
    PutBack,
}

/// A regular `/etc/resolv.conf` in a root, until [`Resolv::restore`] or the end of the value.
#[derive(Debug)]
pub(super) struct Resolv {
    etc: OwnedFd,
    undo: Undo,
}

impl Resolv {
    /// Makes sure that the root behind `root` has a regular `/etc/resolv.conf`; `None` where it
    /// has no `/etc`, or something else stands there that is not ours to move.
    pub(super) fn place(root: impl AsFd) -> io::Result<Option<Resolv>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let etc = match fs::openat(root, "etc", flags, Mode::empty()) {
            Ok(etc) => etc,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        heal(&etc)?;
        let undo = match fs::statat(&etc, NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Undo::Remove,
            Err(error) => return Err(error.into()),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Undo::Nothing,
                FileType::Symlink => {
                    fs::renameat_with(&etc, NAME, &etc, ASIDE, RenameFlags::NOREPLACE)?;
                    Undo::PutBack
                }
                _ => return Ok(None),
            },
        };
        let resolv = Resolv { etc, undo };
        if resolv.undo != Undo::Nothing {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            // Should this fail, the drop puts things back.
            fs::openat(&resolv.etc, NAME, flags, Mode::from_raw_mode(0o644))?;
        }
        Ok(Some(resolv))
    }

    /// Brings back what was there.
    pub(super) fn restore(mut self) -> io::Result<()> {
        self.undo()
    }

    fn undo(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.undo, Undo::Nothing) {
            Undo::Nothing => {}
            Undo::Remove => remove(&self.etc)?,
            // Replaces the empty file in one step.
            Undo::PutBack => fs::renameat(&self.etc, ASIDE, &self.etc, NAME)?,
        }
        Ok(())
    }
}

impl Drop for Resolv {
    fn drop(&mut self) {
        // Only on the way out of an error that is reported already.
        let _ = self.undo();
    }
}

fn remove(etc: &OwnedFd) -> io::Result<()> {
    match fs::unlinkat(etc, NAME, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Puts back what a killed run moved aside.
fn heal(etc: &OwnedFd) -> io::Result<()> {
    match fs::statat(etc, ASIDE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(fs::renameat(etc, ASIDE, etc, NAME)?),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let fd = std::fs::File::open(dir.path()).unwrap().into();
        (dir, fd)
    }

    fn names(root: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(root.join("etc")).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn an_absent_file_is_absent_again() {
        let (dir, fd) = root();
        let resolv = Resolv::place(&fd).unwrap().unwrap();
        assert_eq!(names(dir.path()), [NAME]);
        resolv.restore().unwrap();
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_symlink_comes_back_as_the_same_inode_even_after_an_error() {
        let (dir, fd) = root();
        let path = dir.path().join("etc/resolv.conf");
        symlink("../run/none", &path).unwrap();
        let inode = path.symlink_metadata().unwrap().ino();
        let resolv = Resolv::place(&fd).unwrap().unwrap();
        assert!(path.symlink_metadata().unwrap().is_file());
        drop(resolv);
        assert_eq!(path.symlink_metadata().unwrap().ino(), inode);
        assert_eq!(names(dir.path()), [NAME]);
    }

    #[test]
    fn a_symlink_that_a_killed_run_moved_aside_is_put_back_by_the_next() {
        let (dir, fd) = root();
        let path = dir.path().join("etc/resolv.conf");
        symlink("../run/none", &path).unwrap();
        std::mem::forget(Resolv::place(&fd).unwrap().unwrap());
        Resolv::place(&fd).unwrap().unwrap().restore().unwrap();
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("../run/none"));
        assert_eq!(names(dir.path()), [NAME]);
    }

    #[test]
    fn a_file_stays_and_what_is_neither_file_nor_link_is_left_alone() {
        let (dir, fd) = root();
        let path = dir.path().join("etc/resolv.conf");
        std::fs::write(&path, "own").unwrap();
        Resolv::place(&fd).unwrap().unwrap().restore().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"own");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(Resolv::place(&fd).unwrap().is_none());
        std::fs::remove_dir_all(dir.path().join("etc")).unwrap();
        symlink("/etc", dir.path().join("etc")).unwrap();
        assert!(Resolv::place(&fd).unwrap().is_none());
    }
}
