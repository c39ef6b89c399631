//! The reading of pacman's database against pacman itself, for packages made by makepkg and
//! installed into a root of their own. Where the tools are missing, or the rights to install,
//! there is nothing to compare, and the tests say so.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's help is a test")]

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use regrow::archive::{ExamineOptions, examine};
use regrow::internals::packages::pacman::{Pacman, version};
use regrow::internals::packages::{Digest, FileRecord, Presence, RecordedKind, Role};
use regrow::internals::tree::{Rootfs, read_file};
use regrow::layout::LayoutDb;
use regrow::monitor::Silent;
use regrow::source::{OpenOptions, Source, SourceSpec};
use regrow::tree::{Entry, Kind, RootPath, Tree};
use regrow::verdict::Class;
use sha2::{Digest as _, Sha256};

/// Whoever builds must not be root.
const NOBODY: u32 = 65534;

const DEMO: &str = r#"
pkgname=demo
pkgver=1.2_rc1
pkgrel=3
epoch=2
arch=(x86_64)
groups=(demos)
depends=('other>=1' 'libother.so=1-64')
optdepends=('odd: a = b' 'some>1: c')
provides=('demo-api=1' 'plain')
backup=(etc/demo.conf 'etc/with space.conf' etc/left-out.conf)
options=(!strip !docs !zipman !purge)
package() {
  cd "$pkgdir"
  mkdir -p etc usr/bin usr/share/demo/man usr/share/locale/{de,fr} var/lib/demo
  echo a >etc/demo.conf; echo b >'etc/with space.conf'; echo c >etc/left-out.conf
  echo kept >etc/kept
  echo bin >usr/bin/demo; chmod 4755 usr/bin/demo; chown 33:42 usr/bin/demo
  ln usr/bin/demo usr/bin/hard
  ln -s demo 'usr/bin/sy m'; ln -s $'t\\ab#=x\t' usr/bin/odd
  echo x >$'usr/share/demo/\\n#=[x]*?\\040'; echo y >$'usr/share/demo/tab\tx'
  echo z >$'usr/share/demo/\xc3\xa4 \xff'; echo '#' >usr/share/demo/'#hash'
  echo man >usr/share/demo/man/page; echo de >usr/share/locale/de/x; echo fr >usr/share/locale/fr/x
  : >var/lib/demo/empty; chmod 1777 var/lib/demo; touch -d @-5 var/lib/demo/empty
  mkfifo var/lib/demo/pipe
}
"#;

const OTHER: &str = r"
pkgname=other
pkgver=1.10.r5.gabcdef
pkgrel=1.1
arch=(any)
package() { mkdir -p $pkgdir/usr/share/empty; }
";

const NOTHING: &str = r"
pkgname=nothing-at-all
pkgver=20240101
pkgrel=1
arch=(any)
";

const CONFIG: &str = "[options]\nNoExtract = usr/share/locale/* !usr/share/locale/de*\n\
    NoExtract = etc/left-out.conf *man/page\nNoUpgrade = etc/kept\nIgnoreGroup = dem*\n";

/// A root with the packages.
struct Disk {
    root: tempfile::TempDir,
}

/// `None` where the machine cannot make one.
fn disk() -> Option<Disk> {
    for program in ["pacman", "makepkg", "fakeroot", "setpriv"] {
        if Command::new(program).arg("--version").output().is_err() {
            println!("not compared: this machine has no `{program}`");
            return None;
        }
    }
    if !rustix::process::geteuid().is_root() {
        println!("not compared: only root can install packages");
        return None;
    }
    let disk = Disk { root: tempfile::tempdir().unwrap() };
    fs::create_dir_all(disk.root.path().join("var/lib/pacman")).unwrap();
    fs::create_dir_all(disk.root.path().join("etc")).unwrap();
    fs::write(disk.root.path().join("etc/pacman.conf"), CONFIG).unwrap();
    disk.install(OTHER, &["--asdeps"]);
    disk.install(NOTHING, &[]);
    disk.install(DEMO, &[]);
    Some(disk)
}

