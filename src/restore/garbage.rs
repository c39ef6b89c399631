//! What interrupted runs left in an engine, and its removal.
//!
//! Everything under construction carries the label of its run. What a run makes for good, such as
//! a volume with a name, cannot carry it, as no label is ever taken off again; it carries another
//! one, which counts only as long as something of the same run is under construction. What is
//! under construction is therefore removed last, so that an interrupted removal can be repeated.
//! Things of a run whose process lives are left alone.

use std::collections::BTreeSet;

use super::outcome::GarbageReport;
use crate::engine::{Engine, EngineError, Made, Which, goes_on};
use crate::failure::Failure;
use crate::monitor::Monitor;

/// Removes what interrupted runs left in the engine.
///
/// # Errors
/// No engine; something cannot be removed, after everything else was.
pub fn collect_garbage(which: Which, monitor: &dyn Monitor) -> Result<GarbageReport, Failure> {
    monitor.phase("looking for what interrupted runs left");
    let engine = Engine::connect(which).map_err(failure)?;
    engine.heed_cancellation();
    let mut report = GarbageReport::default();
    let (live, dead): (Vec<_>, Vec<_>) =
        engine.staged().map_err(failure)?.into_iter().partition(|found| goes_on(&found.staging));
    report.spared = live.iter().map(|found| words(&found.made)).collect();
    let runs: BTreeSet<&str> = dead.iter().map(|found| found.staging.as_str()).collect();
    let mut unfinished = vec![];
    for run in runs {
        unfinished.extend(engine.unfinished(run).map_err(failure)?);
    }
    let (containers, images): (Vec<_>, Vec<_>) =
        dead.into_iter().partition(|found| matches!(found.made, Made::Container(_)));
    let mut failed = None;
    let mut note = |made: &Made, removed: Result<bool, EngineError>| match removed {
        Ok(true) => report.removed.push(words(made)),
        Ok(false) => {}
        Err(error) => drop(failed.get_or_insert(error)),
    };
    for found in &containers {
        note(&found.made, engine.remove_leftover(found).map(|()| true));
    }
    for made in &unfinished {
        note(made, engine.remove_unused(made));
    }
    for found in &images {
        note(&found.made, engine.remove_leftover(found).map(|()| true));
    }
    match failed {
        Some(error) => Err(failure(error)),
        None => Ok(report),
    }
}

fn failure(error: EngineError) -> Failure {
    Failure::new(error.kind(), "removing", "what interrupted runs left")
        .safe("only what an interrupted run made is ever removed")
        .next(error.advice())
        .because(error)
}

/// A line of the report.
fn words(made: &Made) -> String {
    match made {
        Made::Container(id) => format!("container {}", id.get(..12).unwrap_or(id)),
        Made::Volume(name) => format!("volume {name}"),
        Made::Image(id) => format!("image {id}"),
    }
}
