//! Modules that lie in directories named by the version of their interpreter.
//!
//! The new interpreter looks in the directory of its own version. Modules without compiled parts
//! are moved there; compiled ones have to be made again by a person, who is told.

use std::collections::{BTreeMap, BTreeSet};

use super::elf::Elf;
use super::finding::{Cure, Finding};
use super::question::{Kept, Question};
use super::search::may_be_program;
use super::versioned::{self, Named, Today, Versions};
use crate::tree::{RootPath, TreeError, escaped};
use crate::verdict::{Held, HeldKind};

/// Below it everything is somebody's own, and in the places that interpreters look for it.
const LOCAL: RootPath = RootPath::literal("/usr/local");

/// What is made again by use.
const PASSING: [RootPath; 4] = [
    RootPath::literal("/var/log"),
    RootPath::literal("/var/cache"),
    RootPath::literal("/tmp"),
    RootPath::literal("/run"),
];

/// How many files are named in one finding.
const MOST_NAMED: usize = 20;

/// The kept modules for interpreters whose version is gone.
pub(super) fn look(question: &Question<'_>) -> Result<Vec<Finding>, TreeError> {
    let versions = Versions::compare(question, &versioned::of_kept(question))?;
    let mut groups: BTreeMap<RootPath, (Today, Vec<&Kept>)> = BTreeMap::new();
    for kept in question.kept {
        if PASSING.iter().any(|dir| kept.path.is_within(dir)) {
            continue;
        }
        let mut dirs = kept.path.ancestors();
        let found = dirs.find_map(|dir| Some((versions.today(&dir)?, dir)));
        if let Some((today, dir)) = found {
            groups.entry(dir).or_insert_with(|| (today, vec![])).1.push(kept);
        }
    }
    let mut findings = Vec::new();
    let mut own = BTreeMap::new();
    for (dir, (today, modules)) in groups {
        let is_own = match own.get(&today.subject) {
            Some(known) => *known,
            None => has_own_interpreter(question, &today.subject)?,
        };
        own.insert(today.subject.clone(), is_own);
        if !is_own {
            findings.extend(judge(question, &dir, &today, &modules)?);
        }
    }
    Ok(findings)
}

