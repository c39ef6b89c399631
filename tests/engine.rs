//! The engine module against a real engine: the one that `DOCKER_HOST` names, else the local one.
//!
//! Needs the image `debian:trixie` there. Everything made is called `engine-…` and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::io::{Read, Write};
use std::time::Duration;

use regrow::failure::FailureKind;
use regrow::internals::engine::settings::{Renewal, carry, translate};
use regrow::internals::engine::{
    ChangeKind, Command, ContainerSpec, Engine, EngineError, Flavour, LayerFile, Made, RUN_LABEL,
    STAGING_LABEL, Staging, State, VolumeName, run_id,
};
use regrow::internals::service::MountKind;
use regrow::restore::Which;
use regrow::tree::RootPath;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

const BASE: &str = "debian:trixie";
const LIMIT: Duration = Duration::from_secs(60);

fn engine() -> Engine {
    Engine::connect(Which::Any).unwrap_or_else(|error| {
        panic!("start a Docker or Podman engine, or set DOCKER_HOST to one: {error}")
    })
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// A container that is removed at the end of its test.
struct Guard<'a>(&'a Engine, String);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let _ = self.0.for_cleanup().remove(&self.1);
    }
}

impl Guard<'_> {
    fn new<'a>(engine: &'a Engine, name: &str, spec: &ContainerSpec) -> Guard<'a> {
        let _ = engine.remove(name);
        Guard(engine, engine.create(Some(name), spec).unwrap())
    }

    fn id(&self) -> &str {
        &self.1
    }
}

fn shell(script: &str) -> ContainerSpec {
    ContainerSpec::new(BASE, &["sh", "-c", script]).without_network()
}

/// Runs a fresh container, and returns what it wrote, its code and its complaints.
fn ran(engine: &Engine, name: &str, script: &str) -> (Vec<u8>, i64, Vec<u8>) {
    let made = Guard::new(engine, name, &shell(script));
    let mut out = vec![];
    let ran = engine.run(made.id(), None, &mut out, LIMIT).unwrap();
    (out, ran.code, ran.stderr_tail)
}

/// A tar of one file.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(content.len() as u64);
    header.set_mode(0o640);
    header.set_uid(12);
    header.set_gid(34);
    header.set_mtime(1_000_000_000);
    header.set_cksum();
    let mut tar = tar::Builder::new(vec![]);
    tar.append(&header, content).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn an_engine_says_what_it_is() {
    let engine = engine();
    let info = engine.info();
    assert!(!info.version.is_empty() && !info.driver.is_empty(), "{info:?}");
    assert!(info.root_dir.starts_with('/'), "{info:?}");
    assert!(info.api >= (1, 24), "{info:?}");
    assert_eq!(info.containerd_store, info.driver == "overlayfs", "{info:?}");
}

#[test]
fn what_is_not_there_is_absent_and_not_a_failure_of_the_engine() {
    let engine = engine();
    for error in [
        engine.container("engine-nowhere").unwrap_err(),
        engine.container("").unwrap_err(),
        engine.container("../info").unwrap_err(),
        engine.image("engine-nowhere:x").unwrap_err(),
        engine.export("engine-nowhere").err().unwrap(),
        engine.save("engine-nowhere:x").err().unwrap(),
        engine.volume("engine-nowhere").unwrap_err(),
        engine.create(None, &ContainerSpec::new("engine-nowhere:x", &["true"])).unwrap_err(),
    ] {
        assert!(error.is_absence(), "{error:?}");
        assert_eq!(error.kind(), FailureKind::Precondition);
    }
    assert!(!engine.network_exists("engine-nowhere").unwrap());
    assert!(!engine.volume_exists("engine-nowhere").unwrap());
}

