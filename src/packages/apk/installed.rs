//! `installed`, apk's record of its packages and their files.
//!
//! A line is a letter, a colon and a value; an empty line ends a package. `F` begins a directory,
//! `R` a file in it; `M` and `a` give their owner and mode where those are not the usual ones, `Z`
//! the file's digest. apk 3 writes the same form, with flag `S` where its digests are not SHA-1.

use std::collections::BTreeMap;

use super::super::control::Fault;
use super::super::file_record::{Digest, FileRecord, Presence, RecordedKind, Role};
use super::super::index::MAX_FILES;
use super::super::problem::{BadLines, Damage, LineFault, Problem, Problems, Quota};
use super::super::records::{lines, recorded_path};
use super::digest;
use super::package::ApkPackage;
use super::world::Constraint;
use crate::tree::{RootPath, escaped};

const MAX_PACKAGES: usize = 200_000;
/// Names in all relations of all packages; a large system has some ten thousand.
const MAX_NAMES: usize = 2 << 20;
const MAX_LINE: usize = 1 << 20;

/// Mode of a directory without `M` and of a file without `a`.
const USUAL_DIR: u32 = 0o755;
const USUAL_FILE: u32 = 0o644;
/// A symlink has this mode, and hardly a file.
const SYMLINK: u32 = 0o777;

/// Reads every package, by name; what is wrong goes to `problems` as the fault of `file`.
pub(super) fn parse(file: &RootPath, bytes: &[u8], problems: &mut Problems) -> Vec<ApkPackage> {
    let mut reader = Reader {
        file,
        problems,
        bad: BadLines::default(),
        found: BTreeMap::new(),
        packages: Quota::new(MAX_PACKAGES),
        names: Quota::new(MAX_NAMES),
        files: Quota::new(MAX_FILES),
    };
    let mut record = None;
    for (index, line) in lines(bytes).enumerate() {
        if !line.is_empty() {
            let record = record.get_or_insert_with(|| Record::new(index + 1));
            if let Err(fault) = reader.line(record, line) {
                reader.bad.note(index, fault);
            }
        } else if let Some(record) = record.take() {
            reader.end(record);
        }
    }
    if let Some(record) = record {
        // Whoever writes it ends every package with an empty line.
        let damage = Damage::Truncated;
        reader.problems.note(Problem::Damaged { file: file.clone(), damage });
        reader.end(record);
    }
    reader.bad.finish(file, reader.problems);
    reader.found.into_values().collect()
}

/// What `M`, `a` and `Z` are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Dir,
    File,
}

/// A package as far as it was read.
struct Record {
    line: usize,
    package: ApkPackage,
    fault: Option<Fault>,
    dir: Option<RootPath>,
    last: Last,
    /// Its digests are the heads of SHA-256 digests.
    sha256_heads: bool,
}

impl Record {
    fn new(line: usize) -> Record {
        let (package, fault) = (ApkPackage::default(), None);
        Record { line, package, fault, dir: None, last: Last::Nothing, sha256_heads: false }
    }
}

struct Reader<'a> {
    file: &'a RootPath,
    problems: &'a mut Problems,
    bad: BadLines,
    found: BTreeMap<String, ApkPackage>,
    packages: Quota,
    names: Quota,
    files: Quota,
}

