//! [`Rootfs`]: a tree on disk, read by directory handle.
//!
//! The tree may have been made by somebody who wishes us harm and may be changed while it is
//! read. Invariant: whatever happens inside it, nothing outside it is ever read, and an entry,
//! its attributes and its content belong to one inode, or there is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::content::{FileContent, data_runs};
use super::descent::{Descent, Known};
use super::dir::{Dir, Inode, Node, Stat, flag_words, is_absent};
use super::{Content, Entry, Extent, Kind, LinkGroup, Meta, RootPath, Tree, TreeError, Xattrs};

/// The longest path that is listed, in bytes: far beyond what programs can name (4096), and
/// short enough that a hostile tree cannot fill the memory with its paths.
const MAX_PATH: usize = 32 * 1024;

/// An unpacked root, or any other directory, as a tree.
///
/// Other mounts below it are not crossed: a mount point is listed, what is mounted there is not.
#[derive(Debug)]
pub struct Rootfs {
    root: Dir,
    skipped: Mutex<BTreeSet<RootPath>>,
    flagged: Mutex<Flagged>,
    /// Link groups of files whose inode numbers are of another device than the root's, as an
    /// overlay of several file systems shows them.
    foreign: Mutex<BTreeMap<Inode, u64>>,
}

/// Files with flags that no tree shows, as walks so far have met them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flagged {
    /// Their paths, each with its flags in words.
    pub listed: BTreeMap<RootPath, String>,
    /// How many more there are.
    pub more: usize,
}

/// More files with flags than this are only counted.
const MAX_FLAGGED: usize = 1000;

impl Rootfs {
    /// Opens the directory at `path`, a path of the host whose links are followed.
    ///
    /// # Errors
    /// When it is not a directory or cannot be opened, and when `/proc` is not mounted, through
    /// which alone attributes can be read without a race.
    pub fn open(path: &Path) -> Result<Rootfs, TreeError> {
        let opened = Dir::open(path).map_err(|errno| match errno {
            Errno::NOTCONN => std::io::Error::other("`/proc` is not mounted on this host"),
            errno => errno.into(),
        });
        let root = opened.map_err(|e| TreeError::io("opening", &RootPath::root(), e))?;
        Ok(Rootfs::of(root))
    }

    /// The directory behind a handle.
    ///
    /// # Errors
    /// When it is not a directory.
    pub fn at(handle: BorrowedFd<'_>) -> Result<Rootfs, TreeError> {
        let again = handle
            .try_clone_to_owned()
            .map_err(|e| TreeError::io("opening", &RootPath::root(), e))?;
        let dir = Dir::from_fd(again).map_err(|e| failed("opening", &RootPath::root(), e))?;
        Ok(Rootfs::of(dir))
    }

    pub(super) fn of(root: Dir) -> Rootfs {
        Rootfs {
            root,
            skipped: Mutex::default(),
            flagged: Mutex::default(),
            foreign: Mutex::default(),
        }
    }

    /// The mount points below the root that walks so far have met and not crossed.
    pub fn skipped_mounts(&self) -> Vec<RootPath> {
        lock(&self.skipped).iter().cloned().collect()
    }

    /// The files with flags (`chattr`) that walks so far have met: no bundle carries these.
    pub fn flagged(&self) -> Flagged {
        lock(&self.flagged).clone()
    }

    fn note_flags(&self, entry: &Entry, node: &Node) {
        if node.stat.flags.is_empty() {
            return;
        }
        let mut flagged = lock(&self.flagged);
        if flagged.listed.len() < MAX_FLAGGED || flagged.listed.contains_key(&entry.path) {
            flagged.listed.insert(entry.path.clone(), flag_words(node.stat.flags));
        } else {
            flagged.more += 1;
        }
    }

