//! [`Shelf`]: the files of a stored image, and the layers read from them.
//!
//! Invariant: a layer is handed out only after all of it was read and found to be what its digests
//! say; damage is told as damage, whatever it did to the tar inside.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::compression::{Bomb, Unpacked, Unsupported};
use crate::cancel::Cancel;
use crate::failure::{FailureKind, check_cancelled};
use crate::pax::{Fault, Keep, ReadError, TarTree};
use crate::tree::{Entry, RootPath, Rootfs, Tree, TreeError, escaped, resolve};

/// Largest index, manifest or configuration that is read.
const TEXT_LIMIT: u64 = 16 << 20;

/// Why a stored image, or a tar, is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    /// Not what its digest or its size says, or not all there.
    #[error("{0}")]
    Damaged(String),
    /// Not in a form that is understood.
    #[error("{0}")]
    Malformed(String),
    /// Several images, or not the one that was named.
    #[error("{why}")]
    Choice {
        /// What there is.
        why: String,
        /// What can be named.
        names: Vec<String>,
    },
    /// A tar that cannot be read.
    #[error("{what} cannot be read")]
    Tar {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// A file that cannot be read.
    #[error("{what} cannot be read")]
    File {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No room for what has to be unpacked.
    #[error("no temporary file can be made")]
    Scratch(#[source] io::Error),
    /// The directory cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl StoredError {
    /// What sort of failure it is.
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            StoredError::Damaged(_) => FailureKind::Integrity,
            StoredError::Malformed(_) => FailureKind::Refused,
            StoredError::Choice { .. } => FailureKind::Precondition,
            StoredError::Scratch(_) | StoredError::Tree(_) => FailureKind::Resource,
            StoredError::File { source, .. } => io_kind(source),
            StoredError::Tar { source, .. } => match source {
                ReadError::Truncated { .. } => FailureKind::Integrity,
                ReadError::Io { source, .. } => io_kind(source),
                ReadError::Spool(_) => FailureKind::Resource,
                // Headers that were fine until here have been damaged; else it never was a tar.
                ReadError::Malformed { position: 1.., fault: Fault::Checksum | Fault::Zeros } => {
                    FailureKind::Integrity
                }
                ReadError::Malformed { .. } | ReadError::Entries => FailureKind::Refused,
                ReadError::Failed => FailureKind::Internal,
            },
        }
    }

    /// What to do next.
    pub(super) fn advice(&self) -> String {
        let io = match self {
            StoredError::File { source, .. }
            | StoredError::Tar { source: ReadError::Io { source, .. }, .. } => Some(source),
            _ => None,
        };
        let inner = io.and_then(io::Error::get_ref);
        match inner.map(|e| (e.downcast_ref::<Unsupported>(), e.downcast_ref::<Bomb>())) {
            Some((Some(packed), _)) => {
                return format!("unpack it with `{}` and name what comes out", packed.command);
            }
            Some((_, Some(Bomb))) => {
                return "if you trust it, unpack it first and name what comes out".to_owned();
            }
            _ => {}
        }
        let text = match self.kind() {
            FailureKind::Integrity => "get another copy of it, and run the same command again",
            FailureKind::Resource => {
                "see the reason (space, permissions), then run the same command again"
            }
            FailureKind::Precondition => "name one of them",
            _ => {
                "name a tar of a file tree, of `docker export` or of `docker save`, or an OCI layout"
            }
        };
        text.to_owned()
    }
}

/// A system's error is one of reading; anything else comes from a decoder that met damage.
fn io_kind(error: &io::Error) -> FailureKind {
    let refused = |e: &(dyn std::error::Error + Send + Sync + 'static)| {
        e.is::<Bomb>() || e.is::<Unsupported>()
    };
    if error.get_ref().is_some_and(refused) {
        FailureKind::Refused
    } else if error.raw_os_error().is_some() {
        FailureKind::Resource
    } else {
        FailureKind::Integrity
    }
}

/// The digest and the size that something says a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    /// `sha256:` and 64 digits.
    pub(super) digest: String,
    /// In bytes.
    pub(super) size: u64,
}

/// The files of a stored image.
pub(super) struct Shelf {
    files: Files,
    /// What ends the reading of a layer.
    cancel: Cancel,
}

/// Where the files of a stored image are.
pub(super) enum Files {
    /// In a tar.
    Tar(Arc<TarTree>),
    /// In a directory.
    Dir(Rootfs),
}

impl Shelf {
    pub(super) fn new(files: Files, cancel: Cancel) -> Shelf {
        Shelf { files, cancel }
    }

    fn tree(&self) -> &dyn Tree {
        match &self.files {
            Files::Tar(tree) => &**tree,
            Files::Dir(tree) => tree,
        }
    }

    /// The regular file that `name` leads to, links followed inside.
    fn find(&self, name: &str) -> Result<Option<Entry>, TreeError> {
        let Ok(path) = RootPath::parse(name.as_bytes()) else { return Ok(None) };
        let Some(place) = resolve(self.tree(), &path)? else { return Ok(None) };
        Ok(self.tree().entry(&place)?.filter(|entry| entry.kind.is_file()))
    }

