//! What the tests of trees on disk share: making nodes, and saying everything about a tree.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, Mode, RenameFlags, Timespec, Timestamps, XattrFlags};

use super::{Entry, Kind, RootPath, Tree};

/// Whether an ordinary user runs the tests; says that what needs root is skipped.
pub(crate) fn without_root() -> bool {
    let ordinary = !rustix::process::geteuid().is_root();
    if ordinary {
        eprintln!("skipped: needs root");
    }
    ordinary
}

pub(super) fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

pub(super) fn xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

pub(super) fn set_time(path: &Path, secs: i64, nanos: u32) {
    let at = Timespec { tv_sec: secs, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: at, last_modification: at };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub(super) fn chown(path: &Path, uid: u32, gid: u32) {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid)).unwrap();
}

pub(super) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn node(path: &Path, file_type: FileType, number: u64) {
    rustix::fs::mknodat(CWD, path, file_type, Mode::from_raw_mode(0o640), number).unwrap();
}

/// An ACL that names user 10, whose bytes hold a newline, and gives the mask `rw-`.
pub(super) const ACL: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 6, 0, 10, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255,
    255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

/// `cap_dac_override,cap_fowner=ep`: the mask is a newline.
pub(super) const CAPABILITY: [u8; 20] =
    [1, 0, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Everything that is said about a tree, link groups numbered as they appear.
pub(super) fn listing(tree: &dyn Tree) -> Vec<(Entry, Vec<u8>)> {
    let mut groups = Vec::new();
    let mut listing = Vec::new();
    for entry in tree.walk() {
        let mut entry = entry.unwrap();
        let content = match entry.kind {
            Kind::File { size } if size < 1 << 30 => {
                let mut bytes = Vec::new();
                tree.open(&entry).unwrap().read_to_end(&mut bytes).unwrap();
                bytes
            }
            Kind::File { .. } => format!("{:?}", tree.extents(&entry).unwrap()).into_bytes(),
            _ => vec![],
        };
        entry.ctime = None;
        if let Some(group) = entry.links.as_mut() {
            if !groups.contains(group) {
                groups.push(*group);
            }
            group.0 = groups.iter().position(|known| known == group).unwrap() as u64;
        }
        listing.push((entry, content));
    }
    listing
}

/// Lets two names of one directory take turns, for two seconds, as fast as it can.
pub(super) struct Swapper {
    over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Swapper {
    pub(super) fn start(a: &Path, b: &Path) -> Swapper {
        let over = Arc::new(AtomicBool::new(false));
        let (a, b, done) = (a.to_owned(), b.to_owned(), over.clone());
        let thread = std::thread::spawn(move || {
            let begin = Instant::now();
            let mut swaps = 0;
            while begin.elapsed() < Duration::from_secs(2) {
                if rustix::fs::renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).is_ok() {
                    swaps += 1;
                }
            }
            done.store(true, Ordering::Relaxed);
            swaps
        });
        Swapper { over, thread }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// How often they were swapped.
    pub(super) fn finish(self) -> usize {
        self.thread.join().unwrap()
    }
}

/// A directory that is mounted at another place too, until the test ends.
pub(super) struct Bind {
    point: PathBuf,
}

impl Bind {
    /// `None` where this process may not mount.
    pub(super) fn mount(from: &Path, point: &Path) -> Option<Bind> {
        let done = Command::new("mount").arg("--bind").args([from, point]).status();
        done.is_ok_and(|status| status.success()).then(|| Bind { point: point.to_owned() })
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.point).status();
    }
}
