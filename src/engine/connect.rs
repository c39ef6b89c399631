//! Finding an engine and making its acquaintance.
//!
//! Three things that need different cures get different errors: there is no socket, nobody
//! answers at it, we may not open it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::watch;

use super::error::{About, EngineError, Object};
use super::wire::{Call, versioned};
use super::{Engine, EngineInfo, Flavour, LONG, STALL, Shared, items, text};

/// How long an engine has to accept a connection and to say its version.
const GREETING: Duration = Duration::from_secs(30);

const DOCKER_SOCKET: &str = "unix:///var/run/docker.sock";
const PODMAN_SOCKET: &str = "unix:///run/podman/podman.sock";

/// Which engine to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What `DOCKER_HOST` names, else Docker's socket.
    Docker,
    /// What `CONTAINER_HOST` names, else the user's Podman socket, else the system's.
    Podman,
    /// What `DOCKER_HOST` names, else Docker's socket, else Podman's.
    Any,
}

/// An address an engine may listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl Engine {
    /// Connects to the first engine that answers where `which` says to look.
    ///
    /// # Errors
    /// Where several places were tried, the error is about the first one that exists.
    pub fn connect(which: Which) -> Result<Engine, EngineError> {
        let hosts = hosts(which, &|name| std::env::var(name).ok());
        let mut failure = None;
        for host in &hosts {
            match Engine::connect_to(host) {
                Ok(engine) => return Ok(engine),
                Err(EngineError::NoSocket { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(EngineError::NoSocket { tried: hosts }))
    }

    /// Connects to the engine at `host`: `unix://PATH`, `tcp://HOST:PORT` or `http://HOST:PORT`.
    pub fn connect_to(host: &str) -> Result<Engine, EngineError> {
        let address = address(host, std::env::var_os("DOCKER_TLS_VERIFY").is_some())?;
        let about = About { act: "connecting to", object: Object::Engine };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engine")
            .enable_all()
            .build()
            .map_err(|e| about.local("cannot start threads", e))?;
        let (docker, greeting) = runtime.block_on(async {
            match tokio::time::timeout(GREETING, greeted(host, &address, &about)).await {
                Ok(result) => result,
                Err(_) => Err(about.stalled(GREETING)),
            }
        })?;
        let (cancel, cancelled) = watch::channel(None);
        let mut engine = Engine {
            shared: Arc::new(Shared {
                runtime: Some(runtime),
                docker,
                host: host.to_owned(),
                info: greeting,
                cancel,
                heeded: OnceLock::new(),
                never: watch::channel(None).0,
                stall: STALL,
            }),
            cancelled,
        };
        engine.introduce()?;
        Ok(engine)
    }

    /// Fills in what only `/info` tells.
    fn introduce(&mut self) -> Result<(), EngineError> {
        let info =
            self.json(Call::new("GET", &["info"], "asking", Object::Engine)?.within(GREETING))?;
        let Some(shared) = Arc::get_mut(&mut self.shared) else { return Ok(()) };
        shared.info.driver = text(&info, &["Driver"]);
        shared.info.root_dir = text(&info, &["DockerRootDir"]);
        shared.info.architecture = text(&info, &["Architecture"]);
        shared.info.id = text(&info, &["ID"]);
        shared.info.native_overlay = items(&info["DriverStatus"])
            .iter()
            .any(|pair| pair[0] == "Native Overlay Diff" && pair[1] == "true");
        shared.info.containerd_store = items(&info["DriverStatus"]).iter().any(|pair| {
            pair[0] == "driver-type" && text(&pair[1], &[]).starts_with("io.containerd.snapshotter")
        });
        Ok(())
    }
}

/// Connects, pings, agrees on a version and asks who it is.
async fn greeted(
    host: &str,
    address: &Address,
    about: &About,
) -> Result<(Docker, EngineInfo), EngineError> {
    let bollard = match address {
        Address::Unix(path) => {
            reachable(host, tokio::net::UnixStream::connect(path).await.map(drop))?;
            Docker::connect_with_unix(host, LONG.as_secs(), API_DEFAULT_VERSION)
        }
        Address::Tcp(peer) => {
            reachable(host, tokio::net::TcpStream::connect(peer).await.map(drop))?;
            Docker::connect_with_http(host, LONG.as_secs(), API_DEFAULT_VERSION)
        }
    };
    let docker = bollard.map_err(|e| about.engine(e))?;
    docker.ping().await.map_err(|e| about.engine(e))?;
    let docker = docker.negotiate_version().await.map_err(|e| about.engine(e))?;
    let version = docker.version().await.map_err(|e| about.engine(e))?;
    let podman = version.components.iter().flatten().any(|c| c.name.starts_with("Podman"));
    let api = docker.client_version();
    let info = EngineInfo {
        flavour: if podman { Flavour::Podman } else { Flavour::Docker },
        version: version.version.unwrap_or_default(),
        api: (api.major_version, api.minor_version),
        driver: String::new(),
        containerd_store: false,
        native_overlay: false,
        root_dir: String::new(),
        architecture: String::new(),
        id: String::new(),
    };
    Ok((versioned(docker), info))
}

/// The error that a connection attempt amounts to.
fn reachable(host: &str, attempt: io::Result<()>) -> Result<(), EngineError> {
    let host = host.to_owned();
    attempt.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => EngineError::NoSocket { tried: vec![host] },
        io::ErrorKind::PermissionDenied => EngineError::PermissionDenied { host },
        _ => EngineError::NotRunning { host, source },
    })
}

