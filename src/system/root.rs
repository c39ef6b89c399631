//! [`RootSystem`]: commands in a root of our own, in namespaces of their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::script::{Input, script};
use super::{Command, LIMIT, Ran, System, answered, environment};
use crate::cancel::Cancel;
use crate::failure::{Failure, FailureKind, cancelled};
use crate::namespace::{Namespace, NamespaceError, Network, RunOptions};
use crate::tree::{Entry, Extent, Kind, Meta, RootPath, RootWriter, Rootfs, Tree};

/// The directory inside the root that a batch keeps its files in; gone when it has ended.
const DIR: &[u8] = b"/.regrow-batch";

/// How much of what a command complained is read.
const COMPLAINT: u64 = 1024 * 1024;

/// An unpacked root in which commands may run.
pub(crate) struct RootSystem {
    namespace: Namespace,
    handle: OwnedFd,
    /// How it was called when it was opened, for messages.
    root: PathBuf,
    /// What ends its commands.
    cancel: Cancel,
    /// Variables of this machine that name proxies, for what downloads.
    surroundings: BTreeMap<OsString, OsString>,
}

impl RootSystem {
    /// Commands will run in `root`, a directory of our own.
    ///
    /// # Errors
    /// Not root, or a tool of the host is missing (environment).
    pub(crate) fn open(root: &Path, cancel: &Cancel) -> Result<RootSystem, Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty()).map_err(|e| {
            Failure::new(FailureKind::Precondition, "entering", root.as_os_str().as_encoded_bytes())
                .because(std::io::Error::from(e))
        });
        RootSystem::at(opened?, root, cancel)
    }

    /// Commands will run in the directory behind `handle`, whatever its names lead to later; it is
    /// called `root` in messages.
    ///
    /// # Errors
    /// As [`RootSystem::open`].
    pub(crate) fn at(handle: OwnedFd, root: &Path, cancel: &Cancel) -> Result<RootSystem, Failure> {
        let entered = handle
            .try_clone()
            .map_err(|source| NamespaceError::Root { path: root.to_owned(), source });
        let namespace = entered.and_then(|handle| Namespace::of(handle, root)).map_err(|e| {
            let (kind, next) = match &e {
                NamespaceError::Root { .. }
                | NamespaceError::HostRoot
                | NamespaceError::MountPoint { .. } => {
                    (FailureKind::Precondition, "name a directory that holds an unpacked system")
                }
                _ => (FailureKind::Environment, "run regrow as root, with util-linux installed"),
            };
            Failure::new(kind, "entering", root.as_os_str().as_encoded_bytes())
                .why("commands cannot run inside the root")
                .because(e)
                .next(next)
        })?;
        let (cancel, surroundings) = (cancel.clone(), BTreeMap::new());
        Ok(RootSystem { namespace, handle, root: root.to_owned(), cancel, surroundings })
    }

    /// Downloads go the way that `variables` of this machine say.
    #[must_use]
    pub(crate) fn by_way_of(mut self, variables: &[(String, String)]) -> RootSystem {
        self.surroundings =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::new(
            FailureKind::Resource,
            "running commands in",
            self.root.as_os_str().as_encoded_bytes(),
        )
        .because(error)
        .safe("the directory that was named is as it was")
        .next("see the reason, then run the same command again")
    }

    /// Puts the inputs of `commands` into the batch's directory.
    fn prepare(&self, commands: &mut [Command]) -> Result<(), Failure> {
        let mut writer = RootWriter::at(self.handle.as_fd()).map_err(|e| self.failed(e))?;
        let dir = batch();
        writer.place(&entry(dir.clone(), Kind::Dir), None, &[]).map_err(|e| self.failed(e))?;
        for (n, command) in commands.iter_mut().enumerate() {
            let Some(input) = &mut command.stdin else { continue };
            let length = input.metadata().map_err(|e| self.failed(e))?.len();
            let extents: &[Extent] = match length {
                0 => &[],
                length => &[Extent { offset: 0, length }],
            };
            let place = entry(dir.child(format!("{n}.in").as_bytes()), Kind::File { size: length });
            writer.place(&place, Some(input), extents).map_err(|e| self.failed(e))?;
        }
        writer.finish().map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// What command `n` left; `None` when it was not reached.
    fn collect(&self, tree: &Rootfs, n: usize) -> Result<Option<Ran>, Failure> {
        let Some(code) = self.left(tree, n, "code")? else { return Ok(None) };
        let mut text = String::new();
        (&code).take(16).read_to_string(&mut text).map_err(|e| self.failed(e))?;
        let Ok(code) = text.trim().parse() else { return Ok(None) };
        let stdout = match self.left(tree, n, "out")? {
            Some(file) => file,
            None => tempfile::tempfile().map_err(|e| self.failed(e))?,
        };
        let mut stderr = Vec::new();
        if let Some(file) = self.left(tree, n, "err")? {
            let length = file.metadata().map_err(|e| self.failed(e))?.len();
            let mut file = file;
            let from = std::io::SeekFrom::Start(length.saturating_sub(COMPLAINT));
            file.seek(from).map_err(|e| self.failed(e))?;
            file.take(COMPLAINT).read_to_end(&mut stderr).map_err(|e| self.failed(e))?;
        }
        Ok(Some(Ran { code, stdout, stderr }))
    }

    /// A copy of a file of the batch, from its beginning.
    fn left(&self, tree: &Rootfs, n: usize, what: &str) -> Result<Option<File>, Failure> {
        let path = batch().child(format!("{n}.{what}").as_bytes());
        let Some(entry) = tree.entry(&path).map_err(|e| self.failed(e))? else { return Ok(None) };
        if !entry.kind.is_file() {
            return Ok(None);
        }
        let mut copy = tempfile::tempfile().map_err(|e| self.failed(e))?;
        let mut content = tree.open(&entry).map_err(|e| self.failed(e))?;
        std::io::copy(&mut content, &mut copy).map_err(|e| self.failed(e))?;
        copy.rewind().map_err(|e| self.failed(e))?;
        Ok(Some(copy))
    }

    fn clean(&self) -> Result<(), Failure> {
        let mut writer = RootWriter::at(self.handle.as_fd()).map_err(|e| self.failed(e))?;
        writer.remove(&batch()).map_err(|e| self.failed(e))?;
        writer.finish().map(drop).map_err(|e| self.failed(e))
    }
}

