//! From [`ServiceSettings`] to the request that makes a container of an engine.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::words::{DeviceWords, HealthWords, LogWords, RestartWords, UlimitWords};
use super::{CONFIG, HOST, SettingsError, is_empty};
use crate::engine::{ContainerSpec, Flavour, items, text};
use crate::service::{
    HealthCheck, HealthTest, Limits, Log, Namespaces, Privileges, Restart, RestartWhen,
    ServiceSettings,
};

/// Where the container is to be made anew.
#[derive(Debug, Clone, Copy)]
pub struct Renewal<'a> {
    /// The new image, by id or name.
    pub image: &'a str,
    /// New names of the named volumes, by their old ones.
    pub volumes: &'a BTreeMap<String, String>,
    /// The engine that will have it.
    pub flavour: Flavour,
}

/// Settings for the new container.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// What to make.
    pub spec: ContainerSpec,
    /// What could not be carried.
    pub dropped: Vec<Dropped>,
    /// What gives the container power over its host, in words: `capability NET_ADMIN`,
    /// `the host's /srv at /data`.
    pub grants: Vec<String>,
}

/// A setting that the new container will not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name in the engine's API.
    pub setting: String,
    /// Its value.
    pub value: String,
    /// Why.
    pub reason: &'static str,
}

/// The request for a new container with `settings`, at its new home.
///
/// # Errors
/// A mount that cannot be carried.
pub fn carry(settings: &ServiceSettings, renewal: &Renewal<'_>) -> Result<Carried, SettingsError> {
    let mut carried = Carried { spec: ContainerSpec::default(), dropped: vec![], grants: vec![] };
    // What is in the engine's words comes from somebody's bundle too: only known fields are taken.
    carried.spec.config = known(&settings.engine.config, &CONFIG);
    carried.spec.host = known(&settings.engine.host, &HOST);
    // They have a field of their own, where ours are left out.
    carried.spec.config.remove("Labels");
    carried.spec.config.insert("Image".to_owned(), renewal.image.into());
    carried.set_process(settings);
    carried.set_resources(settings);
    carried.set_limits(&settings.limits);
    carried.set_privileges(&settings.privileges);
    carried.set_namespaces(&settings.namespaces, renewal.flavour);
    carried.drop_links();
    carried.drop_secrets();
    carried.set_log(settings.log.as_ref(), renewal.flavour);
    carried.set_network(&settings.network);
    carried.set_mounts(&settings.mounts, renewal.volumes)?;
    for (name, value) in &settings.further {
        carried.drop_setting(name, value.to_string(), "this regrow does not know it");
    }
    carried.grants.splice(0..0, grants(&carried.spec.host));
    Ok(carried)
}

