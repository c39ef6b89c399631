//! Every directory in `fixtures/cases` is a golden test of the rules in the binary: the tree
//! `before` is taken as the draft of a restore, the applications that `case.yaml` names are brought
//! from one version to another, and the draft has to be the tree `after`. What has to be held, and what
//! of the texts is outdated, is listed in `case.yaml`, and doing all steps twice has to change nothing more. A directory `rules`
//! of a case holds rules of its own.
//!
//! With `REGROW_BLESS=1` the trees `after` are written instead; read what changed before keeping it.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regrow::internals::layout::{
    Access, Mentions, Route, Run, StepOutcome, Vars, adapt, adapt_options, apply, route,
};
use regrow::internals::restore::said;
use regrow::internals::tree::{Draft, DraftContent, DraftNode, Empty};
use regrow::layout::{LayoutDb, Recognised, Rule};
use regrow::tree::{Kind, Meta, RootPath};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    apps: Vec<App>,
    /// Directories that a rule speaks of, in both trees: of others only the files matter.
    #[serde(default)]
    directories: Vec<String>,
    #[serde(default)]
    deleted_before: Vec<String>,
    #[serde(default)]
    deleted_after: Vec<String>,
    /// `PATH: question`, as a person would read it.
    #[serde(default)]
    held: Vec<String>,
    /// What the programs, jobs and commands of the tree `after` say that is outdated, as `held`.
    #[serde(default)]
    outdated: Vec<String>,
    /// Changes of lines, and whether somebody gets in by them; with these, a case needs no trees.
    #[serde(default)]
    access: Vec<Change>,
    /// What a container runs, and what it runs then.
    #[serde(default)]
    runs: Vec<Command>,
}

/// A container's command behind an entrypoint of its image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    /// The command of the image.
    of_image: Vec<String>,
    was: Vec<String>,
    now: Vec<String>,
    /// What is asked.
    #[serde(default)]
    held: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    path: String,
    was: Option<String>,
    now: Option<String>,
    opens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    app: String,
    from: String,
    to: String,
}

fn root_path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// What is below `dir`, as a draft, with no other directories than those named.
fn draft(dir: &Path, directories: &[String]) -> Draft {
    let mut draft = Draft::default();
    for name in directories {
        draft.put(DraftNode::bare(root_path(name), Kind::Dir, Meta::root(0o755)));
    }
    for found in walkdir::WalkDir::new(dir).min_depth(1) {
        let found = found.unwrap();
        let path = found.path();
        let name = path.strip_prefix(dir).unwrap().to_str().unwrap();
        let found = path.symlink_metadata().unwrap();
        // Only whether a file can be executed survives a checkout.
        let mode = if found.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        let (at, meta) = (root_path(name), Meta::root(mode));
        if found.is_symlink() {
            let target = fs::read_link(path).unwrap().into_os_string().into_encoded_bytes();
            draft.put(DraftNode::bare(at, Kind::Symlink { target }, meta));
        } else if found.is_file() {
            draft.put(DraftNode::file(at, meta, fs::read(path).unwrap()));
        }
    }
    draft
}

/// A draft as text, to be compared and read.
fn shown(draft: &Draft) -> BTreeMap<String, String> {
    let entry = |node: &DraftNode| {
        let text = match (&node.entry.kind, &node.content) {
            (Kind::Symlink { target }, _) => format!("-> {}", String::from_utf8_lossy(target)),
            (_, DraftContent::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            (kind, _) => kind.word().to_owned(),
        };
        (node.entry.path.to_string(), text)
    };
    draft.nodes().map(entry).collect()
}

/// What the steps came to, and the rules with the ways that were gone.
fn run(case: &Case, db: &LayoutDb, draft: &mut Draft) -> (Vec<StepOutcome>, Vec<(Rule, Vars)>) {
    let mut outcomes = Vec::new();
    let mut ways = Vec::new();
    for app in &case.apps {
        let rule = db.rule(&app.app, "debian").unwrap().unwrap();
        let (from, to) = (app.from.parse().unwrap(), app.to.parse().unwrap());
        let way = route(&rule, &from, &to);
        assert!(matches!(way, Route::Chain(_)), "{}: {way:?}", app.app);
        let vars = Vars::versions(&from, &to);
        for (step, vars) in way.steps(&vars) {
            outcomes.extend(apply(&step, &vars, draft, &Empty, &Empty).unwrap());
        }
        ways.push((rule, vars));
    }
    let system = db.rule("debian", "debian").unwrap().unwrap();
    let apps = ways.iter().map(|(rule, _)| rule).filter(|rule| rule.app != system.app);
    let mentions = Mentions::joined(apps.chain([&system]).map(|rule| &rule.mentions));
    for (rule, vars) in &ways {
        outcomes.extend(adapt(rule, &mentions, vars, draft, &Empty).unwrap());
    }
    (outcomes, ways)
}

/// Compares what containers run in the new versions with what the case says.
fn check_runs(name: &str, case: &Case, ways: &[(Rule, Vars)]) {
    let entrypoint = ["docker-entrypoint.sh".to_owned()];
    for expected in &case.runs {
        let (mut command, mut held) = (expected.was.clone(), vec![]);
        for (rule, vars) in ways {
            let run =
                Run { entrypoint: &entrypoint, command: &command, of_image: &expected.of_image };
            let found = adapt_options(rule, vars, run).unwrap();
            held.extend(found.doubts);
            command = found.command;
        }
        assert_eq!((&command, &held), (&expected.now, &expected.held), "{name}: {expected:?}");
    }
}

fn write(draft: &Draft, dir: &Path) {
    if dir.exists() {
        fs::remove_dir_all(dir).unwrap();
    }
    for node in draft.nodes() {
        let path = dir.join(node.entry.path.to_string().trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match (&node.entry.kind, &node.content) {
            (Kind::Symlink { target }, _) => {
                std::os::unix::fs::symlink(String::from_utf8_lossy(target).as_ref(), path).unwrap();
            }
            (_, DraftContent::Bytes(bytes)) => fs::write(path, bytes).unwrap(),
            _ => {}
        }
    }
}

fn all_cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases");
    let mut cases: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|path| path.join("case.yaml").exists());
    cases.sort();
    cases
}

