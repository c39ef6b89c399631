//! Services that somebody switched on or off: their links on a system that has made its own.
//!
//! An installation switches services on as it sees fit. What the archive brings is only what a
//! person decided otherwise: links to be placed, and links to be removed. Services may have other
//! names today, the numbers of links in runlevels differ between systems, and a service that is
//! there no more cannot be switched.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::init::{self, Link};
use crate::restore::files::migration::{AppMigration, misfit};
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::unreadable;
use crate::restore::value::packages::Unserved;
use crate::tree::{Draft, Kind, RootPath, Tree, TreeError, list, resolve};
use crate::verdict::{Held, HeldKind};

/// What services are called today: rules say so, and packages do.
pub(in crate::restore) struct Names<'a> {
    pub(in crate::restore) migrations: &'a [AppMigration],
    /// What packages say, of names without `.service`; rules come before it.
    pub(in crate::restore) packages: &'a BTreeMap<String, String>,
}

/// Gives the links of `draft` the names that the services have today.
pub(in crate::restore) fn rename(
    names: &Names<'_>,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    let nodes: Vec<RootPath> = draft.nodes().map(|node| node.entry.path.clone()).collect();
    for path in nodes.into_iter().filter(is_switch) {
        let today = renamed(names, path.name())?;
        let Some(node) = draft.get_mut(&path) else { continue };
        let Kind::Symlink { target } = &mut node.entry.kind else { continue };
        let (dir, unit) = match target.iter().rposition(|&b| b == b'/') {
            Some(at) => (target[..=at].to_vec(), target[at + 1..].to_vec()),
            None => (vec![], target.clone()),
        };
        // Links in runlevels lead to scripts, which are called as their services.
        let leads_to = match script_of(&path) {
            Some(_) => service(names, &unit)?.map(String::into_bytes),
            None => renamed(names, &unit)?,
        };
        if let Some(new) = &leads_to {
            *target = [dir, new.clone()].concat();
        }
        let Some(place) = today.and_then(|name| Some(path.parent()?.child(&name))) else {
            continue;
        };
        for mut node in draft.take(&path) {
            node.entry.path = place.clone();
            draft.put(node);
        }
        decisions.adapt(&place, format!("was {path}: the service has another name"));
    }
    let deletions: Vec<RootPath> = draft.deletions().cloned().collect();
    for path in deletions.into_iter().filter(is_switch) {
        let today = renamed(names, path.name())?;
        if let Some(place) = today.and_then(|name| Some(path.parent()?.child(&name))) {
            draft.keep(&path);
            draft.delete(place);
        }
    }
    Ok(())
}

/// Fits the links and the deletions of `draft` to what `target` has for its services.
///
/// `still_on` says which units the old system had switched on otherwise.
pub(in crate::restore) fn fit(
    draft: &mut Draft,
    target: &dyn Tree,
    still_on: &dyn Fn(&[u8]) -> bool,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    units(draft, target, still_on, decisions).map_err(unreadable)?;
    runlevels(draft, target, decisions).map_err(unreadable)
}

/// Holds each service that nothing in the new system is; where its link is held already, only what
/// may bring it is added.
pub(in crate::restore) fn hold_unserved(
    names: &Names<'_>,
    unserved: &[Unserved],
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    for Unserved { service, package, by_hand, candidates } in unserved {
        if renamed(names, service.as_bytes())?.is_some() {
            continue;
        }
        let may = match candidates.as_slice() {
            [] => String::new(),
            some => format!("; {} may bring it", some.join(", ")),
        };
        let ending = format!("/{service}");
        let of_service =
            |held: &&mut Held| held.kind == HeldKind::Service && held.subject.ends_with(&ending);
        if let Some(held) = decisions.held.iter_mut().find(of_service) {
            held.why.push_str(&may);
            held.candidates.extend(candidates.iter().cloned());
            continue;
        }
        let by = if *by_hand { "somebody" } else { "its package" };
        let why = format!(
            "{by} switched this service of {package} on, and the new system has none of its \
             name{may}"
        );
        let held = Held::new(HeldKind::Service, service, why);
        decisions.held.push(candidates.iter().fold(held, Held::candidate));
    }
    Ok(())
}

