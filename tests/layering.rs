//! The shape of the house, kept: which top-level module may use which, that no files of a module go
//! round in a circle, where the outside world is let in, that no application is named, that the
//! README says the exit codes that the program has, and that `tests/run.sh` runs every test binary.
//!
//! Code behind `#[cfg(test)]` is not looked at. Whoever needs a new edge adds it to [`EDGES`], in
//! the same change as the line in `docs/ARCHITECTURE.md` that says why.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regrow::layout::{LayoutDb, Scope};

/// Every module of the library with the modules that it uses, no more and no fewer.
const EDGES: &[(&str, &[&str])] = &[
    ("accounts", &["tree"]),
    (
        "archive",
        &[
            "bundle",
            "classify",
            "copies",
            "declared",
            "defaults",
            "engine",
            "environments",
            "failure",
            "family",
            "image",
            "init",
            "layout",
            "monitor",
            "observe",
            "packages",
            "service",
            "source",
            "survey",
            "system",
            "tree",
            "verdict",
        ],
    ),
    ("bundle", &["facts", "failure", "monitor", "pax", "service", "tree", "verdict"]),
    ("cancel", &[]),
    (
        "classify",
        &["accounts", "declared", "environments", "image", "layout", "packages", "tree", "verdict"],
    ),
    ("copies", &["engine", "failure", "monitor", "pack", "source", "system", "tree"]),
    ("declared", &["init", "packages", "tree"]),
    ("defaults", &["tree"]),
    ("engine", &["cancel", "failure", "service", "tree"]),
    ("environments", &["tree"]),
    ("facts", &["environments", "service", "tree"]),
    ("failure", &["cancel", "tree"]),
    (
        "family",
        &["accounts", "environments", "failure", "packages", "survey", "system", "tree", "verdict"],
    ),
    ("image", &["tree", "verdict"]),
    ("init", &["tree"]),
    ("layout", &["failure", "tree", "verdict"]),
    ("monitor", &["cancel"]),
    ("namespace", &["cancel", "tree"]),
    ("observe", &["engine", "facts", "failure", "init", "service", "system", "tree", "verdict"]),
    ("pack", &["pax", "tree"]),
    ("packages", &["init", "tree"]),
    ("pax", &["tree"]),
    ("references", &["accounts", "packages", "service", "tree", "verdict"]),
    (
        "report",
        &[
            "archive", "bundle", "classify", "facts", "failure", "layout", "restore", "tree",
            "verdict",
        ],
    ),
    (
        "restore",
        &[
            "accounts",
            "bundle",
            "cancel",
            "copies",
            "defaults",
            "engine",
            "environments",
            "failure",
            "family",
            "init",
            "layout",
            "monitor",
            "observe",
            "packages",
            "pax",
            "references",
            "service",
            "source",
            "survey",
            "system",
            "tree",
            "verdict",
        ],
    ),
    ("service", &[]),
    (
        "source",
        &[
            "cancel", "engine", "facts", "failure", "image", "monitor", "pax", "service", "tree",
            "verdict",
        ],
    ),
    ("survey", &["facts", "packages", "tree"]),
    ("system", &["cancel", "engine", "failure", "namespace", "packages", "tree"]),
    ("tree", &["monitor"]),
    ("verdict", &["tree"]),
];

/// Words that stand in one place of the source only, and why.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    ("clap", &["cli"], "the library has no command line"),
    ("indicatif", &["cli"], "the library has no terminal"),
    ("println!", &["cli"], "the library never prints"),
    ("eprintln!", &["cli"], "the library never prints"),
    ("process::exit", &["cli"], "what was made is removed on the way out"),
    ("sqlx", &["layout", "packages"], "rules are in a database of ours, rpm has one of its own"),
    ("bollard", &["engine"], "one module speaks to engines"),
    ("tokio", &["cli", "engine", "layout", "packages"], "asynchronous code stays behind a wall"),
    (
        "TcpStream",
        &["engine", "namespace"],
        "engines are spoken to, and what downloads has one way out",
    ),
    ("process::Command", &["namespace"], "nothing is executed outside a system of ours"),
];

/// Names of package managers, of their tools, and of what only their tools heed. A manager is known
/// by its records to `packages`, and what is done with it to its family.
const MANAGERS: &[&str] = &[
    "dpkg",
    "Dpkg",
    "apt",
    "apt-get",
    "debconf",
    "DEBIAN_FRONTEND",
    "deb-systemd-helper",
    "deb-systemd-user-helper",
    "deb-systemd-invoke",
    "invoke-rc.d",
    "policy-rc.d",
    "update-rc.d",
    "update-alternatives",
    "rpm",
    "Rpm",
    "dnf",
    "yum",
    "zypper",
    "apk",
    "Apk",
    "pacman",
    "Pacman",
];

/// Where they may be named; `internals` is the door of the tests of `packages`.
const FAMILY: &[&str] = &["family", "internals", "packages"];

