//! [`switched_on`]: the services that would start with a whole system: enabled units and init
//! scripts, with what each of them runs.

use std::collections::{BTreeMap, BTreeSet};

use super::unit::{Start, Unit};
use crate::init::{self, Action, Link, Scope};
use crate::tree::{self, RootPath, Tree};

/// Larger than any unit that somebody wrote.
const MAX_FILE: u64 = 1 << 20;

/// More services than a machine has.
const MOST: usize = 64;

/// The runlevels of a machine that serves, the most usual first.
const LEVELS: &[u8] = b"23";

/// What pulls services in; other targets pull in what belongs to the machine.
const TARGETS: &[&str] = &["multi-user.target", "graphical.target", "default.target"];

/// Services of the machine: nothing that others ask for.
const OF_THE_MACHINE: &[&str] = &[
    "getty@",
    "systemd-",
    "networking",
    "console-",
    "keyboard-",
    "e2scrub_reap",
    "rc.local",
    "rc-local",
    "remote-fs",
    "procps",
    "hwclock",
    "kmod",
    "udev",
    "unattended-upgrades",
    "hostname",
    "bootlogs",
    "sendsigs",
    "umountfs",
];

/// A service that is switched on, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Switched {
    /// Its name, without an ending.
    pub(crate) name: String,
    /// Directories that are made for it, with their owner (empty: root).
    pub(crate) directories: Vec<String>,
    pub(crate) owner: String,
    /// Its commands in order.
    pub(crate) starts: Vec<Start>,
    /// They are a unit's, or else an init script's.
    pub(crate) of_unit: bool,
}

/// The services of `tree` that are switched on, in the order in which they are started. What cannot
/// be read starts nothing.
pub(crate) fn switched_on(tree: &dyn Tree) -> Vec<Switched> {
    let units = enabled_units(tree);
    let scripts = enabled_scripts(tree);
    let mut all = vec![];
    let mut seen = BTreeSet::new();
    // Scripts are in an order that somebody worked out; units without one come last.
    let names = scripts.iter().cloned().chain(units.iter().map(|unit| stem(unit).to_owned()));
    for name in names {
        let machine = OF_THE_MACHINE.iter().any(|ours| name.starts_with(ours));
        if machine || all.len() >= MOST || !seen.insert(name.clone()) {
            continue;
        }
        let unit = units.iter().find(|unit| stem(unit) == name);
        let script = || scripts.contains(&name).then(|| of_script(tree, &name)).flatten();
        all.extend(match unit.map_or(Found::NoService, |unit| of_unit(tree, unit)) {
            Found::Service(service) => Some(*service),
            Found::Off => None,
            Found::NoService => script(),
        });
    }
    all
}

fn stem(unit: &str) -> &str {
    unit.rsplit_once('.').map_or(unit, |(stem, _)| stem)
}

/// The names of the services that targets pull in.
fn enabled_units(tree: &dyn Tree) -> BTreeSet<String> {
    let links = Scope::System.links();
    let mut names = BTreeSet::new();
    for target in TARGETS {
        for ending in [".wants", ".requires"] {
            let dir = links.child(format!("{target}{ending}").as_bytes());
            for entry in tree::list(tree, &dir).unwrap_or_default() {
                let name = String::from_utf8_lossy(entry.path.name()).into_owned();
                if name.ends_with(".service") && !is_masked(tree, &name) {
                    names.insert(name);
                }
            }
        }
    }
    names
}

/// Whether the unit is switched off for good: its own file leads to nothing.
fn is_masked(tree: &dyn Tree, name: &str) -> bool {
    let own = Scope::System.links().child(name.as_bytes());
    let entry = tree.entry(&own).ok().flatten();
    entry.is_some_and(|entry| match &entry.kind {
        tree::Kind::Symlink { target } => target == b"/dev/null",
        kind => kind.is_file() && kind.size() == 0,
    })
}

/// The names of the scripts that a runlevel starts, in their order.
fn enabled_scripts(tree: &dyn Tree) -> Vec<String> {
    for level in LEVELS {
        let entries = tree::list(tree, &init::runlevel(*level)).unwrap_or_default();
        let mut starts: Vec<(Vec<u8>, String)> = entries
            .iter()
            .filter_map(|entry| {
                let link = init::runlevel(*level).child(entry.path.name());
                match Link::parse(&link)? {
                    Link::Runlevel { action: Action::Start, service, .. } => Some((
                        entry.path.name().to_vec(),
                        String::from_utf8_lossy(service).into_owned(),
                    )),
                    _ => None,
                }
            })
            .collect();
        starts.sort();
        if !starts.is_empty() {
            return starts.into_iter().map(|(_, name)| name).collect();
        }
    }
    vec![]
}

fn of_script(tree: &dyn Tree, name: &str) -> Option<Switched> {
    let path = init::script(name.as_bytes());
    tree::resolve(tree, &path).ok().flatten()?;
    let start = Start {
        argv: vec![path.to_string(), "start".to_owned()],
        user: String::new(),
        directory: String::new(),
        environment: vec![],
        waits: false,
    };
    Some(Switched {
        name: name.to_owned(),
        directories: vec![],
        owner: String::new(),
        starts: vec![start],
        of_unit: false,
    })
}

/// What a unit is.
enum Found {
    Service(Box<Switched>),
    /// Its conditions do not hold.
    Off,
    /// It is not there, or nothing that goes on.
    NoService,
}

