//! [`Writer`]: a bundle while it is made.
//!
//! Invariants: members of an area ascend by path, so none comes twice; a member is in the bundle
//! whole or not at all; after a failure to write nothing is ever published.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::added::{Added, Areas, fill};
use super::digest::{ContentHasher, Digest, Tap};
use super::frames::{FRAME_LIMIT, FrameWriter};
use super::index::{Index, MANIFEST_LIMIT, PREAMBLE};
use super::manifest::{Counts, Manifest, MemberRecord};
use super::pending::Pending;
use super::reader::Reader;
use super::texts::{self, sum_line};
use super::{Area, BundleError, is_volume_name, shape};
use crate::monitor::Monitor;
use crate::pax::{self, Body, Member, WriteError, stored_runs};
use crate::tree::{Content, Entry, Extent, Kind, LinkGroup, Meta, RootPath, path_order};

/// A bundle that is being written under a temporary name; dropped, it leaves nothing behind.
#[must_use = "a bundle exists only after `finish`"]
pub(crate) struct Writer {
    pending: Pending,
    frames: FrameWriter,
    /// The text of `SHA256SUMS` so far, in a file without a name.
    sums: BufWriter<File>,
    /// By area, what stands for paths of the source.
    added: Areas,
    members: Vec<MemberRecord>,
    /// First names of files that may have further ones, by area.
    first_names: HashMap<(String, LinkGroup), FirstName>,
    counts: Counts,
    state: State,
}

struct FirstName {
    member: Vec<u8>,
    digest: Option<Digest>,
}

#[derive(PartialEq, Eq)]
enum State {
    Good,
    Void,
}

/// A bundle under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// Its name.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its id, as in the manifest.
    pub id: String,
}

impl Writer {
    /// Begins a bundle that is to be called `path`, beside which it is written.
    ///
    /// # Errors
    /// [`BundleError::Exists`] when the name is taken, [`BundleError::Missing`] without a
    /// directory for it; nothing is touched then.
    pub(crate) fn create(path: &Path) -> Result<Writer, BundleError> {
        Writer::with_frame_limit(path, FRAME_LIMIT)
    }

    /// As [`Self::create`], with smaller frames.
    pub(super) fn with_frame_limit(path: &Path, limit: usize) -> Result<Writer, BundleError> {
        let pending = Pending::create(path)?;
        let failed = |error| BundleError::io("writing", path, error);
        let mut file = pending.file().try_clone().map_err(failed)?;
        file.write_all(&PREAMBLE).map_err(failed)?;
        let sums = tempfile::tempfile_in(pending.directory()).map_err(failed)?;
        let mut writer = Writer {
            frames: FrameWriter::new(file, limit).map_err(failed)?,
            pending,
            sums: BufWriter::new(sums),
            added: Areas::new(),
            members: Vec::new(),
            first_names: HashMap::new(),
            counts: Counts::default(),
            state: State::Good,
        };
        writer.add_text(texts::README_NAME, 0o644, texts::README)?;
        writer.add_text(texts::RESTORE_NAME, 0o755, texts::RESTORE)?;
        Ok(writer)
    }

    /// Adds `entry`, whose path counts from the root of `area`, and returns the digest of a
    /// regular file. Within an area, entries come in ascending order of path.
    ///
    /// `content`, at its start, and its `extents` are those of a regular file. A later name of a
    /// [`LinkGroup`] of the area becomes a hard link, and its content is not read.
    ///
    /// # Errors
    /// When [`BundleError::is_about_one_entry`], the bundle is as before and takes further ones.
    /// Otherwise it is void.
    pub(crate) fn add(
        &mut self,
        area: Area<'_>,
        entry: &Entry,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
    ) -> Result<Option<Digest>, BundleError> {
        let prefix = self.check(area, entry)?;
        if let Some(why) = shape::unfit(entry.path.as_bytes(), &entry.kind) {
            return Err(BundleError::Unfit { path: entry.path.clone(), why: why.to_owned() });
        }
        let name = area.member(&entry.path);
        let group = entry.links.map(|links| (prefix.clone(), links));
        let first = group.as_ref().and_then(|group| self.first_names.get(group));
        let (body, known) = match first {
            Some(first) => (Body::Hardlink { target: first.member.clone() }, Some(first.digest)),
            None => (Body::Node(entry.kind.clone()), None),
        };
        let member = Member { name, body, meta: entry.meta.clone() };
        let digest = match known {
            Some(digest) => {
                self.append(&member, None, &[], &entry.path)?;
                digest
            }
            None => {
                let digest = self.append(&member, content, extents, &entry.path)?;
                self.counts.bytes += entry.kind.size();
                digest
            }
        };
        if let (Some(group), None) = (group, known) {
            let first = FirstName { member: member.name.clone(), digest };
            self.first_names.insert(group, first);
        }
        self.note_sum(&member.name, digest)?;
        self.counts.members += 1;
        if matches!(area, Area::Export | Area::Pristine | Area::Image) {
            let size = entry.kind.size();
            self.members.push(MemberRecord { name: member.name, size, digest });
        }
        self.added.entry(prefix).or_default().push(&entry.path, digest);
        Ok(digest)
    }

