//! Runlevels: a directory of links for each, to scripts that start and stop services.

use crate::tree::RootPath;

/// The runlevels.
pub(crate) const LEVELS: &[u8] = b"0123456S";

/// What a link in a runlevel does to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
}

impl Action {
    /// The letter that the names of such links begin with.
    pub(crate) fn letter(self) -> u8 {
        match self {
            Action::Start => b'S',
            Action::Stop => b'K',
        }
    }
}

/// The directory of a runlevel.
pub(crate) fn runlevel(level: u8) -> RootPath {
    const { RootPath::literal("/etc") }.child(&[&b"rc"[..], &[level], b".d"].concat())
}

/// The script of a service.
pub(crate) fn script(service: &[u8]) -> RootPath {
    const { RootPath::literal("/etc/init.d") }.child(service)
}

/// The name of a link in a runlevel, such as `S01name`, in parts: what it does, and the service.
pub(crate) fn split(name: &[u8]) -> Option<(Action, &[u8])> {
    let (action, rest) = match name {
        [b'S', rest @ ..] => (Action::Start, rest),
        [b'K', rest @ ..] => (Action::Stop, rest),
        _ => return None,
    };
    match rest {
        [a, b, service @ ..] if a.is_ascii_digit() && b.is_ascii_digit() && !service.is_empty() => {
            Some((action, service))
        }
        _ => None,
    }
}
