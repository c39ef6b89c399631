//! [`InUse`]: which parts of its packages the old system used.
//!
//! What a service runs is in its unit, and a bundle keeps no packages' units: a package's part
//! counts as used when a service of the package was switched on, when somebody edited its
//! configuration, or when the container's own command names a program of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Manifest, ManifestEntry};
use crate::init::{Action, Link, Scope};
use crate::restore::value::relation::Relation;
use crate::tree::{Kind, RootPath};
use crate::verdict::{Class, Origin, Reason};

/// Where programs are.
pub(in crate::restore) const PROGRAMS: [RootPath; 5] = [
    RootPath::literal("/usr/sbin"),
    RootPath::literal("/usr/bin"),
    RootPath::literal("/sbin"),
    RootPath::literal("/bin"),
    RootPath::literal("/usr/games"),
];

/// Where scripts of services are.
const SCRIPTS: RootPath = RootPath::literal("/etc/init.d");

/// Where configuration is.
pub(in crate::restore) const CONFIGURATION: RootPath = RootPath::literal("/etc");

/// A part of a package. Programs and services are known by name: their directories become others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::restore) enum Part {
    /// A program.
    Program(Vec<u8>),
    /// A unit, or a script of a service under the name that its unit would have.
    Service(Vec<u8>),
    /// A file of configuration.
    Configuration(RootPath),
}

impl Part {
    /// What the file at `path` is of its package; `None` for anything else.
    pub(in crate::restore) fn of(path: &RootPath) -> Option<Part> {
        let (parent, name) = (path.parent()?, path.name());
        if PROGRAMS.contains(&parent) {
            return Some(Part::Program(name.to_vec()));
        }
        if Scope::ALL.iter().any(|scope| scope.packaged().contains(&parent)) {
            return Some(Part::Service(name.to_vec()));
        }
        if parent == SCRIPTS {
            return Some(Part::Service(unit_of(name)));
        }
        path.is_within(&CONFIGURATION).then(|| Part::Configuration(path.clone()))
    }
}

impl Part {
    /// Where packages may have it.
    pub(in crate::restore) fn places(&self) -> Vec<RootPath> {
        let within = |dirs: &[RootPath], name: &[u8]| {
            dirs.iter().map(|dir| dir.child(name)).collect::<Vec<_>>()
        };
        match self {
            Part::Program(name) => within(&PROGRAMS, name),
            Part::Service(name) => within(Scope::System.packaged(), name),
            Part::Configuration(path) => vec![path.clone()],
        }
    }
}

/// The unit that a script of a service would be.
fn unit_of(script: &[u8]) -> Vec<u8> {
    [script, b".service"].concat()
}

/// The file that a unit is read from: of an instance, the template.
pub(in crate::restore) fn file_of(unit: &[u8]) -> Vec<u8> {
    let at = unit.iter().position(|&b| b == b'@');
    let dot = unit.iter().rposition(|&b| b == b'.');
    match (at, dot) {
        (Some(at), Some(dot)) if at < dot => [&unit[..=at], &unit[dot..]].concat(),
        _ => unit.to_vec(),
    }
}

/// Who switched a service on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::restore) enum Switched {
    /// The base image, which the new system has in its own way.
    Base,
    /// Its package.
    Package,
    /// A person.
    Hand,
}

/// What the old system used of its packages.
#[derive(Debug, Default)]
pub(in crate::restore) struct InUse {
    /// All programs and services, by package.
    pub(in crate::restore) parts: BTreeMap<String, BTreeSet<Part>>,
    /// The units that were switched on.
    services: BTreeMap<Vec<u8>, Switched>,
    /// The units that nothing can start.
    masked: BTreeSet<Vec<u8>>,
    /// The edited configuration files, by package.
    pub(in crate::restore) edited: BTreeMap<String, BTreeSet<RootPath>>,
    /// Names of programs that the container's own command names.
    pub(in crate::restore) named: BTreeSet<Vec<u8>>,
}

