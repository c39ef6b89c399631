//! [`Index`]: the last thing in a bundle, by which everything else is found and checked.
//!
//! Invariant: together with the fixed preamble, the index accounts for every byte of the file: the
//! digest of each frame, its own digest, and lengths that add up to the file's.

use sha2::{Digest as _, Sha256};

use super::digest::Sha;
use super::frames::{FRAME_LIMIT, Frame, Start};
use super::{BundleError, FORMAT, OLDEST_FORMAT};

/// What every bundle begins with: an empty zstd frame with checksum, by which `tar` and `file`
/// know zstd, and a skippable frame with a text, by which we know ourselves.
pub(super) const PREAMBLE: [u8; 45] = *b"\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51\
    \x50\x2a\x4d\x18\x18\x00\x00\x00regrow bundle, format 2\n";

const PREAMBLE_LENGTH_AT: usize = 17;
const PREAMBLE_TEXT_AT: usize = 21;
/// Where the number of the format stands, which has one digit.
const PREAMBLE_FORMAT_AT: usize = 43;

const SKIPPABLE: u32 = 0x184D_2A5E;
const END: &[u8; 8] = b"regrow.\n";
/// Length of a frame's record.
const RECORD: usize = 44;
/// Length of a skippable frame's own header.
const HEADER: usize = 8;
/// Length of what follows the records.
pub(super) const FOOTER: usize = 96;
const DIGEST_FROM_END: usize = 40;
const LENGTH_FROM_END: usize = 48;

/// Largest `manifest.json`: some four million entries. A larger one is refused, not read.
pub(super) const MANIFEST_LIMIT: u64 = 1 << 30;

/// Where the frames are, and which of them hold the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// All frames in the file's order.
    pub(super) frames: Vec<Frame>,
    /// Number of the frame that begins with the manifest's header.
    pub(super) manifest_frame: u32,
    /// Length of `manifest.json`.
    pub(super) manifest_size: u64,
    /// SHA-256 of `manifest.json`.
    pub(super) manifest_digest: Sha,
}

/// What a bundle of `format` begins with.
fn preamble(format: u32) -> [u8; PREAMBLE.len()] {
    let mut bytes = PREAMBLE;
    // No digit stands for another number, and nothing begins with that.
    let digit = char::from_digit(format, 10).unwrap_or('?');
    bytes[PREAMBLE_FORMAT_AT] = digit as u8;
    bytes
}

/// The format that `start`, the first bytes of a file, are the preamble of.
pub(super) fn format_of(start: &[u8]) -> Result<u32, BundleError> {
    let start = &start[..start.len().min(PREAMBLE.len())];
    let mut formats = OLDEST_FORMAT..=FORMAT;
    if let Some(format) = formats.clone().find(|format| start == preamble(*format)) {
        Ok(format)
    } else if start.is_empty() {
        Err(BundleError::NotABundle { what: "the file is empty".to_owned() })
    } else if formats.any(|format| preamble(format).starts_with(start)) {
        Err(BundleError::Truncated { what: "it ends within its first bytes".to_owned() })
    } else if let Some(number) = newer_format(start) {
        Err(BundleError::Newer { needs: format!("format {number}") })
    } else {
        Err(BundleError::NotABundle { what: "it does not begin as one".to_owned() })
    }
}

/// The number in the preamble of a later format.
fn newer_format(start: &[u8]) -> Option<u32> {
    // The text may be longer there, so the length before it is not compared.
    let known = start.starts_with(&PREAMBLE[..PREAMBLE_LENGTH_AT]);
    let text = start.get(PREAMBLE_TEXT_AT..)?.strip_prefix(b"regrow bundle, format ")?;
    let digits = text.split(|b| *b == b'\n').next()?;
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (known && number > FORMAT).then_some(number)
}

