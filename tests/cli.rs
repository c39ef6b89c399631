//! The command line given what it cannot take: every refusal has its exit code, one message with
//! its five parts, and leaves nothing behind.
//!
//! Needs a Docker engine with the image `debian:trixie` for the cases that are about one. Every
//! container made is called `cli-…` and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regrow::engine::{ContainerSpec, Engine, Which};
use tempfile::TempDir;

const IMAGE: &str = "debian:trixie";

/// What one run of the program came to.
struct Ran {
    code: Option<i32>,
    stderr: String,
}

fn run(args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_regrow"))
        .args(args)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran { code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap() }
}

/// Checks the form of a refusal: one line with all parts, nothing that could move a cursor.
fn assert_refusal(ran: &Ran, code: i32, kind: &str, words: &str, case: &str) {
    let text = &ran.stderr;
    assert_eq!(ran.code, Some(code), "{case}: {text}");
    let messages: Vec<&str> = text.lines().filter(|line| line.contains("error[")).collect();
    let [message] = messages[..] else { panic!("{case}: not one message: {text}") };
    assert!(message.starts_with(&format!("regrow: error[{kind}] ")), "{case}: {message}");
    assert!(message.contains(words), "{case}: lacks `{words}`: {message}");
    for part in [" \"", "\": ", " Kept: ", ". Next: "] {
        assert!(message.contains(part), "{case}: lacks `{part}`: {message}");
    }
    assert!(message.ends_with('.'), "{case}: {message}");
    assert!(!text.contains("panicked"), "{case}: {text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{case}: {text:?}");
}

fn refused(args: &[&str], code: i32, kind: &str, words: &str) {
    assert_refusal(&run(args, &[]), code, kind, words, &args.join(" "));
}

