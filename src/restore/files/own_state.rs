//! What the new system says about itself stays: no record of the old installation takes its place.
//!
//! Usually none is among what was kept. But where the old package database was empty, damaged or
//! foreign, nothing explains its files, and what nothing explains is kept.

use crate::packages::OWN_STATE;
use crate::restore::value::decisions::Decisions;
use crate::tree::{Draft, RootPath, Tree, TreeError, real_place};
use crate::verdict::HeldKind;

/// Takes out of the settled `draft` whatever would be placed over, or removed from, what `target`
/// says about itself.
pub(in crate::restore) fn stay(
    draft: &mut Draft,
    target: &dyn Tree,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    for own in OWN_STATE {
        let place = real_place(target, own)?;
        if draft.forget(&place) {
            decisions.leave_out(&place, "it is about the old installation");
        }
        for above in place.ancestors() {
            let stands = target.entry(&above)?.is_some_and(|entry| entry.kind.is_dir());
            let replaced = draft.get(&above).is_some_and(|node| !node.entry.kind.is_dir());
            let gone = draft.deletions().any(|path| *path == above);
            if above == place || !stands || !(replaced || gone) {
                continue;
            }
            hold(draft, &above, &place, decisions);
        }
    }
    Ok(())
}

/// Leaves `above` as it is in the new system.
fn hold(draft: &mut Draft, above: &RootPath, own: &RootPath, decisions: &mut Decisions) {
    let was = match draft.get(above) {
        Some(node) => format!("was a {}", node.entry.kind.word()),
        None => "was removed".to_owned(),
    };
    draft.keep(above);
    draft.remove(above);
    decisions.hold(
        HeldKind::Package,
        above,
        format!("it {was}; it stays a directory, as {own} of the new system lies in it"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftContent, DraftNode};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn put(draft: &mut Draft, tree: &MemoryTree, at: &str) {
        let entry = tree.entry(&path(at)).unwrap().unwrap();
        let content = match entry.kind.is_file() {
            true => DraftContent::Bytes(vec![]),
            false => DraftContent::None,
        };
        draft.put(DraftNode { entry, content });
    }

    fn new_system() -> MemoryTree {
        MemoryTree::default()
            .file("/var/lib/dpkg/status", "Package: a\n")
            .file("/var/lib/dpkg/info/a.list", "/.\n")
            .file("/usr/lib/os-release", "ID=debian\n")
            .link("/etc/os-release", "../usr/lib/os-release")
            .dir("/usr/lib/apk/db")
            .link("/lib", "usr/lib")
    }

    fn left(draft: &Draft) -> Vec<String> {
        let nodes = draft.nodes().map(|node| node.entry.path.to_string());
        nodes.chain(draft.deletions().map(|path| format!("- {path}"))).collect()
    }

    #[test]
    fn no_record_of_the_old_installation_is_placed_whatever_it_is() {
        let old = MemoryTree::default()
            .dir("/var/lib/dpkg")
            .file("/var/lib/dpkg/status", "")
            .file("/var/lib/apt/extended_states", "half")
            .file("/var/lib/rpm/Packages", "")
            .file("/usr/lib/apk/db/installed", "")
            .link("/var/lib/pacman", "/srv/pacman")
            .file("/usr/lib/os-release", "ID=debian\nVERSION_ID=11\n")
            .file("/etc/os-release", "VERSION_ID=11\n")
            .file("/srv/chroot/var/lib/dpkg/status", "mine")
            .file("/var/lib/dpkg-cross/mine", "mine");
        let all: Vec<_> = old.walk().map(Result::unwrap).collect();
        let mut draft = Draft::default();
        for entry in all.iter().filter(|e| !e.kind.is_dir() || e.path == path("/var/lib/dpkg")) {
            put(&mut draft, &old, &entry.path.to_string());
        }
        draft.delete(path("/var/lib/dpkg/info/a.list"));
        draft.delete(path("/etc/motd"));
        let mut decisions = Decisions::default();
        stay(&mut draft, &new_system(), &mut decisions).unwrap();
        let kept = ["/srv/chroot/var/lib/dpkg/status", "/var/lib/dpkg-cross/mine", "- /etc/motd"];
        assert_eq!(left(&draft), kept);
        assert_eq!((decisions.steps.len(), decisions.held.len()), (7, 0));
    }

    #[test]
    fn a_directory_that_holds_the_new_systems_records_is_not_replaced_or_removed() {
        let old = MemoryTree::default().link("/var/lib", "/srv/lib").file("/usr", "no directory");
        let mut draft = Draft::default();
        put(&mut draft, &old, "/var/lib");
        put(&mut draft, &old, "/usr");
        draft.delete(path("/etc"));
        let mut decisions = Decisions::default();
        stay(&mut draft, &new_system(), &mut decisions).unwrap();
        assert_eq!(left(&draft), Vec::<String>::new());
        let held: Vec<String> = decisions.held.iter().map(|h| h.subject.to_string()).collect();
        assert_eq!(held, ["/var/lib", "/usr", "/etc"]);
    }
}
