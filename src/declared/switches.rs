//! [`Switches`]: which services are switched on, and whether packages or a person did it.
//!
//! Packages write down which links they make for systemd; what a preset asks for, the system's own
//! scripts make. Links of runlevels follow the header of the script they start. What is otherwise,
//! somebody decided: it is not made again by installing the same packages.

use std::collections::{BTreeMap, BTreeSet};

use super::reading::{Files, joined_lines};
use crate::init::{self, Action, LEVELS, Link, Scope, runlevel};
use crate::packages::{Moment, Switched, leaves_off, matches};
use crate::tree::{Entry, Kind, RootPath, resolve, resolve_parent};

/// Where packages have their units, whoever's they are.
const PACKAGED: &[&str] = &["/lib/systemd/", "/usr/lib/systemd/"];

/// Presets, the strongest first.
const PRESETS: &[RootPath] = &[
    RootPath::literal("/etc/systemd/system-preset"),
    RootPath::literal("/run/systemd/system-preset"),
    RootPath::literal("/usr/local/lib/systemd/system-preset"),
    RootPath::literal("/usr/lib/systemd/system-preset"),
    RootPath::literal("/lib/systemd/system-preset"),
];

/// More rules than any system's presets have.
const MAX_RULES: usize = 20_000;

/// Who switched something on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Switch {
    /// A package's script, as its records say.
    Recorded,
    /// The system's preset.
    Preset,
    /// As the header of the script asks for.
    Header,
    /// A person.
    ByHand,
}

/// What an init script asks for: the runlevels it starts and stops in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Script {
    start: Vec<u8>,
    stop: Vec<u8>,
    /// Its package switched it off when it was installed.
    off: bool,
    /// No package brought it: nobody but a person makes its links.
    own: bool,
}

impl Script {
    /// What stands in runlevel `level` when nobody changed it.
    fn wanted(&self, level: u8) -> Option<Action> {
        match (self.start.contains(&level), self.stop.contains(&level)) {
            (true, _) if self.off => Some(Action::Stop),
            (true, _) => Some(Action::Start),
            (false, true) => Some(Action::Stop),
            (false, false) => None,
        }
    }
}

/// The state of all services of a source.
#[derive(Default)]
pub(crate) struct Switches {
    /// Links that packages' scripts made, and masks.
    recorded: Switched,
    /// Names of units that are there.
    units: BTreeSet<Vec<u8>>,
    /// Rules of the presets, the first match counting.
    presets: Vec<(Vec<u8>, bool)>,
    scripts: BTreeMap<Vec<u8>, Script>,
    /// What the links that are there do, by script and runlevel.
    levels: BTreeMap<Vec<u8>, BTreeMap<u8, Vec<Action>>>,
}

impl Switches {
    /// Reads the state of all services.
    pub(super) fn load(files: &Files<'_>) -> Switches {
        let mut switches = Switches {
            recorded: Switched::load(files.tree),
            presets: presets(files),
            ..Switches::default()
        };
        for dir in Scope::ALL.iter().flat_map(|scope| scope.units()) {
            let there = files.list(dir).into_iter();
            let file = there.filter(|e| matches!(e.kind, Kind::File { .. }));
            switches.units.extend(file.map(|entry| entry.path.name().to_vec()));
        }
        for &level in LEVELS {
            for entry in files.list(&runlevel(level)) {
                if let Some((action, script)) = init::split(entry.path.name()) {
                    let levels = switches.levels.entry(script.to_vec()).or_default();
                    levels.entry(level).or_default().push(action);
                }
            }
        }
        for name in switches.levels.keys() {
            if let Some(script) = script(files, name) {
                switches.scripts.insert(name.clone(), script);
            }
        }
        switches
    }

    /// Who made the link `entry`; `None` for what switches no service.
    pub(crate) fn of(&self, entry: &Entry) -> Option<Switch> {
        let path = &entry.path;
        let Kind::Symlink { target } = &entry.kind else { return None };
        // Almost none is: the walk over all paths asks about every link.
        if !path.as_bytes().starts_with(b"/etc/") {
            return None;
        }
        if let Link::Runlevel { level, action, service } = Link::parse(path)? {
            let script = self.scripts.get(service)?;
            let made = !script.own && script.wanted(level) == Some(action);
            return Some(if made { Switch::Header } else { Switch::ByHand });
        }
        if target == b"/dev/null" {
            let made = self.recorded.masked.contains(path);
            return Some(if made { Switch::Recorded } else { Switch::ByHand });
        }
        let unit = target.rsplit(|&b| b == b'/').next().unwrap_or(target);
        let aim = path.aim(target);
        if !PACKAGED.iter().any(|place| aim.as_bytes().starts_with(place.as_bytes())) {
            return Some(Switch::ByHand);
        }
        Some(if self.recorded.made.contains(path) {
            Switch::Recorded
        } else if self.preset(path.name(), unit) {
            Switch::Preset
        } else {
            Switch::ByHand
        })
    }

