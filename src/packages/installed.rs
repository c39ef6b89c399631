//! [`Installed`]: the records of all package managers of a system, asked as one.
//!
//! Managers record different things; what one does not record is not known, and nothing is
//! concluded from that. Of two managers that claim one path, the system's own comes first.

use std::cmp::Reverse;
use std::fmt;

use super::apk::{Apk, ApkPackage};
use super::dpkg::Dpkg;
use super::pacman::{Pacman, PacmanPackage};
use super::rpm::{Rpm, RpmPackage};
use super::{Digest, FileRecord, Owned, Package, Presence, Problem, Role, Status};
use crate::tree::{RootPath, Tree, TreeError};

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    /// Debian and what comes from it.
    Dpkg,
    /// Fedora, Red Hat, SUSE and what comes from them.
    Rpm,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
}

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

/// What one manager recorded about one path.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Who says so.
    pub manager: Manager,
    /// The package the path came with.
    pub package: &'a str,
    /// What the path is to the package.
    pub role: Role,
    /// Digest of the content that the package brought.
    pub digest: Option<Digest>,
    /// Everything recorded, of managers that record metadata.
    pub record: Option<&'a FileRecord>,
    written: Written<'a>,
}

/// Where a manager writes when it installs a package.
#[derive(Debug, Clone, Copy)]
enum Written<'a> {
    /// A list for each package.
    Dpkg(&'a Package),
    /// A directory for each package.
    Pacman(&'a PacmanPackage),
    /// One of these, for all packages.
    Fixed(&'static [&'static str]),
}

/// rpm's databases, of all kinds and places.
const RPM: &[&str] = &[
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages.db",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
];

/// apk's database, in both places.
const APK: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

impl Claim<'_> {
    /// Files of which one was written when the package was last installed or upgraded: what is
    /// older than that one may have come with the package.
    pub fn written_with(&self) -> Vec<RootPath> {
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

/// An installed package, of whichever manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version as its manager writes it.
    pub version: String,
    /// Its architecture as recorded.
    pub arch: &'a str,
    /// Whether it came because another package asked for it.
    pub auto: bool,
}

/// One manager's records, as far as all managers have them.
trait Ledger: Send + Sync {
    fn manager(&self) -> Manager;
    fn problems(&self) -> &[Problem];
    fn units(&self) -> Vec<Unit<'_>>;
    /// The claims to `path`, the one that counts first.
    fn claims(&self, path: &RootPath) -> Vec<Claim<'_>>;
    /// Every path that packages unpacked.
    fn unpacked(&self) -> Box<dyn Iterator<Item = RootPath> + '_>;
}

/// The records of all managers of one system.
#[derive(Default)]
pub struct Installed {
    /// Debian's, which holds more than the others' do.
    pub dpkg: Option<Dpkg>,
    others: Vec<Box<dyn Ledger>>,
}

impl Installed {
    /// Reads every database that `tree` has.
    ///
    /// # Errors
    /// As those of the single managers.
    pub fn load(tree: &dyn Tree) -> Result<Installed, TreeError> {
        let rpm = Rpm::load(tree)?.map(|rpm| Box::new(rpm) as Box<dyn Ledger>);
        let apk = Apk::load(tree)?.map(|apk| Box::new(apk) as Box<dyn Ledger>);
        let pacman = Pacman::load(tree)?.map(|pacman| Box::new(pacman) as Box<dyn Ledger>);
        let others = rpm.into_iter().chain(apk).chain(pacman).collect();
        Ok(Installed { dpkg: Dpkg::load(tree)?, others })
    }

    fn ledgers(&self) -> impl Iterator<Item = &dyn Ledger> {
        let dpkg = self.dpkg.iter().map(|dpkg| dpkg as &dyn Ledger);
        dpkg.chain(self.others.iter().map(|ledger| &**ledger))
    }

    /// The manager that the system is made with, the one with most packages: the tool of another
    /// one may leave a small database. `None` without any.
    pub fn manager(&self) -> Option<Manager> {
        let packages = |ledger: &&dyn Ledger| (ledger.units().len(), Reverse(ledger.manager()));
        self.ledgers().max_by_key(packages).map(Ledger::manager)
    }

    /// The claims to `path`, the one that counts first.
    pub fn claims(&self, path: &RootPath) -> impl Iterator<Item = Claim<'_>> {
        self.ledgers().flat_map(|ledger| ledger.claims(path))
    }

    /// Every path that packages unpacked: what is not there was deleted.
    pub fn unpacked(&self) -> impl Iterator<Item = RootPath> {
        self.ledgers().flat_map(Ledger::unpacked)
    }

    /// All installed packages.
    pub fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        self.ledgers().flat_map(Ledger::units)
    }

    /// What is wrong with the databases.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.ledgers().flat_map(Ledger::problems)
    }
}

