//! [`Pending`]: a file that has its name only when it is complete.
//!
//! Invariants: whatever stands under the final name was there before or is whole and on disk;
//! nothing is ever replaced; what is given up disappears. The file is written under
//! `.NAME.tmp-PID-N`, which its lock marks as alive; one without a lock is the rest of a run that
//! was killed, and goes when the same name is written again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::BundleError;

/// How much of the final name goes into the temporary one, which has to fit 255 bytes itself.
const NAME_PART: usize = 200;

/// A file without its final name. Dropping it removes it.
pub(crate) struct Pending {
    path: PathBuf,
    directory: OwnedFd,
    temporary: OsString,
    name: OsString,
    file: File,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Temporary,
    Published,
}

impl Pending {
    /// Begins the file that is to become `path`.
    pub(crate) fn create(path: &Path) -> Result<Pending, BundleError> {
        let failed = |errno: Errno| match errno {
            Errno::NOENT | Errno::NOTDIR => BundleError::Missing { path: directory_of(path) },
            errno => BundleError::io("creating", path, errno.into()),
        };
        // `Path` ignores a slash at the end; to the user it means a directory.
        let name = path.file_name().filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
        let name = name.ok_or_else(|| failed(Errno::ISDIR))?.to_owned();
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let directory =
            rustix::fs::open(directory_of(path), flags, Mode::empty()).map_err(failed)?;
        match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(_) => return Err(BundleError::Exists { path: path.to_owned() }),
            Err(errno) => return Err(failed(errno)),
        }
        let prefix = temporary_prefix(&name);
        remove_abandoned(&directory, &prefix);
        let (temporary, file) = create_locked(&directory, &prefix).map_err(failed)?;
        let path = path.to_owned();
        Ok(Pending { path, directory, temporary, name, file, state: State::Temporary })
    }

    /// The file, at whatever position its last user left it; all handles share that.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The final name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory for both names.
    pub(crate) fn directory(&self) -> PathBuf {
        directory_of(&self.path)
    }

    /// Gives the file, which is on disk already, its final name.
    pub(crate) fn publish(mut self) -> Result<(), BundleError> {
        let failed = |errno: Errno| match errno {
            Errno::EXIST => BundleError::Exists { path: self.path.clone() },
            errno => BundleError::io("naming", &self.path, errno.into()),
        };
        let (dir, temporary, name) = (&self.directory, &self.temporary, &self.name);
        match rustix::fs::renameat_with(dir, temporary, dir, name, RenameFlags::NOREPLACE) {
            // Network file systems know no such renaming; a link refuses to replace as well.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::linkat(dir, temporary, dir, name, AtFlags::empty()).map_err(failed)?;
                rustix::fs::unlinkat(dir, temporary, AtFlags::empty()).map_err(failed)?;
            }
            renamed => renamed.map_err(failed)?,
        }
        self.state = State::Published;
        // Some file systems cannot sync a directory, and say EINVAL.
        if let Err(errno) = rustix::fs::fsync(dir)
            && errno != Errno::INVAL
        {
            // The name may vanish with the power, so it must not be relied on now.
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
            return Err(BundleError::io("syncing the directory of", &self.path, errno.into()));
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.state == State::Temporary {
            // Nobody can be told; a later run for the same name removes it.
            let _ = rustix::fs::unlinkat(&self.directory, &self.temporary, AtFlags::empty());
        }
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn temporary_prefix(name: &OsStr) -> Vec<u8> {
    let name = &name.as_bytes()[..name.len().min(NAME_PART)];
    [b".", name, b".tmp-"].concat()
}

/// A new file of ours, locked.
fn create_locked(directory: &OwnedFd, prefix: &[u8]) -> Result<(OsString, File), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
    let mut number = 0;
    loop {
        let suffix = format!("{}-{number}", std::process::id());
        let name = OsString::from_vec([prefix, suffix.as_bytes()].concat());
        match rustix::fs::openat(directory, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                // Where locks do not work, nothing is ever taken for abandoned either.
                let lock = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
                // Between creating and locking, another run may have taken it for abandoned.
                if lock != Err(Errno::WOULDBLOCK) && rustix::fs::fstat(&file)?.st_nlink > 0 {
                    return Ok((name, file.into()));
                }
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        number += 1;
    }
}

/// Removes what killed runs left under this prefix. Failing to is no reason to stop.
fn remove_abandoned(directory: &OwnedFd, prefix: &[u8]) {
    let Ok(listing) = rustix::fs::Dir::read_from(directory) else { return };
    for entry in listing.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name.as_bytes().starts_with(prefix) && is_abandoned(directory, name).unwrap_or(false) {
            let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
        }
    }
}

fn is_abandoned(directory: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    let ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == rustix::process::geteuid().as_raw();
    Ok(ours && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_pending_file_is_private_and_leaves_nothing_when_given_up() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let pending = Pending::create(&dir.path().join("web.regrow")).unwrap();
        let name = names(dir.path()).remove(0);
        assert!(name.to_str().unwrap().starts_with(".web.regrow.tmp-"), "{name:?}");
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        drop(pending);
        assert_eq!(names(dir.path()), Vec::<OsString>::new());
    }

    #[test]
    fn what_a_killed_run_left_goes_and_what_a_living_one_writes_stays() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".web.regrow.tmp-1-0"), "rest").unwrap();
        std::fs::write(dir.path().join(".mail.regrow.tmp-1-0"), "another's").unwrap();
        let living = Pending::create(&dir.path().join("web.regrow")).unwrap();
        let second = Pending::create(&dir.path().join("web.regrow")).unwrap();
        assert_eq!(names(dir.path()).len(), 3);
        assert!(!dir.path().join(".web.regrow.tmp-1-0").exists());
        living.publish().unwrap();
        let late = second.publish().unwrap_err();
        assert!(matches!(late, BundleError::Exists { .. }), "{late}");
        assert_eq!(names(dir.path()), [".mail.regrow.tmp-1-0", "web.regrow"]);
    }

    #[test]
    fn a_taken_name_is_refused_and_untouched_even_a_dangling_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.regrow");
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(matches!(Pending::create(&path), Err(BundleError::Exists { .. })));
        assert_eq!(names(dir.path()), ["web.regrow"]);
    }

    #[test]
    fn a_name_taken_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.regrow");
        let pending = Pending::create(&path).unwrap();
        pending.file().write_all(b"new").unwrap();
        std::fs::write(&path, "old").unwrap();
        assert!(matches!(pending.publish(), Err(BundleError::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["web.regrow"]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Pending::create(&dir.path().join("no/web.regrow")).err().unwrap();
        assert!(matches!(&error, BundleError::Missing { path } if *path == dir.path().join("no")));
        let error = Pending::create(&dir.path().join("web/")).err().unwrap();
        assert!(matches!(error, BundleError::Io { act: "creating", .. }));
    }
}
