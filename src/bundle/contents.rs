//! [`Contents`]: the contents of a bundle's regular files, each to be opened at any time.
//!
//! Nothing is unpacked and no disk space is needed: a content is read from the frames that hold
//! it. Invariant: what is read was checked twice, when the whole bundle was verified, and against
//! its frame's digest as it is read, from the same open file.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::BundleFile;
use super::manifest::Manifest;
use super::{Area, BundleError};
use crate::tree::{Content, ContentId, Extent, RootPath, Store};

/// A regular file's content in the tar stream.
pub(super) struct Located {
    /// The member's name.
    pub(super) name: Vec<u8>,
    /// Size of the file, holes included.
    pub(super) size: u64,
    /// Offset in the tar stream of the first data run; the others follow it.
    pub(super) offset: u64,
    /// Where the data belongs in the file.
    pub(super) runs: Vec<Extent>,
}

/// Frames that are kept unpacked: neighbours in the tar are mostly asked for together.
const KEPT_FRAMES: usize = 2;

/// The contents of a bundle that was verified.
pub struct Contents {
    file: Arc<BundleFile>,
    located: Vec<Located>,
    ids: HashMap<Vec<u8>, ContentId>,
    exports: HashMap<String, ContentId>,
    /// The frames used last, the latest at the end.
    frames: Mutex<Vec<(usize, Arc<Vec<u8>>)>>,
}

impl Contents {
    pub(super) fn new(
        file: Arc<BundleFile>,
        located: Vec<Located>,
        manifest: &Manifest,
    ) -> Contents {
        let id = |number: usize| ContentId(number as u64);
        let mut ids: HashMap<Vec<u8>, ContentId> =
            located.iter().enumerate().map(|(n, found)| (found.name.clone(), id(n))).collect();
        // The further names of a file lead to its content too.
        let mut groups = HashMap::new();
        for entry in manifest.entries.wanted(|listed| listed.stored && listed.links.is_some()) {
            let links = entry.node.as_ref().and_then(|node| node.links);
            let (Some(_), Some((area, path))) = (entry.digest, manifest.place(&entry)) else {
                continue;
            };
            let name = area.member(&path);
            let group = (area.prefix(), links);
            match ids.get(&name) {
                Some(id) => drop(groups.insert(group, *id)),
                None => drop(groups.get(&group).map(|id| ids.insert(name, *id))),
            }
        }
        let exports = manifest
            .exports
            .iter()
            .filter_map(|export| Some((export.name.clone(), *ids.get(export.member.as_bytes())?)));
        let exports = exports.collect();
        Contents { file, located, ids, exports, frames: Mutex::new(Vec::new()) }
    }

    /// The content of the regular file at `path` of `area`, under any of its names; `None` when
    /// the bundle holds none.
    pub fn find(&self, area: Area<'_>, path: &RootPath) -> Option<ContentId> {
        self.ids.get(&area.member(path)).copied()
    }

    /// The dump of the export called `name`.
    pub fn export(&self, name: &str) -> Option<ContentId> {
        self.exports.get(name).copied()
    }

    fn located(&self, id: ContentId) -> io::Result<&Located> {
        let number = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.located
            .get(number)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such content in the bundle"))
    }

    fn frame(&self, number: usize) -> io::Result<Arc<Vec<u8>>> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match frames.iter().position(|(kept, _)| *kept == number) {
            Some(at) => frames.remove(at),
            None => {
                let frame = self.file.frame(number).map_err(BundleError::into_io)?;
                if frames.len() == KEPT_FRAMES {
                    frames.remove(0);
                }
                (number, Arc::new(frame))
            }
        };
        frames.push(kept.clone());
        Ok(kept.1)
    }

    /// Reads tar bytes from offset `at` on; at most to the end of a frame.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        let number = self.file.frame_at(at);
        let frame = self.frame(number)?;
        let start = usize::try_from(at - self.file.plain_start(number)).unwrap_or(usize::MAX);
        let bytes = frame.get(start..).unwrap_or_default();
        let taken = bytes.len().min(out.len());
        if taken == 0 && !out.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out[..taken].copy_from_slice(&bytes[..taken]);
        Ok(taken)
    }
}

impl Store for Contents {
    fn open(&self, id: ContentId) -> io::Result<Box<dyn Content + '_>> {
        let located = self.located(id)?;
        let starts = located.runs.iter().scan(located.offset, |next, run| {
            let start = *next;
            *next += run.length;
            Some(start)
        });
        let starts = starts.collect();
        Ok(Box::new(StoredContent { contents: self, located, starts, at: 0 }))
    }

    fn extents(&self, id: ContentId) -> io::Result<Vec<Extent>> {
        Ok(self.located(id)?.runs.clone())
    }
}

/// One content, holes as zeros.
struct StoredContent<'a> {
    contents: &'a Contents,
    located: &'a Located,
    /// For each run, its offset in the tar stream.
    starts: Vec<u64>,
    at: u64,
}

impl StoredContent<'_> {
    /// What is at the current offset: the tar offset of its data, or a hole, and its length.
    fn piece(&self) -> (Option<u64>, u64) {
        let runs = &self.located.runs;
        let number = runs.partition_point(|run| run.offset + run.length <= self.at);
        match (runs.get(number), self.starts.get(number)) {
            (Some(run), _) if self.at < run.offset => (None, run.offset - self.at),
            (Some(run), Some(start)) => {
                let inside = self.at - run.offset;
                (Some(start + inside), run.length - inside)
            }
            _ => (None, self.located.size.saturating_sub(self.at)),
        }
    }
}

impl Read for StoredContent<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (tar, length) = self.piece();
        let want = usize::try_from(length).map_or(out.len(), |length| length.min(out.len()));
        let out = &mut out[..want];
        let taken = match tar {
            Some(at) => self.contents.read_at(at, out)?,
            None => {
                out.fill(0);
                want
            }
        };
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Seek for StoredContent<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.located.size.checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
