//! [`RootTarget`]: the new system as an unpacked root.
//!
//! The given directory is never worked in: a copy is built beside it and exchanged in one step at
//! the end, so that a failure, or a power cut, leaves the directory as it was. Commands run in
//! namespaces of their own; nothing of the root is executed outside them.
//!
//! Others may write around and in the directory meanwhile. The directory, the one that holds it and
//! the copy are opened once, and everything is done by these handles. What stands in the directory
//! is compared before the exchange with what stood there before the copy was made, and once more
//! behind it, when its name leads to it no longer; only then, with the new root durable, it goes.
//! Who has a file of it open at that time writes into what is removed, as with every removal.

use std::ffi::OsString;
use std::io::Cursor;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundle::Loss;
use crate::cancel::Cancel;
use crate::failure::{Failure, FailureKind, cancelled, check_cancelled};
use crate::monitor::Monitor;
use crate::restore::options::OnFailure;
use crate::restore::python::downloads::Downloads;
use crate::restore::target::journal::{self, Journal};
use crate::restore::target::{Builder, Published, Terms, Wanted};
use crate::system::{Command, Ran, RootSystem, System};
use crate::tree::{
    Census, CensusError, DraftContent, DraftNode, Exchanged, Extent, NamedDir, PlaceError, Problem,
    RootWriter, Rootfs, Store, Tree, copy_into,
};

/// The new system under construction in a copy of a root.
pub(in crate::restore) struct RootTarget {
    /// What the user named.
    named: PathBuf,
    roots: Roots,
    /// What stood in the root before the copy was made.
    census: Census,
    system: RootSystem,
    cancel: Cancel,
    /// Keeps other runs away from the directory; let go of last.
    _lock: OwnedFd,
}

/// The root that was named and its copy. One of them is removed in the end.
struct Roots {
    original: NamedDir,
    copy: NamedDir,
    journal: Journal,
    doomed: Doomed,
    /// What becomes of a copy that was not put in the root's place.
    on_failure: OnFailure,
}

/// Which root is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doomed {
    Copy,
    /// The copy stands in its place.
    Original,
    /// None is left to remove, or it is not known which.
    None,
}

impl Roots {
    fn remove(&mut self) -> Result<(), PlaceError> {
        match self.doomed {
            Doomed::Copy => self.copy.remove()?,
            Doomed::Original => self.original.remove()?,
            Doomed::None => return Ok(()),
        }
        self.doomed = Doomed::None;
        let path = self.copy.path();
        self.journal.end().map_err(|source| PlaceError::Host {
            act: "removing the record of",
            path,
            source,
        })
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        if self.on_failure == OnFailure::Keep && self.doomed == Doomed::Copy {
            return;
        }
        // What is still there is on record.
        self.remove().ok();
    }
}

