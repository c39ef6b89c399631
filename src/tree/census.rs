//! [`Census`]: what stood in a tree at one time, to find out later whether it still does.
//!
//! Every path is written down with its node's type, size, metadata and times, and with its number
//! where it has several links. The kernel gives a node another change time with every change that
//! it is asked for, and nobody can set that one, so equal stamps are equal contents. The list is
//! kept in an unlinked file, since a tree may have more paths than there is memory for.
//!
//! Stores through a mapping are stamped by the first one into a clean page only: whoever takes
//! a census writes back what is dirty behind it, before the contents are read.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::time::Duration;

use super::{Entry, Kind, RootPath, Rootfs, Time, Tree, TreeError};

/// Longer than the kernel's clock of times stands still: what is changed after a census has a later
/// time than what was there.
const TICK: Duration = Duration::from_millis(20);

/// This many differences are named.
const NAMED: usize = 8;

/// What stood in a tree.
#[derive(Debug)]
pub(crate) struct Census {
    file: File,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CensusError {
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The list cannot be written or read.
    #[error("listing a tree in a temporary file")]
    List(#[from] io::Error),
}

/// What is different now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// The first paths, each with what became of it.
    pub named: Vec<(RootPath, &'static str)>,
    /// How many more there are.
    pub more: usize,
}

impl Differences {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    fn add(&mut self, path: RootPath, what: &'static str) {
        if self.named.len() < NAMED {
            self.named.push((path, what));
        } else {
            self.more += 1;
        }
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, (path, what)) in self.named.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{path} {what}")?;
        }
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        Ok(())
    }
}

impl Census {
    /// Writes down what stands in `tree`.
    pub(crate) fn take(tree: &Rootfs) -> Result<Census, CensusError> {
        let mut list = BufWriter::new(tempfile::tempfile()?);
        for entry in tree.walk() {
            let entry = entry?;
            let path = entry.path.as_bytes();
            list.write_all(&(path.len() as u64).to_le_bytes())?;
            list.write_all(path)?;
            list.write_all(&stamp(&entry))?;
        }
        let file = list.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::thread::sleep(TICK);
        Ok(Census { file })
    }

    /// What is different in `tree` now.
    pub(crate) fn differences(&mut self, tree: &Rootfs) -> Result<Differences, CensusError> {
        self.file.rewind()?;
        let mut list = BufReader::new(&self.file);
        let mut found = Differences::default();
        let mut before = next(&mut list)?;
        for entry in tree.walk() {
            let entry = match entry {
                // What cannot be read any more is a difference like another.
                Err(TreeError::Io { path, .. } | TreeError::Changed { path, .. }) => {
                    found.add(path, "cannot be read any more");
                    continue;
                }
                entry => entry?,
            };
            while let Some((path, _)) = &before
                && *path < entry.path
            {
                found.add(path.clone(), "is gone");
                before = next(&mut list)?;
            }
            match &before {
                Some((path, was)) if path.cmp(&entry.path) == Ordering::Equal => {
                    if *was != stamp(&entry) {
                        found.add(entry.path, "was changed");
                    }
                    before = next(&mut list)?;
                }
                _ => found.add(entry.path, "is new"),
            }
        }
        while let Some((path, _)) = before {
            found.add(path, "is gone");
            before = next(&mut list)?;
        }
        Ok(found)
    }
}

const STAMP: usize = 61;

fn next(list: &mut impl Read) -> io::Result<Option<(RootPath, [u8; STAMP])>> {
    let mut length = [0; 8];
    if list.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    list.read_exact(&mut length[1..])?;
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| broken())?;
    let mut path = vec![0; length];
    list.read_exact(&mut path)?;
    let mut stamp = [0; STAMP];
    list.read_exact(&mut stamp)?;
    Ok(Some((RootPath::parse(&path).map_err(|_| broken())?, stamp)))
}

/// What tells a node from what it was. An exchange gives the root itself another change time.
fn stamp(entry: &Entry) -> [u8; STAMP] {
    let mut bytes = Vec::with_capacity(STAMP);
    let kind: u8 = match entry.kind {
        Kind::File { .. } => 0,
        Kind::Dir => 1,
        Kind::Fifo => 2,
        Kind::Socket => 3,
        _ => 4,
    };
    let mut put = |word: u64| bytes.extend(word.to_le_bytes());
    put(entry.kind.size());
    put(entry.links.as_ref().map_or(0, |group| group.0));
    for part in [entry.meta.mode, entry.meta.uid] {
        put(u64::from(part));
    }
    let none = Time { secs: 0, nanos: 0 };
    let ctime = entry.ctime.filter(|_| !entry.path.is_root()).unwrap_or(none);
    for time in [entry.meta.mtime, ctime] {
        put(time.secs.cast_unsigned());
    }
    for part in [entry.meta.mtime.nanos, ctime.nanos, entry.meta.gid] {
        bytes.extend(part.to_le_bytes());
    }
    bytes.push(kind);
    let mut stamp = [0; STAMP];
    stamp.copy_from_slice(&bytes);
    stamp
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tree::testing::path;

    #[test]
    fn whatever_is_done_to_a_tree_is_found_by_name() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for dir in ["dir", "dir/sub"] {
            fs::create_dir(at(dir)).unwrap();
        }
        for file in ["dir/file", "dir/gone", "dir/sub/file", "dir.file", "mode", "replaced"] {
            fs::write(at(file), "12").unwrap();
        }
        symlink("a", at("link")).unwrap();
        let tree = Rootfs::open(temp.path()).unwrap();
        let mut census = Census::take(&tree).unwrap();
        assert!(census.differences(&tree).unwrap().is_empty());

        fs::read(at("dir/file")).unwrap();
        assert!(census.differences(&tree).unwrap().is_empty(), "reading changes nothing");
        let when = fs::metadata(at("dir/file")).unwrap().modified().unwrap();
        fs::write(at("dir/file"), "34").unwrap();
        fs::File::options().write(true).open(at("dir/file")).unwrap().set_modified(when).unwrap();
        fs::remove_file(at("dir/gone")).unwrap();
        fs::write(at("dir/sub/new"), "").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(at("mode"), mode).unwrap();
        fs::write(at("other"), "12").unwrap();
        fs::rename(at("other"), at("replaced")).unwrap();
        let found = census.differences(&tree).unwrap();
        let (gone, new, changed) = ("is gone", "is new", "was changed");
        let wanted = [
            ("/", changed),
            ("/dir", changed),
            ("/dir/file", changed),
            ("/dir/gone", gone),
            ("/dir/sub", changed),
            ("/dir/sub/new", new),
            ("/mode", changed),
            ("/replaced", changed),
        ];
        assert_eq!(found.named, wanted.map(|(name, what)| (path(name), what)));
        fs::write(at("zz"), "").unwrap();
        let told = census.differences(&tree).unwrap().to_string();
        assert!(told.ends_with("/replaced was changed, and 1 more"), "{told}");
    }
}
