//! Digests of files in a tree.

use std::io::Read;

use md5::{Digest, Md5};
use sha2::Sha256;

use crate::packages::Md5 as Recorded;
use crate::tree::{Entry, Tree, TreeError};

/// MD5 of a regular file: what package managers of this age record. It serves to recognise
/// unchanged files, never to protect against somebody.
pub(crate) fn digest(tree: &dyn Tree, entry: &Entry) -> Result<Recorded, TreeError> {
    let mut hash = Md5::new();
    feed(tree, entry, |bytes| hash.update(bytes))?;
    Ok(Recorded(hash.finalize().into()))
}

/// SHA-256 of a regular file.
pub(super) fn sha256(tree: &dyn Tree, entry: &Entry) -> Result<[u8; 32], TreeError> {
    let mut hash = Sha256::new();
    feed(tree, entry, |bytes| hash.update(bytes))?;
    Ok(hash.finalize().into())
}

/// Gives the content of a regular file to `take`, piece by piece.
pub(super) fn feed(
    tree: &dyn Tree,
    entry: &Entry,
    mut take: impl FnMut(&[u8]),
) -> Result<(), TreeError> {
    let mut content = tree.open(entry)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(TreeError::io("reading", &entry.path, e)),
        }
    }
}
