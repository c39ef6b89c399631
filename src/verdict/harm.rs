//! [`Harm`]: what happens to a service when nobody looks at what was held for a person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What happens when nobody decides, the worst first. The words are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// The service, or a part of it, does not start or does not work.
    DoesNotStart,
    /// Somebody gets at something that was closed to them.
    OpensAccess,
    /// Data is missing, or a job is not done any more.
    LosesData,
    /// Something is other than it was, and the service does what it did.
    Cosmetic,
}

impl Harm {
    /// All of them, the worst first.
    pub const ALL: [Harm; 4] =
        [Harm::DoesNotStart, Harm::OpensAccess, Harm::LosesData, Harm::Cosmetic];

    /// What may happen, for people.
    pub fn title(self) -> &'static str {
        match self {
            Harm::DoesNotStart => "does not start",
            Harm::OpensAccess => "opens access",
            Harm::LosesData => "loses data or jobs",
            Harm::Cosmetic => "cosmetic",
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