#[test]
fn a_name_that_is_taken_is_not_taken_again() {
    let engine = engine();
    let made = Guard::new(&engine, "engine-taken", &shell("true"));
    let error = engine.create(Some("engine-taken"), &shell("true")).unwrap_err();
    assert!(matches!(error, EngineError::NameTaken { .. }), "{error:?}");
    let other = Guard::new(&engine, "engine-taken-2", &shell("true"));
    let error = engine.rename(other.id(), "engine-taken").unwrap_err();
    assert!(matches!(error, EngineError::NameTaken { .. }), "{error:?}");
    engine.rename(other.id(), "engine-taken-3").unwrap();
    assert_eq!(engine.container(other.id()).unwrap().name, "engine-taken-3");
    drop(made);
}

#[test]
fn a_container_is_described_with_its_mounts_and_state() {
    let engine = engine();
    let _ = engine.remove("engine-described");
    let _ = engine.remove_volume("engine-described");
    let mut labels = Map::new();
    labels.insert("engine".to_owned(), "test".into());
    let volume =
        engine.create_volume(VolumeName::New("engine-described"), &labels, &Map::new()).unwrap();
    assert_eq!(volume.labels, labels);
    let again = engine
        .create_volume(VolumeName::New("engine-described"), &labels, &Map::new())
        .unwrap_err();
    assert!(matches!(again, EngineError::NameTaken { .. }), "{again:?}");

    let spec = shell("sleep 100")
        .host("Binds", json!(["engine-described:/named", "/tmp:/bound:ro"]))
        .config("Volumes", json!({ "/unnamed": {} }));
    let made = Guard::new(&engine, "engine-described", &spec);
    let container = engine.container("engine-described").unwrap();
    assert_eq!(container.id, made.id());
    assert_eq!(container.name, "engine-described");
    assert_eq!((&container.state, container.pid), (&State::Created, 0));
    let mounts: Vec<_> = container
        .mounts
        .iter()
        .map(|m| (m.destination.to_string(), m.kind, m.anonymous, m.read_write))
        .collect();
    assert_eq!(
        mounts,
        [
            ("/bound".to_owned(), MountKind::Bind, false, false),
            ("/named".to_owned(), MountKind::Volume, false, true),
            ("/unnamed".to_owned(), MountKind::Volume, true, true),
        ]
    );
    assert_eq!(container.layers.is_none(), engine.info().containerd_store);
    engine.start(made.id()).unwrap();
    let running = engine.container(made.id()).unwrap();
    assert_eq!(running.state, State::Running);
    assert!(running.pid > 0);
    engine.stop(made.id(), Duration::ZERO).unwrap();
    engine.stop(made.id(), Duration::ZERO).unwrap();
    assert_eq!(engine.container(made.id()).unwrap().state, State::Exited);
    engine.kill(made.id()).unwrap();

    let unnamed = container.mounts[2].name.clone();
    drop(made);
    assert!(!engine.volume_exists(&unnamed).unwrap());
    assert!(engine.volume_exists("engine-described").unwrap());
    engine.remove_volume("engine-described").unwrap();
}

#[test]
fn a_command_has_its_three_streams_and_its_code() {
    let engine = engine();
    let (out, code, complaints) =
        ran(&engine, "engine-run", r"printf 'a\0\377b'; printf oops >&2; exit 7");
    assert_eq!((out.as_slice(), code, complaints.as_slice()), (&b"a\0\xffb"[..], 7, &b"oops"[..]));
}

