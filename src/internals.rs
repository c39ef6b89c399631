//! The door of the project's own tests to what no program needs.
//!
//! Tests below `tests/` hold what reads real systems against the systems themselves. What they
//! use is named here and nowhere else outside. There is no promise of stability.

/// Placing and reading trees.
pub mod tree {
    pub use crate::tree::copy::remove_tree;
    pub use crate::tree::draft::{Draft, DraftContent, DraftNode};
    pub use crate::tree::empty::Empty;
    pub use crate::tree::follow::{read_file, resolve, resolve_parent};
    pub use crate::tree::rootfs::Rootfs;
}

/// The layout database at work.
pub mod layout {
    pub use crate::layout::access::Access;
    pub use crate::layout::adapt::adapt;
    pub use crate::layout::load::{MAX_RULE, parse};
    pub use crate::layout::options::{Run, adapt_options};
    pub use crate::layout::outcome::StepOutcome;
    pub use crate::layout::pattern::Vars;
    pub use crate::layout::route::{Route, route};
    pub use crate::layout::setting::Mentions;
    pub use crate::layout::step::apply;
}

/// Restores at work.
pub mod restore {
    pub use crate::restore::files::outdated::said;
}

/// What package managers record.
pub mod packages {
    pub use crate::packages::{
        Digest, FileRecord, Md5, Package, Presence, RecordedKind, Role, Status, Why, version,
    };

    /// Of dpkg.
    pub mod dpkg {
        pub use crate::packages::dpkg::{AlternativeStatus, Dpkg};
    }

    /// Of apk.
    pub mod apk {
        pub use crate::packages::apk::{Apk, ApkPackage, version};
    }

    /// Of pacman.
    pub mod pacman {
        pub use crate::packages::pacman::{Pacman, version};
    }

    /// Of rpm.
    pub mod rpm {
        pub use crate::packages::rpm::{Rpm, RpmPackage, evr};
    }
}

/// Container engines.
pub mod engine {
    pub use crate::engine::{
        ChangeKind, Command, ContainerSpec, Engine, EngineError, Flavour, LayerFile, Made,
        RUN_LABEL, STAGING_LABEL, Staging, State, VolumeName, run_id,
    };

    /// How a service is run, in an engine's words and in ours.
    pub mod settings {
        pub use crate::engine::settings::{Renewal, carry, of_bundle, translate};
    }
}

/// How a service is run.
pub mod service {
    pub use crate::service::MountKind;
}

/// Running commands in a root.
pub mod namespace {
    pub use crate::namespace::{
        MAX_TAIL, Namespace, NamespaceError, Network, Ran, RunOptions, Stdin, Stdout,
    };
}
