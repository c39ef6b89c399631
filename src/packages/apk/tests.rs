//! The whole database over small trees.

use super::*;
use crate::packages::control::Fault;
use crate::packages::problem::{Damage, LineFault};
use crate::packages::{Digest, Presence};
use crate::tree::PathError;
use crate::tree::memory::MemoryTree;

/// What apk 2.14 wrote for two packages.
const V2: &str = "\
C:Q15fb5cBxf+nyiuaRq8KJeSUYlIbo=
P:demo
V:1.2_rc1-r3
A:x86_64
S:1264
I:9
T:A demo
U:
L:
o:demosrc
t:1795266301
D:other>=1 so:libc.musl-x86_64.so.1 !evil
p:cmd:demo=1.2 demo-api
r:olddemo
F:
R:rootfile
Z:Q10XyhrMNsjaOyw/rOoNVz2SDntGA=
F:etc
R:demo.conf
Z:Q1P3hoUOOHVQ/auDbtfm3Igd4jABs=
F:etc/init.d
R:demo
a:0:0:755
Z:Q1h8VuhT2PqIVmGVjd8/mti6MMbas=
F:lib
R:libdemo.so
a:0:0:4755:Q1IHKmlWE+UQPZrAPCiFxeJlbLX/A=
Z:Q1IHKmlWE+UQPZrAPCiFxeJlbLX/A=
R:sy m
a:0:0:777
Z:Q1ieSV55Qc+eQOaYDRSha/AjzNTJE=
R:null
F:var/lib/demo
M:100:101:1777

C:Q1R7cyGdzv0iadBO0fkEQzkeiqC7w=
P:other
V:1.5-r0
A:noarch
i:demo busybox
p:so:libc.musl-x86_64.so.1=1
f:sx
F:lib

";

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn tree(installed: impl AsRef<[u8]>) -> MemoryTree {
    MemoryTree::default()
        .dir("/usr/lib/apk/db")
        .link("/lib", "usr/lib")
        .file("/usr/lib/apk/db/installed", installed)
        .file("/etc/apk/world", "demo\n")
}

fn load(tree: &MemoryTree) -> Apk {
    Apk::load(tree).unwrap().unwrap()
}

fn problems(installed: impl AsRef<[u8]>) -> Vec<Problem> {
    load(&tree(installed)).problems
}

fn owner(apk: &Apk, text: &str) -> Option<String> {
    apk.owner(&path(text)).map(|brought| brought.package.name.clone())
}

fn installed() -> RootPath {
    path("/lib/apk/db/installed")
}

fn lines(count: usize, first: usize, fault: LineFault) -> Problem {
    Problem::Lines { file: installed(), count, first, fault }
}

#[test]
fn a_tree_without_apk_has_no_database() {
    assert!(Apk::load(&MemoryTree::default()).unwrap().is_none());
    let other = MemoryTree::default().dir("/lib/apk/db").file("/etc/apk/world", "");
    assert!(Apk::load(&other).unwrap().is_none());
}

#[test]
fn a_package_is_read_whole() {
    let tree = tree(V2)
        .file("/lib-x", "")
        .file("/usr/lib/apk/db/triggers", "Q15fb5cBxf+nyiuaRq8KJeSUYlIbo= /usr/share/* /lib\n")
        .file("/usr/lib/apk/db/scripts.tar", "");
    let apk = load(&tree);
    assert_eq!(apk.problems, []);
    assert_eq!(apk.scripts, Some(path("/usr/lib/apk/db/scripts.tar")));
    assert_eq!(apk.world, [Constraint::parse(b"demo").unwrap()]);
    let demo = ApkPackage { files: vec![], ..apk.is_installed("demo").unwrap().clone() };
    let expected = ApkPackage {
        name: "demo".to_owned(),
        version: "1.2_rc1-r3".to_owned(),
        arch: "x86_64".to_owned(),
        identity: "Q15fb5cBxf+nyiuaRq8KJeSUYlIbo=".to_owned(),
        origin: Some("demosrc".to_owned()),
        built: Some(1_795_266_301),
        depends: strings(&["other", "so:libc.musl-x86_64.so.1"]),
        provides: strings(&["cmd:demo", "demo-api"]),
        replaces: strings(&["olddemo"]),
        triggers: strings(&["/usr/share/*", "/lib"]),
        ..ApkPackage::default()
    };
    assert_eq!(demo, expected);
    let other = apk.is_installed("other").unwrap();
    assert!(other.auto && other.broken && !other.hold);
    assert_eq!(other.install_if, ["demo", "busybox"]);
    assert_eq!(apk.is_installed("olddemo"), None);
}

