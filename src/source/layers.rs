//! [`Layers`]: what a container is made of, and the [`Way`] that leads to them.

use crate::image::Fidelity;
use crate::tree::Layer;

/// The layers of a container, whichever way they were read.
pub(super) struct Layers {
    /// The image's, bottom first, then what is the container's own.
    pub(super) layers: Vec<Layer>,
    /// How many of them are the image.
    pub(super) image_layers: usize,
    /// What the container's own layer shows of metadata.
    pub(super) fidelity: Fidelity,
}

/// The way the content of a container is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Directories of this machine, proved to be the engine's.
    OnDisk,
    /// The engine's API.
    Api,
}
