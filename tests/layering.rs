//! The shape of the house, kept: which top-level module may use which, where the outside world is
//! let in, and that the README says the exit codes that the program has.
//!
//! Code behind `#[cfg(test)]` is not looked at. Whoever needs a new edge adds it to [`EDGES`], in
//! the same change as the line in `docs/ARCHITECTURE.md` that says why.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every module of the library with the modules that it uses, no more and no fewer.
const EDGES: &[(&str, &[&str])] = &[
    ("accounts", &["tree"]),
    (
        "archive",
        &[
            "bundle",
            "classify",
            "declared",
            "engine",
            "environments",
            "failure",
            "image",
            "layout",
            "monitor",
            "pack",
            "packages",
            "source",
            "survey",
            "system",
            "tree",
            "verdict",
        ],
    ),
    ("bundle", &["cancel", "facts", "failure", "monitor", "pax", "service", "tree", "verdict"]),
    ("cancel", &[]),
    (
        "classify",
        &["accounts", "declared", "environments", "image", "layout", "packages", "tree", "verdict"],
    ),
    ("declared", &["packages", "tree"]),
    ("engine", &["cancel", "failure", "service", "tree"]),
    ("environments", &["tree"]),
    ("facts", &["environments", "service", "tree"]),
    ("failure", &["cancel", "tree"]),
    ("image", &["tree", "verdict"]),
    ("layout", &["failure", "tree"]),
    ("monitor", &[]),
    ("namespace", &["cancel", "tree"]),
    ("pack", &["pax", "tree"]),
    ("packages", &["tree"]),
    ("pax", &["tree"]),
    ("report", &["archive", "bundle", "classify", "facts", "layout", "restore", "tree", "verdict"]),
    (
        "restore",
        &[
            "accounts",
            "bundle",
            "engine",
            "environments",
            "failure",
            "layout",
            "monitor",
            "packages",
            "pax",
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
        &["engine", "facts", "failure", "image", "monitor", "pax", "service", "tree", "verdict"],
    ),
    ("survey", &["facts", "packages", "tree"]),
    ("system", &["engine", "failure", "namespace", "tree"]),
    ("tree", &["cancel", "monitor"]),
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
    ("process::Command", &["namespace"], "nothing is executed outside a system of ours"),
];

/// One file without its comments and tests.
struct Source {
    file: PathBuf,
    /// `cli`, `main`, `lib` or a module of the library.
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
    let line =
        line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
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
    for source in sources().iter().filter(|s| !["cli", "main", "lib"].contains(&s.module.as_str()))
    {
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

#[test]
fn the_readme_lists_the_exit_codes_that_there_are() {
    let code = include_str!("../src/cli/exit_code.rs");
    let (words, numbers) = code.split_once("pub(crate) fn code(self)").unwrap();
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    let meanings: BTreeMap<&str, &str> = lines
        .windows(2)
        .filter_map(|pair| {
            let meaning = pair[0].strip_prefix("/// ")?.trim_end_matches('.');
            let variant = pair[1].strip_suffix(',')?;
            Some((variant.split('(').next()?, meaning))
        })
        .collect();
    let expected: Vec<(String, &str)> = numbers
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("Exit::")?.strip_suffix(',')?.split_once(" => ")
        })
        .map(|(variant, number)| {
            let number = if variant.contains('(') { "128+n" } else { number };
            (number.to_owned(), meanings[variant.split('(').next().unwrap()])
        })
        .collect();
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
