//! The files of a record: one [`FileRecord`] for every path it names.
//!
//! A header has them by columns, each a tag with one value a file. A column of another length is a
//! fault of the whole record: nobody could say which value belongs to which file.

use super::fault::RecordFault;
use super::header::Header;
use super::tag;
use crate::packages::problem::LineFault;
use crate::packages::records::recorded_path;
use crate::packages::{Digest, FileRecord, Md5, Presence, RecordedKind, Role};
use crate::tree::RootPath;

/// Flags of a file.
const CONFIG: u64 = 1 << 0;
const GHOST: u64 = 1 << 6;

/// The part of a mode that is the kind of the file.
const KIND: u64 = 0o170_000;

/// How much can still be held. It bounds what forged records can make us hold: ten times the
/// largest real system.
#[derive(Debug)]
pub(super) struct Room {
    /// Files of all packages together.
    pub(super) files: usize,
    /// Bytes of all their paths.
    pub(super) bytes: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room { files: 8 << 20, bytes: 1 << 30 }
    }
}

/// Files of one package that are ignored because of their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// How many.
    pub(super) count: usize,
    /// What is wrong with the first.
    pub(super) fault: LineFault,
}

/// Reads the files of a record.
pub(super) fn files(
    header: &Header<'_>,
    room: &mut Room,
) -> Result<(Vec<FileRecord>, Option<Skipped>), RecordFault> {
    let whole = header.count(tag::BASE_NAMES)?.is_none();
    let names = if whole { tag::OLD_FILE_NAMES } else { tag::BASE_NAMES };
    let Some(count) = header.count(names)? else { return Ok((vec![], None)) };
    let Some(texts) = header.texts(names)? else { return Ok((vec![], None)) };
    room.files = room.files.checked_sub(count).ok_or(RecordFault::TooManyFiles)?;
    let dirs = if whole { None } else { Some(Dirs::of(header, count)?) };
    let mut columns = Columns::of(header, count)?;
    let mut files = Vec::with_capacity(count);
    let mut skipped: Option<Skipped> = None;
    for (at, name) in texts.enumerate() {
        let path = match &dirs {
            Some(dirs) => recorded_path(&[dirs.of_file(at)?, name].concat()),
            None => recorded_path(name),
        };
        let row = columns.row()?;
        let result = path.map(|path| row.record(path));
        match result {
            Ok(record) => {
                let length = record.as_ref().map_or(0, |record| record.path.as_bytes().len());
                room.bytes = room.bytes.checked_sub(length).ok_or(RecordFault::TooManyFiles)?;
                files.push(record?);
            }
            Err(fault) => skipped.get_or_insert(Skipped { count: 0, fault }).count += 1,
        }
    }
    Ok((files, skipped))
}

/// The directories of the files.
struct Dirs<'a> {
    names: Vec<&'a [u8]>,
    of_files: Vec<u64>,
}

impl<'a> Dirs<'a> {
    fn of(header: &Header<'a>, files: usize) -> Result<Dirs<'a>, RecordFault> {
        let missing = RecordFault::Missing;
        let count = header.count(tag::DIR_NAMES)?.ok_or(missing(tag::DIR_NAMES))?;
        if count > files {
            return Err(RecordFault::Count(tag::DIR_NAMES));
        }
        let names = header.texts(tag::DIR_NAMES)?.ok_or(missing(tag::DIR_NAMES))?;
        let of_files = column(header, tag::DIR_INDEXES, files, Header::numbers)?;
        let of_files = of_files.ok_or(missing(tag::DIR_INDEXES))?;
        Ok(Dirs { names: names.collect(), of_files: of_files.collect() })
    }

    /// The directory of the file `at`, with its slash.
    fn of_file(&self, at: usize) -> Result<&'a [u8], RecordFault> {
        let index = self.of_files.get(at).and_then(|&index| usize::try_from(index).ok());
        let name = index.and_then(|index| self.names.get(index));
        name.copied().ok_or(RecordFault::Value(tag::DIR_INDEXES))
    }
}

/// The column of `tag`, if there is one.
fn column<'a, T>(
    header: &Header<'a>,
    tag: u32,
    files: usize,
    values: impl Fn(&Header<'a>, u32) -> Result<Option<T>, RecordFault>,
) -> Result<Option<T>, RecordFault> {
    match header.count(tag)? {
        Some(count) if count != files => Err(RecordFault::Count(tag)),
        _ => values(header, tag),
    }
}

type Texts<'a> = Option<Box<dyn Iterator<Item = &'a [u8]> + 'a>>;
type Numbers<'a> = Option<Box<dyn Iterator<Item = u64> + 'a>>;

/// The columns of the files, all read at the same pace.
struct Columns<'a> {
    modes: Numbers<'a>,
    sizes: Numbers<'a>,
    mtimes: Numbers<'a>,
    flags: Numbers<'a>,
    states: Numbers<'a>,
    digests: Texts<'a>,
    targets: Texts<'a>,
    users: Texts<'a>,
    groups: Texts<'a>,
    capabilities: Texts<'a>,
    algorithm: Option<u64>,
}

