//! The reading of apk's database against apk 3 itself, for packages made by `apk mkpkg` and
//! installed into a root of their own. Debian has no apk: where there is none on the `PATH`, there
//! is nothing to compare, and the tests say so.

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
use regrow::internals::packages::apk::{Apk, ApkPackage, version};
use regrow::internals::packages::{Digest, FileRecord, RecordedKind, Role};
use regrow::internals::tree::{Rootfs, read_file};
use regrow::layout::LayoutDb;
use regrow::monitor::Silent;
use regrow::source::{OpenOptions, Source, SourceSpec};
use regrow::tree::{Entry, Kind, RootPath, Tree};
use regrow::verdict::Class;
use sha2::{Digest as _, Sha256};

/// A root with two packages, one of which came with the other.
struct Disk {
    root: tempfile::TempDir,
}

/// Whether there is an apk that makes packages.
fn has_apk() -> bool {
    let version = Command::new("apk").arg("--version").output();
    let three = version.is_ok_and(|output| output.stdout.starts_with(b"apk-tools 3"));
    if !three {
        println!("not compared: this machine has no `apk` 3");
    }
    three
}

fn disk() -> Option<Disk> {
    if !has_apk() {
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        println!("not compared: only root can install packages");
        return None;
    }
    let disk = Disk { root: tempfile::tempdir().unwrap() };
    let (work, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of_demo = files.path();
    write(of_demo, "rootfile", "r\n", 0o644);
    write(of_demo, "etc/demo.conf", "a\n", 0o640);
    write(of_demo, "etc/with space.conf", "b\n", 0o644);
    write(of_demo, "etc/init.d/demo", "rc\n", 0o755);
    write(of_demo, "usr/bin/demo", "bin\n", 0o4755);
    write(of_demo, "usr/share/demo/\\n#=[x]*?", "x\n", 0o600);
    write(of_demo, "usr/share/demo/wide open", "w\n", 0o777);
    write(of_demo, "var/lib/demo/empty", "", 0o644);
    write(of_demo, OsStr::from_bytes(b"usr/share/demo/\xc3\xa4"), "z\n", 0o644);
    fs::hard_link(of_demo.join("usr/bin/demo"), of_demo.join("usr/bin/hard")).unwrap();
    symlink("demo", of_demo.join("usr/bin/sy m")).unwrap();
    symlink("init.d/demo", of_demo.join("etc/link")).unwrap();
    fs::set_permissions(of_demo.join("var/lib/demo"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::create_dir_all(disk.root.path().join("etc")).unwrap();
    fs::write(disk.root.path().join("etc/passwd"), "me:x:33:42::/:/bin/sh\n").unwrap();
    fs::write(disk.root.path().join("etc/group"), "us:x:42:\n").unwrap();
    let demo = ["name:demo", "version:1.2_rc1-r3", "arch:x86_64", "origin:demo-src"];
    let demo = demo.into_iter().chain([
        "depends:other>=1 so:libother.so.1",
        "provides:cmd:demo=1.2 demo-api",
        "replaces:older",
    ]);
    package(of_demo, &work.path().join("demo.apk"), demo);
    let files = tempfile::tempdir().unwrap();
    write(files.path(), "usr/lib/libother.so.1", "l\n", 0o755);
    let other = ["name:other", "version:1.5-r0", "arch:noarch", "provides:so:libother.so.1=1"];
    package(files.path(), &work.path().join("other.apk"), other);
    let add = ["--initdb", "--allow-untrusted", "--arch", "x86_64", "add"];
    let packages = ["demo.apk", "other.apk"].map(|name| work.path().join(name));
    let packages = packages.iter().map(|path| path.to_str().unwrap());
    done(&disk.apk(&add.into_iter().chain(packages).collect::<Vec<_>>()));
    // Not asked for any more, but needed.
    done(&disk.apk(&["del", "other"]));
    Some(disk)
}

fn write(dir: &Path, name: impl AsRef<OsStr>, content: &str, mode: u32) {
    let path = dir.join(name.as_ref());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn package<'a>(files: &Path, output: &Path, infos: impl IntoIterator<Item = &'a str>) {
    let mut make = Command::new("apk");
    make.arg("mkpkg").arg("--files").arg(files).arg("--output").arg(output);
    for info in infos {
        make.args(["--info", info]);
    }
    done(&make.output().unwrap());
}

fn done(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
}

impl Disk {
    fn apk(&self, args: &[&str]) -> Output {
        let mut apk = Command::new("apk");
        apk.arg("--root").arg(self.root.path()).args(["--no-network", "--no-logfile"]);
        apk.args(args).output().unwrap()
    }

    fn tree(&self) -> Rootfs {
        Rootfs::open(self.root.path()).unwrap()
    }

    fn load(&self) -> Apk {
        let apk = Apk::load(&self.tree()).unwrap().unwrap();
        assert_eq!(apk.problems, []);
        apk
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }
}

#[test]
fn packages_and_files_are_what_apk_says() {
    let Some(disk) = disk() else { return };
    packages_are_what_query_says(&disk);
    assert_eq!(audited(&disk, &["--full"]), BTreeSet::new(), "freshly installed");
    assert_eq!(differences(&disk, |_| true), BTreeSet::new());
    change(&disk);
    let mut theirs = audited(&disk, &["--full", "--check-permissions"]);
    let backup = audited(&disk, &["--backup", "--check-permissions"]);
    theirs.extend(backup.iter().cloned());
    theirs.extend(audited(&disk, &["--system", "--check-permissions"]));
    assert_eq!(differences(&disk, |_| true), theirs);
    assert_eq!(differences(&disk, |file| file.role == Role::Config), backup);
    assert_eq!((theirs.len(), backup.len()), (9, 2));
    println!("{} differences are the same", theirs.len());
}

fn packages_are_what_query_says(disk: &Disk) {
    let answer = disk.apk(&["query", "--fields", "all", "*"]);
    done(&answer);
    let text = String::from_utf8(answer.stdout).unwrap();
    let theirs: BTreeMap<String, BTreeSet<String>> = text
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(|block| {
            let name = block.lines().find_map(|line| line.strip_prefix("Name: ")).unwrap();
            let wanted =
                ["Version", "Arch", "Origin", "Depends", "Provides", "Replaces", "Contents"];
            let mut facts = BTreeSet::new();
            let mut field = "";
            for line in block.lines() {
                let value = match line.strip_prefix("  ") {
                    Some(value) => vec![value],
                    None => {
                        let (name, values) = line.split_once(':').unwrap();
                        field = name;
                        values.split_whitespace().collect()
                    }
                };
                let values = value.into_iter().filter(|_| wanted.contains(&field));
                facts.extend(values.map(|value| format!("{field} {}", name_of(field, value))));
            }
            (name.to_owned(), facts)
        })
        .collect();
    let apk = disk.load();
    let ours: BTreeMap<String, BTreeSet<String>> =
        apk.packages.iter().map(|package| (package.name.clone(), facts(package))).collect();
    assert_eq!(ours["demo"].len(), 20);
    assert_eq!(ours, theirs);
    let asked: Vec<(&str, bool, bool)> =
        apk.packages.iter().map(|p| (p.name.as_str(), p.auto, p.hold)).collect();
    assert_eq!(asked, [("demo", false, true), ("other", true, false)]);
    for brought in apk.owned_paths().filter(|brought| brought.file.kind != RecordedKind::Dir) {
        let path = brought.path.to_string();
        let answer = disk.apk(&["info", "--who-owns", &path]);
        let text = String::from_utf8(answer.stdout).unwrap();
        let package = format!("{}-{}", brought.package.name, brought.package.version);
        // What is shown escaped has another name.
        assert!(text.trim_end().ends_with(&package) || path.contains('\\'), "{path}: {text}");
    }
}

fn name_of<'a>(field: &str, value: &'a str) -> &'a str {
    match field {
        "Depends" | "Provides" | "Replaces" => value.split(['<', '>', '=', '~']).next().unwrap(),
        _ => value,
    }
}

fn facts(package: &ApkPackage) -> BTreeSet<String> {
    let one = |field: &str, value: &str| format!("{field} {value}");
    let mut facts = BTreeSet::from([one("Version", &package.version), one("Arch", &package.arch)]);
    facts.extend(package.origin.iter().map(|origin| one("Origin", origin)));
    facts.extend(package.depends.iter().map(|name| one("Depends", name)));
    facts.extend(package.provides.iter().map(|name| one("Provides", name)));
    facts.extend(package.replaces.iter().map(|name| one("Replaces", name)));
    let files = package.files.iter().filter(|file| file.kind != RecordedKind::Dir);
    facts.extend(
        files.map(|file| one("Contents", std::str::from_utf8(file.path.relative()).unwrap())),
    );
    facts
}

/// One change of every sort that apk looks for.
fn change(disk: &Disk) {
    let mode = |path, mode| {
        fs::set_permissions(disk.at(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(disk.at("etc/demo.conf"), "edited").unwrap();
    fs::write(disk.at("etc/init.d/demo"), "rc2\n").unwrap();
    fs::write(disk.at("usr/share/demo/\\n#=[x]*?"), "").unwrap();
    fs::write(disk.at("usr/share/demo/wide open"), "W\n").unwrap();
    fs::remove_file(disk.at("usr/bin/sy m")).unwrap();
    symlink("other", disk.at("usr/bin/sy m")).unwrap();
    fs::remove_file(disk.at("var/lib/demo/empty")).unwrap();
    mode("usr/lib/libother.so.1", 0o700);
    mode("usr/share/demo", 0o700);
    chown(disk.at("etc/with space.conf"), Some(33), Some(42)).unwrap();
}

/// What of the packages apk finds changed, with its letters: `U` content, `M` owner or mode of
/// a file, `m` of a directory, `X` gone.
fn audited(disk: &Disk, options: &[&str]) -> BTreeSet<(RootPath, char)> {
    let answer = disk.apk(&[&["audit"], options].concat());
    let lines = answer.stdout.split(|&b| b == b'\n').filter(|line| line.len() > 2);
    let found = lines.map(|line| (RootPath::parse(&line[2..]).unwrap(), char::from(line[0])));
    // What is added, or a directory of nobody.
    found.filter(|(_, letter)| !['A', 'D', 'd'].contains(letter)).collect()
}

/// The same, from our reading of the records and of the tree.
fn differences(disk: &Disk, of: impl Fn(&FileRecord) -> bool) -> BTreeSet<(RootPath, char)> {
    let (tree, apk) = (disk.tree(), disk.load());
    apk.owned_paths()
        .filter(|brought| of(brought.file))
        .filter_map(|brought| {
            let letter = match tree.entry(brought.path).unwrap() {
                None => Some('X'),
                Some(entry) => compared(&tree, &entry, brought.file),
            };
            Some((brought.path.clone(), letter?))
        })
        .collect()
}

fn compared(tree: &Rootfs, entry: &Entry, file: &FileRecord) -> Option<char> {
    let head = |bytes: &[u8]| {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        Some(Digest::Sha256Head(digest[..20].try_into().unwrap()))
    };
    let now = match (&file.kind, &entry.kind) {
        (RecordedKind::FileOrSymlink { .. }, Kind::Symlink { target }) => head(target),
        (RecordedKind::File { .. } | RecordedKind::FileOrSymlink { .. }, Kind::File { .. }) => {
            head(&read_file(tree, &entry.path, u64::MAX).unwrap().unwrap())
        }
        (RecordedKind::Dir, Kind::Dir) => None,
        (recorded, now) => panic!("{}: {recorded:?} is {now:?}", entry.path),
    };
    let meta = &entry.meta;
    let same = file.mode == Some(meta.mode)
        && file.user == Some(meta.uid.to_string())
        && file.group == Some(meta.gid.to_string());
    match (&file.kind, now == file.kind.digest(), same) {
        (_, false, _) => Some('U'),
        (_, true, true) => None,
        (RecordedKind::Dir, true, false) => Some('m'),
        (_, true, false) => Some('M'),
    }
}

#[test]
fn versions_compare_as_apk_compares_them() {
    const PARTS: [&str; 24] = [
        "0",
        "1",
        "2",
        "10",
        "007",
        "999999999",
        ".0",
        ".1",
        ".01",
        ".10",
        "a",
        "b",
        "_alpha",
        "_beta2",
        "_rc",
        "_rc1",
        "_p",
        "_p2",
        "_git20200101",
        "~abc1",
        "~0",
        "-r0",
        "-r12",
        "-x",
    ];
    if !has_apk() {
        return;
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut orders, mut compared) = ([0; 3], 0);
    while compared < 1500 {
        let mut parts: Vec<usize> = (0..random(4)).map(|_| random(PARTS.len())).collect();
        let wild = random(8) == 0;
        // Mostly in the order of the grammar.
        let text = |parts: &mut Vec<usize>| {
            if !wild {
                parts.sort_unstable();
            }
            format!("1{}", parts.iter().map(|at| PARTS[*at]).collect::<String>())
        };
        let a = text(&mut parts);
        // The other one differs in one part, has one more, or is written differently.
        match parts.len() {
            0 => parts.push(random(PARTS.len())),
            parted => parts[random(parted)] = random(PARTS.len()),
        }
        let b = if compared % 20 == 0 { a.replacen("-r", "-r0", 1) } else { text(&mut parts) };
        let answer = Command::new("apk").args(["version", "-t", &a, &b]).output().unwrap();
        // It does not compare what breaks the rules.
        if answer.stdout.is_empty() {
            continue;
        }
        compared += 1;
        let (sign, index) = match version::compare(&a, &b) {
            Ordering::Less => ("<", 0),
            Ordering::Equal => ("=", 1),
            Ordering::Greater => (">", 2),
        };
        assert_eq!(sign, String::from_utf8(answer.stdout).unwrap().trim(), "{a} {b}");
        orders[index] += 1;
    }
    assert!(orders.iter().all(|&count| count > 20), "{orders:?}");
}

/// A root as apk 2 leaves it, with its record: SHA-1 of `hello` and a newline, and of `busybox`.
/// No apk is needed for it.
fn recorded_root() -> tempfile::TempDir {
    const HELLO: &str = "Q19XLTlvrpIGYocU+yzgD3LpTyJY8=";
    const BUSYBOX: &str = "Q1LxBvJ/ofKKik4CrrENc7ePnJsko=";
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: &str| format!("R:{name}\na:0:0:{mode}\nZ:{HELLO}\n");
    let record = [
        "C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:app\nV:1-r0\nA:x86_64\nF:etc\n".to_owned(),
        file("app.conf", "640"),
        "F:usr\nF:usr/bin\n".to_owned(),
        file("app", "4755"),
        format!("R:sh\na:0:0:777\nZ:{BUSYBOX}\n"),
        "F:usr/share\nF:usr/share/app\nM:0:0:750\n".to_owned(),
        ["gone", "kept", "opened", "same-size", "touched"].map(|name| file(name, "644")).concat(),
        "\n".to_owned(),
    ];
    write(dir.path(), "lib/apk/db/installed", &record.concat(), 0o644);
    write(dir.path(), "etc/apk/world", "app\n", 0o644);
    write(dir.path(), "etc/app.conf", "hello\n", 0o640);
    write(dir.path(), "usr/bin/app", "hello\n", 0o4755);
    symlink("busybox", dir.path().join("usr/bin/sh")).unwrap();
    for name in ["gone", "kept", "opened", "same-size", "touched"] {
        write(dir.path(), format!("usr/share/app/{name}"), "hello\n", 0o644);
    }
    fs::set_permissions(dir.path().join("usr/share/app"), fs::Permissions::from_mode(0o750))
        .unwrap();
    dir
}

/// What is kept of a root, each path with the reason.
fn kept(root: &Path) -> BTreeSet<(String, String)> {
    let spec = SourceSpec::Rootfs(root.to_owned());
    let source = Source::open(&spec, &OpenOptions::default(), root, &Silent).unwrap();
    let layout = LayoutDb::open(&[]).unwrap();
    let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
    assert_eq!(examined.survey.manager, "apk");
    let mutable = examined.entries.iter().filter(|j| j.class == Class::Mutable);
    mutable.map(|j| (j.entry.path.to_string(), j.reason.to_string())).collect()
}

#[test]
fn in_a_root_of_apk_what_was_changed_is_kept_and_nothing_else_is() {
    if !rustix::process::geteuid().is_root() {
        println!("not compared: the record names root, and this is somebody else");
        return;
    }
    let dir = recorded_root();
    let root = dir.path();
    let fresh = kept(root);
    let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    let at = |path: &str| fs::File::options().append(true).open(root.join(path)).unwrap();
    fs::write(root.join("etc/app.conf"), "edited").unwrap();
    fs::write(root.join("usr/share/app/same-size"), "hallo\n").unwrap();
    fs::set_permissions(root.join("usr/share/app/opened"), fs::Permissions::from_mode(0o666))
        .unwrap();
    chown(root.join("usr/share/app"), Some(7), None).unwrap();
    fs::remove_file(root.join("usr/share/app/gone")).unwrap();
    fs::remove_file(root.join("usr/bin/sh")).unwrap();
    symlink("/bin/bash", root.join("usr/bin/sh")).unwrap();
    write(root, "srv/data", "mine", 0o600);
    for path in ["usr/share/app/same-size", "usr/share/app/touched", "srv/data"] {
        at(path).set_times(times).unwrap();
    }
    let found = kept(root);
    let new: Vec<_> =
        found.difference(&fresh).map(|(path, why)| (path.as_str(), why.as_str())).collect();
    assert_eq!(
        new,
        [
            ("/etc/app.conf", "configuration of package app, edited"),
            ("/srv", "nothing explains it"),
            ("/srv/data", "nothing explains it"),
            ("/usr/bin/sh", "differs from package app"),
            ("/usr/share/app", "owner, mode or attributes differ from package app"),
            ("/usr/share/app/gone", "removed by hand"),
            ("/usr/share/app/opened", "owner, mode or attributes differ from package app"),
            ("/usr/share/app/same-size", "differs from package app"),
        ]
    );
    assert!(fresh.is_subset(&found));
    // No package brings the directories of the record.
    assert!(fresh.iter().all(|(path, _)| root.join(&path[1..]).is_dir()), "{fresh:?}");
}
