//! From an engine's answer to `inspect` to [`ServiceSettings`].
//!
//! `inspect` has merged what came from the old image into `Config`, so command and environment
//! survive on a new image that has neither. Docker and Podman write "nothing" as `null`, empty or
//! absent, and each adds words of its own: whatever does not stand for a decision of a person is
//! left out. What is decided and fits no field is kept among the engine's words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Fields, Old};
use super::network::read_ports;
use super::words::{DeviceWords, HealthWords, LogWords, RestartWords, UlimitWords};
use super::{CONFIG, HOST, SettingsError};
use crate::engine::{items, text};
use crate::service::{
    Device, EngineWords, HealthCheck, HealthTest, Limits, Log, Namespaces, Privileges,
    ProcessLimit, Restart, RestartWhen, ServiceSettings,
};

/// Runtimes that engines use when nobody chose one.
const USUAL_RUNTIMES: [&str; 4] = ["", "oci", "runc", "crun"];

/// The settings of the container that `inspect` describes.
///
/// # Errors
/// It is not an answer to `inspect`, or has a mount that cannot be written down.
pub fn translate(inspect: &Value) -> Result<ServiceSettings, SettingsError> {
    let old = Old::new(inspect)?;
    let mut settings = ServiceSettings { mounts: old.mounts()?, ..ServiceSettings::default() };
    let mut config = Fields::of(old.config, &CONFIG);
    let mut host = Fields::of(old.host, &HOST);
    settings.read_process(&old, &mut config);
    settings.network = old.network();
    read_ports(&mut settings.network, &mut config, &mut host);
    settings.read_host(&old, &mut host);
    settings.limits = limits(&old, &mut host);
    settings.privileges = privileges(&mut host);
    settings.namespaces = namespaces(&old);
    old.further_words(&mut host);
    settings.engine = EngineWords { config: config.0, host: host.0 };
    Ok(settings)
}

/// How a container of an image with this `config` is run when nobody says otherwise, and the
/// directories for which it asks for volumes.
pub(crate) fn of_image(config: &Map<String, Value>) -> (ServiceSettings, Vec<String>) {
    let inspect = json!({"Id": "", "Config": config, "HostConfig": {}});
    let mut settings = translate(&inspect).unwrap_or_default();
    // An image has no name as a host; builders leave one in its configuration.
    settings.host_name.clear();
    settings.domain_name.clear();
    settings.namespaces = Namespaces::default();
    let volumes = config.get("Volumes").and_then(Value::as_object);
    let volumes = volumes.map(|all| all.keys().cloned().collect()).unwrap_or_default();
    (settings, volumes)
}

impl<'a> Old<'a> {
    /// The host name, when a person gave it.
    fn host_name(&self) -> &'a str {
        let name = self.config.get("Hostname").and_then(Value::as_str).unwrap_or_default();
        // On the host's network it is the old host's own name, given or not.
        match name == self.short_id || self.mode("NetworkMode") == "host" {
            true => "",
            false => name,
        }
    }

    fn environment(&self) -> Vec<String> {
        let host_name = self.config.get("Hostname").and_then(Value::as_str).unwrap_or_default();
        let is_own = |line: &&str| match *line {
            // Podman's own additions.
            "container=podman" => false,
            line if self.podman => line.strip_prefix("HOSTNAME=") != Some(host_name),
            _ => true,
        };
        let lines = items(self.config.get("Env").unwrap_or(&Value::Null)).iter();
        lines.filter_map(Value::as_str).filter(is_own).map(str::to_owned).collect()
    }

    /// Decisions that no field stands for.
    fn further_words(&self, host: &mut Fields) {
        // An explicit "nothing is hidden"; the full lists are each engine's own.
        for key in ["MaskedPaths", "ReadonlyPaths"] {
            host.0.remove(key);
            if self.host.get(key) == Some(&json!([])) {
                host.0.insert(key.to_owned(), json!([]));
            }
        }
        host.0.remove("Runtime");
        let runtime = self.mode("Runtime");
        if !USUAL_RUNTIMES.contains(&runtime) {
            host.0.insert("Runtime".to_owned(), runtime.into());
        }
    }
}

impl ServiceSettings {
    /// What runs, as whom, with which environment.
    fn read_process(&mut self, old: &Old<'_>, config: &mut Fields) {
        self.command = config.list("Cmd");
        self.entrypoint = match config.take::<String>("Entrypoint") {
            Some(line) => vec![line],
            None => config.list("Entrypoint"),
        };
        self.environment = old.environment();
        self.working_directory = config.text("WorkingDir");
        self.user = config.text("User");
        self.host_name = old.host_name().to_owned();
        self.domain_name = config.text("Domainname");
        self.labels = config.take::<BTreeMap<String, String>>("Labels").unwrap_or_default();
        self.labels.retain(|key, _| !key.starts_with("regrow."));
        self.terminal = config.flag("Tty");
        self.open_input = config.flag("OpenStdin");
        self.input_once = config.flag("StdinOnce");
        self.stop_signal = config.text("StopSignal");
        self.stop_timeout = config.take("StopTimeout");
        self.health_check = config.take_as("Healthcheck", health_check);
    }

