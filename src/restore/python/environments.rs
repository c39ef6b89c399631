//! Environments of Python, planned: what is placed where, and what is installed again.
//!
//! What was kept of an environment goes to the directory of the new interpreter. A file among those
//! of a package waits beside its place, as the installation would overwrite it, and returns once
//! the package is there in the same version.

use std::collections::BTreeSet;

use crate::accounts::{AccountDb, AccountFile, IdMap};
use crate::environments::{EnvironmentFact, EnvironmentKind, system_python};
use crate::failure::Failure;
use crate::restore::value::archived::Archived;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::{Inputs, unreadable};
use crate::restore::value::rebuild::{Gone, Rebuild, Waiting};
use crate::restore::value::step::Step;
use crate::tree::{Draft, DraftContent, DraftNode, Kind, Meta, RootPath};
use crate::verdict::HeldKind;

/// The ending of what waits beside its place, and of what stays there.
const BESIDE: &[u8] = b".regrow-old";

/// The name of the list that is put into an environment.
const LIST: &[u8] = b"requirements.regrow.txt";

/// Where the things of one environment go.
struct Way {
    root: RootPath,
    old: RootPath,
    new: RootPath,
    /// Below it everything is the environment's.
    scope: RootPath,
}

impl Way {
    fn of(fact: &EnvironmentFact, python: &str) -> Way {
        let root = fact.root.clone();
        if fact.kind == EnvironmentKind::Target {
            // Whatever the version, its packages lie in it.
            let (old, new, scope) = (root.clone(), root.clone(), root.clone());
            return Way { root, old, new, scope };
        }
        let lib = |version: &str| root.child(b"lib").child(format!("python{version}").as_bytes());
        let (old, new) = (lib(&fact.interpreter), lib(python));
        let scope = if fact.kind == EnvironmentKind::Venv { root.clone() } else { new.clone() };
        Way { root, old, new, scope }
    }

    fn there(&self, path: &RootPath) -> RootPath {
        path.strip_prefix(&self.old).map_or_else(|| path.clone(), |rest| self.new.join(&rest))
    }

    fn back(&self, path: &RootPath) -> RootPath {
        path.strip_prefix(&self.new).map_or_else(|| path.clone(), |rest| self.old.join(&rest))
    }
}

/// Moves what was kept of the environments to where the new interpreter looks; what has to be
/// installed becomes a step.
pub(in crate::restore) fn carry(
    inputs: &Inputs,
    archived: &Archived,
    ids: &IdMap,
    draft: &mut Draft,
    decisions: &mut Decisions,
) -> Result<(), Failure> {
    for fact in inputs.survey.environments.iter().filter(|fact| fact.rebuild && fact.is_python()) {
        let Some(python) = system_python(inputs.target).map_err(unreadable)? else {
            let why = "the new system has no Python 3 to rebuild it for; its list is in the bundle";
            decisions.hold(HeldKind::Environment, &fact.root, why);
            continue;
        };
        let Ok(root) = String::from_utf8(fact.root.as_bytes().to_vec()) else {
            let why = "its name is no text, which no command takes; its list is in the bundle";
            decisions.hold(HeldKind::Environment, &fact.root, why);
            continue;
        };
        let way = Way::of(fact, &python);
        let home = |uid| home(uid, draft, inputs);
        let site = |dir: &RootPath| match fact.kind {
            EnvironmentKind::Target => dir.clone(),
            EnvironmentKind::System => dir.child(b"dist-packages"),
            _ => dir.child(b"site-packages"),
        };
        let mut meta = archived
            .directory(&site(&way.old))
            .map_or_else(|| Meta::root(0o755), |entry| entry.meta);
        ids.apply(&mut meta);
        if fact.kind == EnvironmentKind::System {
            meta = Meta::root(0o755);
        }
        let home = home(meta.uid)?;
        let parked = park(fact, &way, draft);
        relocate(fact, &way, &python, draft, decisions);
        frame(&way, archived, ids, draft);
        let list = put_list(fact, &way, &meta, draft);
        hold_compiled(fact, &way, &python, draft, decisions);
        let removed = fact.parked.iter().filter(|parked| parked.removed);
        let pins: Vec<(String, String)> = fact
            .packages
            .iter()
            .filter(|package| package.is_pinned())
            .map(|package| (package.name.clone(), package.version.clone()))
            .collect();
        decisions.step(Step::Rebuild(Box::new(Rebuild {
            kind: fact.kind,
            root,
            formerly: fact.interpreter.clone(),
            site: text(&site(&way.new)),
            python,
            owner: (meta.uid, meta.gid),
            home,
            umask: 0o777 & !meta.mode,
            options: fact.options.clone(),
            pins,
            compiled: fact
                .packages
                .iter()
                .filter(|package| package.compiled && package.is_pinned())
                .map(|package| package.name.clone())
                .collect(),
            tools: fact.no_longer_made().map(str::to_owned).collect(),
            list: text(&list),
            parked,
            removed: removed
                .map(|gone| Gone {
                    place: way.there(&gone.path),
                    package: (gone.package.clone(), gone.version.clone()),
                })
                .collect(),
        })));
    }
    Ok(())
}

