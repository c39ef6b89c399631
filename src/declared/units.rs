//! Services: the directories that systemd makes for one, and its PID file.

use std::collections::{BTreeMap, BTreeSet};

use super::book::Book;
use super::declaration::{Nature, Reach};
use super::pattern::Pattern;
use super::places::{CACHE_PLACES, RUNTIME_PLACES};
use super::reading::{Files, joined_lines};
use crate::init::Scope;
use crate::tree::{Kind, RootPath};

/// The settings that make directories, and where.
const DIRECTORIES: &[(&str, RootPath, Nature)] = &[
    ("StateDirectory=", RootPath::literal("/var/lib"), Nature::State),
    ("CacheDirectory=", RootPath::literal("/var/cache"), Nature::Cache),
    ("LogsDirectory=", RootPath::literal("/var/log"), Nature::Log),
    ("RuntimeDirectory=", RootPath::literal("/run"), Nature::Runtime),
];

/// Reads all units of the system.
pub(super) fn load(files: &Files<'_>, book: &mut Book) {
    let dirs = Scope::System.units();
    let units = files.overlaid(dirs, b"");
    let mut drop_ins: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, RootPath>> = BTreeMap::new();
    for dir in dirs {
        for entry in files.list(dir).iter().filter(|entry| entry.kind.is_dir()) {
            let Some(unit) = entry.path.name().strip_suffix(b".d") else { continue };
            let settings = drop_ins.entry(unit.to_vec()).or_default();
            for file in files.list(&entry.path) {
                let name = file.path.name().to_vec();
                if name.ends_with(b".conf") && file.kind.is_file() {
                    settings.entry(name).or_insert(file.path);
                }
            }
        }
    }
    let names: BTreeSet<&Vec<u8>> = units.keys().chain(drop_ins.keys()).collect();
    for name in names {
        let mut unit = Unit::default();
        // A link is another name of a unit that is read under its own.
        let own = units.get(name).filter(|path| is_file(files, path));
        for path in own.into_iter().chain(drop_ins.get(name).into_iter().flat_map(|d| d.values())) {
            if let Some(text) = files.read(path) {
                unit.read(&text, path);
            }
        }
        unit.declare(name, files, book);
    }
}

fn is_file(files: &Files<'_>, path: &RootPath) -> bool {
    let place = crate::tree::resolve_parent(files.tree, path).ok().flatten();
    let entry = place.and_then(|place| files.tree.entry(&place).ok().flatten());
    entry.is_some_and(|entry| matches!(entry.kind, Kind::File { .. }))
}

/// What a unit's files say, the last word counting.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unit {
    /// By setting: names as written, with the file that says so.
    directories: BTreeMap<&'static str, Vec<(Vec<u8>, RootPath)>>,
    pid_file: Option<(Vec<u8>, RootPath)>,
    dynamic: bool,
}

impl Unit {
    fn read(&mut self, text: &[u8], file: &RootPath) {
        for line in joined_lines(text, b"#;") {
            let Some(at) = line.iter().position(|&b| b == b'=') else { continue };
            let (key, value) = (line[..at].trim_ascii(), line[at + 1..].trim_ascii());
            if key == b"DynamicUser" {
                self.dynamic = matches!(value, b"yes" | b"true" | b"on" | b"1");
            } else if key == b"PIDFile" {
                self.pid_file = (!value.is_empty()).then(|| (value.to_vec(), file.clone()));
            } else if let Some((setting, ..)) =
                DIRECTORIES.iter().find(|(setting, ..)| setting.as_bytes() == &line[..=at])
            {
                let names = self.directories.entry(setting).or_default();
                if value.is_empty() {
                    names.clear();
                }
                // `name:link` is also reached by another name.
                let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let first = |word: &[u8]| word.split(|&b| b == b':').next().map(<[u8]>::to_vec);
                names.extend(words.filter_map(first).map(|name| (name, file.clone())));
            }
        }
    }

