//! [`OWN_STATE`]: what package managers and the base system write about the one installation that
//! they are part of.

use crate::tree::RootPath;

/// The directory in which package managers look for how they are to work, among those in `/etc`.
pub(crate) const OWN_CONFIGURATION: &[u8] = b"apt";

/// The directories and files that say what is installed in a system, and which system it is. They
/// are true of no other system, whatever its package manager, and whether or not they can be read.
pub(crate) const OWN_STATE: &[RootPath] = &[
    RootPath::literal("/var/lib/dpkg"),
    RootPath::literal("/var/lib/apt"),
    RootPath::literal("/var/lib/aptitude"),
    RootPath::literal("/var/lib/ucf"),
    RootPath::literal("/var/cache/debconf"),
    RootPath::literal("/var/lib/systemd/deb-systemd-helper-enabled"),
    RootPath::literal("/var/lib/systemd/deb-systemd-helper-masked"),
    RootPath::literal("/var/lib/systemd/deb-systemd-user-helper-enabled"),
    RootPath::literal("/var/lib/systemd/deb-systemd-user-helper-masked"),
    RootPath::literal("/var/lib/rpm"),
    RootPath::literal("/usr/lib/sysimage"),
    RootPath::literal("/var/lib/dnf"),
    RootPath::literal("/var/lib/yum"),
    RootPath::literal("/var/lib/zypp"),
    RootPath::literal("/lib/apk/db"),
    RootPath::literal("/usr/lib/apk/db"),
    RootPath::literal("/etc/apk/world"),
    RootPath::literal("/var/lib/pacman"),
    RootPath::literal("/etc/os-release"),
    RootPath::literal("/usr/lib/os-release"),
    RootPath::literal("/etc/debian_version"),
    RootPath::literal("/etc/lsb-release"),
    RootPath::literal("/etc/alpine-release"),
    RootPath::literal("/etc/arch-release"),
    RootPath::literal("/etc/fedora-release"),
    RootPath::literal("/etc/redhat-release"),
    RootPath::literal("/etc/centos-release"),
    RootPath::literal("/etc/system-release"),
    RootPath::literal("/etc/SuSE-release"),
];
