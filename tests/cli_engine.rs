//! The command line about containers: names that an engine does not have or has already, and an
//! engine that dies on the way.
//!
//! Needs a Docker engine with the image `debian:trixie`. Every container made is called `cli-…`
//! and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod command;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use command::{IMAGE, Place, assert_refusal, run};
use regrow::internals::engine::{ContainerSpec, Engine, VolumeName};
use regrow::restore::Which;
use serde_json::{Map, Value, json};

fn engine() -> Engine {
    Engine::connect(Which::Docker).unwrap_or_else(|error| {
        panic!("start a Docker engine with {IMAGE}, or set DOCKER_HOST to one: {error}")
    })
}

/// A container that is removed at the end of its test.
struct Container<'a>(&'a Engine, String);

impl Container<'_> {
    fn new<'a>(engine: &'a Engine, purpose: &str) -> Container<'a> {
        let name = format!("cli-{purpose}-{}", std::process::id());
        let spec = ContainerSpec::new(IMAGE, &["sleep", "100"]).without_network();
        engine.create(Some(&name), &spec).unwrap();
        Container(engine, name)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.0.for_cleanup().remove(&self.1);
    }
}

#[test]
fn names_that_an_engine_does_not_have_or_has_already_are_refused() {
    let engine = engine();
    let place = Place::with_bundle();
    let container = Container::new(&engine, "names");
    let (out, good) = (place.text("out"), place.text("good"));
    let archive = |name: &str| run(&["archive", name, "-o", &out], &[]);
    let ran = archive("docker:cli-absent");
    assert_refusal(&ran, 10, "E-PRECONDITION", "no such container `cli-absent`", "absent");
    engine.start(&container.1).unwrap();
    let ran = archive(&format!("docker:{}", container.1));
    assert_refusal(&ran, 10, "E-PRECONDITION", "the container is running", "running");
    let restore = |onto: &str, name: &str| {
        run(&["restore", &good, "--engine", "docker", "--onto", onto, "--name", name], &[])
    };
    let ran = restore("cli-no-such:image", "cli-never");
    assert_refusal(&ran, 10, "E-PRECONDITION", "no such image `cli-no-such:image`", "image");
    let ran = restore(IMAGE, &container.1);
    assert_refusal(&ran, 10, "E-PRECONDITION", "a container of this name exists", "taken");
    assert!(engine.container("cli-never").unwrap_err().is_absence());
    assert_eq!(place.names(), ["good", "root"]);
}

/// A socket in front of the engine's that goes silent for good once `limit` bytes were answered.
fn dying_engine(socket: &Path, limit: usize) {
    let real = match std::env::var("DOCKER_HOST") {
        Ok(host) => host
            .strip_prefix("unix://")
            .unwrap_or_else(|| panic!("set DOCKER_HOST to a unix:// address, not {host}"))
            .to_owned(),
        Err(_) => "/var/run/docker.sock".to_owned(),
    };
    let listener = UnixListener::bind(socket).unwrap();
    let left = Arc::new(AtomicUsize::new(limit));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            if left.load(Ordering::SeqCst) == 0 {
                continue;
            }
            let engine = UnixStream::connect(&real).unwrap();
            let (mut asks, mut asked) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asks, &mut asked));
            let left = left.clone();
            std::thread::spawn(move || answer(engine, client, &left));
        }
    });
}

fn answer(mut engine: UnixStream, mut client: UnixStream, left: &AtomicUsize) {
    let mut buffer = [0; 256];
    while let Ok(n @ 1..) = engine.read(&mut buffer) {
        let allowed = left.load(Ordering::SeqCst).min(n);
        left.fetch_sub(allowed, Ordering::SeqCst);
        if client.write_all(&buffer[..allowed]).is_err() || allowed < n {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = engine.shutdown(Shutdown::Both);
}

#[test]
fn an_engine_that_dies_on_the_way_ends_the_archive_without_a_trace() {
    let engine = engine();
    let container = Container::new(&engine, "dying");
    let place = Place::new();
    let socket = place.path("engine.sock");
    for limit in [0, 100, 1_000, 3_000] {
        let _ = fs::remove_file(&socket);
        dying_engine(&socket, limit);
        let host = format!("unix://{}", socket.display());
        let source = format!("docker:{}", container.1);
        let ran = run(&["archive", &source, "-o", &place.text("out")], &[("DOCKER_HOST", &host)]);
        assert_refusal(&ran, 7, "E-ENVIRONMENT", "engine", &format!("{limit} bytes"));
        assert_eq!(place.names(), ["engine.sock", "root"]);
    }
}

/// A volume that is removed at the end of its test.
struct Volume<'a>(&'a Engine, String);

impl Drop for Volume<'_> {
    fn drop(&mut self) {
        let _ = self.0.for_cleanup().remove_volume(&self.1);
    }
}

