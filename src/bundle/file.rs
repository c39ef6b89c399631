//! [`BundleFile`]: an open bundle, read frame by frame.
//!
//! Invariant: no byte leaves a frame before the frame's digest is checked, so whoever reads
//! through here, the first time or again later, reads what was written or gets an error. One
//! frame, 8 MiB, is held at a time.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zstd::zstd_safe;

use super::digest::Sha;
use super::frames::Frame;
use super::index::{FOOTER, Index, PREAMBLE, format_of};
use super::{BundleError, escaped};

/// An open bundle with its index.
#[derive(Debug)]
pub(super) struct BundleFile {
    file: File,
    path: PathBuf,
    /// The format that its preamble names.
    format: u32,
    index: Index,
    /// For each frame its offset in the file and in the tar stream; then where both end.
    starts: Vec<(u64, u64)>,
}

impl BundleFile {
    /// Opens the bundle at `path`; anything but a regular file is refused without reading it.
    pub(super) fn open(path: &Path) -> Result<BundleFile, BundleError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                BundleError::Missing { path: path.to_owned() }
            }
            _ => BundleError::io("opening", path, source),
        };
        // Opening a device can have effects, so it is looked at first. Should the name be
        // exchanged meanwhile, NONBLOCK keeps a FIFO from holding us.
        check_regular(&std::fs::metadata(path).map_err(failed)?)?;
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(nonblock).open(path).map_err(failed)?;
        BundleFile::new(file, path)
    }

    /// Reads the index of the bundle in `file`, which is called `path` in messages.
    pub(super) fn new(file: File, path: &Path) -> Result<BundleFile, BundleError> {
        let reading = |source: io::Error| unless_cut(source, path);
        let metadata = file.metadata().map_err(|e| BundleError::io("opening", path, e))?;
        check_regular(&metadata)?;
        let length = metadata.len();
        let mut start = [0; PREAMBLE.len()];
        let start = &mut start[..usize::try_from(length).unwrap_or(usize::MAX).min(PREAMBLE.len())];
        file.read_exact_at(start, 0).map_err(reading)?;
        let format = format_of(start)?;

        let mut footer = [0; FOOTER];
        let footer_at = length
            .checked_sub(FOOTER as u64)
            .filter(|at| *at >= PREAMBLE.len() as u64)
            .ok_or_else(|| BundleError::Truncated { what: "it has no index".to_owned() })?;
        file.read_exact_at(&mut footer, footer_at).map_err(reading)?;
        let index_length = Index::length(&footer)?;
        let index_at =
            length.checked_sub(index_length).filter(|at| *at >= PREAMBLE.len() as u64).ok_or_else(
                || BundleError::damaged("index at its end", "it is longer than the file"),
            )?;
        let mut bytes = vec![0; usize::try_from(index_length).unwrap_or(0)];
        file.read_exact_at(&mut bytes, index_at).map_err(reading)?;
        let index = Index::decode(&bytes, length)?;

        let mut starts = vec![(PREAMBLE.len() as u64, 0)];
        let (mut packed, mut plain) = (PREAMBLE.len() as u64, 0);
        for frame in &index.frames {
            packed += u64::from(frame.packed);
            plain += u64::from(frame.plain);
            starts.push((packed, plain));
        }
        Ok(BundleFile { file, path: path.to_owned(), format, index, starts })
    }

    /// The format that its preamble names.
    pub(super) fn format(&self) -> u32 {
        self.format
    }

    /// The index at the end.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The name it was opened by.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes.
    pub(super) fn length(&self) -> Result<u64, BundleError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(|e| BundleError::io("reading", &self.path, e))?.len())
    }

    /// Length of the tar stream in bytes.
    pub(super) fn plain_length(&self) -> u64 {
        self.starts.last().map_or(0, |(_, plain)| *plain)
    }

    /// Offset in the tar stream where frame `number` begins.
    pub(super) fn plain_start(&self, number: usize) -> u64 {
        self.starts.get(number).map_or(self.plain_length(), |(_, plain)| *plain)
    }

    /// The number of the frame that holds offset `at` of the tar stream.
    pub(super) fn frame_at(&self, at: u64) -> usize {
        self.starts.partition_point(|(_, plain)| *plain <= at).saturating_sub(1)
    }

    /// The tar bytes of frame `number`, checked.
    pub(super) fn frame(&self, number: usize) -> Result<Vec<u8>, BundleError> {
        let place = || format!("frame {} of {}", number + 1, self.index.frames.len());
        let (Some(frame), Some((at, _))) = (self.index.frames.get(number), self.starts.get(number))
        else {
            return Err(BundleError::malformed(place(), "there is no such frame"));
        };
        let mut packed = vec![0; frame.packed as usize];
        self.file.read_exact_at(&mut packed, *at).map_err(|e| unless_cut(e, &self.path))?;
        if <Sha>::from(Sha256::digest(&packed)) != frame.digest {
            let at = format!("{}, {} bytes from byte {at}", place(), packed.len());
            return Err(BundleError::damaged(at, "its digest differs"));
        }
        unpack(&packed, frame).map_err(|what| BundleError::malformed(place(), what))
    }

    /// The tar stream from the start of frame `number`.
    pub(super) fn stream(&self, number: usize) -> TarStream<'_> {
        TarStream { bundle: self, next: number, frame: Vec::new(), at: 0 }
    }
}

