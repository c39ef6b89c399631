//! Names of time zones: those of long ago are kept apart from the others today, or not at all.

use super::finding::{Cure, Finding};
use super::question::Question;
use crate::tree::{RootPath, Tree, TreeError, read_file};
use crate::verdict::{Held, HeldKind};

/// Where zones are files by their names.
const ZONES: RootPath = RootPath::literal("/usr/share/zoneinfo");

/// The list of all zones and of all their names.
const LIST: RootPath = RootPath::literal("/usr/share/zoneinfo/tzdata.zi");

/// Largest such list.
const LIST_LIMIT: u64 = 4 << 20;

/// The file that names the system's zone.
const NAME: RootPath = RootPath::literal("/etc/timezone");

/// Longer than any name.
const NAME_LIMIT: u64 = 256;

/// How many names of one zone lead to one another.
const MOST_NAMES: usize = 8;

/// The file of the zone that has the name `name`.
pub(super) fn file(name: &str) -> Option<RootPath> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    let is_name = !name.is_empty() && name.len() < 100 && name.chars().all(fits);
    is_name.then(|| ZONES.join(&RootPath::root().aim(name.as_bytes())))
}

/// The file in `tree` of the zone whose file was called `old`, where it has another name today.
pub(super) fn today(tree: &dyn Tree, old: &RootPath) -> Result<Option<RootPath>, TreeError> {
    let Some(name) = old.strip_prefix(&ZONES) else { return Ok(None) };
    let Ok(Some(list)) = read_file(tree, &LIST, LIST_LIMIT) else { return Ok(None) };
    let mut name = String::from_utf8_lossy(name.relative()).into_owned();
    let list = String::from_utf8_lossy(&list);
    for _ in 0..MOST_NAMES {
        // `L TODAY OLD`
        let mut links = list.lines().filter_map(|line| line.strip_prefix("L ")?.split_once(' '));
        let Some((today, _)) = links.find(|(_, old)| *old == name) else { return Ok(None) };
        name = today.to_owned();
        let Some(file) = file(&name) else { return Ok(None) };
        if crate::tree::resolve(tree, &file)?.is_some() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The name of the zone with this file.
pub(super) fn name(file: &RootPath) -> Option<Vec<u8>> {
    Some(file.strip_prefix(&ZONES)?.relative().to_vec())
}

/// The zone that the file with its name names.
pub(super) fn named(tree: &dyn Tree) -> Option<String> {
    let text = read_file(tree, &NAME, NAME_LIMIT).ok()??;
    Some(String::from_utf8(text).ok()?.trim().to_owned())
}

/// The name of the system's zone, where no file of the new system is called so.
pub(super) fn look(question: &Question<'_>) -> Result<Vec<Finding>, TreeError> {
    if !question.kept.iter().any(|kept| kept.path == NAME) {
        return Ok(vec![]);
    }
    let Some(name) = named(question.new) else { return Ok(vec![]) };
    let Some(old) = file(&name) else { return Ok(vec![]) };
    if question.is_there(&old) || !question.was_there(&old) {
        return Ok(vec![]);
    }
    Ok(match today(question.new, &old)?.and_then(|file| file.strip_prefix(&ZONES)) {
        Some(today) => {
            let today = String::from_utf8_lossy(today.relative()).into_owned();
            let what = format!("{name} is called {today} today");
            let text = format!("{today}\n").into_bytes();
            vec![Finding::cured(Cure::Text { path: NAME, text, what })]
        }
        None => {
            let why = format!("the new system does not know the time zone {name}");
            vec![Finding::held(Held::new(HeldKind::Reference, NAME, why).was(name))]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::references::Kept;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn a_named_zone_has_its_name_of_today_or_is_held() {
        let both = MemoryTree::default().file("/etc/timezone", "US/Pacific\n");
        let old = both.clone().file("/usr/share/zoneinfo/US/Pacific", "");
        let list = "L America/Los_Angeles US/Pacific-Old\nL US/Pacific-Old US/Pacific\n";
        let new = both
            .clone()
            .file("/usr/share/zoneinfo/tzdata.zi", list)
            .file("/usr/share/zoneinfo/America/Los_Angeles", "");
        let kept = [Kept { path: NAME, was: NAME }];
        let told = |old: &MemoryTree, new: &MemoryTree| {
            look(&Question { old, new, kept: &kept, settings: None }).unwrap()
        };
        let cures: Vec<_> = told(&old, &new).into_iter().filter_map(|found| found.cure).collect();
        assert!(
            matches!(&cures[..], [Cure::Text { text, .. }] if text == b"America/Los_Angeles\n"),
            "{cures:?}"
        );
        assert_eq!(told(&old, &both)[0].held.as_ref().unwrap().was.as_deref(), Some("US/Pacific"));
        assert_eq!(told(&old, &old), []);
        assert_eq!(told(&both, &new), []);
    }
}
