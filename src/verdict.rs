//! The words of a verdict: what becomes of a path, why, where the path came from.
//!
//! Only the words, so that a bundle can carry verdicts without knowing how they are reached;
//! the ladder that reaches them is in `classify`.

mod comeback;
mod harm;
mod reason;
mod worth;

use std::fmt;

pub use comeback::Comeback;
pub use harm::Harm;
pub use reason::Reason;
use serde::{Deserialize, Serialize};
pub use worth::Worth;

/// What a path is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Cannot be had again: kept.
    Mutable,
    /// Can be had again from a package, a generator or an image: recorded only.
    Immutable,
    /// Runtime state and caches: recorded only.
    Ephemeral,
    /// Belongs to the old machine, not to the service: recorded only.
    Identity,
}

/// Where a path came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The lowest layer of the container's image.
    Base,
    /// A layer of the image above its base.
    Image,
    /// The container's own life.
    Container,
    /// A volume mounted into the container.
    Volume,
    /// A directory of the host mounted into the container.
    Bind,
    /// An unpacked root, where image and life cannot be told apart.
    Root,
}

/// Where a path lies: in the root itself, or in something mounted into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the root.
    Root,
    /// In a volume.
    Volume,
    /// In a directory of the host.
    Bind,
}

/// Something that only a person can decide: kept beside the new default, and named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "HeldJson", into = "HeldJson")]
pub struct Held {
    /// What sort of thing it is.
    pub kind: HeldKind,
    /// What it is about.
    pub subject: String,
    /// The question.
    pub why: String,
    /// What it was in the old system, where that is one value.
    pub was: Option<String>,
    /// What may take its place.
    pub candidates: Vec<String>,
    /// Where the texts to look at are.
    pub files: Vec<String>,
    /// What happens when nobody decides: that of the kind, unless more is known.
    pub harm: Harm,
}

/// What sort of thing is left to a person. The words are a contract: more may come, none changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldKind {
    /// A name of a user, a group or an id that two systems use otherwise.
    Account,
    /// The choice among programs that serve one purpose.
    Alternative,
    /// A program that something runs by its name, and that is not there.
    Command,
    /// A file of configuration that both sides changed.
    Configuration,
    /// Data that the new version cannot read.
    Data,
    /// A default that nobody edited, and that says something else now.
    Default,
    /// A package's file that was made to lie elsewhere.
    Diversion,
    /// Something of an environment of a language.
    Environment,
    /// What the health check answers.
    Health,
    /// What the old container's image had, and what it is restored onto has not.
    Image,
    /// A port that was listened on.
    Listener,
    /// An error that the service writes to its log.
    Log,
    /// A program's library that the new system does not have.
    Library,
    /// A language of messages and dates that the new system cannot speak.
    Locale,
    /// Modules for a version of their interpreter that the new system does not have.
    Modules,
    /// A name that the result should have and that something else has.
    Name,
    /// Owner and mode that were fixed by hand.
    Ownership,
    /// A package that was kept at its version.
    Package,
    /// A program that ran.
    Process,
    /// A changed program.
    Program,
    /// Something that led to a file, and leads nowhere in the new system.
    Reference,
    /// A repository of packages.
    Repository,
    /// What a rule asks a person about.
    Rule,
    /// The account that a program runs as.
    RunsAs,
    /// A service that was switched on.
    Service,
    /// Something outside the service that it needs, and that is not here while it is checked.
    Surroundings,
    /// A version that no rule leads from or to.
    Version,
    /// A volume that was more than a directory of the engine's for one container.
    Volume,
}

impl HeldKind {
    /// The word as it stands in every output, and what happens when nobody decides. Where that
    /// differs, the worst counts, and [`Held::harm`] can say better.
    fn told(self) -> (&'static str, Harm) {
        match self {
            HeldKind::Account => ("account", Harm::OpensAccess),
            HeldKind::Alternative => ("alternative", Harm::DoesNotStart),
            HeldKind::Command => ("command", Harm::DoesNotStart),
            HeldKind::Configuration => ("configuration", Harm::DoesNotStart),
            HeldKind::Data => ("data", Harm::LosesData),
            HeldKind::Default => ("default", Harm::DoesNotStart),
            HeldKind::Diversion => ("diversion", Harm::LosesData),
            HeldKind::Environment => ("environment", Harm::DoesNotStart),
            HeldKind::Health => ("health", Harm::DoesNotStart),
            HeldKind::Image => ("image", Harm::DoesNotStart),
            HeldKind::Library => ("library", Harm::DoesNotStart),
            HeldKind::Listener => ("listener", Harm::DoesNotStart),
            HeldKind::Locale => ("locale", Harm::Cosmetic),
            HeldKind::Log => ("log", Harm::DoesNotStart),
            HeldKind::Modules => ("modules", Harm::DoesNotStart),
            HeldKind::Name => ("name", Harm::DoesNotStart),
            HeldKind::Ownership => ("ownership", Harm::OpensAccess),
            HeldKind::Package => ("package", Harm::Cosmetic),
            HeldKind::Process => ("process", Harm::DoesNotStart),
            HeldKind::Program => ("program", Harm::LosesData),
            HeldKind::Reference => ("reference", Harm::DoesNotStart),
            HeldKind::Repository => ("repository", Harm::Cosmetic),
            HeldKind::Rule => ("rule", Harm::DoesNotStart),
            HeldKind::RunsAs => ("runs-as", Harm::OpensAccess),
            HeldKind::Service => ("service", Harm::DoesNotStart),
            HeldKind::Surroundings => ("surroundings", Harm::Cosmetic),
            HeldKind::Volume => ("volume", Harm::LosesData),
            HeldKind::Version => ("version", Harm::DoesNotStart),
        }
    }

    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        self.told().0
    }

    /// What happens when nobody decides about one of this kind.
    pub fn harm(self) -> Harm {
        self.told().1
    }
}

