//! [`RootWriter`]: puts entries into a tree on disk, by directory handle.
//!
//! Invariant: whatever stands in the tree or is put there, nothing outside it is changed; a file
//! is never seen under its name before it is whole, and never with more rights than it ends with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, SeekFrom};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::dir::{Dir, Inode, Node, is_absent};
use super::place_error::PlaceError;
use super::removal::remove;
use super::stamp::stamp;
use super::temp::{Temp, make_special};
use super::{Content, Entry, Extent, Kind, LinkGroup, Lost, Meta, Problem, RootPath};

/// What a [`RootWriter`] has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Entries that were placed, directories included.
    pub entries: u64,
    /// Bytes of content that were written, holes not counted.
    pub bytes: u64,
    /// What the file system did not take, in the order it was found.
    pub problems: Vec<Problem>,
}

/// Places entries below an open directory. Directories get their metadata in
/// [`finish`](RootWriter::finish); until then those made here are open to root only.
#[derive(Debug)]
#[must_use = "directories have no metadata before `finish`"]
pub(crate) struct RootWriter {
    root: Dir,
    placed: Placed,
    /// The metadata that directories get in the end, when nothing is put into them any more.
    dirs: BTreeMap<RootPath, Meta>,
    /// The first name of each group of hard links, and what stood there when it was placed.
    links: BTreeMap<LinkGroup, (RootPath, Inode)>,
    buffer: Vec<u8>,
}

/// How much content is in memory at once.
const BUFFER: usize = 256 * 1024;

impl RootWriter {
    /// Opens the directory at `path`, a path of the host whose links are followed.
    pub(crate) fn open(path: &Path) -> Result<RootWriter, PlaceError> {
        let root = Dir::open(path).map_err(|errno| PlaceError::Host {
            act: "opening",
            path: path.to_owned(),
            source: errno.into(),
        })?;
        Ok(RootWriter::of(root))
    }

    /// The directory behind a handle.
    pub(crate) fn at(handle: BorrowedFd<'_>) -> Result<RootWriter, PlaceError> {
        let failed = |errno| PlaceError::io("opening", &RootPath::root(), errno);
        let again = rustix::io::fcntl_dupfd_cloexec(handle, 0).map_err(failed)?;
        Ok(RootWriter::of(Dir::from_fd(again).map_err(failed)?))
    }

    pub(super) fn of(root: Dir) -> RootWriter {
        RootWriter {
            root,
            placed: Placed::default(),
            dirs: BTreeMap::new(),
            links: BTreeMap::new(),
            buffer: Vec::new(),
        }
    }

    /// Makes `entry` stand at its path. What stood there is replaced with all that was below it,
    /// but a directory placed over a directory keeps its children. Its parent must be a directory.
    ///
    /// A file that shares its [`LinkGroup`] with one placed before becomes a further name of it,
    /// and needs no `content`. `extents` are the data runs of the content, as
    /// [`Tree::extents`](super::Tree::extents) gives them; what they leave out becomes a hole, so
    /// that *none at all* means a file of nothing but zeros.
    ///
    /// # Errors
    /// After [`PlaceError::Source`] and [`PlaceError::Refused`] the tree is as it was before and
    /// the writer can go on; after any other it has to be given up.
    pub(crate) fn place(
        &mut self,
        entry: &Entry,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
    ) -> Result<(), PlaceError> {
        check_meta(&entry.path, &entry.meta)?;
        if entry.kind == Kind::Socket {
            return Err(PlaceError::refused(&entry.path, "a socket exists only with its server"));
        }
        if entry.path.is_root() {
            if !entry.kind.is_dir() {
                return Err(PlaceError::refused(&entry.path, "a root is a directory"));
            }
        } else if entry.kind.is_dir() {
            self.make_dir(&entry.path)?;
        } else {
            self.put(entry, content, extents)?;
        }
        if entry.kind.is_dir() {
            self.dirs.insert(entry.path.clone(), entry.meta.clone());
        }
        self.placed.entries += 1;
        Ok(())
    }