impl<'a> Columns<'a> {
    fn of(header: &Header<'a>, files: usize) -> Result<Columns<'a>, RecordFault> {
        let numbers = |tag| -> Result<Numbers<'a>, RecordFault> {
            let values = column(header, tag, files, Header::numbers)?;
            Ok(values.map(|values| Box::new(values) as Box<_>))
        };
        let texts = |tag| -> Result<Texts<'a>, RecordFault> {
            let values = column(header, tag, files, Header::texts)?;
            Ok(values.map(|values| Box::new(values) as Box<_>))
        };
        let sizes = numbers(tag::LONG_FILE_SIZES)?;
        let algorithm = header.numbers(tag::FILE_DIGEST_ALGORITHM)?;
        Ok(Columns {
            modes: numbers(tag::FILE_MODES)?,
            sizes: if sizes.is_some() { sizes } else { numbers(tag::FILE_SIZES)? },
            mtimes: numbers(tag::FILE_MTIMES)?,
            flags: numbers(tag::FILE_FLAGS)?,
            states: numbers(tag::FILE_STATES)?,
            digests: texts(tag::FILE_DIGESTS)?,
            targets: texts(tag::FILE_LINK_TARGETS)?,
            users: texts(tag::FILE_USERS)?,
            groups: texts(tag::FILE_GROUPS)?,
            capabilities: texts(tag::FILE_CAPABILITIES)?,
            algorithm: algorithm.and_then(|mut numbers| numbers.next()),
        })
    }

    /// The values of the next file.
    fn row(&mut self) -> Result<Row<'a>, RecordFault> {
        let number = |column: &mut Numbers<'a>| column.as_mut().and_then(Iterator::next);
        let text = |column: &mut Texts<'a>| column.as_mut().and_then(Iterator::next);
        Ok(Row {
            mode: number(&mut self.modes),
            size: number(&mut self.sizes),
            mtime: number(&mut self.mtimes),
            flags: number(&mut self.flags).unwrap_or_default(),
            state: number(&mut self.states).unwrap_or_default(),
            digest: text(&mut self.digests).unwrap_or_default(),
            target: text(&mut self.targets).unwrap_or_default(),
            user: text(&mut self.users),
            group: text(&mut self.groups),
            capabilities: text(&mut self.capabilities),
            algorithm: self.algorithm,
        })
    }
}

/// The values of one file.
struct Row<'a> {
    mode: Option<u64>,
    size: Option<u64>,
    mtime: Option<u64>,
    flags: u64,
    state: u64,
    digest: &'a [u8],
    target: &'a [u8],
    user: Option<&'a [u8]>,
    group: Option<&'a [u8]>,
    capabilities: Option<&'a [u8]>,
    algorithm: Option<u64>,
}

impl Row<'_> {
    fn record(&self, path: RootPath) -> Result<FileRecord, RecordFault> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = |bytes: Option<&[u8]>| bytes.filter(|name| !name.is_empty()).map(text);
        Ok(FileRecord {
            path,
            kind: self.kind()?,
            mode: self.mode.and_then(|mode| u32::try_from(mode & !KIND).ok()),
            user: name(self.user),
            group: name(self.group),
            mtime: self.mtime.and_then(|mtime| i64::try_from(mtime).ok()),
            capabilities: self.capabilities(),
            role: match self.flags {
                flags if flags & GHOST != 0 => Role::Ghost,
                flags if flags & CONFIG != 0 => Role::Config,
                _ => Role::Ordinary,
            },
            presence: match self.state {
                // Normal; unknown.
                0 | 0xff => Presence::Unpacked,
                // Replaced by another package, not installed, shared by network, of another
                // architecture.
                1..=4 => Presence::LeftOut,
                _ => return Err(RecordFault::Value(tag::FILE_STATES)),
            },
        })
    }

    fn kind(&self) -> Result<RecordedKind, RecordFault> {
        Ok(match self.mode.map(|mode| mode & KIND) {
            Some(0o100_000) => RecordedKind::File { size: self.size, digest: self.digest()? },
            Some(0o040_000) => RecordedKind::Dir,
            Some(0o120_000) => RecordedKind::Symlink {
                target: Some(self.target.to_vec()).filter(|target| !target.is_empty()),
            },
            Some(0o010_000 | 0o020_000 | 0o060_000 | 0o140_000) => RecordedKind::Special,
            _ => RecordedKind::Unknown,
        })
    }

    /// The algorithms have the numbers of OpenPGP; of those that nobody uses the digest is unknown.
    fn digest(&self) -> Result<Option<Digest>, RecordFault> {
        if self.digest.is_empty() {
            return Ok(None);
        }
        let digest = match self.algorithm {
            None | Some(1) => decoded(self.digest).map(|digest| Digest::Md5(Md5(digest))),
            Some(2) => decoded(self.digest).map(Digest::Sha1),
            Some(8) => decoded(self.digest).map(Digest::Sha256),
            Some(10) => decoded(self.digest).map(Digest::Sha512),
            Some(_) => return Ok(None),
        };
        digest.map(Some).ok_or(RecordFault::Value(tag::FILE_DIGESTS))
    }

    /// A package has the column only if a file has capabilities. The versions of rpm that knew of
    /// none wrote no algorithm of the digests either.
    fn capabilities(&self) -> Option<String> {
        match (self.capabilities, self.algorithm) {
            (Some(b"="), _) => Some(String::new()),
            (Some(text), _) => Some(String::from_utf8_lossy(text).into_owned()),
            (None, Some(_)) => Some(String::new()),
            (None, None) => None,
        }
    }
}

fn decoded<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let mut digest = [0; N];
    hex::decode_to_slice(hex, &mut digest).ok()?;
    Some(digest)
}