/// A directory with a small root in it and the bundle of that root.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::create_dir_all(place.path("root/etc")).unwrap();
        fs::create_dir_all(place.path("root/srv")).unwrap();
        fs::write(place.path("root/etc/os-release"), "ID=debian\nVERSION_ID=\"11\"\n").unwrap();
        fs::write(place.path("root/srv/data"), "what nobody else has\n".repeat(100)).unwrap();
        place
    }

    fn with_bundle() -> Place {
        let place = Place::new();
        let ran = run(&["-q", "archive", &place.source(), "-o", &place.text("good")], &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn source(&self) -> String {
        format!("rootfs:{}", self.text("root"))
    }

    /// What stands in it.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_no_whole_bundle_is_refused_by_every_command_that_reads_one() {
    let place = Place::with_bundle();
    let good = fs::read(place.path("good")).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    fs::write(place.path("flipped"), flipped).unwrap();
    fs::write(place.path("truncated"), &good[..good.len() / 2]).unwrap();
    fs::write(place.path("appended"), [&good[..], b"x"].concat()).unwrap();
    fs::write(place.path("empty"), "").unwrap();
    fs::write(place.path("noise"), "no bundle at all\n".repeat(99)).unwrap();
    fs::create_dir(place.path("directory")).unwrap();
    let made = Command::new("mkfifo").arg(place.path("fifo")).status().unwrap();
    assert!(made.success());
    let cases = [
        ("flipped", 5, "E-INTEGRITY", "damaged"),
        ("truncated", 5, "E-INTEGRITY", "incomplete"),
        ("appended", 5, "E-INTEGRITY", "incomplete"),
        ("empty", 4, "E-REFUSED", "not a regrow bundle: the file is empty"),
        ("noise", 4, "E-REFUSED", "not a regrow bundle"),
        ("directory", 4, "E-REFUSED", "it is a directory"),
        ("fifo", 4, "E-REFUSED", "it is a FIFO"),
        ("absent", 10, "E-PRECONDITION", "no such file"),
    ];
    for (name, code, kind, words) in cases {
        let file = place.text(name);
        refused(&["verify", &file], code, kind, words);
        refused(&["restore", &file, "--onto", IMAGE, "--name", "cli-never"], code, kind, words);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_read() {
    let place = Place::with_bundle();
    let before = fs::read(place.path("good")).unwrap();
    let archive = |output: &str| run(&["archive", &place.source(), "-o", output], &[]);
    for (output, words) in [("good", "exists already"), ("absent/bundle", "no such file")] {
        let ran = archive(&place.text(output));
        assert_refusal(&ran, 10, "E-PRECONDITION", words, output);
    }
    assert_eq!(fs::read(place.path("good")).unwrap(), before);
    assert_eq!(place.names(), ["good", "root"]);
}

#[test]
fn a_full_disk_ends_the_archive_and_leaves_no_part_of_it() {
    let place = Place::new();
    // Random enough that it does not shrink, larger than the disk.
    let mut noise = vec![0; 4 << 20];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    fs::write(place.path("root/srv/noise"), noise).unwrap();
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&disk)
        .status()
        .unwrap();
    assert!(mounted.success(), "run this test as root: it mounts a small disk");
    let ran = run(&["archive", &place.source(), "-o", &place.text("disk/bundle")], &[]);
    let left = fs::read_dir(&disk).unwrap().count();
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    assert_refusal(&ran, 6, "E-RESOURCE", "No space left", "a full disk");
    assert_eq!(left, 0, "something was left on the full disk");
}

#[test]
fn options_that_say_nothing_sensible_are_usage_errors() {
    let place = Place::with_bundle();
    let (source, out) = (place.source(), place.text("out"));
    let archive = |more: &[&str], code, kind, words: &str| {
        let args = [&["archive", source.as_str(), "-o", out.as_str()][..], more].concat();
        refused(&args, code, kind, words);
    };
    archive(&["--since", "yesterday"], 2, "E-USAGE", "`yesterday` is not a time");
    archive(&["--since", "@noon"], 2, "E-USAGE", "not a number of seconds");
    archive(&["--since", "/no/marker"], 10, "E-PRECONDITION", "no such path");
    archive(&["--exclude", "srv/**"], 2, "E-USAGE", "does not begin with `/`");
    archive(&["--exclude", "/a["], 2, "E-USAGE", "cannot be read");
    archive(&["--frob"], 2, "E-USAGE", "unexpected argument '--frob'");
    archive(&["--logs", "\u{1b}[31m"], 2, "E-USAGE", "invalid value");
    refused(&["frob"], 2, "E-USAGE", "unrecognized subcommand 'frob'");
    refused(&["restore", &out], 2, "E-USAGE", "--onto <TARGET>");
    let good = place.text("good");
    for name in ["a b", "-x", "", "x", "a/b", "\u{1b}[31m"] {
        let name = format!("--name={name}");
        let args = ["restore", &good, "--onto", IMAGE, &name];
        refused(&args, 2, "E-USAGE", "a container's name has");
    }
    refused(&["inspect", "rootfs:/no/root"], 10, "E-PRECONDITION", "cannot be opened");
    assert_eq!(place.names(), ["good", "root"]);
}

#[test]
fn a_typo_in_a_rule_is_shown_with_its_place_and_the_nearest_word() {
    let place = Place::new();
    fs::create_dir(place.path("rules")).unwrap();
    let rule =
        "app: x\ntitle: X\nversion: {components: 1}\nrecognise:\n  packages:\n    - nmae: x\n";
    fs::write(place.path("rules/x.yaml"), rule).unwrap();
    let rules = place.text("rules");
    let words = "x.yaml:6:7: unknown key `nmae`, expected `name`";
    let out = place.text("out");
    refused(&["rules", "lint", &rules], 4, "E-REFUSED", words);
    let archive = ["--rules", &rules, "archive", &place.source(), "-o", &out];
    refused(&archive, 4, "E-REFUSED", "did you mean `name`?");
    refused(&["--rules", &place.text("none"), "rules", "list"], 10, "E-PRECONDITION", "none");
    assert_eq!(place.names(), ["root", "rules"]);
}

#[test]
fn without_an_engine_the_message_says_where_one_was_looked_for() {
    let place = Place::new();
    let dead = place.text("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let out = place.text("out");
    let cases = [
        ("unix:///no/engine.sock".to_owned(), "no socket at unix:///no/engine.sock"),
        (format!("unix://{dead}"), "nobody answers"),
        ("tcp://127.0.0.1:1".to_owned(), "nobody answers"),
        ("ftp://engine".to_owned(), "cannot use the engine address"),
    ];
    for (host, words) in cases {
        let ran = run(&["archive", "docker:web", "-o", &out], &[("DOCKER_HOST", &host)]);
        assert_refusal(&ran, 7, "E-ENVIRONMENT", words, &host);
    }
    assert!(!Path::new(&out).exists());
}

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
