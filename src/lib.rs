//! `regrow` brings a dead service back to life on a current OS.
//!
//! [`archive`] separates what of a stopped service cannot be had again from what packages and
//! generators bring back, and writes the first, with a record of the second, into one file.
//! [`restore`] installs today's packages on a current OS, puts that back over them, and absorbs
//! what has moved between the versions. It is all or nothing, and the old service stays as it is.
//!
//! # Words
//!
//! - *bundle*: the file that `archive` makes, `*.regrow`.
//! - *baseline*: the moment or the image after which a change counts as the service's own.
//! - *origin*: where a path came from: base image, image, the container's life, a volume.
//! - *evidence*: what is known about one path; *class*: what it is worth (mutable, immutable,
//!   ephemeral, identity); *verdict*: the class with the evidence that decided.
//! - *layout database*: what is known of applications and their versions, made from rules.
//! - *route*: the transitions from the archived version to the new one.
//! - *plan*: all changes of a restore as a value, printed before it is executed.
//! - *held*: left to a person, with both texts in place and a question in the report.
//! - *probe*: a question asked of the restored service.
//!
//! # Modules
//!
//! A program opens a [`source`] and the [`layout`] database, calls an act, and shows what it
//! returned:
//!
//! - Acts: [`archive`], [`restore`], and [`report`], which tells what they returned.
//! - What they work on: [`source`], [`layout`], [`bundle`].
//! - What they tell of a service: [`facts`], [`verdict`], [`tree`].
//! - In every hand: [`failure`], [`monitor`], [`cancel`].
//!
//! Everything else is private. The order of all modules is in `docs/ARCHITECTURE.md`.
//!
//! Nothing here prints or exits. Every function blocks its caller; what is asynchronous stays
//! inside.

mod accounts;
pub mod archive;
pub mod bundle;
pub mod cancel;
mod classify;
mod copies;
mod declared;
mod defaults;
mod engine;
mod environments;
pub mod facts;
pub mod failure;
mod family;
mod image;
mod init;
#[doc(hidden)]
pub mod internals;
pub mod layout;
pub mod monitor;
mod namespace;
mod observe;
mod pack;
mod packages;
mod pax;
mod references;
pub mod report;
pub mod restore;
mod service;
pub mod source;
mod survey;
mod system;
pub mod tree;
pub mod verdict;
