//! [`Staging`]: a system in which packages are installed, one lot after another.

use std::collections::BTreeSet;
use std::io::Read;

use crate::failure::{Failure, FailureKind};
use crate::family::{Family, Offered, Order, Refused};
use crate::monitor::Monitor;
use crate::restore::packages::in_use::InUse;
use crate::restore::value::packages::{Install, PackagePlan, Uninstallable};
use crate::survey::{AnswerFact, IntentWhy};
use crate::system::{Command, System};
use crate::tree::RootPath;

/// Largest list of paths that is read.
const LIST_LIMIT: u64 = 64 * 1024 * 1024;

/// A system in which packages are installed.
pub(super) struct Staging<'a> {
    pub(super) system: &'a mut dyn System,
    pub(super) family: &'a dyn Family,
    pub(super) monitor: &'a dyn Monitor,
    /// What its repositories offer and was not refused.
    pub(super) offered: Offered,
    /// What the old system used of its packages.
    pub(super) old: &'a InUse,
    /// What lay below `/var/lib` before the first.
    pub(super) state_before: Option<BTreeSet<RootPath>>,
    /// What cannot be installed.
    pub(super) refused: Vec<Uninstallable>,
}

impl Staging<'_> {
    /// Installs those of `wanted` that can be; returns them.
    pub(super) fn install(
        &mut self,
        mut wanted: Vec<Install>,
        answers: &[AnswerFact],
    ) -> Result<Vec<Install>, Failure> {
        self.remember_state()?;
        self.monitor.phase(&format!("installing {} packages", wanted.len()));
        wanted.sort_by_key(|install| came_along(install.why));
        let order = Order { packages: &names(&wanted), answers };
        let refused = self.family.install(self.system, &order)?;
        Ok(self.without(wanted, refused))
    }

    /// Those of `wanted` that are not `refused`; the others are remembered. What was refused is
    /// not tried again for another reason.
    fn without(&mut self, mut wanted: Vec<Install>, refused: Vec<Refused>) -> Vec<Install> {
        for Refused { package, why } in refused {
            self.offered.withdraw(&package);
            let Some(at) = wanted.iter().position(|install| install.name == package) else {
                continue;
            };
            let wanted = wanted.remove(at);
            let old = wanted.formerly.as_ref().unwrap_or(&wanted.name);
            let old = old.split(':').next().unwrap_or(old);
            let services = self.old.on(old).into_keys();
            let services = services.map(|name| String::from_utf8_lossy(&name).into_owned());
            let edited = self.old.edited.get(old).into_iter().flatten();
            self.refused.push(Uninstallable {
                services: services.collect(),
                configuration: edited.cloned().collect(),
                wanted,
                why,
            });
        }
        wanted
    }

    fn remember_state(&mut self) -> Result<(), Failure> {
        if self.state_before.is_none() {
            self.state_before = Some(paths(self.system, &["/var/lib"])?.into_iter().collect());
        }
        Ok(())
    }

    /// Installs those of `wanted` that are offered and not there, as far as nothing gives way for
    /// them.
    pub(super) fn add(
        &mut self,
        wanted: BTreeSet<String>,
        plan: &mut PackagePlan,
    ) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let installed = self.family.installed(self.system)?;
        for wanted in wanted {
            let named = self.offered.named(&wanted).filter(|name| !installed.contains(*name));
            let Some(name) = named.map(str::to_owned) else { continue };
            self.remember_state()?;
            let Some(refused) = self.family.add(self.system, &name)? else { continue };
            let install = Install { name, formerly: None, why: IntentWhy::Referred };
            for install in self.without(vec![install], refused) {
                plan.dropped.remove(&wanted);
                plan.dropped.remove(&install.name);
                plan.install.push(install);
            }
        }
        Ok(())
    }
}

/// Whether nobody asked for it by itself.
fn came_along(why: IntentWhy) -> bool {
    matches!(why, IntentWhy::Needed | IntentWhy::Leaf)
}

fn names(packages: &[Install]) -> Vec<&str> {
    packages.iter().map(|package| package.name.as_str()).collect()
}

/// Every path below these directories.
pub(super) fn paths(system: &mut dyn System, dirs: &[&str]) -> Result<Vec<RootPath>, Failure> {
    let argv = [&["find"], dirs, &["-xdev", "-print0"]].concat();
    let ran = system.run_one(Command::new(&argv))?;
    let mut listed = Vec::new();
    let mut output = ran.stdout.take(LIST_LIMIT);
    output.read_to_end(&mut listed).map_err(|e| unreadable_output(e, "find"))?;
    // A path that is none of ours is nobody's to remove either.
    Ok(listed.split(|&b| b == 0).filter_map(|path| RootPath::parse(path).ok()).collect())
}

pub(super) fn unreadable_output(error: std::io::Error, program: &str) -> Failure {
    Failure::new(FailureKind::Resource, "reading the output of", program).because(error)
}
