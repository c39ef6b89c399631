//! How a service is run, whichever engine runs it.
//!
//! Values only, so that a survey and a bundle can carry them without knowing any engine:
//! translations from an engine's words and to them are the engine's affair.

mod bundled;
mod health;
mod limits;
mod mount;
mod network;
mod secrets;
mod settings;

pub use bundled::Settings;
pub(crate) use health::{HealthCheck, HealthTest};
pub(crate) use limits::{Limits, ProcessLimit, Restart, RestartWhen};
pub(crate) use mount::Mount;
pub use mount::MountKind;
pub(crate) use network::{Endpoint, Network, NetworkMode, Port, Published};
pub use settings::ServiceSettings;
pub(crate) use settings::{Device, EngineWords, Log, Namespaces, Privileges, TextOf};

/// Whether nothing was decided.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