fn of_unit(tree: &dyn Tree, name: &str) -> Found {
    let mut unit = Unit::default();
    let template = name
        .split_once('@')
        .and_then(|(prefix, rest)| Some(format!("{prefix}@.{}", rest.rsplit_once('.')?.1)));
    let names: Vec<&str> = std::iter::once(name).chain(template.as_deref()).collect();
    let dirs = Scope::System.units();
    let found = names.iter().find_map(|name| {
        dirs.iter().find_map(|dir| {
            let path = dir.child(name.as_bytes());
            text(tree, &path)
        })
    });
    let Some(own) = found else { return Found::NoService };
    unit.read(&own);
    for text in drop_ins(tree, &names).values() {
        unit.read(text);
    }
    if !unit.conditions.iter().all(|(key, value)| holds(tree, key, value)) {
        return Found::Off;
    }
    if !unit.goes_on() {
        return Found::NoService;
    }
    let mut files = vec![];
    for file in &unit.environment_files {
        let path = super::unit::specified(file.trim_start_matches('-'), name);
        files.extend(RootPath::parse(path.as_bytes()).ok().and_then(|path| text(tree, &path)));
    }
    Found::Service(Box::new(Switched {
        name: stem(name).to_owned(),
        directories: unit.directories(name),
        owner: unit.owner(),
        starts: unit.starts(name, &files),
        of_unit: true,
    }))
}

/// The texts of a unit's drop-ins by name; one of a stronger place takes its namesake's.
fn drop_ins(tree: &dyn Tree, names: &[&str]) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    for dir in Scope::System.units() {
        for name in names {
            let place = dir.child(format!("{name}.d").as_bytes());
            for entry in tree::list(tree, &place).unwrap_or_default().iter().take(MOST) {
                let file = entry.path.name();
                if file.ends_with(b".conf") && !all.contains_key(file) {
                    let found = text(tree, &place.child(file));
                    all.extend(found.map(|text| (file.to_vec(), text)));
                }
            }
        }
    }
    all
}

/// The text of the file that `path` leads to.
fn text(tree: &dyn Tree, path: &RootPath) -> Option<String> {
    let place = tree::resolve(tree, path).ok().flatten()?;
    let bytes = tree::read_file(tree, &place, MAX_FILE).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a condition of a unit holds in a container with `tree`.
fn holds(tree: &dyn Tree, key: &str, value: &str) -> bool {
    let (wanted, value) = match value.strip_prefix('!') {
        Some(value) => (false, value),
        None => (true, value),
    };
    let value = value.trim_start_matches('|');
    let found = match key {
        "ConditionVirtualization" => matches!(value, "yes" | "true" | "container" | "docker"),
        _ => {
            let path = RootPath::parse(value.as_bytes()).ok();
            path.and_then(|path| tree::resolve(tree, &path).ok().flatten()).is_some()
        }
    };
    found == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn named(tree: &MemoryTree) -> Vec<String> {
        switched_on(tree)
            .iter()
            .map(|s| format!("{} {}", s.name, s.starts[0].argv.join(" ")))
            .collect()
    }

    #[test]
    fn what_is_switched_on_is_what_targets_and_runlevels_start() {
        let wants = "/etc/systemd/system/multi-user.target.wants";
        let tree = MemoryTree::default()
            .file("/lib/systemd/system/web.service", "ExecStart=/usr/sbin/web -D\n")
            .link(format!("{wants}/web.service"), "/lib/systemd/system/web.service")
            .link("/etc/rc2.d/S02web", "../init.d/web")
            .file("/etc/init.d/web", "")
            // Once, and by a script in the other world.
            .file("/lib/systemd/system/db.service", "Type=oneshot\nExecStart=/bin/true\n")
            .link(format!("{wants}/db.service"), "/lib/systemd/system/db.service")
            .link("/etc/rc2.d/S01db", "../init.d/db")
            .file("/etc/init.d/db", "")
            // Switched off, in three ways.
            .file("/lib/systemd/system/off.service", "ExecStart=/off\n")
            .file("/lib/systemd/system/masked.service", "ExecStart=/masked\n")
            .link(format!("{wants}/masked.service"), "/lib/systemd/system/masked.service")
            .link("/etc/systemd/system/masked.service", "/dev/null")
            .link("/etc/rc2.d/K01stopped", "../init.d/stopped")
            .file("/etc/init.d/stopped", "")
            .file("/lib/systemd/system/no.service", "ConditionPathExists=/etc/x\nExecStart=/no\n")
            .link(format!("{wants}/no.service"), "/lib/systemd/system/no.service")
            .link("/etc/rc2.d/S03no", "../init.d/no")
            .file("/etc/init.d/no", "")
            // An instance, with a drop-in.
            .file("/lib/systemd/system/app@.service", "ExecStart=/app %i\n")
            .file("/etc/systemd/system/app@.service.d/x.conf", "ExecStart=\nExecStart=/app2 %i\n")
            .link(format!("{wants}/app@a.service"), "/lib/systemd/system/app@.service")
            // The machine's own.
            .file("/lib/systemd/system/getty@.service", "ExecStart=/getty\n")
            .link(format!("{wants}/getty@tty1.service"), "/lib/systemd/system/getty@.service")
            .link("/etc/rc2.d/S01gone", "../init.d/gone");
        assert_eq!(
            named(&tree),
            ["db /etc/init.d/db start", "web /usr/sbin/web -D", "app@a /app2 a"]
        );
    }

    #[test]
    fn a_hostile_tree_starts_a_bounded_number_of_services() {
        let mut tree = MemoryTree::default()
            .link("/etc/rc2.d/S01loop", "../init.d/loop")
            .link("/etc/init.d/loop", "loop");
        for n in 0..200 {
            tree = tree.link(format!("/etc/rc2.d/S01x{n}"), "../init.d/x");
            tree = tree.file(format!("/etc/init.d/x{n}"), "");
        }
        assert_eq!(named(&tree).len(), MOST);
    }
}