impl Disk {
    fn install(&self, recipe: &str, options: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("PKGBUILD"), recipe).unwrap();
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
        let mut make = Command::new("setpriv");
        make.args(ids).args(["--clear-groups", "makepkg", "--nodeps", "--nocheck"]);
        make.current_dir(dir.path()).env("HOME", dir.path()).env("LC_ALL", "C.UTF-8");
        make.env("PKGDEST", dir.path()).env("PKGEXT", ".pkg.tar.gz");
        done(&make.output().unwrap());
        let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let package = files.into_iter().find(|p| p.to_string_lossy().ends_with(".pkg.tar.gz"));
        let mut args = vec!["-U", "--noconfirm", "--nodeps", "--nodeps", "--noscriptlet"];
        args.extend(options);
        let package = package.unwrap();
        args.push(package.to_str().unwrap());
        done(&self.pacman(&args));
    }

    fn pacman(&self, args: &[&str]) -> Output {
        let mut pacman = Command::new("pacman");
        pacman.arg("--root").arg(self.root.path()).env("LC_ALL", "C.UTF-8");
        pacman.arg("--config").arg(self.root.path().join("etc/pacman.conf"));
        pacman.arg("--hookdir").arg(self.root.path().join("no-hooks"));
        pacman.arg("--cachedir").arg(self.root.path().join("no-cache"));
        pacman.args(args).output().unwrap()
    }

    fn tree(&self) -> Rootfs {
        Rootfs::open(self.root.path()).unwrap()
    }

    fn load(&self) -> Pacman {
        let pacman = Pacman::load(&self.tree()).unwrap().unwrap();
        assert_eq!(pacman.problems, []);
        pacman
    }

    /// The path as pacman shows it, without the root before it.
    fn inside(&self, shown: &[u8]) -> RootPath {
        let shown = shown.strip_prefix(self.root.path().as_os_str().as_bytes()).unwrap();
        RootPath::parse(shown).unwrap()
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }
}

fn done(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn packages_and_files_are_what_pacman_says() {
    let Some(disk) = disk() else { return };
    packages_are_what_qi_says(&disk);
    paths_are_what_ql_says(&disk);
    backups_are_what_qii_says(&disk);
    what_was_not_unpacked_is_not_there(&disk);
    assert_eq!(differences(&disk), answered(&disk));
    assert_eq!(answered(&disk), BTreeSet::new(), "freshly installed");
    change(&disk);
    let theirs = answered(&disk);
    assert_eq!(differences(&disk), theirs);
    let aspects: BTreeSet<&str> = theirs.iter().map(|(_, aspect)| aspect.as_str()).collect();
    assert_eq!(aspects.len(), 8, "{aspects:?}");
    println!("{} differences are the same", theirs.len());
}

fn packages_are_what_qi_says(disk: &Disk) {
    let ours: Vec<BTreeMap<&str, String>> = disk
        .load()
        .packages
        .iter()
        .map(|package| {
            let joined = |all: &[String]| match all.join("  ") {
                none if none.is_empty() => "None".to_owned(),
                some => some,
            };
            let reason = match package.auto {
                true => "Installed as a dependency for another package",
                false => "Explicitly installed",
            };
            assert_eq!(package.hold, package.name == "demo");
            BTreeMap::from([
                ("Name", package.name.clone()),
                ("Version", package.version.clone()),
                ("Architecture", package.arch.clone()),
                ("Groups", joined(&package.groups)),
                ("Provides", joined(&package.provides)),
                ("Depends On", joined(&package.depends)),
                ("Install Reason", reason.to_owned()),
                ("Validated By", joined(&package.validation).replace("none", "None")),
            ])
        })
        .collect();
    let answer = disk.pacman(&["-Qi"]);
    done(&answer);
    let text = String::from_utf8(answer.stdout).unwrap();
    let theirs: Vec<BTreeMap<&str, String>> = text
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(|block| {
            let fields = block.lines().filter_map(|line| line.split_once(" : "));
            let fields = fields.map(|(name, value)| (name.trim(), value.trim().to_owned()));
            let fields = fields.filter(|(name, _)| ours[0].contains_key(name));
            fields.map(|(name, value)| (name, without_versions(name, &value))).collect()
        })
        .collect();
    assert_eq!(theirs.len(), 3);
    assert_eq!(ours, theirs);
}

fn without_versions(field: &str, value: &str) -> String {
    if !["Provides", "Depends On"].contains(&field) {
        return value.to_owned();
    }
    let names = value.split("  ").map(|name| name.split(['<', '>', '=']).next().unwrap());
    names.collect::<Vec<_>>().join("  ")
}

fn paths_are_what_ql_says(disk: &Disk) {
    let pacman = disk.load();
    let answer = disk.pacman(&["-Ql"]);
    done(&answer);
    let mut theirs: BTreeMap<RootPath, BTreeSet<String>> = BTreeMap::new();
    for line in answer.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let end = line.iter().position(|&b| b == b' ').unwrap();
        let name = String::from_utf8(line[..end].to_vec()).unwrap();
        theirs.entry(disk.inside(&line[end + 1..])).or_default().insert(name);
    }
    assert!(theirs.len() > 25);
    let ours: BTreeMap<RootPath, BTreeSet<String>> = pacman
        .owned_paths()
        .map(|brought| {
            let owners = pacman.owners(brought.path).map(|b| b.package.name.clone());
            (brought.path.clone(), owners.collect())
        })
        .collect();
    assert_eq!(ours, theirs);
}

