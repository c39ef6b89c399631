//! Arch Linux's package database, read from its files.
//!
//! [`Pacman::load`] reads everything once; all questions are answered from memory. Paths in
//! questions and answers are canonical, as a walk of the tree meets them.

mod config;
mod desc;
mod local;
mod mtree;
mod package;
pub mod version;

pub(crate) use package::PacmanPackage;

use self::config::Config;
use super::index::{Brought, Index};
use super::problem::Problem;
use super::records::Records;
use crate::tree::{self, RootPath, Tree, TreeError};

/// A system's pacman database.
#[derive(Debug)]
pub struct Pacman {
    /// Every installed package, by name.
    pub packages: Vec<PacmanPackage>,
    /// What is wrong with the database.
    pub problems: Vec<Problem>,
    index: Index,
}

impl Pacman {
    /// Reads the database of `tree`; `None` when there is none.
    ///
    /// # Errors
    /// The system's, on the directory of the packages. Damage is in [`Pacman::problems`].
    pub fn load(tree: &dyn Tree) -> Result<Option<Pacman>, TreeError> {
        let mut records = Records::new(tree);
        let config = Config::load(&mut records);
        let dir = config.database.child(b"local");
        match tree::resolve(tree, &dir) {
            Ok(None) => return Ok(None),
            Err(error @ TreeError::Io { .. }) => return Err(error),
            Ok(Some(_)) | Err(_) => {}
        }
        let packages = local::load(&mut records, &dir, &config);
        let index = Index::build(&mut records, &packages);
        Ok(Some(Pacman { packages, problems: records.problems.finish(), index }))
    }

    /// The package that `path` came with. Of several owners, one that unpacked it and recorded a
    /// digest comes first.
    pub fn owner(&self, path: &RootPath) -> Option<Brought<'_, PacmanPackage>> {
        self.owners(path).next()
    }

    /// Every package that `path` came with: directories have many.
    pub fn owners(&self, path: &RootPath) -> impl Iterator<Item = Brought<'_, PacmanPackage>> {
        self.index.of(&self.packages, path)
    }

    /// Every path that packages brought, in path order: what is not there was deleted, or never
    /// unpacked.
    pub fn owned_paths(&self) -> impl Iterator<Item = Brought<'_, PacmanPackage>> {
        self.index.paths(&self.packages)
    }

    /// The package `name`.
    pub fn is_installed(&self, name: &str) -> Option<&PacmanPackage> {
        let at = self.packages.binary_search_by(|package| package.name.as_str().cmp(name)).ok()?;
        self.packages.get(at)
    }
}

#[cfg(test)]
mod tests;
