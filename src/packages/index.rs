//! [`Index`]: which package a path came with, and what was recorded about it, for managers that
//! write down a [`FileRecord`] per path.
//!
//! Records say where a file was put by name; the index knows where it lies. It holds a path of
//! its own only where the two differ.

use super::file_record::{FileRecord, Presence, RecordedKind};
use super::records::Records;
use crate::tree::RootPath;

/// More files than this no system has; what forged records name beyond it is left out.
pub(crate) const MAX_FILES: usize = 2 << 20;

/// A package with records of its files.
pub(crate) trait Brings {
    /// The records, in any order.
    fn files(&self) -> &[FileRecord];
}

/// One path that a package brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Brought<'a, P> {
    /// Where it lies, or would lie: canonical.
    pub path: &'a RootPath,
    /// The package.
    pub package: &'a P,
    /// What was recorded.
    pub file: &'a FileRecord,
}

#[derive(Debug)]
struct Claim {
    /// Where the file lies, when that is not where the record says.
    moved: Option<Box<RootPath>>,
    package: u32,
    file: u32,
}

/// All records of all packages by the place of the file, in path order.
#[derive(Debug, Default)]
pub(crate) struct Index(Vec<Claim>);

impl Index {
    /// Places every record of `packages`, which the later questions have to be asked with.
    pub(crate) fn build<P: Brings>(records: &mut Records<'_>, packages: &[P]) -> Index {
        let mut index = Index::default();
        for (package, files) in (0..).zip(packages.iter().map(Brings::files)) {
            for (file, record) in (0..).zip(files) {
                let place = records.place(&record.path);
                if record.kind == RecordedKind::Dir {
                    // `/lib` of a package is the link, and the directory it leads to.
                    let directory = records.directory(&record.path);
                    if directory != place {
                        index.0.push(Claim { moved: Some(Box::new(directory)), package, file });
                    }
                }
                let moved = (place != record.path).then(|| Box::new(place));
                index.0.push(Claim { moved, package, file });
            }
        }
        let mut claims = index.0;
        let by_path = |a: &Claim, b: &Claim| path(packages, a).cmp(&path(packages, b));
        let by_rank = |a: &Claim, b: &Claim| rank(packages, a).cmp(&rank(packages, b));
        // Of several records that one package has of a path, the first counts.
        claims.sort_by(|a, b| {
            by_path(a, b).then(a.package.cmp(&b.package)).then_with(|| by_rank(a, b))
        });
        claims.dedup_by(|b, a| a.package == b.package && by_path(a, b).is_eq());
        claims.sort_by(|a, b| by_path(a, b).then_with(|| by_rank(a, b)));
        claims.shrink_to_fit();
        Index(claims)
    }

    /// The records of `at`, the one that counts first: what was unpacked before what was left
    /// out, what has a digest before what has none.
    pub(crate) fn of<'a, P: Brings>(
        &'a self,
        packages: &'a [P],
        at: &RootPath,
    ) -> impl Iterator<Item = Brought<'a, P>> {
        let before = |claim: &Claim| path(packages, claim).is_some_and(|path| path < at);
        let claims = &self.0[self.0.partition_point(before)..];
        let end = claims.partition_point(|claim| path(packages, claim).is_some_and(|p| p == at));
        claims[..end].iter().filter_map(|claim| brought(packages, claim))
    }

    /// Every path with the record that counts first, in path order.
    pub(crate) fn paths<'a, P: Brings>(
        &'a self,
        packages: &'a [P],
    ) -> impl Iterator<Item = Brought<'a, P>> {
        let groups = self.0.chunk_by(|a, b| path(packages, a) == path(packages, b));
        groups.filter_map(|group| brought(packages, group.first()?))
    }
}

fn record<'a, P: Brings>(packages: &'a [P], claim: &Claim) -> Option<(&'a P, &'a FileRecord)> {
    let package = packages.get(claim.package as usize)?;
    Some((package, package.files().get(claim.file as usize)?))
}

fn path<'a, P: Brings>(packages: &'a [P], claim: &'a Claim) -> Option<&'a RootPath> {
    match &claim.moved {
        Some(path) => Some(path),
        None => record(packages, claim).map(|(_, file)| &file.path),
    }
}