    fn declare(&self, unit: &[u8], files: &Files<'_>, book: &mut Book) {
        for (setting, place, nature) in DIRECTORIES {
            for (name, file) in self.directories.get(setting).into_iter().flatten() {
                let author = files.author(setting, file);
                let Some(name) = expanded(name, unit) else { continue };
                let mut places = vec![(place.clone(), Reach::Below)];
                if self.dynamic {
                    // Really in there, and reached through a link.
                    places.push((place.child(b"private"), Reach::Below));
                    places.push((place.clone(), Reach::Itself));
                }
                for (place, reach) in places {
                    let text = [place.as_bytes(), b"/", &name].concat();
                    let Some(pattern) = Pattern::parse(&text) else { continue };
                    // Another setting of systemd's cannot leave its place, nor may this.
                    if pattern.is_below(&place) {
                        book.add(pattern, *nature, reach, author.clone());
                    }
                }
            }
        }
        if let Some((value, file)) = &self.pid_file
            && let Some(text) = expanded(value, unit)
        {
            let text =
                if text.first() == Some(&b'/') { text } else { [b"/run/", &text[..]].concat() };
            let temporary = |pattern: &Pattern| {
                let mut places = RUNTIME_PLACES.iter().chain(CACHE_PLACES);
                places.any(|place| pattern.is_below(place))
            };
            if let Some(pattern) = Pattern::parse(&text).filter(temporary) {
                book.add(pattern, Nature::Runtime, Reach::Itself, files.author("PIDFile=", file));
            }
        }
    }
}

