//! The whole database over small trees.

use super::*;
use crate::packages::control::Fault;
use crate::packages::package::Broken;
use crate::packages::problem::LineFault;
use crate::packages::{Conffile, Status, Why};
use crate::tree::PathError;
use crate::tree::memory::MemoryTree;

const ONE: &str = "11111111111111111111111111111111";
const TWO: &str = "22222222222222222222222222222222";

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn md5(hex: &str) -> Option<Md5> {
    Md5::parse(hex.as_bytes())
}

fn stanza(name: &str, more: &str) -> String {
    format!(
        "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n{more}\n"
    )
}

/// A merged `/usr` and a status file.
fn tree(status: impl AsRef<[u8]>) -> MemoryTree {
    MemoryTree::default()
        .dir("/usr/bin")
        .dir("/usr/lib")
        .dir("/run")
        .link("/bin", "usr/bin")
        .link("/lib", "usr/lib")
        .link("/var/run", "/run")
        .file("/var/lib/dpkg/status", status)
}

fn load(tree: &MemoryTree) -> Dpkg {
    Dpkg::load(tree).unwrap().unwrap()
}

fn names(dpkg: &Dpkg) -> Vec<&str> {
    dpkg.packages.iter().map(|package| package.name.as_str()).collect()
}

fn owner(dpkg: &Dpkg, text: &str) -> Option<(String, Option<Md5>)> {
    dpkg.owner(&path(text)).map(|owned| (owned.package.name.clone(), owned.digest))
}

#[test]
fn a_tree_without_dpkg_has_no_database() {
    assert!(Dpkg::load(&MemoryTree::default()).unwrap().is_none());
    let looped = MemoryTree::default().link("/var/lib/dpkg", "/var/lib/dpkg");
    // That it cannot be read is not the same.
    let looped = load(&looped);
    assert!(looped.packages.is_empty() && looped.problems.iter().all(Problem::is_loss));
    assert!(!looped.problems.is_empty());
}

#[test]
fn a_package_is_read_whole() {
    let status = "Package: base\nEssential: yes\nStatus: hold ok installed\nPriority: required\n\
                  Source: src (9:1)\nArchitecture: amd64\nVersion: 2:1.0-3\nDepends: a | b, c (>= 1)\n\
                  Pre-Depends: d:any\nRecommends: e\nProvides: f (= 1), g\nConffiles:\n \
                  /etc/b b 22222222222222222222222222222222 obsolete\n \
                  /etc/a 11111111111111111111111111111111\n \
                  /bin/c newconffile remove-on-upgrade\nDescription: text\n more\n";
    let states = "Package: base\nArchitecture: amd64\nAuto-Installed: 1\n";
    let dpkg = load(&tree(status).file("/var/lib/apt/extended_states", states));
    let conffile = |text, hex, obsolete, remove_on_upgrade| Conffile {
        path: path(text),
        md5: md5(hex),
        obsolete,
        remove_on_upgrade,
    };
    let group = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        dpkg.packages,
        [Package {
            name: "base".to_owned(),
            arch: "amd64".to_owned(),
            version: "2:1.0-3".to_owned(),
            source: Some(("src".to_owned(), "9:1".to_owned())),
            maker: String::new(),
            status: Status::Installed,
            essential: true,
            priority: "required".to_owned(),
            auto: true,
            hold: true,
            depends: vec![group(&["d"]), group(&["a", "b"]), group(&["c"])],
            recommends: vec![group(&["e"])],
            takes_over: vec![],
            provides: group(&["f", "g"]),
            conffiles: vec![
                conffile("/etc/a", ONE, false, false),
                conffile("/etc/b b", TWO, true, false),
                conffile("/usr/bin/c", "", false, true),
            ],
        }]
    );
    assert_eq!(dpkg.problems, [Problem::NoLists { dir: path("/var/lib/dpkg/info") }]);
    assert_eq!(dpkg.is_installed("base"), dpkg.packages.first());
    assert_eq!(dpkg.is_installed("bas"), None);
}

