//! [`Rebuild`]: an environment of Python that is made again, as a value.

use serde::{Deserialize, Serialize};

use crate::environments::{EnvironmentKind, Options};
use crate::tree::RootPath;

/// An environment to be made and filled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Rebuild {
    pub(in crate::restore) kind: EnvironmentKind,
    /// Its directory.
    pub(in crate::restore) root: String,
    /// The version of the old interpreter as it stands in paths.
    pub(in crate::restore) formerly: String,
    /// The version of the new one.
    pub(in crate::restore) python: String,
    /// Where packages are put.
    pub(in crate::restore) site: String,
    /// Whose it is.
    pub(in crate::restore) owner: (u32, u32),
    pub(in crate::restore) home: String,
    pub(in crate::restore) umask: u32,
    pub(in crate::restore) options: Options,
    /// Name and version of what an index has.
    pub(in crate::restore) pins: Vec<(String, String)>,
    /// Names of those that brought what was compiled.
    pub(in crate::restore) compiled: Vec<String>,
    /// What else the new environment needs to be like the old.
    pub(in crate::restore) tools: Vec<String>,
    /// The list as a file.
    pub(in crate::restore) list: String,
    pub(in crate::restore) parked: Vec<Waiting>,
    /// Files of packages that somebody removed.
    pub(in crate::restore) removed: Vec<Gone>,
}

/// A file that waits beside its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Waiting {
    pub(in crate::restore) beside: RootPath,
    pub(in crate::restore) place: RootPath,
    /// Name and version of the package; empty for what an environment is made with.
    pub(in crate::restore) package: (String, String),
    /// It takes the place of a file of the package.
    pub(in crate::restore) patched: bool,
}

/// A file that stays away if the same version brings it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Gone {
    pub(in crate::restore) place: RootPath,
    pub(in crate::restore) package: (String, String),
}

impl Rebuild {
    /// The program that installs into it.
    pub(in crate::restore) fn program(&self) -> String {
        match self.kind {
            EnvironmentKind::Venv => format!("{}/bin/python3", self.root),
            _ => "/usr/bin/python3".to_owned(),
        }
    }
}
