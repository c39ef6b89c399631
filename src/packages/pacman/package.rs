//! [`PacmanPackage`]: what pacman records about a package.

use crate::packages::file_record::FileRecord;
use crate::packages::index::Brings;
use crate::packages::supply::Proof;

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
    /// Who made it; empty where the record does not say.
    pub packager: String,
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

impl PacmanPackage {
    /// What shows that a repository can give it again: that it was signed, and by somebody with a
    /// name. What is built on a system is neither.
    pub(crate) fn proof(&self) -> Proof {
        match self.validation.as_slice() {
            _ if self.packager == "Unknown Packager" => {
                Proof::Against("it was built by nobody with a name".to_owned())
            }
            [] => Proof::Nothing("no record says how it was checked".to_owned()),
            ways if ways.iter().any(|way| way == "pgp") => Proof::Shown,
            [way] if way == "none" => Proof::Against("it was installed from a file".to_owned()),
            _ => Proof::Nothing("it was not signed".to_owned()),
        }
    }
}

impl Brings for PacmanPackage {
    fn files(&self) -> &[FileRecord] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_on_the_system_cannot_be_had_again() {
        let shown = |packager: &str, validation: &[&str]| {
            let validation = validation.iter().map(ToString::to_string).collect();
            let packager = packager.to_owned();
            match (PacmanPackage { packager, validation, ..PacmanPackage::default() }).proof() {
                Proof::Shown => Some(true),
                Proof::Against(_) => Some(false),
                Proof::Nothing(_) => None,
            }
        };
        assert_eq!(shown("A <a@archlinux.org>", &["sha256", "pgp"]), Some(true));
        assert_eq!(shown("A <a@archlinux.org>", &["none"]), Some(false));
        assert_eq!(shown("Unknown Packager", &["pgp"]), Some(false));
        assert_eq!(shown("A <a@archlinux.org>", &["sha256"]), None);
        assert_eq!(shown("", &[]), None);
    }
}