fn brought<'a, P: Brings>(packages: &'a [P], claim: &'a Claim) -> Option<Brought<'a, P>> {
    let (package, file) = record(packages, claim)?;
    Some(Brought { path: path(packages, claim)?, package, file })
}

fn rank<P: Brings>(packages: &[P], claim: &Claim) -> impl Ord + use<P> {
    let file = record(packages, claim).map(|(_, file)| file);
    let left_out = file.is_none_or(|file| file.presence == Presence::LeftOut);
    let dir = file.is_none_or(|file| file.kind == RecordedKind::Dir);
    let no_digest = file.is_none_or(|file| file.kind.digest().is_none());
    (left_out, dir, no_digest, claim.package, claim.file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::{Digest, Md5, Role};
    use crate::tree::memory::MemoryTree;

    struct Bringer(&'static str, Vec<FileRecord>);

    impl Brings for Bringer {
        fn files(&self) -> &[FileRecord] {
            &self.1
        }
    }

    fn at(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn record(text: &str, kind: RecordedKind) -> FileRecord {
        FileRecord {
            path: at(text),
            kind,
            mode: None,
            user: None,
            group: None,
            mtime: None,
            capabilities: None,
            role: Role::Ordinary,
            presence: Presence::Unpacked,
        }
    }

    fn file(text: &str) -> FileRecord {
        let digest = Some(Digest::Md5(Md5([1; 16])));
        record(text, RecordedKind::File { size: None, digest })
    }

    fn names<'a>(found: impl Iterator<Item = Brought<'a, Bringer>>) -> Vec<String> {
        found.map(|b| format!("{} {} {}", b.path, b.package.0, b.file.path)).collect()
    }

    #[test]
    fn a_record_is_found_where_its_file_lies() {
        let tree = MemoryTree::default().dir("/usr/lib").link("/lib", "usr/lib");
        let packages = [
            Bringer("one", vec![record("/lib", RecordedKind::Dir), file("/lib/a"), file("/lib-b")]),
            Bringer("two", vec![record("/lib", RecordedKind::Unknown), file("/usr/lib/b")]),
        ];
        let index = Index::build(&mut Records::new(&tree), &packages);
        let all = [
            "/lib two /lib",
            "/lib-b one /lib-b",
            "/usr/lib one /lib",
            "/usr/lib/a one /lib/a",
            "/usr/lib/b two /usr/lib/b",
        ];
        assert_eq!(names(index.paths(&packages)), all);
        assert_eq!(names(index.of(&packages, &at("/usr/lib/a"))), [all[3]]);
        assert_eq!(names(index.of(&packages, &at("/lib"))), ["/lib two /lib", "/lib one /lib"]);
        for nobodys in ["/lib/a", "/usr", "/zzz", "/"] {
            assert_eq!(names(index.of(&packages, &at(nobodys))), [""; 0], "{nobodys}");
        }
    }

    #[test]
    fn of_several_records_the_one_that_says_most_counts_first() {
        let tree = MemoryTree::default();
        let left_out = FileRecord { presence: Presence::LeftOut, ..file("/a") };
        let packages = [
            Bringer("left out", vec![left_out]),
            Bringer("no digest", vec![record("/a", RecordedKind::Unknown)]),
            Bringer("digest", vec![record("/a", RecordedKind::Unknown), file("/a")]),
        ];
        let index = Index::build(&mut Records::new(&tree), &packages);
        let order = ["/a digest /a", "/a no digest /a", "/a left out /a"];
        assert_eq!(names(index.of(&packages, &at("/a"))), order);
        assert_eq!(names(index.paths(&packages)), order[..1]);
    }

    #[test]
    fn an_index_asked_with_other_packages_finds_nothing() {
        let tree = MemoryTree::default();
        let packages = [Bringer("one", vec![file("/a")])];
        let index = Index::build(&mut Records::new(&tree), &packages);
        assert_eq!(names(index.of::<Bringer>(&[], &at("/a"))), [""; 0]);
        assert_eq!(names(index.paths::<Bringer>(&[])), [""; 0]);
    }
}