/// `text` with the specifiers filled in that a unit's name answers; `*` stands for those that only
/// the running system answers. `None` when a name has a wildcard of its own.
fn expanded(text: &[u8], unit: &[u8]) -> Option<Vec<u8>> {
    let stem = match unit.iter().rposition(|&b| b == b'.') {
        Some(at) => &unit[..at],
        None => unit,
    };
    let (prefix, instance) = match stem.iter().position(|&b| b == b'@') {
        Some(at) => (&stem[..at], Some(&stem[at + 1..]).filter(|instance| !instance.is_empty())),
        None => (stem, None),
    };
    let mut out = vec![];
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let part: &[u8] = match byte {
            b'%' => match bytes.next()? {
                b'%' => b"%",
                b'n' if instance.is_some() || !stem.ends_with(b"@") => unit,
                b'N' if instance.is_some() || !stem.ends_with(b"@") => stem,
                b'p' => prefix,
                b'i' => instance.unwrap_or(b"*"),
                b't' => b"/run",
                b'S' => b"/var/lib",
                b'C' => b"/var/cache",
                b'L' => b"/var/log",
                b'T' => b"/tmp",
                b'V' => b"/var/tmp",
                _ => b"*",
            },
            b'*' | b'?' | b'[' => return None,
            _ => &[byte],
        };
        out.extend_from_slice(part);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;
    use crate::tree::memory::MemoryTree;

    const UNIT: &str = "[Service]\nUser=app\nStateDirectory=app app/sub\nCacheDirectory = app\n\
                        CacheDirectory=app\nLogsDirectory=app\\\n more\nRuntimeDirectory=app\n\
                        PIDFile=app.pid\n";

    #[test]
    fn a_units_directories_are_what_it_calls_them() {
        let tree = MemoryTree::default().file("/usr/lib/systemd/system/app.service", UNIT);
        let expected = [
            ("/var/lib/app/x", "state StateDirectory="),
            ("/var/lib/app/sub/y", "state StateDirectory="),
            ("/var/cache/app", "cache CacheDirectory="),
            ("/var/log/app/a.log", "log LogsDirectory="),
            ("/var/log/more/b", "log LogsDirectory="),
            ("/run/app/s", "runtime RuntimeDirectory="),
            ("/run/app.pid", "runtime PIDFile="),
            ("/var/lib/other", ""),
            ("/var/lib/application", ""),
        ];
        for (path, says) in expected {
            assert_eq!(told(&tree, path), says, "{path}");
        }
    }

    #[test]
    fn a_drop_in_adds_and_resets_and_the_users_unit_takes_the_packages_place() {
        let tree = MemoryTree::default()
            .file("/lib/systemd/system/a.service", "CacheDirectory=a\n")
            .file("/etc/systemd/system/a.service.d/x.conf", "CacheDirectory=\nCacheDirectory=b\n")
            .file("/lib/systemd/system/c.service", "StateDirectory=c\n")
            .file("/etc/systemd/system/c.service", "StateDirectory=mine\n")
            .link("/etc/systemd/system/d.service", "/dev/null")
            .file("/lib/systemd/system/d.service", "StateDirectory=d\n");
        assert_eq!(told(&tree, "/var/cache/a/x"), "");
        assert_eq!(told(&tree, "/var/cache/b/x"), "cache CacheDirectory=");
        assert_eq!(told(&tree, "/var/lib/c"), "");
        assert_eq!(told(&tree, "/var/lib/mine"), "state StateDirectory=");
        assert_eq!(told(&tree, "/var/lib/d"), "");
    }

    #[test]
    fn specifiers_are_filled_in_from_the_name() {
        let of = |text: &str, unit: &str| {
            expanded(text.as_bytes(), unit.as_bytes()).map(|t| String::from_utf8(t).unwrap())
        };
        assert_eq!(of("%p/%i.pid", "db@main.service").as_deref(), Some("db/main.pid"));
        assert_eq!(of("%p/%i", "db@.service").as_deref(), Some("db/*"));
        assert_eq!(of("%N-%n", "a.service").as_deref(), Some("a-a.service"));
        assert_eq!(of("%m.%%", "a.service").as_deref(), Some("*.%"));
        assert_eq!(of("a*", "a.service"), None);
        assert_eq!(of("a%", "a.service"), None);
    }

    #[test]
    fn a_dynamic_users_directories_are_private_ones_behind_links() {
        let unit = "DynamicUser=yes\nCacheDirectory=app\nStateDirectory=app\n";
        let tree = MemoryTree::default()
            .file("/usr/lib/systemd/system/app.service", unit)
            .link("/var/cache/app", "private/app");
        assert_eq!(told(&tree, "/var/cache/private/app/x"), "cache CacheDirectory=");
        assert_eq!(told(&tree, "/var/lib/private/app/x"), "state StateDirectory=");
        assert_eq!(told(&tree, "/var/cache/private"), "");
        assert_eq!(told(&tree, "/var/cache/app"), "cache CacheDirectory=");
    }

    #[test]
    fn a_link_in_the_place_of_a_cache_is_somebodys_own() {
        let tree = MemoryTree::default()
            .file("/usr/lib/systemd/system/app.service", "CacheDirectory=app\n")
            .link("/var/cache/app", "/srv/fast/app");
        assert_eq!(told(&tree, "/var/cache/app"), "");
    }

    #[test]
    fn a_hostile_unit_declares_nothing_outside_its_place() {
        let unit = "CacheDirectory=../lib/data . / /srv //home a/../../x\nPIDFile=/srv/data\n\
                    RuntimeDirectory=..\nPIDFile=/run/../srv/x\n";
        let tree = MemoryTree::default()
            .file("/usr/lib/systemd/system/evil.service", unit)
            .node("/usr/lib/systemd/system/pipe.service", Kind::Fifo)
            .link("/etc/systemd/system/loop.service", "/etc/systemd/system/loop.service")
            .file("/etc/systemd/system/long.service", "StateDirectory=a\n".repeat(1_000_000))
            .link("/run/systemd/system", "/run/systemd/system");
        for path in ["/var/lib/data", "/srv/data", "/srv/x", "/home/a", "/var/x", "/var", "/x"] {
            assert_eq!(told(&tree, path), "", "{path}");
        }
        // Below the cache, however it is written.
        assert_eq!(told(&tree, "/var/cache/home/x"), "cache CacheDirectory=");
        assert_eq!(told(&tree, "/var/cache"), "");
        assert_eq!(told(&tree, "/var/lib/a"), "");
    }
}
