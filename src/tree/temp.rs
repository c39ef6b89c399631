//! [`Temp`]: a node under a name of its own until it is whole.
//!
//! Invariant: what was not renamed is removed again, whichever way it ends.

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::Kind;
use super::dir::Dir;

/// A name beside the final one, removed again unless it is renamed.
pub(super) struct Temp<'a> {
    dir: &'a Dir,
    pub(super) name: String,
}

impl<'a> Temp<'a> {
    /// Calls `make` with a name until one is free.
    pub(super) fn make<T>(
        dir: &'a Dir,
        mut make: impl FnMut(&str) -> Result<T, Errno>,
    ) -> Result<(Temp<'a>, T), Errno> {
        for attempt in 0..1000 {
            let name = format!(".regrow.{}.{attempt}", std::process::id());
            match make(&name) {
                Ok(made) => return Ok((Temp { dir, name }, made)),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::EXIST)
    }

    /// Gives the node its final name, in place of what has it.
    pub(super) fn rename(mut self, name: &[u8]) -> Result<(), Errno> {
        rustix::fs::renameat(self.dir, self.name.as_str(), self.dir, name)?;
        self.name.clear();
        Ok(())
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // The error that led here is the one to tell; what stays is an unused hidden file.
            let _ = rustix::fs::unlinkat(self.dir, self.name.as_str(), AtFlags::empty());
        }
    }
}

/// Makes a node that is neither a regular file nor a directory.
pub(super) fn make_special(dir: &Dir, name: &str, kind: &Kind) -> Result<(), Errno> {
    let private = Mode::RUSR | Mode::WUSR;
    let device = |file_type, major: u32, minor: u32| {
        let number = rustix::fs::makedev(major, minor);
        // The kernel's number has 12 and 20 bits; what does not fit would become another device.
        if (major, minor) != (rustix::fs::major(number), rustix::fs::minor(number)) {
            return Err(Errno::INVAL);
        }
        rustix::fs::mknodat(dir, name, file_type, private, number)
    };
    match kind {
        Kind::Symlink { target } => rustix::fs::symlinkat(target.as_slice(), dir, name),
        Kind::Fifo => rustix::fs::mknodat(dir, name, FileType::Fifo, private, 0),
        Kind::Char { major, minor } => device(FileType::CharacterDevice, *major, *minor),
        Kind::Block { major, minor } => device(FileType::BlockDevice, *major, *minor),
        Kind::File { .. } | Kind::Dir | Kind::Socket => Err(Errno::INVAL),
    }
}
