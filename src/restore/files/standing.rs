//! What of a plan's questions is still open in a system that was revived, and that somebody may
//! have worked on since.

use std::collections::BTreeSet;
use std::io::Read;

use crate::restore::packages::in_use::CONFIGURATION;
use crate::tree::{Draft, DraftContent, RootPath, Store, Tree, TreeError, read_file, real_place};
use crate::verdict::Held;

/// Larger files are no configuration.
const LIMIT: u64 = 4 << 20;

/// Those of `held` whose subject is a file that is still in `standing`.
pub(in crate::restore) fn still_there(
    held: &[Held],
    standing: &dyn Tree,
) -> Result<Vec<Held>, TreeError> {
    let mut open = Vec::new();
    for one in held {
        let path = RootPath::parse(one.subject.as_bytes());
        let there = match path {
            Ok(path) if !one.subject.contains('\\') => {
                standing.entry(&real_place(standing, &path)?)?.is_some()
            }
            // It is shown otherwise than it is called: nobody can tell.
            _ => true,
        };
        open.extend(there.then(|| one.clone()));
    }
    Ok(open)
}

/// Those of `paths` that have another time in `standing` than a restore gave them.
pub(in crate::restore) fn touched<'a>(
    paths: impl Iterator<Item = &'a RootPath>,
    draft: &Draft,
    standing: &dyn Tree,
) -> Result<BTreeSet<RootPath>, TreeError> {
    let mut touched = BTreeSet::new();
    for path in paths {
        let (Some(node), Some(entry)) = (draft.get(path), standing.entry(path)?) else { continue };
        // Not every way into a container tells fractions.
        if node.entry.meta.mtime.secs != entry.meta.mtime.secs {
            touched.insert(path.clone());
        }
    }
    Ok(touched)
}

/// `draft` with the configuration as it is in `standing` by now.
///
/// # Errors
/// The standing system or the bundle cannot be read.
pub(in crate::restore) fn present(
    draft: &Draft,
    standing: &dyn Tree,
    store: &dyn Store,
) -> Result<Draft, TreeError> {
    let mut present = Draft::default();
    for node in draft.nodes() {
        let path = &node.entry.path;
        if !path.is_within(&CONFIGURATION) || !node.entry.kind.is_file() {
            present.put(node.clone());
            continue;
        }
        let now = match read_file(standing, path, LIMIT) {
            Ok(Some(now)) => now,
            Ok(None) => continue,
            Err(TreeError::TooLarge { .. }) => {
                present.put(node.clone());
                continue;
            }
            Err(error) => return Err(error),
        };
        let is_same = match &node.content {
            DraftContent::Stored(id) if node.entry.kind.size() == now.len() as u64 => {
                let failed = |e| TreeError::io("reading the archived", path, e);
                let mut text = Vec::new();
                let content = store.open(*id).map_err(failed)?;
                content.take(LIMIT).read_to_end(&mut text).map_err(failed)?;
                text == now
            }
            DraftContent::Bytes(text) => *text == now,
            DraftContent::Stored(_) | DraftContent::None => false,
        };
        present.put(node.clone());
        if !is_same {
            present.write(path, now);
        }
    }
    for path in draft.deletions() {
        if standing.entry(path)?.is_none() {
            present.delete(path.clone());
        }
    }
    Ok(present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::{MemoryTree, Texts};
    use crate::tree::{ContentId, DraftNode, Entry, Kind, Meta, Time};
    use crate::verdict::HeldKind;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn draft(files: &[&str], seconds: i64) -> Draft {
        let mut draft = Draft::default();
        for file in files {
            let mtime = Time { secs: seconds, nanos: 5 };
            let meta = Meta { mtime, ..Meta::root(0o644) };
            let entry = Entry::new(path(file), Kind::File { size: 3 }, meta);
            draft.put(DraftNode { entry, content: DraftContent::Stored(ContentId(0)) });
        }
        draft
    }

    #[test]
    fn configuration_is_as_it_stands_and_what_was_not_changed_is_the_archived() {
        let draft = draft(&["/etc/a", "/etc/b", "/etc/gone", "/srv/x"], 0);
        let standing =
            MemoryTree::default().file("/etc/a", "own").file("/etc/b", "new").file("/srv/x", "new");
        let present = present(&draft, &standing, &Texts(&["own"])).unwrap();
        let told: Vec<(String, bool)> = present
            .nodes()
            .map(|node| {
                let is_new = matches!(&node.content, DraftContent::Bytes(text) if text == b"new");
                (node.entry.path.to_string(), is_new)
            })
            .collect();
        let expected = [("/etc/a", false), ("/etc/b", true), ("/srv/x", false)];
        assert_eq!(told, expected.map(|(path, is_new)| (path.to_owned(), is_new)));
    }

    #[test]
    fn a_file_with_another_time_was_touched() {
        let standing = MemoryTree::default().file("/etc/a", "own");
        let seconds = standing.entry(&path("/etc/a")).unwrap().unwrap().meta.mtime.secs;
        let paths = [path("/etc/a"), path("/etc/gone")];
        let told = |seconds| {
            let draft = draft(&["/etc/a", "/etc/gone"], seconds);
            touched(paths.iter(), &draft, &standing).unwrap().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(told(seconds), []);
        assert_eq!(told(seconds + 1), [path("/etc/a")]);
    }

    #[test]
    fn what_was_moved_away_is_open_no_more() {
        let standing = MemoryTree::default().file("/etc/a", "own");
        let held = ["/etc/a", "/etc/b"].map(|at| Held::new(HeldKind::Configuration, at, "why"));
        let open = still_there(&held, &standing).unwrap();
        assert_eq!(open, held[..1]);
    }

    #[test]
    fn what_is_shown_otherwise_than_it_is_called_stays_open() {
        let names = [&b"/etc/caf\xe9"[..], b"/etc/a\\b", b"/etc/a\nb"];
        let standing = names.iter().fold(MemoryTree::default(), |tree, at| tree.file(at, "own"));
        let held = names.map(|at| {
            let shown = RootPath::parse(at).unwrap().to_string();
            Held::new(HeldKind::Configuration, shown, "why")
        });
        assert_eq!(still_there(&held, &standing).unwrap(), held);
    }
}
