//! [`RuleSource`]: the file that a rule came from.

use serde::{Deserialize, Serialize};

/// A file that a rule was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleSource {
    /// Its name in the binary, or its path.
    pub file: String,
    /// Whether it is part of the binary, and so trusted.
    pub embedded: bool,
}
