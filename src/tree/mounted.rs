//! [`Mounted`]: a root with other trees mounted into it, as one tree.
//!
//! Invariant: a mounted tree hides everything that lies at and below its mount point, and what is
//! shown under a path can be opened under that path.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Content, Entry, Extent, LinkGroup, RootPath, Tree, TreeError};

/// A tree with others mounted into it, as a container with its volumes.
pub(crate) struct Mounted {
    root: Arc<dyn Tree>,
    mounts: Vec<(RootPath, Arc<dyn Tree>)>,
    /// Link groups of all trees, numbered in the order they are met.
    groups: Mutex<BTreeMap<(Option<usize>, LinkGroup), u64>>,
}

impl Mounted {
    /// Mounts each tree at its path, which is taken as it stands: symlinks in it are not followed.
    /// Of two mounts at one path the later one is seen. A mount point that `root` does not have
    /// is shown all the same, without directories leading to it.
    pub(crate) fn new(root: Arc<dyn Tree>, mounts: Vec<(RootPath, Arc<dyn Tree>)>) -> Mounted {
        Mounted { root, mounts, groups: Mutex::default() }
    }

    /// The mount that `path` lies in, its mount point included: an index into the list given to
    /// [`new`](Mounted::new). `None` for the root's own paths.
    pub(crate) fn mount_of(&self, path: &RootPath) -> Option<usize> {
        let within = self.mounts.iter().enumerate().filter(|(_, (at, _))| path.is_within(at));
        within.max_by_key(|(number, (at, _))| (at.as_bytes().len(), *number)).map(|(n, _)| n)
    }

    fn tree(&self, mount: Option<usize>) -> &dyn Tree {
        mount.map_or(&*self.root, |number| &*self.mounts[number].1)
    }

    /// `path` as the tree that it lies in calls it.
    fn inside(&self, path: &RootPath) -> (Option<usize>, RootPath) {
        let mount = self.mount_of(path);
        let inner = mount.and_then(|number| path.strip_prefix(&self.mounts[number].0));
        (mount, inner.unwrap_or_else(|| path.clone()))
    }

    /// `inner`, a path of one tree, as it is called here.
    fn outside(&self, mount: Option<usize>, inner: &RootPath) -> RootPath {
        mount.map_or_else(|| inner.clone(), |number| self.mounts[number].0.join(inner))
    }

    fn show(&self, mount: Option<usize>, mut entry: Entry) -> Entry {
        entry.path = self.outside(mount, &entry.path);
        entry.links = entry.links.map(|group| {
            let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            let next = groups.len() as u64;
            LinkGroup(*groups.entry((mount, group)).or_insert(next))
        });
        entry
    }

    /// Everything that is visible of one tree.
    fn part(
        &self,
        mount: Option<usize>,
    ) -> Peekable<Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_>> {
        let shown = self.tree(mount).walk().map(move |entry| match entry {
            Ok(entry) => Ok(self.show(mount, entry)),
            Err(error) => {
                let path = self.outside(mount, error.path());
                Err(error.at(&path))
            }
        });
        let visible = shown.filter(move |entry| self.mount_of(path_of(entry)) == mount);
        (Box::new(visible) as Box<dyn Iterator<Item = _> + Send>).peekable()
    }

    /// The tree that `entry` is from, and its entry there.
    fn holder(&self, entry: &Entry) -> Result<(&dyn Tree, Entry), TreeError> {
        let (mount, inner) = self.inside(&entry.path);
        let tree = self.tree(mount);
        let inner = tree.entry(&inner).map_err(|error| error.at(&entry.path))?;
        let inner = inner.ok_or_else(|| TreeError::Changed {
            path: entry.path.clone(),
            what: "it is gone".to_owned(),
        })?;
        inner.check_version(entry)?;
        Ok((tree, inner))
    }
}

fn path_of(entry: &Result<Entry, TreeError>) -> &RootPath {
    match entry {
        Ok(entry) => &entry.path,
        Err(error) => error.path(),
    }
}