impl Index {
    /// The skippable frame that ends a bundle.
    pub(super) fn encode(&self) -> Result<Vec<u8>, BundleError> {
        let too_many = |_| BundleError::TooLarge { what: "its index".to_owned() };
        let count = u32::try_from(self.frames.len()).map_err(too_many)?;
        let size = HEADER + self.frames.len() * RECORD + FOOTER;
        let content = u32::try_from(size - HEADER).map_err(too_many)?;
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&SKIPPABLE.to_le_bytes());
        out.extend_from_slice(&content.to_le_bytes());
        for frame in &self.frames {
            out.extend_from_slice(&frame.packed.to_le_bytes());
            out.extend_from_slice(&frame.plain.to_le_bytes());
            out.extend_from_slice(&start_number(frame.start).to_le_bytes());
            out.extend_from_slice(&frame.digest);
        }
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&self.manifest_frame.to_le_bytes());
        out.extend_from_slice(&self.manifest_size.to_le_bytes());
        out.extend_from_slice(&self.manifest_digest);
        out.extend_from_slice(&(size as u64).to_le_bytes());
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out.extend_from_slice(END);
        debug_assert_eq!(out.len(), size);
        Ok(out)
    }

    /// Length of the whole index, from its last [`FOOTER`] bytes.
    pub(super) fn length(footer: &[u8]) -> Result<u64, BundleError> {
        let cut = || BundleError::Truncated {
            what: "it does not end with its index: cut short, or something was appended".to_owned(),
        };
        if !footer.ends_with(END) {
            return Err(cut());
        }
        let mut at = Fields(footer.get(footer.len() - LENGTH_FROM_END..).ok_or_else(cut)?);
        at.u64().ok_or_else(cut)
    }

    /// Reads a whole index that ends a file of `file_length` bytes.
    pub(super) fn decode(bytes: &[u8], file_length: u64) -> Result<Index, BundleError> {
        let damaged = |what: &str| BundleError::damaged("index at its end", what);
        let short = || damaged("its length is wrong");
        let digest_at = bytes.len().checked_sub(DIGEST_FROM_END).ok_or_else(short)?;
        let digest = <Sha>::from(Sha256::digest(&bytes[..digest_at]));
        if bytes[digest_at..].get(..32) != Some(digest.as_slice()) {
            return Err(damaged("its digest differs"));
        }
        let records = bytes.len().checked_sub(HEADER + FOOTER).ok_or_else(short)?;
        let mut at = Fields(bytes);
        let header = (at.u32(), at.u32());
        let mut frames = Vec::with_capacity(records / RECORD);
        for _ in 0..records / RECORD {
            frames.push(at.frame().ok_or_else(|| damaged("a frame's record is not possible"))?);
        }
        let count = at.u32();
        let (Some(manifest_frame), Some(manifest_size), Some(manifest_digest)) =
            (at.u32(), at.u64(), at.sha())
        else {
            return Err(short());
        };
        let index = Index { frames, manifest_frame, manifest_size, manifest_digest };
        // The digest is right, so whatever is wrong now was written so.
        let malformed = |what: &str| BundleError::malformed("index at its end", what);
        if header != (Some(SKIPPABLE), u32::try_from(bytes.len() - HEADER).ok())
            || records % RECORD != 0
            || count.map(|count| count as usize) != Some(index.frames.len())
        {
            return Err(malformed("its counts contradict each other"));
        }
        index.check(bytes.len() as u64, file_length)?;
        Ok(index)
    }

    fn check(&self, own_length: u64, file_length: u64) -> Result<(), BundleError> {
        let malformed = |what: &str| BundleError::malformed("index at its end", what);
        let begins = |number: usize| {
            self.frames.get(number).is_some_and(|frame| frame.start == Start::Member)
        };
        if !begins(0) || !begins(self.manifest_frame as usize) {
            return Err(malformed("no member begins where one must"));
        }
        let manifest = &self.frames[self.manifest_frame as usize..];
        if manifest.iter().map(|f| u64::from(f.plain)).sum::<u64>() < self.manifest_size {
            return Err(malformed("the manifest is longer than its frames"));
        }
        if self.manifest_size > MANIFEST_LIMIT {
            return Err(malformed("the manifest is larger than one gibibyte"));
        }
        let frames: u64 = self.frames.iter().map(|f| u64::from(f.packed)).sum();
        if PREAMBLE.len() as u64 + frames + own_length != file_length {
            return Err(BundleError::damaged(
                "its length",
                "the frames in the index do not add up to the file: bytes are missing or extra",
            ));
        }
        Ok(())
    }
}

fn start_number(start: Start) -> u32 {
    match start {
        Start::Member => 0,
        Start::Inside => 1,
    }
}

