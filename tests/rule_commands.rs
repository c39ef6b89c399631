//! What a rule wants run is run by a restore, by the program itself and from one unpacked root to
//! another: exports and imports, what both sides have to say the same of, what is made again, what
//! has to accept its files, and the conditions of all of them.
//!
//! Needs what `tests/root` needs. The old system is Debian 11 by its own account, with a shell and
//! `cat` and no more; the new one is a Debian 13.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod root;
#[path = "rule_commands/words.rs"]
mod words;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How the application is recognised, and what is no part of it.
const PROBE: &str = "\
app: probe
title: Probe
version: {components: 1}
recognise: {packages: [{name: base-files}]}
layout:
  - {globs: ['/usr/**'], worth: runtime, why: tools of the test}
  - {globs: [/bin], worth: runtime, why: tools of the test}
  - {globs: ['/lib*'], worth: runtime, why: tools of the test}
";

/// Its data, and how that is exported and imported.
const DATA: &str = "\
databases:
  - find: /srv/db/{version}/{name}/rows
    directory: /srv/db/{version}/{name}
    export:
      - script: probe/start.sh
        args: ['{version}', '{name}']
      - run: [cat, '/srv/db/{version}/{name}/rows']
        file: '{name}.dump'
    import:
      - script: probe/load.sh
        args: ['{new}', '{name}', '{old}']
        stdin: '{name}.dump'
    check:
      script: probe/count.sh
      args: ['/srv/db/{at}/{name}']
      file: '{name}.count'
    stop:
      script: probe/stop.sh
      args: ['{at}', '{name}']
";

/// The same, as it was said before there was a word for what both sides have in common.
const DATA_EARLIER: &str = "\
databases:
  - find: /srv/db/{version}/{name}/rows
    directory: /srv/db/{version}/{name}
    export:
      - run: [cat, '/srv/db/{version}/{name}/rows']
        file: '{name}.dump'
      - run: [sh, -euc, 'while read -r row; do echo row; done <\"$1/rows\"', sh, '/srv/db/{version}/{name}']
        file: '{name}.count'
    import:
      - run: [sh, -euc, 'mkdir -p \"$1\"; cat >\"$1/rows\"', sh, '/srv/db/{new}/{name}']
        stdin: '{name}.dump'
      - run: [sh, -euc, 'while read -r row; do echo row; done <\"$1/rows\"', sh, '/srv/db/{new}/{name}']
        expect: '{name}.count'
";

/// Every other place of a rule that runs something, with what must not be run beside it.
const MORE: &str = "\
rebuild:
  - script: probe/note.sh
    args: [rebuilt, '{new}']
    placed: [/srv/plain]
    why: made of it
  - {run: [sh, -c, 'exit 9'], placed: [/srv/elsewhere], why: was not placed}
  - {run: [sh, -c, 'exit 9'], placed: [/srv/plain], when: {path: /srv/elsewhere}, why: not there}
transitions:
  - from: '*'
    to: '*'
    steps:
      - run:
          script: probe/note.sh
          args: [step, '{old}']
          when: {package: base-files, path: /srv/plain}
          why: both are there
      - run: {argv: [sh, -c, 'exit 9'], when: {package: no-such-package}, why: not installed}
validate:
  - script: probe/test.sh
    args: ['{new}']
    when: {path: /srv/plain}
  - {run: [sh, -c, 'exit 9'], when: {path: /srv/elsewhere}}
";

const SCRIPTS: [(&str, &str); 6] = [
    ("start.sh", "set -eu\n[ -e \"/srv/db/$1/$2/rows\" ]\necho \"$2\" >/srv/running\n"),
    (
        "load.sh",
        "set -eu\nmkdir -p \"/srv/db/$1/$2\"\ncat >\"/srv/db/$1/$2/rows\"\necho \"$3\" >\"/srv/db/$1/$2/old\"\necho \"$2\" >/srv/running\n",
    ),
    (
        "count.sh",
        "set -eu\n[ -e /srv/running ]\nwhile read -r row; do echo row; done <\"$1/rows\"\n",
    ),
    (
        "stop.sh",
        "set -eu\n[ -e /srv/running ]\necho \"$2\" >\"/srv/stopped-$1\"\n: >/srv/running\n",
    ),
    ("note.sh", "set -eu\necho \"$2\" >\"/srv/$1\"\n"),
    (
        "test.sh",
        "set -eu\n[ \"$(cat /srv/rebuilt)\" = \"$1\" ] || { echo 'not made again' >&2; exit 1; }\n",
    ),
];

