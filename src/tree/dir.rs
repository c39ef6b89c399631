//! [`Dir`] and [`Node`]: the handles through which a tree on disk is touched.
//!
//! A path string is a question that can get another answer each time it is asked; a handle is not.
//! Invariant: a name is looked up in an open directory, its last component is never followed, no
//! symlink, magic link, `..` or mount point is crossed on the way, and all that is said about a
//! node (type, metadata, attributes, content) comes from the one inode that was opened.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::{Kind, RootPath, Time, Xattrs};

/// One inode of one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Inode {
    pub(super) dev: u64,
    pub(super) ino: u64,
}

/// What the system says about an open node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) inode: Inode,
    /// Tells mounts apart; where the kernel does not number them, file systems.
    pub(super) mount: u64,
    pub(super) file_type: FileType,
    pub(super) names: u32,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    pub(super) mtime: Time,
    pub(super) ctime: Time,
    /// Of the flags that a file system keeps beside the mode, those that nothing carries over.
    pub(super) flags: StatxAttributes,
    rdev: (u32, u32),
}

/// An open directory. It is a place to look names up in, not yet a right to read them.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    pub(super) inode: Inode,
    pub(super) mount: u64,
}

/// An open node of any type, opened without touching what is behind it.
#[derive(Debug)]
pub(super) struct Node {
    fd: OwnedFd,
    pub(super) stat: Stat,
}

/// What a first look at a name shows, without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Glance {
    /// A regular file without attributes: that is all there is to know.
    File(Stat),
    /// A directory, most likely.
    Dir,
    /// It has to be opened to be known.
    Unknown,
}

/// What of a path is handed to the kernel at once; it takes 4096 bytes.
const PIECE: usize = 4000;

/// How often a lookup that the kernel could not finish because of a concurrent rename is repeated.
const ATTEMPTS: usize = 100;

/// Set once the kernel, or a filter before it, turned out not to know `openat2`.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

const OPEN_DIR: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Whether `errno` says that a path leads to nothing in this tree: it is not there, or the way to
/// it passes something that is no directory, a symlink or a mount point.
pub(super) fn is_absent(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG)
}

/// How long ago the last change of a directory has to be, in seconds, for the next one to get
/// another time: file systems count in steps, of two seconds at worst.
const SETTLED: i64 = 3;
const FLAGS: StatxAttributes = StatxAttributes::IMMUTABLE
    .union(StatxAttributes::APPEND)
    .union(StatxAttributes::NODUMP)
    .union(StatxAttributes::VERITY);

/// The names of `flags`, as `chattr` and `lsattr` explain them.
pub(super) fn flag_words(flags: StatxAttributes) -> String {
    let words = [
        (StatxAttributes::IMMUTABLE, "immutable"),
        (StatxAttributes::APPEND, "append only"),
        (StatxAttributes::NODUMP, "no dump"),
        (StatxAttributes::VERITY, "verity"),
    ];
    let set = words.into_iter().filter(|(flag, _)| flags.contains(*flag));
    set.map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

fn stat(fd: BorrowedFd<'_>) -> Result<Stat, Errno> {
    stat_of(fd, b"", AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)
}

fn stat_of(at: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let found = rustix::fs::statx(at, name, flags | AtFlags::NO_AUTOMOUNT, wanted)?;
    let time = |at: rustix::fs::StatxTimestamp| Time { secs: at.tv_sec, nanos: at.tv_nsec };
    let dev = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
    let numbered = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    Ok(Stat {
        inode: Inode { dev, ino: found.stx_ino },
        mount: if numbered { found.stx_mnt_id } else { dev },
        file_type: FileType::from_raw_mode(u32::from(found.stx_mode)),
        names: found.stx_nlink,
        mode: u32::from(found.stx_mode) & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        size: found.stx_size,
        mtime: time(found.stx_mtime),
        ctime: time(found.stx_ctime),
        flags: found.stx_attributes & FLAGS,
        rdev: (found.stx_rdev_major, found.stx_rdev_minor),
    })
}

/// The path under which the kernel shows this process its own handle: following it arrives at
/// exactly the open inode, whatever its names have become, and at a symlink itself.
fn proc_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Opens without leaving a trace in the access time where the system allows that.
fn open_quietly(dir: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(dir, path, flags, Mode::empty()),
        done => done,
    }
}