fn check_regular(metadata: &std::fs::Metadata) -> Result<(), BundleError> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "it is a directory",
        () if kind.is_fifo() => "it is a FIFO",
        () if kind.is_socket() => "it is a socket",
        () => "it is a device",
    };
    Err(BundleError::NotABundle { what: what.to_owned() })
}

/// A file that became shorter since its length was taken is cut; other failures are the system's.
fn unless_cut(error: io::Error, path: &Path) -> BundleError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Truncated {
            what: format!(
                "`{}` became shorter while it was read",
                escaped(path.as_os_str().as_encoded_bytes())
            ),
        },
        _ => BundleError::io("reading", path, error),
    }
}

/// The content of one frame whose digest is right; anything but the one form we write is refused.
fn unpack(packed: &[u8], frame: &Frame) -> Result<Vec<u8>, String> {
    let magic = zstd_safe::MAGICNUMBER.to_le_bytes();
    let descriptor = packed.strip_prefix(&magic).and_then(|rest| rest.first());
    // Bit 2: a checksum follows. Bits 0, 1, 3 and 4: dictionary, reserved, unused.
    if descriptor.is_none_or(|bits| bits & 0b0001_1111 != 0b0000_0100) {
        return Err("not a zstd frame with checksum and without dictionary".to_owned());
    }
    if zstd_safe::get_frame_content_size(packed).ok().flatten() != Some(u64::from(frame.plain)) {
        return Err("its content size is not the index's".to_owned());
    }
    if zstd_safe::find_frame_compressed_size(packed).ok() != Some(packed.len()) {
        return Err("it is not exactly one frame".to_owned());
    }
    let plain = zstd::bulk::decompress(packed, frame.plain as usize)
        .map_err(|error| format!("zstd: {error}"))?;
    if plain.len() != frame.plain as usize {
        return Err("it holds less than the index says".to_owned());
    }
    Ok(plain)
}

/// The tar stream, read in order. Errors are [`BundleError`]s in `io::Error`'s clothes.
pub(super) struct TarStream<'a> {
    bundle: &'a BundleFile,
    next: usize,
    frame: Vec<u8>,
    at: usize,
}

impl Read for TarStream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.frame.len() && self.next < self.bundle.index.frames.len() {
            self.frame = self.bundle.frame(self.next).map_err(BundleError::into_io)?;
            self.next += 1;
            self.at = 0;
        }
        let taken = (self.frame.len() - self.at).min(out.len());
        out[..taken].copy_from_slice(&self.frame[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
