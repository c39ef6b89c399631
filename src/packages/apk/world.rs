//! What somebody asked for: `/etc/apk/world`, and the constraints that it and packages are
//! written in.

use super::super::problem::{BadLines, LineFault, Problem};
use super::super::records::{MAX_TABLE, Records, lines};
use crate::tree::RootPath;

/// Real ones have some hundred entries at most.
const MAX_WORLD: usize = 100_000;

/// One constraint: a package, or something that packages provide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The name.
    pub name: String,
    /// The tag of the repositories it may come from besides those without a tag.
    pub tag: Option<String>,
    /// What its version has to be, such as `>=1.2`; empty for any. `><Q1…` is one certain
    /// package, as installed from a file and not from a repository.
    pub version: String,
    /// Whether it is *not* to be there.
    pub unwanted: bool,
}

impl Constraint {
    /// Reads `[!]name[@tag][operator version]`.
    pub(super) fn parse(word: &[u8]) -> Result<Constraint, LineFault> {
        let text = std::str::from_utf8(word).map_err(|_| LineFault::Text)?;
        if text.contains(char::is_control) {
            return Err(LineFault::Text);
        }
        let (unwanted, text) = match text.strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (name, version) = text.split_at(text.find(['<', '>', '=', '~']).unwrap_or(text.len()));
        let (name, tag) = match name.split_once('@') {
            Some((name, tag)) => (name, Some(tag.to_owned())),
            None => (name, None),
        };
        if name.is_empty() {
            return Err(LineFault::Incomplete);
        }
        Ok(Constraint { name: name.to_owned(), tag, version: version.to_owned(), unwanted })
    }

    /// Whether it keeps newer versions away.
    pub(super) fn pins(&self) -> bool {
        !self.version.is_empty()
            && (self.version.starts_with("><") || !self.version.starts_with('>'))
    }
}

/// The constraints of `world`; `None` when there is no such file.
pub(super) fn load(records: &mut Records<'_>) -> Option<Vec<Constraint>> {
    let file = const { RootPath::literal("/etc/apk/world") };
    let bytes = records.read(&file, MAX_TABLE)?;
    let mut bad = BadLines::default();
    let mut world = vec![];
    for (index, line) in lines(&bytes).enumerate() {
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            match Constraint::parse(word) {
                Ok(_) if world.len() == MAX_WORLD => {
                    records.problems.note(Problem::TooMany { file, limit: MAX_WORLD });
                    return Some(world);
                }
                Ok(constraint) => world.push(constraint),
                Err(fault) => bad.note(index, fault),
            }
        }
    }
    bad.finish(&file, &mut records.problems);
    Some(world)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_read_part_by_part() {
        for (word, name, tag, version, unwanted, pins) in [
            ("busybox", "busybox", None, "", false, false),
            ("busybox@edge", "busybox", Some("edge"), "", false, false),
            ("busybox@edge=1.6", "busybox", Some("edge"), "=1.6", false, true),
            ("!unwanted", "unwanted", None, "", true, false),
            ("a>=1.2", "a", None, ">=1.2", false, false),
            ("a<2", "a", None, "<2", false, true),
            ("a~1.2", "a", None, "~1.2", false, true),
            (
                "a><Q12l/v/T0pPK3aQaUWmI9djiLpF+g=",
                "a",
                None,
                "><Q12l/v/T0pPK3aQaUWmI9djiLpF+g=",
                false,
                true,
            ),
            ("so:libc.musl-x86_64.so.1", "so:libc.musl-x86_64.so.1", None, "", false, false),
            (".build-deps", ".build-deps", None, "", false, false),
        ] {
            let constraint = Constraint::parse(word.as_bytes()).unwrap();
            let tag = tag.map(str::to_owned);
            let (name, version) = (name.to_owned(), version.to_owned());
            assert_eq!(constraint.pins(), pins, "{word}");
            assert_eq!(constraint, Constraint { name, tag, version, unwanted });
        }
        for word in [&b"=1"[..], b"", b"!", b"@edge"] {
            assert_eq!(Constraint::parse(word), Err(LineFault::Incomplete));
        }
        for word in [&b"a\xff"[..], b"a\0", b"a\x1b[2J"] {
            assert_eq!(Constraint::parse(word), Err(LineFault::Text));
        }
    }
}
