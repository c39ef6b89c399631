//! The reading of dpkg's database against dpkg itself, for every package and path of a real
//! system: this machine's, or the unpacked root that `REGROW_ORACLE_ROOT` names. Where there is
//! no dpkg there is nothing to compare, and the tests say so.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's help is a test")]

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use md5::{Digest, Md5 as Hasher};
use regrow::internals::packages::dpkg::{AlternativeStatus, Dpkg};
use regrow::internals::packages::{Md5, Status, Why, version};
use regrow::internals::tree::{Rootfs, read_file, resolve, resolve_parent};
use regrow::tree::{Kind, RootPath, Tree};

/// The root to compare on, and what we read of it.
struct Disk {
    path: PathBuf,
    tree: Rootfs,
    dpkg: Dpkg,
}

static DISK: LazyLock<Disk> = LazyLock::new(|| {
    let path: PathBuf = std::env::var_os("REGROW_ORACLE_ROOT").unwrap_or_else(|| "/".into()).into();
    let tree = Rootfs::open(&path).unwrap();
    let dpkg = Dpkg::load(&tree).unwrap().expect("dpkg's tools are here, but no database");
    assert_eq!(dpkg.problems, []);
    Disk { path, tree, dpkg }
});

/// What `program` says about the root, and what we read; `None` where the tool is missing.
fn both(program: &str, args: &[&str]) -> Option<(String, &'static Disk)> {
    let path = std::env::var_os("REGROW_ORACLE_ROOT").unwrap_or_else(|| "/".into());
    let answer = ask(Path::new(&path), program, args)?;
    Some((text(&answer), &DISK))
}

/// Where what is recorded as `path` really lies, asked of the tree itself.
fn placed(disk: &Disk, path: &[u8]) -> RootPath {
    let path = RootPath::parse(path).unwrap();
    resolve_parent(&disk.tree, &path).unwrap().unwrap_or(path)
}

/// The output of a tool about `root`; `None` where the tool is missing.
fn ask(root: &Path, program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C");
    let admin = root.join("var/lib/dpkg");
    match program {
        "dpkg-query" | "dpkg-statoverride" => command.arg("--admindir").arg(&admin),
        "dpkg" => command.arg("--root").arg(root),
        "update-alternatives" => command
            .arg("--admindir")
            .arg(admin.join("alternatives"))
            .arg("--altdir")
            .arg(root.join("etc/alternatives")),
        // apt takes a root of `/` for a file name and would write its caches there.
        "apt-mark" if root != Path::new("/") => command
            .arg(format!("-oDir={}", root.display()))
            .arg(format!("-oDir::State::status={}", admin.join("status").display()))
            .args(["-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="]),
        _ => &mut command,
    };
    match command.args(args).output() {
        Ok(output) => Some(output.stdout),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            println!("not compared: this machine has no `{program}`");
            None
        }
        Err(e) => panic!("{program}: {e}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(bytes: &[u8]) -> RootPath {
    RootPath::parse(bytes).unwrap()
}

#[test]
fn packages_are_what_dpkg_query_says() {
    let format = "${Package} ${Architecture} ${Version} ${source:Package} ${source:Version} \
                  ${Essential} ${Priority} ${db:Status-Status} ${db:Status-Want}\n";
    let Some((answer, disk)) = both("dpkg-query", &["-W", "-f", format]) else { return };
    let ours: BTreeSet<String> = disk.dpkg.packages.iter().map(described).collect();
    let theirs: BTreeSet<String> = answer
        .lines()
        .filter(|line| !line.contains(" not-installed "))
        .map(|line| {
            let mut words: Vec<&str> = line.split(' ').collect();
            if !["installed", "config-files"].contains(&words[7]) {
                words[7] = "broken";
            }
            if words[8] != "hold" {
                words[8] = "-";
            }
            words.join(" ")
        })
        .collect();
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs);
}

fn described(package: &regrow::internals::packages::Package) -> String {
    let own = (package.name.clone(), package.version.clone());
    let (source, source_version) = package.source.as_ref().unwrap_or(&own);
    let essential = if package.essential { "yes" } else { "no" };
    let status = match package.status {
        Status::Installed => "installed",
        Status::ConfigFiles => "config-files",
        Status::Broken(_) => "broken",
    };
    let want = if package.hold { "hold" } else { "-" };
    let (name, arch, version) = (&package.name, &package.arch, &package.version);
    let priority = &package.priority;
    format!(
        "{name} {arch} {version} {source} {source_version} {essential} {priority} {status} {want}"
    )
}

