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
use regrow::internals::engine::Flavour;
use regrow::internals::engine::settings::{Renewal, carry, of_bundle};
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
    without_news(&mut said, as_of);
    said
}

/// Takes the fields out of `said` that objects of `known` do not have. Items of lists are compared
/// one by one.
fn without_news(said: &mut Value, known: &Value) {
    match (said, known) {
        (Value::Object(said), Value::Object(known)) => {
            said.retain(|key, _| known.contains_key(key));
            for (key, value) in said {
                without_news(value, &known[key]);
            }
        }
        (Value::Array(said), Value::Array(known)) => {
            said.iter_mut().zip(known).for_each(|(said, known)| without_news(said, known));
        }
        _ => {}
    }
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

#[test]
fn settings_that_an_engine_told_make_the_same_container() {
    let reader = container();
    let settings = of_bundle(&reader.manifest().settings).unwrap().unwrap();
    assert_eq!(settings.command, ["/usr/bin/app", "--port", "80"]);
    let volumes = [("format-1-data".to_owned(), "data".to_owned())].into();
    let renewal = Renewal { image: "new", volumes: &volumes, flavour: Flavour::Docker };
    let carried = carry(&settings, &renewal).unwrap();
    assert_eq!(
        Value::Object(carried.spec.config),
        json!({
            "Image": "new",
            "Cmd": ["/usr/bin/app", "--port", "80"],
            "Entrypoint": [],
            "Env": ["EXTRA=1", "MODE=old"],
            "ExposedPorts": { "53/udp": {}, "80/tcp": {} },
            "Healthcheck": { "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_u64 },
            "Hostname": "web.example.org",
            "Labels": { "team": "web" },
            "StopSignal": "SIGINT",
            "User": "100:100",
            "WorkingDir": "/srv",
        })
    );
    assert_eq!(
        Value::Object(carried.spec.host),
        json!({
            "Binds": ["data:/srv/data"],
            "CapAdd": ["CAP_NET_ADMIN"],
            "CapDrop": ["CAP_MKNOD"],
            "Dns": ["9.9.9.9"],
            "ExtraHosts": ["a:1.2.3.4"],
            "IpcMode": "private",
            "LogConfig": { "Type": "json-file", "Config": { "max-file": "3", "max-size": "1m" } },
            "Memory": 67_108_864,
            "MemorySwap": 134_217_728,
            "Mounts": [
                { "Type": "bind", "Source": "/usr/share", "Target": "/shared", "ReadOnly": true },
            ],
            "PidsLimit": 50,
            "PortBindings": {
                "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "53" }],
                "80/tcp": [{ "HostIp": "", "HostPort": "8080" }],
            },
            "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
            "ShmSize": 67_108_864,
            "Sysctls": { "net.core.somaxconn": "100" },
            "Tmpfs": { "/scratch": "size=1m" },
            "Ulimits": [{ "Name": "nofile", "Soft": 100, "Hard": 200 }],
        })
    );
    assert_eq!(carried.dropped, []);
    assert_eq!(carried.grants, ["capability NET_ADMIN", "the host's /usr/share at /shared"]);
}
