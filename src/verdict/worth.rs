//! [`Worth`]: what a rule calls a path.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a path is worth, whoever owns it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// Configuration: kept.
    Config,
    /// The service's data: kept.
    Data,
    /// Keys and passwords: kept, and named.
    Secret,
    /// Logs: the user chooses.
    Log,
    /// Can be recomputed by the service itself.
    Cache,
    /// Exists while the service runs.
    Runtime,
    /// Made by a package's scripts or a known generator, and made again by it.
    Generated,
    /// Bound to one version, and rebuilt from a list for another.
    VersionBound,
    /// Belongs to the machine, not to the service.
    Identity,
    /// Generated as long as it equals its template, or has one of the digests; else configuration.
    TemplateCopy,
}

impl Worth {
    /// The word as it stands in rules and outputs.
    pub fn word(self) -> &'static str {
        match self {
            Worth::Config => "config",
            Worth::Data => "data",
            Worth::Secret => "secret",
            Worth::Log => "log",
            Worth::Cache => "cache",
            Worth::Runtime => "runtime",
            Worth::Generated => "generated",
            Worth::VersionBound => "version-bound",
            Worth::Identity => "identity",
            Worth::TemplateCopy => "template-copy",
        }
    }
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn the_word_is_the_one_that_rules_and_bundles_hold() {
        for worth in [
            Worth::Config,
            Worth::Data,
            Worth::Secret,
            Worth::Log,
            Worth::Cache,
            Worth::Runtime,
            Worth::Generated,
            Worth::VersionBound,
            Worth::Identity,
            Worth::TemplateCopy,
        ] {
            assert_eq!(to_value(worth).unwrap(), json!(worth.word()));
            assert_eq!(from_value::<Worth>(json!(worth.to_string())).unwrap(), worth);
        }
    }
}
