//! [`Target`]: the new system under construction.
//!
//! An image of an engine and an unpacked root are built by the same steps: packages are installed
//! in the staged system, it rests and is looked at, the draft is placed over it, commands run in
//! it, and only then it gets its final name. The order is one of types: a target that was not
//! looked at has no `place`. Until it is published, dropping a target removes every trace of it.

pub(super) mod engine;
pub(super) mod garbage;
pub(super) mod journal;
pub(super) mod layer;
pub(super) mod root;
pub(super) mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Loss;
use crate::failure::{Failure, FailureKind};
use crate::restore::target::volumes::VolumePlan;
use crate::service::ServiceSettings;
use crate::survey::{ImageFact, Observation};
use crate::system::{Command, Ran, System};
use crate::tree::{Draft, Store, Tree};
use crate::verdict::{Held, HeldKind};

/// How a user names what to restore onto.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSpec {
    /// An image of the engine.
    Image(String),
    /// An unpacked current root.
    Rootfs(PathBuf),
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing was named.
    #[error("the target is empty")]
    Empty,
    /// Not an image's name.
    #[error("an image's name has no such character: {0:?}")]
    Character(char),
}

impl TargetSpec {
    /// Reads `rootfs:DIR` or an image's name.
    pub fn parse(text: &str) -> Result<TargetSpec, TargetError> {
        if let Some(dir) = text.strip_prefix("rootfs:") {
            return match dir {
                "" => Err(TargetError::Empty),
                dir => Ok(TargetSpec::Rootfs(PathBuf::from(dir))),
            };
        }
        let plain = |c: &char| c.is_ascii_alphanumeric() || "_.-/:@".contains(*c);
        match text.chars().find(|c| !plain(c)) {
            Some(c) => Err(TargetError::Character(c)),
            None if text.is_empty() || text.starts_with(['-', '/']) => Err(TargetError::Empty),
            None => Ok(TargetSpec::Image(text.to_owned())),
        }
    }
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetSpec::Image(name) => f.write_str(name),
            TargetSpec::Rootfs(dir) => write!(f, "rootfs:{}", dir.display()),
        }
    }
}

/// Names of the result, decided before anything is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Publication {
    /// The id of the image that is built upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::restore) image: Option<String>,
    /// The new container's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::restore) container: Option<String>,
    /// New names of the named volumes, by their archived ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::restore) volumes: BTreeMap<String, String>,
}

/// What a target says of its result before anything is placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::restore) struct Terms {
    pub(in crate::restore) publication: Publication,
    /// Settings that the result will not have.
    pub(in crate::restore) dropped: Vec<Loss>,
    /// What its settings allow it to do to its host.
    pub(in crate::restore) grants: Vec<String>,
    /// What this way of placing can never deliver.
    pub(in crate::restore) limitations: Vec<String>,
}

/// A name that the result should have and that something else has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::restore) struct Taken {
    pub(in crate::restore) what: Named,
    pub(in crate::restore) name: String,
}

/// What can have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::restore) enum Named {
    Container,
    Image,
    Volume,
}

impl Taken {
    fn word(&self) -> &'static str {
        match self.what {
            Named::Container => "container",
            Named::Image => "image",
            Named::Volume => "volume",
        }
    }

    fn why(&self) -> String {
        let article = if self.what == Named::Image { "an" } else { "a" };
        format!("{article} {} of this name exists", self.word())
    }

    /// What a person has to see to before the plan can be executed.
    pub(in crate::restore) fn held(&self) -> Held {
        Held::new(HeldKind::Name, &self.name, format!("{}: a restore stops at it", self.why()))
    }

    /// The refusal of a restore.
    pub(in crate::restore) fn failure(&self) -> Failure {
        let (doing, next) = match self.what {
            Named::Container => ("making the container", "choose another name with --name"),
            Named::Image => ("tagging the image", "choose another name with --tag"),
            Named::Volume => ("making the volume", "choose another name with --name"),
        };
        Failure::new(FailureKind::Precondition, doing, &self.name)
            .why(self.why())
            .safe(format!("the existing {} is untouched, nothing was made", self.word()))
            .next(next)
    }
}

/// How one sort of new system is built. The order is [`Target`]'s.
pub(in crate::restore) trait Builder: System {
    /// The staged system as a tree, at rest: no command runs while it is read. Contents that have
    /// to be copied to be read go into unlinked files in `scratch`.
    fn tree(&mut self, scratch: &Path) -> Result<Arc<dyn Tree>, Failure>;

    /// What the result will be called and what of its settings it will have, when what is `wanted`
    /// is placed; nothing is made.
    fn terms(&self, wanted: Wanted<'_>) -> Result<Terms, Failure>;

    /// The image that is built upon; `None` for what is none.
    fn image(&self) -> Option<ImageFact> {
        None
    }

    /// Places what is `wanted` over the staged system, which is `below`, and fills the volumes;
    /// what was tried and did not succeed is lost. Parents of everything in the draft exist in the
    /// staged system or stand in the draft.
    fn place(
        &mut self,
        below: &dyn Tree,
        wanted: Wanted<'_>,
        store: &dyn Store,
    ) -> Result<Vec<Loss>, Failure>;

    /// Fixes the staged system as it is: what runs later does not become part of it.
    fn seal(&mut self) -> Result<(), Failure>;

    /// Starts the service in a throw-away container of the sealed system and watches it. Nothing of
    /// it becomes part of the result.
    fn observe(&mut self, _watching: &Watching<'_>) -> Result<Seen, Failure> {
        Ok(Seen::Nothing("it is an unpacked root, and no container"))
    }

    /// Gives the staged system its final name; nothing can fail after it.
    fn publish(&mut self) -> Result<Published, Failure>;

    /// Removes what only served the construction; what could not be removed, in words. Dropping
    /// does it too, and says nothing.
    fn clean(&mut self) -> Vec<String>;
}

/// What somebody who watches a service knows beforehand.
pub(in crate::restore) struct Watching<'a> {
    /// The lengths of its logs.
    pub(in crate::restore) logs: BTreeMap<String, u64>,
    /// Names of other machines that it is to find.
    pub(in crate::restore) lent: Vec<String>,
    /// Where what has to be copied goes.
    pub(in crate::restore) scratch: &'a Path,
}

