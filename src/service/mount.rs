//! [`Mount`]: what is mounted into a service's tree, and how.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::is_default;

/// What is mounted, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A volume of the engine.
    Volume,
    /// A path of the engine's machine.
    Bind,
    /// Memory.
    Tmpfs,
    /// A named pipe, an image, a cluster volume, or what a later version calls by a word of its own.
    #[serde(other)]
    Other,
}

impl MountKind {
    /// The kind that an engine calls `word`.
    pub fn of_word(word: &str) -> MountKind {
        match word {
            "volume" => MountKind::Volume,
            "bind" => MountKind::Bind,
            "tmpfs" => MountKind::Tmpfs,
            _ => MountKind::Other,
        }
    }
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// The name of a volume, empty when it was given none; the host's path of a bind mount; of
    /// another kind, the engine's word for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: String,
    /// Where.
    pub target: String,
    /// Options of `mount(8)`, and `z`, `Z` and `nocopy`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: Vec<String>,
    /// The further fields of a mount that was asked for as an object, in the words of the engine's
    /// API; absent when it was asked for in a line.
    #[serde(default, skip_serializing_if = "is_default")]
    pub engine: Option<Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_engines_call_it_and_an_unknown_word_is_another_kind() {
        for word in ["volume", "bind", "tmpfs", "other"] {
            let kind = MountKind::of_word(word);
            assert_eq!(serde_json::to_value(kind).unwrap(), word);
            assert_eq!(serde_json::from_value::<MountKind>(word.into()).unwrap(), kind);
        }
        let later: MountKind = serde_json::from_value("cluster".into()).unwrap();
        assert_eq!(later, MountKind::Other);
    }
}
