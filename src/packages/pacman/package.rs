//! [`PacmanPackage`]: what pacman records about a package.

use crate::packages::file_record::FileRecord;
use crate::packages::index::Brings;

/// One installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PacmanPackage {
    /// Its name.
    pub name: String,
    /// Its version as recorded: data, not checked.
    pub version: String,
    /// Its architecture, `any` included; empty where the record does not say.
    pub arch: String,
    /// The name of the source package.
    pub base: Option<String>,
    /// When it was installed, in seconds since 1970.
    pub installed: Option<i64>,
    /// Whether it came because another package asked for it, not a person.
    pub auto: bool,
    /// Whether somebody pinned its version.
    pub hold: bool,
    /// How it was checked when it was installed: `none`, `md5`, `sha256`, `pgp`.
    pub validation: Vec<String>,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// Names it needs, all of them.
    pub depends: Vec<String>,
    /// Names it can make use of.
    pub optional: Vec<String>,
    /// Names it answers to besides its own.
    pub provides: Vec<String>,
    /// Its files and directories, as recorded.
    pub files: Vec<FileRecord>,
}

impl Brings for PacmanPackage {
    fn files(&self) -> &[FileRecord] {
        &self.files
    }
}
