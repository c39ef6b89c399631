//! [`Stage`]: a throw-away container in which a service is started as it would start, and watched
//! until it does not change any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::alone::alone;
use super::complaint::{complaints, unresolved};
use super::idle::is_idle;
use super::look::{Look, logs, look};
use super::runtime::runtime_directories;
use super::sample::{Beside, Sample};
use super::switched::{Switched, switched_on};
use super::unit::MANAGED;
use crate::engine::settings::{Renewal, carry};
use crate::engine::{Command, ContainerSpec, Engine, EngineError, Staging, State};
use crate::facts::{Health, Observation, Protocol};
use crate::service::{HealthTest, ServiceSettings};
use crate::tree::Tree;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a service has to stay as it is.
const STILL: Duration = Duration::from_secs(3);

/// When a service that goes on changing, or does not listen yet, is watched no longer.
const LONGEST: Duration = Duration::from_secs(10);

/// How often at least somebody looks before it is given up, and how often it has to be the same: on
/// a machine that is busy a look takes long, and a service too.
const LOOKS: usize = 8;
const SAME: usize = 4;

/// When it is not started once more, and not asked any more how it is.
const WHOLE: Duration = Duration::from_secs(14);

/// When all of it is over, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a single command inside may take.
const COMMAND: Duration = Duration::from_secs(5);

/// How often a service is started that names other machines and ends.
const TRIES: usize = 3;

/// More complaints than somebody reads.
const COMPLAINTS: usize = 64;

/// The exit code of a command that cannot be started at all, as shells give it.
const NOT_STARTED: i64 = 127;

/// What a throw-away container does where services are started in it one by one.
const IDLE: &[&str] = &["/bin/sleep", "2147483647"];

/// Everything that is needed to start a service in a throw-away container.
pub(crate) struct Stage<'a> {
    pub(crate) engine: &'a Engine,
    /// Removes what is made.
    pub(crate) staging: &'a Staging,
    /// The image that the service is in.
    pub(crate) image: &'a str,
    /// Copies of its volumes, as `VOLUME:PLACE:nocopy`.
    pub(crate) binds: Vec<String>,
    /// How it is run.
    pub(crate) settings: &'a ServiceSettings,
    /// Its files, to see what is switched on.
    pub(crate) tree: &'a dyn Tree,
    /// The lengths of its logs before it is started.
    pub(crate) logs: BTreeMap<String, u64>,
    /// Names of other machines that it is to find.
    pub(crate) lent: Vec<String>,
}

/// How a service comes to run.
pub(crate) enum Way {
    /// By its container's own command.
    Command,
    /// One by one.
    Services(Vec<Switched>),
}

/// How the service of a container with `settings` and `tree` comes to run; `None` where nothing
/// would run.
pub(crate) fn way(settings: &ServiceSettings, tree: &dyn Tree) -> Option<Way> {
    let argv: Vec<String> = settings.entrypoint.iter().chain(&settings.command).cloned().collect();
    if !is_idle(&argv) {
        return Some(Way::Command);
    }
    Some(switched_on(tree)).filter(|services| !services.is_empty()).map(Way::Services)
}

