//! From one unpacked root to another, by the program itself and without any engine: what arrives,
//! and what is left when something goes wrong.
//!
//! Needs what `tests/root` needs, and `getfattr`. The old system has no packages to install again,
//! so no network is needed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod root;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A rule for a package that both systems have; `check` is its validator.
fn rule(check: &str) -> String {
    format!(
        "app: probe\ntitle: Probe\nversion: {{components: 1}}\n\
         recognise:\n  packages:\n    - name: base-files\n\
         validate:\n  - run: {check}\n"
    )
}

/// A directory with an old root, its bundle, and a new root.
struct Roots {
    dir: tempfile::TempDir,
    /// Where records of runs are kept.
    state: tempfile::TempDir,
}

impl Roots {
    /// The new root is a copy of a real one, or empty.
    fn new(intents: &[&str]) -> Roots {
        let dir = tempfile::Builder::new()
            .prefix("roots-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let roots = Roots { dir, state: tempfile::tempdir().unwrap() };
        old_system(&roots.at("old"), intents);
        fs::create_dir(roots.at("rules")).unwrap();
        roots.validate_with("['true']");
        let archived =
            roots.regrow(&["archive", "rootfs:old", "-o", "x.regrow", "--rules", "rules"]);
        assert_eq!(code(&archived), 0, "{archived:?}");
        roots
    }

    fn with_target(self) -> Roots {
        sh(&format!("cp -a '{}' '{}'", root::debian().display(), self.at("new").display()));
        self
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path());
        command.env("XDG_STATE_HOME", self.state.path());
        command.env("DOCKER_HOST", "unix:///nonexistent");
        command.env("CONTAINER_HOST", "unix:///nonexistent");
        command
    }

    fn regrow(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_regrow")).args(args).output().unwrap()
    }

    fn restore(&self, onto: &str, more: &[&str]) -> Output {
        let args = [&["restore", "x.regrow", "--onto", onto], more].concat();
        self.regrow(&args)
    }

    /// The rules' only validator is `check` from now on.
    fn validate_with(&self, check: &str) {
        fs::write(self.at("rules/probe.yaml"), rule(check)).unwrap();
    }

    /// How many records of runs there are.
    fn records(&self) -> usize {
        fs::read_dir(self.state.path().join("regrow/roots")).unwrap().count()
    }

