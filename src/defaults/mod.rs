//! Defaults: what a configuration file sets, what of it another version of the file sets otherwise,
//! and which other files it reads.
//!
//! No language of configuration is known here. Lines are lines, comments are what begins as one in
//! most languages, and a file reads another when it names it or its directory. That is enough to
//! say in which lines two texts differ, and too little to say what a line does.

mod change;
mod line;
mod reach;
mod section;
mod table;

pub(crate) use change::{Change, Place, compare};
pub(crate) use line::{Line, effective, lines};
pub(crate) use reach::Reach;
pub(crate) use section::by_head;
pub(crate) use table::Tables;

use crate::tree::RootPath;

/// Directories in which packages say something to other programs than their own: what rotates its
/// logs, what confines it. Files there name the service's own, and are not read by it.
const FOR_OTHERS: &[RootPath] = &[
    RootPath::literal("/etc/apparmor.d"),
    RootPath::literal("/etc/bash_completion.d"),
    RootPath::literal("/etc/cron.d"),
    RootPath::literal("/etc/dbus-1"),
    RootPath::literal("/etc/init"),
    RootPath::literal("/etc/insserv.conf.d"),
    RootPath::literal("/etc/logcheck"),
    RootPath::literal("/etc/logrotate.d"),
    RootPath::literal("/etc/network"),
    RootPath::literal("/etc/ufw"),
];

/// Whether `path` is what a package says of its service to other programs, or to people.
pub(crate) fn is_for_others(path: &RootPath) -> bool {
    path.name().starts_with(b"README") || FOR_OTHERS.iter().any(|dir| path.is_within(dir))
}

/// The largest text that is looked at, in bytes: documentation in comments makes some large.
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// Where a manifest says that the unedited text was found of a file that is not kept: it was the
/// file's own. Of its lines the bundle holds those that have an effect.
pub(crate) const IN_PLACE: &str = "in-place";

/// As [`IN_PLACE`], of a package whose service was on.
pub(crate) const IN_SERVICE: &str = "in-service";
