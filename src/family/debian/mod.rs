//! Debian, and what comes from it.
//!
//! Packages are installed by apt, their questions are answered by debconf, and what somebody
//! decided about them is carried over by dpkg's own tools. The list of trusted certificates belongs
//! here too: it is no application's configuration but Debian's way to let its users choose among
//! files of a package, kept by debconf and by hand in one file, which every release makes anew.

mod answers;
mod apt;
mod certificates;
mod choices;
mod choose;
mod contents;
mod decided;
mod install;
mod refusal;
mod taken;
mod texts;
mod way;

use std::collections::{BTreeMap, BTreeSet};

use super::carried::Carried;
use super::offered::Offered;
use super::seam::{Family, New, Order, Refused, refused};
use crate::environments::EnvironmentKind;
use crate::failure::Failure;
use crate::packages::{Installed, Manager};
use crate::survey::{AnswerFact, Choices, Survey};
use crate::system::System;
use crate::tree::{Draft, RootPath, Tree, TreeError};

/// Debian's family.
pub(super) struct Debian;

impl Family for Debian {
    fn manager(&self) -> Manager {
        Manager::Dpkg
    }

    fn decided(&self, tree: &dyn Tree, installed: &Installed) -> Choices {
        decided::choices(tree, installed)
    }

    fn check(&self, system: &mut dyn System, survey: &Survey) -> Result<(), Failure> {
        let Some(architecture) = apt::architecture(system)? else {
            return Err(refused("it has no dpkg, and the bundle is of a dpkg system".to_owned()));
        };
        if !survey.architecture.is_empty() && survey.architecture != architecture {
            return Err(refused(format!(
                "its architecture is {architecture}, the bundle's is {}",
                survey.architecture
            )));
        }
        Ok(())
    }

    fn installed(&self, system: &mut dyn System) -> Result<BTreeSet<String>, Failure> {
        apt::installed(system)
    }

    fn allow(
        &self,
        system: &mut dyn System,
        architectures: &[String],
    ) -> Result<Vec<String>, Failure> {
        apt::add_architectures(system, architectures)
    }

    fn offered(&self, system: &mut dyn System) -> Result<Offered, Failure> {
        apt::fetch_lists(system)?;
        apt::offered(system)
    }

    fn took_from(&self, offered: &Offered, name: &str, version: &str) -> Vec<String> {
        taken::took_from(offered, name, version)
    }

    fn contents(
        &self,
        system: &mut dyn System,
        packages: &[&str],
    ) -> Result<BTreeMap<String, Vec<RootPath>>, Failure> {
        contents::contents(system, packages)
    }

    /// Packages of shared libraries are called by their name and the number of their interface:
    /// modules of servers, of PAM and of the name service are no libraries.
    fn comes_along(&self, name: &str) -> bool {
        let name = name.split(':').next().unwrap_or(name);
        let name = name.strip_suffix("t64").unwrap_or(name);
        name.starts_with("lib")
            && name.ends_with(|last: char| last.is_ascii_digit())
            && !name.contains("-mod-")
    }

    fn maker(&self, environment: EnvironmentKind) -> Option<&'static str> {
        match environment {
            EnvironmentKind::Venv => Some("python3-venv"),
            EnvironmentKind::System | EnvironmentKind::User | EnvironmentKind::Target => {
                Some("python3-pip")
            }
            _ => None,
        }
    }

    fn answers(&self, given: &[AnswerFact]) -> Vec<AnswerFact> {
        answers::given(given)
    }

    fn install(&self, system: &mut dyn System, order: &Order<'_>) -> Result<Vec<Refused>, Failure> {
        answers::answer(system, order.answers)?;
        install::install(system, order.packages)
    }

    fn add(&self, system: &mut dyn System, package: &str) -> Result<Option<Vec<Refused>>, Failure> {
        install::add(system, package)
    }

    /// Names of time zones of long ago went from `tzdata` to a package of their own in Debian 13.
    fn holder(&self, path: &RootPath) -> Option<&'static str> {
        const ZONES: RootPath = RootPath::literal("/usr/share/zoneinfo");
        path.is_within(&ZONES).then_some("tzdata-legacy")
    }

    fn clean(&self, system: &mut dyn System) -> Result<(), Failure> {
        apt::clean(system)
    }

    fn carry(
        &self,
        choices: &Choices,
        new: &New<'_>,
        draft: &mut Draft,
    ) -> Result<Carried, TreeError> {
        choices::carry(choices, new, draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_others_need_only_libraries_come_along() {
        let along = |name: &&&str| Debian.comes_along(name);
        let names = ["libc6", "libssl3t64", "libz1:i386", "libapache2-mod-php8.4"];
        let names: Vec<&str> = names.iter().filter(along).copied().collect();
        assert_eq!(names, ["libc6", "libssl3t64", "libz1:i386"]);
        assert!(!Debian.comes_along("libpam-ldapd") && !Debian.comes_along("libreoffice"));
    }
}