    /// Completes the bundle: texts, sums and manifest; then everything is read back from the disk
    /// and compared; then it gets its name.
    ///
    /// `manifest` needs neither id nor counts, members, digests and `stored`: they are filled in.
    ///
    /// # Errors
    /// [`BundleError::Misuse`] when an added path has no entry in the manifest. Whatever the
    /// error, there is no bundle then.
    pub(crate) fn finish(
        mut self,
        mut manifest: Manifest,
        monitor: &dyn Monitor,
    ) -> Result<Published, BundleError> {
        self.check_state()?;
        monitor.phase("completing the bundle");
        self.add_sums()?;
        manifest.members = std::mem::take(&mut self.members);
        fill(&mut manifest, &self.added, self.counts)?;
        self.added.clear();
        let failed = writing(self.pending.path());
        let manifest_frame = self.frames.cut().map_err(&failed)?;
        let (manifest_size, manifest_digest) = self.add_manifest(&manifest)?;
        let frames = pax::Writer::new(self.frames).finish().map_err(|error| match error {
            WriteError::Sink(source) => failed(source),
            other => BundleError::Misuse { what: other.to_string() },
        })?;
        let (mut file, frames) = frames.finish().map_err(&failed)?;
        let manifest_frame = u32::try_from(manifest_frame)
            .map_err(|_| BundleError::TooLarge { what: "its index".to_owned() })?;
        let index = Index { frames, manifest_frame, manifest_size, manifest_digest };
        file.write_all(&index.encode()?).map_err(&failed)?;
        file.sync_all().map_err(&failed)?;
        drop(file);
        let id = std::mem::take(&mut manifest.id);
        // What was written is read again, and is in memory once.
        drop(manifest);
        let bytes = read_back(&self.pending, monitor)?;
        let path = self.pending.path().to_owned();
        self.pending.publish()?;
        Ok(Published { path, bytes, id })
    }

    /// What has to hold before `entry` may be added; returns the area's directory.
    fn check(&self, area: Area<'_>, entry: &Entry) -> Result<String, BundleError> {
        self.check_state()?;
        let misuse = |what: String| Err(BundleError::Misuse { what });
        if let Area::Volume(name) = area
            && !is_volume_name(name)
        {
            return misuse(format!("`{}` cannot be a volume's name", name.escape_debug()));
        }
        let prefix = area.prefix();
        let last = self.added.get(&prefix).and_then(Added::last);
        if last.is_some_and(|last| path_order(last, entry.path.as_bytes()).is_ge()) {
            return misuse(format!("`{}` of {prefix} comes too late", entry.path));
        }
        let is_source = matches!(area, Area::Root | Area::Volume(_));
        if !is_source && !matches!(entry.kind, Kind::File { .. } | Kind::Dir) {
            return misuse(format!("{prefix} cannot hold a {}", entry.kind.word()));
        }
        if !is_source && entry.links.is_some() {
            return misuse(format!("{prefix} holds no hard links"));
        }
        Ok(prefix)
    }

    fn check_state(&self) -> Result<(), BundleError> {
        match self.state {
            State::Good => Ok(()),
            State::Void => Err(BundleError::Misuse { what: "it is void already".to_owned() }),
        }
    }

