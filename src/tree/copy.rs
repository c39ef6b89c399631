//! Copying a whole tree to another place.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::dir::Dir;
use super::removal::remove;
use super::{
    Entry, Kind, Lost, NamedDir, PlaceError, Problem, RootPath, RootWriter, Tree, TreeError,
};
use crate::monitor::Monitor;

/// Copies all of `from` but its sockets into `to`, which must not exist and is made open to root
/// only until it is finished. Returns what is not as it was.
///
/// # Errors
/// Only what could not be *written*; what could not be read is a problem of its entry. After an
/// error nothing is left at `to`.
pub(crate) fn copy_tree(
    from: &dyn Tree,
    to: &Path,
    monitor: &dyn Monitor,
) -> Result<Vec<Problem>, PlaceError> {
    rustix::fs::mkdir(to, Mode::RWXU).map_err(|errno| host("creating", to, errno))?;
    let copied = RootWriter::open(to).and_then(|writer| fill(from, writer, monitor));
    if copied.is_err() {
        // What matters is why it failed; a remainder is visible where the user looks anyway.
        let _ = remove_tree(to);
    }
    copied
}

/// The same into a new directory, which stays after an error.
///
/// # Errors
/// As there.
pub(crate) fn copy_into(
    from: &dyn Tree,
    to: &NamedDir,
    monitor: &dyn Monitor,
) -> Result<Vec<Problem>, PlaceError> {
    fill(from, to.writer()?, monitor)
}

fn fill(
    from: &dyn Tree,
    mut writer: RootWriter,
    monitor: &dyn Monitor,
) -> Result<Vec<Problem>, PlaceError> {
    monitor.phase("copying the root");
    let mut unread = Vec::new();
    for (done, entry) in from.walk().enumerate() {
        if let Some(signal) = monitor.cancel().signal() {
            return Err(PlaceError::Cancelled(signal));
        }
        monitor.progress(done as u64, None);
        let problem = match entry {
            Err(error) => Some(Problem { path: error.path().clone(), what: lost(&error) }),
            Ok(entry) => copy_entry(from, &entry, &mut writer)?
                .map(|what| Problem { path: entry.path, what }),
        };
        unread.extend(problem);
    }
    let mut problems = writer.finish()?.problems;
    problems.extend(unread);
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(problems)
}

fn copy_entry(
    from: &dyn Tree,
    entry: &Entry,
    writer: &mut RootWriter,
) -> Result<Option<Lost>, PlaceError> {
    let placed = match entry.kind {
        Kind::Socket => return Ok(None),
        Kind::File { .. } => {
            let opened = from.extents(entry).and_then(|runs| Ok((from.open(entry)?, runs)));
            match opened {
                Ok((mut content, runs)) => writer.place(entry, Some(&mut *content), &runs),
                Err(error) => return Ok(Some(lost(&error))),
            }
        }
        _ => writer.place(entry, None, &[]),
    };
    match placed {
        Ok(()) => Ok(None),
        Err(PlaceError::Source { source, .. }) => {
            Ok(Some(Lost::Unread { why: source.to_string() }))
        }
        Err(error) => Err(error),
    }
}

fn lost(error: &TreeError) -> Lost {
    let mut why = error.to_string();
    if let TreeError::Io { source, .. } = error {
        why = format!("{why}: {source}");
    }
    Lost::Unread { why }
}

