//! Where configuration is, and whose.

use crate::defaults::is_for_others;
use crate::packages::OWN_CONFIGURATION;
use crate::restore::packages::in_use::CONFIGURATION;
use crate::tree::RootPath;

/// Directories of [`CONFIGURATION`] that applications share. What changes there is of interest only around
/// something of the user's.
const SHARED: &[&[u8]] =
    &[b"conf.d", b"default", b"pam.d", b"profile.d", b"security", b"sysconfig", b"xdg"];

/// The directory of the application that `path` is the configuration of; none where that lies among
/// those of others.
pub(super) fn top(path: &RootPath) -> Option<RootPath> {
    let rest = path.strip_prefix(&CONFIGURATION)?;
    let first = rest.as_bytes().split(|&b| b == b'/').find(|part| !part.is_empty())?;
    let dir = CONFIGURATION.child(first);
    (!SHARED.contains(&first) && first != OWN_CONFIGURATION && !is_for_others(path) && dir != *path)
        .then_some(dir)
}

/// Whether `path` is where the service itself looks for what it does.
pub(super) fn is_of_service(path: &RootPath) -> bool {
    let shared = [OWN_CONFIGURATION, b"pam.d", b"profile.d", b"xdg"];
    !is_for_others(path) && !shared.iter().any(|dir| path.is_within(&CONFIGURATION.child(dir)))
}

/// Whether a file is called as the directory of its application.
pub(super) fn is_main(path: &RootPath) -> bool {
    let Some(top) = top(path) else { return false };
    let stem = path.name().split(|&b| b == b'.').next().unwrap_or_default();
    top.name().starts_with(stem) || stem == b"config"
}
