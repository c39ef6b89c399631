//! [`Inputs`]: what a plan is made from, and nothing else.

use std::collections::BTreeSet;

use crate::bundle::{Contents, Manifest};
use crate::failure::{Failure, FailureKind};
use crate::layout::{LayoutDb, Run};
use crate::restore::value::packages::{PackagePlan, Unserved};
use crate::restore::value::succession::Succession;
use crate::service::ServiceSettings;
use crate::survey::Survey;
use crate::tree::{RootPath, Tree, TreeError};

/// What a plan is made from.
pub(in crate::restore) struct Inputs<'a> {
    pub(in crate::restore) manifest: &'a Manifest,
    /// Its facts, without what is left to a successor.
    pub(in crate::restore) survey: &'a Survey,
    pub(in crate::restore) contents: &'a Contents,
    pub(in crate::restore) layout: &'a LayoutDb,
    /// What was decided about packages; they are installed.
    pub(in crate::restore) packages: &'a PackagePlan,
    /// Services that were on and that no package brings.
    pub(in crate::restore) unserved: &'a [Unserved],
    /// What lay below `/var/lib` of the new system before they were; `None` when none was.
    pub(in crate::restore) state_before: Option<&'a BTreeSet<RootPath>>,
    /// The staged system.
    pub(in crate::restore) target: &'a dyn Tree,
    /// How the service was run; `None` where its new system is not run by an engine.
    pub(in crate::restore) settings: Option<&'a ServiceSettings>,
    /// What becomes of volumes.
    pub(in crate::restore) volumes: VolumesAs,
    /// What the target is to the old container's image.
    pub(in crate::restore) succession: &'a Succession,
}

impl Inputs<'_> {
    /// What a container with these `settings` runs.
    pub(in crate::restore) fn run<'a>(&'a self, settings: Option<&'a ServiceSettings>) -> Run<'a> {
        let image = self.manifest.survey.image.as_ref();
        settings.map_or_else(Run::default, |settings| Run {
            entrypoint: &settings.entrypoint,
            command: &settings.command,
            of_image: image.map_or(&[][..], |image| &image.settings.command),
        })
    }
}

/// How far a system is that a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Station {
    /// Today's packages are in it, and nothing of the service.
    Staged,
    /// It was revived, and somebody may have worked on it since.
    Standing,
}

/// What becomes of volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum VolumesAs {
    /// Volumes again.
    Volumes,
    /// Files where they were mounted: a root has no volumes.
    Files,
}

/// What cannot be read while a plan is made.
pub(in crate::restore) fn unreadable(error: TreeError) -> Failure {
    Failure::new(FailureKind::Environment, "planning", "the restore")
        .why("the new system or the bundle's contents cannot be read")
        .because(error)
        .next("see the reason, then run the same command again")
}
