//! The defaults that a service ran with and nobody edited.
//!
//! They come back with the package, and what the package of another day brings may say something
//! else around the lines of a user. To compare the two a restore needs the old one, and this is
//! the last place where it can be had. So the bundle gets the lines of it that have an effect:
//! of packages whose service was on, and wherever something of the user's is beside it or is read
//! by it.

use std::collections::BTreeSet;

use super::pristine::Pristine;
use super::verdicts::Verdicts;
use crate::defaults::{IN_PLACE, IN_SERVICE, LIMIT, Reach, effective, is_for_others, lines};
use crate::init::{self, Action, Link, Scope};
use crate::packages::Installed;
use crate::service::Settings;
use crate::tree::{Entry, RootPath, Tree, is_within, read_file};
use crate::verdict::{Class, Reason};

/// How much of one file goes into the bundle, in bytes.
const OF_ONE: usize = 256 * 1024;

/// How much of all.
const OF_ALL: usize = 1024 * 1024;

/// How many packages a directory may be of that says something about each of them.
const SHARED: usize = 3;

/// Where configuration is.
const PLACE: &[u8] = b"/etc";

/// What is known of the old system.
pub(super) struct System<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) installed: &'a Installed,
    pub(super) settings: &'a Settings,
}

/// An unedited file of configuration.
struct Unedited {
    entry: Entry,
    /// The package that it is of; empty where that is not known.
    package: String,
}

/// Adds to `entries` the old defaults that a restore will want to see, and says what of them is not
/// kept.
pub(super) fn keep(system: &System, entries: &mut Verdicts) -> Option<String> {
    let kept = kept(entries);
    let (on, near) = (system.on(entries), system.near(&kept));
    let (mut left, mut left_out) = (OF_ALL, Vec::new());
    for Unedited { entry, package } in system.unedited(entries) {
        let stem = stem(&package);
        // What cannot be read now is told elsewhere, or is of no use.
        let read = read_file(system.tree, &entry.path, LIMIT);
        let text = read.ok().flatten().filter(|text| !text.starts_with(b"#!"));
        let Some(text) = text.as_deref().and_then(effective) else { continue };
        // Programs that ask the service are no service.
        let in_service = on.contains(stem)
            && !package.contains("client")
            && is_enabled(&entry.path, &|path| entries.get(path).is_some_and(|j| !j.deleted));
        let beside = near.contains(stem);
        let wanted = match (in_service || beside, text.is_empty()) {
            (true, false) => true,
            (true, true) => beside,
            (false, _) => reads_any(&entry.path, &text, &kept),
        };
        if !wanted {
            continue;
        }
        if text.len() > OF_ONE.min(left) {
            left_out.push(entry.path);
            continue;
        }
        left -= text.len();
        let found = if in_service { IN_SERVICE } else { IN_PLACE };
        entries.set_pristine(&entry.path, Pristine::Text { bytes: text.into_bytes(), found });
    }
    let first = left_out.first()?;
    Some(format!(
        "what the new version's defaults have otherwise cannot be told of {} unedited files of \
         configuration, as they are large, {first} among them",
        left_out.len()
    ))
}

/// The files of configuration that are the service's own.
fn kept(entries: &Verdicts) -> Vec<RootPath> {
    let kept = entries.shown().filter(|shown| {
        shown.class == Class::Mutable && !shown.deleted && is_within(shown.path, PLACE)
    });
    let kept = kept.filter_map(|shown| entries.get(&RootPath::parse(shown.path).ok()?));
    kept.filter(|judged| !judged.entry.kind.is_dir()).map(|judged| judged.entry.path).collect()
}

fn reads_any(file: &RootPath, text: &str, kept: &[RootPath]) -> bool {
    let reach = Reach::of(file, &lines(text.as_bytes()).unwrap_or_default());
    kept.iter().any(|other| reach.first(other).is_some())
}