/// What watching a service came to.
pub(in crate::restore) enum Seen {
    Observation(Observation),
    /// It was not watched, for this reason.
    Nothing(&'static str),
}

/// What is placed.
#[derive(Clone, Copy)]
pub(in crate::restore) struct Wanted<'a> {
    pub(in crate::restore) draft: &'a Draft,
    pub(in crate::restore) volumes: &'a [VolumePlan],
    /// How the result is run; `None` where it is no container, or nothing is known of it.
    pub(in crate::restore) settings: Option<&'a ServiceSettings>,
}

/// The new system under construction, at one of four stations: [`Staged`], [`AtRest`], [`Placed`],
/// [`Sealed`]. Each leads to the next and to no other. Dropped at any of them, nothing is left.
pub(in crate::restore) struct Target<S> {
    // First, so that nothing reads the system any more when the builder goes.
    station: S,
    builder: Box<dyn Builder>,
}

/// Packages are installed in it.
pub(in crate::restore) struct Staged;

/// It is looked at, and no command runs.
pub(in crate::restore) struct AtRest {
    tree: Arc<dyn Tree>,
}

/// Everything is in place, and commands of the plan run.
pub(in crate::restore) struct Placed;

/// It will not change any more: commands may look at it.
pub(in crate::restore) struct Sealed;

/// The stations at which commands run.
pub(in crate::restore) trait Running {}

impl Running for Staged {}
impl Running for Placed {}
impl Running for Sealed {}

impl<S: Running> System for Target<S> {
    fn run(&mut self, commands: Vec<Command>) -> Result<Vec<Ran>, Failure> {
        self.builder.run(commands)
    }

    fn download(&mut self, command: Command) -> Result<Ran, Failure> {
        self.builder.download(command)
    }
}

impl Target<Staged> {
    /// A new system without the packages of the service.
    pub(in crate::restore) fn new(builder: Box<dyn Builder>) -> Target<Staged> {
        Target { station: Staged, builder }
    }

    /// The image that is built upon.
    pub(in crate::restore) fn image(&self) -> Option<ImageFact> {
        self.builder.image()
    }

    /// Lets it rest, to be looked at. What has to be copied for that goes into unlinked files in
    /// `scratch`.
    pub(in crate::restore) fn rest(mut self, scratch: &Path) -> Result<Target<AtRest>, Failure> {
        let tree = self.builder.tree(scratch)?;
        Ok(Target { station: AtRest { tree }, builder: self.builder })
    }
}

impl Target<AtRest> {
    /// The staged system.
    pub(in crate::restore) fn tree(&self) -> &dyn Tree {
        &*self.station.tree
    }

    /// What the result will be called and what of its settings it will have, when what is `wanted`
    /// is placed.
    pub(in crate::restore) fn terms(&self, wanted: Wanted<'_>) -> Result<Terms, Failure> {
        self.builder.terms(wanted)
    }

    /// Places what is `wanted`; what did not succeed is lost.
    pub(in crate::restore) fn place(
        self,
        wanted: Wanted<'_>,
        store: &dyn Store,
    ) -> Result<(Target<Placed>, Vec<Loss>), Failure> {
        let Target { station: AtRest { tree }, mut builder } = self;
        let lost = builder.place(&*tree, wanted, store)?;
        Ok((Target { station: Placed, builder }, lost))
    }
}

impl Target<Placed> {
    /// Fixes it as it is.
    pub(in crate::restore) fn seal(mut self) -> Result<Target<Sealed>, Failure> {
        self.builder.seal()?;
        Ok(Target { station: Sealed, builder: self.builder })
    }
}

impl Target<Sealed> {
    /// Starts the service in a throw-away container and watches it.
    pub(in crate::restore) fn observe(&mut self, watching: &Watching<'_>) -> Result<Seen, Failure> {
        self.builder.observe(watching)
    }

    /// Gives it its final name. Nothing can fail after it; what only served the construction and
    /// could not be removed is told in words.
    pub(in crate::restore) fn publish(mut self) -> Result<(Published, Vec<String>), Failure> {
        let published = self.builder.publish()?;
        Ok((published, self.builder.clean()))
    }
}

/// What a restore made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) enum Published {
    /// A container.
    Container {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
        /// Settings that it does not have.
        dropped: Vec<Loss>,
    },
    /// An unpacked root.
    Root(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_image_or_a_root() {
        assert_eq!(
            TargetSpec::parse("debian:trixie"),
            Ok(TargetSpec::Image("debian:trixie".into()))
        );
        assert_eq!(TargetSpec::parse("rootfs:/srv/r"), Ok(TargetSpec::Rootfs("/srv/r".into())));
        assert_eq!(TargetSpec::parse("rootfs:"), Err(TargetError::Empty));
        assert_eq!(TargetSpec::parse("a b"), Err(TargetError::Character(' ')));
        assert_eq!(TargetSpec::parse("--x"), Err(TargetError::Empty));
    }
}
