//! [`Header`]: rpm's record of one package.
//!
//! ```text
//! il  u32    number of index entries         (all numbers big-endian)
//! dl  u32    length of the data
//! il × { tag u32, type u32, offset i32, count u32 }
//! dl bytes of data, in which the entries' offsets count
//! ```
//!
//! What was signed with the package comes first, as a region: the first entry leads to a trailer
//! in the data, which says how many entries belong to it. What rpm added when it installed the
//! package follows, and takes the place of an entry of the region with the same tag.
//!
//! The record is somebody else's: no number in it is used before it is known to be possible, and
//! the time to read it grows with its length only.

use super::fault::RecordFault;
use super::tag;

/// rpm's own limits.
const MAX_TAGS: usize = 0xffff;
const MAX_DATA: usize = 0x0fff_ffff;
/// The longest record that can be.
pub(super) const MAX_HEADER: usize = 8 + ENTRY * MAX_TAGS + MAX_DATA;

const ENTRY: usize = 16;

/// The types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    /// Bytes: single ones, or a run of them.
    Bytes,
    Int16,
    Int32,
    Int64,
    /// One text.
    Text,
    /// A number of texts.
    Texts,
}

impl Type {
    fn of(number: u32) -> Option<Type> {
        Some(match number {
            0 => Type::Null,
            1 | 2 | 7 => Type::Bytes,
            3 => Type::Int16,
            4 => Type::Int32,
            5 => Type::Int64,
            6 => Type::Text,
            8 | 9 => Type::Texts,
            _ => return None,
        })
    }

    /// Bytes a value; `None` where the values tell.
    fn width(self) -> Option<usize> {
        match self {
            Type::Null => Some(0),
            Type::Bytes => Some(1),
            Type::Int16 => Some(2),
            Type::Int32 => Some(4),
            Type::Int64 => Some(8),
            Type::Text | Type::Texts => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    tag: u32,
    kind: Type,
    count: usize,
    /// Added when the package was installed.
    added: bool,
    offset: usize,
    /// Exactly the values.
    data: &'a [u8],
}

/// One package's record.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// By tag; of the same tag, what was added first.
    entries: Vec<Entry<'a>>,
}

impl<'a> Header<'a> {
    /// Reads a record, which is exactly `bytes`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Header<'a>, RecordFault> {
        let (entries, data) = split(bytes)?;
        let region = Region::of(entries, data)?;
        let mut all = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            if at == 0 && region.entries > 0 {
                continue;
            }
            all.push(index_entry(entry, data, at >= region.entries)?);
        }
        all.sort_unstable_by_key(|entry| entry.offset);
        measure(&mut all, region.trailer.as_ref())?;
        all.sort_by_key(|entry| (entry.tag, !entry.added));
        Ok(Header { entries: all })
    }

    /// How many values a tag has; none if it is not there.
    pub(super) fn count(&self, tag: u32) -> Result<Option<usize>, RecordFault> {
        Ok(self.find(tag)?.map(|entry| entry.count))
    }

    /// The text of a tag; of a translated one the first, which is the untranslated.
    pub(super) fn text(&self, tag: u32) -> Result<Option<&'a [u8]>, RecordFault> {
        Ok(self.texts(tag)?.and_then(|mut texts| texts.next()))
    }

    /// The texts of a tag. One text is a list of one: old versions wrote it so.
    pub(super) fn texts(
        &self,
        tag: u32,
    ) -> Result<Option<impl Iterator<Item = &'a [u8]> + use<'a>>, RecordFault> {
        let Some(entry) = self.find(tag)? else { return Ok(None) };
        if !matches!(entry.kind, Type::Text | Type::Texts) {
            return Err(RecordFault::Type(tag));
        }
        // Every text ends with a NUL, so the last part is empty and beyond the count.
        Ok(Some(entry.data.split(|&b| b == 0).take(entry.count)))
    }

    /// The numbers of a tag, which have no sign.
    pub(super) fn numbers(
        &self,
        tag: u32,
    ) -> Result<Option<impl Iterator<Item = u64> + use<'a>>, RecordFault> {
        let Some(entry) = self.find(tag)? else { return Ok(None) };
        let width = match entry.kind {
            Type::Bytes | Type::Int16 | Type::Int32 | Type::Int64 => entry.kind.width(),
            Type::Null | Type::Text | Type::Texts => None,
        };
        let values = entry.data.chunks_exact(width.ok_or(RecordFault::Type(tag))?);
        Ok(Some(values.map(|value| value.iter().fold(0, |n, &b| n << 8 | u64::from(b)))))
    }

    fn find(&self, tag: u32) -> Result<Option<&Entry<'a>>, RecordFault> {
        let from = self.entries.partition_point(|entry| entry.tag < tag);
        let mut same = self.entries[from..].iter().take_while(|entry| entry.tag == tag);
        let first = same.next();
        match (first, same.next()) {
            (Some(first), Some(second)) if first.added == second.added => {
                Err(RecordFault::TagTwice(tag))
            }
            _ => Ok(first),
        }
    }
}

