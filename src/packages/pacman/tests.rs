//! The whole database over small trees.

use std::io::Write;

use super::*;
use crate::packages::problem::{Damage, LineFault};
use crate::packages::{Digest, FileRecord, Md5, Presence, RecordedKind, Role};
use crate::tree::PathError;
use crate::tree::memory::MemoryTree;

const DEMO: &str = "/var/lib/pacman/local/demo-2:1.2-3";
const ONE: &str = "11111111111111111111111111111111";

const DESC: &str = "%NAME%\ndemo\n\n%VERSION%\n2:1.2-3\n\n%BASE%\ndemo-src\n\n%DESC%\n\n\n\
    %ARCH%\nx86_64\n\n%INSTALLDATE%\n1795266303\n\n%GROUPS%\nbase-devel\n\n%REASON%\n1\n\n\
    %VALIDATION%\nsha256\npgp\n\n%DEPENDS%\nbash>=5\nglibc\n\n\
    %OPTDEPENDS%\nfoo: for a = b\nbar>1: x\nbaz\n\n%PROVIDES%\nlibdemo.so=1-64\n\n";

const FILES: &str = "%FILES%\netc/\netc/demo.conf\netc/new.conf\nlib/\nlib/a b\nlib/doc/\n\
    lib/doc/x\nlib/l\nlib/name only\n\n\
    %BACKUP%\netc/demo.conf\t11111111111111111111111111111111\netc/new.conf\t(null)\n\n";

fn mtree() -> Vec<u8> {
    let sha256 = "2".repeat(64);
    gz(&format!(
        "#mtree\n/set type=file uid=0 gid=5 mode=644\n./.PKGINFO time=1.0 size=9\n\
         ./etc time=1.0 type=dir mode=755\n./etc/demo.conf time=3.0 size=2 sha256digest={sha256}\n\
         ./lib time=1.0 type=dir mode=755\n./lib/a\\040b time=1.0 mode=4755 size=2 md5digest={ONE}\n\
         ./lib/doc time=1.0 type=dir mode=755\n./lib/doc/x time=1.0 size=0\n\
         ./lib/l time=1.0 type=link mode=777 link=a\\040b\n"
    ))
}

fn gz(text: &str) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn demo(desc: &str, files: &str, mtree: &[u8]) -> MemoryTree {
    MemoryTree::default()
        .dir("/usr/lib")
        .link("/lib", "usr/lib")
        .file("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n")
        .file(format!("{DEMO}/desc"), desc)
        .file(format!("{DEMO}/files"), files)
        .file(format!("{DEMO}/mtree"), mtree)
}

fn load(tree: &MemoryTree) -> Pacman {
    Pacman::load(tree).unwrap().unwrap()
}

fn owner(pacman: &Pacman, text: &str) -> Option<String> {
    pacman.owner(&path(text)).map(|brought| brought.package.name.clone())
}

fn of_demo(name: &str) -> RootPath {
    path(DEMO).child(name.as_bytes())
}

#[test]
fn a_tree_without_pacman_has_no_database() {
    assert!(Pacman::load(&MemoryTree::default()).unwrap().is_none());
    let elsewhere = MemoryTree::default()
        .dir("/var/lib/pacman/local")
        .file("/etc/pacman.conf", "[options]\nDBPath = /srv\n");
    assert!(Pacman::load(&elsewhere).unwrap().is_none());
}

#[test]
fn a_package_is_read_whole() {
    let tree = demo(DESC, FILES, &mtree())
        .file("/etc/pacman.conf", "[options]\nIgnoreGroup = base-*\nNoExtract = lib/doc/*\n");
    let pacman = load(&tree);
    assert_eq!(pacman.problems, []);
    let package = PacmanPackage { files: vec![], ..pacman.is_installed("demo").unwrap().clone() };
    let expected = PacmanPackage {
        name: "demo".to_owned(),
        version: "2:1.2-3".to_owned(),
        arch: "x86_64".to_owned(),
        base: Some("demo-src".to_owned()),
        installed: Some(1_795_266_303),
        auto: true,
        hold: true,
        validation: strings(&["sha256", "pgp"]),
        packager: String::new(),
        groups: strings(&["base-devel"]),
        depends: strings(&["bash", "glibc"]),
        optional: strings(&["foo", "bar", "baz"]),
        provides: strings(&["libdemo.so"]),
        files: vec![],
    };
    assert_eq!(package, expected);
}

