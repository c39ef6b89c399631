//! [`Inputs`]: what a plan is made from, and nothing else.

use std::collections::BTreeSet;

use super::packages::PackagePlan;
use crate::bundle::{Contents, Manifest};
use crate::failure::{Failure, Kind};
use crate::layout::LayoutDb;
use crate::service::ServiceSettings;
use crate::survey::Survey;
use crate::tree::{RootPath, Tree, TreeError};

/// What a plan is made from.
pub(super) struct Inputs<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) survey: &'a Survey,
    pub(super) contents: &'a Contents,
    pub(super) layout: &'a LayoutDb,
    /// What was decided about packages; they are installed.
    pub(super) packages: &'a PackagePlan,
    /// What lay below `/var/lib` of the new system before they were; `None` when none was.
    pub(super) state_before: Option<&'a BTreeSet<RootPath>>,
    /// The staged system.
    pub(super) target: &'a dyn Tree,
    /// How the service was run; `None` where its new system is not run by an engine.
    pub(super) settings: Option<&'a ServiceSettings>,
    /// What becomes of volumes.
    pub(super) volumes: VolumesAs,
}

/// What becomes of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumesAs {
    /// Volumes again.
    Volumes,
    /// Files where they were mounted: a root has no volumes.
    Files,
}

/// What cannot be read while a plan is made.
pub(super) fn unreadable(error: TreeError) -> Failure {
    Failure::new(Kind::Environment, "planning", "the restore")
        .why("the new system or the bundle's contents cannot be read")
        .because(error)
        .next("see the reason, then run the same command again")
}
