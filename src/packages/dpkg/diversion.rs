//! Diversions: a package's file that was made to lie elsewhere, so that another can take its
//! place.

use super::super::problem::{BadLines, LineFault};
use super::super::records::{MAX_TABLE, Records, lines, recorded_path};
use super::admin::admin;
use crate::tree::RootPath;

#[derive(Debug, PartialEq, Eq)]
struct Diversion {
    /// The path as packages name it. dpkg compares names, not places: `/bin/x` does not divert
    /// `/usr/bin/x`, whatever `/bin` links to.
    from: RootPath,
    to: RootPath,
    /// The package whose file stays at `from`; `None` when the administrator diverted everybody's.
    by: Option<Vec<u8>>,
}

/// All diversions of a system.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diversions(Vec<Diversion>);

impl Diversions {
    /// Reads them from the tree.
    pub(super) fn load(records: &mut Records<'_>) -> Diversions {
        let file = admin(b"diversions");
        let Some(bytes) = records.read(&file, MAX_TABLE) else { return Diversions::default() };
        let mut bad = BadLines::default();
        let diversions = Diversions::parse(&bytes, &mut bad);
        bad.finish(&file, &mut records.problems);
        diversions
    }

    fn parse(bytes: &[u8], bad: &mut BadLines) -> Diversions {
        if bytes.is_empty() {
            return Diversions::default();
        }
        let lines: Vec<&[u8]> = lines(bytes).collect();
        let mut all = vec![];
        for (index, three) in lines.chunks(3).enumerate() {
            let &[from, to, by] = three else {
                bad.note(index * 3, LineFault::Incomplete);
                continue;
            };
            match recorded_path(from).and_then(|from| Ok((from, recorded_path(to)?))) {
                Ok((from, to)) => {
                    let by = (by != b":").then(|| by.to_vec());
                    all.push(Diversion { from, to, by });
                }
                Err(fault) => bad.note(index * 3, fault),
            }
        }
        all.sort_by(|a, b| a.from.cmp(&b.from));
        Diversions(all)
    }

    /// All of them: what is diverted, to where, and the package whose file stays.
    pub(super) fn all(&self) -> impl Iterator<Item = (&RootPath, &RootPath, Option<&[u8]>)> {
        self.0.iter().map(|found| (&found.from, &found.to, found.by.as_deref()))
    }

    /// Where the file lies that `package` calls `path`.
    pub(super) fn apply<'a>(&'a self, path: &'a RootPath, package: &str) -> &'a RootPath {
        match self.0.binary_search_by(|diversion| diversion.from.cmp(path)) {
            Ok(at) if self.0[at].by.as_deref() != Some(package.as_bytes()) => &self.0[at].to,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::problem::{Problem, Problems};
    use crate::tree::PathError;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_diverted_file_lies_elsewhere_for_all_but_the_diverting_package() {
        let mut bad = BadLines::default();
        let text = b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n";
        let diversions = Diversions::parse(text, &mut bad);
        let apply = |text, package| diversions.apply(&path(text), package).to_string();
        assert_eq!(apply("/bin/sh", "bash"), "/bin/sh.distrib");
        assert_eq!(apply("/bin/sh", "dash"), "/bin/sh");
        assert_eq!(apply("/usr/bin/sh", "bash"), "/usr/bin/sh");
        assert_eq!(apply("/usr/bin/x", "anybody"), "/usr/bin/x.real");
        assert_eq!(apply("/usr/bin/x.real", "anybody"), "/usr/bin/x.real");
    }

    #[test]
    fn a_diversion_out_of_the_root_is_refused() {
        let refused = |text: &[u8]| {
            let (mut bad, mut problems) = (BadLines::default(), Problems::default());
            assert_eq!(Diversions::parse(text, &mut bad).0.len(), 1);
            bad.finish(&path("/f"), &mut problems);
            problems.finish()
        };
        let line = |count, first, fault| [Problem::Lines { file: path("/f"), count, first, fault }];
        let out = LineFault::Path(PathError::DotDot);
        assert_eq!(refused(b"/a\n/b\n:\n/c\n/../../etc/x\n:\n"), line(1, 4, out));
        // One that is cut short is worse.
        let cut = b"/a\n/b\n:\n/c\n/../../etc/x\n:\n/d\n";
        assert_eq!(refused(cut), line(2, 7, LineFault::Incomplete));
    }
}