impl Stage<'_> {
    /// Starts the service and watches it; `None` where nothing would run.
    ///
    /// # Errors
    /// The engine does not make or start the container, or the run was cancelled.
    pub(crate) fn observe(&self) -> Result<Option<Observation>, EngineError> {
        let Some(way) = way(self.settings, self.tree) else { return Ok(None) };
        let began = Instant::now();
        let mut lent = self.lent.clone();
        for left in (0..TRIES).rev() {
            let (seen, log) = self.once(&way, &lent, began)?;
            let named: Vec<String> = String::from_utf8_lossy(&log)
                .lines()
                .flat_map(unresolved)
                .filter(|name| !lent.contains(name) && !self.knows(name))
                .collect();
            let ended = seen.exited.is_some_and(|code| code != 0);
            if !ended || named.is_empty() || left == 0 || began.elapsed() > WHOLE / 2 {
                return Ok(Some(Observation { lent, ..seen }));
            }
            // A machine of that name was there; here it is this one.
            lent.extend(named);
            lent.sort();
            lent.dedup();
        }
        Ok(None)
    }

    /// Whether the container's own settings say where `name` is.
    fn knows(&self, name: &str) -> bool {
        let hosts = &self.settings.network.hosts;
        hosts.iter().any(|host| host.split([':', '=']).next() == Some(name))
    }

    /// Starts it once; what was seen, and what it wrote.
    fn once(
        &self,
        way: &Way,
        lent: &[String],
        began: Instant,
    ) -> Result<(Observation, Vec<u8>), EngineError> {
        let container = self.staging.container(self.engine, None, &self.spec(way, lent))?;
        let outcome = self.started(way, &container, began);
        // It may hold what the next one needs; what cannot be removed now is removed in the end.
        let _ = self.engine.for_cleanup().remove(&container);
        outcome
    }

    fn spec(&self, way: &Way, lent: &[String]) -> ContainerSpec {
        let mut settings = alone(self.settings, lent);
        if let Way::Services(_) = way {
            settings.entrypoint = vec![];
            settings.command = IDLE.iter().map(|&word| word.to_owned()).collect();
            settings.user = String::new();
            settings.init = false;
        }
        let flavour = self.engine.info().flavour;
        let renewal = Renewal { image: self.image, volumes: &BTreeMap::new(), flavour };
        // Without volumes there is nothing that cannot be carried.
        let spec = carry(&settings, &renewal).map(|carried| carried.spec).unwrap_or_default();
        let log = json!({ "Type": "json-file", "Config": { "max-size": "4m", "max-file": "1" } });
        let spec = spec.without_network().host("LogConfig", log);
        match self.binds.is_empty() {
            true => spec,
            false => spec.host("Binds", json!(self.binds)),
        }
    }

    fn started(
        &self,
        way: &Way,
        container: &str,
        began: Instant,
    ) -> Result<(Observation, Vec<u8>), EngineError> {
        match self.engine.start(container) {
            Err(error @ EngineError::Refused { .. }) => {
                // A command that is not there is the service's own affair.
                let said = super::complaint::pattern(&error.to_string());
                let exited = Some(NOT_STARTED);
                let complaints = vec![said];
                return Ok((Observation { exited, complaints, ..Observation::default() }, vec![]));
            }
            other => other?,
        }
        let mut beside = Beside { ours: None, named: self.named_ports() };
        let mut seen = Observation::default();
        let mut scripts = vec![];
        if let Way::Services(services) = way {
            beside.ours = Some(1);
            self.prepare(container, services)?;
            for service in services {
                self.start(container, service)?;
                seen.services.push(service.name.clone());
            }
            seen.services.sort();
            let of_scripts = services.iter().filter(|service| !service.of_unit);
            scripts.extend(of_scripts.map(|service| service.name.as_str()));
        }
        let watched = self.watch(container, &beside, &scripts, began)?;
        seen.exited = watched.exited;
        if watched.exited.is_none() {
            seen.processes = watched.sample.processes.into_iter().collect();
            seen.listeners = watched.sample.listeners.into_iter().collect();
            seen.unasked = watched.sample.unasked;
            seen.health = self.health(container, began)?;
        }
        let mut log = self.engine.logs(container, 1000)?;
        if watched.exited.is_none() {
            log.push(b'\n');
            log.extend(logs(self.engine, container, &self.logs)?);
        }
        seen.complaints = complaints(&log, COMPLAINTS);
        Ok((seen, log))
    }

    /// Ports that the container's settings name.
    fn named_ports(&self) -> BTreeSet<u16> {
        let network = &self.settings.network;
        let exposed = network.exposed.iter().map(|port| port.number);
        exposed.chain(network.published.iter().map(|published| published.port.number)).collect()
    }

    /// Makes what a whole system makes when it starts.
    fn prepare(&self, container: &str, services: &[Switched]) -> Result<(), EngineError> {
        const PREPARE: &str = "while [ $# -gt 2 ]; do mkdir -p \"$3\"; chmod \"$1\" \"$3\"; \
            chown \"$2\" \"$3\"; shift 3; done\n";
        let mut argv = vec!["/bin/sh", "-c", PREPARE, "prepare"];
        let made = runtime_directories(self.tree);
        for directory in &made {
            argv.extend([&*directory.mode, &*directory.owner, &*directory.path]);
        }
        if is_managed(services) {
            argv.extend(["0755", "root:root", MANAGED]);
        }
        self.exec(container, &Command::root(&argv))
    }

    /// Starts a service in the container, with its output in a file there.
    fn start(&self, container: &str, service: &Switched) -> Result<(), EngineError> {
        const PREPARE: &str = "mkdir -p -m 755 /.regrow-observe\n: >>\"$1\"\nchmod 666 \"$1\"\n\
            owner=$2\nshift 2\nfor place; do mkdir -p \"$place\" && chown \"${owner:-root}\" \
            \"$place\"; done\n";
        const START: &str = "log=$1\nshift\nexec \"$@\" >>\"$log\" 2>&1 </dev/null\n";
        let log = format!("/.regrow-observe/{}", service.name.replace('/', "-"));
        let mut argv = vec!["/bin/sh", "-c", PREPARE, "prepare", &log, &service.owner];
        argv.extend(service.directories.iter().map(String::as_str));
        self.exec(container, &Command::root(&argv))?;
        for start in &service.starts {
            // What prepares a service may ask for a whole system, and that is no complaint of its.
            let log = if start.waits { "/dev/null" } else { &log };
            let mut argv: Vec<String> =
                ["/bin/sh", "-c", START, "start", log].iter().map(|&w| w.to_owned()).collect();
            argv.extend(start.argv.iter().cloned());
            let or = |text: &str, other: &str| match text {
                "" => other.to_owned(),
                text => text.to_owned(),
            };
            let command = Command {
                argv,
                user: or(&start.user, "0:0"),
                env: start.environment.clone(),
                directory: or(&start.directory, "/"),
            };
            match start.waits {
                true => self.exec(container, &command)?,
                false => match self.engine.spawn(container, &command) {
                    // A user that is not there, say: the service does not run, and that is seen.
                    Err(EngineError::Refused { .. } | EngineError::NoSuch { .. }) => {}
                    other => other?,
                },
            }
        }
        Ok(())
    }

    /// Runs a command whose end does not matter.
    fn exec(&self, container: &str, command: &Command) -> Result<(), EngineError> {
        let ran = self.engine.exec(container, command, None, &mut std::io::sink(), COMMAND);
        match ran {
            Err(error @ EngineError::Cancelled { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks until nothing changes any more.
    fn watch(
        &self,
        container: &str,
        beside: &Beside,
        scripts: &[&str],
        began: Instant,
    ) -> Result<Watched, EngineError> {
        let from = Instant::now();
        let (mut samples, mut since): (Vec<Sample>, Instant) = (vec![], from);
        let (mut same, mut looks) = (0, 0);
        loop {
            std::thread::sleep(PAUSE);
            let found = look(self.engine, container, beside)?;
            if self.engine.container(container)?.state != State::Running {
                let code = self.engine.wait(container, COMMAND)?;
                return Ok(Watched { exited: Some(code), sample: Sample::default() });
            }
            let unseen = samples.is_empty() && matches!(found, Look::Nothing);
            if let Look::Seen(sample) = found {
                if samples.last() != Some(&sample) {
                    (since, same) = (Instant::now(), 0);
                }
                samples.push(sample);
                same += 1;
            }
            looks += 1;
            if unseen && looks >= SAME && from.elapsed() >= STILL {
                // Neither it nor the engine can be asked, and that does not change.
                let sample = Sample { unasked: true, ..Sample::default() };
                return Ok(Watched { exited: None, sample });
            }
            let still = since.elapsed() >= STILL && same >= SAME;
            let long = from.elapsed() >= LONGEST && samples.len() >= LOOKS;
            let done = (still && self.listens(samples.last())) || long;
            let done = done && !samples.last().is_some_and(|sample| starts(sample, scripts));
            if done || began.elapsed() >= PATIENCE {
                return Ok(Watched { exited: None, sample: common(&samples, same) });
            }
        }
    }

    /// Whether it listens on what its settings say that it does; what nobody says holds, and what
    /// nobody can see.
    fn listens(&self, sample: Option<&Sample>) -> bool {
        if sample.is_some_and(|sample| sample.unasked) {
            return true;
        }
        let tcp = self.settings.network.exposed.iter().filter(|port| port.protocol == "tcp");
        let is = |number: u16| {
            let mut open = sample.into_iter().flat_map(|sample| &sample.listeners);
            open.any(|open| open.port == number && open.protocol == Protocol::Tcp)
        };
        let ports: Vec<u16> = tcp.map(|port| port.number).collect();
        ports.is_empty() || ports.iter().any(|&port| is(port))
    }

    /// What its health check answers.
    fn health(&self, container: &str, began: Instant) -> Result<Option<Health>, EngineError> {
        let argv = match self.settings.health_check.as_ref().map(|check| &check.test) {
            Some(HealthTest::Run(argv)) if !argv.is_empty() => argv.clone(),
            Some(HealthTest::Shell(line)) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
            _ => return Ok(None),
        };
        let command = Command { argv, ..Command::default() };
        loop {
            let ran = self.engine.exec(container, &command, None, &mut std::io::sink(), COMMAND);
            match ran {
                Ok(ran) if ran.code == 0 => return Ok(Some(Health::Healthy)),
                Err(error @ EngineError::Cancelled { .. }) => return Err(error),
                _ if began.elapsed() >= WHOLE => return Ok(Some(Health::Unhealthy)),
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
}

/// Whether `services` find a manager of units where they are started. A script would leave the start
/// to that, which is not really there.
fn is_managed(services: &[Switched]) -> bool {
    services.iter().all(|service| service.of_unit)
}

/// Whether one of the scripts that start services has not come to its end.
fn starts(sample: &Sample, scripts: &[&str]) -> bool {
    let is_script = |name: &str| name.split_once(' ').is_some_and(|(_, it)| scripts.contains(&it));
    sample.processes.iter().any(|process| is_script(&process.name))
}

/// What watching came to.
struct Watched {
    exited: Option<i64>,
    sample: Sample,
}

/// What was there in each of the last looks: the `same` ones that showed no difference, or, where
/// it goes on changing, as many as it takes to see what stays.
fn common(samples: &[Sample], same: usize) -> Sample {
    let mut last = samples.iter().rev().take(same.max(SAME));
    let Some(mut common) = last.next().cloned() else { return Sample::default() };
    for sample in last {
        common.processes.retain(|process| sample.processes.contains(process));
        common.listeners.retain(|open| sample.listeners.contains(open));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::ProcessFact;
    use crate::tree::memory::MemoryTree;

    fn sample(names: &[&str]) -> Sample {
        let fact = |name: &&str| ProcessFact { name: (*name).into(), account: "root".into() };
        Sample { processes: names.iter().map(fact).collect(), ..Sample::default() }
    }

    #[test]
    fn what_comes_and_goes_is_no_part_of_an_observation() {
        let early = vec![sample(&["gone"]); 3];
        let late = [sample(&["app", "job"]), sample(&["app"])].into_iter().cycle().take(6);
        let samples: Vec<Sample> = early.into_iter().chain(late).collect();
        assert_eq!(common(&samples, 1), sample(&["app"]));
        assert_eq!(common(&[], 0), Sample::default());
    }

    #[test]
    fn a_service_whose_script_still_runs_is_only_starting() {
        assert!(starts(&sample(&["dash web", "pg"]), &["web"]));
        assert!(!starts(&sample(&["dash other", "web"]), &["web"]));
        assert!(!starts(&sample(&["dash web"]), &[]));
    }

    #[test]
    fn a_container_that_waits_and_has_nothing_switched_on_is_not_started() {
        let command = |words: &[&str]| ServiceSettings {
            command: words.iter().map(|&word| word.to_owned()).collect(),
            ..ServiceSettings::default()
        };
        let empty = MemoryTree::default();
        let web = MemoryTree::default()
            .file("/etc/init.d/web", "")
            .link("/etc/rc2.d/S01web", "../init.d/web");
        assert!(way(&command(&["sleep", "infinity"]), &empty).is_none());
        assert!(matches!(way(&command(&["app"]), &web), Some(Way::Command)));
        let Some(Way::Services(scripts)) = way(&command(&["sleep", "1"]), &web) else { panic!() };
        assert!(!is_managed(&scripts));
        let unit = MemoryTree::default()
            .file("/etc/systemd/system/web.service", "ExecStart=/web\n")
            .link("/etc/systemd/system/multi-user.target.wants/web.service", "../web.service");
        assert!(is_managed(&switched_on(&unit)));
    }
}
