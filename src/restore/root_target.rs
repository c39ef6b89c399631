//! [`RootTarget`]: the new system as an unpacked root.
//!
//! The given directory is never worked in: a copy is built beside it and exchanged in one step at
//! the end, so that a failure, or a power cut, leaves the directory as it was. Commands run in
//! namespaces of their own; nothing of the root is executed outside them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Cursor;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::target::{Published, Target, Undelivered, VolumePlan};
use crate::bundle::Loss;
use crate::failure::{Failure, Kind};
use crate::monitor::Monitor;
use crate::system::{Command, Ran, RootSystem, System};
use crate::tree::{
    Draft, DraftContent, DraftNode, Extent, PlaceError, Problem, RootWriter, Rootfs, Store, Tree,
    copy_tree, exchange, exchangeable, remove_tree,
};

/// The new system under construction in a copy of a root.
pub(super) struct RootTarget {
    /// What the user named.
    named: PathBuf,
    /// The directory that this leads to.
    dir: PathBuf,
    /// The copy beside it.
    staged: Staged,
    system: RootSystem,
    /// Keeps other runs away from the directory; let go of last.
    _lock: File,
}

/// A directory that is removed unless it was published.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // What is still there has a name that says whose it is.
        remove_tree(&self.0).ok();
    }
}

impl RootTarget {
    /// Copies `named` to a directory beside it.
    ///
    /// # Errors
    /// Not an unpacked root that can be exchanged as a whole (precondition); another restore onto
    /// it is under way (locked); not root, no namespaces (environment).
    pub(super) fn open(named: &Path, monitor: &dyn Monitor) -> Result<RootTarget, Failure> {
        let opened = named.canonicalize().and_then(|dir| Ok((File::open(&dir)?, dir)));
        let (handle, dir) = opened.map_err(|e| refused(named, NOT_OPENED).because(e))?;
        let original = Rootfs::open(&dir).map_err(|e| refused(named, NOT_OPENED).because(e))?;
        let os = crate::survey::os_release(&original)
            .map_err(|e| refused(named, "the directory cannot be read").because(e))?;
        if os.id.is_empty() {
            return Err(refused(named, "it holds no operating system: there is no os-release"));
        }
        // Whether commands could run at all is known before the copy is made.
        RootSystem::open(&dir)?;
        exchangeable(&dir).map_err(|e| {
            refused(named, "it is a mount point, which cannot be exchanged")
                .because(e)
                .next("name a directory below the mount point")
        })?;
        let lock = lock(handle, named)?;
        remove_remains(&dir);
        let Some(copy) = beside(&dir) else {
            return Err(refused(named, "nothing can be built beside it"));
        };
        let staged = Staged(copy);
        let problems = copy_tree(&original, &staged.0, monitor)
            .map_err(|e| failed("copying", &staged.0, e))?;
        if let Some(mount) = original.skipped_mounts().first() {
            return Err(refused(named, "another file system is mounted in it")
                .next(format!("unmount {mount} in it and run the same command again")));
        }
        if let Some(first) = problems.first() {
            return Err(inexact(named, first, problems.len()));
        }
        let system = RootSystem::open(&staged.0)?;
        Ok(RootTarget { named: named.to_owned(), dir, staged, system, _lock: lock })
    }
}

const NOT_OPENED: &str = "the directory cannot be opened";

fn refused(dir: &Path, why: &str) -> Failure {
    Failure::new(Kind::Precondition, "restoring onto", dir.as_os_str().as_bytes())
        .why(why)
        .safe("the directory is as it was")
        .next("name a directory that holds an unpacked current system")
}

/// A copy that lacks something must not take the original's place.
fn inexact(dir: &Path, first: &Problem, count: usize) -> Failure {
    let why = format!("{count} of its entries cannot be copied as they are");
    Failure::new(Kind::Resource, "copying", dir.as_os_str().as_bytes())
        .why(format!("{why}; the first is {}: {}", first.path, first.what))
        .safe("the directory is as it was")
        .next("see the reason, then run the same command again")
}

fn failed(doing: &str, dir: &Path, error: PlaceError) -> Failure {
    // Asked to stop, that is the reason, whatever it broke.
    if let Err(ended) = crate::failure::check_cancelled(doing, &dir.to_string_lossy()) {
        return ended;
    }
    Failure::new(Kind::Resource, doing, dir.as_os_str().as_bytes())
        .because(error)
        .safe("the directory that was named is as it was")
        .next("see the reason, then run the same command again")
}