impl InUse {
    /// Reads it from `manifest`, as far as it is carried onto a target that is `onto` to the old
    /// image; `command` is what the container ran.
    pub(in crate::restore) fn of(manifest: &Manifest, command: &[String], onto: Relation) -> InUse {
        let mut found = InUse::default();
        let places = manifest.entries.wanted(|listed| {
            !listed.deleted && is_place(listed.path) && onto.carries(listed.origin)
        });
        for entry in places {
            found.add(&entry);
        }
        let words = command.iter().flat_map(|words| words.split_ascii_whitespace());
        let named = words.filter_map(|word| word.rsplit('/').next());
        found.named = named.map(|name| name.as_bytes().to_vec()).collect();
        found
    }

    fn add(&mut self, entry: &ManifestEntry) {
        if is_mask(entry) {
            self.masked.insert(entry.path.name().to_vec());
            return;
        }
        if let Some(unit) = switched_on(&entry.path) {
            let by = match (entry.class, entry.origin) {
                (Class::Mutable, _) => Switched::Hand,
                (_, Origin::Base) => Switched::Base,
                _ => Switched::Package,
            };
            let known = self.services.entry(unit).or_insert(by);
            *known = by.max(*known);
            return;
        }
        let (Some(package), Some(part)) = (&entry.package, Part::of(&entry.path)) else { return };
        match part {
            Part::Configuration(path) => {
                if matches!(entry.reason, Reason::ConffileEdited { .. }) {
                    self.edited.entry(package.clone()).or_default().insert(path);
                }
            }
            Part::Service(_) | Part::Program(_) => {
                // An edited script is configuration too.
                if matches!(entry.reason, Reason::ConffileEdited { .. }) {
                    let path = entry.path.clone();
                    self.edited.entry(package.clone()).or_default().insert(path);
                }
                self.parts.entry(package.clone()).or_default().insert(part);
            }
        }
    }

    /// The units of `package` that were switched on, by the files that they are read from.
    pub(in crate::restore) fn on(&self, package: &str) -> BTreeMap<Vec<u8>, Switched> {
        let parts = self.parts.get(package);
        let mut on: BTreeMap<Vec<u8>, Switched> = BTreeMap::new();
        for (unit, by) in self.services.iter().filter(|(unit, _)| !self.masked.contains(*unit)) {
            let file = file_of(unit);
            if parts.is_some_and(|parts| parts.contains(&Part::Service(file.clone()))) {
                let known = on.entry(file).or_insert(*by);
                *known = *by.max(known);
            }
        }
        on
    }
}

/// The unit that a link at `path` switches on, in what a system normally runs in.
fn switched_on(path: &RootPath) -> Option<Vec<u8>> {
    match Link::parse(path)? {
        Link::Pulled { unit, .. } => Some(unit.to_vec()),
        Link::Runlevel { level: b'2'..=b'5', action: Action::Start, service } => {
            Some(unit_of(service))
        }
        Link::Runlevel { .. } | Link::Alias { .. } => None,
    }
}

/// Whether a link keeps a unit from being started at all.
fn is_mask(entry: &ManifestEntry) -> bool {
    matches!(Link::parse(&entry.path), Some(Link::Alias { .. }))
        && entry.node.as_ref().is_some_and(
            |node| matches!(&node.kind, Kind::Symlink { target } if target == b"/dev/null"),
        )
}

fn is_place(path: &[u8]) -> bool {
    let places: [&[u8]; 7] =
        [b"/etc/", b"/usr/bin/", b"/usr/sbin/", b"/usr/games/", b"/bin/", b"/sbin/", b"/lib/"];
    places.iter().any(|place| path.starts_with(place)) || path.starts_with(b"/usr/lib/systemd/")
}

#[cfg(test)]
pub(in crate::restore) mod testing {
    use super::*;
    use crate::tree::{Entry, Meta};

