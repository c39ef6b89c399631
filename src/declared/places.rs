//! Places that are for what can be made again.

use super::pattern::Pattern;
use crate::tree::RootPath;

/// Only what lies below may be declared to be a cache.
pub(super) const CACHE_PLACES: &[RootPath] = &[
    RootPath::literal("/var/cache"),
    RootPath::literal("/var/tmp"),
    RootPath::literal("/tmp"),
    RootPath::literal("/run"),
];

/// Only what lies below may be declared to exist only while something runs.
pub(super) const RUNTIME_PLACES: &[RootPath] = &[
    RootPath::literal("/run"),
    RootPath::literal("/tmp"),
    RootPath::literal("/var/tmp"),
    RootPath::literal("/var/run"),
    RootPath::literal("/var/lock"),
];

/// Whether all that `pattern` matches lies where only what can be made again lies.
pub(super) fn is_temporary(pattern: &Pattern) -> bool {
    CACHE_PLACES.iter().any(|place| pattern.is_below(place))
}
