//! [`Outdated`]: what programs, jobs and commands of people say that a newer version does not know.
//!
//! Data only. Where such texts are, and what of them counts, is known to the check of references.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::version::Version;

/// Something that programs of a language, or commands, say and that a newer version does not know,
/// or takes otherwise. Changes nothing: where it stands, a person is asked, once for all places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outdated {
    /// In programs of this language, known by their first line or their ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<ProgramLanguage>,
    /// With `language`: whole words outside of comments and texts. `a.b` is also said by
    /// `from a import b`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<String>,
    /// With `language`: functions that are called by these names alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// In what shells, jobs, units and the container run: these programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// With `programs`: their arguments; words that are divided by a blank stand one after another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The first version that does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
    /// The reason, for people.
    pub why: String,
    /// What says the same today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<String>,
}

/// A language in which people write programs that are kept as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramLanguage {
    /// Perl.
    Perl,
    /// PHP, between its tags.
    Php,
    /// Python 3.
    Python,
    /// Ruby.
    Ruby,
}
