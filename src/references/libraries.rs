//! Libraries and loaders that the service's own programs need.
//!
//! A library that the old system's loader found has to be found in the new one. One that was found
//! by other means, such as a variable in a script, counts as gone only when nothing of its name is
//! left.

use std::collections::{BTreeMap, BTreeSet};

use super::elf::{Elf, Machine};
use super::finding::Finding;
use super::named::{self, alike};
use super::question::Question;
use super::search::Search;
use crate::tree::{RootPath, TreeError, escaped, list};
use crate::verdict::{Held, HeldKind};

/// How many programs are named for one library.
const MOST_NAMED: usize = 100;

/// What a program asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Loader(Vec<u8>),
    Library(Vec<u8>),
    Version { library: Vec<u8>, version: Vec<u8> },
}

/// Who asks, and where the old system had it.
#[derive(Default)]
struct Gap {
    programs: Vec<RootPath>,
    was: Option<RootPath>,
}

type Gaps = BTreeMap<(Need, Machine), Gap>;

/// The libraries that kept programs found in the old system and do not find in the new one.
pub(super) fn look(question: &Question<'_>) -> Result<Vec<Finding>, TreeError> {
    let new = Search::whole(question.new, &variable(question));
    let old = Search::kept(question.old, new.listed());
    let own: BTreeSet<&RootPath> = question.kept.iter().map(|kept| &kept.path).collect();
    let (mut gaps, mut elsewhere) = (Gaps::new(), Gaps::new());
    for kept in question.kept {
        let Some(entry) = question.new.entry(&kept.path)? else { continue };
        let Some(program) = new.program(&entry) else {
            continue;
        };
        let miss = |gaps: &mut Gaps, need: Need, was: Option<RootPath>| {
            let gap = gaps.entry((need, program.machine)).or_default();
            gap.programs.push(kept.path.clone());
            gap.was = gap.was.take().or(was);
        };
        if let Some(loader) = &program.loader {
            let at = RootPath::root().aim(loader);
            if !question.is_there(&at) && question.was_there(&at) {
                miss(&mut gaps, Need::Loader(loader.clone()), Some(at));
            }
        }
        for library in &program.needed {
            let need = || Need::Library(library.clone());
            match new.find(library, &program, &kept.path)? {
                Some(found) if own.contains(&found.place) => {}
                Some(found) => {
                    for version in lacking(&new, question, &found.place, library, &program)? {
                        let library = library.clone();
                        miss(&mut gaps, Need::Version { library, version }, Some(found.by.clone()));
                    }
                }
                None => match old.find(library, &program, &kept.was)? {
                    Some(was) => miss(&mut gaps, need(), Some(was.by)),
                    None => miss(&mut elsewhere, need(), None),
                },
            }
        }
    }
    gaps.extend(gone(question, elsewhere)?);
    gaps.iter().map(|((need, machine), gap)| told(question, &new, need, *machine, gap)).collect()
}

/// Directories that a variable of the container names.
fn variable(question: &Question<'_>) -> Vec<RootPath> {
    let Some((_, settings)) = question.settings else { return vec![] };
    let values = settings.variable("LD_LIBRARY_PATH");
    let dirs = values.flat_map(|value| value.split(':')).filter(|dir| dir.starts_with('/'));
    dirs.map(|dir| RootPath::root().aim(dir.as_bytes())).collect()
}

/// The versions that `program` wants of its `library` at `place`, and that this does not have. A
/// library without versions is not asked for any.
fn lacking(
    search: &Search<'_>,
    question: &Question<'_>,
    place: &RootPath,
    library: &[u8],
    program: &Elf,
) -> Result<Vec<Vec<u8>>, TreeError> {
    let wanted = program.wants.iter().filter(|(file, _)| file == library);
    let Some(entry) = question.new.entry(place)? else { return Ok(vec![]) };
    let gives = search.elf(&entry).map(|elf| elf.gives.clone()).unwrap_or_default();
    if gives.is_empty() {
        return Ok(vec![]);
    }
    Ok(wanted.map(|(_, version)| version).filter(|v| !gives.contains(v)).cloned().collect())
}