impl Dir {
    /// Opens the directory at a path of the host, given by the user: links in it are followed.
    ///
    /// `ENOTCONN` stands for a missing `/proc`, without which attributes cannot be read safely.
    pub(super) fn open(path: &Path) -> Result<Dir, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = Dir::from_fd(rustix::fs::open(path, flags, Mode::empty())?)?;
        match rustix::fs::readlink(proc_path(dir.fd.as_fd()), Vec::new()) {
            Ok(_) => Ok(dir),
            Err(_) => Err(Errno::NOTCONN),
        }
    }

    /// The directory behind an open handle.
    pub(super) fn from_fd(fd: OwnedFd) -> Result<Dir, Errno> {
        let Stat { inode, mount, .. } = stat(fd.as_fd())?;
        Ok(Dir { fd, inode, mount })
    }

    /// Another handle of the same directory.
    pub(super) fn again(&self) -> Result<Dir, Errno> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.fd, 0)?;
        Ok(Dir { fd, inode: self.inode, mount: self.mount })
    }

    /// The directory at `path` below this one, of any depth.
    pub(super) fn below(&self, path: &RootPath) -> Result<Dir, Errno> {
        let mut at = self.again()?;
        let mut rest = path.relative();
        while !rest.is_empty() {
            let cut = match rest.get(..PIECE) {
                None => rest.len(),
                Some(head) => head.iter().rposition(|&b| b == b'/').ok_or(Errno::NAMETOOLONG)?,
            };
            at = at.descend(&rest[..cut])?;
            rest = rest.get(cut + 1..).unwrap_or_default();
        }
        Ok(at)
    }

    /// `..`, where it still is the directory `inode`; the answer may be out of date, so it is
    /// never followed blindly.
    pub(super) fn up(&self, inode: Inode) -> Result<Dir, Errno> {
        let dir = Dir::from_fd(rustix::fs::openat(&self.fd, c"..", OPEN_DIR, Mode::empty())?)?;
        if dir.inode == inode { Ok(dir) } else { Err(Errno::STALE) }
    }

    fn descend(&self, piece: &[u8]) -> Result<Dir, Errno> {
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        if !NO_OPENAT2.load(Ordering::Relaxed) {
            for _ in 0..ATTEMPTS {
                match rustix::fs::openat2(&self.fd, piece, OPEN_DIR, Mode::empty(), resolve) {
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(Errno::NOSYS | Errno::PERM) => {
                        NO_OPENAT2.store(true, Ordering::Relaxed);
                        return self.descend_by_step(piece);
                    }
                    done => return Dir::from_fd(done?),
                }
            }
            return Err(Errno::AGAIN);
        }
        self.descend_by_step(piece)
    }

    /// The same, one component at a time, for a kernel without `openat2`.
    fn descend_by_step(&self, piece: &[u8]) -> Result<Dir, Errno> {
        let mut at = self.again()?;
        for name in piece.split(|&b| b == b'/') {
            let next = Dir::from_fd(rustix::fs::openat(&at.fd, name, OPEN_DIR, Mode::empty())?)?;
            if next.mount != self.mount {
                return Err(Errno::XDEV);
            }
            at = next;
        }
        Ok(at)
    }

    /// The node called `name` in this directory, whatever it is; a symlink itself.
    pub(super) fn node(&self, name: &[u8]) -> Result<Node, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())?;
        let stat = stat(fd.as_fd())?;
        Ok(Node { fd, stat })
    }

    /// What can be known of each of `names` without opening it.
    ///
    /// Two questions by name are about one inode only where no name came or went between them. The
    /// directory itself says so, unless its last change is too fresh to be told from the next.
    pub(super) fn glance(&self, names: &[Box<[u8]>]) -> Vec<Glance> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        self.glance_at(names, now.cast_signed())
    }

    fn glance_at(&self, names: &[Box<[u8]>], now: i64) -> Vec<Glance> {
        let times = || stat(self.fd.as_fd()).map(|stat| (stat.mtime, stat.ctime));
        let before = times();
        let settled =
            |(mtime, ctime): (Time, Time)| mtime.max(ctime).secs.saturating_add(SETTLED) < now;
        if before.is_ok_and(settled) {
            let below = proc_path(self.fd.as_fd()) + "/";
            let look = |name: &[u8]| self.look(name, below.as_bytes()).unwrap_or(Glance::Unknown);
            // Asking is little work for a processor, and much of it.
            let found = names.par_iter().with_min_len(32).map(|name| look(name)).collect();
            if times() == before {
                return found;
            }
        }
        vec![Glance::Unknown; names.len()]
    }

    fn look(&self, name: &[u8], below: &[u8]) -> Result<Glance, Errno> {
        let stat = stat_of(self.fd.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?;
        match stat.file_type {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(Glance::Dir),
            _ => return Ok(Glance::Unknown),
        }
        let path = [below, name].concat();
        let attributes = match rustix::fs::llistxattr_query(&path[..]) {
            // The file system knows no attributes.
            Err(Errno::OPNOTSUPP) => 0,
            listed => listed?,
        };
        Ok(if attributes == 0 { Glance::File(stat) } else { Glance::Unknown })
    }

    /// The node called `name`; `None` when there is none.
    pub(super) fn find(&self, name: &[u8]) -> Result<Option<Node>, Errno> {
        match self.node(name) {
            Ok(node) => Ok(Some(node)),
            Err(errno) if is_absent(errno) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// This directory as a node.
    pub(super) fn own(&self) -> Result<Node, Errno> {
        let fd = rustix::io::fcntl_dupfd_cloexec(&self.fd, 0)?;
        let stat = stat(fd.as_fd())?;
        Ok(Node { fd, stat })
    }

    /// The names in this directory, sorted by bytes.
    pub(super) fn names(&self) -> Result<Vec<Box<[u8]>>, Errno> {
        Ok(self.few_names(usize::MAX)?.unwrap_or_default())
    }

    /// The names in this directory, sorted by bytes, unless there are more than `most`.
    pub(super) fn few_names(&self, most: usize) -> Result<Option<Vec<Box<[u8]>>>, Errno> {
        let fd = open_quietly(self.fd.as_fd(), ".", OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            // A file system that serves a slash in a name is lying about the tree.
            if name.is_empty() || name.contains(&b'/') {
                return Err(Errno::ILSEQ);
            }
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == most {
                return Ok(None);
            }
            names.push(Box::from(name));
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    /// A handle of this directory that can be synchronised.
    pub(super) fn readable(&self) -> Result<OwnedFd, Errno> {
        open_quietly(self.fd.as_fd(), ".", OFlags::RDONLY | OFlags::DIRECTORY)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Node {
    /// A node that was just created through `fd`.
    pub(super) fn created(fd: OwnedFd) -> Result<Node, Errno> {
        let stat = stat(fd.as_fd())?;
        Ok(Node { fd, stat })
    }

    /// Where the kernel accepts only paths, a path that is this inode and no other.
    pub(super) fn proc_path(&self) -> String {
        proc_path(self.fd.as_fd())
    }

    /// What is true of the node now.
    pub(super) fn stat_now(&self) -> Result<Stat, Errno> {
        stat(self.fd.as_fd())
    }

    /// The node as a directory to look names up in.
    pub(super) fn into_dir(self) -> Result<Dir, Errno> {
        match self.stat.file_type {
            FileType::Directory => {
                Ok(Dir { fd: self.fd, inode: self.stat.inode, mount: self.stat.mount })
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Opens the content of a regular file. Anything else is refused before it is touched: opening
    /// a FIFO waits for its writer, opening a device may move a tape.
    pub(super) fn content(&self) -> Result<File, Errno> {
        if self.stat.file_type != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        Ok(File::from(open_quietly(CWD, &self.proc_path(), flags)?))
    }

    /// What kind of node it is.
    pub(super) fn kind(&self) -> Result<Kind, Errno> {
        let (major, minor) = self.stat.rdev;
        Ok(match self.stat.file_type {
            FileType::RegularFile => Kind::File { size: self.stat.size },
            FileType::Directory => Kind::Dir,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&self.fd, c"", Vec::new())?;
                Kind::Symlink { target: target.into_bytes() }
            }
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::Char { major, minor },
            FileType::BlockDevice => Kind::Block { major, minor },
            FileType::Socket => Kind::Socket,
            FileType::Unknown => return Err(Errno::INVAL),
        })
    }

    /// All extended attributes that this process may see.
    pub(super) fn xattrs(&self) -> Result<Xattrs, Errno> {
        let path = self.proc_path();
        let list = match whole(|buffer| rustix::fs::listxattr(&path, buffer)) {
            Ok(list) => list,
            // The file system knows no attributes.
            Err(Errno::OPNOTSUPP) => return Ok(Xattrs::new()),
            Err(errno) => return Err(errno),
        };
        let mut xattrs = Xattrs::new();
        for name in list.split(|&b| b == 0).filter(|name| !name.is_empty()) {
            match whole(|buffer| rustix::fs::getxattr(&path, name, buffer)) {
                Ok(value) => {
                    xattrs.insert(name.to_vec(), value);
                }
                // It went away since it was listed.
                Err(Errno::NODATA) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(xattrs)
    }
}

/// Calls `read` with a buffer that is large enough. The kernel knows no list and no value above
/// 64 KiB, so the second buffer is the last.
fn whole(read: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut small = [0; 256];
    match read(&mut small) {
        Ok(length) => Ok(small[..length].to_vec()),
        Err(Errno::RANGE) => {
            let mut large = vec![0; 65536];
            let length = read(&mut large)?;
            large.truncate(length);
            Ok(large)
        }
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tree::testing::{node, xattr};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn both_ways_down_refuse_links_and_agree() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("a/b/c")).unwrap();
        std::fs::write(temp.path().join("a/file"), "").unwrap();
        symlink("/etc", temp.path().join("a/absolute")).unwrap();
        symlink("b", temp.path().join("a/inside")).unwrap();
        symlink("../../..", temp.path().join("a/up")).unwrap();
        let root = Dir::open(temp.path()).unwrap();
        for (at, want) in [
            ("a/b/c", None),
            ("a", None),
            ("a/none/c", Some(Errno::NOENT)),
            ("a/file/c", Some(Errno::NOTDIR)),
            ("a/file", Some(Errno::NOTDIR)),
        ] {
            let [kernel, steps] = both(&root, at);
            assert_eq!(kernel.as_ref().err(), want.as_ref(), "{at}");
            assert_eq!(kernel, steps, "{at}");
        }
        for at in ["a/absolute", "a/absolute/ssl", "a/inside", "a/inside/c", "a/up/etc"] {
            for found in both(&root, at) {
                assert!(found.is_err_and(is_absent), "{at}");
            }
        }
    }

    fn both(root: &Dir, at: &str) -> [Result<Inode, Errno>; 2] {
        [root.descend(at.as_bytes()), root.descend_by_step(at.as_bytes())]
            .map(|found| found.map(|dir| dir.inode))
    }

    #[test]
    fn neither_way_down_crosses_a_mount() {
        let proc = Dir::open(Path::new("/")).unwrap();
        for found in both(&proc, "proc/self") {
            assert_eq!(found, Err(Errno::XDEV));
        }
        // The mount point itself can be looked at from its directory.
        assert_ne!(proc.node(b"proc").unwrap().stat.mount, proc.mount);
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_is_cut_between_components() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let name = "n".repeat(255);
        let mut at = root.again().unwrap();
        let mut deep = RootPath::root();
        for _ in 0..40 {
            rustix::fs::mkdirat(&at, name.as_str(), Mode::RWXU).unwrap();
            at = at.node(name.as_bytes()).unwrap().into_dir().unwrap();
            deep = deep.child(name.as_bytes());
        }
        assert_eq!(root.below(&deep).unwrap().inode, at.inode);
        assert_eq!(root.below(&path(&"x".repeat(5000))).unwrap_err(), Errno::NAMETOOLONG);
    }

    #[test]
    fn a_handle_of_a_symlink_never_reaches_what_it_points_to() {
        let temp = tempfile::tempdir().unwrap();
        let victim = temp.path().join("victim");
        std::fs::write(&victim, "secret").unwrap();
        symlink(&victim, temp.path().join("link")).unwrap();
        rustix::fs::setxattr(&victim, "user.v", b"1", rustix::fs::XattrFlags::empty()).unwrap();
        let link = Dir::open(temp.path()).unwrap().node(b"link").unwrap();
        assert_eq!(link.xattrs().unwrap(), Xattrs::new());
        assert_eq!(link.content().unwrap_err(), Errno::INVAL);
    }

    #[test]
    fn a_glance_shows_plain_files_of_a_directory_that_has_settled() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for file in ["attributes", "plain"] {
            std::fs::write(at(file), file).unwrap();
        }
        xattr(&at("attributes"), "user.a", b"1");
        std::fs::create_dir(at("dir")).unwrap();
        symlink("plain", at("link")).unwrap();
        node(&at("pipe"), FileType::Fifo, 0);
        let dir = Dir::open(temp.path()).unwrap();
        let mut names = dir.names().unwrap();
        names.push(Box::from(&b"zz-gone"[..]));
        let changed = dir.own().unwrap().stat.ctime.secs;

        let plain = Glance::File(dir.node(b"plain").unwrap().stat);
        let [file, link, pipe, gone] = [const { Glance::Unknown }; 4];
        let expected = [file, Glance::Dir, link, pipe, plain, gone];
        assert_eq!(dir.glance_at(&names, changed + SETTLED + 1), expected);
        // Whatever came between might not have changed the time.
        assert_eq!(dir.glance_at(&names, changed + SETTLED), vec![Glance::Unknown; 6]);
    }

    #[test]
    fn few_names_are_all_or_none() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["b", "a", "c"] {
            std::fs::write(temp.path().join(name), "").unwrap();
        }
        let dir = Dir::open(temp.path()).unwrap();
        let all: Vec<Box<[u8]>> = ["a", "b", "c"].map(|name| name.as_bytes().into()).into();
        assert_eq!(dir.few_names(3), Ok(Some(all)));
        assert_eq!(dir.few_names(2), Ok(None));
    }
}