    /// The content of a small file; `None` when there is none, or a large one.
    pub(super) fn text(&self, name: &str) -> Result<Option<Vec<u8>>, StoredError> {
        let Some(entry) = self.find(name)?.filter(|e| e.kind.size() <= TEXT_LIMIT) else {
            return Ok(None);
        };
        let mut text = Vec::new();
        let content = self.tree().open(&entry)?;
        content
            .take(TEXT_LIMIT)
            .read_to_end(&mut text)
            .map_err(|source| StoredError::File { what: escaped(name.as_bytes()), source })?;
        Ok(Some(text))
    }

    /// The content of a small file that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<Vec<u8>, StoredError> {
        let shown = escaped(name.as_bytes());
        self.text(name)?.ok_or(match self.find(name)? {
            None => StoredError::Damaged(format!("{shown} is missing")),
            Some(_) => StoredError::Malformed(format!("{shown} is larger than {TEXT_LIMIT} bytes")),
        })
    }

    /// The JSON in a small file with this digest, and, where it is stated, this size.
    pub(super) fn json(&self, name: &str, stated: &Stated) -> Result<Value, StoredError> {
        let shown = escaped(name.as_bytes());
        let text = self.needed(name)?;
        compare(&shown, stated, &digest_of(&text), text.len() as u64)?;
        serde_json::from_slice(&text)
            .map_err(|e| StoredError::Malformed(format!("{shown} is no JSON: {e}")))
    }

    /// The layer in the file `name`, plain or compressed, whose uncompressed digest is `diff_id`.
    /// What has to be unpacked goes into an unlinked file in `scratch`.
    pub(super) fn layer(
        &self,
        name: &str,
        stated: Option<&Stated>,
        diff_id: &str,
        scratch: &Path,
    ) -> Result<TarTree, StoredError> {
        let what = format!("the layer {}", escaped(name.as_bytes()));
        let missing = || StoredError::Damaged(format!("{what} is missing"));
        let entry = self.find(name)?.ok_or_else(missing)?;
        let mut stored =
            Measured::new(Watched { inner: self.tree().open(&entry)?, cancel: &self.cancel });
        let read = self.unpacked(&what, &entry, &mut stored, scratch);
        if let Some(stated) = stated {
            let rest = io::copy(&mut stored, &mut io::sink());
            rest.map_err(|source| StoredError::File { what: what.clone(), source })?;
            compare(&what, stated, &stored.digest(), stored.size)?;
        }
        let (tree, digest) = read?;
        if digest == diff_id {
            return Ok(tree);
        }
        let diff_id = escaped(diff_id.as_bytes());
        Err(StoredError::Damaged(format!(
            "{what} is damaged: it unpacks to {digest}, not {diff_id}"
        )))
    }

    /// Reads the tar in `stored`, which is the content of `entry`; with its digest.
    fn unpacked(
        &self,
        what: &str,
        entry: &Entry,
        stored: &mut dyn Read,
        scratch: &Path,
    ) -> Result<(TarTree, String), StoredError> {
        let unpacked = Unpacked::new(stored)
            .map_err(|source| StoredError::File { what: what.to_owned(), source })?;
        let place = match &self.files {
            Files::Tar(tree) if unpacked.is_plain() => tree.place(entry)?,
            // Somebody may change a file of a directory while it is read.
            _ => None,
        };
        let mut tar = Measured::new(unpacked);
        let tree = match place {
            Some((file, start)) => TarTree::in_place(&mut tar, file, start),
            None => TarTree::spool(&mut tar, spool(scratch)?, &mut |_| Keep::Content),
        };
        let tree = tree.map_err(|source| StoredError::Tar { what: what.to_owned(), source })?;
        Ok((tree, tar.digest()))
    }
}

fn compare(what: &str, stated: &Stated, digest: &str, size: u64) -> Result<(), StoredError> {
    if size != stated.size {
        return Err(StoredError::Damaged(format!(
            "{what} is damaged: it has {size} bytes, not {}",
            stated.size
        )));
    }
    if digest != stated.digest {
        return Err(StoredError::Damaged(format!(
            "{what} is damaged: its digest is {digest}, not {}",
            escaped(stated.digest.as_bytes())
        )));
    }
    Ok(())
}

/// The digest of `bytes` as images write it.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Where contents are unpacked to: a file in `scratch` that has no name.
pub(super) fn spool(scratch: &Path) -> Result<File, StoredError> {
    tempfile::tempfile_in(scratch).map_err(StoredError::Scratch)
}

/// Reads on until somebody asks to stop.
pub(super) struct Watched<'a, R> {
    pub(super) inner: R,
    pub(super) cancel: &'a Cancel,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check_cancelled(self.cancel, "reading", "").map_err(io::Error::other)?;
        self.inner.read(buffer)
    }
}

/// Reads, and knows what it has read.
struct Measured<R> {
    inner: R,
    hash: Sha256,
    size: u64,
}

impl<R: Read> Measured<R> {
    fn new(inner: R) -> Measured<R> {
        Measured { inner, hash: Sha256::new(), size: 0 }
    }

    /// The digest of what was read so far.
    fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.hash.clone().finalize()))
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.size += length as u64;
        Ok(length)
    }
}
