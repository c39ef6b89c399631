//! [`OldDefault`]: an old default, in the words of the new version.

use std::io::Read;

use super::systems::Systems;
use crate::defaults::{LIMIT, Line, lines};
use crate::failure::Failure;
use crate::layout;
use crate::packages::Digest;
use crate::restore::files::migration::{adapt_settings, apply_steps};
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Station, unreadable};
use crate::tree::{
    ContentId, Draft, DraftContent, DraftNode, Entry, Kind, RootPath, Store, Tree, TreeError,
    read_file,
};

/// An old default in the words of the new version.
pub(super) struct OldDefault {
    /// Where it is today.
    pub(super) path: RootPath,
    pub(super) lines: Vec<Line>,
    pub(super) package: Option<String>,
    pub(super) in_service: bool,
}

/// The default `text` of `path` as rules make it one of the new version; where it is `at_rest` it
/// is moved too.
pub(super) fn adapted(
    systems: &Systems<'_>,
    path: &RootPath,
    text: &[u8],
    at_rest: bool,
) -> Result<Option<OldDefault>, Failure> {
    let Systems { inputs, archived, installed, migrations, mentions, .. } = systems;
    let entry = archived.source().entry(path).map_err(unreadable)?;
    let entry = match entry {
        Some(entry) => Some(entry),
        None => inputs.target.entry(path).map_err(unreadable)?,
    };
    let Some(entry) = entry else { return Ok(None) };
    let kind = Kind::File { size: text.len() as u64 };
    let entry = Entry { path: path.clone(), kind, links: None, ..entry };
    // A draft of its own: what rules say while it is changed was said of the user's files already.
    let (mut draft, mut said) = (Draft::default(), Decisions::default());
    draft.put(DraftNode { entry, content: DraftContent::Bytes(text.to_vec()) });
    if at_rest {
        let moves = |step: &layout::Step| !matches!(step, layout::Step::Chown { .. });
        apply_steps(migrations, &moves, inputs, installed, &mut draft, &mut said)?;
    }
    adapt_settings(migrations, mentions, inputs, &mut draft, &mut said)?;
    let found = draft.nodes().find_map(|node| match &node.content {
        DraftContent::Bytes(text) => {
            let (path, lines) = (node.entry.path.clone(), lines(text)?);
            Some(OldDefault { path, lines, package: None, in_service: false })
        }
        DraftContent::Stored(_) | DraftContent::None => None,
    });
    Ok(found)
}

/// Whether the new system's file at `path` sets what the old one did: most do.
pub(super) fn is_as_before(
    systems: &Systems<'_>,
    path: &RootPath,
    text: &[u8],
) -> Result<bool, TreeError> {
    let new = text_at(systems.inputs.target, path)?;
    Ok(new.and_then(|new| lines(&new)).is_some_and(|new| lines(text) == Some(new)))
}

/// Whether somebody edited the file at `path`, which a restore did not place, since the new
/// system's package brought or made it. Where no digest is on record nobody can tell.
pub(super) fn is_seen_to(
    systems: &Systems<'_>,
    path: &RootPath,
    draft: &Draft,
) -> Result<bool, TreeError> {
    if systems.station == Station::Staged || draft.get(path).is_some() {
        return Ok(false);
    }
    let brought = systems.installed.claims(path).find_map(|claim| claim.digest);
    let made = systems.installed.generated(path).and_then(|made| made.digest).map(Digest::Md5);
    let recorded: Vec<Digest> = brought.into_iter().chain(made).collect();
    let Some(text) = text_at(systems.inputs.target, path)? else { return Ok(false) };
    Ok(!recorded.is_empty() && !recorded.iter().any(|digest| digest.is_of(&text)))
}

/// The text of the file at `path`, if it is one of a size that is looked at.
pub(super) fn text_at(tree: &dyn Tree, path: &RootPath) -> Result<Option<Vec<u8>>, TreeError> {
    match read_file(tree, path, LIMIT) {
        Err(TreeError::TooLarge { .. }) => Ok(None),
        read => read,
    }
}

pub(super) fn stored(
    store: &dyn Store,
    id: ContentId,
    path: &RootPath,
) -> Result<Vec<u8>, TreeError> {
    let failed = |e| TreeError::io("reading the old default of", path, e);
    let mut bytes = Vec::new();
    store.open(id).map_err(failed)?.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