    /// Removes what stands at `path` with everything below it; that there is nothing is fine.
    pub(crate) fn remove(&mut self, path: &RootPath) -> Result<(), PlaceError> {
        let Some(parent) = path.parent() else {
            return Err(PlaceError::refused(path, "the root itself is not removed"));
        };
        match self.root.below(&parent) {
            Ok(dir) => remove(&dir, path)?,
            Err(errno) if is_absent(errno) => return Ok(()),
            Err(errno) => return Err(PlaceError::io("removing", path, errno)),
        }
        self.forget(path);
        Ok(())
    }

    /// Gives the directories their metadata, the deepest first.
    ///
    /// Nothing is synchronised to the disk: [`NamedDir::synchronise`](super::NamedDir::synchronise) does that.
    pub(crate) fn finish(mut self) -> Result<Placed, PlaceError> {
        for (path, meta) in std::mem::take(&mut self.dirs).into_iter().rev() {
            let node = self.existing(&path)?;
            if node.stat.file_type != FileType::Directory {
                return Err(PlaceError::Absent { path });
            }
            self.stamp(&path, &node, &meta)?;
        }
        Ok(self.placed)
    }

    fn parent_of(&self, path: &RootPath) -> Result<Dir, PlaceError> {
        let parent = path.parent().unwrap_or_else(RootPath::root);
        self.root.below(&parent).map_err(|errno| match errno {
            errno if is_absent(errno) => PlaceError::Absent { path: parent.clone() },
            errno => PlaceError::io("opening", &parent, errno),
        })
    }

    /// What stands in `dir` at the name of `path`, which must not be a mount point.
    fn standing(dir: &Dir, path: &RootPath) -> Result<Option<Node>, PlaceError> {
        let node = dir.find(path.name()).map_err(|e| PlaceError::io("reading", path, e))?;
        if node.as_ref().is_some_and(|node| node.stat.mount != dir.mount) {
            return Err(PlaceError::Mount { path: path.clone() });
        }
        Ok(node)
    }

    fn existing(&self, path: &RootPath) -> Result<Node, PlaceError> {
        if path.is_root() {
            return self.root.own().map_err(|errno| PlaceError::io("opening", path, errno));
        }
        Self::standing(&self.parent_of(path)?, path)?
            .ok_or_else(|| PlaceError::Absent { path: path.clone() })
    }

    fn stamp(&mut self, path: &RootPath, node: &Node, meta: &Meta) -> Result<(), PlaceError> {
        let act = "setting the metadata of";
        let lost = stamp(node, meta).map_err(|errno| PlaceError::io(act, path, errno))?;
        self.placed
            .problems
            .extend(lost.into_iter().map(|what| Problem { path: path.clone(), what }));
        Ok(())
    }

    /// What was to happen in the end to directories at `path` and below it no longer does.
    fn forget(&mut self, path: &RootPath) {
        let within = self.dirs.range(path.clone()..).take_while(|(at, _)| at.is_within(path));
        for gone in within.map(|(at, _)| at.clone()).collect::<Vec<_>>() {
            self.dirs.remove(&gone);
        }
    }

    fn make_dir(&mut self, path: &RootPath) -> Result<(), PlaceError> {
        let parent = self.parent_of(path)?;
        match Self::standing(&parent, path)? {
            Some(node) if node.stat.file_type == FileType::Directory => return Ok(()),
            Some(_) => remove(&parent, path)?,
            None => {}
        }
        // With this mode an ACL that it inherits gives nobody anything, and `finish` takes it away.
        let made = rustix::fs::mkdirat(&parent, path.name(), Mode::RWXU);
        made.map_err(|errno| PlaceError::io("creating", path, errno))
    }