    /// Appends one member, whole or not at all. `path` is the source's, for messages.
    fn append(
        &mut self,
        member: &Member,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
        path: &RootPath,
    ) -> Result<Option<Digest>, BundleError> {
        // Void until proven otherwise: every way out but the two below leaves it so.
        self.state = State::Void;
        self.frames.begin_member();
        let written = write_member(&mut self.frames, member, content, extents);
        let failed = writing(self.pending.path());
        let about_entry = match written {
            Ok(digest) => {
                self.frames.end_member().map_err(failed)?;
                self.state = State::Good;
                return Ok(digest);
            }
            Err(WriteError::Sink(source)) => return Err(failed(source)),
            Err(WriteError::Source(source)) => BundleError::Source { path: path.clone(), source },
            Err(changed @ WriteError::SourceChanged { .. }) => BundleError::Source {
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, changed.to_string()),
            },
            Err(WriteError::Unrepresentable { why, .. }) => {
                BundleError::Unfit { path: path.clone(), why: why.to_string() }
            }
            Err(error @ WriteError::Failed) => {
                return Err(BundleError::Misuse { what: error.to_string() });
            }
        };
        self.frames.abandon_member().map_err(failed)?;
        self.state = State::Good;
        Err(about_entry)
    }

    fn note_sum(&mut self, name: &[u8], digest: Option<Digest>) -> Result<(), BundleError> {
        let line = digest.and_then(|digest| sum_line(name, &digest)).unwrap_or_default();
        let noted = self.sums.write_all(&line);
        noted.map_err(|error| {
            self.state = State::Void;
            BundleError::io("writing", self.pending.path(), error)
        })
    }

    /// A member of our own making.
    fn add_text(&mut self, name: &str, mode: u32, text: &str) -> Result<(), BundleError> {
        let size = text.len() as u64;
        let digest = self.add_own(name, mode, size, &mut io::Cursor::new(text))?;
        self.note_sum(name.as_bytes(), Some(digest))
    }

    fn add_sums(&mut self) -> Result<(), BundleError> {
        let failed = writing(self.pending.path());
        self.sums.flush().map_err(&failed)?;
        let mut text = self.sums.get_ref().try_clone().map_err(&failed)?;
        let size = text.stream_position().map_err(&failed)?;
        text.rewind().map_err(&failed)?;
        self.add_own(texts::SUMS_NAME, 0o644, size, &mut text).map(drop)
    }

    fn add_own(
        &mut self,
        name: &str,
        mode: u32,
        size: u64,
        content: &mut dyn Content,
    ) -> Result<Digest, BundleError> {
        let member = Member {
            name: name.as_bytes().to_vec(),
            body: Body::Node(Kind::File { size }),
            meta: own_meta(mode),
        };
        let whole = [Extent { offset: 0, length: size }];
        let digest = self
            .append(&member, Some(content), &whole, &RootPath::root())
            // What we read here is our own: its failure is no loss of the source's.
            .map_err(|error| match error {
                BundleError::Source { source, .. } => writing(self.pending.path())(source),
                other => other,
            })?;
        let digest = digest.unwrap_or_else(|| Digest::of(b""));
        self.counts.bytes += size;
        self.counts.members += 1;
        self.members.push(MemberRecord { name: member.name, size, digest: Some(digest) });
        Ok(digest)
    }

    /// Writes the manifest's member; returns its size and digest.
    fn add_manifest(&mut self, manifest: &Manifest) -> Result<(u64, super::Sha), BundleError> {
        let failed = writing(self.pending.path());
        let spool = tempfile::tempfile_in(self.pending.directory()).map_err(&failed)?;
        let mut spool = BufWriter::with_capacity(1 << 16, spool);
        manifest.write(&mut spool).map_err(&failed)?;
        let mut text = spool.into_inner().map_err(|error| failed(error.into_error()))?;
        let size = text.seek(SeekFrom::End(0)).map_err(&failed)?;
        if size > MANIFEST_LIMIT {
            let what = format!("a manifest of {size} bytes, for {} paths", manifest.entries.len());
            return Err(BundleError::TooLarge { what });
        }
        text.rewind().map_err(&failed)?;
        match self.add_own(texts::MANIFEST_NAME, 0o644, size, &mut text)? {
            Digest::Content(sha) => Ok((size, sha)),
            Digest::Runs(_) => Err(BundleError::Misuse { what: "a sparse manifest".to_owned() }),
        }
    }
}

/// Turns a failure of the output into the error that ends the bundle.
fn writing(path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |error| BundleError::io("writing", &path, error)
}

fn own_meta(mode: u32) -> Meta {
    Meta::root(mode)
}

/// Writes one member and hashes the content of a regular file.
fn write_member(
    frames: &mut FrameWriter,
    member: &Member,
    content: Option<&mut dyn Content>,
    extents: &[Extent],
) -> Result<Option<Digest>, WriteError> {
    let mut tar = pax::Writer::new(frames);
    let Body::Node(Kind::File { size }) = member.body else {
        return tar.append(member, None, &[]).map(|()| None);
    };
    let unfit = |why| WriteError::Unrepresentable { name: member.name.clone(), why };
    let runs = stored_runs(extents, size).map_err(unfit)?;
    let hasher = ContentHasher::new(size, runs.clone());
    let Some(content) = content else {
        return tar.append(member, None, &runs).map(|()| Some(hasher.finish()));
    };
    let mut tap = Tap { inner: content, hasher };
    tar.append(member, Some(&mut tap), &runs)?;
    Ok(Some(tap.hasher.finish()))
}

/// Reads the whole bundle from the disk and checks it: a compressor, memory or a disk can be at
/// fault, and this is the last moment at which the source can still be read again.
fn read_back(pending: &Pending, monitor: &dyn Monitor) -> Result<u64, BundleError> {
    let failed = |error| BundleError::io("reading back", pending.path(), error);
    // Written pages are dropped from memory, so that the disk's answer is read. Where that cannot
    // be, memory's answer still tells a wrong compressor.
    let _ = rustix::fs::fadvise(pending.file(), 0, None, rustix::fs::Advice::DontNeed);
    let file = pending.file().try_clone().map_err(failed)?;
    let reader = Reader::from_file(file, pending.path())?;
    reader.verify(monitor)?;
    reader.length()
}
