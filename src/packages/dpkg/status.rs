//! The packages themselves: `status` and its older copies, the journal, distroless' `status.d`.
//!
//! dpkg replaces `status` by renaming and keeps the one before, so after a crash the older copy
//! lacks one operation at most: it is the better source than a file that was cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;

use super::super::control::{self, BadStanza, Fault, Stanza};
use super::super::md5::Md5;
use super::super::package::{Broken, Conffile, Package, Status};
use super::super::problem::{BadLines, Damage, LineFault, Problem};
use super::super::records::{Records, lines, recorded_path};
use super::admin::admin;
use crate::tree::{self, RootPath, TreeError};

/// A thousand packages are a megabyte; this is the whole of Debian several times over.
const MAX_STATUS: u64 = 256 << 20;
const MAX_STANZA_FILE: u64 = 1 << 20;
const MAX_PACKAGES: usize = 200_000;

/// A package and where its list of files is.
#[derive(Debug)]
pub(super) struct Found {
    /// The package, its conffiles' paths as recorded.
    pub(super) package: Package,
    /// Distroless: the digests that are its only list of files.
    pub(super) sums: Option<RootPath>,
}

/// All records by name and architecture.
pub(super) type Packages = BTreeMap<(String, String), Found>;

/// What became of the file `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusFile {
    /// It, or a copy of it, was read.
    Read,
    /// Neither it nor a copy holds a record.
    Lost(Damage),
}

/// Reads every record of a package.
///
/// # Errors
/// The system's, on the file `status` or a copy of it. Everything else is a problem.
pub(super) fn load(records: &mut Records<'_>) -> Result<(Packages, StatusFile), TreeError> {
    let mut packages = Packages::new();
    let file = match choose(records)? {
        Ok((file, bytes)) => {
            take_all(records, &mut packages, &file, &bytes);
            StatusFile::Read
        }
        Err(damage) => StatusFile::Lost(damage),
    };
    journal(records, &mut packages);
    distroless(records, &mut packages);
    Ok((packages, file))
}

/// The copies of `status`, the newest first: dpkg's own, then those that a daily job of Debian
/// keeps.
fn copies() -> impl Iterator<Item = RootPath> {
    let backup = |name: String| const { RootPath::literal("/var/backups") }.child(name.as_bytes());
    let packed = (1..=6).map(move |n| backup(format!("dpkg.status.{n}.gz")));
    [admin(b"status-old"), backup("dpkg.status.0".to_owned())].into_iter().chain(packed)
}

/// The first whole one of `status` and its copies, else the first that holds anything.
fn choose(records: &mut Records<'_>) -> Result<Result<(RootPath, Vec<u8>), Damage>, TreeError> {
    let current = admin(b"status");
    let mut first_damage = None;
    let mut usable = None;
    for file in std::iter::once(current.clone()).chain(copies()) {
        let (bytes, damage) = read_status(records, &file)?;
        // dpkg ends every record with an empty line; somebody who wrote one by hand need not.
        let open = damage.is_none() && !bytes.ends_with(b"\n\n");
        if damage.is_none() && !open {
            if let Some(damage) = first_damage {
                let used = file.clone();
                records.problems.note(Problem::OlderCopy { file: current, damage, used });
            }
            return Ok(Ok((file, bytes)));
        }
        let damage = damage.unwrap_or(Damage::Truncated);
        first_damage.get_or_insert(damage);
        if usable.is_none() && control::stanzas(&bytes).any(|stanza| stanza.is_ok()) {
            usable = Some((file, bytes, (!open).then_some(damage)));
        }
    }
    let Some((file, bytes, damage)) = usable else {
        return Ok(Err(first_damage.unwrap_or(Damage::Missing)));
    };
    if let (Some(first), true) = (first_damage, file != current) {
        let used = file.clone();
        records.problems.note(Problem::OlderCopy { file: current, damage: first, used });
    }
    if let Some(damage) = damage {
        records.problems.note(Problem::Damaged { file: file.clone(), damage });
    }
    Ok(Ok((file, bytes)))
}

fn read_status(
    records: &mut Records<'_>,
    file: &RootPath,
) -> Result<(Vec<u8>, Option<Damage>), TreeError> {
    let bytes = match tree::read_file(records.tree, file, MAX_STATUS) {
        Ok(None) => return Ok((vec![], Some(Damage::Missing))),
        Ok(Some(bytes)) => bytes,
        Err(error @ TreeError::Io { .. }) => return Err(error),
        Err(error) => {
            records.or_problem::<()>(file, Err(error));
            return Ok((vec![], Some(Damage::Unreadable)));
        }
    };
    let Some(bytes) = unpacked(file, bytes) else {
        return Ok((vec![], Some(Damage::Unreadable)));
    };
    let damage = if bytes.trim_ascii().is_empty() {
        Some(Damage::Empty)
    } else if bytes.contains(&0) {
        Some(Damage::Zeroed)
    } else if !bytes.ends_with(b"\n") {
        Some(Damage::Truncated)
    } else {
        None
    };
    Ok((bytes, damage))
}