/// Removes what stands at `path` with everything below it; that there is nothing is fine. A link
/// is removed, not what it points to; a mount is not entered.
pub fn remove_tree(path: &Path) -> Result<(), PlaceError> {
    let (dir, name) = match split(path) {
        Ok(found) => found,
        Err(PlaceError::Host { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    remove(&dir, &RootPath::root().child(name.as_bytes()))
}

/// The directory that holds `path`, opened, and its name there.
fn split(path: &Path) -> Result<(Dir, &OsStr), PlaceError> {
    let name = path.file_name().ok_or_else(|| host("opening", path, Errno::INVAL))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let dir = Dir::open(&parent).map_err(|errno| host("opening", &parent, errno))?;
    Ok((dir, name))
}

fn host(act: &'static str, path: &Path, errno: Errno) -> PlaceError {
    PlaceError::Host { act, path: path.to_owned(), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt, symlink};

    use rustix::fs::FileType;

    use super::*;
    use crate::monitor::Silent;
    use crate::tree::testing::{
        ACL, Bind, CAPABILITY, chmod, chown, listing, node, path, set_time, xattr,
    };
    use crate::tree::{Content, Rootfs, Time};

    fn nasty_names(at: &Path) {
        for name in [
            b"new\nline".as_slice(),
            b"\xff\xfe not utf-8",
            b"-rf",
            b"trailing ",
            b"%s\x1b[31m",
            b".wh.foo",
            b".wh..wh..opq",
            &[0xff; 255],
            &[b'n'; 255],
        ] {
            std::fs::write(at.join(OsStr::from_bytes(name)), name).unwrap();
        }
    }

    fn torture(at: &Path) {
        let sub = |name: &str| at.join(name);
        std::fs::create_dir_all(sub("dir/inner/empty")).unwrap();
        nasty_names(&sub("dir/inner"));
        std::fs::write(sub("setuid"), "#!").unwrap();
        chown(&sub("setuid"), 4_294_967_294, 2_097_152);
        chmod(&sub("setuid"), 0o7777);
        xattr(&sub("setuid"), "security.capability", &CAPABILITY);
        std::fs::write(sub("none"), "").unwrap();
        chmod(&sub("none"), 0);
        std::fs::write(sub("acl"), "acl").unwrap();
        xattr(&sub("acl"), "system.posix_acl_access", &ACL);
        let all: Vec<u8> = (0..=255).collect();
        xattr(&sub("acl"), "user.all", &all);
        xattr(&sub("acl"), "user.empty", b"");
        xattr(&sub("acl"), "user.a=b%\n", b"=");
        symlink("/etc/shadow", sub("absolute")).unwrap();
        symlink(OsStr::from_bytes(b"../../..//\xff/"), sub("up")).unwrap();
        symlink("t".repeat(4095), sub("long")).unwrap();
        xattr(&sub("up"), "trusted.on-a-link", b"1");
        chown(&sub("up"), 7, 8);
        node(&sub("fifo"), FileType::Fifo, 0);
        node(&sub("char"), FileType::CharacterDevice, rustix::fs::makedev(5, 70_000));
        node(&sub("block"), FileType::BlockDevice, rustix::fs::makedev(8, 0));
        drop(std::os::unix::net::UnixListener::bind(sub("dir/socket")).unwrap());
        std::fs::hard_link(sub("setuid"), sub("dir/setuid-too")).unwrap();
        std::fs::hard_link(sub("fifo"), sub("dir/fifo-too")).unwrap();
        std::fs::hard_link(sub("up"), sub("dir/up-too")).unwrap();
        let sparse = std::fs::File::create(sub("sparse")).unwrap();
        sparse.write_all_at(b"data", 1 << 30).unwrap();
        sparse.write_all_at(b"more", 3 << 30).unwrap();
        sparse.set_len(1 << 40).unwrap();
        std::fs::File::create(sub("hole")).unwrap().set_len(1 << 43).unwrap();
        std::fs::write(sub("large"), vec![7; 1_000_001]).unwrap();
        for (name, secs, nanos) in [
            ("large", -2, 500_000_000),
            ("none", 0, 0),
            ("acl", 4_102_444_800, 123_456_789),
            ("up", -1, 1),
            ("fifo", 1_000_000_000, 1),
            ("char", -2_000_000_000, 999_999_999),
        ] {
            set_time(&sub(name), secs, nanos);
        }
        torture_dirs(at);
    }

    fn torture_dirs(at: &Path) {
        let dir = at.join("dir");
        xattr(&dir, "system.posix_acl_default", &ACL);
        xattr(&dir, "user.on-a-dir", b"1");
        chown(&dir, 33, 33);
        chmod(&dir, 0o3775);
        set_time(&dir.join("inner/empty"), 1, 1);
        set_time(&dir.join("inner"), 2, 2);
        set_time(&dir, -3, 3);
        chmod(at, 0o1751);
        set_time(at, 4, 4);
    }

    #[test]
    fn a_copy_differs_from_its_source_in_sockets_only() {
        if crate::tree::testing::without_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = (temp.path().join("from"), temp.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        torture(&from);
        let tree = Rootfs::open(&from).unwrap();
        assert_eq!(copy_tree(&tree, &to, &Silent).unwrap(), []);
        let mut want = listing(&tree);
        assert_eq!(want.len(), 29);
        want.retain(|(entry, _)| entry.kind != Kind::Socket);
        let found = listing(&Rootfs::open(&to).unwrap());
        for (want, found) in want.iter().zip(&found) {
            assert_eq!(want, found);
        }
        assert_eq!(want.len(), found.len());
        assert!(std::fs::metadata(to.join("sparse")).unwrap().blocks() < 100);
        let setuid = std::fs::metadata(to.join("setuid")).unwrap();
        assert_eq!((setuid.mode() & 0o7777, setuid.uid()), (0o7777, 4_294_967_294));
        let up = RootPath::parse(b"/up").unwrap();
        let (up, _) = found.iter().find(|(entry, _)| entry.path == up).unwrap();
        assert_eq!(up.meta.mtime, Time { secs: -1, nanos: 1 });
        assert_eq!((up.meta.uid, up.meta.xattrs.len()), (7, 1));
    }

    #[test]
    fn an_existing_destination_is_not_touched() {
        let temp = tempfile::tempdir().unwrap();
        let tree = Rootfs::open(temp.path()).unwrap();
        std::fs::write(temp.path().join("kept"), "").unwrap();
        let error = copy_tree(&tree, temp.path(), &Silent).unwrap_err();
        assert!(matches!(error, PlaceError::Host { .. }), "{error}");
        assert!(temp.path().join("kept").exists());
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_what_cannot_be_written_ends_the_copy() {
        /// A tree whose files cannot be opened.
        struct Unreadable(Rootfs);
        impl Tree for Unreadable {
            fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
                self.0.walk()
            }
            fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
                self.0.entry(path)
            }
            fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
                self.0.children(path)
            }
            fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
                Err(TreeError::io("opening", &entry.path, Errno::IO.into()))
            }
        }
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = (temp.path().join("from"), temp.path().join("to"));
        std::fs::create_dir(&from).unwrap();
        std::fs::write(from.join("a"), "x").unwrap();
        std::fs::create_dir(from.join("b")).unwrap();
        let tree = Unreadable(Rootfs::open(&from).unwrap());
        let problems = copy_tree(&tree, &to, &Silent).unwrap();
        assert_eq!(problems.len(), 1);
        assert!(matches!(&problems[0].what, Lost::Unread { why } if why.contains("os error 5")));
        assert!(to.join("b").is_dir() && !to.join("a").exists());

        // A hole larger than the file system's files can be.
        let mut entry = tree.0.entry(&RootPath::parse(b"/a").unwrap()).unwrap().unwrap();
        entry.kind = Kind::File { size: u64::MAX };
        struct Huge(Entry);
        impl Tree for Huge {
            fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
                Box::new(std::iter::once(Ok(self.0.clone())))
            }
            fn entry(&self, _: &RootPath) -> Result<Option<Entry>, TreeError> {
                Ok(None)
            }
            fn children(&self, _: &RootPath) -> Result<Vec<Entry>, TreeError> {
                Ok(vec![])
            }
            fn open<'a>(&'a self, _: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
                Ok(Box::new(std::io::empty()))
            }
        }
        let other = temp.path().join("other");
        assert!(copy_tree(&Huge(entry), &other, &Silent).is_err());
        assert!(!other.exists());
    }

    #[test]
    fn removing_a_tree_takes_links_and_not_their_targets() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(at("tree/sub/deep")).unwrap();
        std::fs::create_dir_all(at("victim/sub")).unwrap();
        symlink(at("victim"), at("tree/sub/link")).unwrap();
        symlink(at("victim"), at("link")).unwrap();
        for name in ["tree", "link", "none", "none/below"] {
            remove_tree(&at(name)).unwrap();
        }
        assert!(at("victim/sub").is_dir());
        assert!(!at("tree").exists() && !at("link").is_symlink());
    }

    #[test]
    fn a_mount_is_neither_walked_nor_written_nor_removed() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(at("root/a/dir")).unwrap();
        std::fs::write(at("root/a/file"), "").unwrap();
        std::fs::create_dir(at("victim")).unwrap();
        std::fs::write(at("victim/file"), "victim").unwrap();
        // Of the same file system: only the mounts differ.
        let dir = Bind::mount(&at("victim"), &at("root/a/dir"));
        let file = Bind::mount(&at("victim/file"), &at("root/a/file"));
        let (Some(_dir), Some(_file)) = (dir, file) else {
            eprintln!("no mounts here: not tested");
            return;
        };
        let tree = Rootfs::open(&at("root")).unwrap();
        let entries: Vec<Entry> = tree.walk().map(Result::unwrap).collect();
        let paths = ["/", "/a", "/a/dir", "/a/file"].map(path);
        assert_eq!(entries.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>(), paths);
        assert_eq!(tree.skipped_mounts(), paths[2..]);
        assert_eq!(tree.entry(&path("/a/dir/file")).unwrap(), None);
        assert!(tree.open(&entries[3]).is_err());

        let mut writer = RootWriter::open(&at("root")).unwrap();
        for entry in &entries[2..] {
            let placed = writer.place(entry, Some(&mut std::io::empty()), &[]);
            assert!(matches!(placed, Err(PlaceError::Mount { .. })), "{placed:?}");
        }
        let below = Entry { path: path("/a/dir/new"), ..entries[1].clone() };
        assert!(writer.place(&below, None, &[]).is_err());
        for gone in ["/a", "/a/dir", "/a/file", "/a/dir/file"] {
            let _ = writer.remove(&path(gone));
        }
        assert!(remove_tree(&at("root")).is_err());
        assert_eq!(std::fs::read(at("victim/file")).unwrap(), b"victim");
        assert_eq!(std::fs::read_dir(at("victim")).unwrap().count(), 1);
    }
}
