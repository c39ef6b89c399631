//! A small root made by somebody who wishes us harm, and the program let loose on it.

#![allow(dead_code, reason = "every test file uses its part")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A text that stands outside of every root and must never be in a bundle.
pub(crate) const SECRET: &str = "the host's own secret 7f3a";

/// MD5 of `hello` and a newline, as dpkg records it.
pub(crate) const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

/// A directory with a root in it, and a file beside the root that nobody may read.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// With an empty root.
    pub(crate) fn empty() -> Place {
        let place = Place(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        fs::create_dir(place.at("root")).unwrap();
        fs::write(place.at("victim"), SECRET).unwrap();
        place
    }

    /// With a small Debian in which one package has one file.
    pub(crate) fn new() -> Place {
        let place = Place::empty();
        place.write("etc/os-release", "ID=debian\nVERSION_ID=\"11\"\n");
        place.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
        place.write("etc/group", "root:x:0:\n");
        place.write("var/lib/dpkg/status", stanza("app", ""));
        place.write("var/lib/dpkg/info/app.list", "/.\n/usr\n/usr/bin\n/usr/bin/app\n");
        place.write("var/lib/dpkg/info/app.md5sums", format!("{HELLO}  usr/bin/app\n"));
        place.write("var/lib/apt/lists/x_dists_bullseye_InRelease", "Origin: Debian\n");
        let offered = "Package: app\nVersion: 2\n\nPackage: other\nVersion: 2\n\n";
        place.write("var/lib/apt/lists/x_dists_bullseye_main_binary-all_Packages", offered);
        place.write("usr/bin/app", "hello\n");
        place.write("srv/data", "what nobody else has\n");
        place
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A path inside the root.
    pub(crate) fn root(&self, path: &str) -> PathBuf {
        self.at("root").join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.root(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let link = self.root(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }

    /// The program, without any engine.
    pub(crate) fn regrow(&self, args: &[&str]) -> Command {
        let built = || env!("CARGO_BIN_EXE_regrow").into();
        let mut command = Command::new(std::env::var_os("REGROW").unwrap_or_else(built));
        command.args(args).current_dir(self.0.path());
        command.env("DOCKER_HOST", "unix:///nonexistent");
        command.env("CONTAINER_HOST", "unix:///nonexistent");
        command
    }

    /// Archives the root as `x.regrow`.
    pub(crate) fn archive(&self) -> Ran {
        self.archive_with(&[])
    }

    pub(crate) fn archive_with(&self, more: &[&str]) -> Ran {
        let _ = fs::remove_file(self.at("x.regrow"));
        let args = [&["archive", "rootfs:root", "-o", "x.regrow", "--json"], more].concat();
        Ran::of(self.regrow(&args).output().unwrap())
    }

    /// The bundle, which has to be whole.
    pub(crate) fn bundle(&self) -> Bundle {
        let verified = Ran::of(self.regrow(&["verify", "x.regrow"]).output().unwrap());
        assert!(matches!(verified.code, 0 | 3), "{}", verified.stderr);
        let inspected = self.regrow(&["inspect", "x.regrow", "--json"]).output().unwrap();
        let inspected = serde_json::from_slice(&inspected.stdout).unwrap();
        let dir = tempfile::tempdir_in(self.0.path()).unwrap();
        let unpack = format!(
            "zstd -dcq --long=31 x.regrow | tar -xpf - -C '{}' --xattrs --xattrs-include='*'",
            dir.path().display()
        );
        sh(self.0.path(), &unpack);
        Bundle { inspected, dir }
    }

    /// What stands beside the root, and the secret as it was.
    pub(crate) fn names(&self) -> Vec<String> {
        assert_eq!(fs::read_to_string(self.at("victim")).unwrap(), SECRET);
        let listed = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }
}

/// What one run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    /// The report; null after a failure.
    pub(crate) report: Value,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let stdout = String::from_utf8(output.stdout).expect("output is UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
        assert!(!stderr.contains("panicked"), "{stderr}");
        let tame = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
        assert!(tame(&stderr) && tame(&stdout), "{stdout:?} {stderr:?}");
        assert!(!stderr.contains(SECRET) && !stdout.contains(SECRET), "{stderr}");
        let report = serde_json::from_str(&stdout).unwrap_or(Value::Null);
        Ran { code: output.status.code().unwrap_or(-1), report, stdout, stderr }
    }

    /// The exit code has to be `code`.
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{} {}", self.stderr, self.report);
        self
    }

    /// Every loss as `subject: what (why)`.
    pub(crate) fn losses(&self) -> Vec<String> {
        let losses = self.report["losses"].as_array().unwrap().iter();
        let text = |loss: &Value, key: &str| loss[key].as_str().unwrap().to_owned();
        losses
            .map(|loss| {
                format!("{}: {} ({})", text(loss, "subject"), text(loss, "what"), text(loss, "why"))
            })
            .collect()
    }

    pub(crate) fn limitations(&self) -> String {
        self.report["limitations"].to_string()
    }

    /// There has to be a loss with all `words`.
    pub(crate) fn lost(self, words: &[&str]) -> Ran {
        let losses = self.losses();
        assert!(
            losses.iter().any(|loss| words.iter().all(|word| loss.contains(word))),
            "{words:?} not in {losses:?}"
        );
        self
    }

    /// A failure with code and message in the form that all messages have.
    pub(crate) fn refused(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        let messages: Vec<&str> = self.stderr.lines().filter(|l| l.contains("error[")).collect();
        let [message] = messages[..] else { panic!("not one message: {}", self.stderr) };
        assert!(message.contains(words), "lacks `{words}`: {message}");
        for part in [" \"", "\": ", " Kept: ", ". Next: "] {
            assert!(message.contains(part), "lacks `{part}`: {message}");
        }
    }
}

/// A bundle, unpacked by other tools.
pub(crate) struct Bundle {
    pub(crate) inspected: Value,
    dir: tempfile::TempDir,
}

impl Bundle {
    /// A kept path.
    pub(crate) fn kept(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.kept(path)).is_ok()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.kept(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(crate) fn target(&self, path: &str) -> String {
        fs::read_link(self.kept(path)).unwrap().into_os_string().into_string().unwrap()
    }

    /// Whether any kept file holds `text`.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let found = Command::new("grep")
            .args(["-rqF", "--devices=skip", text])
            .arg(self.dir.path())
            .status()
            .unwrap();
        found.success()
    }

    /// The verdict on `path`.
    pub(crate) fn class(&self, path: &str) -> String {
        let entries = self.inspected["entries"].as_array().unwrap();
        let found = entries.iter().find(|entry| entry["path"] == path);
        let found = found.unwrap_or_else(|| panic!("no entry for {path}"));
        format!(
            "{}{}",
            found["class"].as_str().unwrap(),
            if found["deleted"] == true { " deleted" } else { "" }
        )
    }
}

/// The record of an installed package without files; `more` lines about it.
pub(crate) fn stanza(name: &str, more: &str) -> String {
    format!(
        "Package: {name}\nStatus: install ok installed\nMaintainer: nobody\n\
         Architecture: all\nVersion: 2\nDescription: x\n{more}\n"
    )
}

/// Runs a shell script in `dir`.
pub(crate) fn sh(dir: &Path, script: &str) -> String {
    let ran =
        Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(dir).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// Whether `program` is there; says so when it is not.
pub(crate) fn have(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let found = found.is_ok_and(|found| found.status.success());
    if !found {
        eprintln!("skipped: needs {program}");
    }
    found
}

/// Bytes that do not compress: a generator of Marsaglia's, seeded.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length / 8).flatten().collect()
}

/// Archives a root in which `/srv/a-slow` is written before `/srv/z-file`, which is listed with `z`
/// as its content; `change` is made after the listing and before the reading. `None` without
/// `strace`, which holds the program meanwhile.
pub(crate) fn slow_then(place: &Place, change: impl FnOnce()) -> Option<Ran> {
    if !have("strace") {
        return None;
    }
    place.write("srv/a-slow", noise(4096));
    place.write("srv/z-file", "z");
    let mut command = Command::new("strace");
    // Holes are looked for when a file is about to be stored.
    command.args(["-f", "-o", "/dev/null", "-P"]).arg(place.root("srv/a-slow"));
    command.args(["-e", "trace=lseek", "-e", "inject=lseek:delay_enter=2000000:when=1"]);
    command.arg(env!("CARGO_BIN_EXE_regrow")).current_dir(place.dir());
    command.args(["archive", "rootfs:root", "-o", "x.regrow", "--json"]);
    Some(while_writing(&mut command, change))
}

/// Runs `command`, and makes `change` once it says that it writes the bundle.
pub(crate) fn while_writing(command: &mut Command, change: impl FnOnce()) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let mut change = Some(change);
    for line in &mut lines {
        let line = line.unwrap();
        if line.contains("writing the bundle")
            && let Some(change) = change.take()
        {
            change();
        }
        said.push_str(&line);
        said.push('\n');
    }
    assert!(change.is_none(), "it never began to write: {said}");
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.into_bytes();
    Ran::of(output)
}
