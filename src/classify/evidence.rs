//! [`Evidence`]: everything known about one path, as plain values.
//!
//! Gathering evidence reads files; judging it does not. Whatever the ladder may look at is a field
//! here, so that `explain` can show all of it and a test can make any combination up.

use std::fmt;

use crate::declared::{Author, Nature, Switch};
use crate::environments::PartOf;
use crate::image::Difference;
use crate::tree::{FileType, RootPath};
use crate::verdict::{Origin, Reason, Worth};

/// What a user's own glob says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChoice {
    /// `--include GLOB`.
    Include(String),
    /// `--exclude GLOB`.
    Exclude(String),
}

/// How the content compares with what a recorded digest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Equal digest.
    Equal,
    /// Another digest, or not a regular file any more.
    Differs,
    /// Nothing was recorded to compare with.
    Unrecorded,
}

/// What the package database says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageEvidence {
    /// The owning package.
    pub name: String,
    /// Whether the package lists the path as a configuration file.
    pub conffile: bool,
    /// Content against the package's digest, or against where a link was recorded to lead.
    pub content: Content,
    /// Owner and mode against the record, of managers that have one.
    pub meta: Content,
    /// `Some(false)`: nothing shows that the package can be had again.
    pub offered: Option<bool>,
}

/// What a place is for, whatever lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// No place of its own.
    Ordinary,
    /// Exists only while the system runs: `/proc`, `/run`, `/tmp` …
    Runtime,
    /// Written by the engine into every container.
    EngineManaged,
    /// `passwd`, `group`, `shadow` …: merged by name, never placed.
    Accounts,
}

/// What a rule says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleEvidence {
    /// The rule's application.
    pub app: String,
    /// What the path is worth.
    pub worth: Worth,
    /// Why, in the rule's words.
    pub why: String,
}

/// What the system's own files say about a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Statement {
    /// What it is worth, and who declares it.
    Declared(Nature, Author),
    /// It switches a service on or off.
    Switch(Switch),
    /// A package lists it as made later, by its scripts or programs.
    Ghost(String),
    /// A package manages it with ucf, which recorded no digest.
    Ucf(String),
}

impl Statement {
    /// What the path is worth.
    pub fn nature(&self) -> Nature {
        match self {
            Statement::Declared(nature, _) => *nature,
            Statement::Switch(Switch::ByHand) => Nature::Choice,
            Statement::Switch(_) => Nature::Generated,
            Statement::Ghost(_) | Statement::Ucf(_) => Nature::State,
        }
    }
}

/// What becomes of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogPolicy {
    /// Keep them.
    #[default]
    Keep,
    /// Leave them out.
    Drop,
}

/// What a file is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Template {
    /// A package's own file.
    File(RootPath),
    /// A text that a package's scripts write.
    Script,
}

/// Everything known about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What kind of node it is.
    pub file_type: FileType,
    /// Where it came from.
    pub origin: Origin,
    /// The last of the user's globs that matches.
    pub user: Option<UserChoice>,
    /// What the place is for.
    pub place: Place,
    /// What the package database says.
    pub package: Option<PackageEvidence>,
    /// Of a link that no package brings: the package that cannot be had again and brings what the
    /// link leads to.
    pub leads_to: Option<String>,
    /// Owned by root, readable by all, writable by root alone, and without attributes, as nearly
    /// everything in a package is.
    pub plain: bool,
    /// Of a symbolic link of a package: whether it leads to where packages' links lead.
    pub usual_link: bool,
    /// How it differs from the image; `None` without an image.
    pub image: Option<Difference>,
    /// Whether it was modified after the baseline; `None` without a baseline time.
    pub newer: Option<bool>,
    /// What `ucf` recorded as the pristine content of this file.
    pub ucf: Option<Content>,
    /// Whether that content is one that some package brought.
    pub ucf_shipped: bool,
    /// A text of a package that this file is a copy of.
    pub template: Option<Template>,
    /// A link of the alternatives system: `true` when it chose by itself.
    pub alternative: Option<bool>,
    /// Compiled from a source file that stands beside it.
    pub compiled: bool,
    /// What it is to an environment of a language's package manager.
    pub environment: Option<PartOf>,
    /// What a rule says.
    pub rule: Option<RuleEvidence>,
    /// What the system's own files say, where it holds.
    pub said: Option<Statement>,
    /// Whether the image that the user declared to be had again holds the same.
    pub in_base: bool,
    /// What the user wants done with logs.
    pub logs: LogPolicy,
}

