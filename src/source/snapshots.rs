//! Where containerd's overlay snapshotter has the layers of a container, which Docker does not
//! tell when its images are in containerd's store.
//!
//! The snapshotter's database maps names to numbers, and `snapshots/NUMBER/fs` is the directory of
//! each. Docker calls the snapshot of a container by the container's id, that of its own mount
//! points by the same with `-init`, and what these lie on are the layers of the image.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::bolt::{Bolt, Value};
use crate::engine::LayerDirs;

/// The snapshotter's directory in containerd's.
const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1.overlayfs";

/// What Docker's names in containerd begin with.
const NAMESPACE: &[u8] = b"moby/";

/// More layers than an overlay mount can have.
const MAX_LAYERS: usize = 1000;

/// The layers of the container `id` of a Docker whose directory is `docker`; `None` where they are
/// not found. What is found is a claim of the database, as what an engine tells is one.
pub(super) fn directories(docker: &Path, id: &str) -> Option<LayerDirs> {
    // Docker's own containerd, or the machine's.
    let homes = [docker.join("containerd/daemon"), PathBuf::from("/var/lib/containerd")];
    homes.iter().find_map(|home| find(&home.join(SNAPSHOTTER), id).ok().flatten())
}

fn find(home: &Path, id: &str) -> io::Result<Option<LayerDirs>> {
    let Some(bolt) = Bolt::read(&home.join("metadata.db"))? else { return Ok(None) };
    Ok(layers(&bolt, id).map(|Numbers { upper, init, image }| {
        let dir = |number: u64| home.join("snapshots").join(number.to_string()).join("fs");
        let lower = image.into_iter().rev().chain(init).map(dir).collect();
        LayerDirs { upper: dir(upper), lower, init: init.map(dir), driver: "overlayfs".to_owned() }
    }))
}

/// The numbers of a container's snapshots.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    upper: u64,
    /// Docker's own mount points.
    init: Option<u64>,
    /// The image's, the topmost first.
    image: Vec<u64>,
}

fn layers(bolt: &Bolt, id: &str) -> Option<Numbers> {
    let mut snapshots: HashMap<&[u8], (u64, &[u8])> = HashMap::new();
    for (name, value) in bolt.bucket(&[b"v1", b"snapshots"])?.entries() {
        let Value::Bucket(about) = value else { continue };
        let number = about.value(b"id").and_then(varint);
        snapshots.extend(number.map(|n| (name, (n, about.value(b"parent").unwrap_or_default()))));
    }
    let is_called = |name: &[u8], key: &str| {
        // `moby/NUMBER/KEY`.
        let rest = name.strip_prefix(NAMESPACE);
        let key_of = rest.and_then(|rest| rest.splitn(2, |&b| b == b'/').nth(1));
        key_of == Some(key.as_bytes())
    };
    let mut own = snapshots.iter().filter(|(name, _)| is_called(name, id));
    let (Some((_, (upper, below))), None) = (own.next(), own.next()) else { return None };
    let mut below = *below;
    let mut numbers = Numbers { upper: *upper, init: None, image: vec![] };
    if is_called(below, &format!("{id}-init")) {
        let (init, image) = snapshots.get(below)?;
        (numbers.init, below) = (Some(*init), image);
    }
    while !below.is_empty() {
        let (number, next) = snapshots.get(below)?;
        if numbers.image.len() == MAX_LAYERS {
            return None;
        }
        numbers.image.push(*number);
        below = next;
    }
    Some(numbers)
}

/// A number as Go's `PutUvarint` writes it.
fn varint(bytes: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (place, &byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7F).checked_shl(7 * u32::try_from(place).ok()?)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bolt::tests::database;

    #[test]
    fn a_container_s_layers_are_found_by_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("containerd/daemon").join(SNAPSHOTTER);
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("metadata.db"), database()).unwrap();
        let id = "42fb9c859d23022be9c332e6122d51380fcb1f0779c1b3b9bb0d26f707484574";
        let at = |number: &str| home.join("snapshots").join(number).join("fs");
        let found = directories(dir.path(), id).unwrap();
        assert_eq!(found.upper, at("29"));
        assert_eq!(found.init, Some(at("28")));
        assert_eq!(found.lower, [at("1"), at("28")]);
        assert_eq!(directories(dir.path(), &id[..12]), None);
        assert_eq!(directories(&home, id), None);
    }

    #[test]
    fn numbers_are_gos() {
        assert_eq!(varint(&[0x2a, 0, 0]), Some(42));
        assert_eq!(varint(&[0xac, 0x02]), Some(300));
        assert_eq!(varint(&[0xff; 12]), None);
        assert_eq!(varint(&[]), None);
    }
}