#[test]
fn a_large_input_goes_through_a_container_unchanged() {
    let engine = engine();
    let spec = ContainerSpec::new(BASE, &["cat"])
        .without_network()
        .config("OpenStdin", true)
        .config("StdinOnce", true);
    let made = Guard::new(&engine, "engine-cat", &spec);
    let input: Vec<u8> =
        (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut out = vec![];
    let stdin = Box::new(std::io::Cursor::new(input.clone()));
    let ran = engine.run(made.id(), Some(stdin), &mut out, LIMIT).unwrap();
    assert_eq!(ran.code, 0);
    assert!(out == input, "{} of {} bytes", out.len(), input.len());
}

#[test]
fn a_command_that_ignores_its_input_ends() {
    let engine = engine();
    let spec =
        shell("echo complaint >&2; exit 5").config("OpenStdin", true).config("StdinOnce", true);
    let made = Guard::new(&engine, "engine-deaf", &spec);
    let ran = engine
        .run(made.id(), Some(Box::new(std::io::repeat(b'x'))), &mut std::io::sink(), LIMIT)
        .unwrap();
    assert_eq!((ran.code, ran.stderr_tail.as_slice()), (5, &b"complaint\n"[..]));
}

#[test]
fn commands_run_in_a_container_that_runs() {
    let engine = engine();
    let made = Guard::new(&engine, "engine-exec", &shell("sleep 1000"));
    engine.start(made.id()).unwrap();
    let mut out = vec![];
    let mut command = Command::root(&["sh", "-c", "id -u; echo $X; pwd; cat; exit 3"]);
    command.user = "1:1".to_owned();
    command.env = vec!["X=y z".to_owned()];
    command.directory = "/usr".to_owned();
    let stdin = Box::new(&b"in\0put"[..]);
    let ran = engine.exec(made.id(), &command, Some(stdin), &mut out, LIMIT).unwrap();
    assert_eq!(out, b"1\ny z\n/usr\nin\0put");
    assert_eq!(ran.code, 3);
    let missing = Command::root(&["/no/such/command"]);
    match engine.exec(made.id(), &missing, None, &mut out, LIMIT) {
        Ok(ran) => assert!([126, 127].contains(&ran.code), "{ran:?}"),
        Err(error) => assert!(
            matches!(error, EngineError::Refused { .. } | EngineError::NoSuch { .. }),
            "{error:?}"
        ),
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let engine = engine();
    let made = Guard::new(&engine, "engine-slow", &shell("exec sleep 1000"));
    let limit = Duration::from_secs(3);
    let error = engine.run(made.id(), None, &mut std::io::sink(), limit).unwrap_err();
    assert!(matches!(error, EngineError::CommandTimeout { .. }), "{error:?}");
    assert_eq!(error.kind(), FailureKind::Step);
    engine.wait(made.id(), LIMIT).unwrap();
    assert_eq!(engine.container(made.id()).unwrap().state, State::Exited);
}

#[test]
fn an_input_that_cannot_be_read_is_no_end_of_input() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("torn"))
        }
    }
    let engine = engine();
    let spec = ContainerSpec::new(BASE, &["cat"])
        .without_network()
        .config("OpenStdin", true)
        .config("StdinOnce", true);
    let made = Guard::new(&engine, "engine-torn", &spec);
    let error =
        engine.run(made.id(), Some(Box::new(Broken)), &mut std::io::sink(), LIMIT).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Resource, "{error:?}");
    let error = engine.put_archive(made.id(), &path("/srv"), Broken).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Resource, "{error:?}");
}

#[test]
fn changes_and_files_come_out_of_a_container_that_ended() {
    let engine = engine();
    let made = Guard::new(
        &engine,
        "engine-changed",
        &shell("echo new >/srv/new; rm /etc/issue; echo more >>/etc/issue.net"),
    );
    assert_eq!(engine.run(made.id(), None, &mut std::io::sink(), LIMIT).unwrap().code, 0);
    let changes = engine.changes(made.id()).unwrap();
    let kind = |p: &str| changes.iter().find(|c| c.path == path(p)).map(|c| c.kind);
    assert_eq!(kind("/srv/new"), Some(ChangeKind::Added));
    assert_eq!(kind("/etc/issue"), Some(ChangeKind::Deleted));
    assert_eq!(kind("/etc/issue.net"), Some(ChangeKind::Modified));

    let mut tar = vec![];
    engine.get_archive(made.id(), &path("/srv/new")).unwrap().read_to_end(&mut tar).unwrap();
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut content = String::new();
    entry.read_to_string(&mut content).unwrap();
    assert_eq!((&*entry.path_bytes(), content.as_str()), (&b"new"[..], "new\n"));
    let error = engine.get_archive(made.id(), &path("/srv/none")).err().unwrap();
    assert!(matches!(error, EngineError::NoSuchPath { .. }), "{error:?}");

    let names: Vec<String> = tar::Archive::new(engine.export(made.id()).unwrap())
        .entries()
        .unwrap()
        .map(|e| String::from_utf8_lossy(&e.unwrap().path_bytes()).into_owned())
        .collect();
    assert!(names.contains(&"srv/new".to_owned()));
    assert!(!names.contains(&"etc/issue".to_owned()));
    // A reader that is dropped early leaves the engine usable.
    let mut early = engine.export(made.id()).unwrap();
    early.read_exact(&mut [0; 512]).unwrap();
    drop(early);
    assert_eq!(engine.container(made.id()).unwrap().state, State::Exited);
}

