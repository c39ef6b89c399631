//! One run of the program and the form of what it says, in a directory with a small root.

#![allow(dead_code, reason = "every test file uses its part")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The image that restores are asked to build on.
pub(crate) const IMAGE: &str = "debian:trixie";

/// What one run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program.
pub(crate) fn run(args: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_regrow"))
        .args(args)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Checks the form of a refusal: one line with all parts, nothing that could move a cursor.
pub(crate) fn assert_refusal(ran: &Ran, code: i32, kind: &str, words: &str, case: &str) {
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

/// Runs the program, which has to refuse.
pub(crate) fn refused(args: &[&str], code: i32, kind: &str, words: &str) {
    assert_refusal(&run(args, &[]), code, kind, words, &args.join(" "));
}

/// A directory with a small root in it and the bundle of that root.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::create_dir_all(place.path("root/etc")).unwrap();
        fs::create_dir_all(place.path("root/srv")).unwrap();
        fs::write(place.path("root/etc/os-release"), "ID=debian\nVERSION_ID=\"11\"\n").unwrap();
        fs::write(place.path("root/srv/data"), "what nobody else has\n".repeat(100)).unwrap();
        place
    }

    pub(crate) fn with_bundle() -> Place {
        let place = Place::new();
        let ran = run(&["-q", "archive", &place.source(), "-o", &place.text("good")], &[]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn source(&self) -> String {
        format!("rootfs:{}", self.text("root"))
    }

    /// What stands in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
