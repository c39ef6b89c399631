//! [`Reader`]: a bundle that is looked at, checked, or restored from.
//!
//! Opening reads the index and the manifest only. The contents are given out through
//! [`Contents`], after everything has been checked, and checked again as they are read.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::contents::{Contents, Located};
use super::document::{ManifestError, Outline};
use super::file::BundleFile;
use super::manifest::Manifest;
use super::texts::MANIFEST_NAME;
use super::verify::{self, Verified};
use super::{BundleError, verify::from_tar};
use crate::monitor::Monitor;
use crate::pax;

/// An open bundle.
#[derive(Debug)]
pub struct Reader {
    file: Arc<BundleFile>,
    manifest: Manifest,
}

impl Reader {
    /// Opens the bundle at `path` and reads its manifest.
    ///
    /// # Errors
    /// [`BundleError::NotABundle`] for anything else, a directory, FIFO or device without reading
    /// it; [`BundleError::Truncated`] or [`BundleError::Damaged`] when what is read here is;
    /// [`BundleError::Newer`] when it was written for later readers.
    pub fn open(path: &Path) -> Result<Reader, BundleError> {
        Reader::new(BundleFile::open(path)?)
    }

    /// As [`Self::open`], for a file that is open already; `path` is its name in messages.
    pub fn from_file(file: File, path: &Path) -> Result<Reader, BundleError> {
        Reader::new(BundleFile::new(file, path)?)
    }

    fn new(file: BundleFile) -> Result<Reader, BundleError> {
        let manifest = read_manifest(&file)?;
        Ok(Reader { file: Arc::new(file), manifest })
    }

    /// What the bundle says about itself. It is what was written; that the rest is, only
    /// [`Self::verify`] tells.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Length of the file in bytes.
    pub fn length(&self) -> Result<u64, BundleError> {
        self.file.length()
    }

    /// Checks everything: every frame, every member against the manifest, the order, the totals,
    /// and that there is nothing else.
    pub fn verify(&self, monitor: &dyn Monitor) -> Result<Verified, BundleError> {
        verify::verify(&self.file, &self.manifest, monitor, &mut |_| {})
    }

    /// Checks everything as [`Self::verify`] does, and makes the contents of regular files
    /// available. Nothing is unpacked: a content is read from its frames when it is asked for.
    pub fn contents(&self, monitor: &dyn Monitor) -> Result<Contents, BundleError> {
        let mut located: Vec<Located> = Vec::new();
        verify::verify(&self.file, &self.manifest, monitor, &mut |found| located.push(found))?;
        Ok(Contents::new(Arc::clone(&self.file), located, &self.manifest))
    }
}

/// Reads the manifest's frames.
fn read_manifest(file: &BundleFile) -> Result<Manifest, BundleError> {
    let malformed = |what: String| BundleError::malformed(MANIFEST_NAME, what);
    let newer = |needs: String| BundleError::Newer { needs };
    let (manifest, digest) = with_manifest(file, |text| match Manifest::read(text) {
        Ok(read) => Ok(read),
        Err(ManifestError::Io(error)) => Err(from_tar(error.into(), file)),
        Err(ManifestError::Id) => {
            Err(BundleError::damaged(MANIFEST_NAME, "its content does not have its id"))
        }
        // A later regrow may have written more than this one knows, and says so in front.
        Err(ManifestError::Malformed(what)) => {
            let outline = with_manifest(file, |text| Ok(Outline::read(text)))?;
            let needs = outline.and_then(|outline| outline.needs());
            Err(needs.map_or_else(|| malformed(what), newer))
        }
    })?;
    if digest != file.index().manifest_digest {
        return Err(BundleError::damaged(MANIFEST_NAME, "its digest is not the index's"));
    }
    if let Some(needs) = manifest.needs() {
        return Err(newer(needs));
    }
    match manifest.format == file.format() {
        true => Ok(manifest),
        false => Err(BundleError::damaged("preamble", "its format is not the manifest's")),
    }
}

/// Gives `act` the text of the manifest.
fn with_manifest<T>(
    file: &BundleFile,
    act: impl FnOnce(&mut dyn Read) -> Result<T, BundleError>,
) -> Result<T, BundleError> {
    let index = file.index();
    let mut tar =
        pax::Reader::new(file.stream(index.manifest_frame as usize), pax::Dialect::Strict);
    let mut member = tar
        .next()
        .map_err(|error| from_tar(error, file))?
        .filter(|found| {
            found.member.name == MANIFEST_NAME.as_bytes()
                && found.member.size() == index.manifest_size
        })
        .ok_or_else(|| BundleError::malformed(MANIFEST_NAME, "it is not where the index says"))?;
    act(&mut member)
}
