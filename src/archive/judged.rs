//! [`Judged`]: one path of a source with its verdict.

use super::pristine::Pristine;
use crate::environments::PartOf;
use crate::tree::Entry;
use crate::verdict::{Class, Origin, Reason};

/// One path with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The path with its metadata; for a deletion what was known about it.
    pub entry: Entry,
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Where it came from.
    pub origin: Origin,
    /// The package that owns it.
    pub package: Option<String>,
    /// What it is to an environment of a language.
    pub part: Option<Box<PartOf>>,
    /// Somebody removed it, and it stays removed.
    pub deleted: bool,
    /// It is kept, and holds a key or a password.
    pub secret: bool,
    /// Of an edited configuration file: what it was before, where that can be had.
    pub pristine: Option<Pristine>,
    /// What its image had there, where the container's life changed it and that is something else.
    pub image_text: Option<Pristine>,
}
