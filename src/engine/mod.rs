//! The container engine: Docker from 20.10 on, and Podman through its Docker-compatible API.
//!
//! The only module with a socket, and the only one that knows there is asynchronous code: every
//! method of [`Engine`] blocks its caller, never longer than a stated patience, and a stream that
//! stands still is an error. Answers are read as JSON values, not as fixed structures, because
//! engines differ in what they leave out, and because an archived container's settings have to
//! survive fields that nobody had heard of when this was written.
//!
//! Nothing here decides what is archived or restored. What an engine loses on a way in or out is
//! said where that way is: [`Engine::export`], [`Engine::put_archive`], [`Engine::commit`].

mod advice;
mod append;
mod cancellation;
mod cleanup;
mod connect;
mod container;
mod create;
mod error;
#[cfg(test)]
mod faults;
mod image;
mod life;
mod network;
mod run;
mod run_id;
mod saved;
pub(crate) mod settings;
mod stream;
mod volume;
mod wire;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::Docker;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::cancel::{Cancel, NEVER, Waker};

pub use append::LayerFile;
pub use cleanup::{Made, RUN_LABEL, STAGING_LABEL, Staging};
pub use connect::Which;
pub use container::{ChangeKind, State};
pub(crate) use container::{Container, LayerDirs, Mount};
pub use create::ContainerSpec;
pub use error::EngineError;
pub(crate) use error::Object;
pub(crate) use image::Image;
pub use run::Command;
pub(crate) use run_id::goes_on;
pub use run_id::run_id;
pub(crate) use volume::Volume;
pub use volume::VolumeName;

/// How long one question with a short answer may take; an engine under load answers `inspect`
/// within seconds.
const SHORT: Duration = Duration::from_secs(120);

/// How long an engine may work before it answers: `commit` and `load` of a large layer.
const LONG: Duration = Duration::from_secs(3600);

/// How long a stream may stand still. The engine walks a whole tree before the first byte of an
/// export, which takes a minute for a million files on a slow disk.
const STALL: Duration = Duration::from_secs(300);

/// A connection to one engine.
///
/// Cheap to clone; clones share the connection and the cancellation. Not to be used from within
/// asynchronous code.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    cancelled: watch::Receiver<Option<i32>>,
}

struct Shared {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
    docker: Docker,
    /// The address as a person would write it, for messages.
    host: String,
    info: EngineInfo,
    cancel: watch::Sender<Option<i32>>,
    /// See [`Engine::heed`], and what a request calls.
    heeded: OnceLock<(Cancel, Arc<Waker>)>,
    /// Of a sender that never sends; see [`Engine::for_cleanup`].
    never: watch::Sender<Option<i32>>,
    stall: Duration,
}

/// Whose API answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// dockerd.
    Docker,
    /// Podman's service.
    Podman,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Whose API it is.
    pub flavour: Flavour,
    /// The engine's own version.
    pub version: String,
    /// Version of the API that is spoken with it.
    pub api: (usize, usize),
    /// Storage driver, such as `overlay2`, `fuse-overlayfs`, `overlayfs`.
    pub driver: String,
    /// Whether images are in containerd's store: layer directories are then not shown.
    pub containerd_store: bool,
    /// Whether layers can be read as the kernel's overlay wrote them; of Podman that says that no
    /// program stands between.
    pub native_overlay: bool,
    /// The engine's directory, in the engine's file system.
    pub root_dir: String,
    /// Architecture in the engine's spelling, such as `x86_64`.
    pub architecture: String,
    /// The engine's identity; empty where it has none (Podman).
    pub id: String,
}

impl EngineInfo {
    /// Whether a Docker gives its containers other owners than it writes to disk (`userns-remap`):
    /// its directory is then called by the two numbers that root has there.
    pub fn is_remapped(&self) -> bool {
        let name = self.root_dir.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        name.split_once('.').is_some_and(|(user, group)| is_number(user) && is_number(group))
    }
}

/// Ends what an [`Engine`] is doing, from any thread.
#[derive(Clone)]
pub struct CancelHandle(Arc<Shared>);

impl CancelHandle {
    /// Makes all calls of the engine, running and future, return [`EngineError::Cancelled`] on
    /// behalf of `signal`. An engine from [`Engine::for_cleanup`] goes on.
    pub fn cancel(&self, signal: i32) {
        self.0.cancel.send_replace(Some(signal));
    }
}

impl Engine {
    /// What the engine said of itself when it was connected to.
    pub fn info(&self) -> &EngineInfo {
        &self.shared.info
    }

    /// The address as shown in messages, such as `unix:///var/run/docker.sock`.
    pub fn host(&self) -> &str {
        &self.shared.host
    }

    /// What a signal handler keeps to end the calls of this engine.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(Arc::clone(&self.shared))
    }

    /// Makes a request of `cancel` end the calls of this engine, for as long as it is used.
    pub(crate) fn heed(&self, cancel: &Cancel) {
        let sender = self.shared.cancel.clone();
        let waker: Arc<Waker> = Arc::new(move |signal| {
            sender.send_replace(Some(signal));
        });
        cancel.watch(&waker);
        // A connection belongs to one act.
        let _ = self.shared.heeded.set((cancel.clone(), waker));
    }

    /// What it heeds.
    pub(crate) fn cancel(&self) -> &Cancel {
        self.shared.heeded.get().map_or(&NEVER, |(cancel, _)| cancel)
    }

    /// The same engine, deaf to cancellation: what removes the traces of a run that was cancelled.
    #[must_use]
    pub fn for_cleanup(&self) -> Engine {
        Engine { shared: Arc::clone(&self.shared), cancelled: self.shared.never.subscribe() }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("host", &self.shared.host).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A stream that stands still must not hold up the end of the program.
            runtime.shutdown_background();
        }
    }
}

/// The text at `keys` below `value`; empty when there is none, as engines write "nothing" as
/// `null`, as `""` and by leaving it out.
fn text(value: &Value, keys: &[&str]) -> String {
    at(value, keys).as_str().unwrap_or_default().to_owned()
}

/// The value at `keys` below `value`, or null.
fn at<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |v, key| &v[*key])
}

/// The items of an array, where `null` and an absent one are empty.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_called_by_two_numbers_is_of_an_engine_that_remaps_owners() {
        let is_remapped = |root_dir: &str| {
            let info = EngineInfo {
                flavour: Flavour::Docker,
                version: String::new(),
                api: (1, 41),
                driver: String::new(),
                containerd_store: false,
                native_overlay: false,
                root_dir: root_dir.to_owned(),
                architecture: String::new(),
                id: String::new(),
            };
            info.is_remapped()
        };
        for dir in ["/var/lib/docker/100000.100000", "/srv/0.7/"] {
            assert!(is_remapped(dir), "{dir}");
        }
        for dir in ["/var/lib/docker", "/srv/docker-20.10", "/srv/1.2.3", "/srv/.5", "/", ""] {
            assert!(!is_remapped(dir), "{dir}");
        }
    }
}