#[test]
fn files_go_into_a_container_that_never_ran() {
    let engine = engine();
    let made =
        Guard::new(&engine, "engine-put", &shell("stat -c '%a %u:%g %Y' /srv/f; cat /srv/f"));
    engine.put_archive(made.id(), &path("/srv"), tar_of("f", b"hello").as_slice()).unwrap();
    if engine.info().flavour == Flavour::Docker {
        let error = engine
            .put_archive(made.id(), &path("/none"), tar_of("f", b"hello").as_slice())
            .unwrap_err();
        assert!(matches!(error, EngineError::NoSuchPath { .. }), "{error:?}");
    }
    let mut out = vec![];
    engine.run(made.id(), None, &mut out, LIMIT).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "640 12:34 1000000000\nhello");
}

#[test]
fn an_image_is_described_saved_and_loaded_again() {
    let engine = engine();
    let image = engine.image(BASE).unwrap();
    assert!(image.id.starts_with("sha256:"), "{image:?}");
    assert!(image.tags.iter().any(|t| t.ends_with(BASE)), "{image:?}");
    assert_eq!((image.layers.len(), image.os.as_str()), (1, "linux"));
    let mut saved = tempfile::tempfile().unwrap();
    let size = std::io::copy(&mut engine.save(BASE).unwrap(), &mut saved).unwrap();
    assert!(size > 1 << 20);
    std::io::Seek::rewind(&mut saved).unwrap();
    let loaded = engine.load(saved).unwrap();
    assert!(loaded.iter().any(|name| name.ends_with(BASE)), "{loaded:?}");
    let refused = engine.load(&b"this is no tar"[..]).unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Environment, "{refused:?}");
}

#[test]
fn a_committed_container_is_an_untagged_image_with_its_config() {
    let engine = engine();
    let made = Guard::new(&engine, "engine-commit", &shell("echo x >/srv/x"));
    engine.run(made.id(), None, &mut std::io::sink(), LIMIT).unwrap();
    let config = json!({ "Cmd": ["cat", "/srv/x"], "Labels": { "engine": "a \"b\" c" } });
    let id = engine.commit(made.id(), &config).unwrap();
    let image = engine.image(&id).unwrap();
    assert_eq!(image.labels.get("engine"), Some(&json!("a \"b\" c")));
    assert!(image.tags.is_empty(), "{image:?}");
    assert_eq!(image.layers.len(), 2);
    let labelled = engine.images_labelled("engine").unwrap();
    assert!(labelled.contains(&image.id), "{labelled:?} {}", image.id);
    let ContainerSpec { mut config, host, endpoints } =
        ContainerSpec::new(&id, &[]).without_network();
    config.remove("Cmd");
    let again = Guard::new(&engine, "engine-commit-2", &ContainerSpec { config, host, endpoints });
    let mut out = vec![];
    engine.run(again.id(), None, &mut out, LIMIT).unwrap();
    assert_eq!(out, b"x\n");
    drop(again);
    drop(made);
    engine.remove_image(&id).unwrap();
    assert!(engine.image(&id).unwrap_err().is_absence());
}