#[test]
fn states_between_installed_and_gone_are_told_apart() {
    let states = [
        ("a", "deinstall ok config-files", Some(Status::ConfigFiles)),
        ("b", "install reinstreq half-installed", Some(Status::Broken(Broken::HalfInstalled))),
        ("c", "install ok unpacked", Some(Status::Broken(Broken::Unpacked))),
        ("d", "install ok half-configured", Some(Status::Broken(Broken::HalfConfigured))),
        ("e", "install ok triggers-awaited", Some(Status::Broken(Broken::TriggersAwaited))),
        ("f", "install ok triggers-pending", Some(Status::Broken(Broken::TriggersPending))),
        ("g", "install reinstreq installed", Some(Status::Broken(Broken::ReinstallRequired))),
        ("h", "deinstall ok installed", Some(Status::Installed)),
        ("i", "purge ok not-installed", None),
    ];
    let stanza = |(name, status, _): &(&str, &str, _)| {
        format!("Package: {name}\nStatus: {status}\nVersion: 1\nArchitecture: all\n\n")
    };
    let mut tree = tree(states.iter().map(stanza).collect::<String>());
    for (name, ..) in &states[..8] {
        tree = tree.file(format!("/var/lib/dpkg/info/{name}.list"), format!("/.\n/usr/{name}\n"));
    }
    let dpkg = load(&tree);
    let read: Vec<_> = dpkg.packages.iter().map(|p| (p.name.as_str(), Some(p.status))).collect();
    let expected: Vec<_> = states[..8].iter().map(|(name, _, state)| (*name, *state)).collect();
    assert_eq!(read, expected);
    assert_eq!(owner(&dpkg, "/usr/a"), None, "a removed package owns nothing");
    assert_eq!(owner(&dpkg, "/usr/b"), Some(("b".to_owned(), None)));
    assert_eq!(dpkg.is_installed("a"), None);
    assert_eq!(dpkg.problems, []);
}

#[test]
fn files_are_owned_where_they_really_lie() {
    let conffiles = "Conffiles:\n /etc/c 22222222222222222222222222222222\n /etc/old newconffile \
                     remove-on-upgrade\n";
    let status = stanza("coreutils", conffiles)
        + &stanza("libc6", "Multi-Arch: same\n")
        + &stanza("dash", "");
    let info = "/var/lib/dpkg/info";
    let tree = tree(status)
        .file(
            format!("{info}/coreutils.list"),
            "/.\n/bin\n/bin/ls\n/bin/sh\n/etc\n/etc/c\n/usr\n/var/run\n/var/run/x\n",
        )
        .file(format!("{info}/coreutils.md5sums"), format!("{ONE}  bin/ls\n{TWO}  bin/sh\n"))
        .file(format!("{info}/libc6:amd64.list"), "/.\n/lib\n/lib/ld.so\n")
        .file(format!("{info}/libc6:amd64.md5sums"), format!("{ONE}  lib/ld.so\n"))
        .file(format!("{info}/dash.list"), "/.\n/bin\n/bin/sh\n")
        .file(format!("{info}/dash.md5sums"), format!("{ONE}  bin/sh\n"))
        .file("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n");
    let dpkg = load(&tree);
    let is = |name: &str, hex| Some((name.to_owned(), md5(hex)));
    assert_eq!(owner(&dpkg, "/usr/bin/ls"), is("coreutils", ONE));
    assert_eq!(owner(&dpkg, "/bin/ls"), None, "not a path that a walk meets");
    assert_eq!(owner(&dpkg, "/usr/bin/sh"), is("dash", ONE));
    assert_eq!(owner(&dpkg, "/usr/bin/sh.distrib"), is("coreutils", TWO));
    assert_eq!(owner(&dpkg, "/usr/lib/ld.so"), is("libc6", ONE));
    assert_eq!(owner(&dpkg, "/run/x"), is("coreutils", ""));
    assert_eq!(owner(&dpkg, "/lib"), is("libc6", ""));
    assert_eq!(owner(&dpkg, "/usr/lib"), is("libc6", ""), "where its /lib leads");
    assert_eq!(owner(&dpkg, "/"), is("coreutils", ""));
    assert_eq!(dpkg.owners(&path("/")).count(), 3);
    let conffile = dpkg.owner(&path("/etc/c")).unwrap();
    assert_eq!(conffile.digest, md5(TWO));
    assert_eq!(conffile.conffile, dpkg.packages[0].conffiles.first());
    assert_eq!(owner(&dpkg, "/etc/old"), None, "not a file of this version");
    let all: Vec<String> = dpkg.owned_paths().map(|owned| owned.path.to_string()).collect();
    let expected = [
        "/",
        "/bin",
        "/etc",
        "/etc/c",
        "/lib",
        "/run",
        "/run/x",
        "/usr",
        "/usr/bin",
        "/usr/bin/ls",
        "/usr/bin/sh",
        "/usr/bin/sh.distrib",
        "/usr/lib",
        "/usr/lib/ld.so",
        "/var/run",
    ];
    assert_eq!(all, expected);
    assert_eq!(dpkg.problems, []);
}

