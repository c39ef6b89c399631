//! Archiving a root that somebody made to do harm. Each test is a case of the catalogue of bad
//! input, by its number: links out of the root, nodes that are no files, names, bombs, traps.
//!
//! Needs root, `zstd`, and GNU tar; `strace`, `chattr`, `setfattr` and a Docker engine with
//! `debian:trixie` for the cases that are about them, which are skipped without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a case that is skipped says so")]

mod hostile;
#[allow(dead_code, reason = "every test file uses its part")]
mod stored;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hostile::{Place, Ran, SECRET, have, sh, stanza};
use regrow::bundle::Settings;
use rustix::fs::{CWD, FileType, Mode, RenameFlags};

#[test]
fn a01_a_link_to_its_own_path_on_the_host_is_kept_as_a_link() {
    let place = Place::new();
    place.link("etc/shadow", "/etc/shadow");
    let victim = place.at("victim").display().to_string();
    place.link("srv/victim", &victim);
    place.archive().ends(0);
    let bundle = place.bundle();
    assert_eq!(bundle.target("etc/shadow"), "/etc/shadow");
    assert_eq!(bundle.target("srv/victim"), victim);
    assert!(!bundle.holds(SECRET));
}

#[test]
fn a02_a_directory_that_leads_up_to_the_hosts_is_kept_as_a_link() {
    let place = Place::empty();
    place.link("etc", "../../../../../../../../etc");
    place.link("srv", "..");
    place.archive().ends(0);
    let bundle = place.bundle();
    assert_eq!(bundle.target("etc"), "../../../../../../../../etc");
    assert_eq!(bundle.target("srv"), "..");
    let entries = bundle.inspected["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert_eq!(bundle.inspected["survey"]["os"]["id"], "");
}

#[test]
fn a03_magic_links_are_never_followed() {
    let place = Place::new();
    place.link("srv/root", "/proc/self/root");
    place.link("srv/fd", "/proc/self/fd/3");
    place.link("srv/cwd", "/proc/self/cwd/victim");
    for file in ["etc/passwd", "var/lib/dpkg/status", "etc/os-release"] {
        fs::remove_file(place.root(file)).unwrap();
        place.link(file, &format!("/proc/self/root{}", place.at("victim").display()));
    }
    let ran = place.archive();
    assert!(matches!(ran.code, 0 | 3), "{}", ran.stderr);
    let bundle = place.bundle();
    assert_eq!(bundle.target("srv/root"), "/proc/self/root");
    assert_eq!(bundle.target("srv/fd"), "/proc/self/fd/3");
    assert!(!bundle.holds(SECRET));
}

#[test]
fn a04_links_that_lead_in_circles_are_kept_and_end() {
    let place = Place::new();
    place.link("srv/a", "b");
    place.link("srv/b", "a");
    for n in 0..41 {
        place.link(&format!("srv/chain{n}"), &format!("chain{}", n + 1));
    }
    place.write("srv/chain41", "the end");
    place.archive().ends(0);
    let bundle = place.bundle();
    assert_eq!((bundle.target("srv/a"), bundle.target("srv/b")), ("b".into(), "a".into()));
    assert_eq!(bundle.target("srv/chain40"), "chain41");
}

#[test]
fn a05_a_package_database_behind_a_link_out_of_the_root_is_none() {
    let place = Place::new();
    fs::remove_dir_all(place.root("var/lib/dpkg")).unwrap();
    place.link("var/lib/dpkg", "/var/lib/dpkg");
    place.archive().ends(3).lost(&["/var/lib/dpkg/status", "not read", "too many symlinks"]);
    let bundle = place.bundle();
    assert_eq!(bundle.inspected["survey"]["packages"], serde_json::json!([]));
    assert_eq!(bundle.text("usr/bin/app"), "hello\n");
    assert_eq!(bundle.target("var/lib/dpkg"), "/var/lib/dpkg");
}

#[test]
fn a06_a_fifo_as_passwd_is_not_read() {
    for (file, what) in [("etc/passwd", "FIFO"), ("etc/group", "directory")] {
        let place = Place::new();
        fs::remove_file(place.root(file)).unwrap();
        match what {
            "FIFO" => node(&place.root(file), FileType::Fifo, 0),
            _ => fs::create_dir(place.root(file)).unwrap(),
        }
        let begin = Instant::now();
        place.archive().ends(3).lost(&[file, "not read", &format!("is a {what}, not a file")]);
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert!(place.bundle().has(file));
    }
}

#[test]
fn a07_endless_account_files_are_kept_and_their_names_unknown() {
    let place = Place::new();
    // Without a line break, and longer than any.
    File::create(place.root("etc/passwd")).unwrap().set_len(2 << 30).unwrap();
    place.archive().ends(3).lost(&["/etc/passwd", "is larger than"]);
    assert_eq!(fs::metadata(place.bundle().kept("etc/passwd")).unwrap().len(), 2 << 30);

    let place = Place::new();
    let many: String = (0..1_000_000).map(|n| format!("g{n}:x:{n}:\n")).collect();
    place.write("etc/group", &many);
    let (ran, most) = measured(&place, &ARCHIVE);
    ran.ends(3).lost(&["/etc/group"]);
    assert!(most < 300 << 20, "{most}");
    assert_eq!(place.bundle().text("etc/group"), many);

    let place = Place::new();
    place.write("etc/passwd", b"root:x:0:0::/root:/bin/sh\nalice:x:1000:1000\0::/:/bin/sh");
    place.archive().ends(3).lost(&["/etc/passwd", "NUL"]);
}

#[test]
fn a08_fifos_and_devices_are_kept_as_such_and_never_opened() {
    let place = Place::new();
    node(&place.root("srv/fifo"), FileType::Fifo, 0);
    node(&place.root("srv/char"), FileType::CharacterDevice, rustix::fs::makedev(5, 70_000));
    node(&place.root("srv/block"), FileType::BlockDevice, rustix::fs::makedev(7, 99));
    node(&place.root("srv/socket"), FileType::Socket, 0);
    place.archive().ends(0);
    let bundle = place.bundle();
    let kept = |at: &str| fs::symlink_metadata(bundle.kept(at)).unwrap();
    assert!(kept("srv/fifo").file_type().is_fifo());
    assert!(kept("srv/char").file_type().is_char_device());
    assert_eq!(kept("srv/char").rdev(), rustix::fs::makedev(5, 70_000));
    assert!(kept("srv/block").file_type().is_block_device());
    assert_eq!(bundle.class("/srv/socket"), "ephemeral");
    assert!(!bundle.has("srv/socket"));
}

#[test]
fn a09_a_device_that_is_the_hosts_disk_is_not_opened() {
    if !have("strace") {
        return;
    }
    let place = Place::new();
    let disk = fs::metadata(place.dir()).unwrap().dev();
    node(&place.root("srv/disk"), FileType::BlockDevice, disk);
    node(&place.root("srv/sda"), FileType::BlockDevice, rustix::fs::makedev(8, 0));
    let (ran, trace) = traced(&place, "openat,openat2,open");
    ran.ends(0);
    let opened = |line: &&str| line.contains("disk\"") || line.contains("sda\"");
    for line in trace.lines().filter(opened) {
        assert!(line.contains("O_PATH"), "{line}");
    }
    let bundle = place.bundle();
    assert_eq!(fs::symlink_metadata(bundle.kept("srv/disk")).unwrap().rdev(), disk);
}

#[test]
fn a10_a_directory_that_turns_into_a_link_and_back_never_shows_the_victim() {
    let place = Place::new();
    fs::create_dir_all(place.at("host/sub")).unwrap();
    for file in ["host/file", "host/sub/deep", "host/only-there"] {
        fs::write(place.at(file), SECRET).unwrap();
    }
    place.write("srv/dir/file", "ours");
    place.write("srv/dir/sub/deep", "ours");
    for n in 0..200 {
        place.write(&format!("srv/dir/sub/{n}"), "ours");
    }
    place.link("srv/swap", "../../host");
    let swaps = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (place.root("srv/dir"), place.root("srv/swap"));
            while !over.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut runs = 0;
        while swaps.load(Ordering::Relaxed) < 20_000 || runs < 5 {
            let ran = place.archive();
            assert!(matches!(ran.code, 0 | 3), "{} {}", ran.code, ran.stderr);
            let bundle = place.bundle();
            assert!(!bundle.holds(SECRET));
            assert!(!bundle.has("srv/dir/only-there") && !bundle.has("srv/swap/only-there"));
            runs += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a11_a_file_that_turns_into_a_link_is_refused() {
    let place = Place::new();
    let ran = hostile::slow_then(&place, || {
        fs::remove_file(place.root("srv/z-file")).unwrap();
        place.link("srv/z-file", "../../victim");
    });
    let Some(ran) = ran else { return };
    ran.ends(3).lost(&["/srv/z-file", "changed type"]);
    let bundle = place.bundle();
    assert!(!bundle.has("srv/z-file") && !bundle.holds(SECRET));
}

#[test]
fn a12_a_mount_in_the_root_is_listed_and_not_crossed() {
    let place = Place::new();
    fs::create_dir_all(place.at("host")).unwrap();
    fs::write(place.at("host/file"), SECRET).unwrap();
    fs::create_dir_all(place.root("srv/bound")).unwrap();
    fs::create_dir_all(place.root("srv/tmpfs")).unwrap();
    place.write("srv/over", "hidden by a mounted file");
    // Unmounted with the name space.
    let script = "mount --bind host root/srv/bound && mount -t tmpfs none root/srv/tmpfs && \
                  mount --bind victim root/srv/over && exec \"$0\" archive rootfs:root -o x.regrow \
                  --json";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_regrow")]);
    let ran = Ran::of(command.current_dir(place.dir()).output().unwrap()).ends(3);
    let mut ran = Some(ran);
    for at in ["/srv/bound", "/srv/tmpfs", "/srv/over"] {
        ran = ran.map(|ran| ran.lost(&[at, "another file system"]));
    }
    assert!(!place.bundle().holds(SECRET));
}

#[test]
fn a13_a_whiteout_of_an_overlay_is_a_deletion_and_no_device() {
    let place = Place::new();
    node(&place.root("srv/gone"), FileType::CharacterDevice, 0);
    place.archive().ends(0);
    let bundle = place.bundle();
    assert_eq!(bundle.class("/srv/gone"), "mutable deleted");
    assert!(!bundle.has("srv/gone"));
}

#[test]
fn a14_attributes_that_an_overlay_would_obey_are_refused_by_name() {
    if !have("setfattr") {
        return;
    }
    let place = Place::new();
    fs::create_dir_all(place.root("srv/opaque")).unwrap();
    place.write("srv/opaque/file", "x");
    sh(
        &place.root("srv"),
        "setfattr -n trusted.overlay.opaque -v y opaque
         setfattr -n user.overlay.redirect -v /etc opaque
         setfattr -n trusted.overlay.metacopy -v '' opaque/file
         setfattr -n user.fuseoverlayfs.opaque -v y opaque/file
         setfattr -n user.mine -v kept opaque/file",
    );
    place
        .archive()
        .ends(3)
        .lost(&["/srv/opaque", "trusted.overlay.opaque", "user.overlay.redirect"])
        .lost(&["/srv/opaque/file", "trusted.overlay.metacopy"]);
    let bundle = place.bundle();
    let left = sh(&bundle.kept("srv"), "getfattr -h -m - -d opaque opaque/file");
    assert!(!left.contains("overlay") && left.contains("user.mine=\"kept\""), "{left}");
}

/// Programs and libraries that say when somebody runs or loads them.
fn traps(place: &Place) {
    let canary = place.at("canary").display().to_string();
    let script = format!("#!/bin/sh\ntouch '{canary}'\n");
    let programs = ["zstd", "tar", "dpkg", "ldconfig", "rpm", "gzip", "sh", "mount", "apk"];
    for dir in ["bin", "usr/bin", "sbin", "usr/local/bin"] {
        for program in programs {
            place.write(&format!("{dir}/{program}"), &script);
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(place.root(&format!("{dir}/{program}")), mode).unwrap();
        }
    }
    let library = place.at("trap.so");
    let source = place.at("trap.c");
    fs::write(
        &source,
        format!(
            "#include <fcntl.h>\n__attribute__((constructor)) static void spring(void) \
             {{ open(\"{canary}\", O_CREAT | O_WRONLY, 0600); }}\n"
        ),
    )
    .unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let bytes = match compiler.status() {
        Ok(done) if done.success() => fs::read(&library).unwrap(),
        _ => b"\x7fELF".to_vec(),
    };
    for name in ["libnss_evil.so.2", "libnss_files.so.2", "libz.so.1", "libc.so.6"] {
        for dir in ["lib/x86_64-linux-gnu", "usr/lib", "lib64"] {
            place.write(&format!("{dir}/{name}"), &bytes);
        }
    }
    place.write("etc/nsswitch.conf", "passwd: evil\ngroup: evil\nshadow: evil\n");
    place.write("etc/ld.so.preload", "/usr/lib/libnss_evil.so.2\n");
}

#[test]
fn a15_a16_nothing_of_the_root_is_ever_executed_or_loaded() {
    if !have("strace") {
        return;
    }
    let place = Place::new();
    traps(&place);
    // The user stands in the root, with its programs first.
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "4096", "-e", "trace=execve,execveat,mmap", "-o", "../trace"])
        .args([env!("CARGO_BIN_EXE_regrow"), "archive", "rootfs:.", "-o", "../x.regrow", "--json"])
        .env("PATH", format!("{}:/usr/bin:/bin", place.root("usr/bin").display()))
        .current_dir(place.root(""))
        .output()
        .unwrap();
    Ran::of(output).ends(0);
    let trace = fs::read_to_string(place.at("trace")).unwrap();
    let root = place.root("").display().to_string();
    let executed: Vec<&str> = trace.lines().filter(|line| line.contains("execve")).collect();
    assert_eq!(executed.len(), 1, "only regrow itself: {executed:?}");
    for line in trace.lines().filter(|line| line.contains("PROT_EXEC")) {
        assert!(!line.contains(&root), "{line}");
    }
    assert!(!place.at("canary").exists());
    assert!(place.bundle().has("etc/ld.so.preload"));
}

#[test]
fn a17_what_an_image_says_of_itself_is_data() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let nasty = "$(touch canary)`touch canary`; touch canary\n'\"\u{1b}[2J -rf --config=/etc";
    let mut image = stored::Image::small();
    image.config["config"]["Labels"] = serde_json::json!({ "a": nasty, nasty: "b" });
    image.config["config"]["Env"] = serde_json::json!([format!("PATH={nasty}"), nasty]);
    image.config["config"]["Entrypoint"] = serde_json::json!([nasty, "$(touch canary)"]);
    let archive = |name: &str, image: &stored::Image| {
        fs::write(dir.path().join(name), image.saved(&["app:1"])).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_regrow"));
        command.args(["archive", &format!("tar:{name}"), "-o", &format!("{name}.regrow")]);
        Ran::of(command.current_dir(dir.path()).output().unwrap())
    };
    archive("nasty.tar", &image).ends(0);
    assert!(!dir.path().join("canary").exists());
    let bundle = regrow::bundle::Reader::open(&dir.path().join("nasty.tar.regrow")).unwrap();
    let Settings::Service(settings) = &bundle.manifest().settings else { panic!() };
    assert_eq!(settings.labels["a"], nasty);
    // Longer than any settings are.
    image.config["config"]["Labels"] = serde_json::json!({ "a": "x".repeat(17 << 20) });
    archive("large.tar", &image).refused(4, "larger than");
    assert!(!dir.path().join("large.tar.regrow").exists());
}

