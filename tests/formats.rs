//! Bundles of earlier formats, as the programs of their time wrote them: they are read for ever.
//!
//! `fixtures/bundles/vN/NAME.regrow` is never written again, and `NAME.json` beside it is what the
//! program that wrote it printed for `inspect --json`. Needs neither root nor an engine.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use regrow::bundle::{Area, Reader};
use regrow::monitor::Silent;
use regrow::report::{Explanation, Inspection, Verification};
use regrow::tree::{RootPath, Store};
use serde_json::{Value, json};

/// Every bundle below `fixtures/bundles`.
fn bundles() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/bundles");
    let files = walkdir::WalkDir::new(root).sort_by_file_name().into_iter();
    let files = files.map(|file| file.unwrap().into_path());
    let found: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "regrow")).collect();
    assert!(!found.is_empty());
    found
}

fn container() -> Reader {
    let bundles = bundles();
    let file = bundles.iter().find(|file| file.ends_with("v1/container.regrow")).unwrap();
    Reader::open(file).unwrap()
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// What `inspect --json` says of a bundle, without what was not said when it was written.
fn inspected(reader: &Reader, as_of: &Value) -> Value {
    let mut said = serde_json::to_value(Inspection::of_manifest(reader.manifest())).unwrap();
    for entry in said["entries"].as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("because");
    }
    let known = as_of["survey"].as_object().unwrap();
    said["survey"].as_object_mut().unwrap().retain(|key, _| known.contains_key(key));
    said
}

#[test]
fn a_bundle_of_an_earlier_format_is_whole_and_says_what_it_said() {
    for file in bundles() {
        let reader = Reader::open(&file).unwrap();
        reader.verify(&Silent).unwrap();
        let printed = fs::read_to_string(file.with_extension("json")).unwrap();
        let printed: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(inspected(&reader, &printed), printed, "{}", file.display());
    }
}

#[test]
fn a_reason_that_was_a_sentence_stays_one() {
    let reader = container();
    let explained = Explanation::of_manifest(reader.manifest(), &path("/etc/app/app.conf"));
    let explained = serde_json::to_value(explained.unwrap()).unwrap();
    let sentence = "configuration of package app, edited";
    assert_eq!(explained["reason"], sentence);
    assert_eq!(explained["because"], json!({"code": "text", "text": sentence}));
}

#[test]
fn its_contents_are_read_from_it() {
    let reader = container();
    let verified = reader.verify(&Silent).unwrap();
    let said = Verification::new(reader.manifest(), &verified, std::time::Duration::ZERO);
    assert_eq!((said.source.as_str(), said.members), ("docker:format-1", 29));
    let contents = reader.contents(&Silent).unwrap();
    let mut text = String::new();
    let read = |area: Area, at: &str, text: &mut String| {
        text.clear();
        contents.open(contents.find(area, &path(at)).unwrap()).unwrap().read_to_string(text)
    };
    read(Area::Root, "/etc/app/app.conf", &mut text).unwrap();
    assert_eq!(text, "edited\n");
    read(Area::Pristine, "/etc/app/app.conf", &mut text).unwrap();
    assert_eq!(text, "hello\n");
    read(Area::Volume("format-1-data"), "/table", &mut text).unwrap();
    assert_eq!(text, "rows\n");
}