#[test]
fn what_dpkg_was_told_not_to_unpack_is_excluded() {
    let tree = tree(stanza("a", ""))
        .file(
            "/var/lib/dpkg/info/a.list",
            "/.\n/lib\n/lib/doc\n/lib/doc/a\n/lib/doc/a/copyright\n/lib/doc/a/README\n\
             /lib/doc/a/link\n/lib/x\n",
        )
        .file(
            "/var/lib/dpkg/info/a.md5sums",
            format!("{ONE}  lib/doc/a/README\n{TWO}  lib/doc/a/copyright\n"),
        )
        .file(
            "/etc/dpkg/dpkg.cfg.d/slim",
            "path-exclude=/lib/doc/*\npath-include=/lib/doc/*/copyright\n",
        );
    let dpkg = load(&tree);
    let excluded: Vec<String> = dpkg
        .owned_paths()
        .filter(|owned| owned.excluded)
        .map(|owned| owned.path.to_string())
        .collect();
    assert_eq!(excluded, ["/usr/lib/doc/a/README"]);
    assert!(dpkg.is_excluded(&path("/usr/lib/doc/a/README")));
    assert!(!dpkg.is_excluded(&path("/usr/lib/doc/a")));
    assert!(!dpkg.is_excluded(&path("/usr/lib/x")));
    assert!(dpkg.is_excluded(&path("/lib/doc/of/nobody")));
}

#[test]
fn distroless_images_have_a_control_file_per_package() {
    let tree = MemoryTree::default()
        .file("/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all")
        .file(
            "/var/lib/dpkg/status.d/tzdata.md5sums",
            format!("{ONE}  usr/share/zoneinfo/UTC\n{TWO}  ./usr/share/a\n"),
        );
    let dpkg = load(&tree);
    assert_eq!(names(&dpkg), ["tzdata"]);
    assert_eq!(dpkg.packages[0].status, Status::Installed);
    let is = |hex| Some(("tzdata".to_owned(), md5(hex)));
    assert_eq!(owner(&dpkg, "/usr/share/zoneinfo/UTC"), is(ONE));
    assert_eq!(owner(&dpkg, "/usr/share/a"), is(TWO));
    assert_eq!(owner(&dpkg, "/usr/share/zoneinfo"), is(""));
    assert_eq!(dpkg.problems, []);
}

