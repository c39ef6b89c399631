//! [`Switched`]: the links that packages' scripts made to switch services on, as they wrote down.
//!
//! Scripts make links through tools of init-system-helpers, which keep one empty file for each
//! link of systemd's, and for each unit a list of its links. For runlevels nothing is written
//! down: what a package's own script says is all there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::init::Scope;
use crate::tree::{self, Entry, RootPath, Tree};

/// Where the links are written down that scripts made.
const MADE: &[(Scope, RootPath)] = &[
    (Scope::System, RootPath::literal("/var/lib/systemd/deb-systemd-helper-enabled")),
    (Scope::User, RootPath::literal("/var/lib/systemd/deb-systemd-user-helper-enabled")),
];

/// Where it is written down what was masked when its package was removed.
const MASKED: &[(Scope, RootPath)] = &[
    (Scope::System, RootPath::literal("/var/lib/systemd/deb-systemd-helper-masked")),
    (Scope::User, RootPath::literal("/var/lib/systemd/deb-systemd-user-helper-masked")),
];

/// How the name of a unit's list of links ends.
const LIST: &[u8] = b".dsh-also";

/// More records than any system has.
const MAX_RECORDS: usize = 20_000;

/// More files than any directory of this kind holds.
const MAX_FILES: usize = 8192;

/// Larger than any list of a unit's links.
const MAX_LIST: u64 = 1 << 20;

/// The links that packages' scripts made. What cannot be read was not made by any.
#[derive(Debug, Default)]
pub(crate) struct Switched {
    /// Links that switch services on.
    pub made: BTreeSet<RootPath>,
    /// The unit that such a link switches, where its name is another one.
    pub aliases: BTreeMap<RootPath, Vec<u8>>,
    /// Masks.
    pub masked: BTreeSet<RootPath>,
}

impl Switched {
    /// Reads what is written down in `tree`, whether or not its packages are on record.
    pub(crate) fn load(tree: &dyn Tree) -> Switched {
        Switched {
            made: records(tree, MADE),
            aliases: aliases(tree),
            masked: records(tree, MASKED),
        }
    }
}

/// Whether `script`, which a package runs when it is installed, leaves the init script of
/// `service` switched off.
pub(crate) fn leaves_off(script: &[u8], service: &[u8]) -> bool {
    [" defaults-disabled", " disable"].iter().any(|word| {
        let words = [b"update-rc.d ", service, word.as_bytes()].concat();
        script.windows(words.len()).any(|part| part == words)
    })
}

/// What lies directly in `dir`.
fn list(tree: &dyn Tree, dir: &RootPath) -> Vec<Entry> {
    let mut entries = tree::list(tree, dir).unwrap_or_default();
    entries.truncate(MAX_FILES);
    entries
}

/// The links whose records lie in `places`.
fn records(tree: &dyn Tree, places: &[(Scope, RootPath)]) -> BTreeSet<RootPath> {
    let mut all = BTreeSet::new();
    for (scope, records) in places {
        let links = scope.links();
        for entry in list(tree, records) {
            let name = entry.path.name();
            if entry.kind.is_dir() {
                let inside = list(tree, &entry.path);
                all.extend(inside.iter().map(|e| links.child(name).child(e.path.name())));
            } else if !name.ends_with(LIST) {
                all.insert(links.child(name));
            }
            if all.len() > MAX_RECORDS {
                return all;
            }
        }
    }
    all
}

/// Which unit each link is about.
fn aliases(tree: &dyn Tree) -> BTreeMap<RootPath, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (_, records) in MADE {
        for entry in list(tree, records) {
            let Some(unit) = entry.path.name().strip_suffix(LIST) else { continue };
            let Ok(Some(text)) = tree::read_file(tree, &entry.path, MAX_LIST) else { continue };
            for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
                if let Some(link) = RootPath::parse(line).ok().filter(|_| all.len() < MAX_RECORDS) {
                    // Units list those they pull in too: a unit's own list tells.
                    if link.name() != unit && !all.contains_key(&link) {
                        all.insert(link, unit.to_vec());
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn records_say_which_links_were_made_and_lists_whose_they_are() {
        let helper = "/var/lib/systemd/deb-systemd-helper-enabled";
        let tree = MemoryTree::default()
            .file(format!("{helper}/a.target.wants/web.service"), "")
            .file(format!("{helper}/www.service"), "")
            .file(
                format!("{helper}/web.service.dsh-also"),
                "/etc/systemd/system/a.target.wants/web.service\n/etc/systemd/system/www.service\n",
            )
            .file("/var/lib/systemd/deb-systemd-user-helper-masked/old.timer", "");
        let switched = Switched::load(&tree);
        let made =
            ["/etc/systemd/system/a.target.wants/web.service", "/etc/systemd/system/www.service"];
        assert_eq!(switched.made, made.map(path).into());
        assert_eq!(switched.aliases, [(path(made[1]), b"web.service".to_vec())].into());
        assert_eq!(switched.masked, [path("/etc/systemd/user/old.timer")].into());
    }

    #[test]
    fn a_script_leaves_its_service_off_in_either_way_of_saying_so() {
        for (script, off) in [
            ("update-rc.d web defaults-disabled >/dev/null\n", true),
            ("update-rc.d web defaults\nupdate-rc.d web disable\n", true),
            ("update-rc.d web defaults\n", false),
            ("update-rc.d other disable\n", false),
            ("", false),
        ] {
            assert_eq!(leaves_off(script.as_bytes(), b"web"), off, "{script}");
        }
    }
}