impl Tree for Mounted {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        let mut waiting: Vec<usize> = (0..self.mounts.len()).collect();
        // Of several mounts at one path only the one that is seen has anything visible.
        waiting.sort_by(|a, b| self.mounts[*b].0.cmp(&self.mounts[*a].0));
        let mut open = vec![(RootPath::root(), self.part(None))];
        Box::new(std::iter::from_fn(move || {
            loop {
                let (at, part) = open.last_mut()?;
                let next = part.peek().map(path_of);
                // A mount begins before the first path behind its mount point.
                let begins = waiting.last().filter(|&&mount| {
                    let point = &self.mounts[mount].0;
                    point.is_within(at) && next.is_none_or(|next| point <= next)
                });
                if let Some(&mount) = begins {
                    waiting.pop();
                    open.push((self.mounts[mount].0.clone(), self.part(Some(mount))));
                } else if next.is_some() {
                    return part.next();
                } else {
                    open.pop();
                }
            }
        }))
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        let (mount, inner) = self.inside(path);
        let entry = self.tree(mount).entry(&inner).map_err(|error| error.at(path))?;
        Ok(entry.map(|entry| self.show(mount, entry)))
    }

    fn children(&self, path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        let (mount, inner) = self.inside(path);
        let found = self.tree(mount).children(&inner).map_err(|error| {
            let path = self.outside(mount, error.path());
            error.at(&path)
        })?;
        let mut children: BTreeMap<RootPath, Entry> = found
            .into_iter()
            .map(|entry| self.show(mount, entry))
            .map(|entry| (entry.path.clone(), entry))
            .collect();
        for (point, _) in &self.mounts {
            if point.parent().as_ref() == Some(path) {
                children.remove(point);
                children.extend(self.entry(point)?.map(|entry| (point.clone(), entry)));
            }
        }
        Ok(children.into_values().collect())
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        let (tree, inner) = self.holder(entry)?;
        tree.open(&inner).map_err(|error| error.at(&entry.path))
    }

    fn extents(&self, entry: &Entry) -> Result<Vec<Extent>, TreeError> {
        let (tree, inner) = self.holder(entry)?;
        tree.extents(&inner).map_err(|error| error.at(&entry.path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::tree::testing::path;
    use crate::tree::{Rootfs, read_file};

    fn tree(at: &Path, files: &[&str]) -> Arc<dyn Tree> {
        fs::create_dir(at).unwrap();
        for file in files {
            let file = at.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, at.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        Arc::new(Rootfs::open(at).unwrap())
    }

    fn mounted(temp: &Path) -> Mounted {
        let sub = |name: &str, files: &[&str]| tree(&temp.join(name), files);
        let root = sub("root", &["etc/x", "srv/hidden/y", "srv-x/z", "var/lib/old"]);
        let mounts = vec![
            (path("/var/lib"), sub("lib", &["a/b", "data/hidden", "z"])),
            (path("/srv"), sub("srv", &["s"])),
            (path("/var/lib/data"), sub("data", &["d"])),
            (path("/zz"), sub("none", &["n"])),
            (path("/srv"), sub("later", &["later"])),
        ];
        Mounted::new(root, mounts)
    }

    #[test]
    fn a_mount_hides_what_was_there_and_order_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        let tree = mounted(temp.path());
        let all: Vec<Entry> = tree.walk().map(Result::unwrap).collect();
        let text = |entry: &Entry| {
            let text = read_file(&tree, &entry.path, 10).unwrap().unwrap_or_default();
            format!("{}={}", entry.path, String::from_utf8(text).unwrap())
        };
        let want = [
            "/=",
            "/etc=",
            "/etc/x=root",
            "/srv=",
            "/srv/later=later",
            "/srv-x=",
            "/srv-x/z=root",
            "/var=",
            "/var/lib=",
            "/var/lib/a=",
            "/var/lib/a/b=lib",
            "/var/lib/data=",
            "/var/lib/data/d=data",
            "/var/lib/z=lib",
            "/zz=",
            "/zz/n=none",
        ];
        assert_eq!(all.iter().map(text).collect::<Vec<_>>(), want);
        for entry in &all {
            assert_eq!(tree.entry(&entry.path).unwrap().as_ref(), Some(entry));
            let below = all.iter().filter(|e| e.path.parent().as_ref() == Some(&entry.path));
            assert_eq!(tree.children(&entry.path).unwrap(), below.cloned().collect::<Vec<_>>());
        }
        assert_eq!(tree.entry(&path("/srv/hidden/y")).unwrap(), None);
        assert_eq!(tree.entry(&path("/var/lib/data/hidden")).unwrap(), None);
    }

    #[test]
    fn the_deepest_mount_owns_a_path() {
        let temp = tempfile::tempdir().unwrap();
        let tree = mounted(temp.path());
        let of = |at: &str| tree.mount_of(&path(at));
        let paths = ["/", "/var", "/var/lib", "/var/lib/data", "/var/lib/database", "/srv/x"];
        assert_eq!(paths.map(of), [None, None, Some(0), Some(2), Some(0), Some(4)]);
    }

    #[test]
    fn equal_link_groups_of_two_trees_are_two_groups() {
        let temp = tempfile::tempdir().unwrap();
        let root = tree(&temp.path().join("root"), &["mnt/x", "a"]);
        fs::hard_link(temp.path().join("root/a"), temp.path().join("root/b")).unwrap();
        let tree = Mounted::new(root.clone(), vec![(path("/mnt"), root)]);
        let group = |at: &str| tree.entry(&path(at)).unwrap().unwrap().links.unwrap();
        let groups = ["/a", "/b", "/mnt/a", "/mnt/b"].map(group);
        assert_eq!(groups, [0, 0, 1, 1].map(LinkGroup));
    }
}
