//! What interrupted runs left, and its removal: beside roots, by their records
//! ([`journal`](super::journal)), and in an engine.
//!
//! Everything under construction carries the label of its run. What a run makes for good, such as
//! a volume with a name, cannot carry it, as no label is ever taken off again; it carries another
//! one, which counts only as long as something of the same run is under construction. What is
//! under construction is therefore removed last, so that an interrupted removal can be repeated.
//! Things of a run whose process lives are left alone.

use std::collections::BTreeSet;

use crate::cancel::Cancel;
use crate::engine::{Engine, EngineError, Made, Which, goes_on};
use crate::failure::{Failure, FailureKind};
use crate::monitor::Monitor;
use crate::restore::outcome::GarbageReport;
use crate::restore::target::journal::{self, Remains};

/// Removes what interrupted runs left beside roots and in the engine.
///
/// # Errors
/// No engine; something cannot be removed, after everything else was. What was removed, what was
/// left alone and what else failed is told as notices then.
pub fn collect_garbage(which: Which, monitor: &dyn Monitor) -> Result<GarbageReport, Failure> {
    monitor.phase("looking for what interrupted runs left");
    let mut report = GarbageReport::default();
    let beside_roots = beside_roots(&mut report);
    let in_engine = in_engine(which, &mut report, monitor.cancel());
    if let (Err(_), Err(second)) = (&beside_roots, &in_engine) {
        monitor.notice(&format!("in the engine: {}", second.reason()));
    }
    let done = beside_roots.and(in_engine);
    if done.is_err() {
        for removed in &report.removed {
            monitor.notice(&format!("removed {removed}"));
        }
        for spared in &report.spared {
            monitor.notice(&format!("left alone {spared}"));
        }
    }
    done.map(|()| report)
}

fn beside_roots(report: &mut GarbageReport) -> Result<(), Failure> {
    let (cleared, done) = journal::clear_all();
    for remains in cleared {
        match remains {
            Remains::Removed(path) => report.removed.push(format!("root {}", path.display())),
            Remains::Spared(words) => report.spared.push(words),
            Remains::Nothing => {}
        }
    }
    done.map_err(|e| {
        Failure::new(FailureKind::Resource, "removing", "what interrupted runs left beside roots")
            .because(e)
            .safe("only what an interrupted run made is ever removed")
            .next("see the reason, then run the same command again")
    })
}

fn in_engine(which: Which, report: &mut GarbageReport, cancel: &Cancel) -> Result<(), Failure> {
    let engine = Engine::connect(which).map_err(failure)?;
    engine.heed(cancel);
    let (live, dead): (Vec<_>, Vec<_>) =
        engine.staged().map_err(failure)?.into_iter().partition(|found| goes_on(&found.staging));
    report.spared.extend(live.iter().map(|found| words(&found.made)));
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
        None => Ok(()),
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