/// Whether `path` is a link that pulls the unit of its name in.
pub(in crate::restore) fn pulls_in(path: &RootPath) -> bool {
    matches!(Link::parse(path), Some(Link::Pulled { .. }))
}

fn units(
    draft: &mut Draft,
    target: &dyn Tree,
    still_on: &dyn Fn(&[u8]) -> bool,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let nodes: Vec<(RootPath, Vec<u8>)> = draft
        .nodes()
        .filter_map(|node| match &node.entry.kind {
            Kind::Symlink { target } => Some((node.entry.path.clone(), target.clone())),
            _ => None,
        })
        .collect();
    for (path, leads_to) in nodes {
        let Some(scope) = Link::parse(&path).and_then(|link| link.scope()) else { continue };
        let unit = path.aim(&leads_to);
        let dirs = scope.packaged();
        let packaged = dirs.iter().any(|dir| unit != *dir && unit.is_within(dir));
        if !packaged || draft.get(&unit).is_some() {
            continue;
        }
        let mut there = false;
        for dir in dirs {
            there |= resolve(target, &dir.child(unit.name()))?.is_some();
        }
        if !there {
            draft.take(&path);
            let reason =
                "somebody switched this service on, and the new system has none of its name";
            decisions.hold(HeldKind::Service, &path, reason);
        }
    }
    // A service that was switched off is so wherever the new system switches it on.
    let gone: Vec<RootPath> = draft
        .deletions()
        .filter(|path| pulls_in(path) && !still_on(path.name()))
        .cloned()
        .collect();
    for path in gone {
        let Some(scope) = Link::parse(&path).and_then(|link| link.scope()) else { continue };
        for group in list(target, scope.links())?.iter().filter(|entry| entry.kind.is_dir()) {
            let link = scope.links().child(group.path.name()).child(path.name());
            let there = pulls_in(&link) && target.entry(&link)?.is_some();
            if there && draft.get(&link).is_none() {
                draft.delete(link);
            }
        }
    }
    Ok(())
}

fn runlevels(
    draft: &mut Draft,
    target: &dyn Tree,
    decisions: &mut Decisions,
) -> Result<(), TreeError> {
    let nodes: Vec<RootPath> = draft.nodes().map(|node| node.entry.path.clone()).collect();
    let mut without_script = BTreeSet::new();
    for path in nodes {
        let Some(script) = script_of(&path) else { continue };
        let place = init::script(script);
        if draft.get(&place).is_none() && resolve(target, &place)?.is_none() {
            without_script.insert(String::from_utf8_lossy(script).into_owned());
            draft.take(&path);
        } else {
            give_way(&path, draft, target)?;
        }
    }
    for name in without_script {
        decisions.leave_out(name, "the new system has no such service in runlevels");
    }
    let gone: Vec<RootPath> = draft.deletions().cloned().collect();
    for path in gone.iter().filter(|path| script_of(path).is_some()) {
        if target.entry(path)?.is_none() {
            draft.keep(path);
        }
        give_way(path, draft, target)?;
    }
    Ok(())
}

/// Removes what `target` has of the same service in the same runlevel under another number.
fn give_way(path: &RootPath, draft: &mut Draft, target: &dyn Tree) -> Result<(), TreeError> {
    let (Some(dir), Some(script)) = (path.parent(), script_of(path)) else { return Ok(()) };
    for entry in list(target, &dir)? {
        let there = dir.child(entry.path.name());
        if script_of(&there) == Some(script) && draft.get(&there).is_none() {
            draft.delete(there);
        }
    }
    Ok(())
}

/// Whether `path` is where a service is switched.
fn is_switch(path: &RootPath) -> bool {
    Link::parse(path).is_some()
}

/// The script that a link in a runlevel is for.
fn script_of(path: &RootPath) -> Option<&[u8]> {
    match Link::parse(path)? {
        Link::Runlevel { service, .. } => Some(service),
        Link::Alias { .. } | Link::Pulled { .. } => None,
    }
}

