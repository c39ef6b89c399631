//! [`Link`]: what a path switches on or off, as its name says.

use super::runlevel::{Action, LEVELS, runlevel, split};
use super::scope::Scope;
use crate::tree::RootPath;

/// What the directory of a unit's links is called after the unit that pulls them in.
const GROUPS: &[&[u8]] = &[b".wants", b".requires", b".upholds"];

/// A link that switches a service on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link<'a> {
    /// Another name of a unit, or the mask of one.
    Alias {
        /// Whose unit.
        scope: Scope,
        /// The name.
        unit: &'a [u8],
    },
    /// A unit that another one pulls in.
    Pulled {
        /// Whose unit.
        scope: Scope,
        /// The name of the one that is pulled in.
        unit: &'a [u8],
    },
    /// A service that is started or stopped in a runlevel.
    Runlevel {
        /// The runlevel.
        level: u8,
        /// What is done to it there.
        action: Action,
        /// Its name.
        service: &'a [u8],
    },
}

impl Link<'_> {
    /// What a link at `path` switches; `None` where links switch nothing: drop-ins of units and
    /// whatever lies deeper are files of their own.
    pub(crate) fn parse(path: &RootPath) -> Option<Link<'_>> {
        let parent = path.parent()?;
        let unit = path.name();
        for scope in Scope::ALL {
            let links = scope.links();
            if parent == *links {
                return Some(Link::Alias { scope, unit });
            }
            let is_group = GROUPS.iter().any(|ending| parent.name().ends_with(ending));
            if is_group && parent.parent().as_ref() == Some(links) {
                return Some(Link::Pulled { scope, unit });
            }
        }
        let level = LEVELS.iter().copied().find(|&level| parent == runlevel(level))?;
        let (action, service) = split(path.name())?;
        Some(Link::Runlevel { level, action, service })
    }

    /// Whose unit it is a link of.
    pub(crate) fn scope(&self) -> Option<Scope> {
        match self {
            Link::Alias { scope, .. } | Link::Pulled { scope, .. } => Some(*scope),
            Link::Runlevel { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_switches_what_its_directory_and_its_name_say() {
        let (system, user) = (Scope::System, Scope::User);
        let start = Action::Start;
        for (path, expected) in [
            (
                "/etc/systemd/system/a.service",
                Some(Link::Alias { scope: system, unit: b"a.service" }),
            ),
            (
                "/etc/systemd/user/b.target.wants/a.timer",
                Some(Link::Pulled { scope: user, unit: b"a.timer" }),
            ),
            ("/etc/rc2.d/S01x", Some(Link::Runlevel { level: b'2', action: start, service: b"x" })),
            ("/etc/systemd/system/a.service.d/own.conf", None),
            ("/etc/systemd/system/a.wants/b/c", None),
            ("/etc/systemd/system", None),
            ("/usr/lib/systemd/system/a.service", None),
            ("/etc/rc2.d/README", None),
            ("/etc/rc2.d/S01", None),
            ("/etc/rc7.d/S01x", None),
            ("/", None),
        ] {
            let path = RootPath::parse(path.as_bytes()).unwrap();
            assert_eq!(Link::parse(&path), expected, "{path}");
        }
    }
}