fn cases() -> Vec<PathBuf> {
    let mut cases = all_cases();
    cases.retain(|path| path.join("before").exists());
    cases
}

#[test]
fn the_rules_tell_lines_that_let_somebody_in() {
    let db = LayoutDb::open(&[]).unwrap();
    let mut said = Vec::new();
    for dir in all_cases() {
        let text = fs::read_to_string(dir.join("case.yaml")).unwrap();
        let case: Case = serde_yaml::from_str(&text).unwrap();
        if case.access.is_empty() {
            continue;
        }
        let [App { app, to, .. }] = &case.apps[..] else { panic!("{text}") };
        let rule = db.rule(app, "debian").unwrap().unwrap();
        let found = Recognised { app: app.clone(), version: Some(to.parse().unwrap()), rule };
        let access = Access::new(&[found]).unwrap();
        for change in &case.access {
            let lines = |line: &Option<String>| line.iter().cloned().collect::<Vec<_>>();
            let (was, now) = (lines(&change.was), lines(&change.now));
            let opened = access.opened(&root_path(&change.path), &was, &now);
            assert_eq!(opened.is_some(), change.opens, "{app}: {change:?}");
        }
        said.push(app.clone());
    }
    for rule in db.apps().unwrap().iter().filter(|rule| !rule.access.is_empty()) {
        let rule = rule.app.to_string();
        assert!(said.contains(&rule), "{rule}");
    }
}

#[test]
fn the_rules_turn_every_tree_before_into_its_tree_after() {
    for dir in cases() {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let own: Vec<PathBuf> =
            Some(dir.join("rules")).filter(|dir| dir.exists()).into_iter().collect();
        let db = LayoutDb::open(&own).unwrap();
        let text = fs::read_to_string(dir.join("case.yaml")).unwrap();
        let case: Case = serde_yaml::from_str(&text).unwrap();
        let mut done = draft(&dir.join("before"), &case.directories);
        case.deleted_before.iter().for_each(|path| done.delete(root_path(path)));
        let (outcomes, ways) = run(&case, &db, &mut done);
        check_runs(&name, &case, &ways);
        if std::env::var_os("REGROW_BLESS").is_some() {
            write(&done, &dir.join("after"));
            continue;
        }
        assert_eq!(shown(&done), shown(&draft(&dir.join("after"), &case.directories)), "{name}");
        let deleted: Vec<_> = done.deletions().map(ToString::to_string).collect();
        assert_eq!(deleted, case.deleted_after, "{name}");
        let held: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                StepOutcome::Hold { path, why } => Some(format!("{path}: {why}")),
                _ => None,
            })
            .collect();
        assert_eq!(held, case.held, "{name}");

        assert_eq!(said(&ways, &done).unwrap(), case.outdated, "{name}");

        let mut twice = done.clone();
        let (again, _) = run(&case, &db, &mut twice);
        assert_eq!(shown(&twice), shown(&done), "{name}, done twice");
        let changed: Vec<_> =
            again.iter().filter(|o| matches!(o, StepOutcome::Changed { .. })).collect();
        assert!(changed.is_empty(), "{name}, done twice: {changed:?}");
    }
}

#[test]
fn every_rule_that_changes_files_has_a_case() {
    let texts: Vec<String> =
        cases().iter().map(|dir| fs::read_to_string(dir.join("case.yaml")).unwrap()).collect();
    for rule in LayoutDb::open(&[]).unwrap().apps().unwrap() {
        let moves = rule.transitions.iter().any(|t| !t.steps.is_empty());
        let changes = moves || !rule.settings.is_empty() || !rule.everywhere.is_empty();
        let changes = changes || !rule.outdated.is_empty();
        let named = format!("app: {}", rule.app);
        assert!(!changes || texts.iter().any(|text| text.contains(&named)), "{named}");
    }
}
