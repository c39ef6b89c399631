//! [`Question`]: two systems, and what of the old one is in the new.

use crate::service::ServiceSettings;
use crate::tree::{RootPath, Tree, TreeError, resolve};

/// Two systems, and what of the old one is in the new.
pub(crate) struct Question<'a> {
    /// Every path of the old system; only what was kept can be opened.
    pub(crate) old: &'a dyn Tree,
    /// The new system, with what was kept in its places.
    pub(crate) new: &'a dyn Tree,
    /// What of the new system is the service's own, in path order. What packages bring is not.
    pub(crate) kept: &'a [Kept],
    /// How the service was run by an engine, and how it will be.
    pub(crate) settings: Option<(&'a ServiceSettings, &'a ServiceSettings)>,
}

/// A path of the new system that is the service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Where it is.
    pub(crate) path: RootPath,
    /// Where it was, as far as that is known.
    pub(crate) was: RootPath,
}

impl Question<'_> {
    /// Whether `path` led to something in the old system.
    pub(crate) fn was_there(&self, path: &RootPath) -> bool {
        is_there(self.old, path)
    }

    /// Whether `path` leads to something in the new system.
    pub(crate) fn is_there(&self, path: &RootPath) -> bool {
        is_there(self.new, path)
    }
}

/// A link that leads round in a circle leads nowhere.
fn is_there(tree: &dyn Tree, path: &RootPath) -> bool {
    matches!(resolve(tree, path), Ok::<_, TreeError>(Some(_)))
}