impl System<'_> {
    /// The unedited files of configuration, in path order. Programs are none.
    fn unedited(&self, entries: &Verdicts) -> Vec<Unedited> {
        let found = entries.shown().filter(|shown| {
            shown.class == Class::Immutable && !shown.deleted && is_within(shown.path, PLACE)
        });
        let found = found.filter_map(|shown| {
            let judged = entries.get(&RootPath::parse(shown.path).ok()?)?;
            let template = match &judged.reason {
                Reason::TemplateCopy { template } => Some(template),
                Reason::AsPackaged { .. } | Reason::AsInstalled { .. } => None,
                Reason::UcfPristine | Reason::ScriptCopy => None,
                _ => return None,
            };
            let entry = judged.entry;
            let is_text = entry.kind.is_file() && entry.kind.size() <= LIMIT;
            if !is_text || is_for_others(&entry.path) || entry.meta.mode & 0o111 != 0 {
                return None;
            }
            let of_template = template.and_then(|path| self.owners(path).into_iter().next());
            let written = self.installed.generated(&entry.path).and_then(|text| text.package);
            let owner = judged.package.or(of_template).or(written.map(str::to_owned));
            Some(Unedited { package: owner.unwrap_or_default(), entry })
        });
        found.collect()
    }

    /// The packages that `path` is of.
    fn owners(&self, path: &RootPath) -> BTreeSet<String> {
        self.installed.claims(path).map(|claim| claim.package.to_owned()).collect()
    }

    /// The families of packages of which a service was on.
    fn on(&self, entries: &Verdicts) -> BTreeSet<String> {
        let mut places = Vec::new();
        for shown in entries.shown().filter(|shown| !shown.deleted) {
            if !is_within(shown.path, PLACE) {
                continue;
            }
            let Ok(path) = RootPath::parse(shown.path) else { continue };
            match Link::parse(&path) {
                Some(Link::Pulled { scope: Scope::System, unit }) if !unit.ends_with(b".timer") => {
                    places.extend(Scope::System.packaged().iter().map(|dir| dir.child(unit)));
                }
                Some(Link::Runlevel { action: Action::Start, service, .. }) => {
                    places.push(init::script(service));
                }
                _ => {}
            }
        }
        for word in self.settings.words().filter(|word| word.len() < 256) {
            let at = |dir: &str| RootPath::parse(format!("{dir}{word}").as_bytes()).ok();
            match word.starts_with('/') {
                true => places.extend(at("")),
                false if word.contains('/') => {}
                false => {
                    let dirs = ["/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/etc/init.d/"];
                    places.extend(dirs.into_iter().filter_map(at));
                }
            }
        }
        // What came along with something else is nobody's service.
        let units = self.installed.units().filter(|unit| !unit.auto);
        let asked: BTreeSet<&str> = units.map(|unit| stem(unit.name)).collect();
        let owners = places.iter().flat_map(|place| self.owners(place));
        let stems = owners.map(|package| stem(&package).to_owned());
        stems.filter(|stem| asked.contains(&**stem)).collect()
    }

    /// The families of packages that have something of the user's in or beside their configuration.
    fn near(&self, kept: &[RootPath]) -> BTreeSet<String> {
        let mut stems = BTreeSet::new();
        for path in kept {
            stems.extend(self.owners(path).iter().map(|package| stem(package).to_owned()));
            for dir in path.ancestors().skip(2) {
                let owners = self.owners(&dir);
                if owners.len() <= SHARED {
                    stems.extend(owners.iter().map(|package| stem(package).to_owned()));
                }
            }
        }
        stems
    }
}

/// Whether a file has an effect: one that waits in a directory for being switched on has one only
/// where `is_there` says that there is something of its name in the other directory.
fn is_enabled(path: &RootPath, is_there: &dyn Fn(&RootPath) -> bool) -> bool {
    let dir = path.parent().unwrap_or_else(RootPath::root);
    let Some(kind) = dir.name().strip_suffix(b"-available") else { return true };
    let enabled = dir.parent().map(|top| top.child(&[kind, b"-enabled"].concat()));
    enabled.is_some_and(|enabled| is_there(&enabled.child(path.name())))
}

