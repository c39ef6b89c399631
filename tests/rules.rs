//! Every file in `fixtures/rules/invalid` is refused as its first line says: a place and a message,
//! in which `.*` stands for anything.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use regrow::internals::layout::{MAX_RULE, parse};

/// Whether `text` begins with `pattern`, `.*` anything in it, `.` any character.
fn begins(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    for (number, part) in pattern.split(".*").enumerate() {
        let same = |text: &str| {
            text.chars().count() >= part.chars().count()
                && text.chars().zip(part.chars()).all(|(a, b)| a == b || b == '.')
        };
        let starts: Vec<usize> =
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).collect();
        let Some(at) = starts.into_iter().find(|&at| same(&rest[at..]) && (number > 0 || at == 0))
        else {
            return false;
        };
        let length: usize = rest[at..].chars().take(part.chars().count()).map(char::len_utf8).sum();
        rest = &rest[at + length..];
    }
    true
}

#[test]
fn every_invalid_rule_is_refused_where_and_as_it_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules/invalid");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
        let expected = format!("{name}:{}", expected.replace("\\*", "*"));
        let told = match parse(name, &text) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        if !begins(&told, &expected) {
            wrong.push(format!("expected {expected}\n     got {told}"));
        }
        seen += 1;
    }
    wrong.sort();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 20);
}

#[test]
fn what_is_made_to_cost_much_is_refused_quickly() {
    let started = std::time::Instant::now();
    let deep = "[".repeat(100_000);
    let nested = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>();
    let large = format!("title: {}\n", "x".repeat(MAX_RULE as usize));
    for text in [deep.as_str(), &nested, &large, "\0", "\u{feff}app: x\n"] {
        assert!(parse("x.yaml", text).is_err());
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn the_example_in_the_readme_is_a_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md");
    let text = fs::read_to_string(path).unwrap();
    let example = text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(parse("README.md", example).is_ok(), "{:?}", parse("README.md", example));
}
