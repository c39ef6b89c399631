//! [`Ledger`] of the managers that record metadata. What they do not record is not known.

use super::super::apk::{Apk, ApkPackage};
use super::super::file_record::{FileRecord, Presence, Role};
use super::super::manager::Manager;
use super::super::pacman::{Pacman, PacmanPackage};
use super::super::problem::Problem;
use super::super::rpm::{Rpm, RpmPackage};
use super::super::supply::{Distribution, Proof, Supply};
use super::claim::{APK, Claim, RPM, Written};
use super::{Ledger, Unit};
use crate::tree::{RootPath, Tree, TreeError};

/// The managers that record metadata have databases of one form.
macro_rules! ledger {
    ($database:ty, $manager:expr, $version:expr, $written:expr, $proof:expr) => {
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
                        package: &b.package.name,
                        role: b.file.role,
                        digest: b.file.kind.digest(),
                        record: Some(b.file),
                        written: $written(b.package),
                    })
                    .collect()
            }

            fn supply(&self, _: &dyn Tree, _: &Distribution<'_>) -> Result<Supply, TreeError> {
                let all = self.packages.iter();
                let proof: fn(&$database, &_) -> Proof = $proof;
                Ok(Supply::of(all.map(|package| (package.name.clone(), proof(self, package)))))
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

ledger!(Rpm, Manager::Rpm, RpmPackage::evr, |_| Written::Fixed(RPM), Rpm::proof);
ledger!(
    Apk,
    Manager::Apk,
    |package: &ApkPackage| package.version.clone(),
    |_| Written::Fixed(APK),
    Apk::proof
);
ledger!(
    Pacman,
    Manager::Pacman,
    |package: &PacmanPackage| package.version.clone(),
    Written::Pacman,
    |_, package: &PacmanPackage| package.proof()
);