/// Keeps other runs away from the directory `handle` for as long as the answer lives.
fn lock(handle: File, named: &Path) -> Result<File, Failure> {
    match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(handle),
        Err(Errno::WOULDBLOCK) => {
            Err(Failure::new(Kind::Locked, "restoring onto", named.as_os_str().as_bytes())
                .why("another restore onto this directory is under way")
                .safe("this run changed nothing")
                .next("wait for its end, then run the same command again"))
        }
        Err(error) => Err(Failure::new(Kind::Resource, "locking", named.as_os_str().as_bytes())
            .because(error)
            .safe("the directory is as it was")),
    }
}

/// What the names of copies beside `dir` begin with: hidden, and saying what it is to whoever finds
/// one after a power cut.
fn prefix(dir: &Path) -> Option<OsString> {
    let mut name = OsString::from(".");
    name.push(dir.file_name()?);
    name.push(".regrow-staging-");
    Some(name)
}

/// The name of the copy.
fn beside(dir: &Path) -> Option<PathBuf> {
    let mut name = prefix(dir)?;
    name.push(std::process::id().to_string());
    Some(dir.with_file_name(name))
}

/// Removes the copies of runs that were killed. Under the lock no other run has one.
fn remove_remains(dir: &Path) {
    let (Some(prefix), Some(parent)) = (prefix(dir), dir.parent()) else { return };
    for found in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = found.file_name();
        let pid = name.as_bytes().strip_prefix(prefix.as_bytes());
        if pid.is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit)) {
            // What cannot be removed stays in sight and in nobody's way.
            remove_tree(&found.path()).ok();
        }
    }
}

fn place_node(
    writer: &mut RootWriter,
    node: &DraftNode,
    store: &dyn Store,
    dir: &Path,
) -> Result<(), Failure> {
    let unreadable = |e: std::io::Error| {
        Failure::new(Kind::Resource, "reading the archived", node.entry.path.as_bytes())
            .because(e)
            .safe("the directory that was named is as it was")
    };
    let placed = match &node.content {
        DraftContent::None => writer.place(&node.entry, None, &[]),
        DraftContent::Bytes(bytes) => {
            let whole = [Extent { offset: 0, length: bytes.len() as u64 }];
            let extents = if bytes.is_empty() { &whole[..0] } else { &whole[..] };
            writer.place(&node.entry, Some(&mut Cursor::new(bytes.as_slice())), extents)
        }
        DraftContent::Stored(id) => {
            let extents = store.extents(*id).map_err(unreadable)?;
            let mut content = store.open(*id).map_err(unreadable)?;
            writer.place(&node.entry, Some(&mut *content), &extents)
        }
    };
    placed.map_err(|e| failed("placing files in", dir, e))
}

impl Target for RootTarget {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.system.run(commands)
    }

    fn download(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.system.download(commands)
    }

    fn tree(&mut self, _scratch: &Path) -> Result<Arc<dyn Tree>, Failure> {
        let tree = Rootfs::open(&self.staged.0)
            .map_err(|e| Failure::new(Kind::Resource, "reading", "the staged root").because(e))?;
        Ok(Arc::new(tree))
    }

    fn place(
        &mut self,
        draft: &Draft,
        _volumes: &[VolumePlan],
        store: &dyn Store,
    ) -> Result<Undelivered, Failure> {
        let failed = |e: PlaceError| failed("placing files in", &self.staged.0, e);
        let mut writer = RootWriter::open(&self.staged.0).map_err(failed)?;
        for path in draft.deletions() {
            writer.remove(path).map_err(failed)?;
        }
        for node in draft.nodes() {
            crate::failure::check_cancelled("restoring onto", &self.named.to_string_lossy())?;
            place_node(&mut writer, node, store, &self.staged.0)?;
        }
        let placed = writer.finish().map_err(failed)?;
        let losses = placed.problems.iter().map(|problem| Loss {
            subject: problem.path.to_string(),
            what: problem.what.to_string(),
            why: "the file system of the new root does not take it".to_owned(),
        });
        Ok(Undelivered { losses: losses.collect(), limitations: vec![] })
    }

    fn seal(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn publish(&mut self) -> Result<Published, Failure> {
        exchange(&self.staged.0, &self.dir).map_err(|e| failed("exchanging", &self.dir, e))?;
        // What was there before is now the copy, and goes with it.
        Ok(Published::Root(self.named.clone()))
    }

    fn clean(&mut self) -> Vec<String> {
        let dir = &self.staged.0;
        let left = remove_tree(dir).err();
        left.map(|why| format!("{} is still there: {why}", dir.display())).into_iter().collect()
    }

    fn volume_names(&self) -> Vec<(String, String)> {
        vec![]
    }
}
