//! Running commands in containers, with their three streams.
//!
//! Always an argv, never a shell line, never a terminal: the streams stay apart and binary.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::query_parameters::AttachContainerOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::error::{About, EngineError, Object};
use super::wire::Call;
use super::{Engine, LONG, text};

/// How much of the end of what a command complains is kept.
const STDERR_KEPT: usize = 1 << 20;

/// How long a command may take to end once its connection is broken.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// A command to be run in a container that runs.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// What to run; looked up in the container's `PATH` when it has no slash.
    pub argv: Vec<String>,
    /// As whom: name or number, `:` and a group may follow. Empty: as the container's user.
    pub user: String,
    /// Added to the container's environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Where; empty: in the container's working directory.
    pub directory: String,
}

impl Command {
    /// `argv` as root in `/`.
    pub fn root(argv: &[&str]) -> Command {
        Command {
            argv: argv.iter().map(|&a| a.to_owned()).collect(),
            user: "0:0".to_owned(),
            env: vec![],
            directory: "/".to_owned(),
        }
    }

    fn json(&self, stdin: bool) -> Value {
        let mut json = Map::new();
        json.insert("Cmd".to_owned(), self.argv.clone().into());
        json.insert("Env".to_owned(), self.env.clone().into());
        json.insert("AttachStdin".to_owned(), stdin.into());
        json.insert("AttachStdout".to_owned(), true.into());
        json.insert("AttachStderr".to_owned(), true.into());
        for (key, value) in [("User", &self.user), ("WorkingDir", &self.directory)] {
            if !value.is_empty() {
                json.insert(key.to_owned(), value.as_str().into());
            }
        }
        Value::Object(json)
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; 128 + n after signal n.
    pub code: i64,
    /// The end of what it wrote to its standard error, at most 1 MiB.
    pub stderr_tail: Vec<u8>,
}

/// What became of a command's streams.
struct Conversation {
    outcome: Result<(), EngineError>,
    stderr_tail: VecDeque<u8>,
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

impl Engine {
    /// Starts the container `id`, made and not yet started, gives it `stdin`, writes its standard
    /// output to `stdout`, and waits for its end; after `limit` it is killed.
    ///
    /// For `stdin` the container has to be made with `OpenStdin` and `StdinOnce`, and in any case
    /// without `Tty`. The container is kept. On Podman a command that ends well without having
    /// read all of its input is [`EngineError::Lost`].
    pub fn run(
        &self,
        id: &str,
        stdin: Option<Box<dyn Read + Send>>,
        stdout: &mut dyn Write,
        limit: Duration,
    ) -> Result<Ran, EngineError> {
        let about = About { act: "running", object: Object::Container(id.to_owned()) };
        let options = AttachContainerOptions {
            stream: true,
            stdin: stdin.is_some(),
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        // Attached before the start, or the first output would be missed.
        let streams = self.block(&about, LONG, async {
            self.docker().attach_container(id, Some(options)).await.map_err(|e| about.engine(e))
        })?;
        self.start(id)?;
        let outcome = self.converse(&about, (streams.output, streams.input), stdin, stdout, limit);
        let ended = self.ended(outcome, |patience| self.wait(id, patience));
        if ended.is_err() {
            // Whatever ended the conversation, nothing goes on running behind our back.
            let _ = self.for_cleanup().kill(id);
        }
        ended
    }

    /// Runs `command` in the running container `id`, in the same way as [`Engine::run`].
    ///
    /// A command that does not end within `limit` goes on running, as no engine can end a single
    /// command: the caller has to remove the container.
    pub fn exec(
        &self,
        id: &str,
        command: &Command,
        stdin: Option<Box<dyn Read + Send>>,
        stdout: &mut dyn Write,
        limit: Duration,
    ) -> Result<Ran, EngineError> {
        let object = Object::Container(id.to_owned());
        let call = Call::new("POST", &["containers", id, "exec"], "running a command in", object)?;
        let about = call.about();
        let answer = self.json(call.body(&command.json(stdin.is_some())))?;
        let exec = text(&answer, &["Id"]);
        if exec.is_empty() {
            return Err(about.unexpected("the command has no id"));
        }
        let started = self.block(&about, LONG, async {
            let options = StartExecOptions { detach: false, ..Default::default() };
            self.docker().start_exec(&exec, Some(options)).await.map_err(|e| about.engine(e))
        })?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(about.unexpected("the command is not attached"));
        };
        let outcome = self.converse(&about, (output, input), stdin, stdout, limit);
        self.ended(outcome, |_| self.exec_code(&exec, &about))
    }

    /// Starts `command` in the running container `id` and leaves it to itself: its output is lost,
    /// and it ends with the container.
    pub fn spawn(&self, id: &str, command: &Command) -> Result<(), EngineError> {
        let object = Object::Container(id.to_owned());
        let act = "starting a command in";
        let call = Call::new("POST", &["containers", id, "exec"], act, object.clone())?;
        let about = call.about();
        let mut wanted = command.json(false);
        for stream in ["AttachStdout", "AttachStderr"] {
            wanted[stream] = false.into();
        }
        let exec = text(&self.json(call.body(&wanted))?, &["Id"]);
        if exec.is_empty() {
            return Err(about.unexpected("the command has no id"));
        }
        let start = Call::new("POST", &["exec", &exec, "start"], act, object)?;
        self.bytes(start.body(&json!({ "Detach": true, "Tty": false }))).map(drop)
    }