#[test]
fn a_cancelled_engine_ends_what_it_does_and_still_cleans_up() {
    let engine = engine();
    let made = Guard::new(&engine, "engine-cancelled", &shell("exec sleep 1000"));
    let handle = engine.cancel_handle();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        handle.cancel(15);
    });
    let mut stream = engine.export(made.id()).unwrap();
    let error = engine.run(made.id(), None, &mut std::io::sink(), LIMIT).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Signal(15), "{error:?}");
    assert_eq!(engine.container(made.id()).unwrap_err().kind(), FailureKind::Signal(15));
    let error = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_err();
    assert_eq!(EngineError::in_io(&error).map(EngineError::kind), Some(FailureKind::Signal(15)));
    let cleanup = engine.for_cleanup();
    cleanup.wait(made.id(), LIMIT).unwrap();
    assert_ne!(cleanup.container(made.id()).unwrap().state, State::Running);
}

#[test]
fn an_engine_that_stops_answering_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            // The first connection only looks whether anybody is there.
            if n > 0 {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h");
            }
        }
    });
    let error = Engine::connect_to(&format!("unix://{}", socket.display())).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Environment);
    assert!(error.to_string().contains("unexpected answer"), "{error}");
}

/// A layer of ours: files by name, with the digest over it all.
fn layer(files: &[(&str, &[u8])]) -> LayerFile {
    let mut bytes = vec![];
    for (name, content) in files {
        bytes.extend_from_slice(tar_of(name, content).strip_suffix(&[0; 1024]).unwrap());
    }
    bytes.extend_from_slice(&[0; 1024]);
    let mut tar = tempfile::tempfile().unwrap();
    tar.write_all(&bytes).unwrap();
    LayerFile { tar, diff_id: format!("sha256:{}", hex::encode(Sha256::digest(&bytes))) }
}

#[test]
fn layers_of_ours_make_an_image_that_stands_alone() {
    let engine = engine();
    // The parent is an image of its own, so that its removal can be tried.
    let maker = Guard::new(&engine, "engine-parent", &shell("echo parent >/srv/parent"));
    engine.run(maker.id(), None, &mut std::io::sink(), LIMIT).unwrap();
    let labels = json!({ "Labels": { "regrow.staging": "engine-parent", "kept": "yes" } });
    let parent = engine.commit(maker.id(), &labels).unwrap();
    drop(maker);

    let config = json!({
        "Cmd": ["sh", "-c", "cat /srv/parent /srv/a /srv/b; ls /etc/issue"],
        "Env": ["A=b"],
        "Labels": { "engine.bundle": "1" },
    });
    let layers = vec![
        layer(&[("srv/a", b"a1\n"), ("srv/b", b"b\n")]),
        layer(&[("etc/.wh.issue", b""), ("srv/a", b"a2\n")]),
    ];
    let top = layers[1].diff_id.clone();
    let id = engine.append_layers(&parent, layers, config.as_object().unwrap()).unwrap();
    let image = engine.image(&id).unwrap();
    assert_eq!(image.tags, Vec::<String>::new());
    assert_eq!((image.layers.len(), image.layers[3].clone()), (4, top));
    let wanted = json!({ "engine.bundle": "1", "kept": "yes" });
    assert_eq!(serde_json::Value::from(image.labels), wanted);

    // Removing the parent neither fails nor takes the new image along.
    engine.remove_image(&parent).unwrap();
    assert!(engine.image(&parent).unwrap_err().is_absence());
    let spec = ContainerSpec { config: Map::new(), ..ContainerSpec::default() }
        .config("Image", id.as_str())
        .without_network();
    let made = Guard::new(&engine, "engine-appended", &spec);
    let mut out = vec![];
    let ran = engine.run(made.id(), None, &mut out, LIMIT).unwrap();
    let complaints = String::from_utf8_lossy(&ran.stderr_tail);
    assert_eq!(String::from_utf8_lossy(&out), "parent\na2\nb\n");
    assert!(complaints.contains("/etc/issue") && ran.code != 0, "{ran:?}");

    // The same layers under another configuration.
    let other = json!({ "Labels": { "engine.other": "1" } });
    let again = engine.append_layers(&id, vec![], other.as_object().unwrap()).unwrap();
    assert_ne!(again, id);
    assert_eq!(engine.image(&again).unwrap().layers, image.layers);
    engine.remove_image(&again).unwrap();
    drop(made);
    engine.remove_image(&id).unwrap();
    assert!(engine.image(&id).unwrap_err().is_absence());
    assert_eq!(engine.image(BASE).unwrap().layers[0], image.layers[0]);
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_makes_no_image() {
    let engine = engine();
    let mut wrong = layer(&[("srv/a", b"a")]);
    wrong.diff_id = format!("sha256:{}", "0".repeat(64));
    let error = engine.append_layers(BASE, vec![wrong], &Map::new()).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Resource, "{error:?}");
}