fn backups_are_what_qii_says(disk: &Disk) {
    let answer = disk.pacman(&["-Qii", "demo"]);
    let lines = answer.stdout.split(|&b| b == b'\n');
    let theirs: BTreeSet<RootPath> = lines
        .filter_map(|line| line.iter().position(|&b| b == b'\t').map(|tab| &line[tab + 1..]))
        .map(|path| disk.inside(path))
        .collect();
    let pacman = disk.load();
    let config = pacman.owned_paths().filter(|brought| brought.file.role == Role::Config);
    let mut ours: BTreeSet<RootPath> = config.map(|brought| brought.path.clone()).collect();
    assert!(ours.remove(&RootPath::parse(b"/etc/kept").unwrap()), "not replaced by an upgrade");
    assert_eq!(ours.len(), 3);
    assert_eq!(ours, theirs);
}

fn what_was_not_unpacked_is_not_there(disk: &Disk) {
    let tree = disk.tree();
    let mut left_out = vec![];
    for brought in disk.load().owned_paths() {
        let there = tree.entry(brought.path).unwrap().is_some();
        let unpacked = brought.file.presence == Presence::Unpacked;
        // A directory that was left out is made for what is unpacked below it.
        if there != unpacked {
            assert_eq!((there, &brought.file.kind), (true, &RecordedKind::Dir), "{}", brought.path);
        }
        if !there {
            left_out.push(brought.path.to_string());
        }
    }
    let expected = [
        "/etc/left-out.conf",
        "/usr/share/demo/man/page",
        "/usr/share/locale/fr",
        "/usr/share/locale/fr/x",
    ];
    assert_eq!(left_out, expected);
}