/// The text of a copy, which may be packed; `None` where it is no gzip, or far too much.
fn unpacked(file: &RootPath, bytes: Vec<u8>) -> Option<Vec<u8>> {
    if !file.name().ends_with(b".gz") {
        return Some(bytes);
    }
    let mut text = vec![];
    let mut packed = GzDecoder::new(bytes.as_slice()).take(MAX_STATUS + 1);
    packed.read_to_end(&mut text).ok()?;
    (text.len() as u64 <= MAX_STATUS).then_some(text)
}

fn take_all(records: &mut Records<'_>, packages: &mut Packages, file: &RootPath, bytes: &[u8]) {
    for stanza in control::stanzas(bytes) {
        if packages.len() >= MAX_PACKAGES {
            let limit = MAX_PACKAGES;
            records.problems.note(Problem::TooMany { file: file.clone(), limit });
            return;
        }
        match read(records, file, stanza, None) {
            Ok(Record::Package(package)) => {
                let key = (package.name.clone(), package.arch.clone());
                let name = format!("{}:{}", key.0, key.1);
                if packages.insert(key, Found { package: *package, sums: None }).is_some() {
                    records.problems.note(Problem::Twice { file: file.clone(), package: name });
                }
            }
            Ok(Record::Absent { .. }) => {}
            Err(bad) => skipped(records, file, bad),
        }
    }
}

/// Operations that dpkg wrote down and had not merged into `status` when it was stopped.
fn journal(records: &mut Records<'_>, packages: &mut Packages) {
    let dir = admin(b"updates");
    let mut names: Vec<Vec<u8>> = records
        .list(&dir)
        .iter()
        .map(|entry| entry.path.name().to_vec())
        .filter(|name| name.iter().all(u8::is_ascii_digit))
        .collect();
    names.sort();
    for file in names.iter().map(|name| dir.child(name)) {
        let Some(bytes) = records.read(&file, MAX_STANZA_FILE) else { continue };
        for stanza in control::stanzas(&bytes) {
            match read(records, &file, stanza, None) {
                Ok(Record::Package(package)) => {
                    let key = (package.name.clone(), package.arch.clone());
                    packages.insert(key, Found { package: *package, sums: None });
                }
                Ok(Record::Absent { name, arch }) => {
                    packages.remove(&(name, arch));
                }
                Err(bad) => skipped(records, &file, bad),
            }
        }
    }
}

/// Distroless images have one control file per package, and its digests beside it.
fn distroless(records: &mut Records<'_>, packages: &mut Packages) {
    let dir = admin(b"status.d");
    for entry in records.list(&dir) {
        let name = entry.path.name();
        if name.ends_with(b".md5sums") {
            continue;
        }
        let file = dir.child(name);
        let sums = dir.child(&[name, b".md5sums"].concat());
        let Some(mut bytes) = records.read(&file, MAX_STANZA_FILE) else { continue };
        // A control file as it lies in a package need not end in a line break.
        bytes.push(b'\n');
        if packages.len() >= MAX_PACKAGES {
            records.problems.note(Problem::TooMany { file: dir, limit: MAX_PACKAGES });
            return;
        }
        for stanza in control::stanzas(&bytes) {
            match read(records, &file, stanza, Some(Status::Installed)) {
                Ok(Record::Package(package)) => {
                    let key = (package.name.clone(), package.arch.clone());
                    packages.insert(key, Found { package: *package, sums: Some(sums.clone()) });
                }
                Ok(Record::Absent { .. }) => {}
                Err(bad) => skipped(records, &file, bad),
            }
        }
    }
}

fn skipped(records: &mut Records<'_>, file: &RootPath, bad: BadStanza) {
    let BadStanza { line, package, fault } = bad;
    records.problems.note(Problem::Skipped { file: file.clone(), line, package, fault });
}

/// What a stanza says.
enum Record {
    Package(Box<Package>),
    /// Not installed: known, and gone without a trace.
    Absent {
        name: String,
        arch: String,
    },
}

fn read(
    records: &mut Records<'_>,
    file: &RootPath,
    stanza: Result<Stanza<'_>, BadStanza>,
    unsaid: Option<Status>,
) -> Result<Record, BadStanza> {
    let stanza = stanza?;
    let record = package(&stanza, unsaid).map_err(|fault| stanza.bad(fault))?;
    let Record::Package(mut package) = record else { return Ok(record) };
    let mut bad = BadLines::default();
    package.conffiles = conffiles(&stanza, &mut bad);
    bad.finish(file, &mut records.problems);
    Ok(Record::Package(package))
}

