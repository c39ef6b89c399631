//! [`Declaration`]: what a file of the system says about other paths, and who says it.

use crate::tree::RootPath;

/// What a declared path is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nature {
    /// Made from what is installed.
    Generated,
    /// Can be recomputed.
    Cache,
    /// Exists while something runs.
    Runtime,
    /// A log.
    Log,
    /// What a service or a package wrote for itself: nobody else has it.
    State,
    /// Decided by a person.
    Choice,
}

impl Nature {
    /// The word in reasons.
    pub fn word(self) -> &'static str {
        match self {
            Nature::Generated => "generated",
            Nature::Cache => "cache",
            Nature::Runtime => "runtime",
            Nature::Log => "log",
            Nature::State => "state",
            Nature::Choice => "choice",
        }
    }
}

/// Who declares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Author {
    /// The words that say it, such as `CacheDirectory=`.
    pub by: &'static str,
    /// The file they stand in.
    pub file: RootPath,
    /// The package that the file came with; `None`: somebody's own.
    pub package: Option<String>,
}

/// What is made at a path, where the declaration says it exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// A directory.
    Directory {
        /// Permission bits; as they are where nothing is said.
        mode: Option<u32>,
        /// Owner, by name or number.
        user: Option<String>,
        /// Group, by name or number.
        group: Option<String>,
    },
    /// A symbolic link with this text.
    Link(Vec<u8>),
    /// A file with this text.
    Text(Vec<u8>),
    /// A copy of a file.
    Copy(RootPath),
}

/// How far a declaration reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The path, as long as it is of this form; never what lies in it.
    Exactly(Form),
    /// The path, whatever it is.
    Itself,
    /// The path and everything below it.
    Below,
    /// Everything below it.
    Inside,
    /// A file and what rotation makes of it.
    Family,
}

/// What a file of the system says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// What the path is worth.
    pub nature: Nature,
    /// How far that goes.
    pub reach: Reach,
    /// Who says so.
    pub author: Author,
}
