//! The old service, observed: what it does once it is started, and which of the commands that judge
//! its files are content with them, in a throw-away copy without network.
//!
//! It serves to know later what worked before. That it cannot be done is no failure: it is said.

use std::collections::{BTreeMap, BTreeSet};

use super::Examined;
use crate::copies::{Copies, Copy};
use crate::engine::settings;
use crate::failure::{Failure, FailureKind};
use crate::layout::{Recognised, Vars, When};
use crate::monitor::Monitor;
use crate::observe::{Stage, Surroundings, way};
use crate::source::Source;
use crate::survey::{MountFact, Observation};
use crate::tree::is_within;
use crate::verdict::Origin;

/// How much is copied to observe a service.
const MOST: u64 = 512 << 20;

/// What observing came to.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) observation: Option<Observation>,
    /// Why there is none, although there was something to observe.
    pub(super) limitation: Option<String>,
}

impl Observed {
    fn not(why: impl std::fmt::Display) -> Observed {
        let limitation = format!("the service was not observed: {why}");
        Observed { observation: None, limitation: Some(limitation) }
    }
}

/// Starts the service of a container in a copy and watches it.
///
/// # Errors
/// The run was cancelled; whatever else goes wrong is a limitation.
pub(super) fn observe(
    source: &Source,
    examined: &Examined,
    copies: &mut Copies<'_>,
    monitor: &dyn Monitor,
) -> Result<Observed, Failure> {
    match observed(source, examined, copies, monitor) {
        Ok(observed) => Ok(observed),
        Err(failure) if matches!(failure.kind(), FailureKind::Signal(_)) => Err(failure),
        Err(failure) => Ok(Observed::not(failure.reason())),
    }
}

fn observed(
    source: &Source,
    examined: &Examined,
    copies: &mut Copies<'_>,
    monitor: &dyn Monitor,
) -> Result<Observed, Failure> {
    let (Some(facts), Ok(Some(settings))) =
        (source.container(), settings::of_bundle(source.settings()))
    else {
        return Ok(Observed::default());
    };
    if way(&settings, source.tree()).is_none() {
        return Ok(Observed::default());
    }
    let size = size(examined);
    if size > MOST && !copies.is_made() {
        let (size, most) = (size >> 20, MOST >> 20);
        return Ok(Observed::not(format!("{size} MiB would be copied, more than {most}")));
    }
    monitor.phase("observing the old service in a copy");
    let copy = copies.copy(monitor)?;
    let checks = checks(source, examined);
    let known = settings.network.hosts.iter();
    let known = known.filter_map(|host| host.split([':', '=']).next().map(str::to_owned));
    let mut around = Surroundings {
        known: known.collect(),
        absent: MountFact::absent(&source.mounts()).map(place).collect(),
        lent: Some(BTreeSet::new()),
    };
    let mut seen = vec![];
    if !checks.is_empty() {
        let system = copy.system()?;
        around.lend(system)?;
        for (app, argv) in &checks {
            seen.extend(around.check(system, argv)?.fact(app));
        }
    }
    let Copy::Container(copied) = copy else { return Ok(Observed::default()) };
    let failed = |e| crate::source::engine_failure("observing", source, e);
    // What exports and checks started would be in its way.
    facts.engine.stop(&copied.container, std::time::Duration::ZERO).map_err(failed)?;
    let stage = Stage {
        engine: &facts.engine,
        staging: &copied.staging,
        image: &copied.image,
        binds: copied.binds.clone(),
        settings: &settings,
        tree: source.tree(),
        logs: logs(examined),
        lent: around.lent.into_iter().flatten().collect(),
    };
    let observation = stage.observe().map_err(failed)?;
    seen.sort();
    let observation = observation.map(|found| Observation { checks: seen, ..found });
    Ok(Observed { observation, limitation: None })
}

fn place(mount: &MountFact) -> String {
    mount.destination.to_string()
}

/// How much is copied: what the container wrote and what lies in its volumes.
fn size(examined: &Examined) -> u64 {
    let copied = [Origin::Container, Origin::Volume, Origin::Bind];
    let entries = examined.entries.iter().filter(|judged| !judged.deleted);
    let sizes = entries.filter(|judged| copied.contains(&judged.origin));
    sizes.map(|judged| judged.entry.kind.size()).fold(0, u64::saturating_add)
}

/// The lengths of all logs.
fn logs(examined: &Examined) -> BTreeMap<String, u64> {
    let entries = examined.entries.iter().filter(|judged| !judged.deleted);
    let logs = entries.filter(|judged| {
        is_within(judged.entry.path.as_bytes(), b"/var/log") && judged.entry.kind.is_file()
    });
    logs.map(|judged| (judged.entry.path.to_string(), judged.entry.kind.size())).collect()
}

/// The commands that judge the files of the old applications.
fn checks(source: &Source, examined: &Examined) -> Vec<(String, Vec<String>)> {
    let of = |app: &Recognised| -> Vec<(String, Vec<String>)> {
        let Some(version) = &app.version else { return vec![] };
        let vars = Vars::versions(version, version);
        let due = app.rule.validate.iter().filter(|check| {
            check.when.as_ref().is_none_or(|when| holds(when, &vars, source, examined))
        });
        let argv = due.filter_map(|check| check.call().expand(&vars).ok());
        argv.map(|argv| (app.app.clone(), argv)).collect()
    };
    examined.apps.iter().flat_map(of).collect()
}

/// Whether a condition of a rule holds in the old system.
fn holds(when: &When, vars: &Vars, source: &Source, examined: &Examined) -> bool {
    let package = when.package.as_ref().is_none_or(|name| {
        let name = name.expand_text(vars);
        name.is_ok_and(|name| examined.survey.packages.iter().any(|p| p.name == name))
    });
    let path = when.path.as_ref().is_none_or(|path| {
        let found = path.expand(vars).ok().map(|path| crate::tree::resolve(source.tree(), &path));
        matches!(found, Some(Ok(Some(_))))
    });
    package && path
}