/// What the names of packages of one application begin with: `squid` of `squid-common`, `php` of
/// `php7.4-fpm`.
fn stem(package: &str) -> &str {
    let first = package.split(['-', ':']).next().unwrap_or_default();
    first.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{ExamineOptions, examine};
    use crate::layout::LayoutDb;
    use crate::monitor::Silent;
    use crate::source::{OpenOptions, Source, SourceSpec};

    const TEXT: &str = "# about\nx 1\n";

    /// What the bundle of a system has of unedited files, by path, where `more` files are there
    /// besides those of the package `app`.
    fn found(more: &[(&str, &str)]) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let digest = {
            use md5::{Digest, Md5};
            let bytes = Md5::digest(TEXT.as_bytes());
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let status = format!(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
             Conffiles:\n /etc/app/app.conf {digest}\n /etc/app.d/own {digest}\n"
        );
        let list = "/.\n/etc\n/etc/app\n/etc/app/app.conf\n/etc/app.d\n/etc/app.d/own\n\
                    /usr/lib/systemd/system/app.service\n";
        let packaged = [
            ("/var/lib/dpkg/status", &*status),
            ("/var/lib/dpkg/info/app.list", list),
            ("/etc/app/app.conf", TEXT),
            ("/etc/app.d/own", TEXT),
        ];
        for (at, text) in packaged.iter().chain(more) {
            let file = root.join(at.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, file).unwrap(),
                None => std::fs::write(file, text).unwrap(),
            }
        }
        let spec = SourceSpec::Rootfs(root);
        let source = Source::open(&spec, &OpenOptions::default(), place.path(), &Silent).unwrap();
        let layout = LayoutDb::open(&[]).unwrap();
        let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
        let of = |judged: crate::archive::Judged| match judged.pristine? {
            Pristine::Text { bytes, found } if judged.class == Class::Immutable => {
                let text = String::from_utf8(bytes).unwrap();
                Some(format!("{} {found} {}", judged.entry.path, text.trim_end()))
            }
            _ => None,
        };
        examined.entries.iter().filter_map(of).collect()
    }

    #[test]
    fn defaults_of_a_service_that_was_on_go_along_without_comments() {
        let link = "/etc/systemd/system/multi-user.target.wants/app.service";
        let unit = ("/usr/lib/systemd/system/app.service", "");
        assert_eq!(
            found(&[unit, (link, "-> /usr/lib/systemd/system/app.service")]),
            ["/etc/app/app.conf in-service x 1", "/etc/app.d/own in-service x 1"]
        );
        assert_eq!(found(&[unit]), [""; 0]);
    }

    #[test]
    fn defaults_beside_something_of_the_users_go_along() {
        assert_eq!(
            found(&[("/etc/app/mine.conf", "y 2\n")]),
            ["/etc/app/app.conf in-place x 1", "/etc/app.d/own in-place x 1"]
        );
        assert_eq!(found(&[("/etc/mine/mine.conf", "y 2\n")]), [""; 0]);
    }

    #[test]
    fn what_waits_for_being_switched_on_has_no_effect_before() {
        let path = |text: &str| RootPath::parse(text.as_bytes()).unwrap();
        let is_enabled = |at: &str| {
            is_enabled(&path(at), &|path| path.to_string() == "/etc/web/sites-enabled/a")
        };
        assert!(is_enabled("/etc/web/web.conf"));
        assert!(is_enabled("/etc/web/sites-available/a"));
        assert!(!is_enabled("/etc/web/sites-available/b"));
    }

    #[test]
    fn packages_of_one_application_share_their_stem() {
        for (package, expected) in
            [("squid-common", "squid"), ("php7.4-fpm", "php"), ("bind9", "bind"), ("", "")]
        {
            assert_eq!(stem(package), expected);
        }
    }
}
