//! The words for how a service is run, whichever engine runs it.
//!
//! Only the words, so that a survey and a bundle can carry them without knowing any engine.

mod mount_kind;

pub use mount_kind::MountKind;
