//! Check: what a service had, and a revived one that stands has not.
//!
//! The plan of a restore is made once more, with the standing system as the new one. Nothing of it
//! is executed: it only tells where what was archived belongs today. Then the standing system is
//! asked, as a person may have worked on it since.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::bundle::Loss;
use crate::engine::settings;
use crate::failure::Failure;
use crate::layout::LayoutDb;
use crate::monitor::Monitor;
use crate::restore::planner;
use crate::restore::target::engine::archived_settings;
use crate::restore::value::inputs::{Inputs, VolumesAs, unreadable};
use crate::restore::value::packages::PackagePlan;
use crate::restore::value::succession::{Succession, programs};
use crate::source::Source;
use crate::verdict::Held;

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The bundle's id.
    pub bundle: String,
    /// What was looked at.
    pub standing: String,
    /// What is still open.
    pub held: Vec<Held>,
    /// Always empty: nothing is made.
    pub losses: Vec<Loss>,
    /// What could not be looked at.
    pub limitations: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Compares the system that `standing` holds with what was archived in `file`, and changes neither.
///
/// # Errors
/// A bundle that is not whole, a standing system that cannot be read.
pub fn check(
    standing: &Source,
    file: &Path,
    layout: &LayoutDb,
    monitor: &dyn Monitor,
) -> Result<CheckReport, Failure> {
    let started = Instant::now();
    let opened = super::open(file, "checking", monitor)?;
    let manifest = opened.manifest();
    monitor.phase("comparing");
    let now = settings::of_bundle(standing.settings()).map_err(|e| {
        Failure::new(crate::failure::FailureKind::Refused, "checking", standing.to_string())
            .because(e)
            .safe("nothing was changed")
            .next("make the container again and run the same command")
    })?;
    let was = archived_settings(manifest)?;
    let image = standing.beneath().map(|beneath| beneath.fact.clone());
    let (all, mut there) = (programs(manifest), vec![]);
    for path in &all {
        let found = crate::tree::resolve(standing.tree(), path).map_err(unreadable)?;
        there.extend(found.map(|_| path.clone()));
    }
    let programs = (all.len(), there.as_slice());
    let succession = Succession::of(&manifest.survey, image, None, programs);
    let survey = succession.survey(manifest);
    let held = planner::check(
        &Inputs {
            manifest,
            survey: &survey,
            contents: &opened.contents,
            layout,
            packages: &PackagePlan::default(),
            unserved: &[],
            state_before: None,
            target: standing.tree(),
            settings: was.as_ref().filter(|_| now.is_some()),
            volumes: VolumesAs::Files,
            succession: &succession,
        },
        now.as_ref(),
    )?;
    Ok(CheckReport {
        bundle: manifest.id.clone(),
        standing: standing.to_string(),
        held,
        losses: vec![],
        limitations: standing.limitations().to_vec(),
        seconds: started.elapsed().as_secs_f64(),
    })
}
