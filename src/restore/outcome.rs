//! What `plan`, `restore` and `gc` return: values that `report` prints.
//!
//! The JSON names of the fields are a contract; they may grow and never change.

use serde::Serialize;

use crate::bundle::Loss;
use crate::restore::value::step::Step;
use crate::tree::DirectoryTotal;
use crate::verdict::Held;

/// One step of a plan, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// What is done: `install`, `place`, `remove`, `adapt`, `run` …
    pub action: String,
    /// To what.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Of a regular file that is placed: its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl PlanStep {
    /// The words of `step`, which places a file of `bytes` if it places one.
    pub(in crate::restore) fn of(step: &Step, bytes: Option<u64>) -> PlanStep {
        PlanStep {
            action: step.action().to_owned(),
            subject: step.subject().into_owned(),
            reason: step.reason().into_owned(),
            bytes,
        }
    }
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
pub struct PlanReport {
    /// The plan's own id: equal for plans that do the same.
    pub id: String,
    /// The bundle's id.
    pub bundle: String,
    /// What it is restored onto.
    pub target: String,
    /// In order.
    pub steps: Vec<PlanStep>,
    /// What is placed, by directory.
    pub directories: Vec<DirectoryTotal>,
    /// Left to a person, the most harmful first.
    pub held: Vec<Held>,
    /// What will be lost.
    pub losses: Vec<Loss>,
    /// What the way there can never deliver.
    pub limitations: Vec<String>,
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The id of the plan that was executed.
    pub plan: String,
    /// The bundle's id.
    pub bundle: String,
    /// What it was restored onto.
    pub target: String,
    /// The new container's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The new container's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// The restored root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What was done.
    pub steps: Vec<PlanStep>,
    /// What was placed, by directory.
    pub directories: Vec<DirectoryTotal>,
    /// Left to a person, the most harmful first.
    pub held: Vec<Held>,
    /// What was lost.
    pub losses: Vec<Loss>,
    /// What the way there can never deliver.
    pub limitations: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl RestoreReport {
    /// What there is to say of an execution before it begins.
    pub(in crate::restore) fn of(plan: PlanReport) -> RestoreReport {
        let PlanReport { id, bundle, target, steps, directories, held, losses, limitations } = plan;
        RestoreReport {
            plan: id,
            bundle,
            target,
            container: None,
            container_id: None,
            root: None,
            steps,
            directories,
            held,
            losses,
            limitations,
            seconds: 0.0,
        }
    }
}

/// What `gc` removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GarbageReport {
    /// What was removed, in words.
    pub removed: Vec<String>,
    /// What belongs to a run that goes on, or was left alone for the reason named, in words.
    pub spared: Vec<String>,
    /// Always empty: only what an interrupted run left is removed.
    pub losses: Vec<Loss>,
}