    fn find(&self, path: &RootPath) -> Result<Option<Node>, Errno> {
        let Some(parent) = path.parent() else { return self.root.own().map(Some) };
        match self.root.below(&parent) {
            Ok(dir) => dir.find(path.name()),
            Err(errno) if is_absent(errno) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn entry_of(&self, path: RootPath, node: &Node) -> Result<Entry, TreeError> {
        match node.kind().and_then(|kind| Ok((kind, node.xattrs()?))) {
            Ok((kind, xattrs)) => Ok(self.entry_with(path, kind, &node.stat, xattrs)),
            Err(errno) => Err(failed("reading", &path, errno)),
        }
    }

    fn entry_with(&self, path: RootPath, kind: Kind, stat: &Stat, xattrs: Xattrs) -> Entry {
        let Stat { mode, uid, gid, mtime, ctime, .. } = *stat;
        let links = (!kind.is_dir() && stat.names > 1).then(|| self.link_group(stat.inode));
        let meta = Meta { mode, uid, gid, mtime, xattrs };
        Entry { path, kind, meta, ctime: Some(ctime), links }
    }

    /// The number of the group is the inode's, so that it needs no memory and is the same in
    /// every walk. Files of another device are counted down from the end of the range, which no
    /// file system's inode numbers reach.
    fn link_group(&self, inode: Inode) -> LinkGroup {
        if inode.dev == self.root.inode.dev {
            return LinkGroup(inode.ino);
        }
        let mut foreign = lock(&self.foreign);
        let next = u64::MAX - foreign.len() as u64;
        LinkGroup(*foreign.entry(inode).or_insert(next))
    }

    /// The node that `entry` describes, as it was then.
    fn same(&self, entry: &Entry) -> Result<Node, TreeError> {
        let changed =
            |what: &str| TreeError::Changed { path: entry.path.clone(), what: what.into() };
        let found = self.find(&entry.path).map_err(|e| failed("opening", &entry.path, e))?;
        let node = found.ok_or_else(|| changed("it is gone"))?;
        let stat = &node.stat;
        if stat.file_type != FileType::RegularFile || !entry.kind.is_file() {
            return Err(changed("it is not a regular file"));
        }
        if stat.mount != self.root.mount {
            return Err(failed("opening", &entry.path, Errno::XDEV));
        }
        if stat.size != entry.kind.size() {
            let size = entry.kind.size();
            return Err(changed(&format!("{size} bytes before, {} now", stat.size)));
        }
        if stat.mtime != entry.meta.mtime || entry.ctime.is_some_and(|ctime| ctime != stat.ctime) {
            return Err(changed("it was written to or replaced"));
        }
        Ok(node)
    }
}

fn failed(act: &'static str, path: &RootPath, errno: Errno) -> TreeError {
    TreeError::io(act, path, errno.into())
}

/// A panic elsewhere leaves these sets as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Tree for Rootfs {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        let progress = Progress::Before;
        Box::new(Walk { tree: self, progress, dir: RootPath::root(), failed: None })
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        match self.find(path).map_err(|errno| failed("reading", path, errno))? {
            None => Ok(None),
            Some(node) => self.entry_of(path.clone(), &node).map(Some),
        }
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let dir = match self.root.below(path) {
            Ok(dir) => dir,
            Err(errno) if is_absent(errno) => return Ok(vec![]),
            Err(errno) => return Err(failed("listing", path, errno)),
        };
        let names = dir.names().map_err(|errno| failed("listing", path, errno))?;
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let child = path.child(&name);
            let node = dir.node(&name).map_err(|errno| failed("reading", &child, errno))?;
            entries.push(self.entry_of(child, &node)?);
        }
        Ok(entries)
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let node = self.same(entry)?;
        let content = FileContent::new(node).map_err(|e| failed("opening", &entry.path, e))?;
        Ok(Box::new(content))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let node = self.same(entry)?;
        let runs = node.content().and_then(|file| data_runs(&file, node.stat.size));
        runs.map_err(|errno| failed("finding the holes of", &entry.path, errno))
    }
}

enum Progress {
    Before,
    Inside(Descent),
    Over,
}

struct Walk<'a> {
    tree: &'a Rootfs,
    progress: Progress,
    /// The directory the walk is in.
    dir: RootPath,
    /// What follows the directory that was just given: its listing failed.
    failed: Option<TreeError>,
}

impl Walk<'_> {
    fn begin(&mut self) -> Result<Entry, TreeError> {
        self.progress = Progress::Over;
        let root = RootPath::root();
        let opened = self.tree.root.again().and_then(|dir| Ok((dir.own()?, dir)));
        let (node, dir) = opened.map_err(|errno| failed("opening", &root, errno))?;
        let entry = self.tree.entry_of(root, &node)?;
        match Descent::new(dir) {
            Ok(descent) => self.progress = Progress::Inside(descent),
            Err(errno) => self.failed = Some(failed("listing", &entry.path, errno)),
        }
        Ok(entry)
    }
}

