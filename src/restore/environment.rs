//! [`Rebuild`]: an environment of Python that is made again, as a value.

use serde::{Deserialize, Serialize};

use crate::environments::{Kind, Options};
use crate::tree::RootPath;

/// An environment to be made and filled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rebuild {
    pub(super) kind: Kind,
    /// Its directory.
    pub(super) root: String,
    /// The version of the old interpreter as it stands in paths.
    pub(super) formerly: String,
    /// The version of the new one.
    pub(super) python: String,
    /// Where packages are put.
    pub(super) site: String,
    /// Whose it is.
    pub(super) owner: (u32, u32),
    pub(super) home: String,
    pub(super) umask: u32,
    pub(super) options: Options,
    /// Name and version of what an index has.
    pub(super) pins: Vec<(String, String)>,
    /// Names of those that brought what was compiled.
    pub(super) compiled: Vec<String>,
    /// What else the new environment needs to be like the old.
    pub(super) tools: Vec<String>,
    /// The list as a file.
    pub(super) list: String,
    pub(super) parked: Vec<Waiting>,
    /// Files of packages that somebody removed.
    pub(super) removed: Vec<Gone>,
}

/// A file that waits beside its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) beside: RootPath,
    pub(super) place: RootPath,
    /// Name and version of the package; empty for what an environment is made with.
    pub(super) package: (String, String),
    /// It takes the place of a file of the package.
    pub(super) patched: bool,
}

/// A file that stays away if the same version brings it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gone {
    pub(super) place: RootPath,
    pub(super) package: (String, String),
}

impl Rebuild {
    /// The program that installs into it.
    pub(super) fn program(&self) -> String {
        match self.kind {
            Kind::Venv => format!("{}/bin/python3", self.root),
            _ => "/usr/bin/python3".to_owned(),
        }
    }
}
