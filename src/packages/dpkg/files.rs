//! The files of the packages: `info/*.list` and `*.md5sums` turned into [`Claims`].
//!
//! A list names paths as the package has them. Where they lie is decided here, in this order:
//! a diversion renames them, then the tree's own directory links place them.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::super::md5::Md5;
use super::super::ownership::{Claims, Full, Unpacked};
use super::super::package::{Broken, Package, Status};
use super::super::problem::{BadLines, LineFault, Problem};
use super::super::records::{Records, lines, recorded_path};
use super::admin::admin;
use super::diversion::Diversions;
use super::filter::{Filters, Node};
use super::script::{self, Script};
use super::status::{Found, Packages, StatusFile, is_name};
use crate::tree::RootPath;

/// The list of a package of 100,000 files has about 10 MB.
const MAX_LIST: u64 = 256 << 20;

/// How many packages' lists are read at a time.
const TOGETHER: usize = 64;

/// What decides where a package's file lies and whether it is there.
pub(super) struct Layout {
    pub(super) diversions: Diversions,
    pub(super) filters: Filters,
}

/// The file lists below `info`, by file name.
pub(super) struct Lists {
    dir: RootPath,
    names: HashSet<Vec<u8>>,
    /// The scripts that lie beside the lists.
    pub(super) scripts: Vec<Script>,
}

impl Lists {
    /// Finds them.
    pub(super) fn load(records: &mut Records<'_>) -> Lists {
        let dir = admin(b"info");
        let entries = records.list(&dir);
        let names = entries.iter().map(|entry| entry.path.name().to_vec()).collect();
        Lists { names, scripts: script::among(&entries), dir }
    }

    fn lists(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().filter_map(|name| name.strip_suffix(b".list"))
    }

    /// Whether there is no list at all.
    pub(super) fn is_empty(&self) -> bool {
        self.lists().next().is_none()
    }

    /// The name a package's files below `info` begin with.
    fn stem(&self, package: &Package) -> Option<Vec<u8>> {
        let (name, arch) = (package.name.as_bytes(), package.arch.as_bytes());
        let stems = [[name, b":", arch].concat(), name.to_vec()];
        stems.into_iter().find(|stem| self.names.contains(&[stem, &b".list"[..]].concat()))
    }

    /// Packages as far as the lists tell: when no record of them is left.
    pub(super) fn salvage(&self, packages: &mut Packages) {
        for stem in self.lists().filter_map(|stem| std::str::from_utf8(stem).ok()) {
            let (name, arch) = stem.split_once(':').unwrap_or((stem, ""));
            if !is_name(name) {
                continue;
            }
            let package = Package {
                name: name.to_owned(),
                arch: arch.to_owned(),
                version: String::new(),
                source: None,
                maker: String::new(),
                status: Status::Broken(Broken::RecordLost),
                essential: false,
                priority: String::new(),
                auto: false,
                hold: false,
                depends: vec![],
                recommends: vec![],
                provides: vec![],
                takes_over: vec![],
                conffiles: vec![],
            };
            let key = (name.to_owned(), arch.to_owned());
            packages.entry(key).or_insert(Found { package, sums: None });
        }
    }

    /// Names the lists that no package has.
    fn stray(&self, records: &mut Records<'_>, used: &HashSet<Vec<u8>>) {
        let mut stray: Vec<&[u8]> = self.lists().filter(|stem| !used.contains(*stem)).collect();
        stray.sort_unstable();
        for stem in stray {
            let file = self.dir.child(&[stem, b".list"].concat());
            records.problems.note(Problem::StrayList { file });
        }
    }
}