impl RootTarget {
    /// Copies `named` to a directory beside it. What is installed there comes by way of `downloads`.
    ///
    /// # Errors
    /// Not an unpacked root that can be exchanged as a whole (precondition); another restore onto
    /// it is under way (locked); not root, no namespaces (environment).
    pub(in crate::restore) fn open(
        named: &Path,
        on_failure: OnFailure,
        downloads: &Downloads,
        monitor: &dyn Monitor,
    ) -> Result<RootTarget, Failure> {
        let cancel = monitor.cancel();
        let original = open_original(named, cancel)?;
        let Some(lock) = original.lock().map_err(|e| failed("locking", named, e))? else {
            return Err(Failure::new(
                FailureKind::Locked,
                "restoring onto",
                named.as_os_str().as_bytes(),
            )
            .why("another restore onto this directory is under way")
            .safe("this run changed nothing")
            .next("wait for its end, then run the same command again"));
        };
        journal::clear_beside(&original);
        for left in journal::unknown_beside(&original, &staging(&original)) {
            monitor.notice(&format!(
                "{} seems to be what another run left, and is not on record here: `regrow gc` \
                 removes it in the surroundings of that run (XDG_STATE_HOME); else look into it, and \
                 remove it by hand",
                left.display()
            ));
        }
        let tree = original.tree().map_err(|e| failed("reading", named, e))?;
        let census = Census::take(&tree).map_err(|e| uncounted(named, e))?;
        // A page that is dirty already takes stores through a mapping without another change time.
        // Once it is written back, the next store is stamped. What is stored before that comes
        // into the copy, as the copying begins only now.
        original.synchronise().map_err(|e| failed("synchronising", named, e))?;
        let roots = make_copy(named, original, on_failure)?;
        let problems = copy_into(&tree, &roots.copy, monitor)
            .map_err(|e| failed("copying", &roots.copy.path(), e))?;
        if let Some(mount) = tree.skipped_mounts().first() {
            return Err(refused(named, "another file system is mounted in it")
                .next(format!("unmount {mount} in it and run the same command again")));
        }
        if let Some(first) = problems.first() {
            return Err(inexact(named, first, problems.len()));
        }
        let system = enter(&roots.copy, cancel)?.by_way_of(&downloads.variables);
        let (named, cancel) = (named.to_owned(), cancel.clone());
        Ok(RootTarget { named, roots, census, system, cancel, _lock: lock })
    }

    /// Stops when something in the directory is not as it was when the copy was made.
    fn compare(&mut self) -> Result<(), Failure> {
        let tree = self.roots.original.tree().map_err(|e| failed("reading", &self.named, e))?;
        let found = self.census.differences(&tree).map_err(|e| uncounted(&self.named, e))?;
        if found.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Precondition,
            "restoring onto",
            self.named.as_os_str().as_bytes(),
        )
        .why(format!("it was changed while the new system was built: {found}"))
        .safe("nothing of it was replaced, and what was written into it is there")
        .next("see that nothing writes into it, then run the same command again"))
    }

    /// What is to be said when the exchange did not come about.
    fn not_exchanged(&mut self, exchanged: Exchanged) -> Result<(), Failure> {
        match exchanged {
            Exchanged::Done => Ok(()),
            Exchanged::Undone(error) => Err(failed("exchanging", &self.named, error)),
            Exchanged::TakenBack(error) => {
                Err(self.keep_both(failed("exchanging", &self.named, error)))
            }
            Exchanged::Astray(error) => Err(self.astray().because(error)),
        }
    }

    /// Takes the exchange back because of `why`.
    fn taken_back(&mut self, why: Failure) -> Failure {
        if let Err(error) = self.roots.copy.swap_back(&mut self.roots.original) {
            return self.astray().because(error);
        }
        self.keep_both(why)
    }

    /// The exchange was taken back because of `why`. For a moment the new system was in place, and
    /// others may have written into it: it is kept too.
    fn keep_both(&mut self, why: Failure) -> Failure {
        self.roots.doomed = Doomed::None;
        // With a record it would be removed by `gc`. One that stays is told again there.
        self.roots.journal.end().ok();
        let copy = self.roots.copy.path();
        why.safe(format!(
            "the directory is what it was, with all that was written into it; the new system, which \
             was in its place for a moment, is kept at {}",
            copy.display()
        ))
    }

    /// Both roots are kept when it is not known what stands where.
    fn astray(&mut self) -> Failure {
        self.roots.doomed = Doomed::None;
        let say = |root: &NamedDir, what: &str| match root.is_in_place() {
            true => format!("{what} is at {}", root.path().display()),
            false => format!("{what} was moved from {} by somebody else", root.path().display()),
        };
        let (old, new) = (&self.roots.original, &self.roots.copy);
        Failure::new(FailureKind::Resource, "exchanging", self.named.as_os_str().as_bytes())
            .safe(format!("{}, {}", say(old, "the old root"), say(new, "the new root")))
            .next("put the root that you want in its place, and remove the other one")
    }
}

