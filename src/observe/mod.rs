//! Observation: what a service does once it is started, watched for a few seconds.
//!
//! The old service is started once in a throw-away copy, the new one once in a throw-away container
//! of the new image, both as they would start and without a network; then the two are compared.
//! Nothing of either runs anywhere else, and nothing that was started for this is left. What is
//! looked at is told by a small script inside ([`sample`]), and reduced to what is the same on every
//! run.

mod alone;
mod check;
mod compare;
mod complaint;
mod idle;
mod look;
mod runtime;
mod sample;
mod stage;
mod switched;
mod unit;

pub(crate) use check::Surroundings;
pub(crate) use compare::{Renamed, compare};
pub(crate) use stage::{Stage, way};
