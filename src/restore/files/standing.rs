//! What of a plan's questions is still open in a system that was revived, and that somebody may
//! have worked on since.

use std::collections::BTreeSet;
use std::io::Read;

use crate::tree::{Draft, DraftContent, RootPath, Store, Tree, TreeError, read_file, real_place};
use crate::verdict::Held;

/// Where configuration is.
const PLACE: RootPath = RootPath::literal("/etc");

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
            Ok(path) => standing.entry(&real_place(standing, &path)?)?.is_some(),
            // It is shown otherwise than it is called: nobody can tell.
            Err(_) => true,
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
        if !path.is_within(&PLACE) || !node.entry.kind.is_file() {
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
