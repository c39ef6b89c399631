//! Whether a bundle is whole: every member against the manifest.
//!
//! The frames' digests tell damage; what is compared here tells whether the members are those
//! that the manifest lists, all of them, in order, and nothing else. A bundle that passes has one
//! meaning, whichever program reads it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::added::check_references;
use super::contents::Located;
use super::digest::{ContentHasher, Digest, Sha, Tap};
use super::file::{BundleFile, TarStream};
use super::manifest::{Counts, Manifest, MemberRecord};
use super::texts::{MANIFEST_NAME, README_NAME, RESTORE_NAME, SUMS_NAME, sum_line};
use super::{Area, BundleError, escaped};
use crate::monitor::Monitor;
use crate::pax::{self, Body, Member, ReadError, ReadMember};
use crate::tree::{Extent, Kind, LinkGroup};

/// A bundle that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Members that were compared, the manifest among them.
    pub members: u64,
    /// Tar bytes that were read.
    pub bytes: u64,
}

/// Reads everything and compares it; tells `visit` where each regular file's content is.
pub(super) fn verify(
    file: &BundleFile,
    manifest: &Manifest,
    monitor: &dyn Monitor,
    visit: &mut dyn FnMut(Located),
) -> Result<Verified, BundleError> {
    monitor.phase("checking the bundle");
    check_references(manifest).map_err(|what| BundleError::malformed(MANIFEST_NAME, what))?;
    let mut expected = Expected::new(manifest, file);
    let mut tar = pax::Reader::new(file.stream(0), pax::Dialect::Strict);
    let mut last = String::new();
    loop {
        if let Some(signal) = monitor.cancel().signal() {
            return Err(BundleError::Cancelled { signal });
        }
        let after = |error| after(error, &last);
        let Some(member) = tar.next().map_err(|e| after(from_tar(e, file)))? else { break };
        let name = escaped(&member.member.name);
        monitor.progress(member.position(), Some(file.plain_length()));
        let found = Found::read(member).map_err(|e| after(from_tar(e, file)))?;
        expected.compare(&found)?;
        if found.digest.is_some() {
            let Found { member, extents, offset, .. } = found;
            visit(Located { size: member.size(), name: member.name, offset, runs: extents });
        }
        last = name;
    }
    let bytes = file.plain_length();
    monitor.progress(bytes, Some(bytes));
    Ok(Verified { members: expected.finish()? + 1, bytes })
}

/// Names the member before the damage: what lies between it and the next frame is hit.
fn after(error: BundleError, last: &str) -> BundleError {
    match error {
        BundleError::Damaged { at, what } if !last.is_empty() => {
            BundleError::Damaged { at: format!("{at}, after member `{last}`"), what }
        }
        other => other,
    }
}

/// What the tar reader's error means here, where the digest of every frame was right.
pub(super) fn from_tar(error: ReadError, file: &BundleFile) -> BundleError {
    let at = |position: u64| format!("byte {position} of its tar");
    match error {
        ReadError::Io { source, .. } => BundleError::from_io(source, "reading", file.path()),
        ReadError::Malformed { position, fault } => {
            BundleError::malformed(at(position), fault.to_string())
        }
        ReadError::Truncated { position } => BundleError::malformed(at(position), "it ends here"),
        other => BundleError::malformed("its tar", other.to_string()),
    }
}

/// A member as it was read.
struct Found {
    member: Member,
    extents: Vec<Extent>,
    offset: u64,
    /// Of a regular file that is stored here.
    digest: Option<Digest>,
}

impl Found {
    fn read(member: ReadMember<'_, TarStream<'_>>) -> Result<Found, ReadError> {
        let offset = member.position();
        let (member, extents, mut data) = member.split();
        let mut digest = None;
        if let Body::Node(Kind::File { size }) = member.body {
            let hasher = ContentHasher::new(size, extents.clone());
            let mut tap = Tap { inner: &mut data, hasher };
            let mut buffer = vec![0; 1 << 16];
            while tap.read(&mut buffer)? > 0 {}
            digest = Some(tap.hasher.finish());
        }
        Ok(Found { member, extents, offset, digest })
    }
}