/// The entry called `name` in the current directory `dir`, which the walk goes down into when it
/// is a directory of this mount; an error beside it says that this was not possible. What is
/// `known` of it needs not be asked.
fn visit(
    tree: &Rootfs,
    descent: &mut Descent,
    dir: &RootPath,
    name: &[u8],
    known: Known,
) -> Result<(Entry, Option<Errno>), TreeError> {
    let path = dir.child(name);
    if let Known::File(stat) = known
        && stat.mount == tree.root.mount
        && stat.flags.is_empty()
    {
        let kind = Kind::File { size: stat.size };
        return Ok((tree.entry_with(path, kind, &stat, Xattrs::new()), None));
    }
    let node = descent.dir().and_then(|dir| dir.node(name));
    let node = node.map_err(|errno| failed("reading", &path, errno))?;
    let entry = tree.entry_of(path, &node)?;
    tree.note_flags(&entry, &node);
    if node.stat.mount != tree.root.mount {
        lock(&tree.skipped).insert(entry.path.clone());
    } else if entry.kind.is_dir() {
        let entered = if entry.path.as_bytes().len() > MAX_PATH {
            Err(Errno::NAMETOOLONG)
        } else {
            node.into_dir().and_then(|dir| descent.enter(name, dir, known))
        };
        return Ok((entry, entered.err()));
    }
    Ok((entry, None))
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        if matches!(self.progress, Progress::Before) {
            return Some(self.begin());
        }
        let Progress::Inside(descent) = &mut self.progress else { return None };
        loop {
            let Some((name, known)) = descent.next_known() else {
                descent.leave()?;
                self.dir = self.dir.parent().unwrap_or_else(RootPath::root);
                continue;
            };
            let depth = descent.depth();
            return Some(match visit(self.tree, descent, &self.dir, &name, known) {
                Err(error) => Err(error),
                Ok((entry, refused)) => {
                    if descent.depth() > depth {
                        self.dir = entry.path.clone();
                    }
                    self.failed = refused.map(|errno| failed("listing", &entry.path, errno));
                    Ok(entry)
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::fs::{FileExt, symlink};

    use rustix::fs::Mode;

    use super::*;
    use crate::tree::descent::SCOUTED;
    use crate::tree::testing::{Swapper, node, path};
    use crate::tree::{read_file, resolve};

    fn paths(tree: &Rootfs) -> Vec<RootPath> {
        tree.walk().map(|entry| entry.unwrap().path).collect()
    }

    /// Looking ahead begins where nothing has changed for some seconds, as in the host's own files.
    #[test]
    fn a_walk_that_looks_ahead_finds_what_is_there() {
        let tree = Rootfs::open(Path::new("/usr/share/doc")).unwrap();
        let walked: Vec<Entry> = tree.walk().map(Result::unwrap).collect();
        assert!(walked.iter().filter(|entry| entry.kind.is_dir()).count() > SCOUTED);
        let mut listed = vec![];
        let mut rest = vec![tree.entry(&RootPath::root()).unwrap().unwrap()];
        while let Some(entry) = rest.pop() {
            if entry.kind.is_dir() {
                rest.extend(tree.children(&entry.path).unwrap().into_iter().rev());
            }
            listed.push(entry);
        }
        assert_eq!(walked, listed);
    }

    #[test]
    fn a_walk_is_in_path_order_and_agrees_with_lookups() {
        let temp = tempfile::tempdir().unwrap();
        for dir in ["a/b", "a-b", "a.c/d", "A"] {
            fs::create_dir_all(temp.path().join(dir)).unwrap();
        }
        fs::write(temp.path().join("a/b/file"), "x").unwrap();
        fs::hard_link(temp.path().join("a/b/file"), temp.path().join("a-b/other")).unwrap();
        let tree = Rootfs::open(temp.path()).unwrap();
        let want = ["/", "/A", "/a", "/a/b", "/a/b/file", "/a-b", "/a-b/other", "/a.c", "/a.c/d"];
        assert_eq!(paths(&tree), want.map(path));
        for entry in tree.walk().map(Result::unwrap) {
            assert_eq!(tree.entry(&entry.path).unwrap().unwrap(), entry);
        }
        let a = tree.children(&path("/a")).unwrap();
        assert_eq!(a, [tree.entry(&path("/a/b")).unwrap().unwrap()]);
        assert_eq!(tree.children(&path("/a/b/file")).unwrap(), []);
        assert_eq!(tree.skipped_mounts(), []);
    }

    #[test]
    fn links_are_entries_and_lead_nowhere_else() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir_all(root.join("dir")).unwrap();
        fs::write(temp.path().join("secret"), "victim").unwrap();
        fs::write(root.join("dir/file"), "ours").unwrap();
        symlink("../../..", root.join("up")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("/proc/self/root/etc", root.join("magic")).unwrap();
        symlink("dir", root.join("inside")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let tree = Rootfs::open(&root).unwrap();
        let names = ["/", "/dir", "/dir/file", "/etc", "/inside", "/loop", "/magic", "/out", "/up"];
        assert_eq!(paths(&tree), names.map(path));
        for at in ["/up/etc/passwd", "/etc/passwd", "/magic/passwd", "/inside/file", "/loop/x"] {
            assert_eq!(tree.entry(&path(at)).unwrap(), None, "{at}");
            assert_eq!(tree.children(&path(at).parent().unwrap()).unwrap(), [], "{at}");
        }
        for at in ["/out", "/etc/passwd", "/magic/passwd", "/up/secret"] {
            // A link to its own path is a loop where the root is the tree's.
            let found = read_file(&tree, &path(at), 1 << 20);
            assert!(matches!(found, Ok(None) | Err(TreeError::Loop { .. })), "{at}: {found:?}");
        }
        let file = resolve(&tree, &path("/inside/file")).unwrap();
        assert_eq!(file, Some(path("/dir/file")));
    }

    #[test]
    fn what_is_no_regular_file_is_never_opened() {
        let temp = tempfile::tempdir().unwrap();
        node(&temp.path().join("fifo"), FileType::Fifo, 0);
        let tree = Rootfs::open(temp.path()).unwrap();
        let mut entry = tree.entry(&path("/fifo")).unwrap().unwrap();
        assert_eq!(entry.kind, Kind::Fifo);
        assert!(matches!(tree.open(&entry), Err(TreeError::Changed { .. })));
        // As if it had been a file when it was listed.
        entry.kind = Kind::File { size: 0 };
        assert!(matches!(tree.open(&entry), Err(TreeError::Changed { .. })));
        assert!(matches!(tree.extents(&entry), Err(TreeError::Changed { .. })));
    }

    #[test]
    fn a_file_that_is_not_as_it_was_listed_is_not_read() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        let tree = Rootfs::open(temp.path()).unwrap();
        let changes: [fn(&Path); 4] = [
            |file| fs::write(file, "longer than before").unwrap(),
            |file| fs::write(file, "BEFORE").unwrap(),
            |file| fs::remove_file(file).unwrap(),
            |file| {
                fs::write(file.with_extension("new"), "before").unwrap();
                fs::rename(file.with_extension("new"), file).unwrap();
            },
        ];
        for change in changes {
            fs::write(&file, "before").unwrap();
            let entry = tree.entry(&path("/file")).unwrap().unwrap();
            tree.open(&entry).unwrap();
            // Longer than the clock of a file system needs for one step.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(&file);
            assert!(matches!(tree.open(&entry), Err(TreeError::Changed { .. })));
            let without_ctime = Entry { ctime: None, ..entry };
            assert!(matches!(tree.open(&without_ctime), Err(TreeError::Changed { .. })));
        }
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_an_error_of_the_reader() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        let changes: [fn(&fs::File); 3] = [
            |file| file.set_len(10).unwrap(),
            |file| file.set_len(1 << 20).unwrap(),
            |file| file.write_all_at(b"x", 99_999).unwrap(),
        ];
        for change in changes {
            fs::write(&file, vec![1; 100_000]).unwrap();
            let tree = Rootfs::open(temp.path()).unwrap();
            let entry = tree.entry(&path("/file")).unwrap().unwrap();
            let mut content = tree.open(&entry).unwrap();
            content.read_exact(&mut [0; 100]).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(&fs::OpenOptions::new().write(true).open(&file).unwrap());
            assert!(content.read_to_end(&mut Vec::new()).is_err());
            // Nor does a reader that knows the size and never asks for the end get away with it.
            let mut content = FileContent::new(tree.find(&entry.path).unwrap().unwrap()).unwrap();
            let mut whole = vec![0; usize::try_from(content.size()).unwrap()];
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(&fs::OpenOptions::new().write(true).open(&file).unwrap());
            fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"x").unwrap();
            assert!(content.read_exact(&mut whole).is_err());
        }
    }

    #[test]
    fn a_reader_seeks_within_the_file_only() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "0123456789").unwrap();
        let tree = Rootfs::open(temp.path()).unwrap();
        let entry = tree.entry(&path("/file")).unwrap().unwrap();
        let mut content = tree.open(&entry).unwrap();
        let mut rest = String::new();
        assert_eq!(content.seek(SeekFrom::End(-3)).unwrap(), 7);
        assert_eq!(content.seek(SeekFrom::Current(1)).unwrap(), 8);
        content.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "89");
        assert!(content.seek(SeekFrom::Start(11)).is_err());
        assert!(content.seek(SeekFrom::Current(-11)).is_err());
    }

    #[test]
    fn holes_are_found() {
        let temp = tempfile::tempdir().unwrap();
        let mut file = fs::File::create(temp.path().join("file")).unwrap();
        file.seek(SeekFrom::Start(1 << 20)).unwrap();
        file.write_all(&[1; 4096]).unwrap();
        file.set_len(1 << 40).unwrap();
        fs::File::create(temp.path().join("none")).unwrap();
        let tree = Rootfs::open(temp.path()).unwrap();
        let runs = |at| tree.extents(&tree.entry(&path(at)).unwrap().unwrap()).unwrap();
        assert_eq!(runs("/file"), [Extent { offset: 1 << 20, length: 4096 }]);
        assert_eq!(runs("/none"), []);
    }

    #[test]
    fn a_tree_deeper_than_there_are_handles_is_walked_read_and_removed() {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut at = Dir::open(&top).unwrap();
        let mut deepest = RootPath::root();
        for level in 0..3000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            // Something behind the directory, for the way back up.
            if level % 100 == 0 {
                rustix::fs::mkdirat(&at, "e", Mode::RWXU).unwrap();
            }
            at = at.node(b"d").unwrap().into_dir().unwrap();
            deepest = deepest.child(b"d");
        }
        rustix::fs::symlinkat("target", &at, "link").unwrap();
        let tree = Rootfs::open(&top).unwrap();
        let handles = || fs::read_dir("/proc/self/fd").unwrap().count();
        let (before, mut most) = (handles(), 0);
        let mut found = Vec::new();
        for (number, entry) in tree.walk().enumerate() {
            found.push(entry.unwrap().path);
            if number % 100 == 0 {
                most = most.max(handles());
            }
        }
        // Other tests run beside this one and open a few.
        assert!(most < before + 200, "{before} {most}");
        assert_eq!(found.len(), 1 + 3000 + 30 + 1);
        assert!(found.is_sorted());
        assert_eq!(tree.entry(&deepest).unwrap().unwrap().kind, Kind::Dir);
        assert_eq!(tree.children(&deepest).unwrap()[0].path, deepest.child(b"link"));
        crate::tree::remove_tree(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn a_mount_is_listed_and_not_entered() {
        let tree = Rootfs::open(Path::new("/")).unwrap();
        let proc = tree.entry(&path("/proc")).unwrap().unwrap();
        assert!(proc.kind.is_dir());
        assert_eq!(tree.entry(&path("/proc/self")).unwrap(), None);
        assert_eq!(tree.entry(&path("/proc/1/status")).unwrap(), None);
        assert_eq!(tree.children(&path("/proc")).unwrap(), []);
    }

    /// While a directory and a link to the victim's take turns under one name.
    #[test]
    fn a_directory_swapped_for_a_link_never_shows_the_victim() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        let victim = temp.path().join("victim");
        for (dir, text) in [(&root.join("dir"), "ours"), (&victim, "victim")] {
            fs::create_dir_all(dir.join("sub")).unwrap();
            fs::write(dir.join("file"), text).unwrap();
            fs::write(dir.join(format!("only-{text}")), text).unwrap();
            fs::write(dir.join("sub/deep"), text).unwrap();
        }
        symlink(&victim, root.join("swap")).unwrap();
        let swapper = Swapper::start(&root.join("dir"), &root.join("swap"));
        let tree = Rootfs::open(&root).unwrap();
        let mut read = 0;
        while !swapper.is_over() {
            for entry in tree.walk().flatten() {
                assert_ne!(entry.path.name(), b"only-victim");
                read += check(&tree, &entry);
            }
            for at in ["/dir/file", "/dir/sub/deep", "/swap/file"] {
                if let Ok(Some(entry)) = tree.entry(&path(at)) {
                    read += check(&tree, &entry);
                }
            }
            for entry in tree.children(&path("/dir")).into_iter().flatten() {
                assert_ne!(entry.path.name(), b"only-victim");
            }
        }
        assert!(read > 100 && swapper.finish() > 1000, "{read}");
    }

    fn check(tree: &Rootfs, entry: &Entry) -> usize {
        let Ok(mut content) = tree.open(entry) else { return 0 };
        let mut text = String::new();
        match content.read_to_string(&mut text) {
            Ok(_) => assert_eq!(text, "ours", "{entry:?}"),
            Err(_) => assert!(!text.contains('v')),
        }
        1
    }
}
