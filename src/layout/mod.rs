//! The layout database: what is known of applications, and what follows from it for a tree.
//!
//! A [`Rule`] is one application's YAML file: how to recognise it, what its paths are worth, how
//! one version's files become another's. [`LayoutDb`] holds all rules, those in the binary and
//! those of the user's directories, in SQLite. From there on everything is a pure function:
//! `route` orders transitions, `apply` does one `Step` to a draft, `LayoutMatcher` says
//! what a path is worth. Nothing about an application is in code.

pub(crate) mod access;
pub(crate) mod adapt;
mod change;
mod check;
mod command;
mod config_file;
mod database;
mod db;
mod digests;
mod edit;
mod embedded;
mod failing;
mod fault;
mod joined;
mod lint;
pub(crate) mod load;
mod matcher;
mod matches;
mod migration;
mod model;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod outdated;
pub(crate) mod pattern;
mod recognised;
mod releases;
mod relocation;
mod renaming;
mod replace;
pub(crate) mod route;
mod rule_source;
mod scalar;
mod schema;
mod script;
pub(crate) mod setting;
mod sources;
pub(crate) mod step;
mod unpacking;
mod version;

use std::path::PathBuf;

pub(crate) use access::Access;
pub(crate) use adapt::{adapt, mentioned};
pub(crate) use change::Step;
pub use check::lint_paths;
pub(crate) use command::{Database, When};
pub(crate) use database::{Command, Instance, Told};
pub use db::LayoutDb;
pub use load::RuleError;
pub(crate) use matcher::{LayoutMatch, LayoutMatcher, Surroundings};
pub(crate) use migration::{Former, Migration};
pub(crate) use model::{Earlier, LayoutEntry, Transition};
pub use model::{Rule, Scope};
pub(crate) use options::{Run, adapt_options};
pub(crate) use outcome::StepOutcome;
pub(crate) use outdated::{Outdated, ProgramLanguage};
pub(crate) use pattern::{Pattern, Vars};
pub use recognised::Recognised;
pub(crate) use releases::Releases;
pub(crate) use releases::offered;
pub(crate) use renaming::PackageFate;
pub(crate) use route::{Gap, Route, route};
pub(crate) use scalar::{Mode, PathPattern};
pub(crate) use setting::{ContainerText, Mentions};
pub(crate) use step::apply;
pub(crate) use unpacking::Unpacking;
pub use version::{Version, VersionError};

use crate::failure;

/// Why the layout database could not be made or asked.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A rule has a mistake.
    #[error("a rule has a mistake")]
    Rule(#[source] RuleError),
    /// A rule extends one that does not exist.
    #[error("`{file}` extends `{app}` on {distribution}, of which there is no earlier rule")]
    Orphan {
        /// The file.
        file: String,
        /// Its application.
        app: String,
        /// Its distribution.
        distribution: String,
    },
    /// A rule file or directory could not be read.
    #[error("reading rules from `{}`", crate::tree::escaped(path.as_os_str().as_encoded_bytes()))]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("using the layout database")]
    Database(#[from] sqlx::Error),
    /// The schema could not be set up.
    #[error("setting up the layout database")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// What the database gave back is not what was put in.
    #[error("reading back {what} from the layout database: {why}")]
    Row {
        /// Which value.
        what: &'static str,
        /// Why it is not one.
        why: String,
    },
    /// A glob could not be compiled with the version found.
    #[error("the layout of `{app}` does not compile")]
    Glob {
        /// The application.
        app: String,
        /// Why.
        source: globset::Error,
    },
    /// No runtime for SQLite could be started.
    #[error("starting the layout database")]
    Runtime(#[source] std::io::Error),
}

impl LayoutError {
    /// An error about a value that the database gave back.
    fn row(what: &'static str, why: impl std::fmt::Display) -> LayoutError {
        LayoutError::Row { what, why: why.to_string() }
    }

    /// An error about a rule as it is stored.
    fn body(why: serde_json::Error) -> LayoutError {
        LayoutError::row("a rule", why)
    }

    /// What sort of failure it is: a mistake in a rule is refused input.
    pub fn kind(&self) -> failure::FailureKind {
        match self {
            LayoutError::Rule(_) | LayoutError::Orphan { .. } | LayoutError::Glob { .. } => {
                failure::FailureKind::Refused
            }
            LayoutError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                failure::FailureKind::Precondition
            }
            LayoutError::Read { .. } | LayoutError::Runtime(_) => failure::FailureKind::Resource,
            LayoutError::Database(_) | LayoutError::Schema(_) | LayoutError::Row { .. } => {
                failure::FailureKind::Internal
            }
        }
    }
}
