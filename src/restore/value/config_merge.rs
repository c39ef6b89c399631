//! [`ConfigMerge`]: how an archived file and the new system's come together, as a value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::tree::RootPath;
use crate::verdict::{Held, HeldKind};

/// What was decided about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct ConfigMerge {
    /// The path.
    pub(in crate::restore) path: RootPath,
    /// What was done.
    pub(in crate::restore) outcome: Outcome,
}

/// How two versions of a file came together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::restore) enum Outcome {
    /// The archived file: a rule calls it a secret or data, and what an installation made in its
    /// place, such as a fresh key, is no default that anybody would want to see.
    Own,
    /// The archived file, as the new default is the old one.
    Ours,
    /// Changes of both sides, in different places.
    Merged {
        /// What the new default changed of the lines that have an effect, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<String>,
    },
    /// The new default with the archived owner, mode and attributes.
    Dressed,
    /// Left to a person: merged, but for places where the archived lines are in place.
    MergedHeld {
        /// How many places.
        places: usize,
        /// Where the archived text is.
        archived: RootPath,
        /// Where the new default is.
        default: RootPath,
    },
    /// Left to a person: the archived one is in place.
    OursHeld {
        /// Where the new default is.
        default: RootPath,
    },
    /// Left to a person: the new system's one is in place.
    TheirsHeld {
        /// Where the archived one is.
        archived: RootPath,
    },
}

impl Outcome {
    /// The reason in a plan.
    pub(in crate::restore) fn reason(&self) -> Cow<'static, str> {
        let reason = match self {
            Outcome::Own => "it is the service's own, and has no default",
            Outcome::Ours => "the default has not changed",
            Outcome::Merged { lines } if lines.is_empty() => {
                "your changes and the new default's do not touch"
            }
            Outcome::Merged { lines } => {
                let reason = "your changes and the new default's do not touch; in effect now";
                return format!("{reason}: {}", lines.join("; ")).into();
            }
            Outcome::Dressed => "only its owner, mode or attributes were changed",
            Outcome::MergedHeld { .. } => "you and the new version changed the same lines",
            Outcome::OursHeld { .. } => {
                "it differs from the new default, and the old default is unknown"
            }
            Outcome::TheirsHeld { .. } => "a program file of the old version was changed",
        };
        reason.into()
    }
}

impl ConfigMerge {
    /// What is left to a person.
    pub(in crate::restore) fn held(&self) -> Option<Held> {
        let reason = self.outcome.reason();
        let held = |kind, why: String| Held::new(kind, &self.path, why);
        Some(match &self.outcome {
            Outcome::Own | Outcome::Ours | Outcome::Merged { .. } | Outcome::Dressed => {
                return None;
            }
            Outcome::MergedHeld { places, archived, default } => {
                let places = match places {
                    1 => "in one place".to_owned(),
                    places => format!("in {places} places"),
                };
                let why = format!(
                    "{reason} ({places}); yours are in place there, and all else is merged; the \
                     archived file is {archived}, the new default is {default}"
                );
                held(HeldKind::Configuration, why).file(archived).file(default)
            }
            Outcome::OursHeld { default } => {
                let why = format!(
                    "{reason}; the archived file is in place, the new default is {default}"
                );
                held(HeldKind::Configuration, why).file(default)
            }
            Outcome::TheirsHeld { archived } => {
                let why = format!(
                    "{reason}; the new version's file is in place, the archived one is {archived}"
                );
                held(HeldKind::Program, why).file(archived)
            }
        })
    }
}