    /// The names of copies under construction.
    fn copies(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.contains("regrow-staging")).collect()
    }

    /// What lies in the directory.
    fn names(&self) -> Vec<String> {
        let listed = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sh(script: &str) -> String {
    let ran = Command::new("bash").args(["-euc", script]).output().unwrap();
    assert!(ran.status.success(), "{script}: {}", complaint(&ran));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// Everything that `find`, `stat` and `getfattr` say about what is below `dir`, contents included,
/// access times left aside.
fn state(dir: &Path) -> String {
    sh(&format!(
        "cd '{}'; find . -printf '%p %y %m %U %G %T@ %n %l\\n' | LC_ALL=C sort; \
         find . -type f -printf '%p %s\\n' | LC_ALL=C sort; \
         find . '(' -type b -o -type c ')' -exec stat -c '%n %t:%T' {{}} + | LC_ALL=C sort; \
         find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex; \
         find . -type f -size -2M -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum",
        dir.display()
    ))
}

fn status(package: &str, more: &str) -> String {
    format!(
        "Package: {package}\nStatus: install ok installed\nArchitecture: amd64\n\
         Version: 11.1\nMaintainer: nobody\nDescription: x\n{more}\n"
    )
}

/// An old Debian with a service that consists of its data.
fn old_system(dir: &Path, intents: &[&str]) {
    for sub in ["etc", "usr/sbin", "var/lib/dpkg/info", "srv", "root", "proc", "sys", "dev", "run"]
    {
        fs::create_dir_all(dir.join(sub)).unwrap();
    }
    let write = |path: &str, text: &str| fs::write(dir.join(path), text).unwrap();
    write("etc/os-release", "ID=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\n");
    let mut packages = status(
        "base-files",
        "Essential: yes\nConffiles:\n /etc/issue.net 0123456789abcdef0123456789abcdef\n",
    );
    packages.extend(intents.iter().map(|name| status(name, "Priority: optional\n")));
    write("var/lib/dpkg/status", &packages);
    write("var/lib/dpkg/info/base-files.list", "/.\n/etc\n/etc/issue.net\n");
    for name in intents {
        write(&format!("var/lib/dpkg/info/{name}.list"), "/.\n");
    }
    // Its repository had all of them when it was asked last.
    fs::create_dir_all(dir.join("var/lib/apt/lists")).unwrap();
    write("var/lib/apt/lists/x_dists_bullseye_InRelease", "Origin: Debian\n");
    let offered = ["base-files"].iter().chain(intents);
    let offered: String =
        offered.map(|name| format!("Package: {name}\nVersion: 11.1\n\n")).collect();
    write("var/lib/apt/lists/x_dists_bullseye_main_binary-amd64_Packages", &offered);
    write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/srv:/bin/sh\n");
    write("etc/group", "root:x:0:\nalice:x:1000:\n");
    write("etc/resolv.conf", "nameserver 192.0.2.1\n");
    write("usr/sbin/policy-rc.d", "#!/bin/sh\n# the user's own\nexit 101\n");
    fs::set_permissions(dir.join("usr/sbin/policy-rc.d"), PermissionsExt::from_mode(0o755))
        .unwrap();
    data(&dir.join("srv/data"));
}

/// Everything a file can have.
fn data(dir: &Path) {
    fs::create_dir_all(dir.join("sub")).unwrap();
    let write = |path: &str| fs::write(dir.join(path), path).unwrap();
    for name in ["plain", "all-bits", "before-1970", "acl", "attributes", "capable", "sub/nano"] {
        write(name);
    }
    fs::hard_link(dir.join("plain"), dir.join("sub/plain-too")).unwrap();
    symlink("../../nowhere", dir.join("link")).unwrap();
    let sparse = File::create(dir.join("sparse")).unwrap();
    sparse.write_all_at(b"data", 1 << 20).unwrap();
    sparse.set_len(4 << 20).unwrap();
    chown(dir.join("all-bits"), Some(1000), Some(1000)).unwrap();
    fs::set_permissions(dir.join("all-bits"), PermissionsExt::from_mode(0o7777)).unwrap();
    sh(&format!(
        "cd '{}'; mkfifo -m 640 fifo; mknod -m 600 char c 5 70000; mknod block b 8 1
         printf x >$'new\\nline \\xff'; touch -h -d '1999-12-31 23:59:59.000000001 UTC' link
         setfacl -n -m u:1000:rw,g:54321:r,m::rw acl; setfacl -d -m u:1000:rwx sub
         setfattr -n user.empty attributes; setfattr -n user.note -v 'a=b' attributes
         setfattr -n trusted.note -v x sub; setcap cap_net_bind_service+ep capable
         chown 1000:54321 sub; chmod 3771 sub
         touch -d '1961-04-12 06:07:00.25 UTC' before-1970
         touch -d '2021-06-01 12:00:00.123456789 UTC' sub/nano; touch -d @1 sub; touch -d @2 .",
        dir.display()
    ));
}

#[test]
fn what_a_file_can_have_arrives_in_the_new_root_and_the_old_one_is_untouched() {
    let roots = Roots::new(&[]).with_target();
    let wanted = state(&roots.at("old/srv/data"));
    let old = state(&roots.at("old"));
    let inode = |root: &str| fs::metadata(roots.at(root)).unwrap().ino();
    let before = inode("new");
    let resolver =
        state(&roots.at("new/etc")).lines().find(|l| l.contains("resolv")).map(str::to_owned);
    let restored = roots.restore("rootfs:new", &["--json"]);
    assert_eq!(code(&restored), 0, "{}", complaint(&restored));
    assert_eq!(state(&roots.at("new/srv/data")), wanted);
    let sparse = fs::metadata(roots.at("new/srv/data/sparse")).unwrap();
    assert!(sparse.blocks() < 64, "{}", sparse.blocks());
    assert_eq!(inode("new/srv/data/plain"), inode("new/srv/data/sub/plain-too"));
    assert!(!roots.at("new/etc/issue.net").exists(), "a deletion is a change too");
    let policy = fs::read_to_string(roots.at("new/usr/sbin/policy-rc.d")).unwrap();
    assert!(policy.contains("the user's own"), "{policy}");
    let after =
        state(&roots.at("new/etc")).lines().find(|l| l.contains("resolv")).map(str::to_owned);
    assert_eq!(after, resolver);
    assert_ne!(inode("new"), before, "the root is exchanged, not changed");
    assert_eq!(roots.names(), ["new", "old", "rules", "x.regrow"]);
    assert_eq!(sh(&format!("find '{}' -name '*regrow*'", roots.at("new").display())), "");
    assert_eq!(state(&roots.at("old")), old);
    let report: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!((&report["losses"], &report["root"]), (&serde_json::json!([]), &"new".into()));
}

#[test]
fn a_root_is_as_it_was_after_every_failure() {
    let roots = Roots::new(&[]).with_target();
    let before = state(&roots.at("new"));
    let same = |what: &str| {
        assert_eq!(state(&roots.at("new")), before, "{what}");
        let names = roots.names();
        assert!(!names.iter().any(|name| name.contains("staging")), "{what}: {names:?}");
    };

    roots.validate_with("[sh, -c, 'echo not like this >&2; exit 3']");
    let failed = roots.restore("rootfs:new", &["--rules", "rules"]);
    assert_eq!(code(&failed), 11, "{}", complaint(&failed));
    assert!(complaint(&failed).contains("not like this"), "{}", complaint(&failed));
    same("a validator that fails");

    let planned = roots.restore("rootfs:new", &["--dry-run"]);
    assert_eq!(code(&planned), 0, "{}", complaint(&planned));
    same("a dry run");

    roots.validate_with("[sleep, '1000']");
    assert_eq!(interrupted(&roots), 130);
    same("an interruption");

    assert_eq!(roots.records(), 0);
    let held = File::open(roots.at("new")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(code(&roots.restore("rootfs:new", &[])), 8);
    drop(held);
    symlink("new", roots.at("link")).unwrap();
    let restored = roots.restore("rootfs:link", &[]);
    assert_eq!(code(&restored), 0, "{}", complaint(&restored));
    assert_eq!(roots.names(), ["link", "new", "old", "rules", "x.regrow"]);
    assert_eq!(fs::read_link(roots.at("link")).unwrap(), Path::new("new"));
    assert!(roots.at("new/srv/data/plain").exists());
}

/// Sends SIGINT while a validator runs, and returns how the run ended.
fn interrupted(roots: &Roots) -> i32 {
    while_checking(roots, |run| signal(run, rustix::process::Signal::INT)).0
}

fn signal(run: &std::process::Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(run.id() as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Does `act` while a validator runs, and returns how the run ended and what it said.
fn while_checking(roots: &Roots, act: impl Fn(&std::process::Child)) -> (i32, String) {
    let mut run = roots
        .command(env!("CARGO_BIN_EXE_regrow"))
        .args(["restore", "x.regrow", "--onto", "rootfs:new", "--rules", "rules"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(run.stderr.take().unwrap()).split(b'\n');
    let mut said = String::new();
    for line in lines {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        if line.contains("checking with sleep") {
            act(&run);
        }
        said.push_str(&line);
    }
    (run.wait().unwrap().code().unwrap_or(-1), said)
}

#[test]
fn what_others_write_into_the_root_meanwhile_stops_the_restore_by_name() {
    let roots = Roots::new(&[]).with_target();
    roots.validate_with("[sleep, '3']");
    let (code, said) =
        while_checking(&roots, |_| fs::write(roots.at("new/srv/late"), "precious").unwrap());
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("/srv/late is new"), "{said}");
    assert_eq!(fs::read_to_string(roots.at("new/srv/late")).unwrap(), "precious");
    assert!(!roots.at("new/srv/data").exists());
    assert_eq!((roots.copies(), roots.records()), (vec![], 0));
}

#[test]
fn a_copy_that_is_swapped_for_a_link_leads_nowhere() {
    let roots = Roots::new(&[]).with_target();
    fs::create_dir(roots.at("victim")).unwrap();
    for name in ["proc", "sys", "dev", "run", "srv", "etc"] {
        fs::create_dir(roots.at("victim").join(name)).unwrap();
    }
    let before = (state(&roots.at("new")), state(&roots.at("victim")));
    // The rule's second validator runs behind the swap.
    roots.validate_with("[sleep, '3']\n  - run: [sh, -c, 'touch /checked']");
    let (code, said) = while_checking(&roots, |_| {
        let copy = roots.at(&roots.copies()[0]);
        fs::rename(&copy, roots.at("aside")).unwrap();
        symlink("victim", copy).unwrap();
    });
    assert_eq!(code, 6, "{said}");
    assert_eq!((state(&roots.at("new")), state(&roots.at("victim"))), before);
}

#[test]
fn what_a_killed_run_left_is_removed_by_gc_or_by_the_next_run_and_nothing_else_is() {
    let roots = Roots::new(&[]).with_target();
    roots.validate_with("[sleep, '30']");
    let kill = |run: &std::process::Child| signal(run, rustix::process::Signal::KILL);
    fs::create_dir_all(roots.at(".new.regrow-staging-1/etc")).unwrap();
    let spared = while_checking(&roots, |run| {
        let _ = roots.regrow(&["gc"]);
        assert_eq!(roots.copies().len(), 2, "its run goes on");
        kill(run);
    });
    assert_eq!(spared.0, -1);
    assert_eq!(roots.copies().len(), 2);
    let before = state(&roots.at("new"));
    // There is no engine, which is said, and what lies beside roots is removed nevertheless.
    let said = complaint(&roots.regrow(&["gc"]));
    assert_eq!(roots.copies(), [".new.regrow-staging-1"], "{said}");
    assert!(said.contains("removed root "), "{said}");
    assert_eq!((roots.records(), state(&roots.at("new"))), (0, before));

    while_checking(&roots, kill);
    assert_eq!((roots.copies().len(), roots.records()), (2, 1));
    roots.validate_with("['true']");
    let restored = roots.restore("rootfs:new", &["--rules", "rules"]);
    assert_eq!(code(&restored), 0, "{}", complaint(&restored));
    assert_eq!((roots.copies(), roots.records()), (vec![".new.regrow-staging-1".to_owned()], 0));
    let said = complaint(&restored);
    assert!(said.contains(".new.regrow-staging-1 seems to be what another run left"), "{said}");
}

#[test]
fn a_disk_that_fails_behind_the_exchange_leaves_the_old_root_in_place_and_keeps_the_new_one() {
    let roots = Roots::new(&[]).with_target();
    fs::write(roots.at("new/srv/old-only"), "old").unwrap();
    let before = state(&roots.at("new"));
    // Two for the record, one when the copy is made, and then the one that makes the exchange last.
    let ran = roots
        .command("strace")
        .args(["-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", "trace=fsync"])
        .args(["-e", "inject=fsync:error=EIO:when=4"])
        .args([env!("CARGO_BIN_EXE_regrow"), "restore", "x.regrow", "--onto", "rootfs:new"])
        .output()
        .unwrap();
    assert_eq!(code(&ran), 6, "{}", complaint(&ran));
    assert_eq!(state(&roots.at("new")), before);
    // It was in place for a moment, and others may have written into it.
    let copies = roots.copies();
    assert_eq!((copies.len(), roots.records()), (1, 0));
    assert!(complaint(&ran).contains(&copies[0]), "{}", complaint(&ran));
    assert!(roots.at(&copies[0]).join("srv/data").exists());
}

#[test]
fn a_root_that_a_killed_run_replaced_is_told_with_what_to_do_until_that_is_done() {
    let roots = Roots::new(&[]).with_target();
    fs::write(roots.at("new/srv/old-only"), "old").unwrap();
    // The same moment as above.
    roots
        .command("strace")
        .args(["-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", "trace=fsync"])
        .args(["-e", "inject=fsync:signal=SIGKILL:when=4"])
        .args([env!("CARGO_BIN_EXE_regrow"), "restore", "x.regrow", "--onto", "rootfs:new"])
        .output()
        .unwrap();
    assert!(roots.at("new/srv/data/plain").exists());
    let copies = roots.copies();
    assert_eq!((copies.len(), roots.records()), (1, 1));
    let old = roots.at(&copies[0]);
    let said = complaint(&roots.regrow(&["gc"]));
    for words in [&copies[0], "it is the root that stood at ", "stands there now", "by hand"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(old.join("srv/old-only").exists());
    fs::remove_dir_all(&old).unwrap();
    roots.regrow(&["gc"]);
    assert_eq!((roots.copies().len(), roots.records()), (0, 0));
}

/// A proxy that answers every request with `404` and remembers the lines that it was asked by.
fn proxy() -> (std::net::SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && client.read_until(b'\n', &mut head).unwrap() > 0 {
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let answer = b"HTTP/1.1 404 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.get_mut().write_all(answer).unwrap();
            if sender.send(head.lines().next().unwrap_or_default().to_owned()).is_err() {
                break;
            }
        }
    });
    (address, asked)
}

#[test]
fn downloads_go_by_the_proxy_of_the_surroundings_whatever_apts_settings_say() {
    let roots = Roots::new(&["hello"]).with_target();
    let sources = "deb [trusted=yes] http://mirror.example/debian stable main\n";
    fs::remove_dir_all(roots.at("new/etc/apt/sources.list.d")).unwrap();
    fs::write(roots.at("new/etc/apt/sources.list"), sources).unwrap();
    let settings = "Acquire::http::Proxy \"http://proxy.example:3128\";\n";
    fs::write(roots.at("new/etc/apt/apt.conf.d/90proxy"), settings).unwrap();
    let (address, asked) = proxy();
    let ran = roots
        .command(env!("CARGO_BIN_EXE_regrow"))
        .args(["restore", "x.regrow", "--onto", "rootfs:new"])
        .env("http_proxy", format!("http://{address}"))
        .output()
        .unwrap();
    assert_eq!(code(&ran), 7, "{}", complaint(&ran));
    let lines: Vec<String> = asked.try_iter().collect();
    let fetched = |line: &String| line.starts_with("GET http://mirror.example/debian/dists/");
    assert!(!lines.is_empty() && lines.iter().all(fetched), "{lines:?}");
}

#[test]
fn a_proxy_on_this_machine_is_not_the_roots_to_name() {
    let roots = Roots::new(&["hello"]).with_target();
    let sources = "deb [trusted=yes] http://mirror.example/debian stable main\n";
    fs::remove_dir_all(roots.at("new/etc/apt/sources.list.d")).unwrap();
    fs::write(roots.at("new/etc/apt/sources.list"), sources).unwrap();
    let (address, asked) = proxy();
    let settings = format!("Acquire::http::Proxy \"http://{address}\";\n");
    fs::write(roots.at("new/etc/apt/apt.conf.d/90proxy"), settings).unwrap();
    // One on this machine itself is not for the root to name.
    let ran = roots.restore("rootfs:new", &[]);
    assert_eq!(code(&ran), 7, "{}", complaint(&ran));
    assert!(complaint(&ran).contains("the root's own settings name"), "{}", complaint(&ran));
    assert_eq!(asked.try_iter().count(), 0);
}

#[test]
fn without_a_network_packages_are_no_reason_to_change_anything() {
    let roots = Roots::new(&["hello"]).with_target();
    let before = state(&roots.at("new"));
    let ran = roots
        .command("unshare")
        .args([
            "--net",
            env!("CARGO_BIN_EXE_regrow"),
            "restore",
            "x.regrow",
            "--onto",
            "rootfs:new",
        ])
        .output()
        .unwrap();
    assert_eq!(code(&ran), 7, "{}", complaint(&ran));
    assert!(complaint(&ran).contains("network"), "{}", complaint(&ran));
    assert_eq!(state(&roots.at("new")), before);
    assert_eq!(roots.names(), ["new", "old", "rules", "x.regrow"]);
}

#[test]
fn what_is_no_root_or_no_place_for_one_is_refused_before_anything_is_made() {
    let roots = Roots::new(&[]);
    fs::create_dir_all(roots.at("empty")).unwrap();
    fs::create_dir_all(roots.at("bare/etc")).unwrap();
    fs::write(roots.at("bare/etc/os-release"), "ID=debian\nVERSION_ID=13\n").unwrap();
    let names = roots.names();
    for (onto, more, wanted) in [
        ("rootfs:missing", &[][..], 10),
        ("rootfs:x.regrow", &[], 10),
        ("rootfs:empty", &[], 10),
        ("rootfs:bare", &[], 10),
        ("rootfs:/", &[], 10),
        ("rootfs:", &[], 2),
        ("rootfs:empty", &["--name", "x"], 2),
        ("rootfs:empty", &["--tag", "x"], 2),
        ("rootfs:empty", &["--start"], 2),
    ] {
        let ran = roots.restore(onto, more);
        assert_eq!(code(&ran), wanted, "{onto} {more:?}: {}", complaint(&ran));
        assert_eq!(roots.names(), names, "{onto}");
    }
}

#[test]
fn the_surroundings_are_named_when_they_are_the_reason() {
    let roots = Roots::new(&[]).with_target();
    let before = state(&roots.at("new"));
    fs::copy(env!("CARGO_BIN_EXE_regrow"), roots.at("regrow")).unwrap();
    fs::set_permissions(roots.at("x.regrow"), PermissionsExt::from_mode(0o644)).unwrap();
    // Seen from below the directory itself, whose parents may be closed to others.
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups \
                  ./regrow restore x.regrow --onto rootfs:new";
    let ran = roots.command("sh").args(["-c", nobody]).env("TMPDIR", "/tmp").output().unwrap();
    assert_eq!(code(&ran), 7, "{}", complaint(&ran));
    assert!(complaint(&ran).contains("root"), "{}", complaint(&ran));

    let in_mounts = |script: &str| {
        let script = format!(
            "{script}; ./regrow restore x.regrow --onto rootfs:\"$at\"; code=$?; \
             ls -A \"$(dirname \"$at\")\" | grep regrow-staging && exit 99; exit $code"
        );
        roots.command("unshare").args(["--mount", "bash", "-c", &script]).output().unwrap()
    };
    // Room for the root, not for its copy.
    let full = in_mounts(
        "set -e; mkdir full; mount -t tmpfs -o mode=755 tmpfs full; cp -a new full/new; \
         used=$(df --output=used -k full | tail -1); \
         mount -o remount,size=$((used * 5 / 4))k full; at=full/new; set +e",
    );
    assert_eq!(code(&full), 6, "{}", complaint(&full));
    let mounted = in_mounts("mount -t tmpfs tmpfs new/mnt && at=new");
    assert_eq!(code(&mounted), 10, "{}", complaint(&mounted));
    assert!(complaint(&mounted).contains("unmount /mnt"), "{}", complaint(&mounted));
    let itself = in_mounts("mount --bind new new && at=new");
    assert_eq!(code(&itself), 10, "{}", complaint(&itself));
    assert_eq!(state(&roots.at("new")), before);
}

/// Puts packages into the new root's only repository. Each is a name, further fields of its record
/// and the script that runs once it is unpacked; it has a file of configuration.
fn publish(roots: &Roots, version: &str, packages: &[(&str, &str, &str)]) {
    let mut script = format!(
        r#"cd '{}'
        rm -rf repository etc/apt/sources.list etc/apt/sources.list.d; mkdir -p repository etc/apt
        echo 'deb [trusted=yes] file:/repository ./' >etc/apt/sources.list
        cd repository
        package() {{
            mkdir -p $1/DEBIAN $1/etc
            printf 'Package: %s\nVersion: {version}\nArchitecture: all\n' $1 >$1/DEBIAN/control
            printf 'Maintainer: nobody <nobody@example.org>\nDescription: x\n' >>$1/DEBIAN/control
            [ -z "$2" ] || echo "$2" >>$1/DEBIAN/control
            printf '#!/bin/sh\n%s\n' "$3" >$1/DEBIAN/postinst
            chmod 755 $1/DEBIAN/postinst
            echo 'version {version}' >$1/etc/$1.conf
            dpkg-deb --root-owner-group -b $1 $1.deb >/dev/null
            {{ cat $1/DEBIAN/control
              printf 'Filename: ./%s.deb\nSize: %s\n' $1 "$(stat -c %s $1.deb)"
              printf 'SHA256: %s\n\n' "$(sha256sum $1.deb | cut -d' ' -f1)"; }} >>Packages
            rm -r $1
        }}
        "#,
        roots.at("new").display()
    );
    for (name, fields, installed) in packages {
        script.push_str(&format!("package {name} '{fields}' '{installed}'\n"));
    }
    sh(&script);
}

/// Makes `version` of the package `tool` the one that the new root's repository has.
fn offer(roots: &Roots, version: &str) {
    publish(roots, version, &[("tool", "", "useradd --system tool")]);
}

/// The held packages of a report with their reasons.
fn held_packages(report: &serde_json::Value) -> Vec<(&str, &str)> {
    let held = report["held"].as_array().unwrap().iter();
    let packages = held.filter(|held| held["kind"] == "package");
    packages
        .map(|held| (held["subject"].as_str().unwrap(), held["why"].as_str().unwrap()))
        .collect()
}

fn report(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_package_that_cannot_be_installed_is_held_and_the_rest_is_installed() {
    let wanted = ["broken", "good", "left", "right", "tool"];
    let roots = Roots::new(&wanted).with_target();
    let packages = [
        ("broken", "Depends: nowhere", ""),
        ("good", "", ""),
        ("left", "Conflicts: right", ""),
        ("right", "", ""),
        ("tool", "", ""),
    ];
    publish(&roots, "1.0", &packages);
    let expected = |report: &serde_json::Value| {
        let held = held_packages(report);
        let whys: Vec<&str> = held.iter().map(|(_, why)| *why).collect();
        assert_eq!(held.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["broken", "right"]);
        assert!(whys[0].contains("Depends: nowhere but it is not installable"), "{}", whys[0]);
        assert!(whys[1].contains("left : Conflicts: right"), "{}", whys[1]);
    };
    let args = ["plan", "x.regrow", "--onto", "rootfs:new", "--json", "-o", "a.plan"];
    let planned = roots.regrow(&args);
    assert_eq!(code(&planned), 3, "{}", complaint(&planned));
    expected(&report(&planned));
    let restored = roots.restore("rootfs:new", &["--plan", "a.plan", "--json"]);
    assert_eq!(code(&restored), 3, "{}", complaint(&restored));
    expected(&report(&restored));
    let there = |name: &str| roots.at(&format!("new/etc/{name}.conf")).exists();
    assert_eq!(wanted.map(there), [false, true, true, false, true]);
}

#[test]
fn a_package_whose_script_fails_is_taken_out_with_what_needs_it() {
    let wanted = ["other", "tool", "user"];
    let roots = Roots::new(&wanted).with_target();
    let packages = [
        ("helper", "", "echo out of order >&2; exit 3"),
        ("other", "Depends: helper | spare", ""),
        ("spare", "", ""),
        ("tool", "", "exit 4"),
        ("user", "Depends: helper", ""),
    ];
    publish(&roots, "1.0", &packages);
    let restored = roots.restore("rootfs:new", &["--json"]);
    assert_eq!(code(&restored), 3, "{}", complaint(&restored));
    let report = report(&restored);
    let held = held_packages(&report);
    assert_eq!(held.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["tool", "user"]);
    assert!(held[0].1.contains("error exit status 4"), "{}", held[0].1);
    let whys = ["user : Depends: helper", "installed helper package", "error exit status 3"];
    assert!(whys.iter().all(|why| held[1].1.contains(why)), "{}", held[1].1);
    // Nothing is left half done.
    let status = fs::read_to_string(roots.at("new/var/lib/dpkg/status")).unwrap();
    let states = status.lines().filter(|line| line.starts_with("Status: "));
    assert!(states.clone().all(|line| line == "Status: install ok installed"));
    let there = |name: &str| roots.at(&format!("new/etc/{name}.conf")).exists();
    let names = ["helper", "other", "spare", "tool", "user"];
    assert_eq!(names.map(there), [false, true, true, false, false]);
    assert!(!roots.at("new/usr/sbin/policy-rc.d.regrow-base").exists());
}

#[test]
fn a_package_that_the_repository_lists_and_does_not_deliver_is_held_and_the_rest_is_installed() {
    let wanted = ["other", "tool", "user"];
    let roots = Roots::new(&wanted).with_target();
    let packages =
        [("helper", "", ""), ("other", "", ""), ("tool", "", ""), ("user", "Depends: helper", "")];
    publish(&roots, "1.0", &packages);
    fs::remove_file(roots.at("new/repository/helper.deb")).unwrap();
    let restored = roots.restore("rootfs:new", &["--json"]);
    assert_eq!(code(&restored), 3, "{}", complaint(&restored));
    let report = report(&restored);
    let held = held_packages(&report);
    assert_eq!(held.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["user"]);
    let whys = ["user : Depends: helper", "does not deliver it", "File not found"];
    assert!(whys.iter().all(|why| held[0].1.contains(why)), "{}", held[0].1);
    let there = |name: &str| roots.at(&format!("new/etc/{name}.conf")).exists();
    assert_eq!(["helper", "other", "tool", "user"].map(there), [false, true, true, false]);
}

#[test]
fn a_repository_that_delivers_nothing_ends_the_restore() {
    let roots = Roots::new(&["other", "tool"]).with_target();
    publish(&roots, "1.0", &[("other", "", ""), ("tool", "", "")]);
    for name in ["other", "tool"] {
        fs::remove_file(roots.at(&format!("new/repository/{name}.deb"))).unwrap();
    }
    let before = state(&roots.at("new"));
    let failed = roots.restore("rootfs:new", &[]);
    assert_eq!(code(&failed), 11, "{}", complaint(&failed));
    assert!(complaint(&failed).contains("File not found"), "{}", complaint(&failed));
    assert_eq!(state(&roots.at("new")), before);
}

#[test]
fn what_fails_and_cannot_be_taken_out_again_ends_the_restore() {
    let roots = Roots::new(&["tool"]).with_target();
    // Its removal fails too.
    let script = "echo exit 1 >/var/lib/dpkg/info/tool.prerm; chmod 755 \
                  /var/lib/dpkg/info/tool.prerm; sed -i 1i#!/bin/sh /var/lib/dpkg/info/tool.prerm; \
                  exit 5";
    publish(&roots, "1.0", &[("tool", "", script)]);
    let before = state(&roots.at("new"));
    let failed = roots.restore("rootfs:new", &[]);
    assert_eq!(code(&failed), 11, "{}", complaint(&failed));
    let words = ["error exit status 5", "it cannot be taken out again"];
    assert!(words.iter().all(|words| complaint(&failed).contains(words)), "{}", complaint(&failed));
    assert_eq!(state(&roots.at("new")), before);
}

/// Plans the restore onto the new root, and saves the plan; its id.
fn planned(roots: &Roots, output: &str) -> String {
    let args = ["plan", "x.regrow", "--onto", "rootfs:new", "--json", "-o", output];
    let planned = roots.regrow(&args);
    assert_eq!(code(&planned), 0, "{}", complaint(&planned));
    let report: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let install = |step: &&serde_json::Value| step["action"] == "install";
    assert_eq!(steps.iter().find(install).unwrap()["subject"], "tool");
    report["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_saved_plan_is_executed_as_it_is_or_not_at_all() {
    let roots = Roots::new(&["tool"]).with_target();
    offer(&roots, "1.0");
    let before = state(&roots.at("new"));
    let id = planned(&roots, "a.plan");
    let saved = fs::read_to_string(roots.at("a.plan")).unwrap();
    let mode = fs::metadata(roots.at("a.plan")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "it may hold secrets");

    // Made again it is the same, whenever that is, and never written over another.
    assert_eq!(planned(&roots, "b.plan"), id);
    assert_eq!(fs::read_to_string(roots.at("b.plan")).unwrap(), saved);
    let again = roots.regrow(&["plan", "x.regrow", "--onto", "rootfs:new", "-o", "a.plan"]);
    assert_eq!(code(&again), 10, "{}", complaint(&again));
    assert_eq!(fs::read_to_string(roots.at("a.plan")).unwrap(), saved);
    assert_eq!(state(&roots.at("new")), before);

    offer(&roots, "2.0");
    let before = state(&roots.at("new"));
    let stopped = roots.restore("rootfs:new", &["--plan", "a.plan"]);
    assert_eq!(code(&stopped), 10, "{}", complaint(&stopped));
    let words = "the package tool:all: was `1.0`, is `2.0`";
    assert!(complaint(&stopped).contains(words), "{}", complaint(&stopped));
    assert_eq!(state(&roots.at("new")), before);
    fs::write(roots.at("no.plan"), "{}").unwrap();
    let refused = roots.restore("rootfs:new", &["--plan", "no.plan"]);
    assert_eq!(code(&refused), 4, "{}", complaint(&refused));
    let names = ["a.plan", "b.plan", "new", "no.plan", "old", "rules", "x.regrow"];
    assert_eq!(roots.names(), names);

    offer(&roots, "1.0");
    let restored = roots.restore("rootfs:new", &["--plan", "a.plan", "--json"]);
    assert_eq!(code(&restored), 0, "{}", complaint(&restored));
    let report: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(report["plan"], id);
    let installed = fs::read_to_string(roots.at("new/etc/tool.conf")).unwrap();
    assert_eq!(installed, "version 1.0\n");
    assert!(roots.at("new/srv/data/plain").exists());
}

#[test]
fn a_check_says_what_is_missing_and_what_leads_nowhere_until_it_is_mended() {
    let roots = Roots::new(&[]).with_target();
    let link = roots.at("old/srv/to-tool");
    symlink("/opt/vendor/tool", &link).unwrap();
    fs::create_dir_all(roots.at("old/opt/vendor")).unwrap();
    fs::write(roots.at("old/opt/vendor/tool"), "x").unwrap();
    fs::write(roots.at("old/srv/letter"), "x").unwrap();
    let args = ["archive", "rootfs:old", "-o", "y.regrow", "--exclude", "/opt/vendor/tool"];
    assert_eq!(code(&roots.regrow(&args)), 0);
    let restored = roots.regrow(&["restore", "y.regrow", "--onto", "rootfs:new"]);
    assert_eq!(code(&restored), 3, "{restored:?}");
    assert!(String::from_utf8_lossy(&restored.stdout).contains("/srv/to-tool"), "{restored:?}");
    fs::remove_file(roots.at("new/srv/letter")).unwrap();

    let check = || {
        let found = roots.regrow(&["check", "rootfs:new", "--against", "y.regrow", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        let held = report["held"].as_array().unwrap().iter();
        let held: Vec<String> =
            held.map(|held| held["subject"].as_str().unwrap().to_owned()).collect();
        (code(&found), held)
    };
    // What may keep a service from starting is worse than a file that is gone.
    assert_eq!(check(), (3, vec!["/srv/to-tool".to_owned(), "/srv/letter".to_owned()]));
    fs::write(roots.at("new/srv/letter"), "x").unwrap();
    fs::write(roots.at("new/opt/vendor/tool"), "x").unwrap();
    assert_eq!(check(), (0, vec![]));
}

#[test]
fn what_a_failed_restore_made_is_kept_when_that_is_asked_for_until_gc_removes_it() {
    let roots = Roots::new(&[]).with_target();
    roots.validate_with("['false']");
    let failing = |more: &[&str]| {
        let failed = roots.restore("rootfs:new", &[&["--rules", "rules"], more].concat());
        assert_eq!(code(&failed), 11, "{failed:?}");
        complaint(&failed)
    };
    assert!(failing(&[]).contains("nothing new was left"));
    assert_eq!(roots.copies().len(), 0);
    assert!(failing(&["--keep-failed"]).contains("kept for a look"));
    let copies = roots.copies();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(roots.at(&copies[0]).join("srv/data").exists());
    // It says that there is no engine here, and removes what it can.
    roots.regrow(&["gc"]);
    assert_eq!((roots.copies().len(), roots.records()), (0, 0));
}