    fn put(
        &mut self,
        entry: &Entry,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
    ) -> Result<(), PlaceError> {
        let path = &entry.path;
        let parent = self.parent_of(path)?;
        let standing = Self::standing(&parent, path)?;
        let (temp, inode) = match self.link(entry, &parent)? {
            Some(linked) => linked,
            None => self.create(entry, &parent, content, extents)?,
        };
        match standing {
            // Renaming one name of a file over another one does nothing.
            Some(node) if node.stat.inode == inode => return Ok(()),
            Some(node) if node.stat.file_type == FileType::Directory => remove(&parent, path)?,
            _ => {}
        }
        temp.rename(path.name()).map_err(|errno| PlaceError::io("renaming", path, errno))?;
        self.forget(path);
        if let Some(group) = entry.links {
            self.links.entry(group).or_insert_with(|| (path.clone(), inode));
        }
        Ok(())
    }

    /// A further name of the file that an earlier entry of the same group became.
    fn link<'a>(
        &mut self,
        entry: &Entry,
        parent: &'a Dir,
    ) -> Result<Option<(Temp<'a>, Inode)>, PlaceError> {
        let Some(group) = entry.links else { return Ok(None) };
        let Some((first, inode)) = self.links.get(&group).cloned() else { return Ok(None) };
        let from = match self.parent_of(&first) {
            Ok(dir) => dir,
            Err(PlaceError::Absent { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let still = Self::standing(&from, &first)?.is_some_and(|node| node.stat.inode == inode);
        if !still {
            // Its first name was placed anew or removed since.
            self.links.remove(&group);
            return Ok(None);
        }
        let made = Temp::make(parent, |name| {
            rustix::fs::linkat(&from, first.name(), parent, name, AtFlags::empty())
        });
        match made {
            Ok((temp, ())) => {
                let linked = parent.node(temp.name.as_bytes());
                let linked = linked.map_err(|e| PlaceError::io("linking", &entry.path, e))?;
                if linked.stat.inode != inode {
                    return Err(PlaceError::io("linking", &entry.path, Errno::STALE));
                }
                Ok(Some((temp, inode)))
            }
            Err(Errno::MLINK) => {
                self.links.remove(&group);
                let path = entry.path.clone();
                self.placed.problems.push(Problem { path, what: Lost::Link });
                Ok(None)
            }
            Err(errno) => Err(PlaceError::io("linking", &entry.path, errno)),
        }
    }

    /// A new node under a temporary name, whole and stamped.
    fn create<'a>(
        &mut self,
        entry: &Entry,
        parent: &'a Dir,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
    ) -> Result<(Temp<'a>, Inode), PlaceError> {
        let path = &entry.path;
        let failed = |errno| PlaceError::io("creating", path, errno);
        let (temp, node) = if let Kind::File { size } = entry.kind {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
            let made = Temp::make(parent, |name| {
                let private = Mode::RUSR | Mode::WUSR;
                rustix::fs::openat(parent, name, flags | OFlags::CLOEXEC, private)
            });
            let (temp, fd) = made.map_err(failed)?;
            let file = File::from(fd);
            match content {
                Some(content) => self.pour(&file, entry, content, extents)?,
                None if size == 0 => {}
                None => return Err(PlaceError::refused(path, "its content is missing")),
            }
            (temp, Node::created(file.into()).map_err(failed)?)
        } else {
            let made = Temp::make(parent, |name| make_special(parent, name, &entry.kind));
            let (temp, ()) = made.map_err(failed)?;
            let node = parent.node(temp.name.as_bytes()).map_err(failed)?;
            // Another process may have put something else under the temporary name.
            if node.kind().map_err(failed)? != entry.kind {
                return Err(failed(Errno::STALE));
            }
            (temp, node)
        };
        self.stamp(path, &node, &entry.meta)?;
        Ok((temp, node.stat.inode))
    }

    /// Writes the data runs of `content` and leaves holes between them.
    fn pour(
        &mut self,
        file: &File,
        entry: &Entry,
        content: &mut dyn Content,
        extents: &[Extent],
    ) -> Result<(), PlaceError> {
        let path = &entry.path;
        let size = entry.kind.size();
        let unread = |source| PlaceError::Source { path: path.clone(), source };
        let unwritten = |source| PlaceError::Io { act: "writing", path: path.clone(), source };
        file.set_len(size).map_err(unwritten)?;
        self.buffer.resize(BUFFER, 0);
        let mut at = 0;
        for run in extents {
            let end = run.offset.checked_add(run.length).filter(|&end| end <= size);
            let Some(end) = end.filter(|_| run.offset >= at) else {
                return Err(PlaceError::refused(
                    path,
                    "its data runs do not ascend within its size",
                ));
            };
            at = content.seek(SeekFrom::Start(run.offset)).map_err(unread)?;
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
                let count = match content.read(&mut self.buffer[..most]) {
                    Ok(0) => return Err(unread(ErrorKind::UnexpectedEof.into())),
                    Ok(count) => count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(unread(error)),
                };
                file.write_all_at(&self.buffer[..count], at).map_err(unwritten)?;
                at += count as u64;
                self.placed.bytes += count as u64;
            }
        }
        // At its end a reader tells whether the content is still what it was listed as.
        content.seek(SeekFrom::Start(size)).map_err(unread)?;
        match content.read(&mut self.buffer[..1]).map_err(unread)? {
            0 => Ok(()),
            _ => Err(unread(io::Error::other("there is more content than was listed"))),
        }
    }
}

