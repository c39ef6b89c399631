//! Programs of the new system's own packages that do not find their libraries any more once the
//! service's files are placed: one was removed, or has one of another make in its place.

use std::collections::{BTreeMap, BTreeSet};

use super::elf::Elf;
use super::search::{Search, may_be_program};
use crate::tree::{RootPath, Tree, TreeError, escaped};
use crate::verdict::{Held, HeldKind};

/// How many programs are named for one library.
const MOST_NAMED: usize = 100;

/// How many files of a removed directory are looked at.
const MOST_REMOVED: usize = 20_000;

/// Where the lists of directories are.
const LIST: RootPath = RootPath::literal("/etc/ld.so.conf");

/// What is placed over a new system.
pub(crate) struct Change<'a> {
    /// The system as its packages make it.
    pub(crate) before: &'a dyn Tree,
    /// As it will be.
    pub(crate) after: &'a dyn Tree,
    /// What is placed, directories left out.
    pub(crate) placed: BTreeSet<RootPath>,
    /// What is removed.
    pub(crate) removed: Vec<RootPath>,
}

/// What becomes of a library.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    Gone,
    Lacks(Vec<u8>),
}

/// Libraries that programs of the new system found before the change and do not find after it.
///
/// # Errors
/// One of the systems cannot be read.
pub(crate) fn disturbed(change: &Change<'_>) -> Result<Vec<Held>, TreeError> {
    let Some(names) = touched(change)? else { return Ok(vec![]) };
    let (before, after) = (Search::whole(change.before, &[]), Search::whole(change.after, &[]));
    let mut harmed: BTreeMap<(RootPath, Harm), Vec<RootPath>> = BTreeMap::new();
    for entry in change.before.walk() {
        let Ok(entry) = entry else { continue };
        // A library for programs of its own is nothing that is needed by name alone.
        if !may_be_program(&entry) || change.placed.contains(&entry.path) {
            continue;
        }
        let Some(program) = before.read(&entry) else { continue };
        for library in program.needed.iter().filter(|name| names.covers(name)) {
            let Some(was) = before.find(library, &program, &entry.path)? else { continue };
            let harm = match after.find(library, &program, &entry.path)? {
                None => Some(Harm::Gone),
                Some(is) if is.place == was.place && !change.placed.contains(&is.place) => None,
                Some(is) => {
                    let file = change.after.entry(&is.place)?;
                    let file = file.and_then(|file| after.elf(&file));
                    file.and_then(|file| lacking(&program, library, &file)).map(Harm::Lacks)
                }
            };
            let still = harm.is_some() && change.after.entry(&entry.path)?.is_some();
            if let Some(harm) = harm.filter(|_| still) {
                harmed.entry((was.by, harm)).or_default().push(entry.path.clone());
            }
        }
    }
    Ok(harmed.iter().map(|((library, harm), programs)| told(library, harm, programs)).collect())
}

/// The first version that `program` wants of `library`, and that `file` does not have.
fn lacking(program: &Elf, library: &[u8], file: &Elf) -> Option<Vec<u8>> {
    let mut wanted = program.wants.iter().filter(|(name, _)| name == library);
    let lacks = |version: &Vec<u8>| !file.gives.is_empty() && !file.gives.contains(version);
    wanted.find(|(_, version)| lacks(version)).map(|(_, version)| version.clone())
}

fn told(library: &RootPath, harm: &Harm, programs: &[RootPath]) -> Held {
    let count = programs.len();
    let why = match harm {
        Harm::Gone => {
            format!("removed by the service, and needed by {count} of the new system's programs")
        }
        Harm::Lacks(version) => {
            let version = escaped(version);
            format!(
                "the service's own takes its place and lacks {version}, which {count} of the new \
                 system's programs need"
            )
        }
    };
    let held = Held::new(HeldKind::Library, library, why);
    programs.iter().take(MOST_NAMED).fold(held, Held::file)
}