/// Reads a package from its stanza; `unsaid` is its status where the stanza has none.
fn package(stanza: &Stanza<'_>, unsaid: Option<Status>) -> Result<Record, Fault> {
    let name = stanza.text("Package")?;
    if name.is_empty() {
        return Err(Fault::Missing("Package"));
    }
    if !is_name(name) {
        return Err(Fault::value("Package", name.as_bytes()));
    }
    let (name, arch) = (name.to_owned(), stanza.text("Architecture")?.to_owned());
    let (status, hold) = match (stanza.text("Status")?, unsaid) {
        ("", Some(status)) => (Some(status), false),
        ("", None) => return Err(Fault::Missing("Status")),
        (words, _) => status(words).ok_or_else(|| Fault::value("Status", words.as_bytes()))?,
    };
    let Some(status) = status else { return Ok(Record::Absent { name, arch }) };
    let version = stanza.text("Version")?.to_owned();
    if version.is_empty() && status == Status::Installed {
        return Err(Fault::Missing("Version"));
    }
    let mut depends = control::relations(stanza.text("Pre-Depends")?);
    depends.extend(control::relations(stanza.text("Depends")?));
    Ok(Record::Package(Box::new(Package {
        source: source(stanza.text("Source")?, &version),
        status,
        essential: stanza.text("Essential")? == "yes",
        priority: stanza.text("Priority")?.to_owned(),
        auto: false,
        hold,
        depends,
        recommends: control::relations(stanza.text("Recommends")?),
        provides: control::relations(stanza.text("Provides")?).into_iter().flatten().collect(),
        takes_over: takes_over(stanza)?,
        conffiles: vec![],
        name,
        arch,
        version,
    })))
}

/// The packages that one replaces and cannot stand beside, or answers for.
fn takes_over(stanza: &Stanza<'_>) -> Result<Vec<String>, Fault> {
    let names = |field| Ok(control::relations(stanza.text(field)?).into_iter().flatten());
    let mut others = names("Breaks")?.chain(names("Conflicts")?).chain(names("Provides")?);
    let others: BTreeSet<String> = others.by_ref().collect();
    Ok(names("Replaces")?.filter(|name| others.contains(name)).collect())
}

/// A name goes into file names: nothing but what dpkg accepts.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
}

/// `want flag state`: the state (none when not installed), and whether it is held.
fn status(words: &str) -> Option<(Option<Status>, bool)> {
    let words: Vec<&str> = words.split_ascii_whitespace().collect();
    let &[want, flag, state] = words.as_slice() else { return None };
    let hold = match want {
        "hold" => true,
        "unknown" | "install" | "deinstall" | "purge" => false,
        _ => return None,
    };
    let status = match state {
        "not-installed" => return Some((None, hold)),
        "config-files" => Status::ConfigFiles,
        "half-installed" => Status::Broken(Broken::HalfInstalled),
        "unpacked" => Status::Broken(Broken::Unpacked),
        "half-configured" => Status::Broken(Broken::HalfConfigured),
        "triggers-awaited" => Status::Broken(Broken::TriggersAwaited),
        "triggers-pending" => Status::Broken(Broken::TriggersPending),
        "installed" => Status::Installed,
        _ => return None,
    };
    match (flag, status) {
        ("ok", _) => Some((Some(status), hold)),
        ("reinstreq", Status::Installed) => {
            Some((Some(Status::Broken(Broken::ReinstallRequired)), hold))
        }
        ("reinstreq", _) => Some((Some(status), hold)),
        _ => None,
    }
}

/// `name` or `name (version)`.
fn source(value: &str, version: &str) -> Option<(String, String)> {
    let (name, own) = match value.split_once('(') {
        Some((name, own)) => (name.trim(), own.trim().trim_end_matches(')')),
        None => (value.trim(), version),
    };
    (!name.is_empty()).then(|| (name.to_owned(), own.to_owned()))
}

/// Lines of `path digest`, and the words `obsolete` and `remove-on-upgrade` after it. The path
/// may hold spaces, so a line is read from its end.
fn conffiles(stanza: &Stanza<'_>, bad: &mut BadLines) -> Vec<Conffile> {
    let mut all = vec![];
    for (index, line) in lines(stanza.get("Conffiles").unwrap_or_default()).enumerate() {
        let mut line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let (mut obsolete, mut remove_on_upgrade) = (false, false);
        loop {
            if let Some(rest) = line.strip_suffix(b" obsolete") {
                (line, obsolete) = (rest, true);
            } else if let Some(rest) = line.strip_suffix(b" remove-on-upgrade") {
                (line, remove_on_upgrade) = (rest, true);
            } else {
                break;
            }
        }
        match conffile(line) {
            Ok((path, md5)) => all.push(Conffile { path, md5, obsolete, remove_on_upgrade }),
            Err(fault) => bad.note(stanza.line + index, fault),
        }
    }
    all
}

fn conffile(line: &[u8]) -> Result<(RootPath, Option<Md5>), LineFault> {
    let space = line.iter().rposition(|&b| b == b' ').ok_or(LineFault::Incomplete)?;
    let md5 = match &line[space + 1..] {
        // While a package is being unpacked dpkg knows no digest yet.
        b"newconffile" | b"nonexistent" | b"-" => None,
        digest => Some(Md5::parse(digest).ok_or(LineFault::Digest)?),
    };
    Ok((recorded_path(line[..space].trim_ascii())?, md5))
}
