//! Where a path really lies in a tree whose directories may be links.

use std::cell::RefCell;
use std::collections::HashMap;

use super::{FileType, RootPath, Tree, TreeError, resolve};

/// Where `path` lies when links among its parents are followed as far as they exist.
///
/// # Errors
/// The tree cannot be read.
pub(crate) fn real_place(target: &dyn Tree, path: &RootPath) -> Result<RootPath, TreeError> {
    RealPlaces::of(target).place(path)
}

/// Where the directory `path` lies: followed to its end when it leads to a directory, and as far
/// as it exists otherwise.
///
/// # Errors
/// The tree cannot be read.
pub(crate) fn real_directory(target: &dyn Tree, path: &RootPath) -> Result<RootPath, TreeError> {
    RealPlaces::of(target).directory(path)
}

/// The real places of a tree's paths. Every directory is looked at once, however many paths lead
/// through it and however deep it lies.
pub(crate) struct RealPlaces<'t> {
    target: &'t dyn Tree,
    directories: RefCell<HashMap<RootPath, Real>>,
}

/// Where a directory lies.
#[derive(Clone)]
struct Real {
    place: RootPath,
    /// Whether it is there; else nothing below it is.
    exists: bool,
}

impl<'t> RealPlaces<'t> {
    /// Those of `target`, which stays as it is.
    pub(crate) fn of(target: &'t dyn Tree) -> RealPlaces<'t> {
        RealPlaces { target, directories: RefCell::default() }
    }

    /// As [`real_place`].
    pub(crate) fn place(&self, path: &RootPath) -> Result<RootPath, TreeError> {
        match path.parent() {
            None => Ok(RootPath::root()),
            Some(parent) => Ok(self.directory(&parent)?.child(path.name())),
        }
    }

    /// As [`real_directory`].
    pub(crate) fn directory(&self, path: &RootPath) -> Result<RootPath, TreeError> {
        let mut directories = self.directories.borrow_mut();
        // From the nearest that is known down to the path.
        let mut unknown = vec![];
        let mut real = Real { place: RootPath::root(), exists: true };
        let mut at = path.clone();
        while let Some(parent) = at.parent() {
            if let Some(known) = directories.get(&at) {
                real = known.clone();
                break;
            }
            unknown.push(std::mem::replace(&mut at, parent));
        }
        for path in unknown.into_iter().rev() {
            real = self.below(&real, path.name())?;
            directories.insert(path, real.clone());
        }
        Ok(real.place)
    }

    /// Where the directory `name` in the directory `above` lies.
    fn below(&self, above: &Real, name: &[u8]) -> Result<Real, TreeError> {
        let place = above.place.child(name);
        let found = if above.exists { self.target.entry(&place)? } else { None };
        let is_link =
            found.as_ref().is_some_and(|entry| entry.kind.file_type() == FileType::Symlink);
        if is_link
            && let Some(end) = resolve(self.target, &place)?
            && self.target.entry(&end)?.is_some_and(|entry| entry.kind.is_dir())
        {
            return Ok(Real { place: end, exists: true });
        }
        Ok(Real { place, exists: found.is_some_and(|entry| entry.kind.is_dir()) })
    }
}
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::testing::path;
    use crate::tree::{Content, Entry, Extent};

    /// Counts how often an entry is asked for.
    struct Counting(MemoryTree, AtomicUsize);

    impl Tree for Counting {
        fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
            self.0.walk()
        }

        fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.entry(path)
        }

        fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
            self.0.children(path)
        }

        fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
            self.0.open(entry)
        }

        fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
            self.0.extents(entry)
        }
    }

    fn deep(depth: usize) -> Vec<RootPath> {
        let top = RootPath::root().child(b"d");
        std::iter::successors(Some(top), |above| Some(above.child(b"d"))).take(depth).collect()
    }

    #[test]
    fn a_directory_is_looked_at_once_however_deep_it_lies_and_whether_it_is_there() {
        let paths = deep(1000);
        for (there, most) in [(0, 1), (500, 501), (1000, 1000)] {
            let new = || MemoryTree::default().dir("/etc");
            let tree = paths[..there].iter().fold(new(), |tree, dir| tree.dir(dir.as_bytes()));
            let counting = Counting(tree, AtomicUsize::new(0));
            let real = RealPlaces::of(&counting);
            for path in paths.iter().chain(paths.iter().rev()) {
                assert_eq!(real.directory(path).unwrap(), *path);
            }
            let asked = counting.1.load(Ordering::Relaxed);
            assert!(asked <= most, "{there} there: {asked}");
        }
    }

    #[test]
    fn links_are_followed_as_far_as_they_lead_to_directories() {
        let tree = MemoryTree::default()
            .dir("/usr/lib")
            .link("/lib", "usr/lib")
            .link("/usr/lib/up", "..")
            .link("/none", "/nowhere")
            .file("/file", "x")
            .link("/to-file", "file");
        let real = RealPlaces::of(&tree);
        for (at, place, directory) in [
            ("/", "/", "/"),
            ("/lib", "/lib", "/usr/lib"),
            ("/lib/x/y", "/usr/lib/x/y", "/usr/lib/x/y"),
            ("/lib/up/lib", "/usr/lib", "/usr/lib"),
            ("/none/x", "/none/x", "/none/x"),
            ("/to-file/x", "/to-file/x", "/to-file/x"),
            ("/new/dir", "/new/dir", "/new/dir"),
        ] {
            assert_eq!(real.place(&path(at)).unwrap(), path(place), "{at}");
            assert_eq!(real.directory(&path(at)).unwrap(), path(directory), "{at}");
        }
    }
}
