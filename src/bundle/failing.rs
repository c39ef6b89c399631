//! What the failure of an act on a bundle tells the user.

use std::path::Path;

use super::BundleError;
use crate::failure::{Failure, FailureKind};

impl BundleError {
    /// The failure of `doing` (a gerund) to the bundle at `path`.
    pub fn into_failure(self, doing: &str, path: &Path) -> Failure {
        let next = match &self {
            BundleError::NotABundle { .. } => "name a file that `regrow archive` wrote",
            BundleError::Newer { .. } => "use a newer regrow",
            BundleError::Truncated { .. } | BundleError::Damaged { .. } => {
                "fetch another copy of the bundle"
            }
            BundleError::Malformed { .. } => "fetch the bundle again from where it was written",
            BundleError::Exists { .. } => "choose another name, or move the existing file away",
            BundleError::TooLarge { .. } => "leave something out with --exclude",
            BundleError::Missing { .. } => "correct the path and run the same command again",
            BundleError::Io { .. } => {
                "make room there and make it accessible, then run the same command again"
            }
            BundleError::Source { .. } | BundleError::Unfit { .. } => {
                "make the source readable and run the same command again"
            }
            BundleError::Cancelled { .. } => "run the same command again when you want to",
            BundleError::Misuse { .. } => "report this as a bug",
        };
        let safe = match self.kind() {
            FailureKind::Precondition => "the existing files are untouched, nothing was written",
            _ if doing == "writing" => "the source is untouched, no bundle was published",
            _ => "the bundle is untouched, nothing was made of it",
        };
        Failure::new(self.kind(), doing, path.as_os_str().as_encoded_bytes())
            .safe(safe)
            .next(next)
            .because(self)
    }
}