/// Reads the files of all `found` packages, and puts their conffiles where they lie.
pub(super) fn claims(
    records: &mut Records<'_>,
    found: &mut [Found],
    lists: &Lists,
    layout: &Layout,
    status: StatusFile,
) -> Claims {
    let mut claims = Claims::default();
    let mut moved = vec![];
    let mut used = HashSet::new();
    if lists.is_empty() && found.iter().any(|found| found.sums.is_none()) {
        records.problems.note(Problem::NoLists { dir: lists.dir.clone() });
    }
    for Found { package, .. } in found.iter_mut() {
        place_conffiles(records, package, layout);
    }
    let numbered: Vec<(usize, &Found)> = found.iter().enumerate().collect();
    'all: for some in numbered.chunks(TOGETHER) {
        let beside = some.par_iter().map(|(_, found)| {
            let mut reader = records.beside();
            let (stem, placed) = placed(&mut reader, found, lists, layout);
            (stem, placed, reader.into_learned())
        });
        let read: Vec<_> = beside.collect();
        for ((index, _), (stem, placed, learned)) in some.iter().zip(read) {
            records.learn(learned);
            used.extend(stem);
            for Placed { real, digest, unpacked, way } in placed {
                let added = match way {
                    Way::Usual => claims.add(&real, *index, digest, unpacked),
                    Way::Moved => {
                        moved.push(Moved { real, package: *index, digest, unpacked });
                        Ok(())
                    }
                };
                if let Err(Full { limit }) = added {
                    records.problems.note(Problem::TooMany { file: lists.dir.clone(), limit });
                    break 'all;
                }
            }
        }
    }
    claims.sort();
    // What lies behind a link into a directory that no package has was moved there by somebody:
    // no package will bring it back to that place.
    let of_package = |path: &RootPath| claims.of(path).next().is_some();
    moved.retain(|claim: &Moved| claim.real.parent().is_some_and(|at| of_package(&at)));
    if !moved.is_empty() {
        for Moved { real, package, digest, unpacked } in &moved {
            if let Err(Full { limit }) = claims.add(real, *package, *digest, *unpacked) {
                records.problems.note(Problem::TooMany { file: lists.dir.clone(), limit });
                break;
            }
        }
        claims.sort();
    }
    if status == StatusFile::Read {
        lists.stray(records, &used);
    }
    claims
}

fn place_conffiles(records: &mut Records<'_>, package: &mut Package, layout: &Layout) {
    for conffile in &mut package.conffiles {
        let path = layout.diversions.apply(&conffile.path, &package.name);
        conffile.path = records.place(path);
    }
    package.conffiles.sort_by(|a, b| a.path.cmp(&b.path));
    package.conffiles.dedup_by(|b, a| a.path == b.path);
}

/// A claim to what lies behind a directory link that is none of the root's own, such as `/lib`.
struct Moved {
    real: RootPath,
    package: usize,
    digest: Option<Md5>,
    unpacked: Unpacked,
}

/// `/var/run` and `/var/lock` lead there on every system.
fn in_run(path: &RootPath) -> bool {
    path.components().next() == Some(b"run")
}

/// Where a path lies when only the links of the root directory are followed.
fn usual_place(records: &mut Records<'_>, path: &RootPath) -> RootPath {
    let mut components = path.components();
    let Some(first) = components.next() else { return path.clone() };
    let top = records.directory(&RootPath::root().child(first));
    components.fold(top, |at, name| at.child(name))
}

/// One path of a package, where it lies.
struct Placed {
    real: RootPath,
    digest: Option<Md5>,
    unpacked: Unpacked,
    way: Way,
}

/// What a path was found through.
enum Way {
    /// Directories, and links that every system has.
    Usual,
    /// A link that somebody made.
    Moved,
}

/// The paths of one package and the name of its list.
fn placed(
    records: &mut Records<'_>,
    found: &Found,
    lists: &Lists,
    layout: &Layout,
) -> (Option<Vec<u8>>, Vec<Placed>) {
    let Found { package, sums } = found;
    let stem = lists.stem(package);
    if !package.has_files() {
        return (stem, vec![]);
    }
    let files = match (sums, &stem) {
        (Some(sums), _) => Files::of_sums(records, sums),
        (None, Some(stem)) => Files::of_list(records, &lists.dir, stem),
        (None, None) => {
            if !lists.is_empty() {
                let package = package.full_name();
                records.problems.note(Problem::NoList { package });
            }
            Files::default()
        }
    };
    let mut parents: Vec<&[u8]> = files.paths.iter().filter_map(RootPath::parent_bytes).collect();
    // Neighbours have one directory, and a list names neighbours together.
    parents.dedup();
    let parents: HashSet<&[u8]> = parents.into_iter().collect();
    let mut all = Vec::with_capacity(files.paths.len());
    for path in &files.paths {
        let diverted = layout.diversions.apply(path, &package.name);
        let real = records.place(diverted);
        let conffile = package.conffile(&real);
        let recorded = files.digests.get(path).copied();
        let is_parent = parents.contains(path.as_bytes());
        // Where files have digests, what has none is no file.
        let node = match (recorded, conffile) {
            (None, None) if is_parent || !files.digests.is_empty() => Node::Way,
            _ => Node::File,
        };
        let unpacked = match layout.filters.exclude(path, node) {
            true => Unpacked::Excluded,
            false => Unpacked::Yes,
        };
        let digest = recorded.or(conffile.and_then(|conffile| conffile.md5));
        let usual = real == *diverted || in_run(&real) || real == usual_place(records, diverted);
        if is_parent {
            // `/lib` of a package is the link, and the directory it leads to.
            let directory = records.directory(path);
            let top = path.parent().is_some_and(|parent| parent.is_root());
            if directory != real && (top || in_run(&directory)) {
                all.push(Placed { real: directory, digest: None, unpacked, way: Way::Usual });
            }
        }
        let way = if usual { Way::Usual } else { Way::Moved };
        all.push(Placed { real, digest, unpacked, way });
    }
    (stem, all)
}