#[test]
fn a18_a_name_that_is_a_path_or_an_option_is_no_container() {
    let place = Place::empty();
    let before = place.names();
    let names = ["../../x", "a/b", "%2e%2e", "a b", "a\nb", "a?x=1", "--config=/etc", "-rf"];
    for name in names {
        for scheme in ["docker:", "podman:", ""] {
            let source = format!("{scheme}{name}");
            let ran = place.regrow(&["archive", "-o", "x.regrow", "--", &source]).output().unwrap();
            Ran::of(ran).refused(2, "is not a container's name");
        }
    }
    let option = place.regrow(&["archive", "--config=/etc", "-o", "x.regrow"]).output().unwrap();
    Ran::of(option).refused(2, "");
    assert_eq!(place.names(), before);
}

/// Archives a root of this many levels, and returns the length of the longest path kept.
fn deepest(levels: usize) -> Option<usize> {
    let place = Place::new();
    deep(&place.root("srv"), "d", levels);
    let ran = place.archive();
    remove_deep(&place);
    ran.ends(0);
    let bundle = inspected(&place);
    let entries = bundle["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["path"].as_str().unwrap().len()).max()
}

/// By handle: the paths in it are longer than any that a program can name.
fn remove_deep(place: &Place) {
    fs::rename(place.root("srv"), place.at("deep")).unwrap();
    regrow::internals::tree::remove_tree(&place.at("deep")).unwrap();
}

#[test]
fn a19_directories_deeper_than_there_are_handles_are_walked() {
    assert_eq!(deepest(2_000), Some("/srv".len() + 2 * 2_000 + "/bottom".len()));
    // Longer than what is listed of any path.
    let place = Place::new();
    deep(&place.root("srv"), &"d".repeat(255), 200);
    let ran = place.archive();
    remove_deep(&place);
    ran.ends(3).lost(&["File name too long"]);
}

#[test]
#[ignore = "takes minutes with a debug build: REGROW names a release build"]
fn a19_ten_thousand_levels_of_directories_are_walked() {
    assert_eq!(deepest(10_000), Some("/srv".len() + 2 * 10_000 + "/bottom".len()));
}

/// Directories called `name` in each other, and a file at the bottom.
fn deep(top: &Path, name: &str, levels: usize) {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let mut at = rustix::fs::open(top, flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
    }
    rustix::fs::mknodat(&at, "bottom", FileType::RegularFile, Mode::RUSR, 0).unwrap();
}

fn inspected(place: &Place) -> serde_json::Value {
    let ran = place.regrow(&["inspect", "x.regrow", "--json"]).output().unwrap();
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
#[ignore = "takes minutes with a debug build: REGROW names a release build"]
fn a20_a_million_files_in_one_directory_fit_into_memory() {
    let place = Place::new();
    let dir = place.root("srv/many");
    fs::create_dir(&dir).unwrap();
    for n in 0..1_000_000 {
        File::create(dir.join(format!("file-{n:07}"))).unwrap();
    }
    fit_into_memory(&place, "a million files");
}

#[test]
#[ignore = "takes minutes with a debug build: REGROW names a release build"]
fn a20_a_million_directories_fit_into_memory() {
    let place = Place::new();
    let dir = place.root("srv/many");
    for a in 0..1_000 {
        for b in 0..1_000 {
            fs::create_dir_all(dir.join(format!("{a:03}/{b:03}"))).unwrap();
        }
    }
    fit_into_memory(&place, "a million directories");
}

/// Archives the root and checks the bundle.
fn fit_into_memory(place: &Place, what: &str) {
    for args in [&ARCHIVE[..], &["-q", "verify", "x.regrow", "--json"]] {
        let begin = Instant::now();
        let (ran, most) = measured(place, args);
        ran.ends(0);
        eprintln!("{what}, {}: {} MiB, {:?}", args[1], most >> 20, begin.elapsed());
        assert!(most <= 512 << 20, "{} MiB", most >> 20);
    }
}

#[test]
fn a21_many_names_of_one_large_file_cost_its_content_once() {
    let place = Place::new();
    let first = place.root("srv/first");
    let file = File::create(&first).unwrap();
    // Beyond a gibibyte holes are not hashed.
    file.set_len((1 << 30) + (2 << 20)).unwrap();
    file.write_all_at(b"once", 1 << 20).unwrap();
    for n in 0..5_000 {
        let at = place.root(&format!("srv/{:02}", n % 64));
        fs::create_dir_all(&at).unwrap();
        fs::hard_link(&first, at.join(n.to_string())).unwrap();
    }
    let ran = place.archive().ends(0);
    let bytes = ran.report["classes"]["mutable"]["bytes"].as_u64().unwrap();
    assert!(bytes < (1 << 30) + (3 << 20), "the size is counted once: {bytes}");
    assert!(fs::metadata(place.at("x.regrow")).unwrap().len() < 8 << 20);
    let bundle = place.bundle();
    let inode = |at: &str| fs::metadata(bundle.kept(at)).unwrap().ino();
    assert_eq!(
        inode("srv/first"),
        inode("srv/07/4999".replace("07", &format!("{:02}", 4999 % 64)).as_str())
    );
    assert_eq!(fs::metadata(bundle.kept("srv/first")).unwrap().nlink(), 5_001);
}

#[test]
fn a22_names_come_back_byte_by_byte_and_are_escaped_wherever_they_are_shown() {
    let place = Place::new();
    let names: Vec<Vec<u8>> = vec![
        b"new\nline".to_vec(),
        b"return\r".to_vec(),
        b"\x1b[2J\x1b]0;title\x07".to_vec(),
        b"%s%n%x".to_vec(),
        "\u{202e}gnp.exe".into(),
        vec![0xff; 255],
        b"bad \xc3\x28 utf-8".to_vec(),
        b"-".to_vec(),
        b"-rf".to_vec(),
        b"space ".to_vec(),
        b"dot.".to_vec(),
        b"Case".to_vec(),
        b"case".to_vec(),
        "é".into(),
        "e\u{301}".into(),
        b".wh.name".to_vec(),
        b"\\n".to_vec(),
        b"tab\tquote\"'`$(x)".to_vec(),
    ];
    let dir = place.root("srv/names");
    fs::create_dir(&dir).unwrap();
    for name in &names {
        fs::write(dir.join(OsStr::from_bytes(name)), name).unwrap();
        node(
            &dir.join(OsStr::from_bytes(&[&b"p"[..], &name[..name.len().min(200)]].concat())),
            FileType::Socket,
            0,
        );
    }
    place.archive().ends(0);
    // As text, too: `Ran::of` looks for what a terminal would obey.
    for args in [&["inspect", "x.regrow"][..], &["inspect", "rootfs:root"], &["verify", "x.regrow"]]
    {
        let ran = Ran::of(place.regrow(args).output().unwrap()).ends(0);
        assert!(!ran.stdout.contains('\u{202e}'), "{}", ran.stdout);
    }
    let bundle = place.bundle();
    let kept: BTreeSet<Vec<u8>> = fs::read_dir(bundle.kept("srv/names"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_vec())
        .collect();
    assert_eq!(kept, names.iter().cloned().collect());
    for name in &names {
        let at = bundle.kept("srv/names").join(OsStr::from_bytes(name));
        assert_eq!(fs::read(at).unwrap(), *name);
    }
    let entries = bundle.inspected["entries"].as_array().unwrap();
    let hex: String = b"/srv/names/".iter().map(|b| format!("{b:02x}")).collect();
    assert!(entries.iter().any(|e| e["path_hex"] == format!("{hex}{}", "ff".repeat(255))));
}

#[test]
fn a23_flags_that_no_bundle_carries_are_named_and_the_content_kept() {
    let place = Place::new();
    for name in ["immutable", "append", "nodump"] {
        place.write(&format!("srv/{name}"), name);
    }
    let set = "chattr +i immutable && chattr +a append && chattr +d nodump";
    let done = Command::new("sh").args(["-c", set]).current_dir(place.root("srv")).status();
    if !done.is_ok_and(|done| done.success()) {
        eprintln!("skipped: no chattr, or a file system without flags");
        return;
    }
    let ran = place.archive();
    sh(&place.root("srv"), "chattr -i immutable; chattr -a append");
    let ran = ran.ends(3).lost(&["/srv/immutable", "immutable"]).lost(&["/srv/append", "append"]);
    ran.lost(&["/srv/nodump", "dump"]);
    for name in ["immutable", "append", "nodump"] {
        assert_eq!(place.bundle().text(&format!("srv/{name}")), name);
    }
}

#[test]
fn a24_files_of_holes_cost_what_they_hold() {
    let place = Place::new();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m", "none"])
        .arg(place.at("root"))
        .status();
    if !mounted.is_ok_and(|done| done.success()) {
        eprintln!("skipped: cannot mount a tmpfs");
        return;
    }
    let unmount = Unmount(place.at("root"));
    let sparse = |at: &str, size: u64, data_at: u64| {
        let file = File::create(place.root(at)).unwrap();
        file.set_len(size).unwrap();
        file.write_all_at(b"data", data_at).unwrap();
    };
    sparse("tebibyte", 1 << 40, 1 << 39);
    sparse("most", i64::MAX as u64, i64::MAX as u64 - 4096);
    // A package that claims such a file does not make us read it.
    place.write(
        "var/lib/dpkg/status",
        stanza("app", "Conffiles:\n /claimed 0123456789abcdef0123456789abcdef\n"),
    );
    place.write("var/lib/dpkg/info/app.list", "/.\n/claimed\n/tebibyte\n");
    place.write("var/lib/dpkg/info/app.md5sums", format!("{}  tebibyte\n", hostile::HELLO));
    sparse("claimed", 1 << 40, 0);
    let begin = Instant::now();
    // Nothing shows where its only package can be had; nothing else is lost.
    let ran = place.archive().ends(3).lost(&["not known to be had again"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(ran.losses().len(), 1);
    assert!(fs::metadata(place.at("x.regrow")).unwrap().len() < 64 << 10);
    let verified = place.regrow(&["verify", "x.regrow"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let entries = inspected(&place);
    let size = |at: &str| {
        let entries = entries["entries"].as_array().unwrap();
        entries.iter().find(|e| e["path"] == at).unwrap()["size"].as_u64()
    };
    assert_eq!((size("/tebibyte"), size("/most")), (Some(1 << 40), Some(i64::MAX as u64)));
    drop(unmount);
}

/// A mount that ends with the test.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a25_a_file_system_that_lies_about_holes_is_not_believed() {
    if !have("strace") {
        return;
    }
    let place = Place::new();
    let content: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    place.write("srv/file", &content);
    // Data and holes where there are none: backwards, and beyond the end.
    for answer in ["0", "9223372036854775807"] {
        let _ = fs::remove_file(place.at("x.regrow"));
        let output = Command::new("strace")
            .args(["-f", "-P"])
            .arg(place.root("srv/file"))
            .args([
                "-e",
                "trace=lseek",
                "-o",
                "trace",
                "-e",
                &format!("inject=lseek:retval={answer}"),
            ])
            .args([
                env!("CARGO_BIN_EXE_regrow"),
                "archive",
                "rootfs:root",
                "-o",
                "x.regrow",
                "--json",
            ])
            .current_dir(place.dir())
            .output()
            .unwrap();
        let ran = Ran::of(output);
        let trace = fs::read_to_string(place.at("trace")).unwrap();
        assert!(trace.contains("(INJECTED)"), "the fault never fired: {trace}");
        match ran.code {
            0 => {
                assert_eq!(fs::read(place.bundle().kept("srv/file")).unwrap(), content, "{answer}");
            }
            _ => drop(ran.ends(3).lost(&["/srv/file"])),
        }
    }
}

fn node(path: &Path, file_type: FileType, number: u64) {
    rustix::fs::mknodat(CWD, path, file_type, Mode::from_raw_mode(0o640), number).unwrap();
}

/// Archives under `strace`; what it saw of the calls named in `calls`.
fn traced(place: &Place, calls: &str) -> (Ran, String) {
    let output = Command::new("strace")
        .args(["-f", "-y", "-s", "4096", "-e", &format!("trace={calls}"), "-o", "trace"])
        .args([env!("CARGO_BIN_EXE_regrow"), "archive", "rootfs:root", "-o", "x.regrow", "--json"])
        .current_dir(place.dir())
        .output()
        .unwrap();
    (Ran::of(output), fs::read_to_string(place.at("trace")).unwrap())
}

const ARCHIVE: [&str; 6] = ["-q", "archive", "rootfs:root", "-o", "x.regrow", "--json"];

/// Runs the program; what came of it, and the most memory it had, in bytes.
fn measured(place: &Place, args: &[&str]) -> (Ran, u64) {
    let mut child = place
        .regrow(args)
        .stdout(File::create(place.at("stdout")).unwrap())
        .stderr(File::create(place.at("stderr")).unwrap())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(high.unwrap_or_default() << 10);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| fs::read(place.at(name)).unwrap());
    (Ran::of(std::process::Output { status: code, stdout, stderr }), most)
}
