//! [`Environments`]: finds the environment that a path lies in, and reads it when it is first asked
//! for.
//!
//! A directory is looked at once. Most cost one look for `pyvenv.cfg`; everything else is told by
//! names before anything is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fact::EnvironmentKind;
use super::part::PartOf;
use super::python::{Environment, installed, target, venv};
use super::{below, listing};
use crate::tree::{Entry, RootPath, Tree, TreeError};

/// How many directories are remembered: a walk asks for one beside the other.
const REMEMBERED: usize = 1 << 16;

/// The variable that names further directories of packages to Python.
pub(crate) const PYTHON_PATH: &str = "PYTHONPATH";

/// The environments of one tree.
pub(crate) struct Environments<'a> {
    tree: &'a dyn Tree,
    packaged: &'a (dyn Fn(&RootPath) -> bool + Sync),
    /// Directories that are named to Python.
    named: Vec<RootPath>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Which environment a directory lies in.
    seen: HashMap<RootPath, Option<Arc<Environment>>>,
    /// Every environment by its root.
    found: Vec<Arc<Environment>>,
}

impl<'a> Environments<'a> {
    /// Those of `tree`; `packaged` says whether a package of the system brought a path.
    pub(crate) fn new(
        tree: &'a dyn Tree,
        packaged: &'a (dyn Fn(&RootPath) -> bool + Sync),
    ) -> Environments<'a> {
        Environments { tree, packaged, named: vec![], state: Mutex::default() }
    }

    /// The same, where these values of [`PYTHON_PATH`] name further directories to Python.
    #[must_use]
    pub(crate) fn naming<'v>(mut self, values: impl Iterator<Item = &'v str>) -> Self {
        let dirs = values.flat_map(|value| value.split(':'));
        let dirs = dirs.filter_map(|dir| RootPath::parse(dir.as_bytes()).ok());
        self.named = dirs.filter(|dir| !dir.is_root()).collect();
        self
    }

    /// A panic elsewhere leaves what is known as good as it was.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `entry`, which no package of the system owns, is to the environment that it lies in.
    pub(crate) fn part(&self, entry: &Entry) -> Result<Option<PartOf>, TreeError> {
        let dir = if entry.kind.is_dir() { Some(entry.path.clone()) } else { entry.path.parent() };
        let Some(found) = dir.map_or(Ok(None), |dir| self.of(&dir))? else { return Ok(None) };
        let part = found.part(self.tree, entry)?;
        Ok(part.map(|part| PartOf { root: found.root().clone(), part }))
    }

    /// The environment in which something is missing at `path` that its list speaks of.
    pub(crate) fn lacking(&self, path: &RootPath) -> Result<Option<Arc<Environment>>, TreeError> {
        let Some(dir) = path.parent() else { return Ok(None) };
        Ok(self.of(&dir)?.filter(|found| found.explains_absence(path)))
    }

    /// Every environment that was asked about, by its directory.
    pub(crate) fn found(&self) -> Vec<Arc<Environment>> {
        let mut found = self.state().found.clone();
        found.sort_by(|a, b| a.root().cmp(b.root()));
        found
    }

    /// The innermost environment that the directory `dir` lies in.
    fn of(&self, dir: &RootPath) -> Result<Option<Arc<Environment>>, TreeError> {
        let mut state = self.state();
        if let Some(known) = state.seen.get(dir) {
            return Ok(known.clone());
        }
        let mut outer: Option<Arc<Environment>> = None;
        // Up to the nearest that was asked about, however deep that is, then down again.
        let mut unknown = vec![dir.clone()];
        while let Some(above) = unknown.last().and_then(RootPath::parent) {
            if let Some(known) = state.seen.get(&above) {
                outer.clone_from(known);
                break;
            }
            unknown.push(above);
        }
        for dir in unknown.into_iter().rev() {
            let inside = outer.as_ref().is_some_and(|outer| outer.encloses(&dir));
            if !inside && let Some(found) = self.begins(&dir)? {
                let found = Arc::new(found);
                // Forgetting a directory must not list what is in it twice.
                let known = state.found.iter().find(|known| known.root() == found.root()).cloned();
                let found = known.unwrap_or_else(|| {
                    state.found.push(found.clone());
                    found
                });
                outer = Some(found);
            }
            if state.seen.len() >= REMEMBERED {
                state.seen.clear();
            }
            state.seen.insert(dir, outer.clone());
        }
        Ok(outer)
    }

    /// The environment whose directory `dir` is.
    fn begins(&self, dir: &RootPath) -> Result<Option<Environment>, TreeError> {
        let tree = self.tree;
        let name = dir.name();
        let above = dir.parent();
        let above = above.as_ref().map(RootPath::name).unwrap_or_default();
        let there = |name: &str| -> Result<bool, TreeError> {
            below(dir, name).map_or(Ok(false), |path| Ok(tree.entry(&path)?.is_some()))
        };
        match name {
            b"local" if dir.as_bytes() == b"/usr/local" => {
                return installed(tree, EnvironmentKind::System, dir, self.packaged);
            }
            b".local" => return installed(tree, EnvironmentKind::User, dir, self.packaged),
            b"node_modules" => return listing::node(tree, dir).map(Some),
            b".cargo" if there(".crates.toml")? => return Ok(Some(listing::cargo(tree, dir))),
            b"vendor" if there("composer/installed.json")? => {
                return Ok(Some(listing::composer(tree, dir)));
            }
            _ if (above == b"gems" || above == b"ruby")
                && name.first().is_some_and(u8::is_ascii_digit)
                && there("specifications")? =>
            {
                return listing::gems(tree, dir).map(Some);
            }
            _ => {}
        }
        if self.named.contains(dir)
            && let Some(found) = target(tree, dir, self.packaged)?
        {
            return Ok(Some(found));
        }
        if dir.is_root() { Ok(None) } else { venv(tree, dir, self.packaged) }
    }
}