/// Names in rules that are no application's alone, and why.
const ORDINARY: &[(&str, &str)] = &[
    ("php", "a language, whose programs are read"),
    ("python", "a language, whose environments and programs are read without any rule"),
    ("python3", "the same"),
    ("ruby", "a language, whose environments and programs are read without any rule"),
];

/// The file that lists the rules: their names are names of files there.
const LIST_OF_RULES: &str = "src/layout/embedded.rs";

/// The names of all applications that rules are for, and of the packages they are recognised by,
/// as far as those are text. Rules of whole systems name no application.
fn applications() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let rules = LayoutDb::open(&[]).unwrap().apps().unwrap();
    for rule in rules.iter().filter(|rule| rule.scope == Scope::Application) {
        let packages = rule.recognise.packages.iter().map(|mark| mark.name.as_str());
        let all = packages.chain([rule.app.as_str()]).map(|name| {
            let text = name.split('{').next().unwrap();
            text.trim_end_matches('-').to_owned()
        });
        names.extend(all.filter(|name| !ORDINARY.iter().any(|(word, _)| word == name)));
    }
    names
}

/// Files of one module that use each other in a circle, by their paths below `src`. The list only
/// gets shorter: a new circle fails the test, and so does one here that is no more.
const CIRCLES: &[&[&str]] = &[];

/// One file without its comments and tests.
struct Source {
    file: PathBuf,
    /// `cli`, `main`, `lib` or a module of the library; `internals` is the door of these tests.
    module: String,
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeSet<PathBuf> = walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    let tests: BTreeSet<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    files
        .iter()
        .filter(|file| !tests.iter().any(|test| file.starts_with(test)))
        .map(|file| {
            let name = file.strip_prefix(&root).unwrap().components().next().unwrap();
            let module = name.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            Source { file: file.clone(), module, lines: code(&fs::read_to_string(file).unwrap()) }
        })
        .collect()
}

/// The name after `mod` in a line that declares a module.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ")?.1,
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    line.strip_prefix("mod ").map(|rest| rest.trim_end_matches([';', '{', ' ', '}']))
}

/// Files and directories that only the tests of `file` are made of.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let inside = match file.file_stem().unwrap().to_str().unwrap() {
        "mod" | "lib" | "main" => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    lines
        .windows(2)
        .filter(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].ends_with(';'))
        .filter_map(|pair| declared(pair[1]))
        .flat_map(|name| [inside.join(format!("{name}.rs")), inside.join(name)])
        .collect()
}

/// The numbered lines of code before the tests.
fn code(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let begin_of_tests = lines
        .windows(2)
        .position(|pair| {
            pair[0] == "#[cfg(test)]" && pair[1].ends_with('{') && declared(pair[1]).is_some()
        })
        .unwrap_or(lines.len());
    lines[..begin_of_tests]
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, (*line).to_owned()))
        .collect()
}

/// The words after each `crate::` of a line; a group in braces gives each of its names.
fn used(line: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*').collect()
    };
    line.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group.split(',').map(|part| word(part.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether `text` holds `word` as a whole word.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(part)
            && (word.ends_with('!') || !text[at + word.len()..].starts_with(part))
    })
}

