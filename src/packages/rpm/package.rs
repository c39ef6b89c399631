//! [`RpmPackage`]: what rpm's record of a package says.

use super::fault::RecordFault;
use super::files::{self, Room, Skipped};
use super::header::Header;
use super::tag;
use crate::packages::FileRecord;

/// One package of a system.
///
/// Also what is none: rpm keeps the public keys it trusts as packages `gpg-pubkey` without files
/// and architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpmPackage {
    /// Its name.
    pub name: String,
    /// Its epoch; `None` is older than `0` in no way.
    pub epoch: Option<u32>,
    /// Its version as its authors gave it.
    pub version: String,
    /// The release of that version in its distribution.
    pub release: String,
    /// Its architecture, `noarch` included; empty where the record does not say.
    pub arch: String,
    /// The file name of the source package it was built from.
    pub source: Option<String>,
    /// Who built it.
    pub vendor: Option<String>,
    /// Whether somebody signed it.
    pub signed: bool,
    /// Whether it came because another package asked for it, not a person. rpm does not know; this
    /// is from dnf's own records (4 or 5), and `false` where there are none.
    pub auto: bool,
    /// What it needs, in order: names of packages, paths of files, anything others provide.
    pub requires: Vec<String>,
    /// What is installed along with it unless somebody objects, in order.
    pub recommends: Vec<String>,
    /// What it answers to, in order, its own name included.
    pub provides: Vec<String>,
    /// Its files, in the order of the record.
    pub files: Vec<FileRecord>,
}

impl RpmPackage {
    /// Its whole version, `[epoch:]version-release`, as [`compare`](super::evr::compare) takes it.
    pub fn evr(&self) -> String {
        let (version, release) = (&self.version, &self.release);
        match self.epoch {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        }
    }
}

/// A record that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRecord {
    /// The package's name, if that much can be read.
    pub(super) name: Option<String>,
    /// What is wrong.
    pub(super) fault: RecordFault,
}

/// Reads the record `blob`; its files take their part of `room`.
pub(super) fn package(
    blob: &[u8],
    room: &mut Room,
) -> Result<(RpmPackage, Option<Skipped>), BadRecord> {
    let header = Header::parse(blob).map_err(|fault| BadRecord { name: None, fault })?;
    let name = needed(&header, tag::NAME).map_err(|fault| BadRecord { name: None, fault })?;
    let known = Some(name.clone());
    decode(&header, name, room).map_err(|fault| BadRecord { name: known, fault })
}

fn decode(
    header: &Header<'_>,
    name: String,
    room: &mut Room,
) -> Result<(RpmPackage, Option<Skipped>), RecordFault> {
    let epoch = header.numbers(tag::EPOCH)?.and_then(|mut numbers| numbers.next());
    let epoch = epoch.map(u32::try_from).transpose();
    let mut package = RpmPackage {
        name,
        epoch: epoch.map_err(|_| RecordFault::Value(tag::EPOCH))?,
        version: needed(header, tag::VERSION)?,
        release: needed(header, tag::RELEASE)?,
        arch: text(header, tag::ARCH)?.unwrap_or_default(),
        source: text(header, tag::SOURCE_RPM)?.filter(|name| !name.is_empty()),
        vendor: text(header, tag::VENDOR)?.filter(|name| !name.is_empty()),
        signed: tag::SIGNATURES.iter().any(|&tag| matches!(header.count(tag), Ok(Some(_)))),
        auto: false,
        requires: names(header, tag::REQUIRE_NAMES)?,
        recommends: names(header, tag::RECOMMEND_NAMES)?,
        provides: names(header, tag::PROVIDE_NAMES)?,
        files: vec![],
    };
    let (files, skipped) = files::files(header, room)?;
    package.files = files;
    Ok((package, skipped))
}

fn text(header: &Header<'_>, tag: u32) -> Result<Option<String>, RecordFault> {
    Ok(header.text(tag)?.map(|text| String::from_utf8_lossy(text).into_owned()))
}

fn needed(header: &Header<'_>, tag: u32) -> Result<String, RecordFault> {
    text(header, tag)?.filter(|text| !text.is_empty()).ok_or(RecordFault::Missing(tag))
}

fn names(header: &Header<'_>, tag: u32) -> Result<Vec<String>, RecordFault> {
    let Some(texts) = header.texts(tag)? else { return Ok(vec![]) };
    let mut names: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