    /// What the engine gives it, but for limits, privileges and ports.
    fn read_host(&mut self, old: &Old<'_>, host: &mut Fields) {
        self.groups = host.list("GroupAdd");
        self.read_only_root = host.flag("ReadonlyRootfs");
        self.init = host.flag("Init");
        self.sysctls = host.take("Sysctls").unwrap_or_default();
        self.restart = host.take_as("RestartPolicy", |words| restart(&words));
        if host.0.get("RestartPolicy").is_some_and(|policy| text(policy, &["Name"]) == "no") {
            host.0.remove("RestartPolicy");
        }
        if text(old.host.get("LogConfig").unwrap_or(&Value::Null), &["Type"]).is_empty() {
            host.0.remove("LogConfig");
        }
        let log = host.take::<LogWords>("LogConfig");
        self.log =
            log.map(|log| Log { driver: log.driver, options: log.options.unwrap_or_default() });
    }
}

fn health_check(words: HealthWords) -> Option<HealthCheck> {
    let mut argv = words.test.unwrap_or_default().into_iter();
    let test = match (argv.next().as_deref(), argv.len()) {
        (None, _) => HealthTest::Inherited,
        (Some("NONE"), 0) => HealthTest::Off,
        (Some("CMD"), _) => HealthTest::Run(argv.collect()),
        (Some("CMD-SHELL"), 1) => HealthTest::Shell(argv.next()?),
        _ => return None,
    };
    Some(HealthCheck {
        test,
        interval: words.interval,
        timeout: words.timeout,
        start_period: words.start_period,
        start_interval: words.start_interval,
        retries: words.retries,
    })
}

fn restart(words: &RestartWords) -> Option<Restart> {
    let when = match words.name.as_str() {
        "always" => RestartWhen::Always,
        "on-failure" => RestartWhen::OnFailure,
        "unless-stopped" => RestartWhen::UnlessStopped,
        _ => return None,
    };
    Some(Restart { when, retries: words.retries })
}

fn limits(old: &Old<'_>, host: &mut Fields) -> Limits {
    let mut limits = Limits {
        memory: host.take("Memory"),
        memory_reservation: host.take("MemoryReservation"),
        memory_swap: host.take("MemorySwap"),
        memory_swappiness: host.take("MemorySwappiness").filter(|swappiness| *swappiness != -1),
        shared_memory: host.take("ShmSize"),
        nano_cpus: host.take("NanoCpus"),
        cpu_period: host.take("CpuPeriod"),
        cpu_quota: host.take("CpuQuota"),
        cpu_shares: host.take("CpuShares"),
        cpus: host.text("CpusetCpus"),
        memory_nodes: host.text("CpusetMems"),
        processes: host.take("PidsLimit"),
        oom_score: host.take("OomScoreAdj"),
        of_process: host.take_as("Ulimits", |all| Some(process_limits(all))).unwrap_or_default(),
    };
    // The one number where zero differs from nothing; Podman writes it for nothing.
    if !old.podman && old.host.get("MemorySwappiness") == Some(&json!(0)) {
        limits.memory_swappiness = Some(0);
    }
    // Podman shows one limit in both ways, and Docker refuses both at once.
    if limits.nano_cpus.is_some() {
        (limits.cpu_period, limits.cpu_quota) = (None, None);
    }
    limits
}

fn process_limits(all: Vec<UlimitWords>) -> Vec<ProcessLimit> {
    let limit = |words: UlimitWords| ProcessLimit {
        // Podman writes `RLIMIT_NOFILE` for what both want to be told as `nofile`.
        name: words.name.trim_start_matches("RLIMIT_").to_lowercase(),
        soft: words.soft,
        hard: words.hard,
    };
    all.into_iter().map(limit).collect()
}

fn privileges(host: &mut Fields) -> Privileges {
    let device = |words: DeviceWords| Device {
        host: words.host,
        container: words.container,
        permissions: words.permissions,
    };
    Privileges {
        all: host.flag("Privileged"),
        add: host.list("CapAdd"),
        drop: host.list("CapDrop"),
        security: host.list("SecurityOpt"),
        devices: host
            .take::<Vec<DeviceWords>>("Devices")
            .map(|all| all.into_iter().map(device).collect())
            .unwrap_or_default(),
        device_rules: host.list("DeviceCgroupRules"),
    }
}

fn namespaces(old: &Old<'_>) -> Namespaces {
    // Private is what a container has when nobody says otherwise, except for shared memory.
    let shared = |key| Some(old.mode(key)).filter(|mode| *mode != "private").unwrap_or_default();
    Namespaces {
        ipc: old.mode("IpcMode").to_owned(),
        pid: shared("PidMode").to_owned(),
        uts: shared("UTSMode").to_owned(),
        user: shared("UsernsMode").to_owned(),
    }
}
