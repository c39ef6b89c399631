//! Removing what stands at a name, with everything below it, by handle.
//!
//! Invariant: no link is followed and no mount is entered, so that nothing outside the directory
//! that was named can go.

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::descent::{Descent, Known};
use super::dir::{Dir, Node};
use super::{PlaceError, RootPath};

/// Removes what is called `path.name()` in `dir`; that there is nothing is fine.
pub(super) fn remove(dir: &Dir, path: &RootPath) -> Result<(), PlaceError> {
    let failed = |path: &RootPath, errno| PlaceError::io("removing", path, errno);
    let found = dir.find(path.name()).map_err(|errno| failed(path, errno))?;
    let Some(node) = found else { return Ok(()) };
    let Some(top) = unlink_or_enter(dir, path, node)? else { return Ok(()) };
    empty(top, path)?;
    unlink(dir, path.name(), AtFlags::REMOVEDIR).map_err(|errno| failed(path, errno))
}

/// Removes everything in `top`, which is called `path` in errors.
pub(super) fn empty(top: Dir, path: &RootPath) -> Result<(), PlaceError> {
    let failed = |path: &RootPath, errno| PlaceError::io("removing", path, errno);
    let mut descent = Descent::new(top).map_err(|errno| failed(path, errno))?;
    let mut at = path.clone();
    loop {
        while let Some(name) = descent.next_name() {
            let child = at.child(&name);
            let here = descent.dir().map_err(|errno| failed(&child, errno))?;
            let Some(node) = here.find(&name).map_err(|errno| failed(&child, errno))? else {
                continue;
            };
            if let Some(below) = unlink_or_enter(here, &child, node)? {
                descent
                    .enter(&name, below, Known::Nothing)
                    .map_err(|errno| failed(&child, errno))?;
                at = child;
            }
        }
        let Some(name) = descent.leave() else { return Ok(()) };
        let above = descent.dir().map_err(|errno| failed(&at, errno))?;
        unlink(above, &name, AtFlags::REMOVEDIR).map_err(|errno| failed(&at, errno))?;
        at = at.parent().unwrap_or_else(RootPath::root);
    }
}

/// Removes `node`, or returns it when it is a directory that has to be emptied first.
fn unlink_or_enter(dir: &Dir, path: &RootPath, node: Node) -> Result<Option<Dir>, PlaceError> {
    if node.stat.mount != dir.mount {
        return Err(PlaceError::Mount { path: path.clone() });
    }
    let done = if node.stat.file_type == FileType::Directory {
        node.into_dir().map(Some)
    } else {
        unlink(dir, path.name(), AtFlags::empty()).map(|()| None)
    };
    done.map_err(|errno| PlaceError::io("removing", path, errno))
}

fn unlink(dir: &Dir, name: &[u8], flags: AtFlags) -> Result<(), Errno> {
    match rustix::fs::unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}
