//! [`Comeback`]: where a path comes back from when its service is restored.

use serde::Serialize;

use super::{Class, Reason};

/// Where a path comes back from when its service is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comeback {
    /// The bundle: it cannot be had again.
    Bundle,
    /// A package of the new system.
    Packages,
    /// An image that the user says can be had again.
    Image,
    /// Something makes it again: a package's script, a service, a list of an environment.
    Generators,
    /// Nowhere: it belonged to the old machine, or to a run of the service.
    LeftBehind,
}

impl Comeback {
    /// All of them, in the order in which they are told.
    pub const ALL: [Comeback; 5] = [
        Comeback::Bundle,
        Comeback::Packages,
        Comeback::Image,
        Comeback::Generators,
        Comeback::LeftBehind,
    ];

    /// Where a path with this verdict comes back from.
    pub fn of(class: Class, reason: &Reason) -> Comeback {
        match class {
            Class::Mutable => Comeback::Bundle,
            Class::Ephemeral | Class::Identity => Comeback::LeftBehind,
            Class::Immutable => match reason {
                Reason::AsPackaged { .. }
                | Reason::AsInstalled { .. }
                | Reason::PackageFileNewer { .. }
                | Reason::PackageFileChanged { .. }
                | Reason::PackageMetaChanged { .. }
                | Reason::PackageMetaUnrecorded { .. }
                | Reason::ConffileEdited { .. }
                | Reason::UcfPristine
                | Reason::TemplateCopy { .. } => Comeback::Packages,
                Reason::InBase | Reason::MetaChanged => Comeback::Image,
                _ => Comeback::Generators,
            },
        }
    }

    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        match self {
            Comeback::Bundle => "bundle",
            Comeback::Packages => "packages",
            Comeback::Image => "image",
            Comeback::Generators => "generators",
            Comeback::LeftBehind => "left-behind",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Comeback::Bundle => "kept in the bundle",
            Comeback::Packages => "comes with packages",
            Comeback::Image => "comes with the base image",
            Comeback::Generators => "is made again",
            Comeback::LeftBehind => "is left behind",
        }
    }
}
