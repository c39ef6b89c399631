//! A system in which commands may run: a container of ours, or a root of ours in namespaces.
//!
//! Archive uses one for exports (a throw-away copy of the old system), restore for everything that
//! has to run in the new one. What a command starts is still running for the next command of the
//! same batch, and ends with the batch or with the container.

mod container;
mod root;
mod script;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

pub(crate) use container::ContainerSystem;
pub(crate) use root::RootSystem;

use crate::failure::{Failure, FailureKind};
use crate::packages::UNATTENDED;

/// How long one command may take when nothing else is said: a package installation over a slow
/// line, or the dump of a large database.
pub(crate) const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// A command: an argv, never a shell line, run as root with a minimal environment.
#[derive(Debug)]
pub(crate) struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// What it reads.
    pub stdin: Option<File>,
    /// Variables of its own, in place of those that every command has.
    pub env: Vec<(String, String)>,
}

impl Command {
    /// A command without input.
    pub(crate) fn new(argv: &[&str]) -> Command {
        Command { argv: argv.iter().map(|&a| a.to_owned()).collect(), stdin: None, env: vec![] }
    }

    /// The command as a person reads it.
    pub(crate) fn line(&self) -> String {
        line(&self.argv)
    }
}

/// `argv` as a person reads it: of a script that a shell is given as its argument, the name that
/// stands behind it, not the text.
pub(crate) fn line(argv: &[String]) -> String {
    match argv {
        [_, option, script, name, ..] if option == "-c" && script.contains('\n') => {
            let words = argv.get(4..).unwrap_or_default();
            [std::slice::from_ref(name), words].concat().join(" ")
        }
        _ => argv.join(" "),
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code.
    pub code: i64,
    /// What it wrote to its standard output, from the beginning.
    pub stdout: File,
    /// The end of what it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl Ran {
    /// The beginning of the standard output as text, at most `limit` bytes.
    pub(crate) fn text(&mut self, limit: u64) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        self.stdout.seek(SeekFrom::Start(0))?;
        Read::by_ref(&mut self.stdout).take(limit).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last lines of what it complained, for a message.
    pub(crate) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(4)..].join("; ")
    }
}

/// A system in which commands may run.
pub(crate) trait System {
    /// Runs `commands` in order and stops after the first that does not exit 0; the last element
    /// of the answer tells how that one ended.
    ///
    /// # Errors
    /// The commands could not be run at all; how they end is not an error.
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure>;

    /// Runs one command that downloads: the only kind for which there has to be a network.
    ///
    /// # Errors
    /// As [`System::run`].
    fn download(&mut self, command: Command) -> Result<Ran, Failure> {
        self.run_one(command)
    }

    /// Runs one command.
    ///
    /// # Errors
    /// As [`System::run`].
    fn run_one(&mut self, command: Command) -> Result<Ran, Failure> {
        let line = command.line();
        answered(self.run(vec![command])?, &line)
    }
}

/// How the only command of a batch ended.
fn answered(mut ran: Vec<Ran>, line: &str) -> Result<Ran, Failure> {
    ran.pop().ok_or_else(|| {
        Failure::new(FailureKind::Internal, "running", line).why("the command gave no answer")
    })
}

/// A plain root login.
const LOGIN: &[(&str, &str)] = &[
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
];

/// The environment of every command.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    LOGIN.iter().chain(UNATTENDED).copied()
}
