//! Archiving what does not stand still: containers that run, files that are written to while they
//! are read. Each test is a case of the catalogue of bad input, by its number.
//!
//! Needs root, `zstd`, GNU tar and `strace`; a Docker engine with `debian:trixie` for the cases about
//! containers, which are skipped without. Every container made is called `changing-…` and removed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a case that is skipped says so")]

mod hostile;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostile::{Place, Ran, have, noise, sh, slow_then, while_writing};
use regrow::internals::engine::{ContainerSpec, Engine};
use regrow::restore::Which;

const IMAGE: &str = "debian:trixie";

/// A container with a large file of its own, removed at the end of its test.
struct Container {
    engine: Engine,
    name: String,
}

impl Container {
    /// `None` where there is no engine with the image.
    fn new(purpose: &str) -> Option<Container> {
        let Ok(engine) = Engine::connect(Which::Docker) else {
            eprintln!("skipped: no Docker engine");
            return None;
        };
        if engine.image(IMAGE).is_err() {
            eprintln!("skipped: no image {IMAGE}");
            return None;
        }
        let name = format!("changing-{purpose}-{}", std::process::id());
        // It goes on only while the file that says so is there.
        let script = "test -e /go && exec sleep 100; head -c 24000000 /dev/urandom >/srv/large; \
                      echo ours >/srv/small; touch /go";
        let spec = ContainerSpec::new(IMAGE, &["sh", "-c", script]).without_network();
        engine.create(Some(&name), &spec).unwrap();
        let container = Container { engine, name };
        sh(
            std::path::Path::new("/"),
            &format!("docker start {0} && docker wait {0}", container.name),
        );
        Some(container)
    }

    /// Archives it, and makes `change` while the bundle is written.
    fn archived(&self, place: &Place, change: impl FnOnce(&Container)) -> Ran {
        let source = format!("docker:{}", self.name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        command.args(["archive", &source, "-o", "x.regrow", "--json"]).current_dir(place.dir());
        while_writing(&mut command, || change(self))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.engine.for_cleanup().remove(&self.name);
    }
}

#[test]
fn c01_a_running_container_is_refused() {
    let Some(container) = Container::new("running") else { return };
    container.engine.start(&container.name).unwrap();
    let place = Place::empty();
    let before = place.names();
    let source = format!("docker:{}", container.name);
    for args in [&["archive", &source, "-o", "x.regrow"][..], &["inspect", &source]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        let ran = Ran::of(command.args(args).current_dir(place.dir()).output().unwrap());
        ran.refused(10, "the container is running");
        assert!(ran.stderr.contains("docker stop"), "{}", ran.stderr);
    }
    assert_eq!(place.names(), before);
}

#[test]
fn c02_a_container_that_is_started_meanwhile_is_not_published() {
    let Some(container) = Container::new("started") else { return };
    let place = Place::empty();
    let before = place.names();
    let ran = container.archived(&place, |container| {
        container.engine.start(&container.name).unwrap();
    });
    ran.refused(10, "the container is running");
    sh(place.dir(), &format!("docker kill {}", container.name));
    assert_eq!(place.names(), before);
    // Started and stopped again: it does not run, and is not what was read.
    let ran = container.archived(&place, |container| {
        container.engine.start(&container.name).unwrap();
        sh(place.dir(), &format!("docker kill {}", container.name));
    });
    ran.refused(10, "was started while it was read");
    assert_eq!(place.names(), before);
}

/// While the program runs, `write` is called again and again on a file of 2 MiB, of which every
/// piece takes longer to read than it takes to write. `None` without `strace`, which sees to that.
fn while_written(write: impl Fn(&File, usize) + Sync) -> Option<(Place, Ran)> {
    if !have("strace") {
        return None;
    }
    let place = Place::new();
    place.write("srv/file", noise(2 << 20));
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-P"]).arg(place.root("srv/file"));
    command.args(["-e", "trace=read", "-e", "inject=read:delay_enter=50000"]);
    command.arg(env!("CARGO_BIN_EXE_regrow")).current_dir(place.dir());
    command.args(["archive", "rootfs:root", "-o", "x.regrow", "--json"]);
    let over = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = File::options().write(true).open(place.root("srv/file")).unwrap();
            for turn in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                write(&file, turn);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let ran = Ran::of(command.output().unwrap());
        over.store(true, Ordering::Relaxed);
        ran
    });
    Some((place, ran))
}

#[test]
fn c03_a_file_that_grows_without_end_is_a_loss() {
    let written = while_written(|file, turn| {
        file.write_all_at(b"more", (2 << 20) + 4 * turn as u64).unwrap();
    });
    let Some((place, ran)) = written else { return };
    ran.ends(3).lost(&["/srv/file", "not kept", "3 times", "bytes before"]);
    let bundle = place.bundle();
    assert!(!bundle.has("srv/file"));
    assert_eq!(bundle.text("srv/data"), "what nobody else has\n");
}

#[test]
fn c04_a_file_that_shrinks_is_never_filled_up_with_zeros() {
    let written = while_written(|file, turn| {
        file.set_len((2 << 20) - 4096 * (turn as u64 % 500)).unwrap();
    });
    let Some((place, ran)) = written else { return };
    ran.ends(3).lost(&["/srv/file", "not kept", "3 times", " bytes"]);
    assert!(!place.bundle().has("srv/file"));
}

