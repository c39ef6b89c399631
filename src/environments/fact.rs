//! [`EnvironmentFact`]: what a survey says of one environment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tree::RootPath;

/// The longest name or version.
const WORD: usize = 128;

/// Who made an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// A Python environment of its own, made by `venv` or `virtualenv`.
    Venv,
    /// What `pip` installed for the whole system.
    System,
    /// What `pip` installed for one user.
    User,
    /// What `pip` installed into a directory of its own, which a variable names to Python.
    Target,
    /// A tree of Node modules.
    Node,
    /// A directory of Ruby gems.
    Gems,
    /// Packages of PHP's Composer.
    Composer,
    /// Programs that `cargo install` built.
    Cargo,
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EnvironmentKind::Venv => "Python environment",
            EnvironmentKind::System => "system-wide Python packages",
            EnvironmentKind::User => "Python packages of a user",
            EnvironmentKind::Target => "Python packages in a directory of their own",
            EnvironmentKind::Node => "Node modules",
            EnvironmentKind::Gems => "Ruby gems",
            EnvironmentKind::Composer => "Composer packages",
            EnvironmentKind::Cargo => "programs of cargo",
        })
    }
}

/// Where a package can be had again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// From an index, by name and version.
    Index,
    /// It belongs to the tools that an environment is made with: any version does.
    Tool,
    /// From nowhere that is known: its files are kept.
    Kept,
}

/// One package on the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its name, as it calls itself.
    pub name: String,
    /// Its version; empty where it is not recorded.
    pub version: String,
    /// Whether somebody asked for it by name.
    pub requested: bool,
    /// Where it can be had again.
    pub from: Provenance,
    /// Whether it brought what was compiled for the interpreter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compiled: bool,
}

impl Pinned {
    /// Whether an index can be asked for it; a bundle may say anything.
    pub fn is_pinned(&self) -> bool {
        self.from == Provenance::Index
            && is_word(&self.name, "._-")
            && is_word(&self.version, "._-+!")
    }
}

/// A kept file among those of a package: it goes back to its place once the package is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Where it was.
    #[serde(flatten)]
    pub path: RootPath,
    /// The package; empty for what the environment itself is made of.
    pub package: String,
    /// Its version then.
    pub version: String,
    /// Whether the package has a file of this name, which somebody changed.
    pub patched: bool,
    /// Whether the package has a file of this name, which somebody removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// How an environment was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// It sees the packages of the system.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_packages: bool,
    /// The name it shows, where somebody chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFact {
    /// Who made it.
    pub kind: EnvironmentKind,
    /// Its directory; for system and user installations the one above `bin` and `lib`.
    #[serde(flatten)]
    pub root: RootPath,
    /// The version of the interpreter as it stands in paths, such as `3.9`; empty without one.
    pub interpreter: String,
    /// Whether files of it were left out, so that a restore has to rebuild it.
    pub rebuild: bool,
    /// Why nothing of it was left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kept_because: String,
    /// What is installed in it, by name.
    pub packages: Vec<Pinned>,
    /// Kept and removed files among those of its packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parked: Vec<Parked>,
    /// How it was made.
    #[serde(default)]
    pub options: Options,
    /// The member of the bundle that holds the list as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
}

/// What environments of Python came with and no longer do, and what is asked for in its place:
/// later versions than that have no `pkg_resources`, which programs of the time import.
const NO_LONGER_MADE: &[(&str, &str)] = &[("setuptools", "setuptools<81")];

impl EnvironmentFact {
    /// Whether it is one of Python's.
    pub fn is_python(&self) -> bool {
        use EnvironmentKind::{System, Target, User, Venv};
        matches!(self.kind, Venv | System | User | Target)
    }

    /// What its maker put into it at the time and today's does not, as its index is asked for it.
    pub fn no_longer_made(&self) -> impl Iterator<Item = &'static str> {
        let had = |name: &str| self.packages.iter().any(|package| package.name == name);
        let gone = NO_LONGER_MADE.iter().filter(|_| self.is_python());
        gone.filter(move |(name, _)| had(name)).map(|(_, requirement)| *requirement)
    }

    /// The name of its list among a bundle's exports; `None` where there is nothing to list.
    pub fn list_name(&self) -> Option<String> {
        if self.packages.is_empty() {
            return None;
        }
        let file = if self.is_python() { "requirements.txt" } else { "packages.txt" };
        Some(match std::str::from_utf8(self.root.relative()) {
            Ok(place) if !place.is_empty() => format!("environments/{place}/{file}"),
            _ => format!("environments/{}/{file}", hex::encode(self.root.as_bytes())),
        })
    }

    /// The list as a text that the package manager, or a person, can read.
    pub fn list_text(&self) -> String {
        let mut text = format!("# {} in {}", self.kind, self.root);
        if !self.interpreter.is_empty() {
            text.push_str(&format!(", version {}", self.interpreter));
        }
        text.push('\n');
        for package in &self.packages {
            let Pinned { name, version, .. } = package;
            text.push_str(&match (self.is_python(), package.from) {
                (true, Provenance::Index) if package.is_pinned() => format!("{name}=={version}\n"),
                (true, Provenance::Tool) => format!("# {name} {version}: came with the tools\n"),
                (true, Provenance::Kept | Provenance::Index) => {
                    format!("# {name} {version}: from no index that is known, its files are kept\n")
                }
                (false, _) => format!("{name} {version}\n"),
            });
        }
        text
    }
}

/// Whether `word` may stand in a list that a package manager reads: nothing else ever does.
pub(super) fn is_word(word: &str, more: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    word.len() <= WORD
        && word.starts_with(ends)
        && word.ends_with(ends)
        && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(name: &str, from: Provenance) -> Pinned {
        Pinned { name: name.into(), version: "1.0".into(), requested: true, from, compiled: false }
    }

    #[test]
    fn a_list_names_what_an_index_has_and_comments_on_the_rest() {
        let fact = EnvironmentFact {
            kind: EnvironmentKind::Venv,
            root: RootPath::parse(b"/opt/v").unwrap(),
            interpreter: "3.9".into(),
            rebuild: true,
            kept_because: String::new(),
            packages: vec![
                pinned("flask", Provenance::Index),
                pinned("mine", Provenance::Kept),
                pinned("pip", Provenance::Tool),
            ],
            parked: vec![],
            options: Options::default(),
            list: None,
        };
        let text = fact.list_text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["flask==1.0"]);
        assert_eq!(text.lines().count(), 4);
        assert_eq!(fact.list_name().as_deref(), Some("environments/opt/v/requirements.txt"));
    }
}
