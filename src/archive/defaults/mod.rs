//! The defaults that a service ran with and nobody edited.
//!
//! They come back with the package, and what the package of another day brings may say something
//! else around the lines of a user. To compare the two a restore needs the old one, and this is
//! the last place where it can be had. So the bundle gets the lines of it that have an effect:
//! of packages whose service was on, and wherever something of the user's is beside it or is read
//! by it.

mod read;
mod system;

use std::collections::BTreeSet;

use read::Readers;
pub(super) use system::System;
use system::{PLACE, Stop, Unedited, is_enabled, stem};

use super::pristine::Pristine;
use super::verdicts::Verdicts;
use crate::defaults::{IN_PLACE, IN_SERVICE, Reach, lines};
use crate::failure::Failure;
use crate::tree::{RootPath, is_within};
use crate::verdict::Class;

/// How much of one file goes into the bundle, in bytes.
const OF_ONE: usize = 256 * 1024;

/// How much of all.
const OF_ALL: usize = 1024 * 1024;

/// Adds to `entries` the old defaults that a restore will want to see, and says what of them is not
/// kept.
///
/// # Errors
/// As `stop` has it, which is asked all the time.
pub(super) fn keep(
    system: &System,
    entries: &mut Verdicts,
    stop: Stop<'_>,
) -> Result<Option<String>, Failure> {
    let kept = kept(entries);
    let (on, near) = (system.on(entries), system.near(&kept));
    let in_use: BTreeSet<&str> = on.iter().map(|package| stem(package)).collect();
    let (mut left, mut left_out) = (OF_ALL, Vec::new());
    let unedited = system.unedited(entries);
    let texts = system.texts(&unedited, &kept, stop)?;
    let wanted: Vec<(String, RootPath)> = unedited
        .iter()
        .filter(|file| in_use.contains(stem(&file.package)))
        .map(|file| (file.package.clone(), file.entry.path.clone()))
        .collect();
    let readers = Readers::of(system, &texts, &wanted, stop)?;
    for Unedited { entry, package } in unedited {
        stop()?;
        let stem = stem(&package);
        let Some(text) = system.text(&entry.path) else { continue };
        let is_there = |path: &RootPath| entries.get(path).is_some_and(|j| !j.deleted);
        // Nothing reads it, and where something does it is told there.
        if !is_enabled(&entry.path, &is_there) && !readers.is_reached(&entry.path) {
            continue;
        }
        // Programs that ask the service are no service.
        let in_service = in_use.contains(stem)
            && !package.contains("client")
            && !system.is_for_another(&entry.path, &on, &is_there)
            && !readers.leave_out(&package, &entry.path);
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
    Ok(left_out.first().map(|first| {
        format!(
            "what the new version's defaults have otherwise cannot be told of {} unedited files of \
             configuration, as they are large, {first} among them",
            left_out.len()
        )
    }))
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
        found_of(&[("/etc/app/app.conf", TEXT), ("/etc/app.d/own", TEXT)], more)
    }

    /// The same, where the package `app` brings `brought`.
    fn found_of(brought: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let digest = |text: &str| {
            use md5::{Digest, Md5};
            let bytes = Md5::digest(text.as_bytes());
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let mut status = String::from(
            "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\nConffiles:\n",
        );
        let mut list =
            String::from("/.\n/etc\n/usr/lib/systemd/system/app.service\n/usr/bin/app\n");
        for (at, text) in brought {
            status.push_str(&format!(" {at} {}\n", digest(text)));
            let path = RootPath::parse(at.as_bytes()).unwrap();
            let dirs = path.ancestors().filter(|dir| dir.as_bytes().len() > 4);
            let paths: BTreeSet<String> = dirs.map(|dir| dir.to_string()).collect();
            paths.iter().for_each(|dir| list.push_str(&format!("{dir}\n")));
            list.push_str(&format!("{at}\n"));
        }
        // A part of the same application without a service, where the other one has its file too.
        let off = "/etc/app/off\n/etc/app/off/part.ini\n";
        let mut packaged = Vec::new();
        if brought.iter().any(|(at, _)| at.ends_with("/part.ini")) {
            status.push_str(&format!(
                "\nPackage: app-off\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
                 Conffiles:\n /etc/app/off/part.ini {}\n",
                digest(TEXT)
            ));
            packaged.extend([
                ("/var/lib/dpkg/info/app-off.list", off),
                ("/etc/app/off/part.ini", TEXT),
            ]);
        }
        packaged
            .extend([("/var/lib/dpkg/status", &*status), ("/var/lib/dpkg/info/app.list", &*list)]);
        packaged.extend(brought);
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

    const ON: [(&str, &str); 2] = [
        ("/usr/lib/systemd/system/app.service", ""),
        (
            "/etc/systemd/system/multi-user.target.wants/app.service",
            "-> /usr/lib/systemd/system/app.service",
        ),
    ];

    #[test]
    fn what_no_line_and_no_program_reads_is_no_default_of_the_service() {
        let main = ("/etc/app/app.conf", "include /etc/app/part\n");
        let brought = [main, ("/etc/app/part", "x 1\n"), ("/etc/app/sample", "y 1\n")];
        let read =
            ["/etc/app/app.conf in-service include /etc/app/part", "/etc/app/part in-service x 1"];
        let program = |text| [ON[0], ON[1], ("/usr/bin/app", text)];
        assert_eq!(found_of(&brought, &program("/etc/app/app.conf\0")), read);
        let found = found_of(&brought, &program("app.conf\0%s/sample\0"));
        assert_eq!(found[2..], ["/etc/app/sample in-service y 1"]);
        // Where no lines choose among files, the program may read all of them.
        let brought = [("/etc/app/app.conf", TEXT), ("/etc/app/sample", TEXT)];
        assert_eq!(found_of(&brought, &program("")).len(), 2);
    }

    #[test]
    fn a_part_in_use_reads_its_own_file_and_not_that_of_another_part() {
        let found = found_of(&[("/etc/app/on/part.ini", TEXT)], &ON);
        assert_eq!(found, ["/etc/app/on/part.ini in-service x 1"]);
    }

    #[test]
    fn what_is_not_switched_on_is_left_out_even_beside_something_of_the_users() {
        let brought = [("/etc/app/parts-available/a.conf", TEXT), ("/etc/app/app.conf", TEXT)];
        let mine = ("/etc/app/mine.conf", "y 2\n");
        let main = "/etc/app/app.conf in-place x 1";
        assert_eq!(found_of(&brought, &[mine]), [main]);
        let link = ("/etc/app/parts-enabled/a.conf", "-> ../parts-available/a.conf");
        assert_eq!(
            found_of(&brought, &[mine, link]),
            [main, "/etc/app/parts-available/a.conf in-place x 1"]
        );
    }

    #[test]
    fn what_waits_for_being_switched_on_is_on_where_a_line_reads_it() {
        let brought = [("/etc/app/parts-available/a.conf", TEXT), ("/etc/app/app.conf", TEXT)];
        let mine = ("/etc/app/mine.conf", "include /etc/app/parts-available/a.conf\n");
        assert_eq!(
            found_of(&brought, &[mine]),
            ["/etc/app/app.conf in-place x 1", "/etc/app/parts-available/a.conf in-place x 1"]
        );
    }

    #[test]
    fn a_program_that_is_too_large_may_have_any_name() {
        let brought = [("/etc/app/app.conf", "include /etc/app/part\n"), ("/etc/app/part", TEXT)];
        let brought = [&brought[..], &[("/etc/app/sample", "y 1\n")]].concat();
        let large = "x".repeat((8 << 20) + 1);
        let found = found_of(&brought, &[ON[0], ON[1], ("/usr/bin/app", &large)]);
        assert_eq!(found[2..], ["/etc/app/sample in-service y 1"]);
    }

    #[test]
    fn where_not_all_lines_are_looked_at_nothing_counts_as_not_read() {
        let brought = [("/etc/app/app.conf", "include /etc/app/part\n"), ("/etc/app/part", TEXT)];
        let brought = [&brought[..], &[("/etc/app/sample", "y 1\n")]].concat();
        let names: String = (0..600).map(|n| format!("include /srv/{n}\n")).collect();
        let paths: Vec<String> = (0..130).map(|n| format!("/etc/mine/{n}")).collect();
        let mine = paths.iter().map(|path| (&**path, &*names));
        let more: Vec<(&str, &str)> = ON.into_iter().chain(mine).collect();
        assert_eq!(found_of(&brought, &more)[2..], ["/etc/app/sample in-service y 1"]);
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
