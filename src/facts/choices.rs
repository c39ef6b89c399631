//! [`Choices`]: what somebody decided about packages by hand, beside what files show.
//!
//! Package managers keep such decisions in records that belong to one installation and are not
//! carried over themselves. What packages decided is made again by packages.

use serde::{Deserialize, Serialize};

use crate::tree::RootPath;

/// What somebody decided about packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// Architectures beside the system's own that packages may be of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Packages' files that were made to lie elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diversions: Vec<DiversionFact>,
    /// Owners and modes that were fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stat_overrides: Vec<StatOverrideFact>,
    /// Alternatives that were chosen, or added, by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<AlternativeFact>,
    /// Certificates that are not to be trusted, as the list of them calls them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_certificates: Vec<String>,
    /// Certificates of no package that are to be trusted, as the list of them calls them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_certificates: Vec<String>,
    /// Packages that were to stay at their version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldFact>,
    /// Files that prefer packages' versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<String>,
    /// Repositories other than the release's own, with the file that names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryFact>,
    /// Keys that repositories are trusted by and that no package brought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Questions of installed packages that somebody saw, with the answers; none that may be
    /// secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerFact>,
}

/// A package's file that lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiversionFact {
    /// Where its package puts it.
    pub from: RootPath,
    /// Where it lies.
    pub to: RootPath,
}

/// A fixed owner and mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatOverrideFact {
    /// Of what.
    #[serde(flatten)]
    pub path: RootPath,
    /// Owner: a name, or `#` and a number.
    pub user: String,
    /// Group: a name, or `#` and a number.
    pub group: String,
    /// Permission bits.
    pub mode: u32,
    /// The package whose script fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// An alternative that somebody had a hand in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternativeFact {
    /// Its name.
    pub name: String,
    /// The link that users follow.
    pub link: RootPath,
    /// What was chosen by hand; `None`: the system chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<RootPath>,
    /// The programs to choose from that no package brought, with their priorities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<AddedFact>,
    /// All its links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<RootPath>,
}

/// A program that somebody added to an alternative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedFact {
    /// The program.
    #[serde(flatten)]
    pub path: RootPath,
    /// Its priority.
    pub priority: i64,
}

/// A package that was to stay as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldFact {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFact {
    /// The file that names it.
    #[serde(flatten)]
    pub file: RootPath,
    /// Its address, suite and components.
    pub line: String,
}

/// An answered question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFact {
    /// Its name.
    pub question: String,
    /// The installed package that asks it.
    #[serde(default)]
    pub owner: String,
    /// Its type as debconf calls it, such as `select`.
    #[serde(default)]
    pub kind: String,
    /// The answer.
    pub answer: String,
}
