//! [`Opened`]: the file that a source is read from.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::SourceSpec;
use super::compression::Unpacked;
use super::shelf::{StoredError, Watched, spool};
use crate::cancel::Cancel;
use crate::failure::{Failure, FailureKind};
use crate::pax::{Keep, TarTree};

/// The file that a source was opened from, to see whether it is still the same.
pub(super) struct Opened {
    file: File,
    stamp: Stamp,
}

/// What changes when a file is written to: size, time of modification, time of change.
type Stamp = (u64, (i64, i64), (i64, i64));

fn stamp(of: &Metadata) -> Stamp {
    (of.size(), (of.mtime(), of.mtime_nsec()), (of.ctime(), of.ctime_nsec()))
}

impl Opened {
    /// Opens the file at `path`; anything but a regular file is refused without reading it.
    pub(super) fn new(spec: &SourceSpec, path: &Path) -> Result<Opened, Failure> {
        let failed = |why: &str| {
            Failure::new(FailureKind::Precondition, "opening", spec.to_string())
                .why(why)
                .next("name a tar, as `docker export`, `docker save` or `tar` write it")
        };
        let unopened = |e: io::Error| failed("the file cannot be opened").because(e);
        // Should the name be exchanged meanwhile, NONBLOCK keeps a FIFO from holding us.
        let metadata = std::fs::metadata(path).map_err(unopened)?;
        if metadata.is_dir() {
            return Err(failed("it is a directory").next("name an unpacked root as rootfs:DIR"));
        }
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let opened = metadata.is_file().then(|| {
            let file = File::options().read(true).custom_flags(nonblock).open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        match opened.transpose().map_err(unopened)? {
            Some((file, metadata)) if metadata.is_file() => {
                Ok(Opened { file, stamp: stamp(&metadata) })
            }
            _ => Err(failed("it is not a regular file")),
        }
    }

    /// Makes sure that nobody wrote to the file since it was opened.
    pub(super) fn check_unchanged(&self, spec: &SourceSpec) -> Result<(), Failure> {
        let now = self.file.metadata().map_err(|e| {
            Failure::new(FailureKind::Resource, "checking again", spec.to_string()).because(e)
        })?;
        if stamp(&now) == self.stamp {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Precondition, "reading", spec.to_string())
            .why("the file was changed while it was read")
            .safe("the file is as it is, no bundle was written")
            .next("wait until it is complete and run the same command again"))
    }

    /// The tar in the file as a tree. One that is not compressed is read where it lies, else
    /// contents go into an unlinked file in `scratch`.
    pub(super) fn tree(&self, scratch: &Path, cancel: &Cancel) -> Result<TarTree, StoredError> {
        let what = "the file";
        if self.stamp.0 == 0 {
            return Err(StoredError::Malformed("the file is empty".to_owned()));
        }
        let unread = |source| StoredError::File { what: what.to_owned(), source };
        let mut unpacked = Unpacked::new(Watched { inner: &self.file, cancel }).map_err(unread)?;
        let tree = if unpacked.is_plain() {
            let file = self.file.try_clone().map_err(StoredError::Scratch)?;
            TarTree::in_place(&mut unpacked, file, 0)
        } else {
            TarTree::spool(&mut unpacked, spool(scratch)?, &mut |_| Keep::Content)
        };
        tree.map_err(|source| StoredError::Tar { what: what.to_owned(), source })
    }
}
