//! rpm's own kind of database, `Packages.db`, as SUSE uses it.
//!
//! ```text
//! "RpmP" version u32 generation u32 slot-pages u32 next-number u32, 12 bytes   (little-endian)
//! slots up to the end of the slot pages, of 4096 bytes each:
//!   "Slot" number u32 begin u32 length u32        in blocks of 16 bytes; number 0: free
//! records, each in its blocks:
//!   "BlbS" number u32 generation u32 length u32
//!   the record, then padding
//!   Adler-32 of all before u32, length u32, "BlbE"
//! ```

use super::fault::{DatabaseFault, RecordFault};
use super::sink::Sink;

const HEAD: usize = 32;
const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: usize = 16;
const RECORD_HEAD: usize = 16;
const RECORD_TAIL: usize = 12;

/// Gives every record of the database that is `bytes` to `sink`.
pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), DatabaseFault> {
    if !bytes.starts_with(b"RpmP") || number(bytes, 4) != Some(0) {
        return Err(DatabaseFault::Format("ndb"));
    }
    let pages = number(bytes, 12).ok_or(DatabaseFault::Truncated)? as usize;
    let end = pages.checked_mul(PAGE).ok_or(DatabaseFault::Truncated)?;
    let slots = bytes.get(HEAD..end).ok_or(DatabaseFault::Truncated)?;
    // Records do not overlap: together they are not longer than the file.
    let mut left = bytes.len();
    for slot in slots.chunks_exact(SLOT) {
        let field = |at| number(slot, at).unwrap_or_default();
        if !slot.starts_with(b"Slot") {
            return Err(DatabaseFault::Broken("its table of records"));
        }
        let (id, begin, length) = (field(4), field(8) as usize, field(12) as usize);
        if id == 0 {
            continue;
        }
        let blocks = begin.checked_mul(BLOCK).zip(length.checked_mul(BLOCK));
        let place = blocks.filter(|&(begin, _)| begin >= end);
        let place = place.and_then(|(begin, length)| bytes.get(begin..begin.checked_add(length)?));
        left = left
            .checked_sub(place.map_or(0, <[u8]>::len))
            .ok_or(DatabaseFault::Broken("its table of records"))?;
        sink(id, place.ok_or(RecordFault::Place).and_then(|place| record(place, id)))?;
    }
    Ok(())
}

/// The record `id`, which fills `blocks`.
fn record(blocks: &[u8], id: u32) -> Result<&[u8], RecordFault> {
    let head = blocks.starts_with(b"BlbS") && number(blocks, 4) == Some(id);
    if !head || !blocks.ends_with(b"BlbE") || blocks.len() < RECORD_HEAD + RECORD_TAIL {
        return Err(RecordFault::Place);
    }
    let (covered, tail) = blocks.split_at(blocks.len() - RECORD_TAIL);
    if number(tail, 0) != Some(adler32(covered)) {
        return Err(RecordFault::Checksum);
    }
    let length = number(blocks, 12);
    let record = covered[RECORD_HEAD..].get(..length.unwrap_or_default() as usize);
    record.filter(|_| number(tail, 4) == length).ok_or(RecordFault::Length)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The checksum of RFC 1950.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (mut a, mut b) = (1, 0);
    // So many bytes can be added before a sum no longer fits.
    for run in bytes.chunks(5552) {
        for &byte in run {
            a += u32::from(byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_adler_32() {
        assert_eq!(adler32(b""), 1);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(&[0xff; 100_000]), 0x149a_302c);
    }
}