/// Only environments whose names are text are rebuilt.
fn text(path: &RootPath) -> String {
    String::from_utf8_lossy(path.as_bytes()).into_owned()
}

/// Puts files among those of packages beside their places.
fn park(fact: &EnvironmentFact, way: &Way, draft: &mut Draft) -> Vec<Waiting> {
    let mut parked = Vec::new();
    for waiting in fact.parked.iter().filter(|waiting| !waiting.removed) {
        let mut node = match draft.get(&waiting.path) {
            Some(node) if waiting.path.is_within(&way.root) => node.clone(),
            _ => continue,
        };
        draft.take(&waiting.path);
        let place = way.there(&waiting.path);
        let Some(dir) = place.parent() else { continue };
        let beside = dir.child(&[place.name(), BESIDE].concat());
        node.entry.path = beside.clone();
        // What waits is a file of its own.
        node.entry.links = None;
        draft.put(node);
        let package = (waiting.package.clone(), waiting.version.clone());
        parked.push(Waiting { beside, place, package, patched: waiting.patched });
    }
    parked
}

/// Moves the libraries, and leaves a link where programs and settings may look for them.
fn relocate(
    fact: &EnvironmentFact,
    way: &Way,
    python: &str,
    draft: &mut Draft,
    decisions: &mut Decisions,
) {
    if way.old == way.new {
        return;
    }
    if draft.rename(&way.old, &way.new) > 0 {
        decisions.adapt(&way.new, format!("moved from {}", way.old));
    }
    if fact.kind != EnvironmentKind::Venv {
        return;
    }
    let old = format!("python{}", fact.interpreter);
    let links = [
        (way.old.clone(), format!("python{python}")),
        (way.root.child(b"bin").child(old.as_bytes()), "python3".to_owned()),
    ];
    let owner = draft.get(&way.root).map_or((0, 0), |node| {
        let meta = &node.entry.meta;
        (meta.uid, meta.gid)
    });
    for (path, target) in links {
        if draft.get(&path).is_none() {
            decisions.add(&path, format!("leads to {target}, for what names the old version"));
            let mut meta = Meta::root(0o777);
            (meta.uid, meta.gid) = owner;
            let kind = Kind::Symlink { target: target.into_bytes() };
            draft.put(DraftNode::bare(path, kind, meta));
        }
    }
}

/// Puts the directories above everything of the environment into the draft, as they were.
fn frame(way: &Way, archived: &Archived, ids: &IdMap, draft: &mut Draft) {
    let mut missing: BTreeSet<RootPath> = BTreeSet::new();
    let inside: Vec<&DraftNode> = draft.below(&way.scope).collect();
    for node in inside {
        for dir in node.entry.path.ancestors() {
            if dir.is_within(&way.scope) && draft.get(&dir).is_none() {
                missing.insert(dir);
            }
        }
    }
    for dir in missing {
        if let Some(mut entry) = archived.directory(&way.back(&dir)) {
            ids.apply(&mut entry.meta);
            entry.path = dir;
            draft.put(DraftNode { entry, content: DraftContent::None });
        }
    }
}

/// The exact list, for a person and for `pip`.
fn put_list(fact: &EnvironmentFact, way: &Way, meta: &Meta, draft: &mut Draft) -> RootPath {
    let dir = match fact.kind {
        EnvironmentKind::Venv | EnvironmentKind::Target => way.root.clone(),
        _ => way.root.child(b"lib"),
    };
    let path = dir.child(LIST);
    let bytes = fact.list_text().into_bytes();
    let mut list = Meta::root(0o644);
    (list.uid, list.gid) = (meta.uid, meta.gid);
    draft.put(DraftNode::file(path.clone(), list, bytes));
    path
}

/// Names what was kept and was compiled for the old interpreter.
fn hold_compiled(
    fact: &EnvironmentFact,
    way: &Way,
    python: &str,
    draft: &Draft,
    decisions: &mut Decisions,
) {
    if fact.interpreter == python {
        return;
    }
    let tag = format!(".cpython-{}", fact.interpreter.replace('.', ""));
    let mut tops: BTreeSet<RootPath> = BTreeSet::new();
    for node in draft.below(&way.new).filter(|node| node.entry.kind.is_file()) {
        let name = node.entry.path.name();
        let compiled = name.windows(tag.len()).any(|part| part == tag.as_bytes());
        if compiled && !name.ends_with(b".pyc") {
            // lib/python3.x/site-packages/NAME
            let inside = if fact.kind == EnvironmentKind::Target { 1 } else { 2 };
            let depth = way.new.components().count() + inside;
            let path = &node.entry.path;
            let mut dirs = path.ancestors().chain([path.clone()]);
            tops.extend(dirs.find(|dir| dir.components().count() == depth));
        }
    }
    for top in tops {
        let old = &fact.interpreter;
        let why = format!(
            "holds what was compiled for Python {old} and comes from no index that is known: \
             build it again for Python {python}"
        );
        decisions.hold(HeldKind::Environment, top, why);
    }
}