fn known(fields: &Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    let known = fields.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    known.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A value in the words of an engine's API.
fn words(value: &impl Serialize) -> Value {
    // Texts and numbers always have a JSON form.
    serde_json::to_value(value).unwrap_or_default()
}

impl Carried {
    pub(super) fn drop_setting(
        &mut self,
        setting: &str,
        value: impl Into<String>,
        reason: &'static str,
    ) {
        self.dropped.push(Dropped { setting: setting.to_owned(), value: value.into(), reason });
    }

    /// Sets a field of `Config` that says something.
    pub(super) fn set_config(&mut self, key: &str, value: impl Into<Value>) {
        set(&mut self.spec.config, key, value.into());
    }

    /// Sets a field of `HostConfig` that says something.
    pub(super) fn set_host(&mut self, key: &str, value: impl Into<Value>) {
        set(&mut self.spec.host, key, value.into());
    }

    /// What runs, as whom, with which environment.
    fn set_process(&mut self, settings: &ServiceSettings) {
        // Present even when empty, or the new image's own would come in its place.
        let config = &mut self.spec.config;
        if !settings.entrypoint.is_empty() || !config.contains_key("Entrypoint") {
            config.insert("Entrypoint".to_owned(), settings.entrypoint.as_slice().into());
        }
        self.set_config("Cmd", settings.command.as_slice());
        self.set_config("Env", settings.environment.as_slice());
        self.set_config("WorkingDir", settings.working_directory.as_str());
        self.set_config("User", settings.user.as_str());
        self.set_config("Hostname", settings.host_name.as_str());
        self.set_config("Domainname", settings.domain_name.as_str());
        let labels = settings.labels.iter().filter(|(key, _)| !key.starts_with("regrow."));
        let labels = labels.map(|(key, value)| (key.clone(), value.as_str().into()));
        self.set_config("Labels", labels.collect::<Map<String, Value>>());
        self.set_config("Tty", settings.terminal);
        self.set_config("OpenStdin", settings.open_input);
        self.set_config("StdinOnce", settings.input_once);
        self.set_config("StopSignal", settings.stop_signal.as_str());
        self.set_config("StopTimeout", settings.stop_timeout);
        self.set_config("Healthcheck", settings.health_check.as_ref().map(health_words));
    }

    /// What the engine gives it.
    fn set_resources(&mut self, settings: &ServiceSettings) {
        self.set_host("GroupAdd", settings.groups.as_slice());
        self.set_host("ReadonlyRootfs", settings.read_only_root);
        self.set_host("Init", settings.init);
        self.set_host("Sysctls", words(&settings.sysctls));
        self.set_host("RestartPolicy", settings.restart.map(restart_words));
    }

    fn set_limits(&mut self, limits: &Limits) {
        for (key, limit) in [
            ("Memory", limits.memory),
            ("MemoryReservation", limits.memory_reservation),
            ("MemorySwap", limits.memory_swap),
            ("ShmSize", limits.shared_memory),
            ("NanoCpus", limits.nano_cpus),
            ("CpuPeriod", limits.cpu_period),
            ("CpuQuota", limits.cpu_quota),
            ("CpuShares", limits.cpu_shares),
            ("PidsLimit", limits.processes),
            ("OomScoreAdj", limits.oom_score),
        ] {
            self.set_host(key, limit);
        }
        // The one number where zero differs from nothing.
        if let Some(swappiness) = limits.memory_swappiness {
            self.spec.host.insert("MemorySwappiness".to_owned(), swappiness.into());
        }
        self.set_host("CpusetCpus", limits.cpus.as_str());
        self.set_host("CpusetMems", limits.memory_nodes.as_str());
        let of_process = limits.of_process.iter().map(|limit| {
            words(&UlimitWords { name: limit.name.clone(), hard: limit.hard, soft: limit.soft })
        });
        self.set_host("Ulimits", of_process.collect::<Vec<_>>());
    }

    fn set_privileges(&mut self, privileges: &Privileges) {
        self.set_host("Privileged", privileges.all);
        self.set_host("CapAdd", privileges.add.as_slice());
        self.set_host("CapDrop", privileges.drop.as_slice());
        self.set_host("SecurityOpt", privileges.security.as_slice());
        self.set_host("DeviceCgroupRules", privileges.device_rules.as_slice());
        let devices = privileges.devices.iter().map(|device| {
            words(&DeviceWords {
                host: device.host.clone(),
                container: device.container.clone(),
                permissions: device.permissions.clone(),
            })
        });
        self.set_host("Devices", devices.collect::<Vec<_>>());
    }

    /// What it shares with others.
    fn set_namespaces(&mut self, namespaces: &Namespaces, flavour: Flavour) {
        for (key, mode) in [
            ("IpcMode", &namespaces.ipc),
            ("PidMode", &namespaces.pid),
            ("UTSMode", &namespaces.uts),
            ("UsernsMode", &namespaces.user),
        ] {
            if mode.starts_with("container:") || mode.starts_with("ns:") {
                self.drop_setting(key, mode, "it belongs to another container");
            } else if key == "UsernsMode"
                && !matches!(mode.as_str(), "" | "host")
                && flavour == Flavour::Docker
            {
                self.drop_setting(key, mode, "Docker does not have it");
            } else {
                self.set_host(key, mode.as_str());
            }
        }
    }

    /// Links lead to containers of the old engine.
    fn drop_links(&mut self) {
        if let Some(links) = self.spec.host.remove("Links") {
            self.drop_setting("Links", links.to_string(), "links lead to other containers");
        }
    }

    /// Secrets of an engine are not in its containers' settings, only their names.
    fn drop_secrets(&mut self) {
        let Some(secrets) = self.spec.config.remove("Secrets") else { return };
        let names: Vec<String> = items(&secrets).iter().map(|s| text(s, &["Name"])).collect();
        self.drop_setting("Secrets", names.join(", "), "an engine does not tell its secrets");
    }

    fn set_log(&mut self, log: Option<&Log>, flavour: Flavour) {
        let Some(log) = log else { return };
        let driver = log.driver.as_str();
        let known = match flavour {
            Flavour::Docker => !matches!(driver, "k8s-file" | "passthrough" | "passthrough-tty"),
            Flavour::Podman => {
                matches!(driver, "json-file" | "k8s-file" | "journald" | "none" | "passthrough")
            }
        };
        if !known {
            self.drop_setting("LogConfig", driver, "the engine has no such log driver");
            return;
        }
        let options = Some(log.options.clone());
        let config = LogWords { driver: log.driver.clone(), options };
        self.set_host("LogConfig", words(&config));
    }
}

fn set(fields: &mut Map<String, Value>, key: &str, value: Value) {
    if !is_empty(&value) {
        fields.insert(key.to_owned(), value);
    }
}

fn health_words(check: &HealthCheck) -> Value {
    let test = match &check.test {
        HealthTest::Inherited => None,
        HealthTest::Off => Some(vec!["NONE".to_owned()]),
        HealthTest::Run(argv) => {
            Some(std::iter::once("CMD").map(str::to_owned).chain(argv.iter().cloned()).collect())
        }
        HealthTest::Shell(line) => Some(vec!["CMD-SHELL".to_owned(), line.clone()]),
    };
    words(&HealthWords {
        test,
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        start_interval: check.start_interval,
        retries: check.retries,
    })
}

fn restart_words(restart: Restart) -> Value {
    let name = match restart.when {
        RestartWhen::Always => "always",
        RestartWhen::OnFailure => "on-failure",
        RestartWhen::UnlessStopped => "unless-stopped",
    };
    words(&RestartWords { name: name.to_owned(), retries: restart.retries })
}

/// What the settings in `host` allow, mounts aside.
fn grants(host: &Map<String, Value>) -> Vec<String> {
    let mut grants = vec![];
    let list = |key: &str| items(host.get(key).unwrap_or(&Value::Null)).to_vec();
    if host.contains_key("Privileged") {
        grants.push("all privileges".to_owned());
    }
    for capability in list("CapAdd") {
        let name = text(&capability, &[]);
        grants.push(format!("capability {}", name.trim_start_matches("CAP_")));
    }
    for device in list("Devices") {
        grants.push(format!("the host's device {}", text(&device, &["PathOnHost"])));
    }
    for rule in list("DeviceCgroupRules") {
        grants.push(format!("devices {}", text(&rule, &[])));
    }
    if host.contains_key("DeviceRequests") {
        grants.push("devices by driver".to_owned());
    }
    for option in list("SecurityOpt") {
        let option = text(&option, &[]);
        if option != "no-new-privileges" && option != "no-new-privileges:true" {
            grants.push(format!("security option {option}"));
        }
    }
    for key in ["MaskedPaths", "ReadonlyPaths"] {
        if host.get(key) == Some(&json!([])) {
            grants.push("unprotected /proc and /sys".to_owned());
        }
    }
    for (key, what) in [
        ("NetworkMode", "network"),
        ("PidMode", "processes"),
        ("IpcMode", "shared memory"),
        ("UTSMode", "host name"),
        ("UsernsMode", "user ids"),
    ] {
        if host.get(key).is_some_and(|mode| mode == "host") {
            grants.push(format!("the host's {what}"));
        }
    }
    grants.dedup();
    grants
}