impl Held {
    /// A question of `kind` about `subject`.
    pub fn new(kind: HeldKind, subject: impl fmt::Display, why: impl fmt::Display) -> Held {
        Held {
            kind,
            subject: subject.to_string(),
            why: why.to_string(),
            was: None,
            candidates: vec![],
            files: vec![],
            harm: kind.harm(),
        }
    }

    /// Sorts by harm, the worst first, then by subject.
    pub fn sort(held: &mut [Held]) {
        held.sort_by(|a, b| (a.harm, &a.subject).cmp(&(b.harm, &b.subject)));
    }

    /// What happens to this one when nobody decides.
    #[must_use]
    pub fn harm(mut self, harm: Harm) -> Held {
        self.harm = harm;
        self
    }

    /// What it was in the old system.
    #[must_use]
    pub fn was(mut self, was: impl fmt::Display) -> Held {
        self.was = Some(was.to_string());
        self
    }

    /// Something that may take its place.
    #[must_use]
    pub fn candidate(mut self, candidate: impl fmt::Display) -> Held {
        self.candidates.push(candidate.to_string());
        self
    }

    /// A text to look at.
    #[must_use]
    pub fn file(mut self, file: impl fmt::Display) -> Held {
        self.files.push(file.to_string());
        self
    }
}

/// How [`Held`] stands in JSON: `reason` is what `why` was called first, and stays.
#[derive(Serialize, Deserialize)]
struct HeldJson {
    kind: HeldKind,
    subject: String,
    #[serde(default)]
    reason: String,
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<String>,
    /// What was written before it was known has that of its kind.
    #[serde(default)]
    harm: Option<Harm>,
}

impl From<Held> for HeldJson {
    fn from(held: Held) -> HeldJson {
        let Held { kind, subject, why, was, candidates, files, harm } = held;
        let (reason, harm) = (why.clone(), Some(harm));
        HeldJson { kind, subject, reason, why, was, candidates, files, harm }
    }
}

impl From<HeldJson> for Held {
    fn from(json: HeldJson) -> Held {
        let HeldJson { kind, subject, reason: _, why, was, candidates, files, harm } = json;
        let harm = harm.unwrap_or(kind.harm());
        Held { kind, subject, why, was, candidates, files, harm }
    }
}

impl Class {
    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        match self {
            Class::Mutable => "mutable",
            Class::Immutable => "immutable",
            Class::Ephemeral => "ephemeral",
            Class::Identity => "identity",
        }
    }
}

impl Origin {
    /// The word as it stands in every output.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Base => "base",
            Origin::Image => "image",
            Origin::Container => "container",
            Origin::Volume => "volume",
            Origin::Bind => "bind",
            Origin::Root => "root",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_says_its_kind_and_keeps_the_name_of_its_first_reason() {
        let held = Held::new(HeldKind::Package, "samba", "it was on hold").was("4.13");
        let json = serde_json::json!({
            "kind": "package", "subject": "samba", "reason": "it was on hold",
            "why": "it was on hold", "was": "4.13", "harm": "cosmetic",
        });
        assert_eq!(serde_json::to_value(&held).unwrap(), json);
        assert_eq!(serde_json::from_value::<Held>(json).unwrap(), held);
        let word = serde_json::to_value(held.kind).unwrap();
        assert_eq!(word, held.kind.word());
    }

    #[test]
    fn the_worst_comes_first_and_an_item_can_be_worse_than_its_kind() {
        let held = |kind, subject| Held::new(kind, subject, "?");
        let mut all = vec![
            held(HeldKind::Package, "c"),
            held(HeldKind::Version, "b"),
            held(HeldKind::Data, "d"),
            held(HeldKind::Version, "a"),
            held(HeldKind::Repository, "e").harm(Harm::OpensAccess),
        ];
        Held::sort(&mut all);
        let order: Vec<&str> = all.iter().map(|held| held.subject.as_str()).collect();
        assert_eq!(order, ["a", "b", "e", "d", "c"]);
    }
}