/// The home of the user with the new id `uid`.
fn home(uid: u32, draft: &Draft, inputs: &Inputs) -> Result<String, Failure> {
    let mut accounts = AccountDb::load(inputs.target).map_err(unreadable)?.accounts;
    let merged = draft.get(&AccountFile::Passwd.path()).map(|node| &node.content);
    if let Some(DraftContent::Bytes(bytes)) = merged {
        // Too long a line is no user's.
        accounts.set(AccountFile::Passwd, bytes).ok();
    }
    let user = accounts.passwd.records().find(|user| user.uid == uid);
    let home = user.and_then(|user| String::from_utf8(user.home.clone()).ok());
    Ok(home.unwrap_or_else(|| "/".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::{Options, Parked};

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn fact(kind: EnvironmentKind, parked: &[&str]) -> EnvironmentFact {
        let parked = parked.iter().map(|at| Parked {
            path: path(at),
            package: "flask".to_owned(),
            version: "1.0".to_owned(),
            patched: true,
            removed: false,
        });
        EnvironmentFact {
            kind,
            root: path("/v"),
            interpreter: "3.9".to_owned(),
            rebuild: true,
            kept_because: String::new(),
            packages: vec![],
            parked: parked.collect(),
            options: Options::default(),
            list: None,
        }
    }

    fn draft(files: &[&str]) -> Draft {
        let mut draft = Draft::default();
        for at in files {
            draft.put(DraftNode::file(path(at), Meta::root(0o644), b"x".to_vec()));
        }
        draft
    }

    fn placed(fact: &EnvironmentFact, python: &str, files: &[&str]) -> (Vec<String>, Vec<Waiting>) {
        let (mut draft, mut decisions) = (draft(files), Decisions::default());
        let way = Way::of(fact, python);
        let waiting = park(fact, &way, &mut draft);
        relocate(fact, &way, python, &mut draft, &mut decisions);
        (draft.nodes().map(|node| node.entry.path.to_string()).collect(), waiting)
    }

    const FILES: &[&str] = &[
        "/v/bin/tool",
        "/v/lib/python3.9/site-packages/flask/app.py",
        "/v/lib/python3.9/site-packages/mine.py",
    ];

    #[test]
    fn libraries_go_to_the_new_interpreter_and_patched_files_wait_beside_their_places() {
        let patched = FILES[1];
        let (paths, waiting) =
            placed(&fact(EnvironmentKind::Venv, &[patched, "/etc/passwd"]), "3.13", FILES);
        assert_eq!(
            paths,
            [
                "/v/bin/python3.9",
                "/v/bin/tool",
                "/v/lib/python3.13/site-packages/flask/app.py.regrow-old",
                "/v/lib/python3.13/site-packages/mine.py",
                "/v/lib/python3.9",
            ]
        );
        assert_eq!(waiting.len(), 1);
        let place = waiting[0].place.to_string();
        assert_eq!(place, "/v/lib/python3.13/site-packages/flask/app.py");
    }

    #[test]
    fn nothing_moves_for_the_same_interpreter_and_a_system_gets_no_links() {
        assert_eq!(placed(&fact(EnvironmentKind::Venv, &[]), "3.9", FILES).0, FILES);
        let (paths, _) = placed(&fact(EnvironmentKind::System, &[]), "3.13", &FILES[2..]);
        assert_eq!(paths, ["/v/lib/python3.13/site-packages/mine.py"]);
    }

    #[test]
    fn a_file_elsewhere_that_a_survey_calls_parked_stays_where_it_is() {
        let (paths, waiting) =
            placed(&fact(EnvironmentKind::Venv, &["/etc/x"]), "3.9", &["/etc/x"]);
        assert_eq!((paths, waiting), (vec!["/etc/x".to_owned()], vec![]));
    }

    #[test]
    fn what_was_compiled_for_the_old_interpreter_is_held_by_its_directory() {
        let fact = fact(EnvironmentKind::Venv, &[]);
        let way = Way::of(&fact, "3.13");
        let at = |name: &str| format!("/v/lib/python3.13/site-packages/{name}");
        let files = [
            at("fast/one.cpython-39-x86_64-linux-gnu.so"),
            at("fast/two.cpython-39-x86_64-linux-gnu.so"),
            at("top.cpython-39-x86_64-linux-gnu.so"),
            at("stable.abi3.so"),
            at("plain/__pycache__/a.cpython-39.pyc"),
        ];
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let mut decisions = Decisions::default();
        hold_compiled(&fact, &way, "3.13", &draft(&files), &mut decisions);
        let held: Vec<&str> = decisions.held.iter().map(|held| held.subject.as_str()).collect();
        assert_eq!(held, [at("fast"), at("top.cpython-39-x86_64-linux-gnu.so")]);
    }
}
