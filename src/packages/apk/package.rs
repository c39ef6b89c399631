//! [`ApkPackage`]: what apk records about a package.

use crate::packages::file_record::FileRecord;
use crate::packages::index::Brings;

/// One installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApkPackage {
    /// Its name. One that begins with a dot stands for packages installed together.
    pub name: String,
    /// Its version as recorded: data, not checked.
    pub version: String,
    /// Its architecture, `noarch` included.
    pub arch: String,
    /// Its digest, which `world` may ask for; data, not checked.
    pub identity: String,
    /// The name of the source package.
    pub origin: Option<String>,
    /// The tag of the repositories it may come from besides those without a tag.
    pub tag: Option<String>,
    /// When it was built, in seconds since 1970.
    pub built: Option<i64>,
    /// Whether it came because another package asked for it, not a person.
    pub auto: bool,
    /// Whether somebody pinned its version.
    pub hold: bool,
    /// Whether its files or attributes could not all be written, or a script failed.
    pub broken: bool,
    /// Names it needs, all of them: packages, or what packages provide (`so:…`, `cmd:…`).
    pub depends: Vec<String>,
    /// Names it answers to besides its own.
    pub provides: Vec<String>,
    /// It comes by itself as soon as all of these are there; empty for never.
    pub install_if: Vec<String>,
    /// Packages whose files it may take over.
    pub replaces: Vec<String>,
    /// Patterns of directories: a change in one runs its trigger.
    pub triggers: Vec<String>,
    /// Its files and directories, as recorded.
    pub files: Vec<FileRecord>,
}

impl Brings for ApkPackage {
    fn files(&self) -> &[FileRecord] {
        &self.files
    }
}
