//! [`RestoreOptions`]: how to restore.

use crate::engine::Which;
use crate::failure::{Failure, FailureKind};
use crate::restore::plan::Plan;
use crate::restore::python::downloads::Downloads;
use crate::restore::target::TargetSpec;
use crate::restore::value::relation::Relation;

/// Whether the new container is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// It is made and left for the user to start.
    #[default]
    No,
    /// It is started.
    Yes,
}

/// What becomes of an unfinished system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is removed.
    #[default]
    Remove,
    /// It is kept for a look, labelled or on record, until `gc` removes it.
    Keep,
}

/// Whether the new system is checked and observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checks {
    /// It is.
    #[default]
    Run,
    /// It is not, and that is said.
    Skip,
}

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// What to restore onto.
    pub target: TargetSpec,
    /// Which engine builds it.
    pub engine: Which,
    /// What the target is to the old container's image; without, what the approved plan says, else
    /// what both images show.
    pub relation: Option<Relation>,
    /// The new container's name; without, that of the approved plan, else the archived one's.
    pub name: Option<String>,
    /// A tag for the resulting image.
    pub tag: Option<String>,
    /// Whether it is started.
    pub start: Start,
    /// What is lent to commands that download.
    pub downloads: Downloads,
    /// What becomes of the new system when the restore fails.
    pub on_failure: OnFailure,
    /// Whether the new system is checked and observed.
    pub checks: Checks,
    /// The plan that was approved: exactly this is executed, or nothing.
    pub approved: Option<Plan>,
}

impl RestoreOptions {
    /// Refuses options that do not go together.
    pub(in crate::restore) fn check(&self) -> Result<(), Failure> {
        let container = self.name.is_some() || self.tag.is_some() || self.start == Start::Yes;
        if let Some(name) = self.name.as_deref().filter(|name| !is_container_name(name)) {
            return Err(Failure::new(FailureKind::Usage, "reading --name", name)
                .why("a container's name has letters, digits, `_`, `.` and `-`, and begins with a letter or a digit")
                .next("choose such a name"));
        }
        match &self.target {
            TargetSpec::Rootfs(_) if container => {
                Err(Failure::new(FailureKind::Usage, "restoring onto", self.target.to_string())
                    .why("--name, --tag and --start are for containers, and a root is none")
                    .next("leave them out, or name an image"))
            }
            _ => Ok(()),
        }
    }

    /// What a person says that the target is to the old container's image.
    pub(in crate::restore) fn said(&self) -> Option<Relation> {
        self.relation.or_else(|| self.approved.as_ref().and_then(Plan::relation))
    }

    /// The name of the new container, for a service that was called `archived`.
    pub(in crate::restore) fn container_name<'a>(&'a self, archived: &'a str) -> &'a str {
        let approved = self.approved.as_ref().and_then(Plan::container);
        self.name.as_deref().or(approved).unwrap_or(archived)
    }
}

/// Whether every engine takes `name` for a container.
fn is_container_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}