#[test]
fn every_file_has_what_was_recorded() {
    let tree = demo(DESC, FILES, &mtree())
        .file("/etc/pacman.conf", "[options]\nNoUpgrade = lib/a*\nNoExtract = lib/doc/*\n");
    let pacman = load(&tree);
    let record = |text: &str| {
        let files = &pacman.packages[0].files;
        files.iter().find(|file| file.path == path(text)).unwrap().clone()
    };
    let md5 = Md5::parse(ONE.as_bytes()).map(Digest::Md5);
    let sha256 = Some(Digest::Sha256([0x22; 32]));
    let file = |size: u64, digest| RecordedKind::File { size: Some(size), digest };
    let expected = FileRecord {
        path: path("/etc/demo.conf"),
        kind: file(2, sha256),
        mode: Some(0o644),
        user: Some("0".to_owned()),
        group: Some("5".to_owned()),
        mtime: Some(3),
        capabilities: None,
        role: Role::Config,
        presence: Presence::Unpacked,
    };
    assert_eq!(record("/etc/demo.conf"), expected);
    let new = record("/etc/new.conf");
    assert_eq!((new.kind, new.mode, new.role), (RecordedKind::Unknown, None, Role::Config));
    let kept = record("/lib/a b");
    assert_eq!((kept.kind, kept.mode, kept.role), (file(2, md5), Some(0o4755), Role::Config));
    let target = Some(b"a b".to_vec());
    assert_eq!(record("/lib/l").kind, RecordedKind::Symlink { target });
    assert_eq!(record("/lib/name only").kind, RecordedKind::Unknown);
    let left_out = pacman.packages[0].files.iter().filter(|f| f.presence == Presence::LeftOut);
    let left_out: Vec<String> = left_out.map(|file| file.path.to_string()).collect();
    // As pacman does: the pattern takes in the directory's own name with its slash.
    assert_eq!(left_out, ["/lib/doc", "/lib/doc/x"]);
    assert_eq!(pacman.packages[0].files.len(), 9);
}

#[test]
fn owners_are_found_where_files_lie_not_where_records_say() {
    let pacman = load(&demo(DESC, FILES, &mtree()));
    assert_eq!(owner(&pacman, "/usr/lib/a b"), Some("demo".to_owned()));
    for nobodys in ["/lib/a b", "/.PKGINFO", "/", "/usr", "/etc/shadow"] {
        assert_eq!(owner(&pacman, nobodys), None, "{nobodys}");
    }
    assert_eq!(pacman.owned_paths().count(), 10);
    assert_eq!(pacman.owners(&path("/usr/lib")).count(), 1);
}

#[test]
fn a_backup_is_recognised_by_its_own_digest_where_nothing_else_is_recorded() {
    let pacman = load(&demo(DESC, FILES, &gz("#mtree\n")));
    let digest = Md5::parse(ONE.as_bytes()).map(Digest::Md5);
    let conf = pacman.owner(&path("/etc/demo.conf")).unwrap();
    assert_eq!(conf.file.kind, RecordedKind::File { size: None, digest });
    assert_eq!(pacman.owner(&path("/etc")).unwrap().file.kind, RecordedKind::Dir);
    assert_eq!(pacman.problems, [Problem::NamesOnly { package: "demo".to_owned() }]);
}

#[test]
fn without_its_description_a_package_goes_by_its_directory() {
    for (desc, damage) in [
        ("", Damage::Empty),
        ("\0\0\0", Damage::Zeroed),
        ("%NA", Damage::Truncated),
        ("%NAME%\n../x\n", Damage::Truncated),
    ] {
        let pacman = load(&demo(desc, FILES, &mtree()));
        assert_eq!(pacman.problems, [Problem::Damaged { file: of_demo("desc"), damage }]);
        let package = &pacman.packages[0];
        assert_eq!((package.name.as_str(), package.version.as_str()), ("demo", "2:1.2-3"));
        assert!(!package.auto);
        assert_eq!(owner(&pacman, "/etc/demo.conf"), Some("demo".to_owned()));
    }
    let nameless = MemoryTree::default().dir("/var/lib/pacman/local/x");
    let file = path("/var/lib/pacman/local/x");
    let pacman = load(&nameless);
    assert_eq!((pacman.packages.len(), pacman.problems), (0, vec![Problem::StrayList { file }]));
}

