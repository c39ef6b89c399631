//! Services that are started once while they are archived, and once while they are restored.
//!
//! Needs a Docker engine with the image `debian:trixie`. Every container and image made is called
//! `observe-…` and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod command;

use std::io::Cursor;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use command::{IMAGE, Place, run};
use regrow::internals::engine::{ContainerSpec, Engine, Made, STAGING_LABEL, State};
use regrow::restore::Which;
use regrow::tree::RootPath;
use serde_json::Value;

fn engine() -> Engine {
    Engine::connect(Which::Docker).unwrap_or_else(|error| {
        panic!("start a Docker engine with {IMAGE}, or set DOCKER_HOST to one: {error}")
    })
}

/// A container that is removed at the end of its test.
struct Container<'a>(&'a Engine, String);

impl<'a> Container<'a> {
    /// A container that runs `argv`, with `files` in it: a path, a mode and a text each.
    fn new(
        engine: &'a Engine,
        purpose: &str,
        argv: &[&str],
        files: &[(&str, u32, &str)],
    ) -> Container<'a> {
        let name = format!("observe-{purpose}-{}", std::process::id());
        let spec = ContainerSpec::new(IMAGE, argv).without_network();
        let id = engine.create(Some(&name), &spec).unwrap();
        let mut tar = tar::Builder::new(vec![]);
        for (path, mode, text) in files {
            let mut header = tar::Header::new_ustar();
            header.set_mode(*mode);
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        engine.put_archive(&id, &RootPath::root(), Cursor::new(tar)).unwrap();
        Container(engine, name)
    }

    fn source(&self) -> String {
        format!("docker:{}", self.1)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.0.for_cleanup().remove(&self.1);
    }
}

/// A service in the one language that every Debian has: it listens nowhere, and goes on.
const SERVICE: &str = "#!/usr/bin/perl\nuse Socket;\nsocket(S, PF_INET, SOCK_STREAM, 0) or die;\n\
    setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);\nbind(S, sockaddr_in(8080, INADDR_ANY)) or die;\n\
    listen(S, 5);\nprint STDERR \"error: no such file /etc/wanted at $$\\n\";\n\
    $( = $) = 33; $< = $> = 33;\nsleep 1 while 1;\n";

