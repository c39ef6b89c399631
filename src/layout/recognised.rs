//! [`Recognised`]: an application that was found, with what is known of it.

use super::model::Rule;
use super::version::Version;

/// An application that was found in a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Its name.
    pub app: String,
    /// Its version as far as its layout depends on it; `None` when it cannot be told.
    pub version: Option<Version>,
    /// What is known of it.
    pub rule: Rule,
}
