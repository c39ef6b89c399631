//! A container's settings, from an engine's words and to them.
//!
//! Pure: [`translate`] makes [`ServiceSettings`] of the engine's answer to `inspect`, and
//! [`carry`] makes of these the request for a new container. Docker and Podman speak one API, and
//! each knows words that the other refuses; what a person decided and cannot be kept is reported.
//!
//! Both may come from somebody else's bundle: nothing in them is trusted to have a shape, and
//! [`Carried::grants`] says what the settings allow the container to do to its host.

mod answer;
mod carry;
mod mounts;
mod network;
mod read;
mod unmet;
mod words;

use serde_json::Value;

pub(crate) use carry::{Carried, Dropped};
pub use carry::{Renewal, carry};
pub(crate) use read::of_image;
pub use read::translate;
pub(crate) use unmet::unmet;

use crate::service::{ServiceSettings, Settings};

/// Why settings cannot be carried at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is not an answer to `inspect`.
    #[error("the container's settings have no `{0}`")]
    Missing(&'static str),
    /// A named volume without a new name: mounting the old one would expose what is in it now.
    #[error("no new name is planned for the volume `{}`", crate::tree::escaped(.0.as_bytes()))]
    UnplannedVolume(String),
    /// A mount that cannot be written down.
    #[error("the mount at `{}` cannot be carried", crate::tree::escaped(.0.as_bytes()))]
    BadMount(String),
}

/// Fields of `Config` that may stand for a decision of a person. What no field of the settings
/// stands for is carried as it is.
const CONFIG: [&str; 15] = [
    "Cmd",
    "Domainname",
    "Entrypoint",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "MacAddress",
    "OpenStdin",
    "Secrets",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
    "User",
    "WorkingDir",
];

/// Fields of `HostConfig`, likewise; name spaces, networks and mounts are not among them.
const HOST: [&str; 50] = [
    "Annotations",
    "AutoRemove",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CapAdd",
    "CapDrop",
    "CgroupParent",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "NanoCpus",
    "OomKillDisable",
    "OomScoreAdj",
    "PidsLimit",
    "PortBindings",
    "Privileged",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "RestartPolicy",
    "SecurityOpt",
    "ShmSize",
    "StorageOpt",
    "Sysctls",
    "Init",
    "Links",
    "LogConfig",
    "MaskedPaths",
    "ReadonlyPaths",
    "Runtime",
    "Ulimits",
];

/// The settings that a bundle holds, whichever format it is of; `None` without a container.
///
/// # Errors
/// What an engine told is no answer to `inspect`.
pub fn of_bundle(settings: &Settings) -> Result<Option<ServiceSettings>, SettingsError> {
    match settings {
        Settings::None => Ok(None),
        Settings::Service(settings) => Ok(Some((**settings).clone())),
        Settings::Inspected(inspect) => translate(inspect).map(Some),
    }
}

/// The settings of the container that `inspect` describes, for a bundle: what cannot be translated
/// is kept as it was told.
pub(crate) fn for_bundle(inspect: Value) -> Settings {
    match translate(&inspect) {
        Ok(settings) => Settings::Service(Box::new(settings)),
        Err(_) => Settings::Inspected(inspect),
    }
}

/// Whether `value` says nothing: engines write that as null, false, zero or empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

#[cfg(test)]
mod tests;
