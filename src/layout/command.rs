//! Where a rule runs something: exports and imports of a [`Database`], what a [`Rebuild`] makes
//! again, what a [`Validator`] asks, and [`When`].

use serde::{Deserialize, Serialize};

use super::pattern::{Template, Vars};
use super::scalar::{Argv, PathPattern, PathTemplate};
use crate::tree::{Draft, RootPath};

/// Data that only the program of its own version can read, and how it gets into another.
///
/// One is looked for by `find`; every match is an instance, whose captures are variables below.
/// When the version changes, `directory` is not placed on the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// A file that exists when there is such data.
    pub find: PathPattern,
    /// Its directory on the old system.
    pub directory: PathTemplate,
    /// Run in a throw-away copy of the old system, in order, as root, without network. What one
    /// command starts the next one finds running.
    pub export: Vec<Export>,
    /// Run in the new system once all files are placed, in order, as root.
    pub import: Vec<Import>,
}

/// A command in the copy of the old system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The command; it fails the export unless it exits 0.
    pub run: Argv,
    /// The export file that its output becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Template>,
}

/// A command in the new system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The command; it fails the import unless it exits 0.
    pub run: Argv,
    /// The export file that becomes its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Template>,
    /// The export file that its output has to equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Template>,
}

/// A command that makes something again which is generated from files: run in the new system once
/// all files are placed, before imports, also when no version changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// The command.
    pub run: Argv,
    /// Run only when one of these was placed or removed.
    pub placed: Vec<PathPattern>,
    /// Run only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// The reason, for people.
    pub why: String,
}

/// A command that succeeds in the new system when the files are right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// The command.
    pub run: Argv,
    /// Run only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// A condition on the new system; all that is said has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// This package is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Template>,
    /// This path exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTemplate>,
}

impl Rebuild {
    /// Whether `draft` places or removes one of the files it is made of.
    pub fn is_due(&self, draft: &Draft) -> bool {
        self.placed.iter().any(|glob| {
            glob.compile(&Vars::default()).is_ok_and(|pattern| {
                let is = |path: &RootPath| pattern.matches(path.as_bytes()).is_some();
                draft.nodes().any(|node| is(&node.entry.path)) || draft.deletions().any(is)
            })
        })
    }
}