/// Little-endian fields, taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn sha(&mut self) -> Option<Sha> {
        self.take()
    }

    /// A frame's record within the format's bounds.
    fn frame(&mut self) -> Option<Frame> {
        let (packed, plain, start) = (self.u32()?, self.u32()?, self.u32()?);
        let start =
            [Start::Member, Start::Inside].into_iter().find(|s| start_number(*s) == start)?;
        let frame = Frame { packed, plain, start, digest: self.sha()? };
        let possible = (1..=FRAME_LIMIT).contains(&(plain as usize))
            && (1..=zstd::zstd_safe::compress_bound(FRAME_LIMIT)).contains(&(packed as usize));
        possible.then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn index() -> Index {
        let frame = |packed, plain, start| Frame { packed, plain, start, digest: [7; 32] };
        Index {
            frames: vec![
                frame(10, 8 << 20, Start::Member),
                frame(20, 5, Start::Inside),
                frame(30, 1024, Start::Member),
            ],
            manifest_frame: 2,
            manifest_size: 100,
            manifest_digest: [9; 32],
        }
    }

    const LENGTH: u64 = 45 + 60 + 8 + 3 * 44 + 96;

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let bytes = index().encode().unwrap();
        assert_eq!(Index::length(&bytes).unwrap(), bytes.len() as u64);
        assert_eq!(Index::decode(&bytes, LENGTH).unwrap(), index());
    }

    #[test]
    fn no_bit_of_an_index_can_change_unseen() {
        let bytes = index().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = Index::length(&flipped).and_then(|length| {
                if length != bytes.len() as u64 {
                    return Err(BundleError::damaged("", ""));
                }
                Index::decode(&flipped, LENGTH)
            });
            assert_eq!(read.map_err(|e| e.kind()), Err(FailureKind::Integrity), "bit {bit}");
        }
        assert!(Index::decode(&bytes, LENGTH + 1).is_err());
        for length in 0..bytes.len() {
            assert!(Index::decode(&bytes[..length], LENGTH).is_err());
        }
    }

    #[test]
    fn a_contradiction_with_the_right_digest_is_malformed() {
        let refused = |change: fn(&mut Index)| {
            let mut index = index();
            change(&mut index);
            let bytes = index.encode().unwrap();
            Index::decode(&bytes, LENGTH).unwrap_err().to_string()
        };
        let at = "the bundle is malformed, index at its end: ";
        assert_eq!(
            refused(|i| i.manifest_frame = 1),
            format!("{at}no member begins where one must")
        );
        assert_eq!(
            refused(|i| i.manifest_frame = 9),
            format!("{at}no member begins where one must")
        );
        assert_eq!(
            refused(|i| i.manifest_size = 1025),
            format!("{at}the manifest is longer than its frames")
        );
        assert!(refused(|i| i.frames[1].plain = 0).contains("record"));
        assert!(refused(|i| i.frames[1].plain = (8 << 20) + 1).contains("record"));
    }

    #[test]
    fn the_preamble_tells_ours_newer_cut_and_foreign_apart() {
        assert_eq!(preamble(FORMAT), PREAMBLE);
        for format in OLDEST_FORMAT..=FORMAT {
            assert_eq!(format_of(&preamble(format)).unwrap(), format);
        }
        let kind = |bytes: &[u8]| format_of(bytes).map_err(|e| (e.kind(), e.to_string()));
        for length in 1..PREAMBLE.len() {
            assert_eq!(kind(&PREAMBLE[..length]).unwrap_err().0, FailureKind::Integrity);
        }
        assert_eq!(kind(b"").unwrap_err().1, "not a regrow bundle: the file is empty");
        assert_eq!(kind(b"PK\x03\x04").unwrap_err().0, FailureKind::Refused);
        for number in [FORMAT + 1, 10] {
            let text = format!("regrow bundle, format {number}\n");
            let mut newer = PREAMBLE[..PREAMBLE_LENGTH_AT].to_vec();
            newer.extend_from_slice(&(text.len() as u32).to_le_bytes());
            newer.extend_from_slice(text.as_bytes());
            let message = kind(&newer).unwrap_err().1;
            assert!(message.contains(&format!("newer regrow: format {number}")), "{message}");
        }
        assert!(zstd::decode_all(&PREAMBLE[..]).unwrap().is_empty());
    }
}
