//! The shape of the house, kept: which top-level module may use which, where the outside world is
//! let in, that no application is named, and that the README says the exit codes that the program
//! has.
//!
//! Code behind `#[cfg(test)]` is not looked at. Whoever needs a new edge adds it to [`EDGES`], in
//! the same change as the line in `docs/ARCHITECTURE.md` that says why.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regrow::layout::{Scope, parse};

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
            "family",
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
    ("bundle", &["cancel", "failure", "monitor", "pax", "tree", "verdict"]),
    ("cancel", &[]),
    (
        "classify",
        &["accounts", "declared", "environments", "image", "layout", "packages", "tree", "verdict"],
    ),
    ("declared", &["init", "packages", "tree"]),
    ("engine", &["cancel", "failure", "tree"]),
    ("environments", &["tree"]),
    ("failure", &["cancel", "tree"]),
    (
        "family",
        &["accounts", "environments", "failure", "packages", "survey", "system", "tree", "verdict"],
    ),
    ("image", &["tree", "verdict"]),
    ("init", &["tree"]),
    ("layout", &["failure", "tree"]),
    ("monitor", &[]),
    ("namespace", &["cancel", "tree"]),
    ("pack", &["pax", "tree"]),
    ("packages", &["tree"]),
    ("pax", &["tree"]),
    ("report", &["archive", "bundle", "classify", "layout", "restore", "tree", "verdict"]),
    (
        "restore",
        &[
            "accounts",
            "bundle",
            "engine",
            "environments",
            "failure",
            "family",
            "init",
            "layout",
            "monitor",
            "packages",
            "pax",
            "source",
            "survey",
            "system",
            "tree",
            "verdict",
        ],
    ),
    ("source", &["engine", "failure", "image", "monitor", "pax", "survey", "tree", "verdict"]),
    ("survey", &["environments", "packages", "tree"]),
    ("system", &["engine", "failure", "namespace", "tree"]),
    ("tree", &["cancel", "monitor"]),
    ("verdict", &[]),
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
    ("dpkg", FAMILY, "a package manager is known by its records and to its family"),
    ("Dpkg", FAMILY, "a package manager is known by its records and to its family"),
    ("apt", FAMILY, "a package manager is known by its records and to its family"),
    ("apt-get", FAMILY, "a package manager is known by its records and to its family"),
    ("debconf", FAMILY, "a package manager is known by its records and to its family"),
];

/// Where a family of distributions may be spoken of.
const FAMILY: &[&str] = &["family", "packages"];

/// Names in rules that are no application's alone, and why.
const ORDINARY: &[(&str, &str)] =
    &[("ruby", "a language, whose environments are read without any rule")];

/// The file that lists the rules: their names are names of files there.
const LIST_OF_RULES: &str = "src/layout/embedded.rs";

/// The names of all applications that rules are for, and of the packages they are recognised by,
/// as far as those are text. Rules of whole systems name no application.
fn applications() -> BTreeSet<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let rule = parse(&path.to_string_lossy(), &fs::read_to_string(&path).unwrap()).unwrap();
        if rule.scope == Scope::System {
            continue;
        }
        let packages = rule.recognise.packages.iter().map(|mark| mark.name.as_str());
        let all = packages.chain([rule.app.as_str()]).map(|name| {
            let text = name.split('{').next().unwrap();
            text.trim_end_matches('-').to_owned()
        });
        names.extend(all.filter(|name| !ORDINARY.iter().any(|(word, _)| word == name)));
    }
    names
}

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

/// Rooms whose files do not depend on each other in circles.
const WITHOUT_CIRCLES: &[&str] = &["family", "init", "packages"];

/// A module's place, from the crate down.
type Place = Vec<String>;