impl Evidence {
    /// Evidence about an ordinary path that nothing is known about.
    pub fn none(file_type: FileType, origin: Origin) -> Evidence {
        Evidence {
            file_type,
            origin,
            user: None,
            place: Place::Ordinary,
            package: None,
            leads_to: None,
            plain: true,
            usual_link: true,
            image: None,
            newer: None,
            ucf: None,
            ucf_shipped: false,
            template: None,
            alternative: None,
            compiled: false,
            environment: None,
            rule: None,
            said: None,
            in_base: false,
            logs: LogPolicy::Keep,
        }
    }

    /// Each piece of evidence as a line for people, in a fixed order.
    pub fn lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("is a {}", self.file_type), format!("origin: {}", self.origin)];
        match &self.user {
            Some(UserChoice::Include(glob)) => lines.push(format!("included by `{glob}`")),
            Some(UserChoice::Exclude(glob)) => lines.push(format!("excluded by `{glob}`")),
            None => {}
        }
        match self.place {
            Place::Ordinary => {}
            Place::Runtime => lines.push("lies where only a running system writes".into()),
            Place::EngineManaged => lines.push("is written by the engine".into()),
            Place::Accounts => lines.push("holds accounts".into()),
        }
        if let Some(package) = &self.package {
            let conffile = if package.conffile { " as a configuration file" } else { "" };
            lines.push(format!("owned by package {}{conffile}", package.name));
            lines.push(format!("against the package's digest: {}", package.content));
            if package.meta != Content::Unrecorded {
                lines.push(format!("against the recorded owner and mode: {}", package.meta));
            }
            match package.offered {
                Some(true) => lines.push("the package can be had again".into()),
                Some(false) => lines.push("nothing shows that the package can be had again".into()),
                None => {}
            }
        }
        if let Some(package) = &self.leads_to {
            lines.push(format!("leads to package {package}, which cannot be had again"));
        }
        if self.package.is_some() && !self.plain {
            lines.push("its owner, mode or attributes are not as nearly all packages'".into());
        }
        if !self.usual_link {
            lines.push("leads to where no package's link does".into());
        }
        if let Some(change) = self.image {
            lines.push(format!("against the image: {change}"));
        }
        match self.newer {
            Some(true) => lines.push("modified after the baseline".into()),
            Some(false) => lines.push("not modified after the baseline".into()),
            None => {}
        }
        if let Some(content) = self.ucf {
            lines.push(format!("against ucf's digest: {content}"));
            if !self.ucf_shipped {
                lines.push("no package brought what ucf recorded".to_owned());
            }
        }
        if let Some(template) = &self.template {
            lines.push(Reason::from(template).to_string());
        }
        match self.alternative {
            Some(true) => lines.push("link of the alternatives system, chosen by it".into()),
            Some(false) => lines.push("link of the alternatives system, chosen by hand".into()),
            None => {}
        }
        if self.compiled {
            lines.push("compiled from the source beside it".into());
        }
        if let Some(found) = &self.environment {
            lines.push(Reason::from(found).to_string());
        }
        if let Some(rule) = &self.rule {
            lines.push(format!("rule {}: {} ({})", rule.app, rule.worth.word(), rule.why));
        }
        if let Some(said) = &self.said {
            lines.push(format!("declared: {}", Reason::from(said)));
        }
        if self.in_base {
            lines.push("the image given with --base holds the same".into());
        }
        lines
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Equal => "equal",
            Content::Differs => "differs",
            Content::Unrecorded => "nothing recorded",
        })
    }
}