/// One change of every sort that pacman looks for.
fn change(disk: &Disk) {
    fs::write(disk.at("etc/demo.conf"), "edited").unwrap();
    fs::write(disk.at("etc/with space.conf"), "B\n").unwrap();
    fs::set_permissions(disk.at("usr/bin/demo"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(disk.at("var/lib/demo"), fs::Permissions::from_mode(0o755)).unwrap();
    chown(disk.at("usr/share/demo"), Some(7), None).unwrap();
    chown(disk.at("usr/share/demo/#hash"), None, Some(8)).unwrap();
    fs::remove_file(disk.at("usr/bin/sy m")).unwrap();
    symlink("other", disk.at("usr/bin/sy m")).unwrap();
    fs::remove_file(disk.at("var/lib/demo/empty")).unwrap();
    fs::write(disk.root.path().join(OsStr::from_bytes(b"usr/share/demo/\xc3\xa4 \xff")), "")
        .unwrap();
}

type Differences = BTreeSet<(RootPath, String)>;

/// What pacman finds different from its records. It knows two digests, we keep the stronger.
fn answered(disk: &Disk) -> Differences {
    let output = disk.pacman(&["-Qkk"]);
    let lines = output.stdout.split(|&b| b == b'\n').chain(output.stderr.split(|&b| b == b'\n'));
    lines
        .filter_map(|line| {
            let line = line.strip_suffix(b")")?;
            let (from, to) = (
                line.iter().position(|&b| b == b'/').unwrap(),
                line.windows(2).rposition(|pair| pair == b" (").unwrap(),
            );
            let aspect = String::from_utf8(line[to + 2..].to_vec()).unwrap();
            Some((disk.inside(&line[from..to]), aspect))
        })
        .filter(|(_, aspect)| aspect != "MD5 checksum mismatch")
        .collect()
}

/// The same, from our reading of the records and of the tree.
fn differences(disk: &Disk) -> Differences {
    let tree = disk.tree();
    let mut found = Differences::new();
    for brought in disk.load().owned_paths() {
        let mut note = |aspect: &str| found.insert((brought.path.clone(), aspect.to_owned()));
        match tree.entry(brought.path).unwrap() {
            None if brought.file.presence == Presence::Unpacked => {
                note("No such file or directory");
            }
            None => {}
            Some(entry) => {
                for aspect in compared(&tree, &entry, brought.file) {
                    note(aspect);
                }
            }
        }
    }
    found
}

fn compared(tree: &Rootfs, entry: &Entry, file: &FileRecord) -> Vec<&'static str> {
    let mut aspects = vec![];
    let mut differ = |aspect, differ: bool| {
        if differ {
            aspects.push(aspect);
        }
    };
    let meta = &entry.meta;
    differ("UID mismatch", file.user != Some(meta.uid.to_string()));
    differ("GID mismatch", file.group != Some(meta.gid.to_string()));
    let mtime = file.mtime != Some(meta.mtime.secs);
    match (&file.kind, &entry.kind) {
        (RecordedKind::File { size, digest }, Kind::File { size: length }) => {
            differ("Permissions mismatch", file.mode != Some(meta.mode));
            differ("Modification time mismatch", mtime);
            differ("Size mismatch", *size != Some(*length));
            let content = read_file(tree, &entry.path, u64::MAX).unwrap().unwrap();
            let now = Digest::Sha256(Sha256::digest(&content).into());
            differ("SHA256 checksum mismatch", *digest != Some(now));
        }
        (RecordedKind::Symlink { target }, Kind::Symlink { target: now }) => {
            differ("Modification time mismatch", mtime);
            differ("Symlink path mismatch", target.as_ref() != Some(now));
        }
        (RecordedKind::Dir, Kind::Dir) => {
            differ("Permissions mismatch", file.mode != Some(meta.mode));
        }
        (RecordedKind::Special, Kind::Fifo) => {}
        (recorded, now) => panic!("{}: {recorded:?} is {now:?}", entry.path),
    }
    aspects
}

#[test]
fn versions_compare_as_vercmp_compares_them() {
    const PARTS: [&str; 20] = [
        "0",
        "1",
        "2",
        "10",
        "007",
        "99999999999",
        ".",
        "..",
        "_",
        "+",
        "-",
        "a",
        "B",
        "rc1",
        "beta",
        "r",
        "git",
        "-1",
        ".0",
        ":",
    ];
    let vercmp = |a: &str, b: &str| {
        let answer = Command::new("vercmp").args([a, b]).output().ok()?;
        let number: i32 = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
        Some(number.cmp(&0))
    };
    if vercmp("1", "1").is_none() {
        println!("not compared: this machine has no `vercmp`");
        return;
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut some_version = || {
        let mut version = format!("{}{}", ["", "", "0:", "1:", ":", "a:"][random(6)], random(3));
        for _ in 0..random(5) {
            version.push_str(PARTS[random(PARTS.len())]);
        }
        if random(4) == 0 { version.replacen('0', "00", 1) } else { version }
    };
    let mut orders = [0; 3];
    for round in 0..1500 {
        let a = some_version();
        let b = if round % 5 == 0 { format!("{a}{}", PARTS[round % 20]) } else { some_version() };
        let order = version::compare(&a, &b);
        assert_eq!(Some(order), vercmp(&a, &b), "{a} {b}");
        orders[match order {
            Ordering::Less => 0,
            Ordering::Equal => 1,
            Ordering::Greater => 2,
        }] += 1;
    }
    assert!(orders.iter().all(|&count| count > 20), "{orders:?}");
}

/// A root of another machine, when `REGROW_PACMAN_ROOT` names one: every record is read without a
/// problem, and every file that is there is of the kind that was recorded.
#[test]
fn a_whole_system_is_read_without_a_problem() {
    let Some(root) = std::env::var_os("REGROW_PACMAN_ROOT") else {
        println!("not compared: REGROW_PACMAN_ROOT names no root");
        return;
    };
    let tree = Rootfs::open(Path::new(&root)).unwrap();
    let pacman = Pacman::load(&tree).unwrap().unwrap();
    assert_eq!(pacman.problems, []);
    let mut there = 0;
    for brought in pacman.owned_paths() {
        let Some(entry) = tree.entry(brought.path).unwrap() else { continue };
        there += 1;
        let fits = match brought.file.kind {
            RecordedKind::File { .. } => entry.kind.is_file(),
            RecordedKind::Dir => entry.kind.is_dir(),
            RecordedKind::Symlink { .. } => matches!(entry.kind, Kind::Symlink { .. }),
            _ => true,
        };
        assert!(fits, "{}: {:?} is {:?}", brought.path, brought.file.kind, entry.kind);
    }
    println!("{there} paths of {} packages", pacman.packages.len());
}

/// What is kept of the root, each path with the reason; directories that no package brought are
/// the places of others.
fn kept(disk: &Disk) -> BTreeSet<(RootPath, String)> {
    let root = disk.root.path();
    let source =
        Source::open(&SourceSpec::Rootfs(root.to_owned()), &OpenOptions::default(), root, &Silent)
            .unwrap();
    let layout = LayoutDb::open(&[]).unwrap();
    let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
    assert_eq!(examined.survey.manager, "pacman");
    let mutable = examined.entries.iter().filter(|j| j.class == Class::Mutable);
    mutable.map(|j| (j.entry.path, j.reason.to_string())).collect()
}

/// Makes packages that were built here look like those of a repository: signed, by somebody.
fn signed(disk: &Disk) {
    for package in fs::read_dir(disk.at("var/lib/pacman/local")).unwrap() {
        let record = package.unwrap().path().join("desc");
        let Ok(text) = fs::read_to_string(&record) else { continue };
        let text = text.replace("%VALIDATION%\nnone", "%VALIDATION%\npgp");
        fs::write(&record, text.replace("Unknown Packager", "A Team <team@example.org>")).unwrap();
    }
}

#[test]
fn in_a_root_of_pacman_what_was_changed_is_kept_and_nothing_else_is() {
    let Some(disk) = disk() else { return };
    signed(&disk);
    let fresh = kept(&disk);
    change(&disk);
    let pinned = fs::metadata(disk.at("usr/share/demo/tab\tx")).unwrap().modified().unwrap();
    fs::write(disk.at("usr/share/demo/tab\tx"), "Y\n").unwrap();
    let edited = fs::File::options().write(true).open(disk.at("usr/share/demo/tab\tx")).unwrap();
    edited.set_modified(pinned).unwrap();
    // Touched, and no more.
    fs::write(disk.at("usr/share/demo/\\n#=[x]*?\\040"), "x\n").unwrap();
    fs::create_dir_all(disk.at("srv/own")).unwrap();
    fs::write(disk.at("srv/own/data"), "mine").unwrap();
    let forged = fs::File::options().write(true).open(disk.at("srv/own/data")).unwrap();
    forged.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let found = kept(&disk);
    let new: Vec<(String, &str)> = found
        .difference(&fresh)
        .map(|(path, reason)| (path.to_string(), reason.as_str()))
        .collect();
    let (edited, other) = ("configuration of package demo, edited", "differs from package demo");
    let (meta, own) = ("owner, mode or attributes differ from package demo", "nothing explains it");
    let expected = [
        ("/etc/demo.conf", edited),
        ("/etc/with space.conf", edited),
        ("/srv", own),
        ("/srv/own", own),
        ("/srv/own/data", own),
        ("/usr/bin/demo", meta),
        ("/usr/bin/hard", meta),
        ("/usr/bin/sy m", other),
        ("/usr/share/demo", meta),
        ("/usr/share/demo/#hash", meta),
        ("/usr/share/demo/tab\\tx", other),
        ("/usr/share/demo/ä \\xff", other),
        ("/var/lib/demo", meta),
        ("/var/lib/demo/empty", "removed by hand"),
    ];
    assert_eq!(new, expected.map(|(path, reason)| (path.to_owned(), reason)));
    let lost: Vec<_> =
        fresh.iter().filter(|(path, _)| !found.iter().any(|f| f.0 == *path)).collect();
    assert_eq!(lost, [] as [&(RootPath, String); 0]);
    // The root's own directory, pacman's configuration and cache are no package's, and a FIFO has
    // nothing that could be compared.
    let own: Vec<String> = fresh.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(own, ["/", "/etc/pacman.conf", "/no-cache", "/var/lib/demo/pipe"]);
}
