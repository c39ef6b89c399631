//! The words of a verdict: what becomes of a path, why, where the path came from.
//!
//! Only the words, so that a bundle can carry verdicts without knowing how they are reached;
//! the ladder that reaches them is in `classify`.

mod reason;

use std::fmt;

pub use reason::Reason;
use serde::{Deserialize, Serialize};

/// What a path is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Cannot be had again: kept.
    Mutable,
    /// Can be had again from a package, a generator or an image: recorded only.
    Immutable,
    /// Runtime state and caches: recorded only.
    Ephemeral,
    /// Belongs to the old machine, not to the service: recorded only.
    Identity,
}

/// Where a path came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The lowest layer of the container's image.
    Base,
    /// A layer of the image above its base.
    Image,
    /// The container's own life.
    Container,
    /// A volume mounted into the container.
    Volume,
    /// A directory of the host mounted into the container.
    Bind,
    /// An unpacked root, where image and life cannot be told apart.
    Root,
}

/// Where a path lies: in the root itself, or in something mounted into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// In the root.
    Root,
    /// In a volume.
    Volume,
    /// In a directory of the host.
    Bind,
}

/// Something that only a person can decide: kept beside the new default, and named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What it is about.
    pub subject: String,
    /// The question.
    pub reason: String,
}

impl Class {
    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        match self {
            Class::Mutable => "mutable",
            Class::Immutable => "immutable",
            Class::Ephemeral => "ephemeral",
            Class::Identity => "identity",
        }
    }
}

impl Origin {
    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Base => "base",
            Origin::Image => "image",
            Origin::Container => "container",
            Origin::Volume => "volume",
            Origin::Bind => "bind",
            Origin::Root => "root",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
