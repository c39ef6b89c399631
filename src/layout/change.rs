//! [`Step`]: the changes a rule can make, as data; what they do to a tree is in `step`, what they
//! do inside a file in `edit`.

use serde::{Deserialize, Serialize};

use super::command::When;
use super::pattern::Template;
use super::scalar::{Argv, Mode, PathPattern, PathTemplate, Words};
use super::version::Version;

/// One change, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Step {
    /// Everything at `from` goes to `to`; absolute links that led into it lead to the new place.
    Move {
        /// Which paths; captures are variables in `to`.
        from: PathPattern,
        /// Where to.
        to: PathTemplate,
    },
    /// As a move, and the old place stays.
    Copy {
        /// Which paths; captures are variables in `to`.
        from: PathPattern,
        /// Where to.
        to: PathTemplate,
    },
    /// Not placed: the new system's own, or none, takes its place.
    Drop {
        /// Which paths, with everything below them.
        path: PathPattern,
        /// The reason, for people.
        why: String,
    },
    /// A symbolic link, where nothing is placed yet.
    Symlink {
        /// Where.
        path: PathTemplate,
        /// Its target.
        target: Template,
    },
    /// Another owner.
    Chown {
        /// Which paths; a directory does not include what is below it.
        path: PathPattern,
        /// An account of the new system, or a number.
        owner: Option<Template>,
        /// A group of the new system, or a number.
        group: Option<Template>,
    },
    /// Another mode.
    Chmod {
        /// Which paths; a directory does not include what is below it.
        path: PathPattern,
        /// Permission bits in octal.
        mode: Mode,
    },
    /// Changes inside files.
    Edit(Edit),
    /// A package to install instead of another, for this transition only.
    RenamePackage {
        /// The old name.
        from: Template,
        /// The new name.
        to: Template,
    },
    /// An account that takes the place of another, for this transition only.
    RenameAccount {
        /// The old name.
        from: Template,
        /// The new name.
        to: Template,
    },
    /// A command inside the new system.
    Run {
        /// The command; no shell sees it unless it is one.
        argv: Argv,
        /// The reason, for people.
        why: String,
        /// Run only then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<When>,
    },
    /// Nobody but a person can decide: the new default is placed, the old one kept beside it.
    Hold {
        /// Which paths.
        path: PathPattern,
        /// The question, for people.
        why: String,
    },
}

/// Changes inside the files of one glob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Which regular files.
    pub file: PathPattern,
    /// How they are to be read.
    pub syntax: Syntax,
    /// What to change, in order.
    pub ops: Vec<Op>,
}

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// `[section]` and `key = value`, comments with `#` or `;`: smb.conf, php.ini. Case and
    /// blanks in a key do not matter.
    Ini,
    /// `Key value`, comments with `#`, the first one counts: sshd_config. Case does not matter.
    Keyword,
    /// `key value;`, comments with `#`: nginx, bind.
    Directive,
    /// `key = value`, comments with `#`, the last one counts: postgresql.conf.
    Assign,
    /// Any text; only `replace` can be used.
    Text,
}

/// One change inside a file. `since` limits it to transitions that cross that version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Op {
    /// Makes a comment of every line that sets `key`, with the reason above it.
    CommentOut {
        /// The key.
        key: String,
        /// Only where this is its value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// The reason, written into the file.
        why: String,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Gives `key` this value.
    Set {
        /// The key.
        key: String,
        /// The value as it is written.
        value: Template,
        /// The section, where the syntax has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        section: Option<String>,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Gives `key` this value unless it has one.
    SetIfUnset {
        /// The key.
        key: String,
        /// The value as it is written.
        value: Template,
        /// The section, where the syntax has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        section: Option<String>,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Calls `key` otherwise.
    Rename {
        /// The key.
        key: String,
        /// Its new name.
        to: String,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Puts new values for old ones of `key`; others stay.
    MapValue {
        /// The key.
        key: String,
        /// Old value to new value.
        values: Words,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Puts a text for another wherever it stands as a whole word or path.
    Replace {
        /// What to look for, literally.
        text: Template,
        /// What to put there.
        with: Template,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
    /// Changes nothing; a person is told when `key` is set.
    Flag {
        /// The key.
        key: String,
        /// Only where this is its value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// The question, for people.
        why: String,
        /// The first version in which it is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Version>,
    },
}

impl Op {
    /// The version from which on the change is needed; `None`: always.
    pub fn since(&self) -> Option<&Version> {
        match self {
            Op::CommentOut { since, .. }
            | Op::Set { since, .. }
            | Op::SetIfUnset { since, .. }
            | Op::Rename { since, .. }
            | Op::MapValue { since, .. }
            | Op::Replace { since, .. }
            | Op::Flag { since, .. } => since.as_ref(),
        }
    }
}
