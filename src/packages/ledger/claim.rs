//! [`Claim`]: what one manager recorded about one path.

use super::super::file_record::{Digest, FileRecord, Role};
use super::super::package::Package;
use super::super::pacman::PacmanPackage;
use crate::tree::RootPath;

/// What one manager recorded about one path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// The package the path came with.
    pub package: &'a str,
    /// What the path is to the package.
    pub role: Role,
    /// Digest of the content that the package brought.
    pub digest: Option<Digest>,
    /// Everything recorded, of managers that record metadata.
    pub record: Option<&'a FileRecord>,
    pub(super) written: Written<'a>,
}

/// Where a manager writes when it installs a package.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    /// A list for each package.
    Dpkg(&'a Package),
    /// A directory for each package.
    Pacman(&'a PacmanPackage),
    /// One of these, for all packages.
    Fixed(&'static [&'static str]),
}

/// rpm's databases, of all kinds and places.
pub(super) const RPM: &[&str] = &[
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages.db",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
];

/// apk's database, in both places.
pub(super) const APK: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

impl Claim<'_> {
    /// Files of which one was written when the package was last installed or upgraded: what is
    /// older than that one may have come with the package.
    pub(crate) fn written_with(&self) -> Vec<RootPath> {
        match self.written {
            Written::Dpkg(package) => package.records().collect(),
            Written::Pacman(package) => {
                let text =
                    format!("/var/lib/pacman/local/{}-{}/desc", package.name, package.version);
                RootPath::parse(text.as_bytes()).into_iter().collect()
            }
            Written::Fixed(paths) => {
                paths.iter().filter_map(|path| RootPath::parse(path.as_bytes()).ok()).collect()
            }
        }
    }
}
