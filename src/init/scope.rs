//! [`Scope`]: whose services systemd manages, and the directories of their units.

use crate::tree::RootPath;

/// Whose services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// The system's.
    System,
    /// Those of every user's session.
    User,
}

/// Units of the system, the strongest first.
const SYSTEM: &[RootPath] = &[
    RootPath::literal("/etc/systemd/system"),
    RootPath::literal("/run/systemd/system"),
    RootPath::literal("/usr/local/lib/systemd/system"),
    RootPath::literal("/usr/lib/systemd/system"),
    RootPath::literal("/lib/systemd/system"),
];

/// Units of sessions, the strongest first.
const USER: &[RootPath] = &[
    RootPath::literal("/etc/systemd/user"),
    RootPath::literal("/run/systemd/user"),
    RootPath::literal("/usr/local/lib/systemd/user"),
    RootPath::literal("/usr/lib/systemd/user"),
    RootPath::literal("/lib/systemd/user"),
];

/// How many of them, at the end, only packages write to.
const PACKAGED: usize = 2;

impl Scope {
    /// Both.
    pub(crate) const ALL: [Scope; 2] = [Scope::System, Scope::User];

    /// Where units are, the strongest first.
    pub(crate) fn units(self) -> &'static [RootPath] {
        match self {
            Scope::System => SYSTEM,
            Scope::User => USER,
        }
    }

    /// Where links switch units on and off.
    pub(crate) fn links(self) -> &'static RootPath {
        &self.units()[0]
    }

    /// Where packages have their units.
    pub(crate) fn packaged(self) -> &'static [RootPath] {
        let dirs = self.units();
        &dirs[dirs.len() - PACKAGED..]
    }
}