/// Names of libraries that a change may concern.
enum Names {
    All,
    These(BTreeSet<Vec<u8>>),
}

impl Names {
    fn covers(&self, name: &[u8]) -> bool {
        match self {
            Names::All => true,
            Names::These(names) => names.contains(name),
        }
    }
}

/// The names that the change concerns; `None` where it concerns none.
fn touched(change: &Change<'_>) -> Result<Option<Names>, TreeError> {
    let is_library = |name: &[u8]| name.windows(3).any(|part| part == b".so");
    let mut names = BTreeSet::new();
    for path in &change.placed {
        if *path == LIST {
            return Ok(Some(Names::All));
        }
        // What a link or a directory takes the place of is reached by other names too.
        if is_library(path.name()) {
            names.insert(path.name().to_vec());
        }
    }
    for path in &change.removed {
        if *path == LIST {
            return Ok(Some(Names::All));
        }
        let mut waiting = vec![path.clone()];
        let mut seen = 0;
        while let Some(path) = waiting.pop().filter(|_| seen < MOST_REMOVED) {
            seen += 1;
            if is_library(path.name()) {
                names.insert(path.name().to_vec());
            }
            waiting.extend(change.before.children(&path)?.into_iter().map(|child| child.path));
        }
    }
    // A library is found by links to its file.
    let all = Search::whole(change.before, &[]);
    names.extend(all.names_of(&names)?);
    Ok((!names.is_empty()).then_some(Names::These(names)))
}

#[cfg(test)]
mod tests {
    use super::super::elf::testing::elf;
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn told(
        before: &MemoryTree,
        after: &MemoryTree,
        placed: &[&str],
        removed: &[&str],
    ) -> Vec<String> {
        let change = Change {
            before,
            after,
            placed: placed.iter().map(|at| path(at)).collect(),
            removed: removed.iter().map(|at| path(at)).collect(),
        };
        let held = disturbed(&change).unwrap();
        held.iter().map(|held| format!("{} {:?}", held.subject, held.files)).collect()
    }

    #[test]
    fn a_removed_library_is_told_with_the_programs_that_need_it() {
        let rest = MemoryTree::default()
            .file("/usr/bin/tool", elf(62, &["liba.so.1"], "", None))
            .meta("/usr/bin/tool", |meta| meta.mode = 0o755);
        let before = rest
            .clone()
            .file("/usr/lib/liba.so.1.2", elf(62, &[], "", None))
            .link("/usr/lib/liba.so.1", "liba.so.1.2");
        let expected = [r#"/usr/lib/liba.so.1 ["/usr/bin/tool"]"#];
        assert_eq!(told(&before, &rest, &[], &["/usr/lib/liba.so.1.2"]), expected);
        assert_eq!(told(&before, &before, &[], &["/usr/share/doc"]), [""; 0]);
        let own = rest.file("/usr/local/lib/liba.so.1", elf(62, &[], "", None));
        let removed = ["/usr/lib/liba.so.1"];
        assert_eq!(told(&before, &own, &["/usr/local/lib/liba.so.1"], &removed), [""; 0]);
    }

    #[test]
    fn a_version_is_lacking_only_where_there_are_others() {
        let program = Elf {
            wants: vec![(b"liba.so".to_vec(), b"A_2".to_vec())],
            ..Elf::read(&mut std::io::Cursor::new(elf(62, &["liba.so"], "", None))).unwrap()
        };
        let lacks = |gives: &[&str]| {
            let gives = gives.iter().map(|version| version.as_bytes().to_vec()).collect();
            lacking(&program, b"liba.so", &Elf { gives, ..program.clone() })
        };
        assert_eq!(lacks(&["A_1"]), Some(b"A_2".to_vec()));
        assert_eq!(lacks(&["A_1", "A_2"]), None);
        assert_eq!(lacks(&[]), None);
    }
}