/// What dpkg's own lists and diversions say.
struct Listed {
    /// Every path of every package, where it really lies, with the packages.
    paths: HashMap<RootPath, BTreeSet<String>>,
    /// A package that has the directory `/lib` has the directory that the link `/lib` leads to:
    /// those directories.
    through_links: HashSet<RootPath>,
}

fn listed(disk: &Disk) -> Option<Listed> {
    let packages = disk.dpkg.packages.iter().filter(|package| package.has_files());
    let names: Vec<_> = packages.map(|p| format!("{}:{}", p.name, p.arch)).collect();
    let args: Vec<&str> = std::iter::once("-L").chain(names.iter().map(String::as_str)).collect();
    let answer = ask(&disk.path, "dpkg-query", &args)?;
    let lines: Vec<&[u8]> = answer.split(|&b| b == b'\n').collect();
    let mut all: HashMap<RootPath, BTreeSet<String>> = HashMap::new();
    let mut real: HashMap<RootPath, Option<RootPath>> = HashMap::new();
    let mut names = names.into_iter();
    let mut name = names.next()?;
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| at + 1 < lines.len()) {
        if line.is_empty() {
            name = names.next()?;
        } else if line.starts_with(b"/") {
            let next = text(lines[at + 1]);
            let diverted = next.starts_with("diverted by") || next.starts_with("locally diverted");
            let place = match next.split_once(" to: ") {
                Some((_, to)) if diverted => path(to.as_bytes()),
                _ => path(line),
            };
            let parent = place.parent().unwrap_or_else(RootPath::root);
            let real =
                real.entry(parent).or_insert_with_key(|dir| resolve(&disk.tree, dir).unwrap());
            let place = match real {
                Some(parent) if !place.is_root() => parent.child(place.name()),
                _ => place,
            };
            all.entry(place).or_default().insert(name.clone());
        }
    }
    assert_eq!(names.next(), None, "dpkg listed fewer packages than were asked for");
    let moved = real.into_iter().filter(|(dir, real)| real.as_ref().is_some_and(|r| r != dir));
    let through_links = moved.filter_map(|(_, real)| real).collect();
    Some(Listed { paths: all, through_links })
}

#[test]
fn every_path_is_owned_by_the_packages_that_list_it() {
    let Some((_, disk)) = both("dpkg-query", &["--version"]) else { return };
    let dpkg = &disk.dpkg;
    let Some(Listed { paths: listed, through_links }) = listed(disk) else { return };
    for (path, packages) in &listed {
        let ours: BTreeSet<String> = dpkg
            .owners(path)
            .map(|owned| format!("{}:{}", owned.package.name, owned.package.arch))
            .collect();
        if through_links.contains(path) {
            assert!(ours.is_superset(packages), "{path}: {ours:?}, not {packages:?}");
        } else {
            assert_eq!(&ours, packages, "{path}");
        }
    }
    let mut before = None;
    for owned in dpkg.owned_paths() {
        assert!(before < Some(owned.path.clone()), "{} is out of order", owned.path);
        let known = listed.contains_key(&owned.path) || through_links.contains(&owned.path);
        assert!(known, "{} is nobody's", owned.path);
        before = Some(owned.path);
    }
    println!("{} paths of {} packages are the same", listed.len(), dpkg.packages.len());
}

/// The packages to verify by content: every one of an unpacked root, the essential ones here.
fn to_verify(dpkg: &Dpkg) -> Vec<String> {
    let all = std::env::var_os("REGROW_ORACLE_ROOT").is_some();
    let some = dpkg.packages.iter().filter(|package| package.has_files());
    some.filter(|package| all || package.essential).map(|package| package.name.clone()).collect()
}

#[test]
fn what_differs_from_its_digest_is_what_dpkg_verify_says() {
    let Some((_, disk)) = both("dpkg", &["--version"]) else { return };
    let dpkg = &disk.dpkg;
    let packages = to_verify(dpkg);
    let args: Vec<&str> =
        std::iter::once("--verify").chain(packages.iter().map(String::as_str)).collect();
    let Some(answer) = ask(&disk.path, "dpkg", &args) else { return };
    let mut theirs = BTreeMap::new();
    for line in answer.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let at = line.iter().position(|&b| b == b'/').unwrap();
        let place = placed(disk, &line[at..]);
        let what = if line.starts_with(b"missing") { "missing" } else { "differs" };
        theirs.insert(place, what);
    }
    let mut ours = BTreeMap::new();
    let mut compared = 0;
    for owned in dpkg.owned_paths() {
        let Some(digest) = owned.owned.digest else { continue };
        if packages.binary_search(&owned.owned.package.name).is_err() {
            continue;
        }
        compared += 1;
        match read_file(&disk.tree, &owned.path, u64::MAX).unwrap() {
            None => drop(ours.insert(owned.path, "missing")),
            Some(content) if Md5(Hasher::digest(&content).into()) == digest => {}
            Some(_) => drop(ours.insert(owned.path, "differs")),
        }
    }
    assert!(compared > 0);
    assert_eq!(ours, theirs);
    println!("{compared} digests compared, {} differ", ours.len());
}

