//! The JSON Schema of rules and the tables of `rules/README.md` say what the program reads.
//!
//! With `REGROW_BLESS=1` the tables are written anew; read them before you keep them.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

#[path = "schema/checker.rs"]
mod checker;
#[path = "schema/tables.rs"]
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use checker::Checker;
use regrow::layout::{LayoutDb, Rule};
use serde_json::Value;

/// Mistakes that no schema tells: YAML's extras, a word that stands twice, a value about which
/// another one decides.
const NOT_OF_FORM: [&str; 24] = [
    "anchor.yaml",
    "arguments-of-a-program.yaml",
    "check-with-versions.yaml",
    "duplicate-key.yaml",
    "duplicate-word.yaml",
    "empty-range.yaml",
    "import-without-export.yaml",
    "listed-twice.yaml",
    "name-of-many.yaml",
    "no-keys.yaml",
    "no-lines.yaml",
    "not-recognised.yaml",
    "nothing-to-run.yaml",
    "outdated-without-words.yaml",
    "said-twice.yaml",
    "script-above.yaml",
    "script-and-run.yaml",
    "script-missing.yaml",
    "script-variable.yaml",
    "script-without-shell.yaml",
    "step-twice.yaml",
    "template-missing.yaml",
    "text-keys.yaml",
    "unknown-variable.yaml",
];

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn rules(dir: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(repository(dir)).unwrap().map(|entry| entry.unwrap().path());
    let mut rules: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    rules.sort();
    rules
}

/// What the schema has against a rule file; `None`: nothing.
fn fault(schema: &Value, text: &str) -> Option<String> {
    match serde_yaml::from_str::<Value>(text) {
        Ok(rule) => Checker::new(schema).fault(&rule),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn the_schema_accepts_every_rule_that_the_program_reads() {
    let schema = Rule::schema().to_value();
    let rules = [rules("rules"), rules("fixtures/rules")].concat();
    assert!(rules.len() > 20);
    for (name, text) in rules {
        assert_eq!(fault(&schema, &text), None, "{name}");
    }
    let everything = repository("fixtures/rules/everything.yaml");
    for rule in LayoutDb::open(&[everything]).unwrap().apps().unwrap() {
        let shown = rule.to_yaml().unwrap();
        assert_eq!(fault(&schema, &shown), None, "{} as it is shown", rule.app);
    }
}

#[test]
fn the_schema_refuses_what_is_wrong_in_form() {
    let schema = Rule::schema().to_value();
    let mut accepted = rules("fixtures/rules/invalid");
    accepted.retain(|(_, text)| fault(&schema, text).is_none());
    let accepted: Vec<&str> = accepted.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(accepted, NOT_OF_FORM);
}

#[test]
fn the_tables_of_the_readme_are_the_language() {
    let path = repository("rules/README.md");
    let text = fs::read_to_string(&path).unwrap();
    let new = tables::renewed(&text, &Rule::schema().to_value());
    if std::env::var_os("REGROW_BLESS").is_some() {
        fs::write(&path, &new).unwrap();
    } else {
        let differs = text.lines().zip(new.lines()).find(|(old, new)| old != new);
        assert_eq!(differs, None, "REGROW_BLESS=1 writes the tables anew");
        assert_eq!(text, new);
    }
    assert!(text.contains("<!-- table Rule -->"));
}