/// Of what no loader found in the old system either, that which was there and is not any more.
fn gone(question: &Question<'_>, elsewhere: Gaps) -> Result<Gaps, TreeError> {
    let names: BTreeSet<Vec<u8>> = elsewhere
        .keys()
        .filter_map(|(need, _)| match need {
            Need::Library(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(Gaps::new());
    }
    let (was, is) = (named::find(question.old, &names)?, named::find(question.new, &names)?);
    let gone = elsewhere.into_iter().filter_map(|((need, machine), gap)| {
        let Need::Library(name) = &need else { return None };
        let was = was.get(name).filter(|_| !is.contains_key(name))?.first().cloned();
        Some(((need, machine), Gap { was, ..gap }))
    });
    Ok(gone.collect())
}

/// What a person is told of `gap`.
fn told(
    question: &Question<'_>,
    search: &Search<'_>,
    need: &Need,
    machine: Machine,
    gap: &Gap,
) -> Result<Finding, TreeError> {
    let others = match gap.programs.len() {
        0 | 1 => String::new(),
        many => format!("; {} more need it too", many - 1),
    };
    let why = match need {
        Need::Loader(loader) => {
            let loader = escaped(loader);
            format!("it is started by {loader}, which the new system does not have{others}")
        }
        Need::Library(library) => {
            let library = escaped(library);
            format!("it needs the library {library}, which the new system does not have{others}")
        }
        Need::Version { library, version } => {
            let (library, version) = (escaped(library), escaped(version));
            format!("it needs version {version} of {library}, which the new one lacks{others}")
        }
    };
    let first = gap.programs.first().cloned().unwrap_or_else(RootPath::root);
    let mut held = Held::new(HeldKind::Library, first, why);
    if let Some(was) = &gap.was {
        held = held.was(was);
    }
    if let (Need::Library(name), Some(was)) = (need, &gap.was) {
        for candidate in candidates(question, search, name, machine, was)? {
            held = held.candidate(candidate);
        }
    }
    for program in gap.programs.iter().take(MOST_NAMED) {
        held = held.file(program);
    }
    Ok(Finding::held(held))
}

/// Libraries of the new system that differ from `name` by their numbers only.
fn candidates(
    question: &Question<'_>,
    search: &Search<'_>,
    name: &[u8],
    machine: Machine,
    was: &RootPath,
) -> Result<Vec<RootPath>, TreeError> {
    let mut found = BTreeMap::new();
    let beside = was.parent().into_iter();
    for dir in beside.chain(search.places(machine)?.iter().cloned()) {
        for entry in list(question.new, &dir)? {
            let other = entry.path.name();
            if !alike(stem(name), stem(other)) || stem(other).len() == other.len() {
                continue;
            }
            let path = dir.child(other);
            let Ok(Some(place)) = crate::tree::resolve(question.new, &path) else { continue };
            let elf = question.new.entry(&place)?.and_then(|entry| search.elf(&entry));
            // The name that programs need it by, not those of its file and for compilers.
            let is_it = elf.is_some_and(|elf| {
                elf.machine == machine && elf.soname.as_deref().is_none_or(|name| name == other)
            });
            if is_it {
                found.entry(place).or_insert(path);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The name of a library without the numbers of its interface.
fn stem(name: &[u8]) -> &[u8] {
    let end = name.windows(3).position(|part| part == b".so").unwrap_or(name.len());
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::super::elf::testing::elf;
    use super::*;
    use crate::references::Kept;
    use crate::tree::memory::MemoryTree;

    const PLACE: &str = "/usr/lib/x86_64-linux-gnu";

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// What is told when what is kept of `old` comes into `new`.
    fn told(old: &MemoryTree, new: &MemoryTree, kept: &[&str]) -> Vec<Held> {
        let kept: Vec<Kept> =
            kept.iter().map(|at| Kept { path: path(at), was: path(at) }).collect();
        let question = Question { old, new, kept: &kept, settings: None };
        look(&question).unwrap().into_iter().filter_map(|finding| finding.held).collect()
    }

    #[test]
    fn a_library_that_only_the_old_system_has_is_held_with_todays() {
        let tool = elf(62, &["liba.so.1", "libc.so.6", "never.so"], "", None);
        let both = MemoryTree::default()
            .file("/usr/local/bin/tool", &tool)
            .file("/usr/local/bin/other", &tool)
            .file(format!("{PLACE}/libc.so.6"), elf(62, &[], "", None))
            .meta("/usr/local/bin/tool", |meta| meta.mode = 0o755)
            .meta("/usr/local/bin/other", |meta| meta.mode = 0o755);
        let library = elf(62, &[], "", None);
        let old = both.clone().file(format!("{PLACE}/liba.so.1"), library);
        let new = both
            .clone()
            .file(format!("{PLACE}/liba.so.2"), elf(62, &[], "", None))
            .file(format!("{PLACE}/liba.a"), "")
            .file("/usr/lib/i386-linux-gnu/liba.so.3", elf(3, &[], "", None));
        let held = told(&old, &new, &["/usr/local/bin/other", "/usr/local/bin/tool"]);
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(held[0].kind, HeldKind::Library);
        assert_eq!(held[0].subject, "/usr/local/bin/other");
        assert_eq!(held[0].was.as_deref(), Some(&*format!("{PLACE}/liba.so.1")));
        assert_eq!(held[0].candidates, [format!("{PLACE}/liba.so.2")]);
        assert_eq!(held[0].files, ["/usr/local/bin/other", "/usr/local/bin/tool"]);
        assert_eq!(told(&old, &old, &["/usr/local/bin/tool"]), []);
        assert_eq!(told(&both, &new, &["/usr/local/bin/tool"]), []);
    }

    #[test]
    fn what_brings_its_libraries_along_lacks_nothing() {
        let (tool, library) = (elf(62, &["liba.so"], "", None), elf(62, &["libb.so"], "", None));
        let tree = MemoryTree::default()
            .file("/opt/x/bin/tool", tool)
            .file("/opt/x/private/liba.so", library)
            .file("/opt/x/private/libb.so", elf(62, &[], "", None))
            .meta("/opt/x/bin/tool", |meta| meta.mode = 0o755);
        let kept = ["/opt/x/bin/tool", "/opt/x/private/liba.so", "/opt/x/private/libb.so"];
        assert_eq!(told(&tree, &tree, &kept), []);
        // What a script pointed to in a package's directory, and is gone from there.
        let old = tree.clone().file("/usr/lib/y/liba.so", "").file("/usr/lib/y/libz.so", "");
        let new = MemoryTree::default().file("/opt/z.so", elf(62, &["libz.so"], "", None));
        let old = old.file("/opt/z.so", "");
        let held = told(&old, &new, &["/opt/z.so"]);
        assert_eq!(held[0].was.as_deref(), Some("/usr/lib/y/libz.so"));
    }

    #[test]
    fn a_loader_that_is_gone_is_held() {
        let tool = elf(3, &[], "", Some("/lib/ld-linux.so.2"));
        let new = MemoryTree::default()
            .file("/opt/game", tool)
            .meta("/opt/game", |meta| meta.mode = 0o755);
        let old = new.clone().file("/lib/ld-linux.so.2", "");
        let held = told(&old, &new, &["/opt/game"]);
        assert_eq!(held[0].was.as_deref(), Some("/lib/ld-linux.so.2"));
        assert_eq!(told(&new, &new, &["/opt/game"]), []);
    }
}
