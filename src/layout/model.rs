//! [`Rule`]: what is known of one application, as it stands in its YAML file.
//!
//! These types are the rule language: a key that is not a field here is a typo and refused, and a
//! value that does not parse is refused where it stands, so a loaded rule needs no further checks
//! of form. Nothing here acts; steps are values. `rules/README.md` explains the language to people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Step;
use super::command::{Database, Rebuild, Validator};
use super::digests::Digests;
use super::outdated::Outdated;
use super::pattern::Template;
use super::scalar::{PathPattern, PathTemplate, Word};
use super::setting::{Mentions, Replace, Setting};
use super::unpacking::Unpacking;
use super::version::{Range, Version};
use crate::verdict::Worth;

/// One application on one distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// The application's name, shared by the files of all its distributions.
    pub app: Word,
    /// The family of distributions it is packaged for.
    #[serde(default = "debian")]
    pub distribution: Word,
    /// The application's name for people.
    pub title: String,
    /// Whether it is a service, or the system below all services.
    #[serde(default)]
    pub scope: Scope,
    /// What becomes of an earlier rule for the same application and distribution.
    #[serde(default)]
    pub earlier: Earlier,
    /// How much of its version matters to its layout.
    #[serde(default)]
    pub version: VersionRule,
    /// How to see that it is there.
    #[serde(default)]
    pub recognise: Recognise,
    /// What its paths are worth; the last match wins.
    #[serde(default)]
    pub layout: Vec<LayoutEntry>,
    /// Files that hold keys or passwords, whatever their worth.
    #[serde(default)]
    pub secrets: Vec<SecretMark>,
    /// Lines of its configuration that decide who gets in.
    #[serde(default)]
    pub access: Vec<AccessMark>,
    /// Paths that its packages make once and do not own: their absence is the user's decision.
    #[serde(default)]
    pub created: Vec<Created>,
    /// Packages that have another name, or none, in the new version; the first match wins.
    #[serde(default)]
    pub packages: Vec<PackageChange>,
    /// Accounts that have another name in the new version.
    #[serde(default)]
    pub accounts: Vec<Renaming>,
    /// Services that have another name in the new version.
    #[serde(default)]
    pub services: Vec<Renaming>,
    /// Data that only the program of its own version can read.
    #[serde(default)]
    pub databases: Vec<Database>,
    /// What configuration files need in newer versions.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Paths and names of the application that are others now, in its own configuration and
    /// wherever a rule's `mentions` say.
    #[serde(default)]
    pub everywhere: Vec<Replace>,
    /// Where other applications' paths and names are spoken of.
    #[serde(default)]
    pub mentions: Mentions,
    /// What programs, jobs and commands of people say that newer versions do not know.
    #[serde(default)]
    pub outdated: Vec<Outdated>,
    /// How one version's files become another's.
    #[serde(default)]
    pub transitions: Vec<Transition>,
    /// What has to be made again from placed files, whatever the versions.
    #[serde(default)]
    pub rebuild: Vec<Rebuild>,
    /// Commands that succeed in the new system when the files are right.
    #[serde(default)]
    pub validate: Vec<Validator>,
}

fn debian() -> Word {
    Word::from_static("debian")
}

/// Where a rule stands in the order of rules.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// What is so on every system, whatever it is: gives way to the system's own layout.
    Common,
    /// The system: its layout gives way to every application's.
    System,
    /// An application.
    #[default]
    Application,
}

/// What a rule does to an earlier one of the same application and distribution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Earlier {
    /// Takes its place.
    #[default]
    Replace,
    /// Adds to its lists; what is not a list stays as it was.
    Extend,
}

/// How much of a version the layout depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionRule {
    /// Leading numbers that are kept: 2 makes `7.4` of `7.4.33`.
    #[schemars(range(min = 1, max = 8))]
    pub components: usize,
}

impl Default for VersionRule {
    fn default() -> Self {
        VersionRule { components: 1 }
    }
}

/// How an application is recognised; any one of these is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recognise {
    /// By an installed package.
    #[serde(default)]
    pub packages: Vec<PackageMark>,
    /// By a path, for what came without a package.
    #[serde(default)]
    pub paths: Vec<PathMark>,
}

/// A package whose presence shows the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageMark {
    /// A pattern of its name. With `{version}` the version is in the name, and every version
    /// found is an installation of its own; without, it is the package's upstream version, and
    /// the highest one found counts.
    pub name: Template,
    /// Lifts a successor above its predecessor whose version numbers were higher.
    #[serde(default)]
    pub generation: u32,
}

/// A path whose presence shows the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathMark {
    /// The path, without wildcards.
    pub path: PathTemplate,
    /// The version it stands for, where it tells.
    #[serde(default)]
    pub version: Option<Version>,
}

/// What some paths are worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayoutEntry {
    /// Which paths; `/a/**` is the directory `/a` and everything below it. `{version}` is the
    /// version of the installation.
    pub globs: Vec<PathPattern>,
    /// Their worth.
    pub worth: Worth,
    /// With [`Worth::TemplateCopy`]: the file it was copied from; `{name}` is the name that the copy
    /// has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PathTemplate>,
    /// With [`Worth::TemplateCopy`]: what a package's script writes there, where the text is in no
    /// file of its own; by the release it was seen in, and matched whatever the release.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub sha256: Digests,
    /// Only symbolic links that lead there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<PathPattern>,
    /// Only directories.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
    /// With `link`: only to what a package brought or made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packaged: bool,
    /// Only what a server unpacked of an archive beside the directory, and only while all of it is
    /// as in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<Unpacking>,
    /// The reason, for people.
    pub why: String,
}

/// Files that hold a key or a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretMark {
    /// Which files, as [`LayoutEntry::globs`].
    pub globs: Vec<PathPattern>,
    /// Only those with such a line: globs of which `*` matches any text, that heed neither case nor
    /// the space around a line.
    pub lines: Vec<String>,
    /// What it is, for people.
    pub why: String,
}

/// Lines that decide who gets in. Where a new default, or a merge with it, has such a line and the
/// old one had not, or lacks one that kept somebody out, a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessMark {
    /// Which files, as [`LayoutEntry::globs`].
    pub globs: Vec<PathPattern>,
    /// Lines that let somebody in, as [`SecretMark::lines`], with single blanks and without a
    /// comment. A line in a section also counts with the heads of its sections before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opens: Vec<String>,
    /// Lines that keep somebody out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<String>,
    /// What is open then, for people.
    pub why: String,
}

/// Paths that a package's scripts make without owning them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Created {
    /// The paths; may hold `{version}`.
    pub paths: Vec<PathTemplate>,
    /// What makes them.
    pub why: String,
}

/// A package that is called otherwise, split or gone in the new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageChange {
    /// A pattern of its old name; `{old}` is the old version, other names capture.
    pub from: Template,
    /// The names to install instead; none when it is gone.
    pub to: Vec<Template>,
    /// The first version in which it is so; without, in every newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
    /// The reason, for people.
    pub why: String,
}

/// An account or a service with a new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    /// The old name, with `{old}`.
    pub from: Template,
    /// The new name, with `{new}`.
    pub to: Template,
    /// The first version in which it is so; without, in every newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Version>,
}

/// How files of one range of versions become files of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The versions it starts from.
    pub from: Range,
    /// The versions it leads to.
    pub to: Range,
    /// What it does, in order.
    pub steps: Vec<Step>,
}