/// The name today of a unit, or of a link in a runlevel; `None` when it keeps its name.
fn renamed(names: &Names<'_>, name: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let (before, stem, after): (&[u8], &[u8], &[u8]) = match init::split(name) {
        Some((_, script)) => (&name[..name.len() - script.len()], script, b""),
        None => match name.strip_suffix(b".service") {
            Some(stem) => (b"", stem, b".service"),
            None => return Ok(None),
        },
    };
    let today = service(names, stem)?;
    Ok(today.map(|new| [before, new.as_bytes(), after].concat()))
}

/// The name today of a service; `None` when it keeps its name.
fn service(names: &Names<'_>, name: &[u8]) -> Result<Option<String>, Failure> {
    let Ok(name) = std::str::from_utf8(name) else { return Ok(None) };
    for migration in names.migrations {
        let app = migration.rule.app.as_str();
        if let Some(new) =
            migration.rule.service(name, &migration.vars).map_err(|e| misfit(app, e))?
        {
            return Ok(Some(new));
        }
    }
    Ok(names.packages.get(name).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::files::migration::testing::migration;
    use crate::tree::memory::MemoryTree;
    use crate::tree::{DraftNode, Meta};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn link(at: &str, to: &str) -> DraftNode {
        let kind = Kind::Symlink { target: to.as_bytes().to_vec() };
        DraftNode::bare(path(at), kind, Meta::root(0o777))
    }

    fn shown(draft: &Draft) -> Vec<String> {
        let nodes = draft.nodes().map(|node| match &node.entry.kind {
            Kind::Symlink { target } => {
                format!("{} -> {}", node.entry.path, String::from_utf8_lossy(target))
            }
            _ => node.entry.path.to_string(),
        });
        nodes.chain(draft.deletions().map(|path| format!("- {path}"))).collect()
    }

    #[test]
    fn a_service_with_a_new_name_is_switched_under_it() {
        let rule = "services: [{from: 'x{old}', to: 'x{new}'}]";
        let mut draft = Draft::default();
        draft.put(link("/etc/systemd/system/x7.service", "/dev/null"));
        draft.put(link("/etc/systemd/system/a.wants/x7.service", "/lib/systemd/system/x7.service"));
        draft.put(link("/srv/x7.service", "x7.service"));
        draft.put(link("/etc/rc2.d/K01x7", "../init.d/x7"));
        draft.delete(path("/etc/systemd/system/b.wants/x7.service"));
        draft.delete(path("/etc/systemd/system/b.wants/y.service"));
        let migrations = [migration(rule, "7", "8")];
        let names = Names { migrations: &migrations, packages: &BTreeMap::new() };
        rename(&names, &mut draft, &mut Decisions::default()).unwrap();
        assert_eq!(
            shown(&draft),
            [
                "/etc/rc2.d/K01x8 -> ../init.d/x8",
                "/etc/systemd/system/a.wants/x8.service -> /lib/systemd/system/x8.service",
                "/etc/systemd/system/x8.service -> /dev/null",
                "/srv/x7.service -> x7.service",
                "- /etc/systemd/system/b.wants/x8.service",
                "- /etc/systemd/system/b.wants/y.service",
            ]
        );
    }

    #[test]
    fn a_unit_that_is_gone_is_held_and_one_that_was_switched_off_stays_off_everywhere() {
        let target = MemoryTree::default()
            .file("/usr/lib/systemd/system/there.service", "")
            .link("/lib", "usr/lib")
            .link(
                "/etc/systemd/system/new.wants/off.service",
                "/usr/lib/systemd/system/off.service",
            )
            .link(
                "/etc/systemd/system/new.wants/half.service",
                "/usr/lib/systemd/system/half.service",
            )
            .link("/etc/systemd/system/new.wants/on.service", "/usr/lib/systemd/system/on.service");
        let mut draft = Draft::default();
        let wants = "/etc/systemd/system/a.wants";
        draft.put(link(&format!("{wants}/there.service"), "/lib/systemd/system/there.service"));
        draft.put(link(&format!("{wants}/gone.service"), "/lib/systemd/system/gone.service"));
        draft.put(link(&format!("{wants}/mine.service"), "/etc/systemd/system/mine.service"));
        draft.delete(path(&format!("{wants}/off.service")));
        draft.delete(path(&format!("{wants}/half.service")));
        let mut decisions = Decisions::default();
        fit(&mut draft, &target, &|name| name == b"half.service", &mut decisions).unwrap();
        assert_eq!(
            shown(&draft),
            [
                "/etc/systemd/system/a.wants/mine.service -> /etc/systemd/system/mine.service",
                "/etc/systemd/system/a.wants/there.service -> /lib/systemd/system/there.service",
                "- /etc/systemd/system/a.wants/half.service",
                "- /etc/systemd/system/a.wants/off.service",
                "- /etc/systemd/system/new.wants/off.service",
            ]
        );
        let held: Vec<_> = decisions.held.iter().map(|held| held.subject.as_str()).collect();
        assert_eq!(held, ["/etc/systemd/system/a.wants/gone.service"]);
    }

    #[test]
    fn a_removed_drop_in_takes_none_of_another_unit_along() {
        let target = MemoryTree::default()
            .file("/etc/systemd/system/a.service.d/own.conf", "")
            .file("/etc/systemd/system/b.service.d/own.conf", "");
        let mut draft = Draft::default();
        draft.delete(path("/etc/systemd/system/a.service.d/own.conf"));
        fit(&mut draft, &target, &|_| false, &mut Decisions::default()).unwrap();
        assert_eq!(shown(&draft), ["- /etc/systemd/system/a.service.d/own.conf"]);
    }

    #[test]
    fn a_link_in_a_runlevel_takes_the_place_of_its_service_whatever_the_number() {
        let target = MemoryTree::default()
            .file("/etc/init.d/nginx", "")
            .file("/etc/init.d/cron", "")
            .link("/etc/rc2.d/S03nginx", "../init.d/nginx")
            .link("/etc/rc2.d/S03nginx2", "../init.d/nginx2")
            .link("/etc/rc3.d/S02cron", "../init.d/cron")
            .link("/etc/rc4.d/S01other", "../init.d/other");
        let mut draft = Draft::default();
        draft.put(link("/etc/rc2.d/K01nginx", "../init.d/nginx"));
        draft.put(link("/etc/rc2.d/K01gone", "../init.d/gone"));
        draft.delete(path("/etc/rc3.d/S01cron"));
        fit(&mut draft, &target, &|_| false, &mut Decisions::default()).unwrap();
        assert_eq!(
            shown(&draft),
            [
                "/etc/rc2.d/K01nginx -> ../init.d/nginx",
                "- /etc/rc2.d/S03nginx",
                "- /etc/rc3.d/S02cron",
            ]
        );
    }

    #[test]
    fn a_service_that_nothing_is_is_held_once_with_what_may_bring_it() {
        let unserved = |service: &str, by_hand| Unserved {
            service: service.to_owned(),
            package: "mail".to_owned(),
            by_hand,
            candidates: vec!["maild".to_owned()],
        };
        let mut decisions = Decisions::default();
        decisions.hold(HeldKind::Service, "/etc/systemd/system/a.wants/mail.service", "gone");
        let all = [
            unserved("mail.service", true),
            unserved("post.service", false),
            // A rule or a package says what it is called today.
            unserved("x7.service", true),
            unserved("other.service", true),
        ];
        let migrations = [migration("services: [{from: 'x{old}', to: 'x{new}'}]", "7", "8")];
        let packages = BTreeMap::from([("other".to_owned(), "otherd".to_owned())]);
        let names = Names { migrations: &migrations, packages: &packages };
        hold_unserved(&names, &all, &mut decisions).unwrap();
        let told: Vec<_> = decisions
            .held
            .iter()
            .map(|held| (held.subject.as_str(), held.why.as_str(), held.candidates.len()))
            .collect();
        assert_eq!(
            told,
            [
                ("/etc/systemd/system/a.wants/mail.service", "gone; maild may bring it", 1),
                (
                    "post.service",
                    "its package switched this service of mail on, and the new system has none of \
                     its name; maild may bring it",
                    1
                ),
            ]
        );
    }
}