#[test]
fn c05_a_file_that_is_written_to_without_end_is_a_loss() {
    let written = while_written(|file, turn| {
        file.write_all_at(&turn.to_le_bytes(), 1 << 20).unwrap();
    });
    let Some((place, ran)) = written else { return };
    ran.ends(3).lost(&["/srv/file", "not kept", "3 times"]);
    assert!(!place.bundle().has("srv/file"));
}

#[test]
fn c05_a_file_that_ends_in_a_hole_is_watched_to_its_end_too() {
    let written = while_written(|file, turn| {
        file.set_len(4 << 20).unwrap();
        file.write_all_at(&turn.to_le_bytes(), 1 << 20).unwrap();
    });
    let Some((place, ran)) = written else { return };
    ran.ends(3).lost(&["/srv/file", "not kept", "3 times"]);
    assert!(!place.bundle().has("srv/file"));
}

#[test]
fn c03_c04_c05_a_file_that_changed_once_is_read_again() {
    type Change = fn(&Place);
    let changes: [(&str, Change); 4] = [
        ("zzz", |place| {
            File::options()
                .append(true)
                .open(place.root("srv/z-file"))
                .unwrap()
                .write_all(b"zz")
                .unwrap();
        }),
        ("", |place| File::create(place.root("srv/z-file")).map(drop).unwrap()),
        ("y", |place| {
            File::options()
                .write(true)
                .open(place.root("srv/z-file"))
                .unwrap()
                .write_all_at(b"y", 0)
                .unwrap();
        }),
        ("replaced", |place| {
            fs::write(place.root("srv/new"), "replaced").unwrap();
            fs::rename(place.root("srv/new"), place.root("srv/z-file")).unwrap();
        }),
    ];
    for (now, change) in changes {
        let place = Place::new();
        let _ = fs::remove_file(place.at("x.regrow"));
        let Some(ran) = slow_then(&place, || change(&place)) else { return };
        let ran = ran.ends(0);
        assert_eq!(ran.losses(), Vec::<String>::new());
        let bundle = place.bundle();
        assert_eq!(bundle.text("srv/z-file"), now);
        let entries = bundle.inspected["entries"].as_array().unwrap();
        let entry = entries.iter().find(|e| e["path"] == "/srv/z-file").unwrap();
        assert_eq!(entry["size"], now.len(), "the manifest tells what is kept");
    }
}

#[test]
fn c03_c05_a_file_with_two_names_that_changed_is_one_file_as_it_was_read() {
    let changes = [
        "echo more >>root/srv/z-file",
        "printf x >root/srv/z-file",
        "chmod 600 root/srv/z-file",
        "touch root/srv/z-hard",
        "chown 7:8 root/srv/z-hard",
        "mv root/srv/z-file root/srv/z-moved; echo new >root/srv/z-file",
        "rm root/srv/z-file; mkfifo root/srv/z-file",
    ];
    for change in changes {
        let place = Place::new();
        place.write("srv/z-file", "a content");
        fs::hard_link(place.root("srv/z-file"), place.root("srv/z-hard")).unwrap();
        let Some(ran) = slow_then(&place, || drop(sh(place.dir(), change))) else { return };
        assert!(matches!(ran.code, 0 | 3), "{change}: {}", ran.stderr);
        let bundle = place.bundle();
        assert!(bundle.has("srv/z-hard"), "{change}: {}", ran.stderr);
        assert_eq!(bundle.text("srv/data"), "what nobody else has\n");
    }
}

#[test]
fn c06_what_vanishes_is_a_loss_and_what_appears_is_no_trouble() {
    let place = Place::new();
    let ran = slow_then(&place, || {
        fs::remove_file(place.root("srv/z-file")).unwrap();
        fs::write(place.root("srv/zz-new"), "late").unwrap();
    });
    let Some(ran) = ran else { return };
    ran.ends(3).lost(&["/srv/z-file", "not kept", "gone"]);
    let bundle = place.bundle();
    assert!(!bundle.has("srv/z-file") && !bundle.has("srv/zz-new"));
}

#[test]
fn c07_a_container_that_is_removed_meanwhile_is_not_published() {
    let Some(container) = Container::new("removed") else { return };
    let place = Place::empty();
    let before = place.names();
    let ran = container.archived(&place, |container| {
        container.engine.remove(&container.name).unwrap();
    });
    ran.refused(7, "removed");
    assert_eq!(place.names(), before);
}

#[test]
fn c08_what_is_written_through_memory_leaves_a_bundle_that_is_whole() {
    let place = Place::new();
    let path = place.root("srv/file");
    place.write("srv/file", noise(4 << 20));
    let script = "import mmap,sys,time\nf=open(sys.argv[1],'r+b')\nm=mmap.mmap(f.fileno(),0)\n\
                  print('on',flush=True)\nn=0\nwhile True:\n m[n%len(m)]=n%256;n+=4097";
    let writer = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut writer) = writer else {
        eprintln!("skipped: needs python3");
        return;
    };
    let mut first = [0; 2];
    std::io::Read::read_exact(writer.stdout.as_mut().unwrap(), &mut first).unwrap();
    let ran = place.archive();
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(matches!(ran.code, 0 | 3), "{}", ran.stderr);
    // Whatever was read is what the bundle's digests say.
    place.bundle();
}