/// Opens the root, and everything that must hold is looked at before anything is made.
fn open_original(named: &Path, cancel: &Cancel) -> Result<NamedDir, Failure> {
    let dir = named.canonicalize().map_err(|e| refused(named, NOT_OPENED).because(e))?;
    // The whole file system's root has no name and nothing beside it.
    if dir.file_name().is_none() {
        return Err(refused(named, "nothing can be built beside it"));
    }
    let original = NamedDir::open(&dir).map_err(|e| {
        let mounted = matches!(&e, PlaceError::Host { source, .. }
            if source.kind() == std::io::ErrorKind::ResourceBusy);
        match mounted {
            true => refused(named, "it is a mount point, which cannot be exchanged")
                .because(e)
                .next("name a directory below the mount point"),
            false => refused(named, NOT_OPENED).because(e),
        }
    })?;
    let tree = original.tree().map_err(|e| refused(named, NOT_OPENED).because(e))?;
    let os = crate::survey::os_release(&tree)
        .map_err(|e| refused(named, "the directory cannot be read").because(e))?;
    if os.id.is_empty() {
        return Err(refused(named, "it holds no operating system: there is no os-release"));
    }
    // Whether commands could run at all is known before the copy is made.
    enter(&original, cancel)?;
    Ok(original)
}

fn enter(root: &NamedDir, cancel: &Cancel) -> Result<RootSystem, Failure> {
    let handle = root.handle().map_err(|e| failed("entering", &root.path(), e))?;
    RootSystem::at(handle, &root.path(), cancel)
}

/// Makes an empty directory for the copy, on record.
fn make_copy(named: &Path, original: NamedDir, on_failure: OnFailure) -> Result<Roots, Failure> {
    let name = beside(&original);
    let unwritten = |e: std::io::Error| {
        Failure::new(
            FailureKind::Resource,
            "writing the record of the copy beside",
            named.as_os_str().as_bytes(),
        )
        .because(e)
        .safe("the directory is as it was")
        .next("make room and a writable place for it: /var/lib, or what XDG_STATE_HOME names")
    };
    let mut journal = Journal::begin(&original, &name).map_err(unwritten)?;
    let copy = match original.make_beside(&name) {
        Ok(copy) => copy,
        Err(error) => {
            // Nothing was made that it could be about.
            journal.end().ok();
            return Err(failed("copying", &original.path().with_file_name(name), error));
        }
    };
    let made = journal.made(&copy);
    let roots = Roots { original, copy, journal, doomed: Doomed::Copy, on_failure };
    made.map_err(unwritten)?;
    Ok(roots)
}

fn uncounted(dir: &Path, error: CensusError) -> Failure {
    Failure::new(FailureKind::Resource, "listing", dir.as_os_str().as_bytes())
        .because(error)
        .safe("the directory that was named is as it was")
        .next("see the reason, then run the same command again")
}

const NOT_OPENED: &str = "the directory cannot be opened";

fn refused(dir: &Path, why: &str) -> Failure {
    Failure::new(FailureKind::Precondition, "restoring onto", dir.as_os_str().as_bytes())
        .why(why)
        .safe("the directory is as it was")
        .next("name a directory that holds an unpacked current system")
}

/// A copy that lacks something must not take the original's place.
fn inexact(dir: &Path, first: &Problem, count: usize) -> Failure {
    let why = format!("{count} of its entries cannot be copied as they are");
    Failure::new(FailureKind::Resource, "copying", dir.as_os_str().as_bytes())
        .why(format!("{why}; the first is {}: {}", first.path, first.what))
        .safe("the directory is as it was")
        .next("see the reason, then run the same command again")
}

fn failed(doing: &str, dir: &Path, error: PlaceError) -> Failure {
    if let PlaceError::Cancelled(signal) = error {
        return cancelled(signal, doing, &dir.to_string_lossy());
    }
    Failure::new(FailureKind::Resource, doing, dir.as_os_str().as_bytes())
        .because(error)
        .safe("the directory that was named is as it was")
        .next("see the reason, then run the same command again")
}