    /// Who removed the link at `path`, which is not there: nobody, where its service went too.
    pub(crate) fn of_absent(&self, path: &RootPath) -> Option<Switch> {
        if let Link::Runlevel { level, action, service } = Link::parse(path)? {
            let script = self.scripts.get(service)?;
            let there = self.levels.get(service)?.get(&level);
            // Only renumbered, or nothing that the script asks for.
            let other = there.is_some_and(|actions| actions.contains(&action));
            let made = !script.own && (other || script.wanted(level) != Some(action));
            return Some(if made { Switch::Header } else { Switch::ByHand });
        }
        let gone = !self.recorded.made.contains(path) && !self.is_there(path);
        if gone { Some(Switch::Recorded) } else { None }
    }

    /// Links that packages made for services that are there: what is not there somebody removed.
    pub(crate) fn made(&self) -> Vec<RootPath> {
        let links = self.recorded.made.iter().filter(|path| self.is_there(path)).cloned();
        let levels = self.scripts.iter().flat_map(|(name, script)| {
            let there = self.levels.get(name).filter(|_| !script.own);
            LEVELS.iter().filter_map(move |&level| {
                let action = script.wanted(level)?;
                let missing = there?.get(&level).is_none_or(|links| !links.contains(&action));
                let link = [&[action.letter()], &b"01"[..], name].concat();
                missing.then(|| runlevel(level).child(&link))
            })
        });
        links.chain(levels).collect()
    }

    /// Whether the unit that the link at `path` switches is there.
    fn is_there(&self, path: &RootPath) -> bool {
        let name = self.recorded.aliases.get(path).map_or(path.name(), Vec::as_slice);
        let template = template(name);
        self.units.contains(name) || template.is_some_and(|name| self.units.contains(&name))
    }

    fn preset(&self, name: &[u8], unit: &[u8]) -> bool {
        let instance = template(name).is_some_and(|template| template == unit);
        let about = |glob: &[u8]| matches(glob, unit) || (instance && matches(glob, name));
        self.presets.iter().find(|(glob, _)| about(glob)).is_some_and(|(_, on)| *on)
    }
}

/// The name of the template of an instance.
fn template(name: &[u8]) -> Option<Vec<u8>> {
    let at = name.iter().position(|&b| b == b'@')?;
    let end = name.iter().rposition(|&b| b == b'.').filter(|end| *end > at)?;
    Some([&name[..=at], &name[end..]].concat())
}

/// The rules of all presets, in order.
fn presets(files: &Files<'_>) -> Vec<(Vec<u8>, bool)> {
    let mut all = vec![];
    for path in files.overlaid(PRESETS, b".preset").into_values() {
        let Some(text) = files.read(&path) else { continue };
        for line in joined_lines(&text, b"#;") {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let on = match words.next() {
                Some(b"enable") => true,
                Some(b"disable" | b"ignore") => false,
                _ => continue,
            };
            if let Some(glob) = words.next().filter(|_| all.len() < MAX_RULES) {
                all.push((glob.to_vec(), on));
            }
        }
    }
    all
}

/// What the script `name` asks for; `None` without a header.
fn script(files: &Files<'_>, name: &[u8]) -> Option<Script> {
    let path = init::script(name);
    let text = files.read(&path)?;
    let mut script = header(&text)?;
    let place = resolve_parent(files.tree, &path).ok().flatten()?;
    let package = files.package(&resolve(files.tree, &place).ok().flatten().unwrap_or(place));
    // Where there are no packages, nothing says whose a script is.
    script.own = package.is_none() && files.has_packages();
    // Only a package's own script says so.
    let off = package.and_then(|package| {
        let mut scripts = files.installed.scripts(Moment::Installed);
        files.read(&scripts.find(|script| script.package == package)?.path)
    });
    script.off = off.is_some_and(|text| leaves_off(&text, name));
    Some(script)
}