/// The files of one package as its own records name them.
#[derive(Debug, Default)]
struct Files {
    paths: Vec<RootPath>,
    digests: HashMap<RootPath, Md5>,
}

impl Files {
    fn of_list(records: &mut Records<'_>, dir: &RootPath, stem: &[u8]) -> Files {
        let list = dir.child(&[stem, b".list"].concat());
        let sums = dir.child(&[stem, b".md5sums"].concat());
        let mut files = Files { paths: vec![], digests: digests(records, &sums) };
        let Some(bytes) = records.read(&list, MAX_LIST) else { return files };
        let mut bad = BadLines::default();
        for (index, line) in lines(&bytes).enumerate().filter(|(_, line)| !line.is_empty()) {
            match recorded_path(line) {
                Ok(path) => files.paths.push(path),
                Err(fault) => bad.note(index, fault),
            }
        }
        bad.finish(&list, &mut records.problems);
        files
    }

    /// Without a list the digests name the regular files, and those the directories.
    fn of_sums(records: &mut Records<'_>, sums: &RootPath) -> Files {
        let digests = digests(records, sums);
        let mut paths: HashSet<RootPath> = digests.keys().cloned().collect();
        for path in digests.keys() {
            let mut at = path.parent();
            while let Some(dir) = at {
                at = dir.parent();
                if !paths.insert(dir) {
                    break;
                }
            }
        }
        Files { paths: paths.into_iter().collect(), digests }
    }
}

fn digests(records: &mut Records<'_>, sums: &RootPath) -> HashMap<RootPath, Md5> {
    let Some(bytes) = records.read(sums, MAX_LIST) else { return HashMap::new() };
    let mut bad = BadLines::default();
    let mut digests = HashMap::new();
    for (index, line) in lines(&bytes).enumerate().filter(|(_, line)| !line.is_empty()) {
        match digest(line) {
            Ok((path, md5)) => {
                digests.insert(path, md5);
            }
            Err(fault) => bad.note(index, fault),
        }
    }
    bad.finish(sums, &mut records.problems);
    digests
}

/// `digest  path`, as `md5sum` writes it: after the digest a blank and a blank or `*`; a leading
/// backslash says that backslash and line break in the path are escaped.
fn digest(line: &[u8]) -> Result<(RootPath, Md5), LineFault> {
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(line) => (true, line),
        None => (false, line),
    };
    let end = line.iter().position(|&b| b == b' ').ok_or(LineFault::Incomplete)?;
    let md5 = Md5::parse(&line[..end]).ok_or(LineFault::Digest)?;
    let path = &line[end + 1..];
    let path = path.strip_prefix(b" ").or_else(|| path.strip_prefix(b"*")).unwrap_or(path);
    if path.is_empty() {
        return Err(LineFault::Incomplete);
    }
    let path = if escaped { recorded_path(&unescape(path))? } else { recorded_path(path)? };
    Ok((path, md5))
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(b'n')) => plain.push(b'\n'),
            (b'\\', Some(b'r')) => plain.push(b'\r'),
            (b'\\', Some(b'\\')) => plain.push(b'\\'),
            _ => {
                plain.push(byte);
                continue;
            }
        }
        bytes.next();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::PathError;

    #[test]
    fn a_digest_line_is_read_as_md5sum_writes_it() {
        const MD5: &str = "fbc910d4bc9889530c92c7e8b101689b";
        let read = |line: String| {
            digest(line.as_bytes()).map(|(path, md5)| {
                assert_eq!(md5.to_string(), MD5);
                path.as_bytes().to_vec()
            })
        };
        assert_eq!(read(format!("{MD5}  usr/bin/a b")), Ok(b"/usr/bin/a b".to_vec()));
        assert_eq!(read(format!("{MD5} *./usr/a")), Ok(b"/usr/a".to_vec()));
        assert_eq!(read(format!("{MD5} usr/a")), Ok(b"/usr/a".to_vec()));
        assert_eq!(read(format!("{MD5}  a\\x2d")), Ok(b"/a\\x2d".to_vec()));
        assert_eq!(read(format!("\\{MD5}  a\\\\x2d\\nb")), Ok(b"/a\\x2d\nb".to_vec()));
        assert_eq!(read(format!("{MD5}{MD5}  a")), Err(LineFault::Digest));
        assert_eq!(read(format!("{MD5}  a/../../x")), Err(LineFault::Path(PathError::DotDot)));
        assert_eq!(read(MD5.to_owned()), Err(LineFault::Incomplete));
        assert_eq!(read(format!("{MD5}  ")), Err(LineFault::Incomplete));
    }
}