#[test]
fn a_saved_image_is_found_with_its_layers() {
    let engine = engine();
    let image = engine.image(BASE).unwrap();
    let saved = engine.saved(&image).unwrap();
    assert_eq!(saved.layers.len(), image.layers.len());
    let mut digest = Sha256::new();
    std::io::copy(&mut saved.layers[0].reader(), &mut digest).unwrap();
    // Imported here, and therefore never compressed.
    assert_eq!(format!("sha256:{}", hex::encode(digest.finalize())), image.layers[0]);
}

#[test]
fn what_is_under_construction_goes_unless_it_was_published() {
    let engine = engine();
    let run = format!("engine-{}", std::process::id());
    let mine = |engine: &Engine| -> Vec<Made> {
        let left = engine.staged().unwrap();
        left.into_iter().filter(|l| l.staging == run).map(|l| l.made).collect()
    };
    let staging = Staging::new(&engine, run.as_str());
    let labels = staging.labels(&[("regrow.note", "x")]);
    let volume = engine.create_volume(VolumeName::Generated, &labels, &Map::new()).unwrap();
    staging.register(Made::Volume(volume.name.clone()));
    let spec = shell("echo x >/v/x; echo y >/srv/y")
        .host("Binds", json!([format!("{}:/v", volume.name)]))
        .label("regrow.restore.note", "z");
    let container = staging.container(&engine, None, &spec).unwrap();
    engine.run(&container, None, &mut std::io::sink(), LIMIT).unwrap();
    // Neither registered: their label has to be enough.
    let image = engine.commit(&container, &json!({})).unwrap();
    let stray = engine.create(None, &shell("true").label(STAGING_LABEL, &run)).unwrap();
    let left = mine(&engine);
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[2..], [Made::Volume(volume.name.clone()), Made::Image(image.clone())]);
    let found = engine.staged().unwrap();
    let labelled = found.iter().find(|l| l.made == Made::Container(container.clone())).unwrap();
    assert_eq!(labelled.labels["regrow.restore.note"], "z");

    staging.disarm(&Made::Container(stray.clone()));
    engine.cancel_handle().cancel(2);
    drop(staging);
    let engine = engine.for_cleanup();
    assert_eq!(mine(&engine), [Made::Container(stray.clone())]);
    assert!(!engine.volume_exists(&volume.name).unwrap());
    for leftover in engine.staged().unwrap() {
        if leftover.staging == run {
            engine.remove_leftover(&leftover).unwrap();
            engine.remove_leftover(&leftover).unwrap();
        }
    }
    assert_eq!(mine(&engine), []);
}

