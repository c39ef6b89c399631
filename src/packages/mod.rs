//! Packages: what is installed, which files came with it, and who asked for it.
//!
//! Package managers differ in where and how they write this down; the types here are what they
//! have in common. Everything is read from the records' files: nothing in a tree is executed. A
//! damaged record costs that record, never the rest, and is named as a [`Problem`]; a file that
//! loses its owner that way is one more file to keep.
//!
//! A record is a *claim* by the tree about itself. It says where a file came from; whether the
//! file still is what the package brought, only its content's digest says.

pub(crate) mod apk;
pub(crate) mod apt;
mod apt_history;
mod beside;
mod control;
pub(crate) mod dpkg;
mod file_record;
mod glob;
mod index;
mod installed;
mod intent;
mod ledger;
mod manager;
mod mark;
mod md5;
mod moving;
mod own_state;
mod ownership;
mod package;
pub(crate) mod pacman;
mod problem;
mod records;
mod release_table;
pub(crate) mod rpm;
mod supply;
pub mod version;

pub(crate) use beside::{NEW_DEFAULT, OLD_TEXT, is_put_beside};
pub(crate) use dpkg::{
    Alternative, AlternativeStatus, Moment, StatOverride, Switched, ever_listed, leaves_off,
};
pub use file_record::{Digest, FileRecord, Presence, RecordedKind, Role};
pub(crate) use glob::matches;
pub(crate) use index::Brought;
pub(crate) use installed::Installed;
pub(crate) use intent::Wanted;
pub use intent::Why;
pub(crate) use ledger::{Claim, Decisions, Unit};
pub(crate) use manager::{Manager, UNATTENDED};
pub use md5::Md5;
pub(crate) use moving::Moving;
pub(crate) use own_state::{OWN_CONFIGURATION, OWN_STATE};
pub(crate) use package::Conffile;
pub use package::{Package, Status};
pub(crate) use problem::Problem;
pub(crate) use supply::{Distribution, Tables};
