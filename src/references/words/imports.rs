//! Modules that a program asks its interpreter for by name.
//!
//! Interpreters lose modules from version to version, and modules come with packages that nobody
//! asked for. A name counts only where a package of the old system had the module, and nothing in
//! the new one has it, wherever that is. What is tried, or asked for under a condition, may be done
//! without, so it does not count: where the indent tells no blocks, that is all but what stands at
//! the left edge.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::blocks::is_sure;
use super::lookup::Lookup;
use super::shell::base;
use super::strings::Strings;
use super::text::Text;
use crate::tree::{RootPath, Tree, TreeError, list, read_file, resolve};

/// Below these, interpreters have directories of modules.
const LIBRARIES: [RootPath; 3] = [
    RootPath::literal("/usr/lib"),
    RootPath::literal("/usr/lib64"),
    RootPath::literal("/usr/share"),
];

/// The same, without any package's part in it.
const OWN: [RootPath; 4] = [
    RootPath::literal("/usr/local/lib"),
    RootPath::literal("/usr/local/lib64"),
    RootPath::literal("/usr/local/share"),
    RootPath::literal("/var/lib"),
];

/// Where interpreters are, and the libraries that they are made of.
const INTERPRETERS: [RootPath; 5] = [
    RootPath::literal("/usr/bin"),
    RootPath::literal("/usr/lib"),
    RootPath::literal("/usr/lib64"),
    RootPath::literal("/usr/local/bin"),
    RootPath::literal("/usr/local/lib"),
];

/// Larger than any interpreter, in bytes.
const MAX_INTERPRETER: u64 = 64 << 20;

/// Directories of modules in those that are called by an interpreter, besides versions.
const PARTS: &[&[u8]] = &[
    b"dist-packages",
    b"gems",
    b"lib-dynload",
    b"rubygems-integration",
    b"site-packages",
    b"site_perl",
    b"vendor_perl",
    b"vendor_ruby",
];

/// How deep directories of modules lie in each other.
const DEPTH: usize = 4;

/// More directories than all interpreters look in, and more modules than are remembered.
const MOST: usize = 4096;

/// Where a module is named in a line, and its path below a directory of modules.
type Asked = (Range<usize>, Vec<u8>);

/// How programs of a language ask for modules.
struct Language {
    /// What its interpreter is called, without a version.
    interpreter: &'static str,
    /// What the directories of its modules are called at the beginning.
    dirs: &'static [&'static [u8]],
    /// Endings of its texts.
    endings: &'static [&'static [u8]],
    /// How the file of a module ends.
    files: &'static [&'static str],
    /// What stands in the interpreter before and after the names of modules that are part of it.
    within: Option<(&'static [u8], &'static [u8])>,
    /// Modules that something else lends when they are gone, each with the module that does.
    lent: &'static [(&'static [u8], &'static [u8])],
    /// Where the names of modules stand in a line, and what they are as paths.
    asked: fn(&[u8]) -> Vec<Asked>,
    /// Its blocks are told by their indent.
    indented: bool,
    /// How it writes texts over several lines.
    strings: Strings,
    /// What ends the text, and what is left out of it.
    end: &'static [&'static [u8]],
}

const LANGUAGES: &[Language] = &[
    Language {
        interpreter: "python",
        dirs: &[b"python3"],
        endings: &[b".py"],
        files: &[".py", "/__init__.py"],
        // The function that begins a module, which is seen from outside.
        within: Some((b"PyInit_", b"\0")),
        // What the interpreter had until 3.11, and setuptools puts in its place at each start.
        lent: &[(b"distutils", b"_distutils_hack")],
        asked: asked_of_python,
        indented: true,
        strings: Strings::Quoted,
        end: &[],
    },
    Language {
        interpreter: "perl",
        dirs: &[b"perl", b"site_perl"],
        endings: &[b".pl", b".pm"],
        files: &[".pm"],
        // Compiled modules have a text beside them.
        within: None,
        lent: &[],
        asked: asked_of_perl,
        indented: false,
        strings: Strings::HereDocuments,
        end: &[b"__END__", b"__DATA__"],
    },
    Language {
        interpreter: "ruby",
        dirs: &[b"ruby", b"gems", b"site_ruby"],
        endings: &[b".rb"],
        files: &[".rb"],
        // What it says to have been loaded already.
        within: Some((b"\0", b".so\0")),
        lent: &[],
        asked: asked_of_ruby,
        indented: false,
        strings: Strings::HereDocuments,
        end: &[b"__END__"],
    },
];