struct Roots {
    dir: tempfile::TempDir,
}

impl Roots {
    /// An old root and a new one.
    fn new() -> Roots {
        let dir = tempfile::Builder::new()
            .prefix("rule-commands-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let roots = Roots { dir };
        old_system(&roots.at("old"));
        run("cp", &["-a", path(&root::debian()), path(&roots.at("new"))]);
        fs::create_dir_all(roots.at("rules/probe")).unwrap();
        roots
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// From now on the rule says `more`, which names these scripts.
    fn rule(&self, more: &str, scripts: &[&str]) {
        fs::write(self.at("rules/probe.yaml"), format!("{PROBE}{more}")).unwrap();
        for (name, script) in SCRIPTS {
            let at = self.at("rules/probe").join(name);
            if scripts.contains(&name) {
                fs::write(at, format!("#!/bin/sh\n{script}")).unwrap();
            } else if at.exists() {
                fs::remove_file(at).unwrap();
            }
        }
    }

    fn regrow(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_regrow"))
            .current_dir(self.dir.path())
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("CONTAINER_HOST", "unix:///nonexistent")
            .args(args)
            .args(["--rules", "rules"])
            .output()
            .unwrap()
    }

    fn archive(&self) {
        let done = self.regrow(&["archive", "rootfs:old", "-o", "x.regrow"]);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{}", complaint(&done));
    }

    fn restore(&self) -> Output {
        self.regrow(&["restore", "x.regrow", "--onto", "rootfs:new"])
    }

    /// What the new root has at `name`.
    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.at("new").join(name)).ok()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn old_system(dir: &Path) {
    for sub in ["etc", "var/lib/dpkg/info", "srv/db/11/shop", "root", "tmp", "proc", "sys", "dev"] {
        fs::create_dir_all(dir.join(sub)).unwrap();
    }
    for sub in ["run", "usr/bin", "usr/lib64", "usr/lib/x86_64-linux-gnu"] {
        fs::create_dir_all(dir.join(sub)).unwrap();
    }
    for link in ["bin", "lib", "lib64"] {
        symlink(format!("usr/{link}"), dir.join(link)).unwrap();
    }
    let debian = root::debian();
    let tools = ["bin/sh", "bin/env", "bin/cat", "lib64/ld-linux-x86-64.so.2"];
    for tool in tools.into_iter().chain(["lib/x86_64-linux-gnu/libc.so.6"]) {
        fs::copy(debian.join("usr").join(tool), dir.join("usr").join(tool)).unwrap();
    }
    let write = |path: &str, text: &str| fs::write(dir.join(path), text).unwrap();
    write("etc/os-release", "ID=debian\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\n");
    write(
        "var/lib/dpkg/status",
        "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\n\
         Version: 11.1\nMaintainer: nobody\nEssential: yes\nDescription: x\n\n",
    );
    // Its repository had it when it was asked last.
    fs::create_dir_all(dir.join("var/lib/apt/lists")).unwrap();
    write("var/lib/apt/lists/x_dists_bullseye_InRelease", "Origin: Debian\n");
    let offered = "Package: base-files\nVersion: 11.1\n\n";
    write("var/lib/apt/lists/x_dists_bullseye_main_binary-amd64_Packages", offered);
    write("var/lib/dpkg/info/base-files.list", "/.\n/etc\n");
    write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    write("etc/group", "root:x:0:\n");
    write("srv/db/11/shop/rows", "one\ntwo\n");
    write("srv/plain", "x");
}

#[test]
fn a_restore_obeys_every_place_of_a_rule_that_runs_something() {
    let roots = Roots::new();
    let all = SCRIPTS.map(|(name, _)| name);
    roots.rule(&format!("{DATA}{MORE}"), &all);
    roots.archive();
    let restored = roots.restore();
    assert!(matches!(restored.status.code(), Some(0 | 3)), "{}", complaint(&restored));
    assert_eq!(roots.read("srv/db/13/shop/rows").as_deref(), Some("one\ntwo\n"));
    assert_eq!(roots.read("srv/db/13/shop/old").as_deref(), Some("11\n"));
    assert!(!roots.at("new/srv/db/11").join("shop").exists(), "data of the old version is placed");
    assert_eq!(roots.read("srv/stopped-13").as_deref(), Some("shop\n"));
    assert_eq!(roots.read("srv/running").as_deref(), Some(""));
    // What was run in the copy of the old system has not touched it.
    assert!(!roots.at("old/srv/stopped-11").exists() && !roots.at("old/srv/running").exists());
    assert_eq!(roots.read("srv/rebuilt").as_deref(), Some("13\n"));
    assert_eq!(roots.read("srv/step").as_deref(), Some("11\n"));

    // The plan names a script, and does not print it.
    let planned = roots.regrow(&["plan", "x.regrow", "--onto", "rootfs:new", "--json"]);
    let planned: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
    let subjects: Vec<&str> =
        planned["steps"].as_array().unwrap().iter().filter_map(|s| s["subject"].as_str()).collect();
    for wanted in ["probe/load.sh 13 shop 11", "probe/stop.sh 13 shop", "probe/test.sh 13"] {
        assert!(subjects.contains(&wanted), "{wanted}: {subjects:?}");
    }
}

#[test]
fn a_restore_stops_when_both_sides_differ_or_a_validator_refuses() {
    let roots = Roots::new();
    let database = ["start.sh", "load.sh", "count.sh", "stop.sh"];
    roots.rule(DATA, &database);
    roots.archive();
    let script = roots.at("rules/probe/load.sh");
    let good = fs::read_to_string(&script).unwrap();
    fs::write(&script, format!("{good}echo three >>\"/srv/db/$1/$2/rows\"\n")).unwrap();
    let restored = roots.restore();
    assert_eq!(restored.status.code(), Some(11), "{}", complaint(&restored));
    let why = "its output differs from the archived shop.count";
    assert!(complaint(&restored).contains(why), "{}", complaint(&restored));
    assert!(complaint(&restored).contains("probe/count.sh /srv/db/13/shop"));

    let refusing = format!("{DATA}validate: [{{script: probe/test.sh, args: ['13']}}]\n");
    roots.rule(&refusing, &[&database[..], &["test.sh"]].concat());
    let restored = roots.restore();
    assert_eq!(restored.status.code(), Some(11), "{}", complaint(&restored));
    assert_eq!(roots.read("srv/db/13/shop/rows"), None, "nothing was changed");
}

#[test]
fn a_bundle_of_the_time_before_check_is_still_imported_and_compared() {
    let roots = Roots::new();
    roots.rule(DATA_EARLIER, &[]);
    roots.archive();
    roots.rule(DATA, &["start.sh", "load.sh", "count.sh", "stop.sh"]);
    let restored = roots.restore();
    assert!(matches!(restored.status.code(), Some(0 | 3)), "{}", complaint(&restored));
    assert_eq!(roots.read("srv/db/13/shop/rows").as_deref(), Some("one\ntwo\n"));
    assert_eq!(roots.read("srv/stopped-13").as_deref(), Some("shop\n"));
}

#[test]
fn a_script_that_is_missing_or_that_no_rule_names_is_a_mistake_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("x")).unwrap();
    let rule = "app: x\ntitle: X\nrecognise: {packages: [{name: x}]}\n\
                validate:\n  - script: x/test.sh\n";
    fs::write(at("x.yaml"), rule).unwrap();
    let lint = || {
        let args = ["rules", "lint", path(dir.path())];
        let ran = Command::new(env!("CARGO_BIN_EXE_regrow")).args(args).output().unwrap();
        (ran.status.code(), complaint(&ran))
    };
    let refused = |why: &str| {
        let (code, told) = lint();
        assert_eq!(code, Some(4), "{told}");
        assert!(told.contains(why), "{told}");
    };
    refused("x.yaml:5:13: there is no script `x/test.sh` beside this rule");
    fs::write(at("x/test.sh"), "#!/bin/sh\n".to_owned() + &"#".repeat(64 * 1024)).unwrap();
    refused("x.yaml:5:13: the script `x/test.sh` has more than 65536 bytes");
    fs::write(at("x/test.sh"), "exit 0\n").unwrap();
    refused("x.yaml:5:13: the first line of the script `x/test.sh`");
    fs::write(at("x/test.sh"), "#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!(lint().0, Some(0), "{}", lint().1);
    fs::write(at("x/forgotten.sh"), "#!/bin/sh\n").unwrap();
    refused("x/forgotten.sh:1:1: no rule beside this script names it");
}

#[test]
fn a_rule_that_is_shown_needs_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let regrow =
        |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_regrow")).args(args).output().unwrap();
    for app in ["postgresql", "mariadb", "tomcat"] {
        let shown = regrow(&["rules", "show", app]);
        let file = dir.path().join(format!("{app}.yaml"));
        fs::write(&file, &shown.stdout).unwrap();
        let linted = regrow(&["rules", "lint", path(&file)]);
        assert_eq!(linted.status.code(), Some(0), "{}", complaint(&linted));
    }
}
