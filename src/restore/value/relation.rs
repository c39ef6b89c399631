//! [`Relation`]: what a system is to the image that an old container was made of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::verdict::Origin;

/// What a system is to the image that an old container was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// A system without anything of the service.
    #[default]
    Plain,
    /// A later version of the same image.
    Successor,
}

impl Relation {
    /// Whether a path of this origin is carried onto such a system.
    pub(in crate::restore) fn carries(self, origin: Origin) -> bool {
        match origin {
            Origin::Base | Origin::Image => self == Relation::Plain,
            Origin::Container | Origin::Volume | Origin::Bind | Origin::Root => true,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Plain => "plain",
            Relation::Successor => "successor",
        })
    }
}