#[test]
fn every_file_has_its_kind_mode_owner_and_digest() {
    let apk = load(&tree(V2));
    let shown: Vec<String> = apk.packages[0]
        .files
        .iter()
        .map(|file| {
            let kind = match file.kind {
                RecordedKind::File { .. } => "file",
                RecordedKind::FileOrSymlink { .. } => "file or link",
                RecordedKind::Dir => "dir",
                _ => "unknown",
            };
            let digest = match file.kind.digest() {
                Some(Digest::Sha1(digest)) => hex::encode(&digest[..3]),
                None => "-".to_owned(),
                other => format!("{other:?}"),
            };
            let owner = format!("{}:{}", file.user.as_ref().unwrap(), file.group.as_ref().unwrap());
            format!(
                "{} {kind} {:o} {owner} {digest} {:?}",
                file.path,
                file.mode.unwrap(),
                file.role
            )
        })
        .collect();
    let expected = [
        "/ dir 755 0:0 - Ordinary",
        "/rootfile file 644 0:0 d17ca1 Ordinary",
        "/etc dir 755 0:0 - Ordinary",
        "/etc/demo.conf file 644 0:0 3f7868 Config",
        "/etc/init.d dir 755 0:0 - Ordinary",
        "/etc/init.d/demo file 755 0:0 87c56e Ordinary",
        "/lib dir 755 0:0 - Ordinary",
        "/lib/libdemo.so file 4755 0:0 2072a6 Ordinary",
        "/lib/sy m file or link 777 0:0 89e495 Ordinary",
        "/lib/null unknown 644 0:0 - Ordinary",
        "/var/lib/demo dir 1777 100:101 - Ordinary",
    ];
    assert_eq!(shown, expected);
    assert!(apk.packages[0].files.iter().all(|file| file.presence == Presence::Unpacked));
}

