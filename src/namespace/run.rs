//! A run of a command, from the root that is opened for it to what the command left behind.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::SyncSender;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};

use super::gateway::{Ending, Gateway};
use super::launch::launch;
use super::network::{leave_hosts, raise_loopback};
use super::upstream::Upstream;
use super::{MOUNT_POINTS, Namespace, NamespaceError, Network, Ran, RunOptions, Tools};

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
    /// What the command leaves running is killed, and so is the command when somebody asks its run
    /// to stop.
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
                let _ends = Ending(over);
                self.run_in_own_network(argv, options, sender)
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
        let upstream = Upstream::take(&mut env, &options.surroundings);
        leave_hosts().map_err(failed)?;
        let raised = raise_loopback();
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
        launch(self, control.path(), &words, options)
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
