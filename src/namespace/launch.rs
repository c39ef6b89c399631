//! [`launch`]: the process behind a run, from its start to the last byte of its output.
//!
//! The chain is `setpriv setsid unshare sh setup.sh`: the first ties its life to this thread, the
//! second takes it off the terminal (a terminal can be made to type into the host's shell), the
//! third makes the namespaces and waits for the fourth, which is process 1 in them. All of them
//! are in the network that this thread is in, which is a run's own.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Namespace, NamespaceError, Ran, RunOptions, Stdin, Stdout, Tail};

const SETUP: &str = include_str!("setup.sh");
/// What installing packages needs. Packages own files of anybody, with any mode and capabilities
/// (`chown`, `dac_override`, `fowner`, `fsetid`, `setfcap`) and device nodes (`mknod`; none works
/// here); their scripts and what is downloaded run as other users, and end them (`setuid`, `setgid`,
/// `setpcap`, `kill`), some in a chroot (`sys_chroot`); a server that is tried out binds its port
/// (`net_bind_service`) and programs that log a user in write records of it (`audit_write`). No
/// `sys_admin` (mounts), `sys_ptrace`, `sys_rawio`, `sys_module`, `net_admin`, `net_raw`,
/// `sys_time`, `sys_boot` …
const CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,\
                            +setpcap,+net_bind_service,+sys_chroot,+mknod,+audit_write,+setfcap";
/// How long the kernel may take to end what was killed.
const GRACE: Duration = Duration::from_secs(10);

/// Runs `words` (variables, program, arguments) in the directory behind `root`; `control` is an
/// empty directory of the host through which the setup is observed.
pub(super) fn launch(
    namespace: &Namespace,
    control: &Path,
    words: &[OsString],
    options: &RunOptions,
) -> Result<Ran, NamespaceError> {
    let mut command = command(namespace, control, words);
    let (stdin, input) = match &options.stdin {
        Stdin::Empty => (Stdio::null(), &b""[..]),
        Stdin::Bytes(bytes) => (Stdio::piped(), bytes.as_slice()),
        Stdin::File(file) => (share(file)?, &b""[..]),
    };
    let stdout = match &options.stdout {
        Stdout::Capture => Stdio::piped(),
        Stdout::ToFile(file) => share(file)?,
    };
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().map_err(NamespaceError::io("starting the namespaces"))?;
    let (feed, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

    let (waited, stdout, stderr) = std::thread::scope(|scope| {
        if let Some(mut feed) = feed {
            // A command need not read what it is given.
            scope.spawn(move || drop(feed.write_all(input)));
        }
        let out = scope.spawn(|| out.map_or_else(Tail::default, Tail::read));
        let err = scope.spawn(|| err.map_or_else(Tail::default, Tail::read));
        let waited = wait(&mut child, started, options);
        (waited, out.join().unwrap_or_default(), err.join().unwrap_or_default())
    });
    match waited.map_err(NamespaceError::io("waiting for the command"))? {
        Ended::Cancelled(signal) => Err(NamespaceError::Cancelled { signal }),
        Ended::TimedOut => Err(NamespaceError::TimedOut { after: options.timeout, stdout, stderr }),
        Ended::Itself(_) if !control.join("ready").exists() => {
            Err(NamespaceError::Setup { log: stderr })
        }
        Ended::Itself(status) => Ok(Ran { code: code(status), stdout, stderr }),
    }
}

fn command(namespace: &Namespace, control: &Path, words: &[OsString]) -> Command {
    let tools = &namespace.tools;
    let mut command = Command::new(&tools.setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(&tools.setsid).arg(&tools.unshare);
    command.args(["--mount", "--pid", "--ipc", "--uts", "--propagation", "private"]);
    command.args(["--fork", "--kill-child"]);
    command.arg("--").arg(&tools.sh).args(["-c", SETUP, "sh"]);
    command.arg(control);
    command.arg(&tools.mount).arg(&tools.chroot).arg(&tools.setpriv).arg(&tools.sh);
    command.arg(CAPABILITIES).args(words);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    // By handle: whatever its names lead to by now, it begins in the directory that was opened.
    command.current_dir(format!("/proc/self/fd/{}", namespace.root.as_raw_fd()));
    command
}

fn share(file: &std::fs::File) -> Result<Stdio, NamespaceError> {
    file.try_clone().map(Stdio::from).map_err(NamespaceError::io("sharing a file with the command"))
}

/// How a command came to its end.
enum Ended {
    Itself(ExitStatus),
    /// Killed, because its time was over.
    TimedOut,
    /// Killed, because the run was asked to stop by that signal.
    Cancelled(i32),
}

/// Waits for the end, and brings it about when it is due.
fn wait(child: &mut Child, started: Instant, options: &RunOptions) -> io::Result<Ended> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Itself(status));
        }
        if let Some(signal) = options.cancel.signal() {
            end(child)?;
            return Ok(Ended::Cancelled(signal));
        }
        let left = options.timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            end(child)?;
            return Ok(Ended::TimedOut);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Kills process 1 of the namespace, and so all in it. `unshare`, its parent, ends only when the
/// kernel is done with every one of them; killing `unshare` itself would not wait for that.
fn end(child: &mut Child) -> io::Result<()> {
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        kill_init(child);
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait().map(drop)
}

/// Kills the only child that `unshare` has, if it has one by now.
fn kill_init(unshare: &Child) {
    let children = || {
        let path = format!("/proc/{0}/task/{0}/children", unshare.id());
        let listed = std::fs::read_to_string(path).unwrap_or_default();
        listed.split_whitespace().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw)
    };
    let Some(init) = children() else { return };
    let Ok(handle) = pidfd_open(init, PidfdFlags::empty()) else { return };
    // Still its child, so the handle is of this process and not of a later one with its number.
    if children() == Some(init) {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
