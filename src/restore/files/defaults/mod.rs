//! What new defaults say otherwise than the old ones, where nobody edited them.
//!
//! A file that was not edited comes with the new package, as it should. But what a user wrote in
//! another file that it reads then stands among other lines than before, and what a service did by
//! default it may not do any more. Nothing can be decided here: what is otherwise is held, with the
//! lines. What rules change on the way is expected, so an old default is first adapted by them, as
//! a user's own file would be.
//!
//! Of one file there is one question at most, and of defaults around which there is nothing of the
//! user's one for all files of an application, with the harm that is least.

mod finding;
mod look;
mod merged;
mod old_default;
mod opening;
mod place;
mod systems;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use finding::{Finding, together};
use look::Look;
use merged::{merged, taken_over, tell_merge};
use old_default::{OldDefault, adapted, is_as_before, is_seen_to, stored};

pub(in crate::restore) use systems::Systems;

use crate::defaults::{IN_SERVICE, is_for_others, lines};
use crate::failure::Failure;
use crate::restore::packages::in_use::CONFIGURATION;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::unreadable;
use crate::tree::{Draft, RootPath};

/// Holds what new defaults have otherwise. `before` are the archived texts of files that have
/// something of a new default now, and the draft has all files as they will be placed.
///
/// # Errors
/// A rule that does not fit, or a target that cannot be read.
pub(in crate::restore) fn compare_all(
    systems: &Systems<'_>,
    before: &BTreeMap<RootPath, Vec<u8>>,
    draft: &Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    let merged = merged(decisions);
    let mut defaults = Vec::new();
    for (path, text) in before {
        let changes = match lines(text) {
            Some(_) if merged.contains(path) => taken_over(systems, path, text, draft)?,
            Some(_) if path.is_within(&CONFIGURATION) && !is_for_others(path) => {
                let record = systems.inputs.manifest.entries.find(path);
                let package = record.and_then(|record| record.package);
                let found = adapted(systems, path, text, false)?;
                defaults.extend(found.map(|found| OldDefault { package, ..found }));
                continue;
            }
            _ => continue,
        };
        tell_merge(systems.access, path, changes, decisions);
    }
    let (edited, mut on) = (defaults.len(), BTreeSet::new());
    for (record, id) in systems.archived.defaults() {
        let in_service = record.pristine.as_deref() == Some(IN_SERVICE);
        if in_service {
            on.extend(record.package.clone());
        }
        let text = stored(systems.inputs.contents, id, &record.path).map_err(unreadable)?;
        if is_as_before(systems, &record.path, &text).map_err(unreadable)? {
            continue;
        }
        let found = adapted(systems, &record.path, &text, true)?;
        let package = record.package;
        defaults.extend(found.map(|found| OldDefault { package, in_service, ..found }));
    }
    // Of unedited ones the archive says whether the service in use reads them.
    for default in &mut defaults[..edited] {
        default.in_service |= default.package.as_ref().is_some_and(|name| on.contains(name));
    }
    defaults.sort_by(|a, b| a.path.cmp(&b.path));
    let mut look = Look::new(systems, &defaults, draft);
    let mut quiet = BTreeMap::<String, Vec<Finding>>::new();
    for default in &defaults {
        // The question is answered once somebody edited what it is about.
        if is_seen_to(systems, &default.path, draft).map_err(unreadable)? {
            continue;
        }
        let Some(mut finding) = look.at(default).map_err(unreadable)? else { continue };
        if !finding.is_told(default) {
            continue;
        }
        match finding.around.is_empty() {
            false => decisions.held.push(finding.held()),
            true => quiet.entry(look.group(default)).or_default().push(finding),
        }
    }
    decisions.held.extend(quiet.into_values().filter_map(together));
    Ok(())
}