#[test]
fn manual_packages_are_what_apt_mark_says() {
    let Some((answer, disk)) = both("apt-mark", &["showmanual"]) else { return };
    let intents = disk.dpkg.intents(|_| false);
    let manual = intents.iter().filter(|intent| intent.why == Why::Manual);
    let ours: BTreeSet<&str> = manual.map(|intent| intent.package.name.as_str()).collect();
    assert_eq!(ours, answer.lines().collect::<BTreeSet<_>>());
}

#[test]
fn alternatives_are_what_update_alternatives_says() {
    let Some((_, disk)) = both("update-alternatives", &["--version"]) else { return };
    for ours in disk.dpkg.alternatives() {
        let Some((answer, _)) = both("update-alternatives", &["--query", &ours.name]) else {
            return;
        };
        let field = |name: &str| {
            let mut lines = answer.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().unwrap_or_default().to_owned()
        };
        let status = match ours.status {
            AlternativeStatus::Auto => "auto",
            AlternativeStatus::Manual => "manual",
        };
        assert_eq!(field("Name: "), ours.name);
        assert_eq!(field("Status: "), status, "{}", ours.name);
        assert_eq!(field("Value: "), ours.path.as_ref().unwrap().to_string());
        assert_eq!(placed(disk, field("Link: ").as_bytes()), ours.link);
        let count = answer.lines().filter(|line| line.starts_with("Alternative: ")).count();
        assert_eq!(count, ours.choices.len(), "{}", ours.name);
        let expected = ours.target(&ours.link).unwrap();
        assert_eq!(
            disk.tree.entry(&ours.link).unwrap().unwrap().kind,
            Kind::Symlink { target: expected.as_bytes().to_vec() }
        );
    }
    println!("{} alternatives are the same", disk.dpkg.alternatives().len());
}

#[test]
fn stat_overrides_are_what_dpkg_statoverride_says() {
    let Some((answer, disk)) = both("dpkg-statoverride", &["--list"]) else { return };
    for line in answer.lines() {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        let place = placed(disk, parts[3].as_bytes());
        let ours = disk.dpkg.stat_override(&place).unwrap();
        let ours = [ours.user.clone(), ours.group.clone(), format!("{:o}", ours.mode)];
        assert_eq!(ours, parts[..3], "{line}");
    }
}

/// Versions with all that makes them hard: epochs, tildes, leading zeros, revisions.
fn some_version(random: &mut impl FnMut(usize) -> usize) -> String {
    const PARTS: [&str; 20] = [
        "0",
        "1",
        "2",
        "10",
        "007",
        "99999999999",
        ".",
        "~",
        "+",
        "-",
        "a",
        "B",
        "rc1",
        "~~",
        "~rc",
        "+deb11u1",
        "-0",
        ".0",
        "dfsg",
        "1.2",
    ];
    let epoch = ["", "", "", "0:", "1:", "2:"][random(6)];
    let mut version = format!("{epoch}{}", random(3));
    for _ in 0..random(5) {
        version.push_str(PARTS[random(PARTS.len())]);
    }
    // What ends in a dash has an empty revision, which dpkg refuses.
    version.trim_end_matches('-').to_owned()
}

#[test]
fn versions_compare_as_dpkg_compares_them() {
    if ask(Path::new("/"), "dpkg", &["--version"]).is_none() {
        return;
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut orders, mut compared) = ([0; 3], 0);
    while compared < 1500 {
        let a = some_version(&mut random);
        let b = match random(4) {
            0 => format!("0:{}-0", a.trim_start_matches("0:")),
            1 => a.replacen('0', "00", 1),
            _ => some_version(&mut random),
        };
        let (operator, index) = match version::compare(&a, &b) {
            Ordering::Less => ("lt", 0),
            Ordering::Equal => ("eq", 1),
            Ordering::Greater => ("gt", 2),
        };
        // Two epochs are no version.
        if a.matches(':').count() > 1 || b.matches(':').count() > 1 {
            continue;
        }
        compared += 1;
        let agrees = Command::new("dpkg").args(["--compare-versions", &a, operator, &b]).output();
        assert!(agrees.unwrap().status.success(), "not {a} {operator} {b}");
        orders[index] += 1;
    }
    assert!(orders.iter().all(|&count| count > 20), "{orders:?}");
}
