//! Packages that nobody asked for, and that have what kept files lead to.
//!
//! A library came along with a package that is not in the new system; a file went to a package of
//! its own. Both are to be had, and what was kept does not work without them.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::{Failure, FailureKind};
use crate::references::{self, Found};
use crate::restore::packages::plan::Renamed;
use crate::restore::value::archived::Archived;
use crate::system::{Command, System};
use crate::tree::{RootPath, TreeError};

/// Prints the numbers of its arguments that are no paths of the system.
const ABSENT: &str = include_str!("absent.sh");

/// How many paths are asked about at a time.
const BATCH: usize = 500;

/// More numbers than a batch has.
const LIMIT: u64 = 64 * 1024;

/// What kept files lead to, with the package of the old system that had it.
pub(super) type Leads = BTreeMap<RootPath, Option<String>>;

/// What locales are made from.
const LOCALES: RootPath = RootPath::literal("/usr/share/i18n/SUPPORTED");

/// The kept files of `archived`.
pub(super) fn kept(archived: &Archived) -> BTreeSet<RootPath> {
    let draft = archived.draft();
    let paths = draft.nodes().map(|node| &node.entry.path);
    // Services are switched on where they are installed.
    paths.filter(|path| crate::init::Link::parse(path).is_none()).cloned().collect()
}

/// What the kept files of `archived` lead to, the time zones that are named elsewhere, and what its
/// `locales` are made from.
pub(super) fn leads(
    archived: &Archived,
    zones: &[String],
    locales: &[String],
) -> Result<Leads, TreeError> {
    let needed: &[RootPath] = if locales.is_empty() { &[] } else { &[LOCALES] };
    let owner = |found: &Found| archived.owner(&found.by).or_else(|| archived.owner(&found.place));
    let leads = references::leads(archived.source(), &kept(archived), zones, needed)?;
    Ok(leads.into_iter().map(|found| (found.by.clone(), owner(&found))).collect())
}

/// Those of `leads` that `system` does not have.
pub(super) fn absent(system: &mut dyn System, leads: &Leads) -> Result<Leads, Failure> {
    let unreadable = |error| {
        Failure::new(FailureKind::Resource, "reading the output of", "the shell").because(error)
    };
    let mut absent = Leads::new();
    let all: Vec<(&str, &RootPath, &Option<String>)> = leads
        .iter()
        .filter_map(|(path, owner)| Some((std::str::from_utf8(path.as_bytes()).ok()?, path, owner)))
        .collect();
    for batch in all.chunks(BATCH) {
        let paths: Vec<&str> = batch.iter().map(|(text, ..)| *text).collect();
        let argv = [&["sh", "-c", ABSENT, "absent"], paths.as_slice()].concat();
        let mut ran = system.run_one(Command::new(&argv))?;
        let text = ran.text(LIMIT).map_err(unreadable)?;
        let missing = text.lines().filter_map(|line| batch.get(line.parse::<usize>().ok()?));
        absent.extend(missing.map(|(_, path, owner)| ((*path).clone(), (*owner).clone())));
    }
    Ok(absent)
}

/// Today's names of the packages that had what is `absent`; what rules drop stays dropped.
pub(super) fn owners(
    absent: &Leads,
    renamed: &dyn Fn(&str) -> Option<Renamed>,
) -> BTreeSet<String> {
    let owners: BTreeSet<&String> = absent.values().flatten().collect();
    owners
        .into_iter()
        .flat_map(|owner| match renamed(owner) {
            Some(Renamed::To(names)) => names,
            Some(Renamed::Dropped(_)) => vec![],
            None => vec![owner.clone()],
        })
        .collect()
}