/// Whether an interpreter of that name is the service's own: its modules are as it needs them.
fn has_own_interpreter(question: &Question<'_>, subject: &str) -> Result<bool, TreeError> {
    for kept in question.kept {
        let in_bin = kept.path.parent().is_some_and(|dir| dir.name() == b"bin");
        let Some(rest) = kept.path.name().strip_prefix(subject.as_bytes()) else { continue };
        let is_version = rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        if in_bin && is_version && elf(question, &kept.path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn elf(question: &Question<'_>, path: &RootPath) -> Result<Option<Elf>, TreeError> {
    let entry = question.new.entry(path)?.filter(may_be_program);
    let content = entry.and_then(|entry| question.new.open(&entry).ok());
    Ok(content.and_then(|mut content| Elf::read(&mut *content)))
}

/// What becomes of `modules` in `dir`.
fn judge(
    question: &Question<'_>,
    dir: &RootPath,
    today: &Today,
    modules: &[&Kept],
) -> Result<Vec<Finding>, TreeError> {
    let mut compiled = Vec::new();
    let mut files = 0;
    for kept in modules {
        let Some(entry) = question.new.entry(&kept.path)? else { continue };
        files += usize::from(!entry.kind.is_dir());
        if elf(question, &kept.path)?.is_some() {
            compiled.push(&kept.path);
        }
    }
    if files == 0 {
        return Ok(vec![]);
    }
    let places: Vec<RootPath> =
        today.versions.iter().filter_map(|version| versioned::renamed(dir, version)).collect();
    let named = Named::read(dir.name()).map(|_| escaped(dir.name())).unwrap_or_default();
    let hold = |subject: &RootPath, why: String, files: &[&RootPath]| {
        let mut held = Held::new(HeldKind::Modules, subject, why).was(&named);
        held = places.iter().fold(held, Held::candidate);
        Finding::held(files.iter().take(MOST_NAMED).fold(held, Held::file))
    };
    let (true, [place]) = (dir.is_within(&LOCAL), places.as_slice()) else {
        let why = "what lies here is for a version that the new system does not have";
        let all: Vec<&RootPath> = modules.iter().map(|kept| &kept.path).collect();
        return Ok(vec![hold(dir, why.to_owned(), &all)]);
    };
    let parts = parts(question, dir, place, &compiled, modules)?;
    let mut findings: Vec<Finding> = parts
        .moved
        .into_iter()
        .map(|(from, to)| {
            let what = format!("modules are looked for in {place} now, and were in {dir}");
            Finding::cured(Cure::Move { from, to, what })
        })
        .collect();
    if !compiled.is_empty() {
        let why = format!(
            "compiled for a version of {} that the new system does not have",
            today.subject
        );
        findings.push(hold(dir, why, &compiled));
    }
    for path in parts.taken {
        let why = "the new system has a file of its own where this would be found";
        findings.push(hold(&path, why.to_owned(), &[&path]));
    }
    Ok(findings)
}

/// What of a directory moves where, and for what there is something else already.
#[derive(Default)]
struct Parts {
    moved: Vec<(RootPath, RootPath)>,
    taken: Vec<RootPath>,
}

/// Parts `dir` into what moves to `place` and what does not: what belongs to a compiled module, and
/// what would take the place of something else.
fn parts(
    question: &Question<'_>,
    dir: &RootPath,
    place: &RootPath,
    compiled: &[&RootPath],
    modules: &[&Kept],
) -> Result<Parts, TreeError> {
    // `auto/Foo/Bar/Bar.so` belongs to what is called `Foo`, `_foo.cpython-39.so` to `foo`.
    let stem = |name: &[u8]| -> Vec<u8> {
        let end = name.iter().position(|byte| b".-".contains(byte)).unwrap_or(name.len());
        name[..end].to_ascii_lowercase()
    };
    let below = |path: &RootPath| path.strip_prefix(dir);
    let words = compiled.iter().filter_map(|path| below(path));
    let words: BTreeSet<Vec<u8>> = words
        .flat_map(|path| {
            let names = path.components().map(stem);
            names
                .flat_map(|name| [name.trim_ascii_start().to_vec(), bare(&name)])
                .collect::<Vec<_>>()
        })
        .collect();
    let mut parts = Parts::default();
    let mut waiting = vec![(dir.clone(), place.clone())];
    while let Some((from, to)) = waiting.pop() {
        let holds_compiled = compiled.iter().any(|path| path.is_within(&from));
        let is_compiled = from != *dir && words.contains(&stem(from.name()));
        let children = children(&from, modules);
        if holds_compiled && (from == *dir || children.len() == 1 && !is_compiled) {
            waiting.extend(both(&children, &to));
        } else if holds_compiled || is_compiled {
        } else if !question.is_there(&to) {
            parts.moved.push((from, to));
        } else if children.is_empty() {
            parts.taken.push(from);
        } else {
            waiting.extend(both(&children, &to));
        }
    }
    parts.moved.sort();
    parts.taken.sort();
    Ok(parts)
}

/// The name without the mark of what is private.
fn bare(name: &[u8]) -> Vec<u8> {
    name.strip_prefix(b"_").unwrap_or(name).to_vec()
}

fn both(children: &BTreeSet<RootPath>, to: &RootPath) -> Vec<(RootPath, RootPath)> {
    children.iter().map(|child| (child.clone(), to.child(child.name()))).collect()
}

/// What lies directly below `dir`, of `modules`.
fn children(dir: &RootPath, modules: &[&Kept]) -> BTreeSet<RootPath> {
    let below = modules.iter().filter_map(|kept| kept.path.strip_prefix(dir));
    let first = |path: RootPath| path.components().next().map(|name| dir.child(name));
    below.filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::super::elf::testing::elf as program;
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// What is found when `own` of an old system comes into a new one, the packages apart.
    fn found(old: MemoryTree, new: MemoryTree, own: &[(&str, &[u8])]) -> Vec<String> {
        let put = |tree: MemoryTree| {
            own.iter().fold(tree, |tree, (at, bytes)| {
                tree.file(at, bytes).meta(at, |meta| meta.mode = 0o755)
            })
        };
        let (old, new) = (put(old), put(new));
        let mut kept: Vec<Kept> =
            own.iter().map(|(at, _)| Kept { path: path(at), was: path(at) }).collect();
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        let question = Question { old: &old, new: &new, kept: &kept, settings: None };
        look(&question)
            .unwrap()
            .into_iter()
            .map(|finding| match (finding.cure, finding.held) {
                (Some(Cure::Move { from, to, .. }), None) => format!("{from} -> {to}"),
                (None, Some(held)) => {
                    format!("{:?} {} {:?}", held.kind, held.subject, held.candidates)
                }
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn modules_move_to_the_directory_of_todays_interpreter() {
        let old = || MemoryTree::default().file("/usr/bin/perl5.32.1", "");
        let new = || MemoryTree::default().file("/usr/bin/perl5.40.1", "");
        let own: &[(&str, &[u8])] = &[("/usr/local/share/perl/5.32.1/Attic/Pure.pm", b"1;")];
        let moved = "/usr/local/share/perl/5.32.1 -> /usr/local/share/perl/5.40.1";
        assert_eq!(found(old(), new(), own), [moved]);
        // The interpreter of that version is still there, or never was, or is the service's own.
        assert_eq!(found(old(), new().file("/usr/bin/perl5.32.1", ""), own), [""; 0]);
        assert_eq!(found(MemoryTree::default(), new(), own), [""; 0]);
        let interpreter = program(62, &[], "", None);
        let all = [own[0], ("/usr/local/bin/perl", interpreter.as_slice())];
        assert_eq!(found(old(), new(), &all), [""; 0]);
        assert_eq!(found(old(), MemoryTree::default(), own), [""; 0]);
    }

    #[test]
    fn compiled_modules_are_held_and_those_beside_them_move() {
        let old = MemoryTree::default().dir("/usr/lib/x86_64-linux-gnu/perl/5.32.1");
        let new = MemoryTree::default().dir("/usr/lib/x86_64-linux-gnu/perl/5.40.1");
        let dir = "/usr/local/lib/x86_64-linux-gnu/perl/5.32.1";
        let library = program(62, &[], "", None);
        let at =
            ["auto/Foo/Bar/Bar.so", "Foo/Bar.pm", "Attic/Pure.pm"].map(|n| format!("{dir}/{n}"));
        let own = [
            (at[0].as_str(), library.as_slice()),
            (at[1].as_str(), b"1;".as_slice()),
            (at[2].as_str(), b"1;".as_slice()),
        ];
        let today = dir.replace("5.32.1", "5.40.1");
        let expected =
            [format!("{dir}/Attic -> {today}/Attic"), format!("Modules {dir} [{today:?}]")];
        assert_eq!(found(old, new, &own), expected);
    }

    #[test]
    fn what_the_new_system_has_itself_is_not_replaced() {
        let old = MemoryTree::default().dir("/usr/lib/python3.9");
        let new = MemoryTree::default()
            .dir("/usr/lib/python3.13")
            .file("/usr/local/lib/python3.13/dist-packages/six.py", "theirs");
        let dir = "/usr/local/lib/python3.9/dist-packages";
        let (six, own) = (format!("{dir}/six.py"), format!("{dir}/own.py"));
        let own = [(six.as_str(), b"1".as_slice()), (own.as_str(), b"2".as_slice())];
        let today = "/usr/local/lib/python3.13";
        assert_eq!(
            found(old, new, &own),
            [
                format!("{dir}/own.py -> {today}/dist-packages/own.py"),
                format!("Modules {dir}/six.py [{today:?}]"),
            ]
        );
    }

    #[test]
    fn what_packages_own_the_place_of_is_held() {
        let old = MemoryTree::default()
            .file("/usr/lib/php/20190902/theirs.so", "")
            .dir("/usr/lib/ruby/2.7.0");
        let new = MemoryTree::default()
            .file("/usr/lib/php/20240924/theirs.so", "")
            .dir("/usr/lib/ruby/3.3.0");
        let library = program(62, &[], "", None);
        let own: &[(&str, &[u8])] = &[
            ("/usr/lib/php/20190902/own.so", &library),
            ("/usr/local/lib/site_ruby/2.7.0/own.rb", b""),
            ("/home/u/.gem/ruby/2.7.0/gems/own/own.rb", b""),
        ];
        assert_eq!(
            found(old, new, own),
            [
                r#"Modules /home/u/.gem/ruby/2.7.0 ["/home/u/.gem/ruby/3.3.0"]"#,
                r#"Modules /usr/lib/php/20190902 ["/usr/lib/php/20240924"]"#,
                "/usr/local/lib/site_ruby/2.7.0 -> /usr/local/lib/site_ruby/3.3.0",
            ]
        );
    }
}