#[test]
fn what_a_killed_run_made_for_good_goes_unless_it_is_used() {
    let engine = engine();
    let run = run_id("engine");
    let labels = Map::from_iter([(RUN_LABEL.to_owned(), json!(run))]);
    let volume = |name: &str| {
        let _ = engine.remove_volume(name);
        engine.create_volume(VolumeName::New(name), &labels, &Map::new()).unwrap();
        Made::Volume(name.to_owned())
    };
    let (used, unused) = (volume("engine-used"), volume("engine-unused"));
    let image = |note: &str| {
        let config = json!({ "Labels": { RUN_LABEL: run, "note": note } });
        let id = engine.append_layers(BASE, vec![], config.as_object().unwrap()).unwrap();
        (id.clone(), Made::Image(id))
    };
    let ((published, kept), (_, forgotten)) = (image("a"), image("b"));
    let spec = ContainerSpec::new(&published, &["true"]).host("Binds", json!(["engine-used:/v"]));
    let done = Guard::new(&engine, "engine-done", &spec);
    let draft = Staging::new(&engine, run.as_str()).draft_name();
    let draft = Guard::new(&engine, &draft, &ContainerSpec::new(&published, &["true"]));

    let mut found = engine.unfinished(&run).unwrap();
    found.sort();
    let half = Made::Container(draft.id().to_owned());
    assert_eq!(found, [half, unused.clone(), used.clone(), forgotten.clone()]);
    let removed: Vec<bool> = found.iter().map(|made| engine.remove_unused(made).unwrap()).collect();
    assert_eq!(removed, [true, true, false, true]);
    assert!(!engine.remove_unused(&kept).unwrap(), "a container uses it");
    assert!(engine.container(done.id()).is_ok());
    drop(done);
    assert!(engine.remove_unused(&used).unwrap() && engine.remove_unused(&kept).unwrap());
    assert_eq!(engine.unfinished(&run).unwrap(), []);
}

fn sort_env(spec: &mut ContainerSpec) {
    if let Some(serde_json::Value::Array(env)) = spec.config.get_mut("Env") {
        env.sort_by_key(ToString::to_string);
    }
}

#[test]
fn a_container_is_made_again_from_its_own_settings() {
    let engine = engine();
    let _ = engine.remove("engine-again");
    let spec = ContainerSpec::new(BASE, &["sleep", "100"])
        .config("Env", json!(["FOO=bar"]))
        .config("Hostname", "given")
        .config("ExposedPorts", json!({ "80/tcp": {} }))
        .config("Volumes", json!({ "/unnamed": {} }))
        .config(
            "Healthcheck",
            json!({ "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_u64 }),
        )
        .config("StopSignal", "SIGINT")
        .host("PortBindings", json!({ "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "49080" }] }))
        .host("Binds", json!(["engine-again:/data:ro", "/tmp:/bound"]))
        .host("Tmpfs", json!({ "/scratch": "size=1m" }))
        .host("CapAdd", json!(["NET_ADMIN"]))
        .host("CapDrop", json!(["NET_RAW"]))
        .host("Memory", 64 << 20)
        .host("NanoCpus", 500_000_000)
        .host("RestartPolicy", json!({ "Name": "on-failure", "MaximumRetryCount": 3 }))
        .host("Ulimits", json!([{ "Name": "nofile", "Soft": 100, "Hard": 200 }]))
        .host("ExtraHosts", json!(["a:1.2.3.4"]))
        .host("SecurityOpt", json!(["no-new-privileges"]))
        .label("l", "v");
    let image = engine.image(BASE).unwrap();
    let volumes = [("engine-again".to_owned(), "engine-again-2".to_owned())].into();
    let renewal = Renewal { image: &image.id, volumes: &volumes, flavour: engine.info().flavour };
    let old = Guard::new(&engine, "engine-again", &spec);
    let first =
        carry(&translate(&engine.container(old.id()).unwrap().raw).unwrap(), &renewal).unwrap();
    assert_eq!(first.dropped, []);
    // Podman lists the environment in any order.
    let mut wanted = first.clone();
    sort_env(&mut wanted.spec);
    drop(old);
    let new = Guard::new(&engine, "engine-again", &first.spec);
    // Podman adds to the environment at the start.
    let made = engine.container(new.id()).unwrap();
    engine.start(new.id()).unwrap();
    let volumes = [("engine-again-2".to_owned(), "engine-again-2".to_owned())].into();
    let renewal = Renewal { volumes: &volumes, ..renewal };
    let mut second = carry(&translate(&made.raw).unwrap(), &renewal).unwrap();
    sort_env(&mut second.spec);
    assert_eq!(second, wanted);
    drop(new);
    for volume in ["engine-again", "engine-again-2"] {
        engine.remove_volume(volume).unwrap();
    }
}