/// Where the interpreters of both systems look for modules, found out once for each language.
#[derive(Default)]
pub(super) struct Places {
    dirs: BTreeMap<&'static str, Dirs>,
    /// What is within the new interpreters; `None` where that is not known.
    within: BTreeMap<&'static str, Option<BTreeSet<Vec<u8>>>>,
    /// Where modules were that are gone; nothing of those that are not.
    asked: BTreeMap<(&'static str, Vec<u8>), Option<RootPath>>,
}

/// The directories of one language.
struct Dirs {
    /// Of packages of the old system.
    theirs: Vec<RootPath>,
    /// Others of the old system.
    own: Vec<RootPath>,
    now: Vec<RootPath>,
}

/// A module that a text asks for.
pub(super) struct Missing {
    /// Where its name stands in the text.
    pub(super) at: Range<usize>,
    /// Where the old system had it.
    pub(super) place: RootPath,
}

/// The modules that `text` asks for and that are gone.
///
/// # Errors
/// One of the systems cannot be read.
pub(super) fn missing(
    text: &Text,
    lookup: &Lookup<'_>,
    places: &mut Places,
) -> Result<Vec<Missing>, TreeError> {
    let Some(language) = language(text, lookup) else { return Ok(vec![]) };
    let mut found = Vec::new();
    let mut is_told = false;
    // Comments and lines of a package may begin and end a string.
    let within = language.strings.within(&text.bytes);
    let all: Vec<Range<usize>> = text.lines().collect();
    for (number, is_within) in within.into_iter().enumerate().take(all.len()) {
        if is_within {
            continue;
        }
        let mut line = all[number].clone();
        let words = &text.counting[line.clone()];
        if language.end.iter().any(|end| words.trim_ascii_end() == *end) {
            break;
        }
        // Documentation in the midst of a program.
        if words.first() == Some(&b'=') && words.get(1).is_some_and(u8::is_ascii_lowercase) {
            is_told = !words.starts_with(b"=cut");
        }
        let words = words.trim_ascii_start();
        let indent = line.len() - words.len();
        line.start += indent;
        if is_told
            || (indent > 0 && !language.indented)
            || !words.first().is_some_and(u8::is_ascii_lowercase)
        {
            continue;
        }
        for (range, module) in (language.asked)(words) {
            if indent > 0 && !is_sure(&text.counting, &all, number) {
                break;
            }
            if let Some(place) = places.gone(lookup, language, module)? {
                found.push(Missing { at: line.start + range.start..line.start + range.end, place });
            }
        }
    }
    Ok(found)
}

impl Places {
    /// Where the old system had a module, if it is gone.
    fn gone(
        &mut self,
        lookup: &Lookup<'_>,
        language: &'static Language,
        module: Vec<u8>,
    ) -> Result<Option<RootPath>, TreeError> {
        let key = (language.interpreter, module);
        if let Some(known) = self.asked.get(&key) {
            return Ok(known.clone());
        }
        let question = lookup.question;
        let dirs = match self.dirs.entry(language.interpreter) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Dirs {
                theirs: directories(question.old, language, &LIBRARIES)?,
                own: directories(question.old, language, &OWN)?,
                now: directories(question.new, language, &[&LIBRARIES[..], &OWN].concat())?,
            }),
        };
        let module = key.1.as_slice();
        let was = |dirs: &[RootPath]| {
            let files = |dir| language.files.iter().map(move |file| below(dir, module, file));
            dirs.iter().flat_map(files).find(|file| question.was_there(file))
        };
        let mut place = was(&dirs.theirs);
        if place.is_none() && language.within.is_some() {
            place = compiled(question.old, &dirs.theirs, module)?;
            if place.is_some() {
                let within = match self.within.entry(language.interpreter) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(within(question.new, language)?),
                };
                // What was compiled may be part of the interpreter now.
                place = place.filter(|_| within.as_ref().is_some_and(|all| !all.contains(module)));
            }
        }
        if place.is_some()
            && (was(&dirs.own).is_some()
                || compiled(question.old, &dirs.own, module)?.is_some()
                || is_in(question.new, &dirs.now, language, module)?
                || is_kept(lookup, language, module))
        {
            place = None;
        }
        if self.asked.len() >= MOST {
            self.asked.clear();
        }
        self.asked.insert(key, place.clone());
        Ok(place)
    }
}