type RawEntry = [u8; ENTRY];

/// The index and the data of a record.
fn split(bytes: &[u8]) -> Result<(&[RawEntry], &[u8]), RecordFault> {
    let (head, rest) = bytes.split_at_checked(8).ok_or(RecordFault::Length)?;
    let (tags, length) = (number(head, 0) as usize, number(head, 4) as usize);
    if tags == 0 || tags > MAX_TAGS {
        return Err(RecordFault::Tags);
    }
    if length > MAX_DATA || rest.len() != tags * ENTRY + length {
        return Err(RecordFault::Length);
    }
    let (index, data) = rest.split_at(tags * ENTRY);
    Ok((index.as_chunks().0, data))
}

/// The part of a record that was signed.
struct Region {
    /// How many entries it has, its own included; none where nothing was signed.
    entries: usize,
    /// Where in the data its trailer is.
    trailer: Option<std::ops::Range<usize>>,
}

impl Region {
    fn of(entries: &[RawEntry], data: &[u8]) -> Result<Region, RecordFault> {
        let Some(first) = entries.first() else { return Err(RecordFault::Tags) };
        if !tag::REGIONS.contains(&number(first, 0)) {
            return Ok(Region { entries: 0, trailer: None });
        }
        let at = number(first, 8) as usize;
        let trailer = at..at.saturating_add(ENTRY);
        let end = data.get(trailer.clone()).ok_or(RecordFault::Region)?;
        let back = number(end, 8).cast_signed();
        let length = usize::try_from(back.unsigned_abs()).unwrap_or(usize::MAX);
        let count = length / ENTRY;
        let marked = [(4, 7), (12, ENTRY)]
            .iter()
            .all(|&(at, value)| [&first[..], end].iter().all(|e| number(e, at) as usize == value));
        let possible = back < 0 && length % ENTRY == 0 && count <= entries.len();
        if !marked || !possible || !tag::REGIONS.contains(&number(end, 0)) {
            return Err(RecordFault::Region);
        }
        Ok(Region { entries: count, trailer: Some(trailer) })
    }
}

/// An entry whose data runs, for now, from its offset to the end.
fn index_entry<'a>(raw: &RawEntry, data: &'a [u8], added: bool) -> Result<Entry<'a>, RecordFault> {
    let [tag, kind, offset, count] = [0, 4, 8, 12].map(|at| number(raw, at));
    let kind = Type::of(kind).ok_or(RecordFault::Type(tag))?;
    // A negative offset is beyond any data, too.
    let offset = offset as usize;
    let data = data.get(offset..).ok_or(RecordFault::Outside(tag))?;
    let count = count as usize;
    let room = data.len() / kind.width().unwrap_or(1).max(1);
    if count > room || (kind == Type::Text && count != 1) {
        return Err(RecordFault::Count(tag));
    }
    Ok(Entry { tag, kind, count, added, offset, data })
}

/// Cuts every entry's data to its values. Entries are in the order of their data: what belongs to
/// one ends where the next one begins, so that no byte is looked at twice.
fn measure(
    entries: &mut [Entry<'_>],
    trailer: Option<&std::ops::Range<usize>>,
) -> Result<(), RecordFault> {
    let mut next: Option<usize> = None;
    for entry in entries.iter_mut().rev() {
        let room = next.and_then(|next| entry.data.get(..next - entry.offset));
        let room = room.unwrap_or(entry.data);
        let length = match entry.kind.width() {
            Some(width) => Some(width * entry.count).filter(|&length| length <= room.len()),
            None => end_of_texts(room, entry.count),
        };
        let length = length.ok_or(match next {
            Some(_) => RecordFault::Overlap(entry.tag),
            None => RecordFault::Outside(entry.tag),
        })?;
        let end = entry.offset + length;
        if length > 0 && trailer.is_some_and(|t| entry.offset < t.end && t.start < end) {
            return Err(RecordFault::Overlap(entry.tag));
        }
        entry.data = &entry.data[..length];
        if length > 0 {
            next = Some(entry.offset);
        }
    }
    Ok(())
}

/// Where the last of `count` texts ends, its NUL included.
fn end_of_texts(data: &[u8], count: usize) -> Option<usize> {
    match count {
        0 => Some(0),
        _ => Some(data.iter().enumerate().filter(|(_, b)| **b == 0).nth(count - 1)?.0 + 1),
    }
}

/// The number at `at` in `bytes`, which are that long.
fn number(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_be_bytes)
}