/// What is still to come, by the manifest.
struct Expected<'m> {
    /// By area, the numbers of the stored entries.
    areas: BTreeMap<Vec<u8>, VecDeque<usize>>,
    /// Members that stand for no path, in order.
    others: VecDeque<&'m MemberRecord>,
    manifest: &'m Manifest,
    manifest_digest: Sha,
    /// First names of files with further ones, by area.
    first_names: HashMap<(Vec<u8>, LinkGroup), FirstName>,
    sums: Sha256,
    counts: Counts,
    stage: Stage,
}

/// The member that stores a file with several names.
struct FirstName {
    name: Vec<u8>,
    kind: Kind,
    digest: Option<Digest>,
}

/// How far the order of a bundle has been followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Readme,
    Restore,
    Areas,
    Manifest,
    End,
}

impl<'m> Expected<'m> {
    fn new(manifest: &'m Manifest, file: &BundleFile) -> Expected<'m> {
        let mut areas: BTreeMap<Vec<u8>, VecDeque<usize>> = BTreeMap::new();
        let listed = manifest.entries.listed().enumerate();
        for (number, listed) in listed.filter(|(_, listed)| listed.stored) {
            let area = listed.volume.map_or(Area::Root, Area::Volume);
            areas.entry(area.prefix().into_bytes()).or_default().push_back(number);
        }
        Expected {
            areas,
            others: manifest.members.iter().collect(),
            manifest,
            manifest_digest: file.index().manifest_digest,
            first_names: HashMap::new(),
            sums: Sha256::new(),
            counts: Counts { entries: manifest.entries.len() as u64, ..Counts::default() },
            stage: Stage::Readme,
        }
    }

    fn compare(&mut self, found: &Found) -> Result<(), BundleError> {
        let name = found.member.name.as_slice();
        let is = |text: &str| name == text.as_bytes();
        let (stage, digest) = match self.stage {
            Stage::Readme if is(README_NAME) => (Stage::Restore, self.other(found)?),
            Stage::Restore if is(RESTORE_NAME) => (Stage::Areas, self.other(found)?),
            Stage::Areas if is(SUMS_NAME) => {
                if found.digest != Some(Digest::Content(self.sums.clone().finalize().into())) {
                    return Err(differs(name, "it does not list the members"));
                }
                (Stage::Manifest, self.other(found)?)
            }
            Stage::Areas => match area_of(name) {
                Some(b"exports" | b"pristine" | b"image") => (Stage::Areas, self.other(found)?),
                Some(prefix) => (Stage::Areas, self.entry(found, prefix)?),
                None => return Err(differs(name, "it is not expected here")),
            },
            Stage::Manifest if is(MANIFEST_NAME) => {
                if found.digest != Some(Digest::Content(self.manifest_digest)) {
                    return Err(differs(name, "its digest is not the index's"));
                }
                self.stage = Stage::End;
                return Ok(());
            }
            _ => return Err(differs(name, "it is not expected here")),
        };
        self.stage = stage;
        self.counts.members += 1;
        if let Some(line) = digest.and_then(|digest| sum_line(name, &digest)) {
            self.sums.update(line);
        }
        Ok(())
    }

    /// Compares a member that stands for no path.
    fn other(&mut self, found: &Found) -> Result<Option<Digest>, BundleError> {
        let member = &found.member;
        let Some(record) = self.others.pop_front().filter(|record| record.name == member.name)
        else {
            return Err(differs(&member.name, "the manifest has another member here, or none"));
        };
        let kind_fits = match &member.body {
            Body::Node(Kind::File { size }) => *size == record.size,
            Body::Node(Kind::Dir) => true,
            _ => false,
        };
        if !kind_fits || found.digest != record.digest {
            return Err(differs(&member.name, "its kind, size or digest is not the manifest's"));
        }
        self.count(&member.name, record.size)?;
        Ok(record.digest)
    }

    /// Compares a member of the area `prefix` that stands for a path of the source.
    fn entry(&mut self, found: &Found, prefix: &[u8]) -> Result<Option<Digest>, BundleError> {
        let Found { member, digest, .. } = found;
        let next = self.areas.get_mut(prefix).and_then(VecDeque::pop_front);
        let entry = next.map(|number| self.manifest.entries.get(number));
        let place = entry.as_ref().and_then(|entry| Some((entry, self.manifest.place(entry)?)));
        let Some((entry, (area, path))) = place else {
            return Err(differs(&member.name, "the manifest stores no such entry"));
        };
        if area.member(&path) != member.name {
            let what = format!("the manifest stores `{}` here", escaped(&area.member(&path)));
            return Err(differs(&member.name, what));
        }
        let Some(node) = entry.node.as_ref().filter(|node| node.meta == member.meta) else {
            return Err(differs(&member.name, "its metadata is not the manifest's"));
        };
        let group = node.links.map(|links| (prefix.to_vec(), links));
        let first = group.as_ref().and_then(|group| self.first_names.get(group));
        let (fits, digest) = match (&member.body, first) {
            (Body::Node(kind), None) => (*kind == node.kind, *digest),
            (Body::Hardlink { target }, Some(first)) => {
                (*target == first.name && first.kind == node.kind, first.digest)
            }
            _ => return Err(differs(&member.name, "its hard links are not the manifest's")),
        };
        if !fits || digest != entry.digest {
            return Err(differs(&member.name, "its kind, size or digest is not the manifest's"));
        }
        self.counts.stored += 1;
        if first.is_none() {
            self.count(&member.name, node.kind.size())?;
            if let Some(group) = group {
                let (name, kind) = (member.name.clone(), node.kind.clone());
                let first = FirstName { name, kind, digest };
                self.first_names.insert(group, first);
            }
        }
        Ok(digest)
    }

    fn count(&mut self, name: &[u8], bytes: u64) -> Result<(), BundleError> {
        let sum = self.counts.bytes.checked_add(bytes);
        self.counts.bytes = sum.ok_or_else(|| {
            let at = format!("member `{}`", escaped(name));
            BundleError::malformed(at, "no file system holds so many bytes")
        })?;
        Ok(())
    }

    /// Checks that everything came; returns the number of members but the manifest.
    fn finish(self) -> Result<u64, BundleError> {
        let missing = |name: &[u8]| Err(differs(name, "it is missing"));
        if self.stage != Stage::End {
            return missing(MANIFEST_NAME.as_bytes());
        }
        if let Some(record) = self.others.front() {
            return missing(&record.name);
        }
        if let Some(number) = self.areas.values().find_map(VecDeque::front) {
            return missing(self.manifest.entries.get(*number).path.as_bytes());
        }
        if self.counts != self.manifest.counts {
            return Err(differs(
                MANIFEST_NAME.as_bytes(),
                "its counts are not those of the members",
            ));
        }
        Ok(self.counts.members)
    }
}

/// The area's directory in a member's name.
fn area_of(name: &[u8]) -> Option<&[u8]> {
    let depth = if name.starts_with(b"volumes/") { 2 } else { 1 };
    let end = name.split(|b| *b == b'/').take(depth).map(|part| part.len() + 1).sum::<usize>() - 1;
    let prefix = &name[..end];
    (depth == 2 || matches!(prefix, b"root" | b"exports" | b"pristine" | b"image"))
        .then_some(prefix)
}

fn differs(name: &[u8], what: impl Into<String>) -> BundleError {
    BundleError::damaged(format!("member `{}`", escaped(name)), what)
}
