//! Objects of Docker's API that a setting is made of, as they stand in requests and answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `Healthcheck`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct HealthWords {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interval: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_period: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_interval: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retries: Option<i64>,
}

/// `RestartPolicy`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartWords {
    #[serde(rename = "Name")]
    pub(super) name: String,
    #[serde(default, rename = "MaximumRetryCount", skip_serializing_if = "Option::is_none")]
    pub(super) retries: Option<i64>,
}

/// `LogConfig`.
#[derive(Serialize, Deserialize)]
pub(super) struct LogWords {
    #[serde(rename = "Type")]
    pub(super) driver: String,
    #[serde(default, rename = "Config")]
    pub(super) options: Option<BTreeMap<String, String>>,
}

/// One of `Ulimits`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct UlimitWords {
    pub(super) name: String,
    pub(super) hard: i128,
    pub(super) soft: i128,
}

/// One of `Devices`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceWords {
    #[serde(rename = "PathOnHost")]
    pub(super) host: String,
    #[serde(rename = "PathInContainer")]
    pub(super) container: String,
    #[serde(rename = "CgroupPermissions")]
    pub(super) permissions: String,
}

/// One of `PortBindings` of a port.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct BindingWords {
    #[serde(default)]
    pub(super) host_ip: String,
    #[serde(default)]
    pub(super) host_port: String,
}
