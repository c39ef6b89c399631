//! [`Manager`]: the package managers whose records are read.

use std::fmt;

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Manager {
    /// Debian and what comes from it.
    Dpkg,
    /// Fedora, Red Hat, SUSE and what comes from them.
    Rpm,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
}

/// What keeps the tools of package managers from asking questions. Every command in a system gets
/// these variables: scripts of rules and of packages call such tools too.
pub(crate) const UNATTENDED: &[(&str, &str)] = &[("DEBIAN_FRONTEND", "noninteractive")];

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Manager::Dpkg => "dpkg",
            Manager::Rpm => "rpm",
            Manager::Apk => "apk",
            Manager::Pacman => "pacman",
        })
    }
}
