//! The reading of rpm's databases against rpm itself, for everything that is read of every package.
//!
//! `fixtures/rpm` has databases of all three kinds with what the rpm that wrote them said; where
//! this machine has rpm (Debian: `apt-get install rpm`), further ones are made and asked now.
//! Berkeley DB comes from `db5.3-util`. What cannot be compared, the tests say.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's help is a test")]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regrow::archive::{ExamineOptions, LogPolicy, Since, examine};
use regrow::internals::packages::rpm::{Rpm, RpmPackage, evr};
use regrow::internals::packages::{Digest, FileRecord, Presence, RecordedKind, Role};
use regrow::internals::tree::Rootfs;
use regrow::layout::LayoutDb;
use regrow::monitor::Silent;
use regrow::source::{OpenOptions, Source, SourceSpec};
use regrow::tree::RootPath;
use regrow::verdict::Class;
use tempfile::TempDir;

const QUERY: &str = include_str!("../fixtures/rpm/query");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rpm");

/// The standard output of a program that must succeed; `None` where the program is missing.
fn run(program: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            println!("not compared: this machine has no `{program}`");
            return None;
        }
        Err(e) => panic!("{program}: {e}"),
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    Some(output.stdout)
}

/// A root with `bytes` as its database `file`, and what we read of it.
fn load(file: &str, bytes: &[u8]) -> Rpm {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("var/lib/rpm");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(file), bytes).unwrap();
    let rpm = Rpm::load(&Rootfs::open(root.path()).unwrap()).unwrap().unwrap();
    assert_eq!(rpm.problems, []);
    rpm
}

/// What rpm said, as sorted lines that can be compared. Of flags and states only what they mean
/// is left.
fn theirs(answer: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut parts: Vec<&str> = line.split('|').collect();
        if parts[0] == "F" {
            let flags: u32 = parts[11].parse().unwrap();
            parts[11] = if flags & 64 != 0 {
                "ghost"
            } else if flags & 1 != 0 {
                "config"
            } else {
                ""
            };
            parts[12] = if parts[12] == "0" { "unpacked" } else { "left out" };
        }
        // No capabilities are written as no column, or as none in it.
        let parts = parts.into_iter().map(|part| if part == "(none)" { "" } else { part });
        parts.collect::<Vec<_>>().join("|")
    };
    let mut lines: Vec<String> = answer.lines().filter(|l| !l.is_empty()).map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

fn ours(packages: &[RpmPackage]) -> Vec<String> {
    let mut lines = vec![];
    for package in packages {
        let name = &package.name;
        let epoch = package.epoch.map_or(String::new(), |epoch| epoch.to_string());
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (source, vendor) = (text(&package.source), text(&package.vendor));
        let (version, release, arch) = (&package.version, &package.release, &package.arch);
        lines.push(format!("P|{name}|{epoch}|{version}|{release}|{arch}|{source}|{vendor}"));
        let relations =
            [("R", &package.requires), ("C", &package.recommends), ("V", &package.provides)];
        for (letter, names) in relations {
            lines.extend(names.iter().map(|other| format!("{letter}|{name}|{other}")));
        }
        lines.extend(package.files.iter().map(|file| described(name, file)));
    }
    lines.sort();
    lines
}

