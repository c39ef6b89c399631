//! [`Target`]: the new system under construction.
//!
//! An image of an engine and an unpacked root are built by the same steps: packages are installed
//! in the staged system, the draft is placed over them, commands run in it, and only then it gets
//! its final name. Until that moment, dropping a target removes every trace of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::bundle::Loss;
use crate::failure::Failure;
use crate::system::{Command, Ran};
use crate::tree::{Draft, RootPath, Store, Tree};

/// How a user names what to restore onto.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSpec {
    /// An image of the engine.
    Image(String),
    /// An unpacked current root.
    Rootfs(PathBuf),
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing was named.
    #[error("the target is empty")]
    Empty,
    /// Not an image's name.
    #[error("an image's name has no such character: {0:?}")]
    Character(char),
}

impl TargetSpec {
    /// Reads `rootfs:DIR` or an image's name.
    pub fn parse(text: &str) -> Result<TargetSpec, TargetError> {
        if let Some(dir) = text.strip_prefix("rootfs:") {
            return match dir {
                "" => Err(TargetError::Empty),
                dir => Ok(TargetSpec::Rootfs(PathBuf::from(dir))),
            };
        }
        let plain = |c: &char| c.is_ascii_alphanumeric() || "_.-/:@".contains(*c);
        match text.chars().find(|c| !plain(c)) {
            Some(c) => Err(TargetError::Character(c)),
            None if text.is_empty() || text.starts_with(['-', '/']) => Err(TargetError::Empty),
            None => Ok(TargetSpec::Image(text.to_owned())),
        }
    }
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetSpec::Image(name) => f.write_str(name),
            TargetSpec::Rootfs(dir) => write!(f, "rootfs:{}", dir.display()),
        }
    }
}

/// A volume to make and fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VolumePlan {
    /// The archived volume's name.
    pub archived: String,
    /// Its new name; `None` for an anonymous one.
    pub name: Option<String>,
    /// Where it is mounted.
    pub destination: RootPath,
    /// How the container's settings call that place.
    pub asked: RootPath,
    /// Its content, paths seen from the volume's own root.
    pub content: Draft,
}

/// What placing could not deliver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// What was tried and did not succeed.
    pub losses: Vec<Loss>,
    /// What this way of placing can never deliver.
    pub limitations: Vec<String>,
}

/// The new system under construction.
pub(super) trait Target {
    /// Runs commands in the staged system, with network, until one does not exit 0.
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure>;

    /// The staged system as a tree, at rest: no command runs while it is read. Contents that have
    /// to be copied to be read go into unlinked files in `scratch`.
    fn tree(&mut self, scratch: &Path) -> Result<Arc<dyn Tree>, Failure>;

    /// Places `draft` over the staged system and fills the volumes. Parents of everything in the
    /// draft exist in the staged system or stand in the draft.
    fn place(
        &mut self,
        draft: &Draft,
        volumes: &[VolumePlan],
        store: &dyn Store,
    ) -> Result<Undelivered, Failure>;

    /// Fixes the staged system as it is: what runs later does not become part of it.
    fn seal(&mut self) -> Result<(), Failure>;

    /// Takes these settings in place of the archived ones. A root has none.
    fn adapt(&mut self, _settings: &Value) {}

    /// Gives the staged system its final name; nothing can fail after it.
    fn publish(&mut self) -> Result<Published, Failure>;

    /// Removes what only served the construction; what could not be removed, in words. Dropping
    /// does it too, and says nothing.
    fn clean(&mut self) -> Vec<String>;

    /// Named volumes that were made: archived name and new name.
    fn volume_names(&self) -> Vec<(String, String)>;
}

/// What a restore made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Published {
    /// A container.
    Container {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
        /// Settings that it does not have.
        dropped: Vec<Loss>,
        /// What its settings allow it to do to its host.
        grants: Vec<String>,
    },
    /// An unpacked root.
    Root(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_image_or_a_root() {
        assert_eq!(
            TargetSpec::parse("debian:trixie"),
            Ok(TargetSpec::Image("debian:trixie".into()))
        );
        assert_eq!(TargetSpec::parse("rootfs:/srv/r"), Ok(TargetSpec::Rootfs("/srv/r".into())));
        assert_eq!(TargetSpec::parse("rootfs:"), Err(TargetError::Empty));
        assert_eq!(TargetSpec::parse("a b"), Err(TargetError::Character(' ')));
        assert_eq!(TargetSpec::parse("--x"), Err(TargetError::Empty));
    }
}