impl Ledger for Dpkg {
    fn manager(&self) -> Manager {
        Manager::Dpkg
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn units(&self) -> Vec<Unit<'_>> {
        let there = self.packages.iter().filter(|p| p.status == Status::Installed);
        there
            .map(|p| Unit {
                name: &p.name,
                version: p.version.clone(),
                arch: &p.arch,
                auto: p.auto,
            })
            .collect()
    }

    fn claims(&self, path: &RootPath) -> Vec<Claim<'_>> {
        self.owners(path).map(of_dpkg).collect()
    }

    fn unpacked(&self) -> Box<dyn Iterator<Item = RootPath> + '_> {
        Box::new(self.owned_paths().filter(|owned| !owned.excluded).map(|owned| owned.path))
    }
}

fn of_dpkg(owned: Owned<'_>) -> Claim<'_> {
    let digest = owned.conffile.and_then(|conffile| conffile.md5).or(owned.digest);
    Claim {
        manager: Manager::Dpkg,
        package: &owned.package.name,
        role: if owned.conffile.is_some() { Role::Config } else { Role::Ordinary },
        digest: digest.map(Digest::Md5),
        record: None,
        written: Written::Dpkg(owned.package),
    }
}

/// The managers that record metadata have databases of one form.
macro_rules! ledger {
    ($database:ty, $manager:expr, $version:expr, $written:expr) => {
        impl Ledger for $database {
            fn manager(&self) -> Manager {
                $manager
            }

            fn problems(&self) -> &[Problem] {
                &self.problems
            }

            fn units(&self) -> Vec<Unit<'_>> {
                let version: fn(&_) -> String = $version;
                self.packages
                    .iter()
                    .map(|p| Unit {
                        name: &p.name,
                        version: version(p),
                        arch: &p.arch,
                        auto: p.auto,
                    })
                    .collect()
            }

            fn claims(&self, path: &RootPath) -> Vec<Claim<'_>> {
                self.owners(path)
                    .map(|b| Claim {
                        manager: $manager,
                        package: &b.package.name,
                        role: b.file.role,
                        digest: b.file.kind.digest(),
                        record: Some(b.file),
                        written: $written(b.package),
                    })
                    .collect()
            }

            fn unpacked(&self) -> Box<dyn Iterator<Item = RootPath> + '_> {
                let brought = self.owned_paths().filter(|b| was_unpacked(b.file));
                Box::new(brought.map(|b| b.path.clone()))
            }
        }
    };
}

/// Whether the absence of `file` is a deletion.
fn was_unpacked(file: &FileRecord) -> bool {
    file.presence == Presence::Unpacked && file.role != Role::Ghost
}

ledger!(Rpm, Manager::Rpm, RpmPackage::evr, |_| Written::Fixed(RPM));
ledger!(Apk, Manager::Apk, |package: &ApkPackage| package.version.clone(), |_| Written::Fixed(APK));
ledger!(
    Pacman,
    Manager::Pacman,
    |package: &PacmanPackage| package.version.clone(),
    Written::Pacman
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// A system of Alpine that has dpkg's tool with one package.
    fn system() -> Installed {
        let installed = "C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:busybox\nV:1.36-r0\nA:x86_64\nF:bin\nR:busybox\na:0:0:755\n\n\
                         C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:musl\nV:1.2-r0\nA:x86_64\nF:lib\nR:libc.so\n\n";
        let status = "Package: tool\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        let tree = MemoryTree::default()
            .file("/lib/apk/db/installed", installed)
            .file("/etc/apk/world", "busybox\n")
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/tool.list", "/.\n/usr\n/usr/bin\n/usr/bin/tool\n")
            .file("/bin/busybox", "")
            .file("/usr/bin/tool", "");
        Installed::load(&tree).unwrap()
    }

    #[test]
    fn every_managers_packages_and_claims_are_there_and_the_largest_is_the_systems() {
        let installed = system();
        assert_eq!(installed.manager(), Some(Manager::Apk));
        let units: Vec<_> = installed.units().map(|u| (u.name.to_owned(), u.auto)).collect();
        assert_eq!(
            units,
            [("tool".to_owned(), false), ("busybox".to_owned(), false), ("musl".to_owned(), true)]
        );
        let of =
            |at| installed.claims(&path(at)).map(|c| (c.manager, c.package)).collect::<Vec<_>>();
        assert_eq!(of("/bin/busybox"), [(Manager::Apk, "busybox")]);
        assert_eq!(of("/usr/bin/tool"), [(Manager::Dpkg, "tool")]);
        assert_eq!(of("/srv/data"), []);
        assert!(installed.unpacked().any(|at| at == path("/lib/libc.so")));
    }

    #[test]
    fn a_system_without_any_database_has_no_manager() {
        let installed = Installed::load(&MemoryTree::default()).unwrap();
        assert_eq!(installed.manager(), None);
        assert_eq!(installed.units().count(), 0);
    }
}