fn described(package: &str, file: &FileRecord) -> String {
    let path = String::from_utf8_lossy(file.path.as_bytes()).into_owned();
    let mut line = format!("F|{package}|{path}|");
    let mode = file.mode.unwrap();
    let (kind, digest, target) = match &file.kind {
        RecordedKind::File { digest, .. } => ("10", digest.as_ref().map(hex_of), None),
        RecordedKind::Dir => ("4", None, None),
        RecordedKind::Symlink { target } => ("12", None, target.as_deref()),
        RecordedKind::Special => ("1", None, None),
        RecordedKind::FileOrSymlink { .. } | RecordedKind::Unknown => ("", None, None),
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let size = match &file.kind {
        RecordedKind::File { size, .. } => size.unwrap().to_string(),
        _ => "-".to_owned(),
    };
    let target = String::from_utf8_lossy(target.unwrap_or_default()).into_owned();
    let role = match file.role {
        Role::Ordinary => "",
        Role::Config => "config",
        Role::Ghost => "ghost",
    };
    let presence = if file.presence == Presence::Unpacked { "unpacked" } else { "left out" };
    let (user, group, mtime) = (text(&file.user), text(&file.group), file.mtime.unwrap());
    let (digest, capabilities) = (digest.unwrap_or_default(), text(&file.capabilities));
    write!(line, "{kind}{mode:04o}|{user}|{group}|{mtime}|{size}|{digest}|{target}|").unwrap();
    write!(line, "{capabilities}|{role}|{presence}").unwrap();
    line
}

fn hex_of(digest: &Digest) -> String {
    match digest {
        Digest::Md5(digest) => hex::encode(digest.0),
        Digest::Sha1(digest) | Digest::Sha256Head(digest) => hex::encode(digest),
        Digest::Sha256(digest) => hex::encode(digest),
        Digest::Sha512(digest) => hex::encode(digest),
    }
}

/// Compares everything that is read with an answer of rpm.
fn compare(rpm: &Rpm, answer: &str, at_least: usize) {
    // Only a regular file's length means something, and only it is kept.
    let no_size = |line: String| {
        let mut parts: Vec<&str> = line.split('|').collect();
        if parts[0] == "F" && !(parts[3].starts_with("10") && parts[3].len() == 6) {
            parts[7] = "-";
        }
        parts.join("|")
    };
    let theirs: Vec<String> = theirs(answer).into_iter().map(no_size).collect();
    let ours = ours(&rpm.packages);
    let lines = |lines: &[String], others: &[String]| -> Vec<String> {
        lines.iter().filter(|line| !others.contains(line)).take(10).cloned().collect()
    };
    assert_eq!(lines(&ours, &theirs), lines(&theirs, &ours));
    assert_eq!(ours.len(), theirs.len());
    assert!(rpm.packages.len() >= at_least, "{} packages", rpm.packages.len());
    let owned = rpm.owned_paths().count();
    assert!(owned > 0 && owned <= theirs.iter().filter(|line| line.starts_with("F|")).count());
    for file in rpm.packages.iter().flat_map(|package| &package.files) {
        assert!(rpm.owners(&file.path).any(|owned| owned.file == file), "{:?}", file.path);
    }
}

/// What we read of a database that another release's rpm wrote, after a comparison.
fn fixture(file: &str) -> Rpm {
    let packed = fs::read(Path::new(FIXTURES).join(format!("{file}.zst"))).unwrap();
    let rpm = load(file, &zstd::decode_all(&packed[..]).unwrap());
    compare(&rpm, include_str!("../fixtures/rpm/answer.txt"), 300);
    rpm
}

#[test]
fn berkeley_db_of_debian_11_is_read_as_its_rpm_does() {
    fixture("Packages");
}

#[test]
fn ndb_of_debian_13_is_read_as_its_rpm_does() {
    fixture("Packages.db");
}

#[test]
fn sqlite_of_debian_13_is_read_as_its_rpm_does() {
    let rpm = fixture("rpmdb.sqlite");
    let of = |path: &str| {
        let owned = rpm.owner(&RootPath::parse(path.as_bytes()).unwrap()).unwrap();
        (owned.package.name.clone(), owned.file.presence)
    };
    // Two packages have it; one of them was told that the other one's is there.
    assert_eq!(of("/usr/share/sample/empty"), ("rival".to_owned(), Presence::Unpacked));
    assert_eq!(of("/usr/share/doc/sample/README.md").1, Presence::LeftOut);
}

/// A database of this machine's own rpm.
struct Live {
    root: TempDir,
    backend: &'static str,
}

impl Live {
    /// Installs the packages of `fixtures/rpm` in a new root; `None` where rpm is missing or does
    /// not have this kind of database.
    fn new(backend: &'static str, many: u32) -> Option<Live> {
        let build = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        for spec in ["sample", "rival"] {
            let defines = [
                format!("_topdir {}", build.path().display()),
                "_build_id_links none".to_owned(),
                format!("many {many}"),
            ];
            let spec = format!("{FIXTURES}/{spec}.spec");
            let mut args = vec!["-bb", "--quiet"];
            args.extend(defines.iter().flat_map(|define| ["--define", define]));
            args.push(&spec);
            run("rpmbuild", &args, b"")?;
        }
        let live = Live { root, backend };
        let path = live.root.path().to_owned();
        let known = Command::new("rpm")
            .args(["--root", path.to_str().unwrap(), "--dbpath", "/var/lib/rpm"])
            .args(["--define", &format!("_db_backend {backend}"), "--initdb"])
            .output()
            .unwrap();
        if String::from_utf8_lossy(&known.stderr).contains("invalid") {
            println!("not compared: this machine's rpm has no {backend}");
            return None;
        }
        let packages = walkdir::WalkDir::new(build.path().join("RPMS"));
        let packages = packages.into_iter().map(|entry| entry.unwrap().into_path());
        let packages: Vec<PathBuf> = packages.filter(|path| path.is_file()).collect();
        assert_eq!(packages.len(), many as usize + 2);
        for package in packages {
            let add = ["-i", "--nodeps", "--ignorearch", "--noscripts", "--nosignature"];
            let more = ["--replacefiles", "--excludedocs", package.to_str().unwrap()];
            live.rpm(&[&add[..], &more].concat())?;
        }
        Some(live)
    }

    fn rpm(&self, args: &[&str]) -> Option<String> {
        let define = format!("_db_backend {}", self.backend);
        let root = self.root.path().to_str().unwrap();
        let at = ["--root", root, "--dbpath", "/var/lib/rpm", "--define", &define];
        let answer = run("rpm", &[&at[..], args].concat(), b"")?;
        Some(String::from_utf8(answer).unwrap())
    }

    fn answer(&self) -> String {
        self.rpm(&["-qa", "--qf", QUERY]).unwrap()
    }

    fn load(&self) -> Rpm {
        let rpm = Rpm::load(&Rootfs::open(self.root.path()).unwrap()).unwrap().unwrap();
        assert_eq!(rpm.problems, []);
        rpm
    }
}

#[test]
fn this_machines_databases_are_read_as_its_rpm_does() {
    for backend in ["sqlite", "ndb"] {
        if let Some(live) = Live::new(backend, 3) {
            compare(&live.load(), &live.answer(), 5);
        }
    }
}

#[test]
fn berkeley_db_of_either_byte_order_and_with_many_buckets_is_read() {
    let Some(live) = Live::new("sqlite", 40) else { return };
    let database = live.root.path().join("var/lib/rpm/rpmdb.sqlite");
    let query = "SELECT hnum, lower(hex(blob)) FROM Packages";
    let Some(rows) = run("sqlite3", &[database.to_str().unwrap(), query], b"") else { return };
    let rows = String::from_utf8(rows).unwrap();
    for (order, page_size) in [(1234, 4096), (4321, 512), (1234, 65536)] {
        // Few keys a bucket make many buckets.
        let mut dump = format!(
            "VERSION=3\nformat=bytevalue\ntype=hash\nh_ffactor=2\ndb_pagesize={page_size}\n\
             db_lorder={order}\nHEADER=END\n"
        );
        let mut record = |number: u32, blob: &str| {
            let key = if order == 4321 { number.to_be_bytes() } else { number.to_le_bytes() };
            writeln!(dump, " {}\n {blob}", hex::encode(key)).unwrap();
        };
        record(0, "2a000000");
        for row in rows.lines() {
            let (number, blob) = row.split_once('|').unwrap();
            record(number.parse().unwrap(), blob);
        }
        dump.push_str("DATA=END\n");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Packages");
        if run("db5.3_load", &[file.to_str().unwrap()], dump.as_bytes()).is_none() {
            return;
        }
        compare(&load("Packages", &fs::read(&file).unwrap()), &live.answer(), 42);
    }
}

#[test]
fn versions_are_in_the_order_that_rpm_says() {
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let parts = ["0", "1", "09", "10", "a", "b", "rc", "A", ".", ".", "~", "^", "_", "+", "é"];
    let mut text = || {
        let mut part =
            || -> String { (0..1 + random(7)).map(|_| parts[random(parts.len())]).collect() };
        let (version, release) = (part(), part());
        match random(4) {
            0 => format!("{}:{version}-{release}", random(3)),
            1 => format!("{version}-{release}"),
            _ => version,
        }
    };
    let pairs: Vec<(String, String)> = (0..4000).map(|_| (text(), text())).collect();
    let mut theirs: Vec<i32> = vec![];
    // An argument has a limit.
    for some in pairs.chunks(500) {
        let mut script = String::from("%{lua:\n");
        for (a, b) in some {
            writeln!(script, "print(rpm.vercmp(\"{a}\", \"{b}\") .. \" \")").unwrap();
        }
        script.push('}');
        let Some(answer) = run("rpm", &["--eval", &script], b"") else { return };
        let answer = String::from_utf8(answer).unwrap();
        theirs.extend(answer.split_whitespace().map(|n| n.parse::<i32>().unwrap()));
    }
    assert_eq!(theirs.len(), pairs.len());
    for ((a, b), theirs) in pairs.iter().zip(theirs) {
        assert_eq!(evr::compare(a, b), theirs.cmp(&0), "{a} {b}");
    }
    assert!(pairs.iter().any(|(a, b)| a != b && evr::compare(a, b) == Ordering::Equal));
}

/// The class and the reason of every path in a root, without a container's or a user's word.
fn verdicts(root: &Path) -> BTreeMap<String, (Class, String)> {
    let spec = SourceSpec::Rootfs(root.to_owned());
    let source = Source::open(&spec, &OpenOptions::default(), root, &Silent).unwrap();
    let layout = LayoutDb::open(&[]).unwrap();
    let options = ExamineOptions { since: Since::Default, globs: vec![], logs: LogPolicy::Keep };
    let examined = examine(&source, &layout, &options, &Silent).unwrap();
    assert_eq!(examined.survey.manager, "rpm");
    let verdict = |j: regrow::archive::Judged| {
        let reason = if j.deleted { "deleted".to_owned() } else { j.reason.to_string() };
        (j.entry.path.to_string(), (j.class, reason))
    };
    examined.entries.iter().map(verdict).collect()
}

#[test]
fn in_a_root_of_rpm_what_was_changed_is_kept_and_nothing_else_is() {
    let Some(live) = Live::new("sqlite", 0) else { return };
    let root = live.root.path();
    let fresh = verdicts(root);
    let own: Vec<&str> = fresh
        .iter()
        .filter(|(path, (class, _))| *class == Class::Mutable && !root.join(&path[1..]).is_dir())
        .map(|(path, _)| path.as_str())
        .collect();
    // One file with two names, of which the record has two modes. No package brings `/usr`.
    assert_eq!(own, ["/usr/bin/hard-sample"]);

    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::write(root.join("etc/sample.conf"), "a=2\n").unwrap();
    fs::write(root.join("usr/bin/ping-sample"), "patched\n").unwrap();
    fs::set_permissions(root.join("usr/bin/sample"), mode(0o700)).unwrap();
    fs::remove_file(root.join("usr/bin/link-sample")).unwrap();
    std::os::unix::fs::symlink("/elsewhere", root.join("usr/bin/link-sample")).unwrap();
    fs::remove_file(root.join("usr/share/sample/empty")).unwrap();
    fs::create_dir_all(root.join("srv/own")).unwrap();
    fs::write(root.join("srv/own/data"), "mine").unwrap();
    let changed = verdicts(root);
    let kept: Vec<_> = changed
        .iter()
        .filter(|(path, verdict)| verdict.0 == Class::Mutable && fresh.get(*path) != Some(verdict))
        .map(|(path, (_, reason))| (path.as_str(), reason.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("/etc/sample.conf", "configuration of package sample, edited"),
            ("/srv/own", "nothing explains it"),
            ("/srv/own/data", "nothing explains it"),
            ("/usr/bin/link-sample", "differs from package sample"),
            ("/usr/bin/ping-sample", "differs from package sample"),
            ("/usr/bin/sample", "owner, mode or attributes differ from package sample"),
            ("/usr/share/sample/empty", "deleted"),
        ]
    );
}
