//! [`PartOf`]: what a path is to the environment that it lies in.

use std::fmt;
use std::sync::Arc;

use crate::tree::RootPath;

/// What a path is to its environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// The directory of the environment: its owner and mode are kept.
    Root,
    /// Made whenever such an environment is made: links, scripts, directories.
    Made,
    /// A package brought it.
    Installed {
        /// Name and version.
        package: Arc<str>,
        /// The package's record, which holds the digest.
        record: Arc<RootPath>,
        /// Whether content, owner and mode are what the package manager left.
        unchanged: bool,
    },
    /// Made whenever such an environment is made, and not as it was made.
    Edited,
    /// Of a package that comes from no index that is known.
    NoIndex {
        /// Name and version.
        package: Arc<str>,
        /// Where it comes from.
        why: &'static str,
    },
    /// In the environment, and of none of its packages.
    Own {
        /// The package in whose directory it lies.
        among: Option<Arc<str>>,
    },
    /// In an environment of which nothing is left out.
    Whole {
        /// Why not.
        why: Arc<str>,
    },
}

/// A path's part in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartOf {
    /// The directory of the environment.
    pub root: Arc<RootPath>,
    /// What it is there.
    pub part: Part,
}

impl fmt::Display for PartOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = &self.root;
        match &self.part {
            Part::Root => write!(f, "the directory of an environment that is rebuilt"),
            Part::Made => write!(f, "made with the environment {root}, which is rebuilt"),
            Part::Installed { package, unchanged: true, .. } => {
                write!(f, "as {package} was installed in {root}, which is rebuilt from its list")
            }
            Part::Installed { package, unchanged: false, .. } => {
                write!(f, "differs from {package} as it was installed in {root}")
            }
            Part::Edited => write!(f, "made with the environment {root}, and edited"),
            Part::NoIndex { package, why } => write!(f, "of {package} in {root}: {why}"),
            Part::Own { among: Some(package) } => {
                write!(f, "in {root} among the files of {package}, and not of it")
            }
            Part::Own { among: None } => {
                write!(f, "in the environment {root}, and of none of its packages")
            }
            Part::Whole { why } => write!(f, "in the environment {root}, kept whole: {why}"),
        }
    }
}
