//! The exact way into a container: its layers as directories of this machine.
//!
//! An engine tells where its layers are, but in *its* file system: with a remote or a
//! containerised engine the same path may not exist here, or be something else. So a question is
//! asked whose answer cannot be known otherwise: a random text goes through the API into a
//! container of our own and has to appear on disk where the engine says that this container lies.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::below::Below;
use super::layers::{Layers, Way};
use super::snapshots;
use crate::engine::{
    Container, ContainerSpec, Engine, EngineError, LayerDirs, Mount, Staging, Volume, run_id,
};
use crate::image::Fidelity;
use crate::pax;
use crate::service::MountKind;
use crate::tree::{Kind, Layer, Meta, RootPath, Rootfs, Tree, TreeError, Whiteouts};

/// Name of the file that proves where layers are.
const PROOF: &str = "regrow-proof";

/// Which way leads into `container`.
pub(super) fn way(engine: &Engine, container: &Container) -> Result<Way, EngineError> {
    let readable = directories(engine, container).is_some_and(|dirs| {
        style(&dirs.driver, engine.info().native_overlay).is_some()
            && dirs.upper.is_dir()
            && dirs.lower.iter().all(|dir| dir.is_dir())
    });
    if !readable || is_mapped(container) || !rustix::process::geteuid().is_root() {
        return Ok(Way::Api);
    }
    Ok(if proved(engine, container)? { Way::OnDisk } else { Way::Api })
}

/// Where the layers of `container` are, as the engine says or, where it keeps them in containerd and
/// says nothing, as containerd's own records do.
fn directories(engine: &Engine, container: &Container) -> Option<LayerDirs> {
    let in_containerd = || {
        let info = engine.info();
        let known = info.containerd_store && info.driver == "overlayfs";
        known.then(|| snapshots::directories(Path::new(&info.root_dir), &container.id))?
    };
    container.layers.clone().or_else(in_containerd)
}

/// Whether a container has a mapping of ids of its own, as Podman's `--userns` gives it: what lies
/// on disk may have other owners than it sees.
fn is_mapped(container: &Container) -> bool {
    let mapping = &container.raw["HostConfig"]["IDMappings"];
    ["UidMap", "GidMap"].iter().any(|key| mapping[*key].as_array().is_some_and(|m| !m.is_empty()))
}

/// How the layers of a storage driver write down deletions; `None` for drivers without layers
/// that can be read.
///
/// Podman calls its driver `overlay` whether the kernel mounts it or fuse-overlayfs, to which a file
/// of the user called `.wh.x` is a mark. Only where the kernel does all of it is that known.
fn style(driver: &str, native: bool) -> Option<Whiteouts> {
    match driver {
        "overlay2" | "overlayfs" => Some(Whiteouts::Overlay),
        "overlay" if native => Some(Whiteouts::Overlay),
        "fuse-overlayfs" | "overlay" => Some(Whiteouts::FuseOverlay),
        _ => None,
    }
}

/// Whether what goes in through the API appears on this machine's disk.
fn proved(engine: &Engine, container: &Container) -> Result<bool, EngineError> {
    let staging = Staging::new(engine, run_id("proof"));
    let spec = ContainerSpec::new(&container.image_id, &["true"]);
    let id = staging.container(engine, None, &spec)?;
    let secret = nonce(&id);
    let Ok(tar) = proof_tar(&secret) else { return Ok(false) };
    engine.put_archive(&id, &RootPath::root(), std::io::Cursor::new(tar))?;
    let Some(dirs) = directories(engine, &engine.container(&id)?) else { return Ok(false) };
    let path = dirs.upper.join(PROOF);
    let found = std::fs::read(&path).is_ok_and(|text| text == secret.as_bytes());
    // An engine in a user namespace has other owners on disk than its containers see.
    let plain =
        std::fs::symlink_metadata(&path).is_ok_and(|meta| (meta.uid(), meta.gid()) == (0, 0));
    Ok(found && plain)
}

/// A text nobody else knows: the id of a container made just now is itself random.
fn nonce(id: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(id);
    hash.update(std::process::id().to_le_bytes());
    hex::encode(hash.finalize())
}

fn proof_tar(secret: &str) -> Result<Vec<u8>, pax::WriteError> {
    let mut writer = pax::Writer::new(Vec::new());
    let size = secret.len() as u64;
    let meta = Meta::root(0o600);
    let member = pax::Member {
        name: PROOF.as_bytes().to_vec(),
        body: pax::Body::Node(Kind::File { size }),
        meta,
    };
    let mut content = std::io::Cursor::new(secret.as_bytes().to_vec());
    let extents = [crate::tree::Extent { offset: 0, length: size }];
    writer.append(&member, Some(&mut content), &extents)?;
    writer.finish()
}

/// The layers of `container`, read where [`way`] proved them to be.
pub(super) fn layers(engine: &Engine, container: &Container) -> Result<Layers, TreeError> {
    let mut layers = Vec::new();
    let mut image_layers = 0;
    if let Some(dirs) = directories(engine, container) {
        let style = style(&dirs.driver, engine.info().native_overlay).unwrap_or(Whiteouts::Overlay);
        for dir in &dirs.lower {
            layers.push(Layer { tree: Arc::new(Rootfs::open(dir)?), style: style.clone() });
            // The engine's own mount points are not of the image.
            if dirs.init.as_ref() != Some(dir) {
                image_layers = layers.len();
            }
        }
        layers.push(Layer { tree: Arc::new(Rootfs::open(&dirs.upper)?), style });
    }
    Ok(Layers { layers, image_layers, fidelity: Fidelity::Exact })
}

/// The content of a mount on this machine.
pub(super) struct Found {
    pub(super) tree: Arc<dyn Tree>,
    /// The same, of a directory, to ask what its walks met.
    pub(super) rootfs: Option<Arc<Rootfs>>,
}

/// The content of a mount where it lies on this machine; `None` where that is not sure.
pub(super) fn mount(engine: &Engine, mount: &Mount) -> Result<Option<Found>, EngineError> {
    let plain = match mount.kind {
        MountKind::Volume => is_plain(&engine.volume(&mount.name)?),
        MountKind::Bind => true,
        _ => false,
    };
    if !plain || mount.source.as_os_str().is_empty() {
        return Ok(None);
    }
    if mount.kind == MountKind::Bind && mount.source.is_file() {
        return Ok(file(&mount.source).map(|tree| Found { tree, rootfs: None }));
    }
    Ok(Rootfs::open(&mount.source).ok().map(|rootfs| {
        let rootfs = Arc::new(rootfs);
        Found { tree: rootfs.clone(), rootfs: Some(rootfs) }
    }))
}

/// The file at `path`, as a tree that is nothing else.
fn file(path: &Path) -> Option<Arc<dyn Tree>> {
    // The bind is of what links lead to.
    let path = path.canonicalize().ok()?;
    let dir = Rootfs::open(path.parent()?).ok()?;
    let name = path.file_name()?.as_encoded_bytes();
    Some(Arc::new(Below::new(dir, RootPath::root().child(name))))
}

/// Whether a volume's content lies in its directory all the time. One of another driver, or with
/// options for `mount`, is there only while a container runs: the directory is empty now.
fn is_plain(volume: &Volume) -> bool {
    matches!(volume.driver.as_str(), "local" | "")
        && ["type", "device", "o"].iter().all(|option| !volume.options.contains_key(*option))
}
