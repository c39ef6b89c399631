//! A hash of Berkeley DB, `Packages`, as rpm wrote it until about 2020.
//!
//! Pages have one size; the first, the meta page, tells it. Numbers are in the order of the
//! machine that wrote them.
//!
//! ```text
//! every page   @8 own number u32  @12 previous u32  @16 next u32  @20 items u16
//!              @22 free space begins u16  @25 type u8
//! meta page    @12 magic u32  @16 version u32  @20 page size u32  @24 encryption u8
//!              @26 flags u8  @72 last bucket u32  @96 32 × where buckets lie u32
//! hash page    @26 offsets of items u16: keys and values by turns, the last page of a bucket
//!              has no next. An item ends where the one before begins.
//! item         type u8 (1: here, 3: elsewhere), then the bytes, or @4 page u32 @8 length u32
//! overflow     @26 bytes, their number at @22; the last page has no next
//! ```
//!
//! A key is a record's number; the record 0 is rpm's counter.

use super::fault::{DatabaseFault, RecordFault};
use super::header::MAX_HEADER;
use super::sink::Sink;

const MAGIC: u32 = 0x0006_1561;
/// From the first that rpm 4.0 used to the last there is.
const VERSIONS: std::ops::RangeInclusive<u32> = 7..=10;
const PAGE_HEAD: usize = 26;

const UNSORTED: u8 = 2;
const OVERFLOW: u8 = 7;
const META: u8 = 8;
const HASH: u8 = 13;

const HERE: u8 = 1;
const ELSEWHERE: u8 = 3;

/// Gives every record of the database that is `bytes` to `sink`.
pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), DatabaseFault> {
    let mut pages = Pages::open(bytes)?;
    let meta = Page { bytes, big_endian: pages.big_endian };
    let last_bucket = meta.u32(72).ok_or(DatabaseFault::Truncated)?;
    let broken = DatabaseFault::Broken("its table of buckets");
    if last_bucket as usize >= pages.count() {
        return Err(broken);
    }
    for bucket in 0..=last_bucket {
        // Buckets were added by doubling; each doubling lies in one piece.
        let doubling = (bucket + 1).next_power_of_two().trailing_zeros() as usize;
        let piece = meta.u32(96 + 4 * doubling).ok_or(DatabaseFault::Truncated)?;
        let mut at = bucket.checked_add(piece).ok_or(DatabaseFault::Truncated)?;
        loop {
            let page = pages.take(at).ok_or(DatabaseFault::Broken("a chain of pages"))?;
            if !matches!(page.kind(), HASH | UNSORTED) {
                return Err(DatabaseFault::Broken("a page of records"));
            }
            bucket_page(page, &mut pages, sink)?;
            match page.next() {
                0 => break,
                next => at = next,
            }
        }
    }
    if pages.cut { Err(DatabaseFault::Truncated) } else { Ok(()) }
}

/// Gives the records of one page of a bucket to `sink`.
fn bucket_page(
    page: Page<'_>,
    pages: &mut Pages<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), DatabaseFault> {
    let broken = || DatabaseFault::Broken("a page of records");
    let items = page.u16(20).ok_or_else(broken)? as usize;
    let mut end = page.bytes.len();
    let mut key = None;
    for at in 0..items {
        let begin = page.u16(PAGE_HEAD + 2 * at).ok_or_else(broken)? as usize;
        if begin < PAGE_HEAD + 2 * items || begin >= end {
            return Err(broken());
        }
        let item = Page { bytes: &page.bytes[begin..end], big_endian: page.big_endian };
        end = begin;
        if at % 2 == 0 {
            key = item.u32(1).filter(|_| item.bytes.len() == 5 && item.bytes[0] == HERE);
            continue;
        }
        match key {
            Some(0) => {}
            Some(key) => match item.bytes[0] {
                HERE => sink(key, Ok(&item.bytes[1..]))?,
                ELSEWHERE => sink(key, pages.chain(item).as_deref().map_err(Clone::clone))?,
                _ => sink(key, Err(RecordFault::Place))?,
            },
            None => return Err(broken()),
        }
    }
    Ok(())
}

/// The pages of a database; each is given out once, so that no chain of them is endless.
struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    big_endian: bool,
    /// Whether there should be more than there are.
    cut: bool,
    taken: Vec<bool>,
}

impl<'a> Pages<'a> {
    fn open(bytes: &'a [u8]) -> Result<Pages<'a>, DatabaseFault> {
        let orders = [false, true].map(|big_endian| Page { bytes, big_endian });
        let meta = orders.into_iter().find(|page| page.u32(12) == Some(MAGIC));
        let meta = meta.filter(|page| page.kind() == META);
        let meta = meta.ok_or(DatabaseFault::Format("Berkeley DB hash"))?;
        let field = |at| meta.u32(at).ok_or(DatabaseFault::Truncated);
        if !VERSIONS.contains(&field(16)?) {
            return Err(DatabaseFault::Foreign("of another version"));
        }
        // Encrypted, or with checksums: the layout of the pages is another.
        if bytes.get(24) != Some(&0) || bytes.get(26).is_none_or(|flags| flags & 1 != 0) {
            return Err(DatabaseFault::Foreign("encrypted"));
        }
        let size = field(20)? as usize;
        if !(512..=65536).contains(&size) || !size.is_power_of_two() {
            return Err(DatabaseFault::Broken("its first page"));
        }
        let count = bytes.len() / size;
        let cut = field(32)? as usize >= count;
        Ok(Pages { bytes, size, big_endian: meta.big_endian, cut, taken: vec![false; count] })
    }

    fn count(&self) -> usize {
        self.taken.len()
    }

    /// The page `number`, unless it was taken before.
    fn take(&mut self, number: u32) -> Option<Page<'a>> {
        let at = number as usize;
        let taken = self.taken.get_mut(at)?;
        if std::mem::replace(taken, true) {
            return None;
        }
        let bytes = &self.bytes[at * self.size..][..self.size];
        let page = Page { bytes, big_endian: self.big_endian };
        (page.u32(8) == Some(number)).then_some(page)
    }

    /// The bytes that `item` leads to.
    fn chain(&mut self, item: Page<'_>) -> Result<Vec<u8>, RecordFault> {
        let field = |at| item.u32(at).ok_or(RecordFault::Place);
        let (mut at, length) = (field(4)?, field(8)? as usize);
        if length > MAX_HEADER.min(self.bytes.len()) {
            return Err(RecordFault::Length);
        }
        let mut bytes = Vec::with_capacity(length);
        while at != 0 {
            let page = self.take(at).filter(|page| page.kind() == OVERFLOW);
            let page = page.ok_or(RecordFault::Place)?;
            let part = page.u16(22).map(usize::from);
            let part = part.and_then(|part| page.bytes.get(PAGE_HEAD..PAGE_HEAD + part));
            bytes.extend_from_slice(part.ok_or(RecordFault::Place)?);
            at = page.next();
        }
        if bytes.len() == length { Ok(bytes) } else { Err(RecordFault::Length) }
    }
}

/// Numbers in the order of the database.
#[derive(Debug, Clone, Copy)]
struct Page<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Page<'_> {
    fn u32(self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u16(self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn next(self) -> u32 {
        self.u32(16).unwrap_or_default()
    }

    fn kind(self) -> u8 {
        self.bytes.get(25).copied().unwrap_or_default()
    }
}