fn archived(place: &Place, container: &Container<'_>, to: &str, more: &[&str]) -> Value {
    let (source, out) = (container.source(), place.text(to));
    let args = [&["archive", "--json", &source, "-o", &out], more].concat();
    let ran = run(&args, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The containers under construction that run `word`: other tests have theirs.
fn left(engine: &Engine, word: &str) -> usize {
    let all = engine.containers_labelled(STAGING_LABEL).unwrap();
    let command = |id: &String| {
        let found = engine.container(id).ok()?.raw;
        Some(found["Config"]["Cmd"].to_string())
    };
    all.iter().filter_map(command).filter(|command| command.contains(word)).count()
}

#[test]
fn a_service_is_started_once_in_a_copy_and_what_it_does_is_kept() {
    let engine = engine();
    let place = Place::new();
    let argv = ["/usr/bin/perl", "/srv/service.pl"];
    let files = [("srv/service.pl", 0o755, SERVICE)];
    let container = Container::new(&engine, "kept", &argv, &files);
    let report = archived(&place, &container, "one", &[]);
    let expected = serde_json::json!({
        "processes": [{"name": "perl service.pl", "account": "www-data"}],
        "listeners": [{
            "protocol": "tcp", "port": 8080, "reach": "any", "account": "root",
            "process": "perl service.pl",
        }],
        "complaints": ["error: no such file /etc/wanted at #"],
    });
    assert_eq!(report["observation"], expected, "{report}");
    // The same again is the same bundle, and nothing of it is left.
    let again = archived(&place, &container, "two", &[]);
    assert_eq!(report["id"], again["id"]);
    assert_eq!(
        std::fs::read(place.path("one")).unwrap(),
        std::fs::read(place.path("two")).unwrap()
    );
    assert_eq!(left(&engine, "service.pl"), 0);
    assert_eq!(engine.container(&container.1).unwrap().state, State::Created);
    let ran = run(&["inspect", &place.text("one")], &[]);
    let line = "Observed: perl service.pl ran, 8080/tcp listened on, 1 complaint\n";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    // And switched off, nothing of it runs.
    let report = archived(&place, &container, "three", &["--no-observe"]);
    assert_eq!(report.get("observation"), None);
}

#[test]
fn what_the_new_service_does_otherwise_is_held() {
    let engine = engine();
    let place = Place::new();
    // It does what it did as long as there is a file, which is left out.
    let text = "#!/bin/sh\n[ -e /srv/old ] && exec perl /srv/a.pl\nexec perl /srv/b.pl\n";
    let other = SERVICE.replace("8080", "9090").replace("wanted", "elsewhere/x");
    let files = [
        ("srv/a.pl", 0o755, SERVICE),
        ("srv/b.pl", 0o755, &other),
        ("srv/start", 0o755, text),
        ("srv/old", 0o644, "x"),
    ];
    let container = Container::new(&engine, "held", &["/srv/start"], &files);
    let report = archived(&place, &container, "bundle", &["--exclude", "/srv/old"]);
    assert_eq!(report["observation"]["listeners"][0]["port"], 8080, "{report}");
    let name = format!("observe-new-{}", std::process::id());
    let restored = Container(&engine, name.clone());
    let bundle = place.text("bundle");
    let args =
        ["restore", "--json", &bundle, "--onto", IMAGE, "--engine", "docker", "--name", &name];
    let ran = run(&args, &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let held: Vec<(&str, &str)> = report["held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| (held["kind"].as_str().unwrap(), held["subject"].as_str().unwrap()))
        .collect();
    for expected in [("process", "perl a.pl"), ("listener", "8080/tcp")] {
        assert!(held.contains(&expected), "{held:?}");
    }
    assert!(held.iter().any(|(kind, _)| *kind == "log"), "{held:?}");
    drop(restored);
    let ran = run(&[&args[..], &["--no-check"]].concat(), &[]);
    let restored = Container(&engine, name);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("was not checked"), "{}", ran.stdout);
    drop(restored);
}

/// What a check of `container` against the bundle says is open, with its exit code.
fn checked(container: &str, bundle: &str, more: &[&str]) -> (Option<i32>, Vec<(String, String)>) {
    let ran = run(&[&["check", container, "--against", bundle, "--json"], more].concat(), &[]);
    let report: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    let words = |held: &Value, key: &str| held[key].as_str().unwrap().to_owned();
    let held = report["held"].as_array().unwrap().iter();
    (ran.code, held.map(|held| (words(held, "kind"), words(held, "subject"))).collect())
}

#[test]
fn a_check_watches_what_stands_until_a_person_has_mended_it() {
    let engine = engine();
    let place = Place::new();
    // It listens where a file says, which is left out.
    let text = SERVICE
        .replace(
            "use Socket;",
            "use Socket;\nmy $dir = '/srv';\nmy $port = -e \"$dir/port\" ? 8080 : 9090;",
        )
        .replace("sockaddr_in(8080", "sockaddr_in($port");
    let files = [("srv/checked.pl", 0o755, text.as_str()), ("srv/port", 0o644, "x")];
    let argv = ["/usr/bin/perl", "/srv/checked.pl"];
    let container = Container::new(&engine, "checked", &argv, &files);
    archived(&place, &container, "bundle", &["--exclude", "/srv/port"]);
    let name = format!("observe-checked-new-{}", std::process::id());
    let restored = Container(&engine, name.clone());
    let bundle = place.text("bundle");
    let args =
        ["restore", &bundle, "--onto", IMAGE, "--engine", "docker", "--name", &name, "--start"];
    let ran = run(&args, &[]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    let state = || {
        let found = engine.container(&name).unwrap();
        (found.raw["State"]["StartedAt"].clone(), found.raw["State"]["Running"].clone(), found.id)
    };
    let before = state();
    assert_eq!(before.1, true);

    let open = vec![("listener".to_owned(), "8080/tcp".to_owned())];
    assert_eq!(checked(&name, &bundle, &[]), (Some(3), open));
    assert_eq!(checked(&name, &bundle, &["--no-observe"]), (Some(0), vec![]));
    let mut tar = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(1);
    header.set_cksum();
    tar.append_data(&mut header, "srv/port", b"x".as_slice()).unwrap();
    let tar = Cursor::new(tar.into_inner().unwrap());
    engine.put_archive(&name, &RootPath::root(), tar).unwrap();
    assert_eq!(checked(&name, &bundle, &[]), (Some(0), vec![]));
    assert_eq!(state(), before, "the container is only read");
    assert_eq!(left(&engine, "checked.pl"), 0);
    drop(restored);
}

/// The program, killed at the end of the test if it still runs.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Starts the program in `place`, where it has a directory for what passes.
    fn start(place: &Place, args: &[&str]) -> Running {
        let passing = place.path("passing");
        std::fs::create_dir_all(&passing).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_regrow"))
            .args(args)
            .env("TMPDIR", passing)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Running(child)
    }

    /// What it has made and not removed: a run's name holds the number of its process.
    fn made(&self, engine: &Engine) -> Vec<Made> {
        let ours = format!(".{}.", self.0.id());
        // What is gone between being listed and being looked at is asked for again.
        let staged = (0..5).find_map(|_| engine.staged().ok()).unwrap();
        let staged = staged.into_iter().filter(|left| left.staging.contains(&ours));
        staged.map(|left| left.made).collect()
    }

    /// Ends it with `signal` once a container runs `word`; its exit code.
    fn end(&mut self, signal: &str, engine: &Engine, word: &str) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(300);
        while left(engine, word) == 0 {
            assert!(Instant::now() < until, "it is never observed");
            assert_eq!(self.0.try_wait().unwrap(), None, "it is never observed");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(!self.made(engine).is_empty());
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }

    /// All that it made until its end, but containers that were not started: files are read in them.
    fn watched(&mut self, engine: &Engine) -> Vec<Made> {
        let mut all = vec![];
        loop {
            let over = self.0.try_wait().unwrap();
            for made in self.made(engine) {
                let rests = match &made {
                    // One that is gone since it was listed was not started: what runs is watched
                    // for longer than that. Its state would say as little as "removing" of one
                    // that is about to go.
                    Made::Container(id) => engine.container(id).map_or(true, |found| {
                        found.raw["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
                    }),
                    _ => false,
                };
                if !rests && !all.contains(&made) {
                    all.push(made);
                }
            }
            if let Some(status) = over {
                assert!(status.success(), "{status}");
                return all;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn an_archive_that_is_ended_while_it_observes_leaves_nothing() {
    let engine = engine();
    let place = Place::new();
    let argv = ["/usr/bin/perl", "-e", "sleep 7 while 1"];
    let container = Container::new(&engine, "ended", &argv, &[("srv/x", 0o644, "x")]);
    for (signal, code) in [("-TERM", 128 + 15), ("-INT", 128 + 2)] {
        let args = ["archive", &container.source(), "-o", &place.text("out")];
        let mut run = Running::start(&place, &args);
        assert_eq!(run.end(signal, &engine, "sleep 7 while 1"), Some(code));
        assert_eq!(run.made(&engine), []);
        assert_eq!(place.names(), ["passing", "root"]);
        assert_eq!(std::fs::read_dir(place.path("passing")).unwrap().count(), 0);
    }
}

#[test]
fn a_restore_that_is_ended_while_it_observes_leaves_nothing() {
    let engine = engine();
    let place = Place::new();
    let argv = ["/usr/bin/perl", "-e", "sleep 9 while 1"];
    let container = Container::new(&engine, "cut", &argv, &[("srv/x", 0o644, "x")]);
    archived(&place, &container, "bundle", &[]);
    let name = format!("observe-cut-new-{}", std::process::id());
    let bundle = place.text("bundle");
    let args = ["restore", &bundle, "--onto", IMAGE, "--engine", "docker", "--name", &name];
    let mut run = Running::start(&place, &args);
    assert_eq!(run.end("-INT", &engine, "sleep 9 while 1"), Some(128 + 2));
    assert_eq!(run.made(&engine), []);
    assert!(engine.container(&name).is_err());
    assert_eq!(place.names(), ["bundle", "passing", "root"]);
    assert_eq!(std::fs::read_dir(place.path("passing")).unwrap().count(), 0);
}

#[test]
fn nothing_of_a_source_is_copied_or_runs_where_observing_is_switched_off() {
    let engine = engine();
    let place = Place::new();
    let argv = ["/usr/bin/perl", "-e", "sleep 11 while 1"];
    let container = Container::new(&engine, "off", &argv, &[("srv/x", 0o644, "x")]);
    let (source, out) = (container.source(), [place.text("on"), place.text("off")]);
    let on = Running::start(&place, &["archive", &source, "-o", &out[0]]).watched(&engine);
    assert!(on.iter().any(|made| matches!(made, Made::Container(_))), "{on:?}");
    assert!(on.iter().any(|made| matches!(made, Made::Image(_))), "{on:?}");
    let args = ["archive", &source, "-o", &out[1], "--no-observe"];
    assert_eq!(Running::start(&place, &args).watched(&engine), []);
}