#[test]
fn modules_use_each_other_as_the_table_says() {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let above = ["cli", "main", "lib", "internals"];
    for source in sources().iter().filter(|s| !above.contains(&s.module.as_str())) {
        let edges = found.entry(source.module.clone()).or_default();
        for (number, line) in &source.lines {
            for name in used(line).into_iter().filter(|name| *name != source.module) {
                let place = format!("{}:{number}", source.file.display());
                edges.entry(name).or_insert(place);
            }
        }
    }
    let mut wrong = Vec::new();
    for (module, edges) in &found {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| name == module) else {
            wrong.push(format!("`{module}` is not in the table"));
            continue;
        };
        let unknown = edges.iter().filter(|(name, _)| !allowed.contains(&name.as_str()));
        wrong.extend(unknown.map(|(name, place)| format!("{place}: `{module}` uses `{name}`")));
        let unused = allowed.iter().filter(|name| !edges.contains_key(**name));
        wrong.extend(unused.map(|name| format!("`{module}` does not use `{name}` any more")));
    }
    let gone = EDGES.iter().filter(|(module, _)| !found.contains_key(*module));
    wrong.extend(gone.map(|(module, _)| format!("there is no module `{module}`")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_module_depends_on_itself_through_others() {
    let mut left: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(module, uses)| (*module, uses.iter().copied().collect())).collect();
    // Take away what uses nothing that is left, until nothing can be taken away.
    while let Some(leaf) =
        left.iter().find(|(_, uses)| uses.iter().all(|u| !left.contains_key(u))).map(|(m, _)| *m)
    {
        left.remove(leaf);
    }
    assert!(left.is_empty(), "in a cycle, or above one: {:?}", left.keys());
}

#[test]
fn the_outside_world_is_let_in_at_one_place_each() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in &source.lines {
            let place = format!("{}:{number}", source.file.display());
            for (word, modules, why) in ONLY_IN {
                if names(line, word) && !modules.contains(&source.module.as_str()) {
                    wrong.push(format!("{place}: `{word}`: {why}"));
                }
            }
            if used(line).iter().any(|name| name == "*") {
                wrong.push(format!("{place}: everything of the crate at once"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The variants of an enum with the first line that documents each.
fn first_doc_lines(code: &str, head: &str) -> BTreeMap<String, String> {
    let body = code.split_once(head).unwrap().1.split_once("\n}").unwrap().0;
    let (mut meanings, mut first) = (BTreeMap::new(), None);
    for line in body.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            first.get_or_insert(doc.trim_end_matches('.'));
        } else if let Some(meaning) = first.take() {
            let name = line.trim_end_matches(',').split('(').next().unwrap();
            meanings.insert(name.to_owned(), meaning.to_owned());
        }
    }
    meanings
}

#[test]
fn no_application_is_named_in_the_code() {
    let applications = applications();
    assert!(applications.len() > 20, "{applications:?}");
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.file.ends_with(LIST_OF_RULES)) {
        for (number, line) in &source.lines {
            let line = line.to_lowercase();
            for name in applications.iter().filter(|name| names(&line, name)) {
                let place = format!("{}:{number}", source.file.display());
                wrong.push(format!("{place}: `{name}`: what is known of it belongs into its rule"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_package_manager_is_named_outside_its_records_and_its_family() {
    let mut wrong = Vec::new();
    let elsewhere = |source: &&Source| {
        !FAMILY.contains(&source.module.as_str()) && !source.file.ends_with(LIST_OF_RULES)
    };
    for source in sources().iter().filter(elsewhere) {
        for (number, line) in &source.lines {
            for name in MANAGERS.iter().filter(|name| names(line, name)) {
                let place = format!("{}:{number}", source.file.display());
                wrong.push(format!("{place}: `{name}`: a package manager's, for {FAMILY:?} only"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_lists_the_exit_codes_that_there_are() {
    let exits = include_str!("../src/cli/exit_code.rs");
    let mut meanings = first_doc_lines(exits, "enum Exit {");
    meanings.extend(first_doc_lines(include_str!("../src/failure.rs"), "enum FailureKind {"));
    let mut expected: Vec<(u8, String, &str)> = exits
        .lines()
        .filter_map(|line| {
            let (pattern, number) = line.trim().strip_suffix(',')?.split_once(" => ")?;
            let (name, code) = match pattern.split("::").nth(1)?.split_once('(') {
                None => (pattern.split("::").nth(1)?, number),
                Some(("Signal", _)) => ("Signal", "128+n"),
                Some(_) => return None,
            };
            let order = number.parse().unwrap_or(u8::MAX);
            Some((order, code.to_owned(), meanings[name].as_str()))
        })
        .collect();
    expected.sort();
    let expected: Vec<(String, &str)> =
        expected.into_iter().map(|(_, code, meaning)| (code, meaning)).collect();
    assert_eq!(expected.len(), 14);
    let readme = include_str!("../README.md");
    let table = readme.split_once("## Exit codes").unwrap().1;
    let listed: Vec<(String, &str)> = table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].to_owned(), cells[2])
        })
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn no_files_of_a_module_use_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = circles::Files::default();
    for source in sources() {
        let path = source.file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let code: Vec<&str> = source.lines.iter().map(|(_, line)| line.as_str()).collect();
        files.add(&path, &code.join("\n"));
    }
    let found = files.circles();
    let new = found.iter().filter(|circle| !CIRCLES.contains(&&as_strs(circle)[..]));
    let gone = CIRCLES.iter().filter(|circle| !found.iter().any(|f| as_strs(f) == **circle));
    let mut wrong: Vec<String> = new.map(|circle| format!("a circle: {circle:?}")).collect();
    wrong.extend(gone.map(|circle| format!("no circle any more: {circle:?}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn as_strs(circle: &[String]) -> Vec<&str> {
    circle.iter().map(String::as_str).collect()
}

#[test]
fn a_circle_is_seen_through_re_exports_and_groups() {
    let mut files = circles::Files::default();
    files.add("room/mod.rs", "mod a;\nmod b;\npub use a::{One, Other as Two};\n");
    files.add("room/a.rs", "use super::b;\nfn f() {\n    b::call();\n}\n");
    files.add("room/b.rs", "use std::io::{\n    self, Read,\n};\n");
    assert_eq!(files.circles(), Vec::<Vec<String>>::new());
    files.add("room/b.rs", "use super::{\n    Two,\n};\n");
    assert_eq!(files.circles(), [["room/a", "room/b"]]);
}

#[test]
fn every_test_binary_is_in_one_part_of_the_script_that_runs_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut binaries: Vec<String> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    binaries.sort();
    let script = fs::read_to_string(root.join("run.sh")).unwrap();
    let mut run: Vec<&str> = script
        .lines()
        .filter_map(|line| line.split_once("_tests='")?.1.strip_suffix('\''))
        .flat_map(str::split_whitespace)
        .collect();
    run.sort_unstable();
    assert_eq!(run, binaries);
}