#[test]
fn a_damaged_status_is_replaced_by_an_older_copy() {
    let whole = stanza("a", "") + &stanza("b", "");
    let status = path("/var/lib/dpkg/status");
    let with_list = |tree: MemoryTree| {
        tree.file("/var/lib/dpkg/info/a.list", "/.\n").file("/var/lib/dpkg/info/b.list", "/.\n")
    };
    for (damaged, damage) in [
        (b"".to_vec(), Damage::Empty),
        (vec![0; 4096], Damage::Zeroed),
        (whole.as_bytes()[..whole.len() - 9].to_vec(), Damage::Truncated),
    ] {
        for used in ["/var/lib/dpkg/status-old", "/var/backups/dpkg.status.0"] {
            let dpkg = load(&with_list(tree(&damaged)).file(used, &whole));
            assert_eq!(names(&dpkg), ["a", "b"]);
            let problem = Problem::OlderCopy { file: status.clone(), damage, used: path(used) };
            assert_eq!(dpkg.problems, [problem]);
        }
    }
}

#[test]
fn without_a_whole_copy_the_undamaged_records_are_used() {
    let whole = stanza("a", "") + &stanza("b", "");
    let cut = &whole.as_bytes()[..whole.len() - 9];
    let tree = tree(cut)
        .file("/var/lib/dpkg/info/a.list", "/.\n")
        .file("/var/lib/dpkg/info/b.list", "/.\n/usr/bin/b\n");
    let dpkg = load(&tree);
    assert_eq!(names(&dpkg), ["a"]);
    assert_eq!(owner(&dpkg, "/usr/bin/b"), None, "a file without a record is kept");
    let file = path("/var/lib/dpkg/status");
    assert_eq!(
        dpkg.problems,
        [
            Problem::Damaged { file: file.clone(), damage: Damage::Truncated },
            Problem::Skipped {
                file,
                line: 6,
                package: Some("b".to_owned()),
                fault: Fault::Truncated
            },
            Problem::StrayList { file: path("/var/lib/dpkg/info/b.list") },
        ]
    );
}

#[test]
fn without_any_record_the_lists_still_tell_names_and_files() {
    let tree = tree("")
        .file("/var/lib/dpkg/info/a.list", "/.\n/usr/bin/a\n")
        .file("/var/lib/dpkg/info/a.md5sums", format!("{ONE}  usr/bin/a\n"))
        .file("/var/lib/dpkg/info/b:i386.list", "/.\n")
        .file("/var/lib/dpkg/info/$(id).list", "/.\n");
    let dpkg = load(&tree);
    assert_eq!(names(&dpkg), ["a", "b"]);
    assert_eq!(dpkg.packages[1].arch, "i386");
    assert_eq!(dpkg.packages[0].status, Status::Broken(Broken::RecordLost));
    assert_eq!(owner(&dpkg, "/usr/bin/a"), Some(("a".to_owned(), md5(ONE))));
    assert_eq!(
        dpkg.problems,
        [Problem::ListsOnly {
            file: path("/var/lib/dpkg/status"),
            damage: Damage::Empty,
            used: path("/var/lib/dpkg/info"),
        }]
    );
}

#[test]
fn a_bad_record_costs_itself_only_and_is_named() {
    let good = stanza("good", "");
    let mut status = b"Package: flip\nStatus: install ok installed\nDepend\xf3: x\n\n".to_vec();
    for bad in [
        "Status: install ok installed\nVersion: 1\n\n",
        "Package: ../../etc\nStatus: install ok installed\nVersion: 1\n\n",
        "Package: mad\nStatus: install ok exploded\nVersion: 1\n\n",
        "Package: none\nStatus: install ok installed\n\n",
        &good,
        &stanza("shell", "").replace("1-1", "$(id)"),
        &good,
    ] {
        status.extend_from_slice(bad.as_bytes());
    }
    let tree = tree(&status)
        .file("/var/lib/dpkg/info/good.list", "/.\n")
        .file("/var/lib/dpkg/info/shell.list", "/.\n");
    let dpkg = load(&tree);
    assert_eq!(names(&dpkg), ["good", "shell"]);
    assert_eq!(dpkg.packages[1].version, "$(id)", "a version is data");
    let file = path("/var/lib/dpkg/status");
    let skipped = |line, package: Option<&str>, fault| Problem::Skipped {
        file: file.clone(),
        line,
        package: package.map(str::to_owned),
        fault,
    };
    let value = |field, value: &str| Fault::Value { field, value: value.as_bytes().to_vec() };
    assert_eq!(
        dpkg.problems,
        [
            skipped(1, Some("flip"), Fault::FieldName),
            skipped(5, None, Fault::Missing("Package")),
            skipped(8, Some("../../etc"), value("Package", "../../etc")),
            skipped(12, Some("mad"), value("Status", "install ok exploded")),
            skipped(16, Some("none"), Fault::Missing("Version")),
            Problem::Twice { file: file.clone(), package: "good:amd64".to_owned() },
        ]
    );
}