/// The language of a text, where the old system's interpreter of it is known.
fn language(text: &Text, lookup: &Lookup<'_>) -> Option<&'static Language> {
    let first = text.bytes.split(|b| *b == b'\n').next().unwrap_or_default().strip_prefix(b"#!");
    let mut words = first.unwrap_or_default().split(u8::is_ascii_whitespace);
    let named = words.find_map(|word| {
        let name = base(word);
        let of = |language: &&Language| {
            let rest = name.strip_prefix(language.interpreter.as_bytes());
            rest.is_some_and(|rest| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
        };
        LANGUAGES.iter().find(of).map(|language| (language, name))
    });
    match named {
        // A name without a version is one of several: where it led says which.
        Some((language, name)) => {
            let digits = |name: &[u8]| name.iter().find(|b| b.is_ascii_digit()).copied();
            let version = digits(name).or_else(|| digits(lookup.led_to(name)?.name()));
            let wanted = language.dirs.iter().find_map(|dir| digits(dir));
            (wanted.is_none() || version == wanted).then_some(language)
        }
        None if first.is_some() => None,
        None => {
            let name = text.path.name();
            let of = |language: &&Language| language.endings.iter().any(|end| name.ends_with(end));
            LANGUAGES.iter().find(of)
        }
    }
}

fn below(dir: &RootPath, module: &[u8], ending: &str) -> RootPath {
    dir.join(&RootPath::root().aim(&[module, ending.as_bytes()].concat()))
}

/// A module's name without the directories above it, and those.
fn parts(module: &[u8]) -> (&[u8], &[u8]) {
    match module.iter().rposition(|b| *b == b'/') {
        Some(at) => (&module[..at], &module[at + 1..]),
        None => (b"", module),
    }
}

/// Where one of `dirs` has the module as something compiled, `NAME.so` or `NAME.ABI.so`.
fn compiled(
    tree: &dyn Tree,
    dirs: &[RootPath],
    module: &[u8],
) -> Result<Option<RootPath>, TreeError> {
    let (above, name) = parts(module);
    for dir in dirs {
        let found = list(tree, &below(dir, above, ""))?.into_iter().find(|entry| {
            let rest = entry.path.name().strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(b".") && rest.ends_with(b".so"))
        });
        if found.is_some() {
            return Ok(found.map(|entry| entry.path));
        }
    }
    Ok(None)
}

/// The modules within the interpreters of a system; `None` where one cannot be read, or there is
/// none in the usual places.
fn within(tree: &dyn Tree, language: &Language) -> Result<Option<BTreeSet<Vec<u8>>>, TreeError> {
    let Some((before, after)) = language.within else { return Ok(None) };
    let (program, library) = (language.interpreter, format!("lib{}", language.interpreter));
    let is_one = |name: &[u8]| {
        let versions = |rest: &[u8]| rest.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        let is_library = || {
            let is_shared = name.windows(3).any(|part| part == b".so");
            name.starts_with(library.as_bytes()) && is_shared
        };
        name.strip_prefix(program.as_bytes()).is_some_and(versions) || is_library()
    };
    let mut files = BTreeSet::new();
    for dir in INTERPRETERS {
        for entry in list(tree, &dir)? {
            let name = entry.path.name();
            let mut found = vec![];
            if entry.kind.is_dir() && name.windows(7).any(|part| part == b"-linux-") {
                found.extend(list(tree, &dir.child(name))?.into_iter().map(|entry| entry.path));
            } else {
                found.push(entry.path.clone());
            }
            for path in found.iter().filter(|path| is_one(path.name())) {
                files.extend(resolve(tree, path)?);
            }
        }
    }
    let mut names = BTreeSet::new();
    let mut is_known = false;
    for file in &files {
        match read_file(tree, file, MAX_INTERPRETER) {
            Ok(Some(bytes)) => {
                is_known = true;
                names.extend(between(&bytes, before, after).map(<[u8]>::to_vec));
            }
            // A directory of the interpreter's name.
            Ok(None) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(is_known.then_some(names))
}

/// The names that stand in `bytes` between `before` and `after`.
fn between<'a>(
    bytes: &'a [u8],
    before: &'a [u8],
    after: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let starts = (0..bytes.len()).filter(move |at| bytes[*at..].starts_with(before));
    starts.filter_map(move |at| {
        let rest = &bytes[at + before.len()..];
        let is_part = |b: &&u8| b.is_ascii_alphanumeric() || b"_/".contains(b);
        let length = rest.iter().take_while(is_part).count();
        (length > 0 && rest[length..].starts_with(after)).then(|| &rest[..length])
    })
}

/// Whether a module of that name is the service's own, wherever it lies.
fn is_kept(lookup: &Lookup<'_>, language: &Language, module: &[u8]) -> bool {
    let is_file = |path: &RootPath, file: &str| {
        path.as_bytes()
            .strip_suffix(file.as_bytes())
            .and_then(|path| path.strip_suffix(module))
            .is_some_and(|dir| dir.ends_with(b"/"))
    };
    let (above, name) = parts(module);
    let is_compiled = |path: &RootPath| {
        let rest = path.name().strip_prefix(name);
        path.name().ends_with(b".so")
            && rest.is_some_and(|rest| rest.starts_with(b"."))
            && path.parent_bytes().is_some_and(|dir| dir.ends_with(above))
    };
    let is_module = |path: &RootPath| {
        is_compiled(path) || language.files.iter().any(|file| is_file(path, file))
    };
    lookup.question.kept.iter().any(|kept| is_module(&kept.path))
}

/// Whether one of `dirs` has the module in any form: a text, a directory, something compiled.
fn is_in(
    tree: &dyn Tree,
    dirs: &[RootPath],
    language: &Language,
    module: &[u8],
) -> Result<bool, TreeError> {
    let (above, name) = parts(module);
    let first = module.split(|b| *b == b'/').next().unwrap_or(module);
    let lender = language.lent.iter().find(|(lent, _)| *lent == first);
    for dir in dirs {
        if let Some((_, lender)) = lender
            && resolve(tree, &dir.child(lender))?.is_some()
        {
            return Ok(true);
        }
        for entry in list(tree, &below(dir, above, ""))? {
            let rest = entry.path.name().strip_prefix(name);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b".")) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The directories in which the language's modules are looked for, below `libraries`.
fn directories(
    tree: &dyn Tree,
    language: &Language,
    libraries: &[RootPath],
) -> Result<Vec<RootPath>, TreeError> {
    let begins = |name: &[u8]| language.dirs.iter().any(|dir| name.starts_with(dir));
    let mut waiting: Vec<(RootPath, usize)> = Vec::new();
    for library in libraries {
        for entry in list(tree, library)? {
            let name = entry.path.name();
            // Libraries of a machine have a directory that is named by it.
            if name.windows(7).any(|part| part == b"-linux-") {
                let of_machine = list(tree, &library.child(name))?;
                let of_machine = of_machine.iter().map(|entry| entry.path.name());
                let dir = library.child(name);
                waiting.extend(of_machine.filter(|n| begins(n)).map(|n| (dir.child(n), 0)));
            } else if begins(name) || PARTS.contains(&name) {
                waiting.push((library.child(name), 0));
            }
        }
    }
    let mut found = Vec::new();
    while let Some((dir, depth)) = waiting.pop() {
        if found.len() >= MOST {
            break;
        }
        if depth < DEPTH {
            let is_gems = dir.name() == b"gems";
            for entry in list(tree, &dir)? {
                let name = entry.path.name();
                let is_version = name.iter().all(|b| b.is_ascii_digit() || *b == b'.');
                // What packages of the language bring lies in a directory for each.
                // Compiled modules lie in one that is named by the machine.
                let is_part = PARTS.contains(&name)
                    || name == b"all"
                    || is_version
                    || name.windows(6).any(|part| part == b"-linux");
                if is_gems && !is_part {
                    waiting.push((dir.child(name).child(b"lib"), DEPTH));
                } else if is_part {
                    waiting.push((dir.child(name), depth + 1));
                }
            }
        }
        if resolve(tree, &dir)?.is_some() {
            found.push(dir);
        }
    }
    Ok(found)
}

/// The words of a line that `split` parts, each with its place.
fn words<'a>(
    line: &'a [u8],
    from: usize,
    split: &'a dyn Fn(u8) -> bool,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut at = from;
    std::iter::from_fn(move || {
        at += line.get(at..)?.iter().position(|b| !split(*b))?;
        let end = line[at..].iter().position(|b| split(*b)).map_or(line.len(), |end| at + end);
        let word = at..end;
        at = end;
        Some(word)
    })
}

/// `import a, b.c as d` and `from a.b import c`.
fn asked_of_python(line: &[u8]) -> Vec<Asked> {
    let is_name = |word: &[u8]| {
        let all = word.iter().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(b));
        all && word.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
    };
    let path = |word: &[u8]| -> Vec<u8> {
        word.iter().map(|b| if *b == b'.' { b'/' } else { *b }).collect()
    };
    let space = |b: u8| b.is_ascii_whitespace();
    let parts = |b: u8| b == b',' || b == b';';
    let modules: Vec<Range<usize>> = if line.starts_with(b"from ") {
        words(line, 5, &space).take(1).collect()
    } else if line.starts_with(b"import ") {
        let statement = line.iter().position(|b| *b == b';').unwrap_or(line.len());
        let each = words(&line[..statement], 7, &parts).collect::<Vec<_>>();
        each.into_iter()
            .filter_map(|part| words(&line[..part.end], part.start, &space).next())
            .collect()
    } else {
        vec![]
    };
    let named = modules.into_iter().filter(|range| is_name(&line[range.clone()]));
    named.map(|range| (range.clone(), path(&line[range]))).collect()
}

/// `use A::B ...;` and `require A::B;`, several in a line.
fn asked_of_perl(line: &[u8]) -> Vec<Asked> {
    let mut found = Vec::new();
    let ends = |b: u8| b == b';';
    let space = |b: u8| b.is_ascii_whitespace() || b == b'(';
    for part in words(line, 0, &ends) {
        let mut parts = words(&line[..part.end], part.start, &space);
        let (Some(word), Some(module)) = (parts.next(), parts.next()) else { break };
        let name = &line[module.clone()];
        let is_asked = matches!(&line[word], b"use" | b"require")
            && name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(b));
        if !is_asked {
            break;
        }
        found.push((module, String::from_utf8_lossy(name).replace("::", "/").into_bytes()));
    }
    found
}

/// `require 'a/b'`.
fn asked_of_ruby(line: &[u8]) -> Vec<Asked> {
    let Some(rest) = line.strip_prefix(b"require") else { return vec![] };
    let quotes = |b: u8| b == b'\'' || b == b'"';
    let (true, Some(module)) = (
        rest.trim_ascii_start().first().is_some_and(|b| quotes(*b) || *b == b'('),
        words(line, line.len() - rest.len(), &quotes).nth(
            // What stands before the first quote is a word as well.
            usize::from(!rest.first().is_some_and(|b| quotes(*b))),
        ),
    ) else {
        return vec![];
    };
    let name = &line[module.clone()];
    let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || b"_-/".contains(b));
    if plain { vec![(module.clone(), name.to_vec())] } else { vec![] }
}