fn batch() -> RootPath {
    RootPath::parse(DIR).unwrap_or_else(|_| RootPath::root())
}

fn entry(path: RootPath, kind: Kind) -> Entry {
    let mode = if kind.is_dir() { 0o700 } else { 0o600 };
    let meta = Meta::root(mode);
    Entry::new(path, kind, meta)
}

impl RootSystem {
    fn run_with(
        &mut self,
        mut commands: Vec<Command>,
        options: &RunOptions,
    ) -> Result<Vec<Ran>, Failure> {
        self.prepare(&mut commands)?;
        let inputs: Vec<(&[String], Input)> = commands
            .iter()
            .map(|c| (&c.argv[..], if c.stdin.is_some() { Input::File } else { Input::None }))
            .collect();
        let text = script(&inputs, &String::from_utf8_lossy(DIR));
        let ran = self.namespace.run(&["/bin/sh", "-c", &text], options);
        let ran = ran.map_err(|e| match e {
            NamespaceError::Cancelled { signal } => {
                cancelled(signal, "running commands in", &self.root.to_string_lossy())
            }
            e => self.failed(e),
        })?;
        let tree = Rootfs::at(self.handle.as_fd()).map_err(|e| self.failed(e))?;
        let mut all = Vec::new();
        for n in 0..commands.len() {
            match self.collect(&tree, n)? {
                Some(ran) => all.push(ran),
                None => break,
            }
        }
        self.clean()?;
        if all.is_empty() {
            let complaint = String::from_utf8_lossy(ran.stderr.bytes()).into_owned();
            return Err(Failure::new(
                FailureKind::Environment,
                "running commands in",
                self.root.as_os_str().as_encoded_bytes(),
            )
            .why(format!("its shell ended with {}: {complaint}", ran.code))
            .safe("the directory that was named is as it was")
            .next("see whether the root holds a working /bin/sh of this architecture"));
        }
        Ok(all)
    }
}

impl System for RootSystem {
    /// Without a network.
    fn run(&mut self, mut commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        for command in &mut commands {
            if !command.env.is_empty() {
                let set = command.env.drain(..).map(|(name, value)| format!("{name}={value}"));
                let words = std::iter::once("env".to_owned()).chain(set);
                command.argv = words.chain(std::mem::take(&mut command.argv)).collect();
            }
        }
        let options = RunOptions {
            env: environment().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect(),
            timeout: LIMIT,
            cancel: self.cancel.clone(),
            ..RunOptions::default()
        };
        self.run_with(commands, &options)
    }

    /// Through a proxy of this process.
    fn download(&mut self, mut command: Command) -> Result<Ran, Failure> {
        let line = command.line();
        let fixed = environment().map(|(name, value)| (OsString::from(name), value.into()));
        let own = command.env.drain(..);
        let own = own.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let options = RunOptions {
            env: fixed.chain(own).collect(),
            network: Network::Downloads,
            surroundings: self.surroundings.clone(),
            timeout: LIMIT,
            cancel: self.cancel.clone(),
            ..RunOptions::default()
        };
        answered(self.run_with(vec![command], &options)?, &line)
    }
}