#[test]
fn without_the_list_files_are_those_with_details() {
    for files in ["", "\0\0", "%FI"] {
        let pacman = load(&demo(DESC, files, &mtree()));
        assert_eq!(pacman.problems, [Problem::NoList { package: "demo".to_owned() }]);
        assert_eq!(owner(&pacman, "/usr/lib/l"), Some("demo".to_owned()));
        assert_eq!(owner(&pacman, "/.PKGINFO"), None);
    }
    let nothing = load(&demo(DESC, "", &gz("#mtree\n./.PKGINFO type=file\n")));
    assert_eq!((nothing.problems, nothing.packages[0].files.len()), (vec![], 0));
}

#[test]
fn a_line_that_cannot_be_used_costs_that_line() {
    let files = "%FILES%\n../../etc/shadow\na\nsrv/\n\n%BACKUP%\netc/x\nsrv/../y\t1\n\n";
    let pacman = load(&demo(DESC, files, &mtree()));
    let fault = LineFault::Digest;
    let expected = Problem::Lines { file: of_demo("files"), count: 3, first: 7, fault };
    assert_eq!(pacman.problems, [expected]);
    assert_eq!(owner(&pacman, "/srv"), Some("demo".to_owned()));
    assert_eq!(owner(&pacman, "/etc/shadow"), None);
    let long = format!("%FILES%\n{}\n", "a/".repeat(3000));
    let fault = LineFault::PathTooLong;
    let expected = Problem::Lines { file: of_demo("files"), count: 1, first: 2, fault };
    assert_eq!(load(&demo(DESC, &long, &mtree())).problems, [expected]);
    let traversal = gz("./../../etc/shadow type=file\n");
    let fault = LineFault::Path(PathError::DotDot);
    let expected = Problem::Lines { file: of_demo("mtree"), count: 1, first: 1, fault };
    assert_eq!(load(&demo(DESC, FILES, &traversal)).problems[0], expected);
}

#[test]
fn of_two_versions_the_one_installed_later_counts() {
    let old = "/var/lib/pacman/local/demo-9-1";
    let tree = demo(DESC, FILES, &mtree())
        .file(format!("{old}/desc"), "%NAME%\ndemo\n\n%VERSION%\n9-1\n\n%INSTALLDATE%\n5\n")
        .file(format!("{old}/files"), "%FILES%\nsrv/\n");
    let pacman = load(&tree);
    assert_eq!(pacman.packages.len(), 1);
    assert_eq!(pacman.packages[0].version, "2:1.2-3");
    let names_only = Problem::NamesOnly { package: "demo".to_owned() };
    let twice = Problem::Twice { file: path("/var/lib/pacman/local"), package: "demo".to_owned() };
    assert_eq!(pacman.problems, [names_only, twice]);
}

#[test]
fn a_bomb_costs_the_details_only() {
    let bomb = gz(&"#".repeat(200 << 20));
    assert!(bomb.len() < 1 << 20);
    let pacman = load(&demo(DESC, FILES, &bomb));
    assert!(matches!(
        &pacman.problems[..],
        [Problem::Unreadable { .. }, Problem::NamesOnly { .. }]
    ));
    assert_eq!(owner(&pacman, "/usr/lib/l"), Some("demo".to_owned()));
}

#[test]
fn no_flipped_byte_and_no_cut_end_leads_to_a_panic_or_a_stranger() {
    let (packed, texts) = (mtree(), [DESC, FILES]);
    let check = |desc: &[u8], files: &[u8], mtree: &[u8]| {
        let tree = demo("", "", mtree)
            .file(format!("{DEMO}/desc"), desc)
            .file(format!("{DEMO}/files"), files);
        let pacman = load(&tree);
        assert_eq!(owner(&pacman, "/etc/shadow"), None);
        assert!(pacman.owned_paths().all(|brought| pacman.owner(brought.path) == Some(brought)));
    };
    for byte in [0, b'\n', b'/'] {
        for (which, text) in texts.iter().enumerate() {
            for at in 0..text.len() {
                let mut bytes = texts.map(|text| text.as_bytes().to_vec());
                bytes[which][at] = byte;
                check(&bytes[0], &bytes[1], &packed);
                bytes[which].truncate(at);
                check(&bytes[0], &bytes[1], &packed);
            }
        }
        for at in 0..packed.len() {
            let mut packed = packed.clone();
            packed[at] = byte;
            check(DESC.as_bytes(), FILES.as_bytes(), &packed);
            check(DESC.as_bytes(), FILES.as_bytes(), &packed[..at]);
        }
    }
}