#[test]
fn a_claim_out_of_the_root_is_dropped_and_named() {
    let info = "/var/lib/dpkg/info";
    let tree = tree(stanza("a", "Conffiles:\n /etc/../../x 11111111111111111111111111111111\n"))
        .file(format!("{info}/a.list"), b"/.\n/etc//./a\n/../../etc/shadow\n/a\0b\n/etc/b\n")
        .file(format!("{info}/a.md5sums"), format!("{ONE}{ONE}  etc/a\n{ONE} etc/b\n"));
    let dpkg = load(&tree);
    let all: Vec<_> =
        dpkg.owned_paths().map(|owned| (owned.path.to_string(), owned.owned.digest)).collect();
    let expected = [("/", None), ("/etc/a", None), ("/etc/b", md5(ONE))];
    let expected = expected.map(|(path, digest)| (path.to_owned(), digest));
    assert_eq!(all, expected);
    let lines =
        |name: &str, count, first, fault| Problem::Lines { file: path(name), count, first, fault };
    let dot_dot = || LineFault::Path(PathError::DotDot);
    assert_eq!(
        dpkg.problems,
        [
            lines("/var/lib/dpkg/status", 1, 2, dot_dot()),
            lines("/var/lib/dpkg/info/a.md5sums", 1, 1, LineFault::Digest),
            lines("/var/lib/dpkg/info/a.list", 2, 3, dot_dot()),
        ]
    );
}

#[test]
fn operations_not_yet_merged_into_the_status_count() {
    let tree = tree(stanza("a", "") + &stanza("b", ""))
        .file("/var/lib/dpkg/updates/0001", stanza("c", ""))
        .file("/var/lib/dpkg/updates/0002", stanza("c", "").replace("1-1", "2"))
        .file(
            "/var/lib/dpkg/updates/0003",
            "Package: b\nStatus: purge ok not-installed\nArchitecture: amd64\n\n",
        )
        .file("/var/lib/dpkg/updates/tmp.i", "garbage")
        .file("/var/lib/dpkg/info/a.list", "/.\n")
        .file("/var/lib/dpkg/info/c.list", "/.\n");
    let dpkg = load(&tree);
    assert_eq!(names(&dpkg), ["a", "c"]);
    assert_eq!(dpkg.packages[1].version, "2");
    assert_eq!(dpkg.problems, []);
}

#[test]
fn intents_come_from_apts_record_and_the_relations() {
    let states = "Package: lib\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: doc\n\
                  Architecture: amd64\nAuto-Installed: 1\n\nPackage: app\nArchitecture: amd64\n\
                  Auto-Installed: 0\n";
    let doc = stanza("doc", "").replace("amd64", "all");
    let status = stanza("app", "Depends: lib\nRecommends: doc\n") + &stanza("lib", "") + &doc;
    let dpkg = load(&tree(status).file("/var/lib/apt/extended_states", states));
    let intents = dpkg.intents(|_| false);
    let named: Vec<_> = intents.iter().map(|i| (i.package.name.as_str(), i.why)).collect();
    assert_eq!(named, [("app", Why::Manual), ("doc", Why::Leaf)]);
}

