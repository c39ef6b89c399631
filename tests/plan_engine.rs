//! A plan for a container whose name is taken: `plan` says it, `restore` stops at it.
//!
//! Needs a Docker engine with the image `debian:trixie`. The container made is called `plan-…` and
//! removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use regrow::internals::engine::{ContainerSpec, Engine};
use regrow::restore::Which;
use serde_json::Value;

const IMAGE: &str = "debian:trixie";

/// A container that is removed at the end of its test.
struct Container<'a>(&'a Engine, String);

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.0.for_cleanup().remove(&self.1);
    }
}

fn regrow(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
    command.current_dir(dir).args(args).output().unwrap()
}

#[test]
fn a_taken_name_stands_in_the_plan_and_stops_a_restore_only() {
    let engine = Engine::connect(Which::Docker).unwrap();
    let name = format!("plan-{}", std::process::id());
    let spec = ContainerSpec::new(IMAGE, &["true"]).without_network();
    let taken = Container(&engine, name.clone());
    engine.create(Some(&taken.1), &spec).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("root/etc")).unwrap();
    fs::write(at("root/etc/os-release"), "ID=debian\nVERSION_ID=\"11\"\n").unwrap();
    fs::create_dir(at("root/srv")).unwrap();
    fs::write(at("root/srv/data"), "what nobody else has\n").unwrap();
    let archived = regrow(dir.path(), &["archive", "rootfs:root", "-o", "x.regrow"]);
    assert_eq!(archived.status.code(), Some(0), "{archived:?}");

    let onto = ["x.regrow", "--engine", "docker", "--onto", IMAGE];
    let plan = [&["plan", "--json", "-o", "x.plan", "--name", &name], &onto[..]].concat();
    let planned = regrow(dir.path(), &plan);
    assert_eq!(planned.status.code(), Some(3), "{planned:?}");
    let report: Value = serde_json::from_slice(&planned.stdout).unwrap();
    let held = &report["held"][0];
    assert_eq!((&held["kind"], &held["subject"]), (&"name".into(), &name.as_str().into()));
    assert_eq!(held["reason"], held["why"]);
    assert!(report["steps"].as_array().unwrap().iter().any(|step| step["subject"] == "/srv/data"));

    // The plan's own name is the one that is wanted.
    let restore = [&["restore", "--plan", "x.plan"], &onto[..]].concat();
    let stopped = regrow(dir.path(), &restore);
    assert_eq!(stopped.status.code(), Some(10), "{stopped:?}");
    let complaint = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert!(complaint.contains("a container of this name exists"), "{complaint}");

    // Once it is free, the plan is what it was.
    drop(taken);
    let restored = regrow(dir.path(), &[&restore[..], &["--json"]].concat());
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let report: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(report["container"], name.as_str());
    drop(Container(&engine, name));
}