/// Where to look, in order.
fn hosts(which: Which, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let named = |name| environment(name).filter(|value: &String| !value.is_empty());
    let podman = || {
        named("XDG_RUNTIME_DIR")
            .map(|dir| format!("unix://{dir}/podman/podman.sock"))
            .into_iter()
            .chain([PODMAN_SOCKET.to_owned()])
    };
    match which {
        Which::Docker => vec![named("DOCKER_HOST").unwrap_or_else(|| DOCKER_SOCKET.to_owned())],
        Which::Podman => match named("CONTAINER_HOST") {
            Some(host) => vec![host],
            None => podman().collect(),
        },
        Which::Any => match named("DOCKER_HOST") {
            Some(host) => vec![host],
            None => [DOCKER_SOCKET.to_owned()].into_iter().chain(podman()).collect(),
        },
    }
}

/// Reads an engine address.
fn address(host: &str, tls: bool) -> Result<Address, EngineError> {
    let unsupported = |why| EngineError::Unsupported { host: host.to_owned(), why };
    let (scheme, rest) =
        host.split_once("://").ok_or_else(|| unsupported("it has no scheme, such as unix://"))?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Address::Unix(PathBuf::from(rest))),
        "unix" => Err(unsupported("the path of the socket is not absolute")),
        "tcp" | "http" if tls => Err(unsupported(
            "TLS is asked for by DOCKER_TLS_VERIFY and not spoken; forward the engine's socket",
        )),
        "tcp" | "http" => {
            let peer = rest.trim_end_matches('/');
            if peer.is_empty() || peer.contains('/') {
                return Err(unsupported("it does not name a host and a port"));
            }
            let port_given = peer.rsplit_once(':').is_some_and(|(_, port)| {
                !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
            });
            Ok(Address::Tcp(if port_given { peer.to_owned() } else { format!("{peer}:2375") }))
        }
        "ssh" => Err(unsupported(
            "ssh is not spoken; forward the socket with `ssh -L` and name the forwarded one",
        )),
        "https" => Err(unsupported("TLS is not spoken; forward the engine's socket")),
        _ => Err(unsupported("this scheme is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn with(pairs: &[(&str, &str)], which: Which) -> Vec<String> {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        hosts(which, &|name| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
    }

    #[test]
    fn the_environment_names_the_engine_before_any_default() {
        let set = [
            ("DOCKER_HOST", "tcp://a:1"),
            ("CONTAINER_HOST", "unix:///b"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        ];
        assert_eq!(with(&set, Which::Docker), ["tcp://a:1"]);
        assert_eq!(with(&set, Which::Podman), ["unix:///b"]);
        assert_eq!(with(&set, Which::Any), ["tcp://a:1"]);
        let rootless = "unix:///run/user/1/podman/podman.sock";
        assert_eq!(with(&set[2..], Which::Docker), [DOCKER_SOCKET]);
        assert_eq!(with(&set[2..], Which::Podman), [rootless, PODMAN_SOCKET]);
        assert_eq!(with(&set[2..], Which::Any), [DOCKER_SOCKET, rootless, PODMAN_SOCKET]);
        assert_eq!(with(&[("DOCKER_HOST", "")], Which::Docker), [DOCKER_SOCKET]);
    }

    #[test]
    fn addresses_that_are_not_spoken_say_so() {
        assert_eq!(address("unix:///a/b", true).unwrap(), Address::Unix("/a/b".into()));
        assert_eq!(address("tcp://h", false).unwrap(), Address::Tcp("h:2375".into()));
        assert_eq!(address("http://[::1]:80/", false).unwrap(), Address::Tcp("[::1]:80".into()));
        for bad in
            ["ssh://h", "https://h:1", "/var/run/docker.sock", "unix://rel", "tcp://", "x://y"]
        {
            assert_eq!(address(bad, false).unwrap_err().kind(), FailureKind::Environment, "{bad}");
        }
        assert!(address("tcp://h:1", true).is_err());
    }

    #[test]
    fn no_socket_nobody_behind_it_and_no_permission_are_three_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.sock");
        let host = format!("unix://{}", path.display());
        assert!(matches!(Engine::connect_to(&host), Err(EngineError::NoSocket { .. })));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(Engine::connect_to(&host), Err(EngineError::NotRunning { .. })));
        let denied = Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(reachable(&host, denied), Err(EngineError::PermissionDenied { .. })));
    }
}
