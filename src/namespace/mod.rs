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
mod tail;
mod upstream;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};

use crate::tree::escaped;

use gateway::Gateway;
pub use tail::MAX_TAIL;
pub(crate) use tail::Tail;
use upstream::Upstream;

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
    /// What the run's environment says under these names is the way on from this machine.
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
    /// What it reads.
    pub stdin: Stdin,
    /// Where its output goes. Its errors are always captured.
    pub stdout: Stdout,
    /// Which network it sees.
    pub network: Network,
    /// After this time it is killed with everything it started.
    pub timeout: Duration,
}

impl Default for RunOptions {
    /// A plain root login that asks no questions, without network, for an hour at most.
    fn default() -> RunOptions {
        let env = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"),
        ];
        RunOptions {
            env: env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            stdin: Stdin::Empty,
            stdout: Stdout::Capture,
            network: Network::None,
            timeout: Duration::from_secs(3600),
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
    /// The command was killed because this process was asked to stop, with all it had started.
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

impl Namespace {
    /// Makes sure that commands can be run in the root at the host path `root`.
    pub fn new(root: &Path) -> Result<Namespace, NamespaceError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(rustix::fs::CWD, root, flags, Mode::empty());
        let opened = opened.map_err(|error| NamespaceError::Root {
            path: root.to_path_buf(),
            source: error.into(),
        })?;
        Namespace::of(opened, root)
    }

    /// The same for an open directory, whatever its names lead to later; it is called `path` in
    /// messages.
    pub fn of(root: OwnedFd, path: &Path) -> Result<Namespace, NamespaceError> {
        if !rustix::process::geteuid().is_root() {
            return Err(NamespaceError::NotRoot);
        }
        let namespace = Namespace { root, path: path.to_path_buf(), tools: Tools::find()? };
        let failed = |error: rustix::io::Errno| namespace.unread("", error);
        let own = rustix::fs::stat("/").map_err(failed)?;
        let stat = rustix::fs::fstat(&namespace.root).map_err(failed)?;
        if (stat.st_dev, stat.st_ino) == (own.st_dev, own.st_ino) {
            return Err(NamespaceError::HostRoot);
        }
        namespace.check()?;
        Ok(namespace)
    }

    fn unread(&self, below: &str, error: rustix::io::Errno) -> NamespaceError {
        NamespaceError::Root { path: self.path.join(below), source: error.into() }
    }

    /// Runs `argv` in the root and waits for its end. A program without a slash is looked for in
    /// the `PATH` of `options`, inside the root; the working directory is `/`.
    ///
    /// What the command leaves running is killed, and so is the command when somebody asks this
    /// process to stop.
    ///
    /// # Errors
    /// A command that ran and failed is no error but a [`Ran`] with its code.
    pub fn run<A: AsRef<OsStr> + Sync>(
        &self,
        argv: &[A],
        options: &RunOptions,
    ) -> Result<Ran, NamespaceError> {
        self.check()?;
        let over = AtomicBool::new(false);
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::scope(|scope| {
            // In a thread of its own, whose network is the command's.
            let over = &over;
            let running = scope.spawn(move || {
                let ran = self.run_in_own_network(argv, options, sender);
                over.store(true, Ordering::SeqCst);
                ran
            });
            // Here the host's network still is: the way out. An error ends the wait for it.
            if let Ok(gateway) = receiver.recv() {
                gateway.serve(over);
            }
            running.join().unwrap_or_else(|_| {
                let source = io::Error::other("the thread of the run ended early");
                Err(NamespaceError::Io { act: "running the command", source })
            })
        })
    }

    fn run_in_own_network<A: AsRef<OsStr>>(
        &self,
        argv: &[A],
        options: &RunOptions,
        way_out: SyncSender<Gateway>,
    ) -> Result<Ran, NamespaceError> {
        let failed = NamespaceError::io("making a network for the command");
        let mut env = options.env.clone();
        let upstream = Upstream::take(&mut env);
        network::leave_hosts().map_err(failed)?;
        let raised = network::raise_loopback();
        if options.network == Network::Downloads {
            let opened = raised.and_then(|()| Gateway::open(upstream));
            let opened = opened.and_then(|gateway| Ok((gateway.url()?, gateway)));
            let failed = NamespaceError::io("making a way to what is downloaded");
            let (url, gateway) = opened.map_err(failed)?;
            for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
                env.insert(name.into(), url.clone().into());
            }
            // Whoever would take it has gone only after this thread.
            let _ = way_out.send(gateway);
        }
        drop(way_out);
        let words = words(argv, &env)?;
        let control = tempfile::Builder::new()
            .prefix("regrow-")
            .tempdir()
            .map_err(NamespaceError::io("making a directory for the run"))?;
        launch::launch(self, control.path(), &words, options)
    }

    /// Looks at the places to mount on. A link there would lead the mount elsewhere.
    fn check(&self) -> Result<(), NamespaceError> {
        for point in MOUNT_POINTS {
            let found = match statat(&self.root, point, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => continue,
                    FileType::Symlink => "a symlink",
                    _ => "something else",
                },
                Err(rustix::io::Errno::NOENT) => "missing",
                Err(error) => return Err(self.unread(point, error)),
            };
            return Err(NamespaceError::MountPoint { point, found });
        }
        Ok(())
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

/// The words for `env -i`, which tells variables from the program by their `=`.
fn words<A: AsRef<OsStr>>(
    argv: &[A],
    env: &BTreeMap<OsString, OsString>,
) -> Result<Vec<OsString>, NamespaceError> {
    let refused = |what| Err(NamespaceError::Argument { what });
    let Some(program) = argv.first().map(|word| word.as_ref().as_bytes()) else {
        return refused("no program is named");
    };
    if program.is_empty() || program.starts_with(b"-") || program.contains(&b'=') {
        return refused("the program's name is empty, begins with `-` or holds `=`");
    }
    let mut words = Vec::with_capacity(env.len() + argv.len());
    for (name, value) in env {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.starts_with(b"-") || bytes.contains(&b'=') {
            return refused("a variable's name is empty, begins with `-` or holds `=`");
        }
        words.push([name.as_os_str(), OsStr::new("="), value].into_iter().collect());
    }
    words.extend(argv.iter().map(|word| word.as_ref().to_owned()));
    if words.iter().any(|word: &OsString| word.as_bytes().contains(&0)) {
        return refused("a NUL byte cannot be in a command line");
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_before_the_program_and_cannot_become_it() {
        let env = |name: &str| BTreeMap::from([(name.into(), "v w".into())]);
        assert_eq!(words(&["ls", "a=b"], &env("K")).unwrap(), ["K=v w", "ls", "a=b"]);
        assert!(words::<&str>(&[], &env("K")).is_err());
        for program in ["", "-i", "a=b", "a\0b"] {
            assert!(words(&[program], &env("K")).is_err(), "{program}");
        }
        for name in ["", "-S", "A=B", "A\0"] {
            assert!(words(&["ls"], &env(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn the_hosts_own_root_is_refused_and_so_is_a_link_to_mount_on() {
        if crate::tree::testing::without_root() {
            return;
        }
        let error = Namespace::new(Path::new("/usr/..")).unwrap_err();
        assert!(matches!(error, NamespaceError::HostRoot), "{error}");
        let dir = tempfile::tempdir().unwrap();
        for name in ["proc", "sys", "run"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let error = Namespace::new(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), "`/dev` in the root is missing, not a directory");
        std::os::unix::fs::symlink("/dev", dir.path().join("dev")).unwrap();
        let error = Namespace::new(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), "`/dev` in the root is a symlink, not a directory");
    }
}