impl Reader<'_> {
    fn line(&mut self, record: &mut Record, line: &[u8]) -> Result<(), LineFault> {
        let [letter, b':', value @ ..] = line else { return Err(LineFault::Incomplete) };
        if value.len() > MAX_LINE {
            return Err(LineFault::TooLong);
        }
        let package = &mut record.package;
        match letter {
            b'P' => match name(value) {
                // A second name: the line between two packages is lost.
                Some(name) if package.name.is_empty() => package.name = name,
                _ => record.fault = Some(Fault::value("P", value)),
            },
            b'V' => package.version = text(value)?,
            b'A' => package.arch = text(value)?,
            b'C' => package.identity = text(value)?,
            b'o' => package.origin = Some(text(value)?).filter(|origin| !origin.is_empty()),
            b's' => package.tag = Some(text(value)?).filter(|tag| !tag.is_empty()),
            b't' => package.built = Some(number(value, 10)?),
            b'D' => package.depends = self.relation(value)?,
            b'p' => package.provides = self.relation(value)?,
            b'i' => package.install_if = self.relation(value)?,
            b'r' => package.replaces = self.relation(value)?,
            b'f' => {
                package.broken = value.iter().any(|flag| b"fsx".contains(flag));
                record.sha256_heads = value.contains(&b'S');
            }
            b'F' | b'R' => {
                record.last = Last::Nothing;
                self.file(record, *letter, value)?;
            }
            b'M' | b'a' => owner_and_mode(record, *letter, value)?,
            b'Z' => match (record.last, package.files.last_mut()) {
                (Last::File, Some(file)) => {
                    let digest = Some(digest::parse(value)?);
                    file.kind = RecordedKind::File { size: None, digest };
                }
                _ => return Err(LineFault::Stray),
            },
            // Sizes, texts for people, and what may be added later.
            _ => {}
        }
        Ok(())
    }

    fn file(&mut self, record: &mut Record, letter: u8, value: &[u8]) -> Result<(), LineFault> {
        let (path, kind, mode) = if letter == b'F' {
            record.dir = None;
            let dir = recorded_path(value)?;
            record.dir = Some(dir.clone());
            (dir, RecordedKind::Dir, USUAL_DIR)
        } else {
            let dir = record.dir.as_ref().ok_or(LineFault::Stray)?;
            if value.is_empty() || value == b"." {
                return Err(LineFault::Incomplete);
            }
            let path = recorded_path(&[dir.as_bytes(), b"/", value].concat())?;
            (path, RecordedKind::Unknown, USUAL_FILE)
        };
        if !self.files.take(self.file, self.problems) {
            return Ok(());
        }
        record.last = if letter == b'F' { Last::Dir } else { Last::File };
        record.package.files.push(FileRecord {
            path,
            kind,
            mode: Some(mode),
            user: Some("0".to_owned()),
            group: Some("0".to_owned()),
            mtime: None,
            capabilities: None,
            role: Role::Ordinary,
            presence: Presence::Unpacked,
        });
        Ok(())
    }

    /// The names in a list of constraints; those of unwanted packages are left out.
    fn relation(&mut self, value: &[u8]) -> Result<Vec<String>, LineFault> {
        let mut names = vec![];
        for word in value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            let constraint = Constraint::parse(word)?;
            if !constraint.unwanted && self.names.take(self.file, self.problems) {
                names.push(constraint.name);
            }
        }
        Ok(names)
    }

    fn end(&mut self, record: Record) {
        let Record { line, mut package, fault, sha256_heads, .. } = record;
        let missing = package.name.is_empty().then_some(Fault::Missing("P"));
        if let Some(fault) = fault.or(missing) {
            let package = Some(package.name).filter(|name| !name.is_empty());
            let file = self.file.clone();
            self.problems.note(Problem::Skipped { file, line, package, fault });
            return;
        }
        for file in &mut package.files {
            let digest = match file.kind.digest() {
                Some(Digest::Sha1(digest)) if sha256_heads => Some(Digest::Sha256Head(digest)),
                digest => digest,
            };
            match &mut file.kind {
                RecordedKind::File { .. } if file.mode == Some(SYMLINK) => {
                    file.kind = RecordedKind::FileOrSymlink { digest };
                }
                RecordedKind::File { digest: found, .. } => *found = digest,
                _ => {}
            }
        }
        package.files.shrink_to_fit();
        if !self.packages.take(self.file, self.problems) {
            return;
        }
        if let Some(before) = self.found.insert(package.name.clone(), package) {
            let file = self.file.clone();
            self.problems.note(Problem::Twice { file, package: before.name });
        }
    }
}

/// `user:group:mode`, with the digest of extended attributes behind it.
fn owner_and_mode(record: &mut Record, letter: u8, value: &[u8]) -> Result<(), LineFault> {
    let file = match (record.last, letter) {
        (Last::Dir, b'M') | (Last::File, b'a') => record.package.files.last_mut(),
        _ => None,
    };
    let file = file.ok_or(LineFault::Stray)?;
    let mut parts = value.split(|&b| b == b':');
    let mut part = |radix| number(parts.next().ok_or(LineFault::Incomplete)?, radix);
    let (user, group, mode) = (part(10)?, part(10)?, part(8)?);
    file.mode = Some(u32::try_from(mode).map_err(|_| LineFault::Number)? & 0o7777);
    file.user = Some(user.to_string());
    file.group = Some(group.to_string());
    Ok(())
}

fn number(text: &[u8], radix: u32) -> Result<i64, LineFault> {
    let text = std::str::from_utf8(text).map_err(|_| LineFault::Number)?;
    i64::from_str_radix(text, radix).ok().filter(|n| *n >= 0).ok_or(LineFault::Number)
}

/// A package's name: what a path component can be, and no blank in it.
fn name(value: &[u8]) -> Option<String> {
    let whole = !value.is_empty() && value.len() < 256;
    let plain = value.iter().all(|b| b.is_ascii_graphic() && *b != b'/');
    (whole && plain).then(|| escaped(value))
}

fn text(value: &[u8]) -> Result<String, LineFault> {
    let text = std::str::from_utf8(value).map_err(|_| LineFault::Text)?;
    if text.contains(char::is_control) { Err(LineFault::Text) } else { Ok(text.to_owned()) }
}
