//! What is recorded of the environments of a source once all paths are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::verdicts::Verdicts;
use crate::environments::{EnvironmentFact, Environments, Parked, Part};
use crate::tree::RootPath;
use crate::verdict::Class;

/// How many kept files among those of packages are named for one environment.
const PARKED: usize = 50_000;

/// The environments found, with what of each was judged how.
pub(super) fn facts(environments: &Environments, entries: &Verdicts) -> Vec<EnvironmentFact> {
    let mut parked: BTreeMap<Arc<RootPath>, Vec<Parked>> = BTreeMap::new();
    let mut rebuilt: BTreeSet<Arc<RootPath>> = BTreeSet::new();
    for judged in entries.in_environments() {
        let Some(found) = judged.part else { continue };
        let (package, patched) = match (&found.part, judged.class) {
            (Part::Made | Part::Installed { .. }, Class::Immutable) => {
                rebuilt.insert(found.root);
                continue;
            }
            (Part::Installed { package, .. }, Class::Mutable) => (&**package, true),
            (Part::Own { among: Some(package) }, Class::Mutable) => (&**package, false),
            (Part::Edited, Class::Mutable) => ("", true),
            _ => continue,
        };
        if !judged.entry.kind.is_dir() {
            let at = judged.entry.path.clone();
            parked
                .entry(found.root.clone())
                .or_default()
                .push(parking(at, package, patched, false));
        }
    }
    let here = entries.presence();
    let mut facts = Vec::new();
    for environment in environments.found() {
        let mut fact = environment.fact();
        fact.rebuild = rebuilt.contains(environment.root());
        if fact.rebuild {
            let mut parked = parked.remove(environment.root()).unwrap_or_default();
            let missing = environment.missing(&here).into_iter();
            parked.extend(missing.map(|(at, package)| parking(at, &package, false, true)));
            parked.truncate(PARKED);
            fact.parked = parked;
        } else if fact.packages.is_empty() {
            continue;
        }
        fact.list = fact.list_name().map(|name| format!("exports/{name}"));
        facts.push(fact);
    }
    facts
}

fn parking(path: RootPath, label: &str, patched: bool, removed: bool) -> Parked {
    let (package, version) = label.split_once(' ').unwrap_or((label, ""));
    let (package, version) = (package.to_owned(), version.to_owned());
    Parked { path, package, version, patched, removed }
}