/// What the names of all copies of a root begin with.
fn staging(original: &NamedDir) -> OsString {
    let mut name = OsString::from(".");
    name.push(original.name());
    name.push(".regrow-staging-");
    name
}

/// The name of the copy: hidden, and saying what it is to whoever finds it.
fn beside(original: &NamedDir) -> OsString {
    let mut name = staging(original);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    name.push(format!("{}.{nanos:x}", std::process::id()));
    name
}

fn place_node(
    writer: &mut RootWriter,
    node: &DraftNode,
    store: &dyn Store,
    dir: &Path,
) -> Result<(), Failure> {
    let unreadable = |e: std::io::Error| {
        Failure::new(FailureKind::Resource, "reading the archived", node.entry.path.as_bytes())
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

impl System for RootTarget {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.system.run(commands)
    }

    fn download(&mut self, command: Command) -> Result<Ran, Failure> {
        self.system.download(command)
    }
}

impl Builder for RootTarget {
    fn terms(&self, _wanted: Wanted<'_>) -> Result<Terms, Failure> {
        Ok(Terms::default())
    }

    fn tree(&mut self, _scratch: &Path) -> Result<Arc<dyn Tree>, Failure> {
        let tree: Rootfs = self.roots.copy.tree().map_err(|e| {
            Failure::new(FailureKind::Resource, "reading", "the staged root").because(e)
        })?;
        Ok(Arc::new(tree))
    }

    fn place(
        &mut self,
        _below: &dyn Tree,
        Wanted { draft, volumes: _, settings: _ }: Wanted<'_>,
        store: &dyn Store,
    ) -> Result<Vec<Loss>, Failure> {
        let copy = self.roots.copy.path();
        let failed = |e: PlaceError| failed("placing files in", &copy, e);
        let mut writer = self.roots.copy.writer().map_err(failed)?;
        for path in draft.deletions() {
            writer.remove(path).map_err(failed)?;
        }
        for node in draft.nodes() {
            check_cancelled(&self.cancel, "restoring onto", &self.named.to_string_lossy())?;
            place_node(&mut writer, node, store, &copy)?;
        }
        let placed = writer.finish().map_err(failed)?;
        let losses = placed.problems.iter().map(|problem| Loss {
            subject: problem.path.to_string(),
            what: problem.what.to_string(),
            why: "the file system of the new root does not take it".to_owned(),
        });
        Ok(losses.collect())
    }

    fn seal(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn publish(&mut self) -> Result<Published, Failure> {
        let Roots { copy, .. } = &self.roots;
        // A rename may reach the disk before the content of what it names.
        copy.synchronise().map_err(|e| failed("exchanging", &self.named, e))?;
        self.compare()?;
        let exchanged = self.roots.copy.exchange(&mut self.roots.original);
        self.not_exchanged(exchanged)?;
        // Its name leads to it no longer: whoever wrote into it, did so before this.
        let compared = self.compare();
        let settled = compared.and_then(|()| {
            let written = self.roots.journal.settled();
            written.map_err(|e| {
                Failure::new(FailureKind::Resource, "exchanging", self.named.as_os_str().as_bytes())
                    .because(e)
                    .safe("the directory that was named is as it was")
                    .next("see the reason, then run the same command again")
            })
        });
        if let Err(why) = settled {
            return Err(self.taken_back(why));
        }
        self.roots.doomed = Doomed::Original;
        Ok(Published::Root(self.named.clone()))
    }

    fn clean(&mut self) -> Vec<String> {
        let left = self.roots.remove().err();
        let said = |why| {
            let path = self.roots.original.path();
            format!("the replaced root {} is still there: {why}", path.display())
        };
        left.map(said).into_iter().collect()
    }
}