#[test]
fn no_flipped_byte_and_no_cut_end_leads_out_of_the_root_or_to_a_panic() {
    let info = "/var/lib/dpkg/info";
    let files = [
        (
            "/var/lib/dpkg/status".to_owned(),
            stanza("a", "Conffiles:\n /etc/a 11111111111111111111111111111111 obsolete\n")
                + &stanza("b", "Depends: a | c (>= 1)\nSource: s (1)\n"),
        ),
        (format!("{info}/a.list"), "/.\n/bin\n/bin/a\n/etc/a\n".to_owned()),
        (format!("{info}/a.md5sums"), format!("{ONE}  bin/a\n")),
        (format!("{info}/b.list"), "/.\n/b\n".to_owned()),
        ("/var/lib/dpkg/diversions".to_owned(), "/bin/a\n/bin/a.real\nb\n".to_owned()),
        ("/var/lib/dpkg/statoverride".to_owned(), "root root 4755 /bin/a\n".to_owned()),
        ("/var/lib/dpkg/alternatives/e".to_owned(), "auto\n/bin/e\n\n/bin/a\n5\n\n".to_owned()),
        ("/etc/dpkg/dpkg.cfg".to_owned(), "path-exclude=/b[!a-c]*\n".to_owned()),
        ("/var/lib/ucf/hashfile".to_owned(), format!("{TWO}  /etc/u\n")),
        (
            "/var/lib/apt/extended_states".to_owned(),
            "Package: b\nArchitecture: amd64\nAuto-Installed: 1\n".to_owned(),
        ),
    ];
    let whole = files.iter().fold(tree(""), |tree, (path, content)| tree.file(path, content));
    assert_eq!(load(&whole).problems, []);
    for (file, content) in &files {
        for at in 0..content.len() {
            let damage = |byte: u8| {
                let mut bytes = content.clone().into_bytes();
                bytes[at] = byte;
                bytes
            };
            let byte = content.as_bytes()[at];
            let cut = content.as_bytes()[..at].to_vec();
            for bytes in [damage(byte ^ 0x80), damage(byte ^ 1), damage(0), damage(b'/'), cut] {
                let dpkg = load(&whole.clone().file(file, bytes));
                for owned in dpkg.owned_paths() {
                    assert!(dpkg.owner(&owned.path).is_some(), "{file} {at}: {}", owned.path);
                    let known = dpkg.is_installed(&owned.owned.package.name);
                    assert!(known.is_some_and(Package::has_files), "{file} {at}");
                }
                let _ = dpkg.intents(|_| false);
            }
        }
    }
}

#[test]
fn what_somebody_moved_and_linked_back_is_no_packages_any_more() {
    let list = "/.\n/usr\n/usr/share\n/usr/share/app\n/usr/share/app/page\n/usr/share/app/in\n\
                /usr/share/app/in/deep\n/lib\n/lib/app\n/lib/app/code\n/var\n/var/run\n/var/run/app\n/run\n";
    let dpkg = load(
        &tree(stanza("app", ""))
            .link("/usr/share/app", "/srv/app")
            .file("/srv/app/page", "")
            .file("/srv/app/in/deep", "")
            .file("/usr/lib/app/code", "")
            .file("/var/lib/dpkg/info/app.list", list),
    );
    for at in ["/usr/share/app", "/usr/lib/app/code", "/usr/lib", "/run/app"] {
        assert!(owner(&dpkg, at).is_some(), "{at}");
    }
    for at in ["/srv/app", "/srv/app/page", "/srv/app/in", "/srv/app/in/deep"] {
        assert_eq!(owner(&dpkg, at), None, "{at}");
    }
    // Nor are they missing where the list names them.
    assert!(dpkg.owned_paths().all(|owned| !owned.path.to_string().contains("/app/in")));
}