/// The places of all modules with their code as one text.
fn modules() -> BTreeMap<Place, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let place = |file: &Path| -> Place {
        let below = file.strip_prefix(&root).unwrap().with_extension("");
        let parts = below.iter().map(|part| part.to_string_lossy().into_owned());
        parts.filter(|part| part != "mod").collect()
    };
    let text = |source: &Source| -> String {
        source.lines.iter().map(|(_, line)| format!("{line}\n")).collect()
    };
    sources().iter().map(|source| (place(&source.file), text(source))).collect()
}

/// The paths of a `use` tree, each from its first word on.
fn branches(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().to_owned()];
    };
    let inside = rest.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                parts.last_mut().unwrap().push(c);
            }
        }
    }
    let named = parts.iter().filter(|part| !part.trim().is_empty());
    named.flat_map(|part| branches(&format!("{head}{}", part.trim()))).collect()
}

/// The paths that `text` imports, each with whether it passes them on.
fn imports(text: &str) -> Vec<(bool, String)> {
    let statements = text.split(';').filter_map(|statement| {
        let begin = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].lines().last().unwrap_or_default().trim();
            before.is_empty() || before.starts_with("pub")
        })?;
        let passed_on = statement[..begin].trim_end().ends_with("pub")
            || statement[..begin].trim_end().ends_with("pub(crate)");
        let tree = statement[begin + 4..].split_whitespace().collect::<Vec<_>>().join(" ");
        Some(branches(&tree).into_iter().map(move |path| (passed_on, path)))
    });
    statements.flatten().collect()
}

/// Where `path`, written in the module `at`, leads to in the crate; `None` for what is outside.
fn absolute(path: &str, at: &Place, modules: &BTreeMap<Place, String>) -> Option<Place> {
    let mut words = path.split("::").map(str::to_owned).peekable();
    let mut base = at.clone();
    match words.peek()?.as_str() {
        "crate" => {
            base.clear();
            words.next();
        }
        "self" => {
            words.next();
        }
        "super" => {
            while words.next_if(|word| word == "super").is_some() {
                base.pop();
            }
        }
        child => {
            let child = [base.clone(), vec![child.to_owned()]].concat();
            modules.get(&child)?;
        }
    }
    base.extend(words);
    Some(base)
}

/// The module that has what `path` names: names that a module passes on are followed.
fn home(path: Place, modules: &BTreeMap<Place, String>) -> Option<Place> {
    let length = (1..=path.len()).rev().find(|n| modules.contains_key(&path[..*n]))?;
    let (module, rest) = path.split_at(length);
    let module = module.to_vec();
    let Some(name) = rest.first() else { return Some(module) };
    let passed_on = imports(&modules[&module]).into_iter().filter(|(passed_on, _)| *passed_on);
    let found = passed_on.map(|(_, path)| path).find(|path| path.rsplit("::").next() == Some(name));
    match found.and_then(|path| absolute(&path, &module, modules)) {
        Some(elsewhere) if elsewhere != path => home(elsewhere, modules),
        _ => Some(module),
    }
}

#[test]
fn no_file_of_a_room_depends_on_itself_through_others() {
    let modules = modules();
    let mut left: BTreeMap<&Place, BTreeSet<Place>> = BTreeMap::new();
    let in_room = |place: &Place| WITHOUT_CIRCLES.contains(&place[0].as_str());
    for (place, text) in modules.iter().filter(|(place, _)| in_room(place)) {
        let own = imports(text).into_iter().filter(|(passed_on, _)| !passed_on);
        let used = own.filter_map(|(_, path)| home(absolute(&path, place, &modules)?, &modules));
        left.insert(place, used.filter(|used| used != place && in_room(used)).collect());
    }
    assert!(left.len() > 50, "{} files", left.len());
    while let Some(leaf) = left
        .iter()
        .find(|(_, uses)| uses.iter().all(|used| !left.contains_key(used)))
        .map(|(place, _)| *place)
    {
        left.remove(leaf);
    }
    assert!(left.is_empty(), "in a circle, or above one: {left:#?}");
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