#[test]
fn an_archive_names_what_volumes_are_besides_and_settings_that_look_like_passwords() {
    let engine = engine();
    let place = Place::new();
    let id = std::process::id();
    let far = json!({"type": "none", "o": "bind", "device": place.text("root/srv")});
    let volume = |purpose: &str, options: &Value| {
        let name = format!("cli-{purpose}-{id}");
        let labels = Map::from_iter([("owner".to_owned(), json!("me"))]);
        let options = options.as_object().cloned().unwrap_or_default();
        engine.create_volume(VolumeName::New(&name), &labels, &options).unwrap();
        Volume(&engine, name)
    };
    let (shared, far) = (volume("shared", &json!({})), volume("far", &far));
    let container = |purpose: &str, binds: Value| {
        let name = format!("cli-{purpose}-{id}");
        let spec = ContainerSpec::new(IMAGE, &["sleep", "100"])
            .without_network()
            .config("Env", json!(["DB_PASSWORD=hush", "URL=redis://u:hush@r/0", "PLAIN=x"]))
            .host("Binds", binds);
        engine.create(Some(&name), &spec).unwrap();
        Container(&engine, name)
    };
    let other = container("other", json!([format!("{}:/x", shared.1)]));
    let both = json!([format!("{}:/data", shared.1), format!("{}:/far", far.1)]);
    let one = container("one", both);
    let source = format!("docker:{}", one.1);
    let ran = run(&["--json", "archive", &source, "-o", &place.text("out")], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let texts = |key: &str| -> Vec<String> {
        let all = report[key].as_array().unwrap().iter();
        all.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for name in ["DB_PASSWORD", "URL"] {
        let told = format!("setting of the container: environment {name}");
        assert!(texts("secrets").contains(&told), "{report}");
    }
    let told = format!("volume {}: {} use it too", shared.1, other.1);
    assert!(texts("limitations").iter().any(|l| l.starts_with(&told)), "{report}");
    let told = format!("volume {}: made by the driver local with options (device=", far.1);
    assert!(texts("limitations").iter().any(|l| l.starts_with(&told)), "{report}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hush"));
    let inspected = run(&["--json", "inspect", &place.text("out")], &[]);
    assert!(!inspected.stdout.contains("hush"));
    let inspected: Value = serde_json::from_str(&inspected.stdout).unwrap();
    let mounts = inspected["survey"]["mounts"].as_array().unwrap();
    let of = |name: &str| mounts.iter().find(|mount| mount["name"] == name).unwrap();
    assert_eq!(of(&shared.1)["volume"]["labels"], json!({"owner": "me"}));
    assert_eq!(of(&shared.1)["volume"]["shared_with"], json!([other.1]));
    drop((one, other));
}

#[test]
fn a_volume_that_is_mounted_at_two_places_is_one_volume_at_two_places_again() {
    let engine = engine();
    let place = Place::new();
    let id = std::process::id();
    let old = Volume(&engine, format!("cli-twice-{id}"));
    engine.create_volume(VolumeName::New(&old.1), &Map::new(), &Map::new()).unwrap();
    let name = format!("cli-twice-{id}");
    // It ends where one of the two is not there.
    let script = "mkdir -p /two/d && cat /two/x /one/x && exec sleep 1000";
    let spec = ContainerSpec::new(IMAGE, &["/bin/sh", "-c", script])
        .without_network()
        .host("Binds", json!([format!("{}:/two", old.1), format!("{}:/one", old.1)]));
    engine.create(Some(&name), &spec).unwrap();
    let one = Container(&engine, name);
    let mut tar = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(1);
    header.set_cksum();
    tar.append_data(&mut header, "x", b"x".as_slice()).unwrap();
    let tar = std::io::Cursor::new(tar.into_inner().unwrap());
    let at = regrow::tree::RootPath::parse(b"/one").unwrap();
    engine.put_archive(&one.1, &at, tar).unwrap();

    let (source, out) = (format!("docker:{}", one.1), place.text("out"));
    let ran = run(&["--json", "archive", &source, "-o", &out], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["observation"].get("exited"), None, "{report}");
    let new = Container(&engine, format!("cli-twice-new-{id}"));
    let args = ["restore", &out, "--onto", IMAGE, "--engine", "docker", "--name", &new.1];
    let ran = run(&[&args[..], &["--json"]].concat(), &[]);
    let made = Volume(&engine, format!("{}_{}", new.1, old.1));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let mounts = engine.container(&new.1).unwrap().mounts;
    let mounts: Vec<(String, String)> =
        mounts.into_iter().map(|mount| (mount.destination.to_string(), mount.name)).collect();
    assert_eq!(mounts, [("/one".to_owned(), made.1.clone()), ("/two".to_owned(), made.1.clone())]);
    engine.start(&new.1).unwrap();
    let mut said = vec![];
    let look = regrow::internals::engine::Command::root(&["cat", "/one/x", "/two/x"]);
    let patience = std::time::Duration::from_secs(10);
    let ran = engine.exec(&new.1, &look, None, &mut said, patience).unwrap();
    assert_eq!((ran.code, said.as_slice()), (0, b"xx".as_slice()));
    // And what stands is as it was.
    let checked = run(&["check", &new.1, "--against", &out], &[]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
    drop((one, new));
    drop((old, made));
}