    /// An entry of a manifest: a file, or with `to` a link there.
    pub(in crate::restore) fn entry(
        at: &str,
        package: Option<&str>,
        reason: Reason,
        to: Option<&str>,
    ) -> ManifestEntry {
        let meta = Meta::root(0o644);
        let kind = match to {
            Some(to) => Kind::Symlink { target: to.as_bytes().to_vec() },
            None => Kind::File { size: 1 },
        };
        let path = RootPath::parse(at.as_bytes()).unwrap();
        let entry = Entry::new(path, kind, meta);
        let class = match reason {
            Reason::ConffileEdited { .. } | Reason::SwitchedByHand | Reason::UcfEdited => {
                Class::Mutable
            }
            _ => Class::Immutable,
        };
        let made = ManifestEntry::new(&entry, class, reason, Origin::Image);
        let stored = class == Class::Mutable;
        ManifestEntry { package: package.map(str::to_owned), stored, ..made }
    }

    /// A file of `package` as it came.
    pub(in crate::restore) fn packaged(at: &str, package: &str) -> ManifestEntry {
        let reason = Reason::AsPackaged { package: package.to_owned() };
        entry(at, Some(package), reason, None)
    }

    /// An edited configuration file of `package`.
    pub(in crate::restore) fn edited(at: &str, package: &str) -> ManifestEntry {
        let reason = Reason::ConffileEdited { package: package.to_owned() };
        entry(at, Some(package), reason, None)
    }

    /// A manifest of these, in any order.
    pub(in crate::restore) fn manifest(mut entries: Vec<ManifestEntry>) -> Manifest {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest { entries: entries.into_iter().collect(), ..Manifest::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{edited, entry, manifest, packaged};
    use super::*;

    #[test]
    fn what_was_switched_on_edited_or_named_is_in_use() {
        let wants = "/etc/systemd/system/multi-user.target.wants";
        let manifest = manifest(vec![
            packaged("/lib/systemd/system/mail@.service", "mail"),
            packaged("/lib/systemd/system/idle.service", "mail"),
            packaged("/etc/init.d/print", "print"),
            packaged("/usr/sbin/mail", "mail"),
            packaged("/usr/share/doc/mail/README", "mail"),
            edited("/etc/default/print", "print"),
            packaged("/etc/print.conf", "print"),
            entry(
                &format!("{wants}/mail@one.service"),
                None,
                Reason::SwitchedByHand,
                Some("/lib/systemd/system/mail@.service"),
            ),
            entry("/etc/rc2.d/S01print", None, Reason::SwitchedByHeader, Some("../init.d/print")),
            packaged("/lib/systemd/system/off.service", "print"),
            entry(
                &format!("{wants}/off.service"),
                None,
                Reason::SwitchedByHand,
                Some("/lib/systemd/system/off.service"),
            ),
            entry(
                "/etc/systemd/system/off.service",
                None,
                Reason::SwitchedByHand,
                Some("/dev/null"),
            ),
            entry("/etc/rc0.d/K01idle", None, Reason::SwitchedByHeader, Some("../init.d/idle")),
        ]);
        let command = ["/bin/sh".to_owned(), "exec mail -f".to_owned()];
        let found = InUse::of(&manifest, &command, Relation::Plain);
        let unit = |name: &str| name.as_bytes().to_vec();
        assert_eq!(found.on("mail"), [(unit("mail@.service"), Switched::Hand)].into());
        assert_eq!(found.on("print"), [(unit("print.service"), Switched::Package)].into());
        let paths: Vec<String> = found.edited["print"].iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["/etc/default/print"]);
        assert!(found.named.contains(&unit("mail")));
        let parts: Vec<Part> = found.parts["mail"].iter().cloned().collect();
        let service = |name: &str| Part::Service(unit(name));
        assert_eq!(
            parts,
            [Part::Program(unit("mail")), service("idle.service"), service("mail@.service")]
        );
    }
}
