//! ucf: configuration files that maintainer scripts write, with the digest of what they wrote.
//!
//! dpkg does not know these files. ucf's record is what tells a file the user edited from one
//! that still is as the package made it.

use super::super::md5::Md5;
use super::super::problem::{BadLines, LineFault};
use super::super::records::{MAX_TABLE, Records, lines, recorded_path};
use crate::tree::RootPath;

/// ucf's records of a system, by canonical path.
#[derive(Debug, Default)]
pub(super) struct Ucf {
    digests: Vec<(RootPath, Md5)>,
    packages: Vec<(RootPath, String)>,
}

impl Ucf {
    /// Reads them from the tree.
    pub(super) fn load(records: &mut Records<'_>) -> Ucf {
        let digests =
            table(records, &const { RootPath::literal("/var/lib/ucf/hashfile") }, |digest| {
                Md5::parse(digest).ok_or(LineFault::Digest)
            });
        let packages =
            table(records, &const { RootPath::literal("/var/lib/ucf/registry") }, |name| {
                std::str::from_utf8(name).map(str::to_owned).map_err(|_| LineFault::Incomplete)
            });
        Ucf { digests, packages }
    }

    /// Digest of the text that was last put at `path`.
    pub(super) fn digest(&self, path: &RootPath) -> Option<Md5> {
        let at = self.digests.binary_search_by(|(p, _)| p.cmp(path)).ok()?;
        Some(self.digests[at].1)
    }

    /// Where the text that was last put at `path` is kept: under its path, with colons for slashes.
    pub(super) fn copy(&self, path: &RootPath) -> Option<RootPath> {
        self.digest(path)?;
        let name: Vec<u8> =
            path.as_bytes().iter().map(|&b| if b == b'/' { b':' } else { b }).collect();
        Some(const { RootPath::literal("/var/lib/ucf/cache") }.child(&name))
    }

    /// The package that registered `path`.
    pub(super) fn package(&self, path: &RootPath) -> Option<&str> {
        let at = self.packages.binary_search_by(|(p, _)| p.cmp(path)).ok()?;
        Some(&self.packages[at].1)
    }
}

/// Lines of `value path` with blanks between; the last line about a path counts.
fn table<T>(
    records: &mut Records<'_>,
    file: &RootPath,
    value: impl Fn(&[u8]) -> Result<T, LineFault>,
) -> Vec<(RootPath, T)> {
    let Some(bytes) = records.read(file, MAX_TABLE) else { return vec![] };
    let mut bad = BadLines::default();
    let mut all = vec![];
    for (index, line) in lines(&bytes).enumerate().filter(|(_, line)| !line.is_empty()) {
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let path = line[end..].trim_ascii_start();
        let parsed = match path.is_empty() {
            true => Err(LineFault::Incomplete),
            false => value(&line[..end]).and_then(|value| Ok((recorded_path(path)?, value))),
        };
        match parsed {
            Ok((path, value)) => all.push((records.place(&path), value)),
            Err(fault) => bad.note(index, fault),
        }
    }
    bad.finish(file, &mut records.problems);
    all.reverse();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|b, a| a.0 == b.0);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::problem::Problem;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn ucf_knows_the_digest_and_the_package_of_its_files() {
        let (one, two) = ("fbc910d4bc9889530c92c7e8b101689b", "00000000000000000000000000000000");
        let tree = MemoryTree::default()
            .file(
                "/var/lib/ucf/hashfile",
                format!("{two}  /etc/a b\n{one}  /etc/a b\nbad  /etc/c\n{one}\n"),
            )
            .file("/var/lib/ucf/registry", "postgresql-common \t /etc/a b\n");
        let mut records = Records::new(&tree);
        let ucf = Ucf::load(&mut records);
        assert_eq!(ucf.digest(&path("/etc/a b")), Md5::parse(one.as_bytes()));
        assert_eq!(ucf.digest(&path("/etc/c")), None);
        assert_eq!(ucf.package(&path("/etc/a b")), Some("postgresql-common"));
        assert_eq!(ucf.package(&path("/etc/c")), None);
        let file = path("/var/lib/ucf/hashfile");
        let fault = LineFault::Digest;
        assert_eq!(records.problems.finish(), [Problem::Lines { file, count: 2, first: 3, fault }]);
    }
}
