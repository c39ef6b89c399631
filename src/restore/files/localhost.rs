//! `localhost` in a root that nobody named it in.
//!
//! An engine mounts `/etc/hosts` over whatever a container's tree has there, so trees that came out
//! of engines, and freshly installed ones, have none or an empty one. In a root of its own a
//! service that binds to `localhost` would then not start.

use crate::tree::{Draft, DraftNode, Entry, Kind, Meta, RootPath, Tree, TreeError};

const PATH: &[u8] = b"/etc/hosts";
const TEXT: &[u8] = b"127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n";

/// Adds `/etc/hosts` to `draft` where neither it nor `target` has one that says something; returns
/// its path then.
pub(in crate::restore) fn name_localhost(
    draft: &mut Draft,
    target: &dyn Tree,
) -> Result<Option<RootPath>, TreeError> {
    let Ok(path) = RootPath::parse(PATH) else { return Ok(None) };
    let silent = |entry: &Entry| matches!(entry.kind, Kind::File { size: 0 });
    let there = target.entry(&path)?;
    if draft.get(&path).is_some_and(|node| !silent(&node.entry))
        || there.is_some_and(|entry| !silent(&entry))
    {
        return Ok(None);
    }
    draft.put(DraftNode::file(path.clone(), Meta::root(0o644), TEXT.to_vec()));
    Ok(Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{DraftContent, Rootfs};

    /// What `/etc/hosts` in the draft holds in the end, over a root where it holds `there`.
    fn named(there: Option<&str>) -> Option<Vec<u8>> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        if let Some(text) = there {
            std::fs::write(root.path().join("etc/hosts"), text).unwrap();
        }
        let mut draft = Draft::default();
        name_localhost(&mut draft, &Rootfs::open(root.path()).unwrap()).unwrap();
        match &draft.get(&RootPath::parse(PATH).unwrap())?.content {
            DraftContent::Bytes(bytes) => Some(bytes.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn localhost_is_named_where_nothing_is_and_a_file_of_the_root_stays() {
        assert_eq!(named(None), Some(TEXT.to_vec()));
        assert_eq!(named(Some("")), Some(TEXT.to_vec()));
        assert_eq!(named(Some("127.0.0.1 localhost\n")), None);
    }
}