/// Metadata that no system call may see: the id and the nanoseconds that mean `leave it as it is`.
fn check_meta(path: &RootPath, meta: &Meta) -> Result<(), PlaceError> {
    if meta.uid == u32::MAX || meta.gid == u32::MAX {
        return Err(PlaceError::refused(path, "4294967295 is no user or group id"));
    }
    if meta.mode > 0o7777 {
        return Err(PlaceError::refused(path, "its mode holds more than permissions"));
    }
    if meta.mtime.nanos >= 1_000_000_000 {
        return Err(PlaceError::refused(path, "its time has more than 999999999 nanoseconds"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::PathBuf;

    use super::*;
    use crate::tree::stamp::Refusal;
    use crate::tree::testing::{ACL, CAPABILITY, Swapper, chmod, path, set_time, xattr};
    use crate::tree::{Rootfs, Time, Tree};

    const ACL_NAME: &[u8] = b"system.posix_acl_access";

    struct Place {
        temp: tempfile::TempDir,
        writer: RootWriter,
    }

    impl Place {
        fn new() -> Place {
            let temp = tempfile::tempdir().unwrap();
            let writer = RootWriter::open(temp.path()).unwrap();
            Place { temp, writer }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.temp.path().join(name)
        }

        fn file(&mut self, entry: &Entry, text: &str) -> Result<(), PlaceError> {
            let runs = [Extent { offset: 0, length: text.len() as u64 }];
            let runs = if text.is_empty() { &[][..] } else { &runs };
            self.writer.place(entry, Some(&mut Cursor::new(text.to_owned())), runs)
        }

        fn entry(&self, at: &str) -> Entry {
            let tree = Rootfs::open(self.temp.path()).unwrap();
            let entry = tree.entry(&path(at)).unwrap().unwrap();
            Entry { ctime: None, ..entry }
        }

        fn names(&self) -> Vec<String> {
            let tree = Rootfs::open(self.temp.path()).unwrap();
            tree.walk().map(|entry| entry.unwrap().path.to_string()).collect()
        }
    }

    fn new(at: &str, kind: Kind) -> Entry {
        Entry {
            path: path(at),
            kind,
            meta: Meta {
                mode: 0o751,
                uid: 12,
                gid: 34,
                mtime: Time { secs: -7, nanos: 89 },
                xattrs: [(b"trusted.t".to_vec(), b"v".to_vec())].into(),
            },
            ctime: None,
            links: None,
        }
    }

    fn text(at: &str, text: &str) -> Entry {
        new(at, Kind::File { size: text.len() as u64 })
    }

    fn link() -> Kind {
        Kind::Symlink { target: b"/etc/passwd".to_vec() }
    }

    #[test]
    fn every_kind_replaces_every_other_one_and_gets_its_metadata() {
        if crate::tree::testing::without_root() {
            return;
        }
        let kinds = [
            Kind::File { size: 4 },
            Kind::Dir,
            link(),
            Kind::Fifo,
            Kind::Char { major: 1, minor: 3 },
            Kind::Block { major: 7, minor: 1 << 19 },
        ];
        for before in &kinds {
            for after in &kinds {
                let mut place = Place::new();
                place.file(&new("/x", before.clone()), "text").unwrap();
                if before.is_dir() {
                    place.file(&text("/x/child", "text"), "text").unwrap();
                }
                let entry = new("/x", after.clone());
                place.file(&entry, "text").unwrap();
                let placed = std::mem::replace(
                    &mut place.writer,
                    RootWriter::open(place.temp.path()).unwrap(),
                );
                assert_eq!(placed.finish().unwrap().problems, []);
                let mut want = entry;
                if let Kind::Symlink { .. } = want.kind {
                    want.meta.mode = 0o777;
                }
                assert_eq!(place.entry("/x"), want, "{before:?}");
                let kept = before.is_dir() && after.is_dir();
                let names = if kept { vec!["/", "/x", "/x/child"] } else { vec!["/", "/x"] };
                assert_eq!(place.names(), names);
            }
        }
    }

    #[test]
    fn what_stood_there_leaves_nothing_of_its_metadata() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        fs::create_dir(place.at("dir")).unwrap();
        xattr(&place.at("dir"), "system.posix_acl_default", &ACL);
        xattr(&place.at("dir"), "user.stale", b"1");
        fs::write(place.at("dir/file"), "old").unwrap();
        xattr(&place.at("dir/file"), "user.stale", b"1");
        chmod(&place.at("dir/file"), 0o7777);
        let entries = [new("/dir", Kind::Dir), new("/dir/sub", Kind::Dir), text("/dir/file", "x")];
        for entry in &entries {
            place.file(entry, "x").unwrap();
        }
        // Made below a directory that still has its default ACL.
        place.file(&new("/dir/sub/fifo", Kind::Fifo), "").unwrap();
        place.writer.finish().map(|placed| assert_eq!(placed.problems, [])).unwrap();
        let place = Place { writer: RootWriter::open(place.temp.path()).unwrap(), ..place };
        for entry in entries.into_iter().chain([new("/dir/sub/fifo", Kind::Fifo)]) {
            assert_eq!(place.entry(&entry.path.to_string()), entry);
        }
    }

    #[test]
    fn acls_capabilities_and_set_id_bits_hold_together() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        let mut entry = text("/f", "x");
        entry.meta.mode = 0o6765;
        entry.meta.xattrs = [
            (b"security.capability".to_vec(), CAPABILITY.to_vec()),
            (b"system.posix_acl_access".to_vec(), ACL.to_vec()),
            (b"user.z".to_vec(), vec![]),
        ]
        .into();
        // The mode that this ACL means.
        entry.meta.mode = 0o6760;
        place.file(&entry, "x").unwrap();
        assert_eq!(place.entry("/f"), entry);
        entry.meta.uid = 99;
        place.file(&entry, "x").unwrap();
        assert_eq!(place.entry("/f"), entry);
        assert_eq!(place.writer.finish().unwrap().problems, []);
    }

    #[test]
    fn an_acl_that_the_mode_changed_is_a_problem() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        let mut entry = text("/f", "x");
        entry.meta.mode = 0o700;
        entry.meta.xattrs = [(ACL_NAME.to_vec(), ACL.to_vec())].into();
        place.file(&entry, "x").unwrap();
        let what = Lost::Xattr { name: ACL_NAME.to_vec(), why: Refusal::Contradicted };
        let problems = place.writer.finish().unwrap().problems;
        assert_eq!(problems, [Problem { path: entry.path, what }]);
    }

    #[test]
    fn an_attribute_that_does_not_fit_is_a_problem_and_not_a_full_disk() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        let mut entry = text("/f", "x");
        entry.meta.xattrs.insert(b"user.large".to_vec(), vec![1; 60_000]);
        entry.meta.xattrs.insert(b"system.posix_acl_access".to_vec(), ACL[..40].to_vec());
        entry.meta.xattrs.insert(b"unknown.name".to_vec(), b"1".to_vec());
        place.file(&entry, "x").unwrap();
        let mut link = new("/l", link());
        link.meta.xattrs.insert(b"user.on-a-link".to_vec(), b"1".to_vec());
        link.meta.mode = 0o777;
        place.file(&link, "").unwrap();
        let lost = |at: &str, name: &str, why| Problem {
            path: path(at),
            what: Lost::Xattr { name: name.into(), why },
        };
        assert_eq!(
            place.writer.finish().unwrap().problems,
            [
                lost("/f", "system.posix_acl_access", Refusal::Malformed),
                lost("/f", "unknown.name", Refusal::Unsupported),
                lost("/f", "user.large", Refusal::TooLarge),
                lost("/l", "user.on-a-link", Refusal::Denied),
            ]
        );
    }

    #[test]
    fn what_the_kernel_would_misread_is_refused_and_changes_nothing() {
        let mut place = Place::new();
        fs::write(place.at("x"), "before").unwrap();
        let edit = |edit: fn(&mut Meta)| {
            let mut entry = text("/x", "text");
            edit(&mut entry.meta);
            entry
        };
        let refused = [
            edit(|meta| meta.uid = u32::MAX),
            edit(|meta| meta.gid = u32::MAX),
            edit(|meta| meta.mode = 0o100_644),
            // `UTIME_NOW`.
            edit(|meta| meta.mtime.nanos = (1 << 30) - 1),
            new("/x", Kind::Socket),
            new("/", Kind::Fifo),
        ];
        for entry in refused {
            let error = place.file(&entry, "text").unwrap_err();
            assert!(matches!(error, PlaceError::Refused { .. }), "{error}");
        }
        let runs = [Extent { offset: 2, length: u64::MAX }];
        let content: Option<&mut dyn Content> = Some(&mut Cursor::new("text"));
        assert!(place.writer.place(&text("/x", "text"), content, &runs).is_err());
        assert!(place.writer.place(&text("/x", "text"), None, &[]).is_err());
        assert_eq!(fs::read_to_string(place.at("x")).unwrap(), "before");
        assert_eq!(place.names(), ["/", "/x"]);
    }

    #[test]
    fn content_of_another_length_than_listed_leaves_what_was_there() {
        let mut place = Place::new();
        fs::write(place.at("x"), "before").unwrap();
        let runs = [Extent { offset: 0, length: 4 }];
        for wrong in ["tex", "text and more"] {
            let content: Option<&mut dyn Content> = Some(&mut Cursor::new(wrong));
            let error = place.writer.place(&text("/x", "text"), content, &runs).unwrap_err();
            assert!(matches!(error, PlaceError::Source { .. }), "{error}");
        }
        assert_eq!(fs::read_to_string(place.at("x")).unwrap(), "before");
        assert_eq!(place.names(), ["/", "/x"]);
    }

    #[test]
    fn later_names_of_a_group_become_links_unless_the_first_is_no_more() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        let named = |at: &str| Entry { links: Some(LinkGroup(7)), ..text(at, "text") };
        place.file(&named("/a"), "text").unwrap();
        place.writer.place(&named("/b"), None, &[]).unwrap();
        // Over its own other name.
        place.writer.place(&named("/b"), None, &[]).unwrap();
        let inode = |place: &Place, name: &str| fs::metadata(place.at(name)).unwrap().ino();
        assert_eq!(inode(&place, "a"), inode(&place, "b"));
        place.writer.remove(&path("/a")).unwrap();
        let error = place.writer.place(&named("/c"), None, &[]).unwrap_err();
        assert!(matches!(error, PlaceError::Refused { .. }), "{error}");
        place.file(&named("/c"), "text").unwrap();
        place.writer.place(&named("/d"), None, &[]).unwrap();
        assert_eq!(inode(&place, "c"), inode(&place, "d"));
        assert_ne!(inode(&place, "b"), inode(&place, "c"));
        assert_eq!(place.names(), ["/", "/b", "/c", "/d"]);
    }

    #[test]
    fn a_directory_gets_its_metadata_last_and_one_that_was_removed_none() {
        if crate::tree::testing::without_root() {
            return;
        }
        let mut place = Place::new();
        for at in ["/", "/kept", "/gone", "/gone/sub"] {
            place.writer.place(&new(at, Kind::Dir), None, &[]).unwrap();
        }
        assert_eq!(fs::metadata(place.at("kept")).unwrap().mode() & 0o7777, 0o700);
        place.writer.remove(&path("/gone")).unwrap();
        place.writer.remove(&path("/never/there")).unwrap();
        place.file(&text("/kept/later", "x"), "x").unwrap();
        place.writer.finish().unwrap();
        let place = Place { writer: RootWriter::open(place.temp.path()).unwrap(), ..place };
        assert_eq!(place.entry("/"), new("/", Kind::Dir));
        assert_eq!(place.entry("/kept"), new("/kept", Kind::Dir));
        assert_eq!(place.names(), ["/", "/kept", "/kept/later"]);
    }

    #[test]
    fn nothing_is_placed_or_removed_through_a_link() {
        if crate::tree::testing::without_root() {
            return;
        }
        let victim = tempfile::tempdir().unwrap();
        fs::write(victim.path().join("file"), "victim").unwrap();
        set_time(victim.path(), 1, 1);
        let mut place = Place::new();
        symlink(victim.path(), place.at("link")).unwrap();
        symlink(victim.path().join("file"), place.at("leaf")).unwrap();
        for at in ["/link/file", "/link/new", "/missing/new", "/leaf/x"] {
            let error = place.file(&text(at, "x"), "x").unwrap_err();
            assert!(matches!(error, PlaceError::Absent { .. }), "{error}");
            place.writer.remove(&path(at)).unwrap();
        }
        place.file(&text("/leaf", "x"), "x").unwrap();
        place.writer.place(&new("/link", Kind::Dir), None, &[]).unwrap();
        assert_eq!(place.names(), ["/", "/leaf", "/link"]);
        let file = fs::metadata(victim.path().join("file")).unwrap();
        assert_eq!((file.uid(), file.size()), (0, 6));
        assert_eq!(fs::metadata(victim.path()).unwrap().mtime(), 1);
    }

    #[test]
    fn a_directory_swapped_for_a_link_never_lets_a_write_out() {
        if crate::tree::testing::without_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let (root, victim) = (temp.path().join("root"), temp.path().join("victim"));
        fs::create_dir_all(root.join("dir")).unwrap();
        fs::create_dir_all(victim.join("sub")).unwrap();
        fs::write(victim.join("file"), "victim").unwrap();
        for at in ["file", "sub", ""] {
            set_time(&victim.join(at), 1, 1);
        }
        symlink(&victim, root.join("swap")).unwrap();
        let swapper = Swapper::start(&root.join("dir"), &root.join("swap"));
        let mut placed = 0;
        while !swapper.is_over() {
            let mut writer = RootWriter::open(&root).unwrap();
            for (at, kind) in [("/dir/file", Kind::File { size: 0 }), ("/dir/sub", Kind::Dir)] {
                placed += usize::from(writer.place(&new(at, kind), None, &[]).is_ok());
            }
            let _ = writer.remove(&path("/dir/file"));
            let _ = writer.remove(&path("/dir/sub"));
            let _ = writer.finish();
        }
        assert!(placed > 100 && swapper.finish() > 1000, "{placed}");
        for at in ["file", "sub", ""] {
            let meta = fs::metadata(victim.join(at)).unwrap();
            assert_eq!((meta.mtime(), meta.uid()), (1, 0), "{at}");
        }
        assert_eq!(fs::read(victim.join("file")).unwrap(), b"victim");
    }
}