    /// What a conversation amounts to, given how to ask for the exit code.
    fn ended(
        &self,
        conversation: Conversation,
        code: impl FnOnce(Duration) -> Result<i64, EngineError>,
    ) -> Result<Ran, EngineError> {
        match conversation.outcome {
            Ok(()) => Ok(Ran { code: code(LONG)?, stderr_tail: conversation.stderr_tail.into() }),
            // Podman breaks the connection when a command ends without having read its input.
            // If the command failed, that is the news; if not, its output may be incomplete.
            Err(EngineError::Lost { act, object, source }) => match code(AFTERWARDS) {
                Ok(code) if code != 0 => {
                    Ok(Ran { code, stderr_tail: conversation.stderr_tail.into() })
                }
                _ => Err(EngineError::Lost { act, object, source }),
            },
            Err(other) => Err(other),
        }
    }

    /// The exit code of an exec whose output has ended. The engine learns of the end of the
    /// process a moment after that of its output.
    fn exec_code(&self, exec: &str, about: &About) -> Result<i64, EngineError> {
        for attempt in 0..200_u64 {
            let call = Call::new("GET", &["exec", exec, "json"], about.act, about.object.clone())?;
            let state = self.json(call)?;
            if state["Running"] == false {
                return state["ExitCode"]
                    .as_i64()
                    .ok_or_else(|| about.unexpected("there is no exit code"));
            }
            self.block(about, LONG, async {
                tokio::time::sleep(Duration::from_millis(10 * attempt.min(50))).await;
                Ok(())
            })?;
        }
        Err(about.unexpected("the output ended and the command did not"))
    }

    /// Feeds `stdin` and drains both outputs.
    fn converse(
        &self,
        about: &About,
        (mut output, input): (Output, Input),
        stdin: Option<Box<dyn Read + Send>>,
        stdout: &mut dyn Write,
        limit: Duration,
    ) -> Conversation {
        let mut tail = VecDeque::new();
        let drained = self.block(about, limit, async {
            let drain = async {
                while let Some(piece) = output.next().await {
                    match piece.map_err(|e| about.engine(e))? {
                        LogOutput::StdOut { message } => stdout
                            .write_all(&message)
                            .map_err(|e| about.local("cannot keep what it wrote", e))?,
                        LogOutput::StdErr { message } => keep_tail(&mut tail, &message),
                        // Not of the protocol without a terminal: the stream is out of step.
                        LogOutput::Console { .. } | LogOutput::StdIn { .. } => {
                            return Err(about.unexpected("its output has no frames"));
                        }
                    }
                }
                Ok(())
            };
            tokio::select! {
                result = drain => result,
                error = unreadable(stdin, input) => {
                    Err(about.local("its input cannot be read", error))
                }
            }
        });
        let outcome = match drained {
            Err(EngineError::Stalled { object, patience, .. }) => {
                Err(EngineError::CommandTimeout { object, limit: patience })
            }
            other => other,
        };
        Conversation { outcome, stderr_tail: tail }
    }
}

fn keep_tail(tail: &mut VecDeque<u8>, more: &[u8]) {
    let more = &more[more.len().saturating_sub(STDERR_KEPT)..];
    tail.drain(..(tail.len() + more.len()).saturating_sub(STDERR_KEPT));
    tail.extend(more);
}

/// Reads `stdin` in a thread of its own: it may be a pipe that somebody else fills, slowly.
fn read_apart(mut stdin: Box<dyn Read + Send>) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, pieces) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let piece = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => Ok(Bytes::copy_from_slice(&buffer[..n])),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let failed = piece.is_err();
            if sender.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    pieces
}

/// Feeds `stdin` to a command and closes its input. Ends only when `stdin` cannot be read, and
/// then leaves the command's input open: cut short, it must not be taken for whole. A command
/// that stops reading is no error.
async fn unreadable(stdin: Option<Box<dyn Read + Send>>, mut input: Input) -> std::io::Error {
    if let Some(stdin) = stdin {
        let mut pieces = read_apart(stdin);
        while let Some(piece) = pieces.recv().await {
            match piece {
                Ok(piece) if input.write_all(&piece).await.is_ok() => {}
                Ok(_) => break,
                Err(error) => return error,
            }
        }
        let _ = input.flush().await;
        let _ = input.shutdown().await;
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mebibyte_of_complaints_is_kept() {
        let mut tail = VecDeque::new();
        keep_tail(&mut tail, b"first");
        keep_tail(&mut tail, &vec![b'x'; STDERR_KEPT - 2]);
        assert_eq!(tail.len(), STDERR_KEPT);
        assert_eq!(tail.iter().take(3).copied().collect::<Vec<_>>(), b"stx");
        keep_tail(&mut tail, &vec![b'y'; STDERR_KEPT + 5]);
        assert!(tail.iter().all(|&b| b == b'y') && tail.len() == STDERR_KEPT);
    }
}