/// Reads an LSB header.
fn header(text: &[u8]) -> Option<Script> {
    let mut lines = text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| *line == b"### BEGIN INIT INFO")?;
    let mut script = Script::default();
    for line in lines.take_while(|line| *line != b"### END INIT INFO") {
        let levels = |value: &[u8]| value.iter().copied().filter(|b| LEVELS.contains(b)).collect();
        let line = line.strip_prefix(b"#").unwrap_or(line).trim_ascii();
        if let Some(value) = line.strip_prefix(b"Default-Start:") {
            script.start = levels(value);
        } else if let Some(value) = line.strip_prefix(b"Default-Stop:") {
            script.stop = levels(value);
        }
    }
    Some(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Installed;
    use crate::tree::Tree;
    use crate::tree::memory::MemoryTree;

    const HEADER: &str = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: x\n\
        # Default-Start:\t2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\n";

    fn system() -> MemoryTree {
        let helper = "/var/lib/systemd/deb-systemd-helper-enabled";
        let links = "/etc/systemd/system";
        MemoryTree::default()
            .file("/lib/systemd/system/cron.service", "")
            .file("/lib/systemd/system/ssh.service", "")
            .file("/lib/systemd/system/ssh.socket", "")
            .file("/lib/systemd/system/getty@.service", "")
            .file(format!("{helper}/multi-user.target.wants/cron.service"), "")
            .file(format!("{helper}/multi-user.target.wants/ssh.service"), "")
            .file(format!("{helper}/multi-user.target.wants/gone.service"), "")
            .file(format!("{helper}/sshd.service"), "")
            .file(format!("{helper}/ssh.socket.dsh-also"), "/etc/systemd/system/x/ssh.socket\n")
            .file(
                format!("{helper}/ssh.service.dsh-also"),
                "/etc/systemd/system/old-sshd.service\n",
            )
            .file(format!("{helper}/old-sshd.service"), "")
            .file("/lib/systemd/system-preset/90.preset", "enable getty@.service\ndisable *\n")
            .link(
                format!("{links}/multi-user.target.wants/ssh.service"),
                "/lib/systemd/system/ssh.service",
            )
            .link(
                format!("{links}/sockets.target.wants/ssh.socket"),
                "/lib/systemd/system/ssh.socket",
            )
            .link(
                format!("{links}/getty.target.wants/getty@tty1.service"),
                "/lib/systemd/system/getty@.service",
            )
            .link(
                format!("{links}/multi-user.target.wants/mine.service"),
                "/etc/systemd/system/mine.service",
            )
            .link(format!("{links}/sshd.service"), "/lib/systemd/system/ssh.service")
            .link(format!("{links}/rsyslog.service"), "/dev/null")
            .link(format!("{links}/old.service"), "/dev/null")
            .file("/var/lib/systemd/deb-systemd-helper-masked/old.service", "")
            .file("/etc/init.d/nginx", HEADER)
            .link("/etc/rc2.d/K01nginx", "../init.d/nginx")
            .link("/etc/rc3.d/S03nginx", "../init.d/nginx")
            .link("/etc/rc0.d/K01nginx", "../init.d/nginx")
            .file("/etc/init.d/unheaded", "#!/bin/sh\n")
            .link("/etc/rc2.d/S01unheaded", "../init.d/unheaded")
    }

    fn switches(tree: &MemoryTree) -> Switches {
        let installed = Installed::load(tree).unwrap();
        Switches::load(&Files { tree, installed: &installed })
    }

    fn of(tree: &MemoryTree, path: &str) -> Option<Switch> {
        let path = RootPath::parse(path.as_bytes()).unwrap();
        switches(tree).of(&tree.entry(&path).unwrap().unwrap())
    }

    #[test]
    fn what_packages_and_presets_made_is_told_from_what_a_person_did() {
        let tree = system();
        for (path, made) in [
            ("multi-user.target.wants/ssh.service", Switch::Recorded),
            ("sshd.service", Switch::Recorded),
            ("getty.target.wants/getty@tty1.service", Switch::Preset),
            ("sockets.target.wants/ssh.socket", Switch::ByHand),
            ("multi-user.target.wants/mine.service", Switch::ByHand),
            ("rsyslog.service", Switch::ByHand),
            ("old.service", Switch::Recorded),
        ] {
            assert_eq!(of(&tree, &format!("/etc/systemd/system/{path}")), Some(made), "{path}");
        }
    }

    #[test]
    fn runlevels_follow_the_header_or_a_person() {
        let tree = system();
        assert_eq!(of(&tree, "/etc/rc2.d/K01nginx"), Some(Switch::ByHand));
        assert_eq!(of(&tree, "/etc/rc3.d/S03nginx"), Some(Switch::Header));
        assert_eq!(of(&tree, "/etc/rc0.d/K01nginx"), Some(Switch::Header));
        // Without a header nobody knows.
        assert_eq!(of(&tree, "/etc/rc2.d/S01unheaded"), None);
    }

    #[test]
    fn a_package_that_leaves_its_service_off_made_the_links_that_say_so() {
        let status = "Package: n\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
        let tree = system()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/n.list", "/etc/init.d/nginx\n")
            .file(
                "/var/lib/dpkg/info/n.postinst",
                "update-rc.d nginx defaults-disabled >/dev/null\n",
            );
        let disabled = tree.clone().file(
            "/var/lib/dpkg/info/n.postinst",
            "update-rc.d nginx defaults\nupdate-rc.d nginx disable >/dev/null\n",
        );
        for tree in [tree, disabled] {
            assert_eq!(of(&tree, "/etc/rc2.d/K01nginx"), Some(Switch::Header));
            assert_eq!(of(&tree, "/etc/rc3.d/S03nginx"), Some(Switch::ByHand));
        }
    }

    #[test]
    fn the_links_of_a_script_of_ones_own_were_made_by_hand() {
        let status = "Package: n\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
        let tree = system()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/n.list", "/etc/init.d\n");
        assert_eq!(of(&tree, "/etc/rc3.d/S03nginx"), Some(Switch::ByHand));
        assert!(switches(&tree).made().iter().all(|path| !path.to_string().contains("nginx")));
    }

    #[test]
    fn what_was_made_and_is_gone_was_removed_unless_its_service_went_too() {
        let switches = switches(&system());
        let made: Vec<String> = switches.made().iter().map(ToString::to_string).collect();
        assert!(made.contains(&"/etc/systemd/system/multi-user.target.wants/cron.service".into()));
        assert!(made.contains(&"/etc/systemd/system/old-sshd.service".into()));
        assert!(!made.iter().any(|path| path.contains("gone.service")));
        assert!(!made.iter().any(|path| path.contains("ssh.socket")));
        for level in "1456".chars() {
            assert!(made.iter().any(|p| p.starts_with(&format!("/etc/rc{level}.d/"))), "{level}");
        }
        assert!(!made.iter().any(|path| path.starts_with("/etc/rc3.d/")));
        // Stopped instead of started.
        assert!(made.contains(&"/etc/rc2.d/S01nginx".into()));
        let absent = |path: &str| switches.of_absent(&RootPath::parse(path.as_bytes()).unwrap());
        // Renumbered: not removed.
        assert_eq!(absent("/etc/rc3.d/S01nginx"), Some(Switch::Header));
        assert_eq!(absent("/etc/rc2.d/S01nginx"), Some(Switch::ByHand));
        assert_eq!(absent("/etc/rc4.d/S01nginx"), Some(Switch::ByHand));
        assert_eq!(absent("/etc/systemd/system/multi-user.target.wants/cron.service"), None);
        let gone = "/etc/systemd/system/a.target.wants/removed.service";
        assert_eq!(absent(gone), Some(Switch::Recorded));
        // A drop-in switches nothing: that it is gone is a change.
        assert_eq!(absent("/etc/systemd/system/ssh.service.d/own.conf"), None);
        assert_eq!(absent("/etc/passwd"), None);
    }

    #[test]
    fn hostile_records_are_bounded() {
        let tree = MemoryTree::default()
            .node("/etc/init.d/x", Kind::Fifo)
            .link("/etc/rc2.d/S01x", "../init.d/x")
            .link("/etc/init.d/y", "y")
            .link("/etc/rc2.d/S01y", "../init.d/y")
            .link("/etc/rc3.d", "rc3.d")
            .file("/lib/systemd/system-preset/a.preset", "enable *\n".repeat(100_000))
            .link("/var/lib/systemd/deb-systemd-helper-enabled", "/etc/systemd")
            .link("/etc/systemd/a", "/etc");
        let switches = switches(&tree);
        assert_eq!(switches.made(), []);
        assert_eq!(of(&tree, "/etc/rc2.d/S01x"), None);
    }
}
