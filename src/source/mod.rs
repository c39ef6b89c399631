//! [`Source`]: the place where a service lives, opened for reading.
//!
//! Whatever it is, a source is a tree with its volumes mounted into it, an image beneath it where
//! there is one, and the facts of its container. A container is read from its engine; an unpacked
//! root, a tar and an image in files need none. Opening one changes nothing in it and executes
//! nothing from it.

mod below;
mod bolt;
mod by_api;
mod compression;
mod container;
mod facts;
mod findings;
mod layers;
mod oci;
mod on_disk;
mod open;
mod opened;
mod saved;
mod shelf;
mod snapshots;
mod spec;
mod stored;
mod stored_image;

use std::fmt;
use std::sync::Arc;

pub(crate) use container::read_container;
pub(crate) use facts::ContainerFacts;
pub(crate) use facts::engine_failure;
pub use findings::LeftOut;
pub use spec::{SourceSpec, SpecError};

use crate::facts::{ImageFact, MountFact};
use crate::failure::Failure;
use crate::image::ImageView;
use crate::service::Settings;
use crate::tree::{Mounted, RootPath, Rootfs, Tree};
use crate::verdict::Location;

/// Whether the content of bind mounts is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binds {
    /// They are listed.
    #[default]
    List,
    /// They are taken like volumes.
    Take,
}

/// Whether a container may run while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Running {
    /// It may not: what it writes meanwhile would be torn.
    #[default]
    Refuse,
    /// It may: nothing is taken from it, it is only looked at.
    Read,
}

/// How to open a source.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// What happens with bind mounts.
    pub binds: Binds,
    /// An image that can be had again, by its name in the source's engine.
    pub base: Option<String>,
    /// Whether it may run.
    pub running: Running,
}

/// Something mounted into a source.
pub(crate) struct Mount {
    fact: MountFact,
    location: Location,
    /// It is a file, which a bundle keeps like one of the root.
    single: bool,
}

/// The image beneath a container.
pub(crate) struct Beneath {
    /// What it says of itself; of its packages nothing yet.
    pub(crate) fact: ImageFact,
    /// Its files.
    pub(crate) tree: Arc<dyn Tree>,
}

/// An opened source.
pub struct Source {
    spec: SourceSpec,
    name: String,
    tree: Mounted,
    /// Trees on this machine's disk, each with where it is seen, to ask what their walks met.
    on_disk: Vec<(RootPath, Arc<Rootfs>)>,
    /// Mounts whose content is read, in the order of `tree`'s mounts.
    mounted: Vec<Mount>,
    /// Mounts that are only listed.
    listed: Vec<MountFact>,
    image: Option<ImageView>,
    /// Trees of single image layers, bottom first.
    layers: Vec<Arc<dyn Tree>>,
    /// What the image says of itself, and its tree without the life above it.
    beneath: Option<Beneath>,
    base: Option<Arc<dyn Tree>>,
    container: Option<ContainerFacts>,
    /// How the service was run, or would be in a fresh container of the image.
    settings: Settings,
    /// Whether the tree is a container's, into which its engine wrote files.
    in_container: bool,
    /// The file that all was read from.
    file: Option<opened::Opened>,
    left_out: Vec<LeftOut>,
    limitations: Vec<String>,
}

impl Source {
    /// A source that is nothing but `tree`.
    fn new(spec: &SourceSpec, name: String, tree: Arc<dyn Tree>) -> Source {
        Source {
            spec: spec.clone(),
            name,
            tree: Mounted::new(tree, vec![]),
            on_disk: vec![],
            mounted: vec![],
            listed: vec![],
            image: None,
            layers: vec![],
            beneath: None,
            base: None,
            container: None,
            settings: Settings::None,
            in_container: false,
            file: None,
            left_out: vec![],
            limitations: vec![],
        }
    }

    /// The whole tree, mounts included.
    pub fn tree(&self) -> &dyn Tree {
        &self.tree
    }

    /// The name without its scheme.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was named.
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// The container's image.
    pub fn image(&self) -> Option<&ImageView> {
        self.image.as_ref()
    }

    /// What the container's image says of itself, with its files.
    pub(crate) fn beneath(&self) -> Option<&Beneath> {
        self.beneath.as_ref()
    }

    /// The image that the user declared to be had again.
    pub fn base(&self) -> Option<&dyn Tree> {
        self.base.as_deref()
    }

    /// The container's facts, for a container.
    pub(crate) fn container(&self) -> Option<&ContainerFacts> {
        self.container.as_ref()
    }

    /// How the service was run, or would be in a fresh container of the image.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the tree is a container's, into which its engine wrote files.
    pub fn in_container(&self) -> bool {
        self.in_container
    }

    /// What the source holds and cannot be taken out of it.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What the way in cannot deliver.
    pub fn limitations(&self) -> &[String] {
        &self.limitations
    }

    /// Where `path` lies.
    pub fn location(&self, path: &RootPath) -> Location {
        self.tree
            .mount_of(path)
            .and_then(|index| self.mounted.get(index))
            .map_or(Location::Root, |mount| mount.location)
    }

    /// The mounted directory that `path` lies in.
    pub fn mount(&self, path: &RootPath) -> Option<&MountFact> {
        let index = self.tree.mount_of(path)?;
        self.mounted.get(index).filter(|mount| !mount.single).map(|mount| &mount.fact)
    }

    /// All mounted directories whose content is read.
    pub fn directories(&self) -> impl Iterator<Item = &MountFact> {
        self.mounted.iter().filter(|mount| !mount.single).map(|mount| &mount.fact)
    }

    /// All mounts, read or only listed.
    pub fn mounts(&self) -> Vec<MountFact> {
        self.mounted.iter().map(|m| m.fact.clone()).chain(self.listed.iter().cloned()).collect()
    }

    /// Directories where another file system begins, which a walk did not enter.
    pub fn not_crossed(&self) -> Vec<RootPath> {
        let seen = |(at, rootfs): &(RootPath, Arc<Rootfs>)| -> Vec<RootPath> {
            rootfs.skipped_mounts().iter().map(|path| at.join(path)).collect()
        };
        self.on_disk.iter().flat_map(seen).collect()
    }

    /// Files with flags of their file system, which nothing carries over, as far as they were
    /// walked; how many there are beyond those.
    pub fn flagged(&self) -> (Vec<(RootPath, String)>, usize) {
        let (mut listed, mut more) = (vec![], 0);
        for (at, rootfs) in &self.on_disk {
            let flagged = rootfs.flagged();
            let found = flagged.listed.into_iter();
            listed.extend(found.map(|(path, flags)| (at.join(&path), flags)));
            more += flagged.more;
        }
        (listed, more)
    }

    /// The trees of the single layers of its image, bottom first.
    pub fn layers(&self) -> &[Arc<dyn Tree>] {
        &self.layers
    }

    /// Makes sure that the source is still what was opened.
    ///
    /// # Errors
    /// A container that is gone or was started meanwhile, a file that was written to
    /// (precondition).
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        match (&self.container, &self.file) {
            (Some(facts), _) => facts.check_unchanged(&self.spec),
            (_, Some(file)) => file.check_unchanged(&self.spec),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}
