//! [`Scope`]: whose services systemd manages, and the directories of their units.

use crate::tree::RootPath;

/// Whose services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The system's.
    System,
    /// Those of every user's session.
    User,
}

/// Units of the system, the strongest first.
const SYSTEM: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Units of sessions, the strongest first.
const USER: &[&str] = &[
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
];

/// How many of them, at the end, only packages write to.
const PACKAGED: usize = 2;

impl Scope {
    /// Both.
    pub const ALL: [Scope; 2] = [Scope::System, Scope::User];

    /// Where units are, the strongest first.
    pub fn units(self) -> &'static [&'static str] {
        match self {
            Scope::System => SYSTEM,
            Scope::User => USER,
        }
    }

    /// Where links switch units on and off.
    pub fn links(self) -> RootPath {
        let dir = self.units().first().copied().unwrap_or_default();
        RootPath::parse(dir.as_bytes()).unwrap_or_else(|_| RootPath::root())
    }

    /// Where packages have their units.
    pub fn packaged(self) -> &'static [&'static str] {
        let dirs = self.units();
        &dirs[dirs.len() - PACKAGED..]
    }
}
