//! Settling a draft onto a system: from the paths of the old tree to the paths of the new one.
//!
//! Where the old system had a directory the new one may have a link (a merged `/usr`), or nothing
//! at all. A settled draft names real places only: every parent is a real directory of the new
//! system or stands in the draft itself, and nothing is removed that is not there.

use std::collections::HashSet;

use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, Meta, RealPlaces, RootPath, Tree, TreeError,
};

/// Where the old system's directories are known, whatever their class.
pub(in crate::restore) trait Directories {
    /// The old system's directory at `path`, ready to be placed.
    fn directory(&self, path: &RootPath) -> Option<Entry>;
}

/// `draft` with the paths that `target` really has, parents that are missing there added.
pub(in crate::restore) fn settle(
    draft: &Draft,
    old: &dyn Directories,
    target: &dyn Tree,
) -> Result<Draft, TreeError> {
    let mut settled = Draft::default();
    let real = RealPlaces::of(target);
    for node in draft.nodes() {
        let place = match node.entry.kind {
            Kind::Dir => real.directory(&node.entry.path)?,
            _ => real.place(&node.entry.path)?,
        };
        // A link from /usr/bin to /bin leads to itself where the two are one.
        let one_now = match &node.entry.kind {
            Kind::Symlink { target: text } => {
                let aim = node.entry.path.aim(text);
                aim != node.entry.path && real.place(&aim)? == place
            }
            _ => false,
        };
        if one_now {
            continue;
        }
        let mut node = node.clone();
        node.entry.path = place;
        settled.put(node);
    }
    add_parents(draft, &mut settled, old, &real, target)?;
    for path in draft.deletions() {
        let place = real.place(path)?;
        let there = target.entry(&place)?.is_some();
        if there && settled.below(&place).next().is_none() {
            settled.delete(place);
        }
    }
    Ok(settled)
}

/// Adds every directory that a node needs and that is neither in the target nor in the draft.
fn add_parents(
    draft: &Draft,
    settled: &mut Draft,
    old: &dyn Directories,
    real: &RealPlaces<'_>,
    target: &dyn Tree,
) -> Result<(), TreeError> {
    let mut seen: HashSet<RootPath> = HashSet::new();
    for node in draft.nodes() {
        // What leads to a directory that was seen was seen with it.
        let parents = std::iter::successors(node.entry.path.parent(), RootPath::parent);
        for dir in parents.take_while(|dir| !dir.is_root()) {
            if !seen.insert(dir.clone()) {
                break;
            }
            let place = real.directory(&dir)?;
            let there = target.entry(&place)?.is_some_and(|entry| entry.kind.is_dir());
            let planned = settled.get(&place).is_some_and(|node| node.entry.kind.is_dir());
            if !there && !planned {
                let mut entry = old.directory(&dir).unwrap_or_else(|| plain(&place));
                entry.path = place;
                settled.put(DraftNode { entry, content: DraftContent::None });
            }
        }
    }
    Ok(())
}

/// Puts the directories that are missing above `path` into `draft`.
pub(in crate::restore) fn stand(
    path: &RootPath,
    draft: &mut Draft,
    target: &dyn Tree,
) -> Result<(), TreeError> {
    // From below: above what is there, all is there.
    for dir in path.ancestors().rev() {
        if target.entry(&dir)?.is_some_and(|entry| entry.kind.is_dir()) {
            break;
        }
        if draft.get(&dir).is_none() {
            draft.put(DraftNode { entry: plain(&dir), content: DraftContent::None });
        }
    }
    Ok(())
}

/// A directory that nobody described.
fn plain(path: &RootPath) -> Entry {
    let meta = Meta::root(0o755);
    Entry::new(path.clone(), Kind::Dir, meta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    struct Old;

    impl Directories for Old {
        fn directory(&self, path: &RootPath) -> Option<Entry> {
            let mut entry = plain(path);
            entry.meta.mode = 0o750;
            Some(entry)
        }
    }

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(at: &str, kind: Kind) -> DraftNode {
        let entry = Entry { kind, ..plain(&path(at)) };
        DraftNode { entry, content: DraftContent::None }
    }

    fn shown(draft: &Draft) -> Vec<String> {
        draft.nodes().map(|n| format!("{} {:o}", n.entry.path, n.entry.meta.mode)).collect()
    }

    #[test]
    fn a_path_below_a_merged_directory_settles_where_it_really_lies() {
        let target = MemoryTree::default().dir("/usr/lib").link("/lib", "usr/lib");
        let mut draft = Draft::default();
        draft.put(node("/lib", Kind::Dir));
        draft.put(node("/lib/firmware/x.bin", Kind::Fifo));
        draft.delete(path("/lib/none"));
        let settled = settle(&draft, &Old, &target).unwrap();
        assert_eq!(
            shown(&settled),
            ["/usr/lib 755", "/usr/lib/firmware 750", "/usr/lib/firmware/x.bin 755"]
        );
        assert_eq!(settled.deletions().count(), 0);
    }

    #[test]
    fn a_link_between_directories_that_are_one_now_is_left_out() {
        let target = MemoryTree::default().file("/usr/bin/getfacl", "new").link("/bin", "usr/bin");
        let mut draft = Draft::default();
        draft.put(node("/usr/bin/getfacl", Kind::Symlink { target: b"/bin/getfacl".to_vec() }));
        draft.put(node("/usr/bin/g", Kind::Symlink { target: b"../../bin/getfacl".to_vec() }));
        // One that leads to itself was made so.
        draft.put(node("/srv/self", Kind::Symlink { target: b"self".to_vec() }));
        let settled = settle(&draft, &Old, &target).unwrap();
        assert_eq!(shown(&settled), ["/srv 750", "/srv/self 755", "/usr/bin/g 755"]);
    }

    #[test]
    fn a_link_of_the_user_replaces_a_directory_and_is_not_followed() {
        let target = MemoryTree::default().dir("/var/www/html").dir("/srv");
        let mut draft = Draft::default();
        draft.put(node("/var/www/html", Kind::Symlink { target: b"/srv".to_vec() }));
        draft.delete(path("/srv"));
        let settled = settle(&draft, &Old, &target).unwrap();
        assert_eq!(shown(&settled), ["/var/www/html 755"]);
        assert_eq!(settled.deletions().count(), 1);
    }
}
