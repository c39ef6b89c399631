//! [`Limits`]: how much a service may use, and [`Restart`]: when it is started again.

use serde::{Deserialize, Serialize};

use super::is_default;

/// How much a service may use; what is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: Option<i64>,
    /// Bytes that it is held to when memory is short.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_reservation: Option<i64>,
    /// Bytes of memory and swap together; -1 is any number.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swap: Option<i64>,
    /// How readily memory is swapped out, 0 to 100.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swappiness: Option<i64>,
    /// Bytes of shared memory.
    #[serde(skip_serializing_if = "is_default")]
    pub shared_memory: Option<i64>,
    /// Processors, in billionths.
    #[serde(skip_serializing_if = "is_default")]
    pub nano_cpus: Option<i64>,
    /// Microseconds that `cpu_quota` is of.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_period: Option<i64>,
    /// Microseconds of a processor in each period.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_quota: Option<i64>,
    /// Its weight among others.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_shares: Option<i64>,
    /// Which processors, as a list of ranges.
    #[serde(skip_serializing_if = "is_default")]
    pub cpus: String,
    /// Which memory nodes, as a list of ranges.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_nodes: String,
    /// Processes and threads; -1 is any number.
    #[serde(skip_serializing_if = "is_default")]
    pub processes: Option<i64>,
    /// How readily the kernel ends it when memory is out, -1000 to 1000.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_score: Option<i64>,
    /// Limits of each process, as `setrlimit(2)` knows them.
    #[serde(skip_serializing_if = "is_default")]
    pub of_process: Vec<ProcessLimit>,
}

/// A limit of each process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimit {
    /// What is limited, in lower case: `nofile`.
    pub name: String,
    /// Where it is.
    pub soft: i128,
    /// How far the process itself may raise it.
    pub hard: i128,
}

/// When a service is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// When.
    pub when: RestartWhen,
    /// How often at most after failures; 0 is any number.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: Option<i64>,
}

/// Which ends of a service are not the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartWhen {
    /// All.
    Always,
    /// Failures.
    OnFailure,
    /// All that nobody asked for.
    UnlessStopped,
}