#[test]
fn owners_are_found_where_files_lie_not_where_records_say() {
    let apk = load(&tree(V2));
    assert_eq!(owner(&apk, "/usr/lib/libdemo.so"), Some("demo".to_owned()));
    for nobodys in ["/lib/libdemo.so", "/etc/shadow", "/usr"] {
        assert_eq!(owner(&apk, nobodys), None, "{nobodys}");
    }
    let both: Vec<&str> =
        apk.owners(&path("/usr/lib")).map(|brought| brought.package.name.as_str()).collect();
    assert_eq!(both, ["demo", "other"]);
    let paths: Vec<String> = apk.owned_paths().map(|brought| brought.path.to_string()).collect();
    let expected = [
        "/",
        "/etc",
        "/etc/demo.conf",
        "/etc/init.d",
        "/etc/init.d/demo",
        "/lib",
        "/rootfile",
        "/usr/lib",
        "/usr/lib/libdemo.so",
        "/usr/lib/null",
        "/usr/lib/sy m",
        "/var/lib/demo",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn digests_that_apk_3_cut_are_not_taken_for_sha1() {
    let text = "P:demo\nV:1\nF:etc\nR:x\na:0:0:777\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\nR:y\n\
                Z:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n";
    let sha1 = hex::decode("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8").unwrap();
    let bytes: [u8; 20] = sha1.try_into().unwrap();
    let digests = |flags: &str| {
        let apk = load(&tree(format!("{flags}{text}\n")));
        assert_eq!(apk.problems, []);
        let package = &apk.packages[0];
        assert!(!package.broken);
        let kinds = package.files[1..].iter().map(|file| file.kind.clone());
        kinds.collect::<Vec<_>>()
    };
    let kinds = |digest| {
        let digest = Some(digest);
        [RecordedKind::FileOrSymlink { digest }, RecordedKind::File { size: None, digest }]
    };
    assert_eq!(digests(""), kinds(Digest::Sha1(bytes)));
    assert_eq!(digests("f:S\n"), kinds(Digest::Sha256Head(bytes)));
}

#[test]
fn what_world_does_not_ask_for_came_by_itself() {
    let record = |name: &str, provides: &str| format!("P:{name}\nV:1\np:{provides}\n\n");
    let installed = [
        record("a", ""),
        record("b", "a cmd:b=1"),
        record("c", "so:c=1"),
        record("d", "virtual=1"),
        record("e", "a"),
        record(".deps", ""),
    ];
    let tree = tree(installed.concat())
        .file("/etc/apk/world", b"a=1\n virtual@edge>1 !e .deps\ncmd:b~1\n\xff\n=2\n");
    let apk = load(&tree);
    let asked: Vec<_> = apk.packages.iter().map(|p| (p.name.as_str(), p.auto, p.hold)).collect();
    let expected = [
        (".deps", false, false),
        ("a", false, true),
        ("b", false, false),
        ("c", true, false),
        ("d", false, false),
        ("e", true, false),
    ];
    assert_eq!(asked, expected);
    assert_eq!(apk.world.len(), 5);
    let file = path("/etc/apk/world");
    let fault = LineFault::Text;
    assert_eq!(apk.problems, [Problem::Lines { file, count: 2, first: 4, fault }]);
}

#[test]
fn without_world_everything_was_asked_for() {
    let tree = MemoryTree::default().file("/lib/apk/db/installed", "P:a\nV:1\n\n");
    let apk = load(&tree);
    assert!(!apk.packages[0].auto);
    let file = path("/etc/apk/world");
    assert_eq!(apk.problems, [Problem::NothingAskedFor { file }]);
}

#[test]
fn the_newer_place_is_read_where_the_older_one_is_empty() {
    let tree = MemoryTree::default()
        .dir("/lib/apk/db")
        .file("/usr/lib/apk/db/installed", V2)
        .file("/etc/apk/world", "");
    assert_eq!(load(&tree).packages.len(), 2);
}

#[test]
fn the_binary_form_is_named_and_not_read() {
    let packed = tree("ADBd\0\0\0");
    let apart = MemoryTree::default().file("/lib/apk/db/installed.adb", "ADB.");
    for (tree, file) in [(packed, installed()), (apart, path("/lib/apk/db/installed.adb"))] {
        let apk = load(&tree);
        assert!(apk.packages.is_empty());
        let why = "the binary form of apk's records is not supported".to_owned();
        assert_eq!(apk.problems[0], Problem::Unreadable { file, why });
    }
}

#[test]
fn a_record_without_a_usable_name_is_skipped_with_its_files() {
    let good = "P:good\nV:1\nF:srv\n\n";
    for (bad, package, fault) in [
        ("V:1\nF:etc\nR:x\n\n", None, Fault::Missing("P")),
        ("P:\nF:etc\n\n", None, Fault::value("P", b"")),
        ("P:a b\nF:etc\n\n", None, Fault::value("P", b"a b")),
        ("P:../x\nF:etc\n\n", None, Fault::value("P", b"../x")),
        ("P:one\nF:etc\nP:two\nF:etc\n\n", Some("one".to_owned()), Fault::value("P", b"two")),
    ] {
        let apk = load(&tree(format!("{bad}{good}")));
        assert_eq!(apk.problems, [Problem::Skipped { file: installed(), line: 1, package, fault }]);
        assert_eq!((owner(&apk, "/etc"), apk.packages.len()), (None, 1), "{bad}");
        assert_eq!(owner(&apk, "/srv"), Some("good".to_owned()));
    }
}

#[test]
fn a_line_that_cannot_be_used_costs_that_line() {
    for (text, fault) in [
        ("F:etc\nR:../../etc/shadow\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n", LineFault::Stray),
        ("F:etc\nR:../../etc/shadow\n", LineFault::Path(PathError::DotDot)),
        ("F:../etc\nR:shadow\n", LineFault::Stray),
        ("F:etc\nR:a\0b\na:0:0:600\n", LineFault::Stray),
        ("F:etc\nR:a\0b\n", LineFault::Path(PathError::Nul)),
        ("R:first\n", LineFault::Stray),
        ("M:0:0:755\n", LineFault::Stray),
        ("F:etc\na:0:0:755\n", LineFault::Stray),
        ("F:etc\nZ:Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=\n", LineFault::Stray),
        ("F:etc\nR:\n", LineFault::Incomplete),
        ("F:etc\nR:.\n", LineFault::Incomplete),
        ("F:etc\nM:0:0\n", LineFault::Incomplete),
        ("F:etc\nM:0:0:9\n", LineFault::Number),
        ("F:etc\nM:-1:0:755\n", LineFault::Number),
        ("F:etc\nM:0:0:77777777777777\n", LineFault::Number),
        ("F:etc\nR:x\nZ:Q1!!!!\n", LineFault::Digest),
        ("F\n", LineFault::Incomplete),
        ("t:soon\n", LineFault::Number),
        ("V:\x1b[2J\n", LineFault::Text),
    ] {
        let apk = load(&tree(format!("P:a\nV:1\n{text}F:srv\n\n")));
        let found = apk.problems.as_slice();
        let [Problem::Lines { fault: first, .. }] = found else { panic!("{text}: {found:?}") };
        assert_eq!(*first, fault, "{text}");
        assert_eq!(owner(&apk, "/srv"), Some("a".to_owned()), "{text}");
        assert_eq!(owner(&apk, "/etc/shadow"), None);
        let digests = apk.packages[0].files.iter().filter_map(|file| file.kind.digest());
        assert_eq!(digests.count(), 0, "{text}");
        let modes = apk.packages[0].files.iter().filter_map(|file| file.mode);
        assert!(modes.into_iter().all(|mode| mode == 0o755 || mode == 0o644), "{text}");
    }
}

#[test]
fn lines_longer_than_any_real_one_are_left_out() {
    let long = "x".repeat(2 << 20);
    let deep = "a/".repeat(3000);
    let found = problems(format!("P:a\nV:{long}\nF:{deep}\nR:{long}\n\n"));
    assert_eq!(found, [lines(3, 2, LineFault::TooLong)]);
    assert_eq!(problems(format!("P:a\nF:{deep}\n\n")), [lines(1, 2, LineFault::PathTooLong)]);
}

#[test]
fn more_files_than_any_system_has_are_left_out() {
    let count = crate::packages::index::MAX_FILES + 3;
    let mut text = b"P:a\nV:1\nF:d\n".to_vec();
    text.extend(b"R:x\n".repeat(count));
    text.extend(b"\nP:b\nV:1\nF:e\n\n");
    let found = installed::parse(&installed(), &text, &mut Default::default());
    assert_eq!(found.len(), 2);
    let files = found.iter().map(|package| package.files.len()).sum::<usize>();
    assert_eq!(files, crate::packages::index::MAX_FILES);
    let mut noted = crate::packages::problem::Problems::default();
    installed::parse(&installed(), &text, &mut noted);
    let limit = crate::packages::index::MAX_FILES;
    assert_eq!(noted.finish(), [Problem::TooMany { file: installed(), limit }]);
}

#[test]
fn damage_to_the_whole_file_is_named() {
    let damaged = |damage| Problem::Damaged { file: installed(), damage };
    assert_eq!(problems("P:a\nV:1\nF:srv\nR:x"), [damaged(Damage::Truncated)]);
    assert_eq!(problems(""), [damaged(Damage::Empty)]);
    let zeroed = problems([0; 4096]);
    let missing =
        Problem::Skipped { file: installed(), line: 1, package: None, fault: Fault::Missing("P") };
    let expected = [
        damaged(Damage::Truncated),
        missing,
        lines(1, 1, LineFault::Incomplete),
        damaged(Damage::Empty),
    ];
    assert_eq!(zeroed, expected);
    let twice = Problem::Twice { file: installed(), package: "a".to_owned() };
    assert_eq!(problems("P:a\nV:1\n\nP:a\nV:2\n\n"), [twice]);
    let looped = MemoryTree::default().link("/lib/apk", "/lib/apk");
    let found = load(&looped).problems;
    assert!(matches!(&found[0], Problem::Unreadable { file, .. } if *file == installed()));
}

#[test]
fn a_trigger_of_nobody_is_named() {
    let file = "/usr/lib/apk/db/triggers";
    let apk = load(&tree(V2).file(file, b"Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA= /x\n\n\xff\n"));
    let fault = LineFault::Stray;
    let file = path("/lib/apk/db/triggers");
    assert_eq!(apk.problems, [Problem::Lines { file, count: 2, first: 1, fault }]);
}

#[test]
fn no_flipped_byte_and_no_cut_end_leads_to_a_panic_or_a_stranger() {
    for at in 0..V2.len() {
        for byte in [0, b'\n', b'/', 0xff] {
            let mut bytes = V2.as_bytes().to_vec();
            bytes[at] = byte;
            let apk = load(&tree(&bytes));
            assert_eq!(owner(&apk, "/etc/shadow"), None);
            assert!(apk.owned_paths().all(|brought| apk.owner(brought.path) == Some(brought)));
        }
        let apk = load(&tree(&V2[..at]));
        assert!(apk.packages.len() < 2 || !apk.problems.is_empty(), "{at}");
    }
}
