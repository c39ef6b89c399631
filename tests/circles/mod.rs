//! Which source file uses which other one of its room, and where that goes round in a circle.
//!
//! A name is followed to the file that declares it, through what modules re-export; the re-export
//! itself is a front door and no use.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path from the crate's root, such as `packages`, `rpm`.
type Module = Vec<String>;

/// One file as far as its paths go.
#[derive(Default)]
struct File {
    /// What each imported or re-exported name stands for, as a path from the root.
    names: BTreeMap<String, Vec<String>>,
    /// What it uses, as paths from the root.
    uses: Vec<Vec<String>>,
}

/// The files of the library by module.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<Module, File>);

impl Files {
    /// Adds a file by its path below `src` and the text of its code.
    pub(crate) fn add(&mut self, path: &str, code: &str) {
        let module = module_of(path);
        let (statements, rest) = split_imports(code);
        let file = self.0.entry(module.clone()).or_default();
        for (exported, tree) in statements {
            for (path, name) in leaves(&tree) {
                let path = absolute(&module, &path);
                if !exported {
                    file.uses.push(path.clone());
                }
                file.names.insert(name, path);
            }
        }
        file.uses.extend(paths(&rest).into_iter().map(|path| absolute(&module, &path)));
    }

    /// The circles: sets of files each of which uses itself through the others.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let edges: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.iter().map(|(module, file)| (module, self.used_by(module, file))).collect();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            edges.keys().map(|module| (*module, reachable(module, &edges))).collect();
        let circles: BTreeSet<Vec<String>> = reached
            .iter()
            .filter(|(module, others)| others.contains(*module))
            .map(|(module, others)| {
                let together = others.iter().filter(|other| reached[**other].contains(module));
                together.map(|module| module.join("/")).collect()
            })
            .collect();
        circles.into_iter().collect()
    }

    /// The other files of its room that `file` uses.
    fn used_by(&self, module: &Module, file: &File) -> BTreeSet<Module> {
        let mut used: BTreeSet<Module> =
            file.uses.iter().filter_map(|path| self.declares(path.clone())).collect();
        used.retain(|other| other != module && other.first() == module.first());
        used
    }

    /// The file that declares what `path` leads to; none for a module itself, which is used where
    /// something in it is.
    fn declares(&self, mut path: Vec<String>) -> Option<Module> {
        // More re-exports in a row than there are would be a circle of their own.
        for _ in 0..16 {
            let depth = (0..=path.len()).rev().find(|n| self.0.contains_key(&path[..*n]))?;
            let name = path.get(depth)?;
            match self.0[&path[..depth]].names.get(name) {
                Some(meant) => path = [&meant[..], &path[depth + 1..]].concat(),
                None => return Some(path[..depth].to_vec()),
            }
        }
        None
    }
}

fn reachable<'a>(
    from: &Module,
    edges: &BTreeMap<&'a Module, BTreeSet<Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(module) = open.pop() {
        for next in edges.get(&module).into_iter().flatten() {
            let (next, _) = edges.get_key_value(next).unwrap();
            if reached.insert(*next) {
                open.push((*next).clone());
            }
        }
    }
    reached
}

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
}

/// The statements that import, each with whether it exports what it names, and all other code.
fn split_imports(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut statements, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let (visible, statement) = match line.trim_start().split_once("use ") {
            Some((before, statement)) if before.is_empty() || before.starts_with("pub") => {
                (!before.is_empty(), statement)
            }
            _ => {
                rest.push_str(line);
                rest.push('\n');
                continue;
            }
        };
        let mut statement = statement.to_owned();
        while !statement.contains(';') {
            let Some(more) = lines.next() else { break };
            statement.push_str(more);
        }
        statements.push((visible, statement.trim_end_matches(';').to_owned()));
    }
    (statements, rest)
}

/// Each path of `a::{b, c::{d as e}}` with the name that it gets.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((before, group)) = tree.split_once('{') {
        let prefix: Vec<String> = segments(before);
        let group = group.trim_end().trim_end_matches('}');
        return separate(group)
            .into_iter()
            .flat_map(leaves)
            .map(|(path, name)| {
                let itself = path == ["self"];
                let path = if itself { prefix.clone() } else { [&prefix[..], &path].concat() };
                let name =
                    if name == "self" { prefix.last().cloned().unwrap_or(name) } else { name };
                (path, name)
            })
            .collect();
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = segments(path);
    match (path.last(), name.trim()) {
        (None, _) => vec![],
        (Some(last), "") => vec![(path.clone(), last.clone())],
        (Some(_), name) => vec![(path, name.to_owned())],
    }
}

/// The parts of a group between the commas that are not inside a further group.
fn separate(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[begin..]);
    parts
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Every `a::b` in the code; calls and types end a path as `a::b::C::new` does.
fn paths(code: &str) -> Vec<Vec<String>> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.contains("::"))
        .map(segments)
        .filter(|path| path.len() > 1)
        .collect()
}

/// A path as it is from the crate's root, when written in `module`.
fn absolute(module: &Module, path: &[String]) -> Vec<String> {
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("self") => [&module[..], &path[1..]].concat(),
        Some("super") => {
            let up = path.iter().take_while(|part| *part == "super").count();
            [&module[..module.len().saturating_sub(up)], &path[up..]].concat()
        }
        _ => [&module[..], path].concat(),
    }
}
