//! [`Unpacked`]: a file's content out of its compression, which its first bytes tell.
//!
//! Invariant: nothing grows beyond measure. What is compressed may unpack to [`RATIO`] times what
//! was read of it, and to [`GRACE`] in any case; files of a real system stay far below.

use std::cell::Cell;
use std::io::{self, Chain, Cursor, Read};
use std::rc::Rc;

/// Bytes that any compressed file may unpack to.
const GRACE: u64 = 64 << 20;

/// How many times its own size a compressed file may unpack to beyond that.
const RATIO: u64 = 1000;

/// Beginnings of files that are compressed in a way that is not read here.
const UNSUPPORTED: &[(&[u8], &str, &str)] = &[
    (b"\xfd7zXZ\0", "xz", "xz -d"),
    (b"BZh", "bzip2", "bzip2 -d"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -d"),
    (b"LZIP\x01", "lzip", "lzip -d"),
    (b"\x1f\x9d", "compress", "uncompress"),
];

/// Compressed in a way that is not read here.
#[derive(Debug, thiserror::Error)]
#[error("it is compressed with {name}, which is not supported")]
pub(super) struct Unsupported {
    name: &'static str,
    /// The command that unpacks it.
    pub(super) command: &'static str,
}

/// A compressed file that unpacks to far more than files do.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {RATIO} times its size, as no archive of a system does")]
pub(super) struct Bomb;

/// Content out of its compression.
pub(super) enum Unpacked<'a> {
    /// It is not compressed.
    Plain(Box<dyn Read + 'a>),
    /// It was compressed with gzip or zstd.
    Compressed(Box<dyn Read + 'a>),
}

impl<'a> Unpacked<'a> {
    /// Reads the beginning of `input`.
    ///
    /// # Errors
    /// `input` cannot be read; or, as an [`Unsupported`] inside, it is compressed in another way.
    pub(super) fn new(mut input: impl Read + 'a) -> io::Result<Unpacked<'a>> {
        let mut head = Vec::new();
        Read::by_ref(&mut input).take(10).read_to_end(&mut head)?;
        let unsupported = UNSUPPORTED.iter().find(|(magic, ..)| head.starts_with(magic));
        if let Some(&(_, name, command)) = unsupported
            // A tar may begin with a name such as `BZhang`.
            && (name != "bzip2" || head.get(4..) == Some(b"1AY&SY"))
        {
            return Err(io::Error::new(io::ErrorKind::Unsupported, Unsupported { name, command }));
        }
        let whole = Cursor::new(head.clone()).chain(input);
        Ok(match head.as_slice() {
            [0x1f, 0x8b, ..] => {
                limited(whole, |input| Ok(Box::new(flate2::read::MultiGzDecoder::new(input))))?
            }
            // A frame, or one to be skipped before it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                limited(whole, |input| Ok(Box::new(zstd::Decoder::new(input)?)))?
            }
            _ => Unpacked::Plain(Box::new(whole)),
        })
    }

    /// Whether it is stored as it is.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Unpacked::Plain(_))
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain(inner) | Unpacked::Compressed(inner) => inner.read(buffer),
        }
    }
}

/// What is compressed, with its beginning put back.
type Whole<R> = Counting<Chain<Cursor<Vec<u8>>, R>>;

fn limited<'a, R: Read + 'a>(
    whole: Chain<Cursor<Vec<u8>>, R>,
    decoder: impl FnOnce(Whole<R>) -> io::Result<Box<dyn Read + 'a>>,
) -> io::Result<Unpacked<'a>> {
    let taken = Rc::new(Cell::new(0));
    let inner = decoder(Counting { inner: whole, count: taken.clone() })?;
    Ok(Unpacked::Compressed(Box::new(Limited { inner, taken, given: 0 })))
}

/// Counts what is read.
struct Counting<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get() + length as u64);
        Ok(length)
    }
}

/// Ends a decoder that gives too much for what it took.
struct Limited<'a> {
    inner: Box<dyn Read + 'a>,
    taken: Rc<Cell<u64>>,
    given: u64,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.given += length as u64;
        if self.given > GRACE + self.taken.get().saturating_mul(RATIO) {
            return Err(io::Error::other(Bomb));
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        Unpacked::new(bytes)?.read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn the_first_bytes_say_how_something_is_compressed_and_the_name_says_nothing() {
        let text = b"some text".repeat(9);
        let packed = zstd::encode_all(&text[..], 1).unwrap();
        let skipped = [&b"\x50\x2a\x4d\x18\x01\0\0\0x"[..], &packed].concat();
        for stored in [text.clone(), gzip(&text), packed.clone(), skipped] {
            assert_eq!(read(&stored).unwrap(), text);
        }
        // Several pieces, as parallel compressors write them.
        assert_eq!(read(&[gzip(&text), gzip(b"2")].concat()).unwrap(), [&text[..], b"2"].concat());
        assert_eq!(read(&[&packed[..], &packed].concat()).unwrap(), [&text[..], &text].concat());
        for short in [&b""[..], b"B", b"BZhang/file"] {
            assert_eq!(read(short).unwrap(), short);
        }
    }

    #[test]
    fn another_compression_is_named_with_the_command_that_undoes_it() {
        for (head, name) in [
            (&b"\xfd7zXZ\0\0\0\0\0"[..], "xz"),
            (b"BZh91AY&SY", "bzip2"),
            (b"\x04\x22\x4d\x18", "lz4"),
        ] {
            let error = read(head).unwrap_err().downcast::<Unsupported>().unwrap();
            assert_eq!(error.name, name);
        }
    }

    #[test]
    fn what_is_cut_short_or_flipped_is_an_error() {
        let text: Vec<u8> = (0..9999_u32).flat_map(u32::to_le_bytes).collect();
        // As `zstd` writes it, with a checksum.
        let mut checked = zstd::Encoder::new(vec![], 1).unwrap();
        checked.include_checksum(true).unwrap();
        checked.write_all(&text).unwrap();
        for packed in [gzip(&text), checked.finish().unwrap()] {
            assert!(read(&packed[..packed.len() - 3]).is_err());
            let mut flipped = packed.clone();
            flipped[packed.len() / 2] ^= 4;
            assert!(read(&flipped).is_err());
        }
    }

    #[test]
    fn a_bomb_ends_before_it_fills_the_disk() {
        let packed = zstd::encode_all(io::repeat(0).take(256 << 20), 1).unwrap();
        assert!(packed.len() < 64 << 10);
        let mut input = Unpacked::new(&packed[..]).unwrap();
        let error = io::copy(&mut input, &mut io::sink()).unwrap_err();
        assert!(error.downcast::<Bomb>().is_ok());
        // The same, with as much beside it that does not shrink as a real system has.
        let mut noise = vec![0; 1 << 20];
        let mut state = 1_u32;
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        let real = io::Cursor::new(noise).chain(io::repeat(0).take(256 << 20));
        let packed = zstd::encode_all(real, 1).unwrap();
        assert!(io::copy(&mut Unpacked::new(&packed[..]).unwrap(), &mut io::sink()).is_ok());
    }
}
