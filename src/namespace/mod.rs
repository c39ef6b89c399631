//! Running a command of an unpacked root inside of it, and nowhere else.
//!
//! A restore onto a root installs packages and runs what rules ask for. Those commands belong to
//! the new system, not to the host: they see a `/proc`, `/dev`, `/run` and `/sys` of their own,
//! no process but their own, a network of their own with nothing in it, and the root as their `/`
//! with the host's tree covered. They run as root with the capabilities that installing packages
//! needs; they can neither mount, nor open devices, nor change the host's kernel settings. What
//! downloads finds an HTTP proxy in its network, which is this process.
//!
//! Invariants: the host's tools come from the host and are never looked up in the root; nothing is
//! left mounted or running afterwards, even when the caller is killed; no value reaches a shell
//! as text. What this does not do is to confine a command that exploits the kernel.

mod gateway;
mod launch;
mod network;
mod run;
mod tail;
mod upstream;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cancel::{Cancel, NEVER};
use crate::tree::escaped;

pub use tail::MAX_TAIL;
pub(crate) use tail::Tail;

/// Where the host's tools are looked for; `PATH` is somebody else's.
const TOOL_DIRS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/// What has to be a directory in the root, to be mounted on.
const MOUNT_POINTS: [&str; 4] = ["proc", "sys", "dev", "run"];

/// The host's tools, by their paths. util-linux has all but `sh` and `chroot`.
#[derive(Debug, Clone)]
struct Tools {
    sh: PathBuf,
    setsid: PathBuf,
    setpriv: PathBuf,
    unshare: PathBuf,
    mount: PathBuf,
    chroot: PathBuf,
}

/// An unpacked root in which commands can be run.
#[derive(Debug)]
pub struct Namespace {
    root: OwnedFd,
    /// How it was called when it was opened, for messages.
    path: PathBuf,
    tools: Tools,
}

/// What a command reaches over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What can be downloaded by HTTP, through a proxy that `http_proxy` and its like name inside.
    /// The way on from this machine is what [`RunOptions::surroundings`] say under these names, and
    /// where they say nothing, what the command's own variables say.
    Downloads,
    /// Nothing but its own loopback device.
    #[default]
    None,
}

/// What a command reads.
#[derive(Debug, Default)]
pub enum Stdin {
    /// Nothing.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file, from where it stands.
    File(File),
}

/// Where a command's output goes.
#[derive(Debug, Default)]
pub enum Stdout {
    /// Its end into [`Ran::stdout`].
    #[default]
    Capture,
    /// All of it into a file, from where it stands.
    ToFile(File),
}

/// How to run a command.
#[derive(Debug)]
pub struct RunOptions {
    /// The whole environment; nothing of the host's is added, and nothing at all but the proxy
    /// of [`Network::Downloads`].
    pub env: BTreeMap<OsString, OsString>,
    /// Variables of this machine that name proxies, as `http_proxy` and `no_proxy` do. They are not
    /// seen inside. A proxy on this machine itself is used only when it is named here.
    pub surroundings: BTreeMap<OsString, OsString>,
    /// What it reads.
    pub stdin: Stdin,
    /// Where its output goes. Its errors are always captured.
    pub stdout: Stdout,
    /// Which network it sees.
    pub network: Network,
    /// After this time it is killed with everything it started.
    pub timeout: Duration,
    /// What ends it before, in the same way.
    pub cancel: Cancel,
}

impl Default for RunOptions {
    /// A plain root login, without network, for an hour at most.
    fn default() -> RunOptions {
        let env = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
        ];
        RunOptions {
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            surroundings: BTreeMap::new(),
            stdin: Stdin::Empty,
            stdout: Stdout::Capture,
            network: Network::None,
            timeout: Duration::from_secs(3600),
            cancel: NEVER.clone(),
        }
    }
}

/// A command that ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number where one ended it. As from a shell, 126 and
    /// 127 say that it could not be started or found.
    pub code: i32,
    /// The end of its output, empty when that went to a file.
    pub stdout: Tail,
    /// The end of its errors.
    pub stderr: Tail,
}

/// Why a command could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Namespaces, mounts and chroot are the superuser's.
    #[error("only root can run commands inside a root")]
    NotRoot,
    /// A tool of the host is missing.
    #[error("the host has no `{tool}` in {}", TOOL_DIRS.join(", "))]
    MissingTool {
        /// Its name; all are part of util-linux or coreutils.
        tool: &'static str,
    },
    /// The root cannot be opened.
    #[error("opening the root `{}`", escaped(.path.as_os_str().as_bytes()))]
    Root {
        /// Where it should be.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The root is the host's own.
    #[error("`/` is this host, not an unpacked root")]
    HostRoot,
    /// A place to mount on is something else.
    #[error("`/{point}` in the root is {found}, not a directory")]
    MountPoint {
        /// Its name below the root.
        point: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// No command line can be made of this.
    #[error("cannot be run: {what}")]
    Argument {
        /// What is wrong.
        what: &'static str,
    },
    /// The namespaces could not be made, or not be filled; the command did not start.
    #[error("the namespaces could not be set up: {}", escaped(.log.bytes().trim_ascii()))]
    Setup {
        /// What the tools said.
        log: Tail,
    },
    /// The system refused something on the way.
    #[error("{act}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The command was killed because its run was asked to stop, with all it had started.
    #[error("the command was ended by signal {signal}")]
    Cancelled {
        /// The signal.
        signal: i32,
    },
    /// The command was killed because it took too long, with all it had started.
    #[error("the command was killed after {} seconds", .after.as_secs_f32())]
    TimedOut {
        /// The time it had.
        after: Duration,
        /// The end of its output.
        stdout: Tail,
        /// The end of its errors.
        stderr: Tail,
    },
}

impl NamespaceError {
    fn io(act: &'static str) -> impl FnOnce(io::Error) -> NamespaceError {
        move |source| NamespaceError::Io { act, source }
    }
}

impl Tools {
    fn find() -> Result<Tools, NamespaceError> {
        let need = |tool| find_tool(tool).ok_or(NamespaceError::MissingTool { tool });
        Ok(Tools {
            sh: need("sh")?,
            setsid: need("setsid")?,
            setpriv: need("setpriv")?,
            unshare: need("unshare")?,
            mount: need("mount")?,
            chroot: need("chroot")?,
        })
    }
}

fn find_tool(name: &str) -> Option<PathBuf> {
    TOOL_DIRS.iter().map(|dir| Path::new(dir).join(name)).find(|path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}
