//! The command line given what it cannot take: every refusal has its exit code, one message with
//! its five parts, and leaves nothing behind.
//!
//! Needs neither root nor an engine; the case of a full disk is skipped for an ordinary user.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(clippy::print_stderr, reason = "a case that is skipped says so")]

mod command;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use command::{IMAGE, Place, assert_refusal, refused, run};

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
fn a_page_is_written_beside_the_report_and_replaces_nothing() {
    let place = Place::with_bundle();
    let (good, page) = (place.text("good"), place.text("page.html"));
    let ran = run(&["inspect", &good, "--html", &page], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("  /srv/data\n"), "{html}");
    let plan = ["plan", &good, "--onto", IMAGE, "--html", &page];
    let restore = ["restore", &good, "--onto", IMAGE, "--name", "cli-never", "--html", &page];
    let source = place.source();
    let inspect = ["inspect", &source, "--html", &page];
    for args in [&plan[..], &restore[..], &inspect[..]] {
        refused(args, 10, "E-PRECONDITION", "exists already");
    }
    assert_eq!(fs::read_to_string(&page).unwrap(), html);
    let absent = place.text("absent/page.html");
    refused(&["inspect", &good, "--html", &absent], 10, "E-PRECONDITION", "no such file");
    assert_eq!(place.names(), ["good", "page.html", "root"]);
}

#[test]
fn a_report_fits_one_screen_and_lists_each_path_when_it_is_asked_to() {
    let place = Place::new();
    for n in 0..5000 {
        let dir = place.path(&format!("root/srv/{}/{}", n % 50, n % 7));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{n}.dat")), "x").unwrap();
    }
    let few = run(&["inspect", &place.source()], &[]);
    assert!(few.stdout.lines().count() <= 40, "{}", few.stdout);
    assert!(few.stdout.contains("/srv"), "{}", few.stdout);
    assert!(few.stdout.contains("5,001 files"), "{}", few.stdout);
    let all = run(&["inspect", "-v", &place.source()], &[]);
    assert!(all.stdout.lines().filter(|line| line.contains(".dat ")).count() == 5000);
    for ran in [few, all] {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(!ran.stdout.contains('\x1b'), "colours go to terminals only");
    }
}

#[test]
fn a_full_disk_ends_the_archive_and_leaves_no_part_of_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can mount a small disk");
        return;
    }
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
    assert!(mounted.success(), "a small disk could not be mounted");
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

/// The regular files below `/srv` with their class, as `inspect` or `archive --dry-run` has them.
fn classes(command: &[&str], globs: &[&str]) -> Vec<(String, String)> {
    let ran = run(&[&["--json"], command, globs].concat(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    report["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["path"].as_str().unwrap().starts_with("/srv/"))
        .map(|entry| ["path", "class"].map(|key| entry[key].as_str().unwrap().to_owned()))
        .map(|[path, class]| (path, class))
        .collect()
}

#[test]
fn the_last_matching_glob_wins_in_every_command_that_takes_globs() {
    let place = Place::new();
    fs::write(place.path("root/srv/other"), "of the user too\n").unwrap();
    let source = place.source();
    let commands: [&[&str]; 2] = [&["inspect", &source], &["archive", &source, "--dry-run"]];
    let orders: [(&[&str], [&str; 2]); 3] = [
        (&["--exclude", "/srv/**"], ["ephemeral", "ephemeral"]),
        (&["--exclude", "/srv/**", "--include", "/srv/data"], ["mutable", "ephemeral"]),
        (&["--include", "/srv/data", "--exclude", "/srv/**"], ["ephemeral", "ephemeral"]),
    ];
    for (globs, [data, other]) in orders {
        let expected = [("/srv/data", data), ("/srv/other", other)]
            .map(|(path, class)| (path.to_owned(), class.to_owned()));
        for command in commands {
            assert_eq!(classes(command, globs), expected, "{command:?} {globs:?}");
        }
        let explain = [&["--json", "explain", &source, "/srv/data"], globs].concat();
        let ran = run(&explain, &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["class"], data, "explain {globs:?}");
    }
}

/// What a terminal obeys: of C0, DEL and C1 one each, an order of text, an end of line.
const OBEYED: &str = "\x08\x1b]0;x\x07\x7f\u{9b}31m\u{202e}\u{2069}\u{2028}\r";

/// Whether a terminal would obey something of it but the ends of its lines.
fn is_obeyed(text: &str) -> bool {
    text.chars().any(|c| regrow::tree::is_unprintable(c) && c != '\n')
}

#[test]
fn nothing_of_a_source_a_bundle_or_the_command_line_is_obeyed_by_a_terminal() {
    let place = Place::new();
    let release = format!("ID=debian\nVERSION_ID=\"11\"\nPRETTY_NAME=\"{OBEYED}\"\n");
    fs::write(place.path("root/etc/os-release"), release).unwrap();
    let name = format!("root/srv/{OBEYED}");
    fs::write(place.path(&name), "x").unwrap();
    let package = format!("{OBEYED}Package: a{OBEYED}\nStatus: install ok installed\nVersion: 1\n");
    fs::create_dir_all(place.path("root/var/lib/dpkg")).unwrap();
    fs::write(place.path("root/var/lib/dpkg/status"), package).unwrap();
    let (source, bundle) = (place.source(), place.text("out"));
    let odd = format!("/srv/{OBEYED}");
    let runs: [&[&str]; 10] = [
        &["archive", &source, "-o", &bundle],
        &["inspect", &source],
        &["explain", &source, &odd],
        &["verify", &bundle],
        &["inspect", &bundle],
        &["explain", &bundle, &odd],
        &["explain", &source, "/\x1b[2J"],
        &["inspect", "rootfs:/\x1b[2J\n\u{9b}"],
        &["verify", "\x1b[2J\n"],
        &["restore", &bundle, "--onto", "rootfs:/\x1b[2J\n\u{202e}"],
    ];
    for args in runs {
        for json in [&[][..], &["--json"]] {
            let args = [json, args].concat();
            let ran = run(&args, &[]);
            assert!(!is_obeyed(&ran.stdout), "{args:?}: {:?}", ran.stdout);
            assert!(!is_obeyed(&ran.stderr), "{args:?}: {:?}", ran.stderr);
            let names = ran.stderr.lines().all(|line| line.starts_with("regrow: "));
            assert!(names, "{args:?}: a line was forged: {}", ran.stderr);
        }
    }
    let ran = run(&["--json", "inspect", &bundle], &[]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let entries = report["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["path"] == odd), "JSON says what the name is");
}
