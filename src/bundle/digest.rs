//! [`Digest`]: what proves that a content is the one that was archived.
//!
//! There are two ways to compute one, and a digest says which was used, so that two digests are
//! equal only when they mean the same.

use std::fmt;
use std::io::{self, Read, Seek};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::tree::Extent;

/// SHA-256, 32 bytes.
pub(crate) type Sha = [u8; 32];

/// Holes beyond this many bytes in one file are not hashed as zeros.
///
/// A login record of a machine with large user ids is a file of a terabyte with some pages of
/// data; hashing its zeros takes a quarter of an hour. Changing this changes digests.
pub(crate) const HASHED_HOLES: u64 = 1 << 30;

/// The digest of one regular file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// SHA-256 of the whole content, holes as zeros: what `sha256sum` says of the file.
    Content(Sha),
    /// For files with more than `HASHED_HOLES` bytes of holes: SHA-256 over the data runs in
    /// order, each preceded by its offset and length as `OFFSET LENGTH\n` in decimal.
    Runs(Sha),
}

impl Digest {
    /// The plain digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::Content(Sha256::digest(bytes).into())
    }
}

/// `HEX`, or `runs:HEX`.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Digest::Content(sha) => f.write_str(&hex::encode(sha)),
            Digest::Runs(sha) => write!(f, "runs:{}", hex::encode(sha)),
        }
    }
}

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: 64 lower case hexadecimal digits, or `runs:` and 64 of them")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (wrap, digits): (fn(Sha) -> Digest, &str) = match text.strip_prefix("runs:") {
            Some(rest) => (Digest::Runs, rest),
            None => (Digest::Content, text),
        };
        let mut sha = Sha::default();
        hex::decode_to_slice(digits, &mut sha).map_err(|_| DigestError)?;
        let digest = wrap(sha);
        // One value has one text: upper case is refused.
        if digest.to_string() == text { Ok(digest) } else { Err(DigestError) }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] from the data runs of a file, fed back to back.
pub(super) struct ContentHasher {
    sha: Sha256,
    size: u64,
    /// Offset in the file of the next byte.
    at: u64,
    /// Runs that have not begun, and what is to come of the one that has.
    runs: std::vec::IntoIter<Extent>,
    left: u64,
    holes: Holes,
}

/// What becomes of holes.
enum Holes {
    Zeros,
    Skipped,
}

impl ContentHasher {
    /// For a file of `size` bytes whose data lies in `runs`: ascending, apart from each other.
    pub(super) fn new(size: u64, runs: Vec<Extent>) -> ContentHasher {
        let data = runs.iter().fold(0u64, |sum, run| sum.saturating_add(run.length));
        let holes = match size.saturating_sub(data) {
            0..=HASHED_HOLES => Holes::Zeros,
            _ => Holes::Skipped,
        };
        ContentHasher { sha: Sha256::new(), size, at: 0, runs: runs.into_iter(), left: 0, holes }
    }

    /// The next bytes of data. What comes after the last run does not count.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let Some(run) = self.runs.next() else { return };
                self.begin(run);
                continue;
            }
            let taken = usize::try_from(self.left).map_or(bytes.len(), |l| l.min(bytes.len()));
            let (now, rest) = bytes.split_at(taken);
            self.sha.update(now);
            self.left -= taken as u64;
            self.at = self.at.saturating_add(taken as u64);
            bytes = rest;
        }
    }

    fn begin(&mut self, run: Extent) {
        match self.holes {
            Holes::Zeros => self.zeros_until(run.offset),
            Holes::Skipped => self.sha.update(format!("{} {}\n", run.offset, run.length)),
        }
        self.left = run.length;
    }

    fn zeros_until(&mut self, end: u64) {
        const BLOCK: [u8; 16 << 10] = [0; 16 << 10];
        while self.at < end {
            let step = (end - self.at).min(BLOCK.len() as u64);
            self.sha.update(&BLOCK[..step as usize]);
            self.at += step;
        }
    }

    /// The digest of everything.
    pub(super) fn finish(mut self) -> Digest {
        match self.holes {
            Holes::Zeros => {
                self.zeros_until(self.size);
                Digest::Content(self.sha.finalize().into())
            }
            Holes::Skipped => Digest::Runs(self.sha.finalize().into()),
        }
    }
}

/// Hashes what is read through it.
pub(super) struct Tap<'a, R: ?Sized> {
    pub(super) inner: &'a mut R,
    pub(super) hasher: ContentHasher,
}

impl<R: Read + ?Sized> Read for Tap<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(out)?;
        self.hasher.update(&out[..length]);
        Ok(length)
    }
}

impl<R: Seek + ?Sized> Seek for Tap<'_, R> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(size: u64, runs: &[(u64, &[u8])]) -> Digest {
        let extents: Vec<Extent> = runs
            .iter()
            .map(|&(offset, data)| Extent { offset, length: data.len() as u64 })
            .collect();
        let mut hasher = ContentHasher::new(size, extents);
        for byte in runs.iter().flat_map(|(_, data)| data.iter()) {
            hasher.update(&[*byte]);
        }
        hasher.update(b"beyond the end");
        hasher.finish()
    }

    #[test]
    fn holes_count_as_zeros_at_both_ends_and_between() {
        let mut plain = vec![0; 100_000];
        plain[10..13].copy_from_slice(b"abc");
        plain[50_000] = b'd';
        assert_eq!(digest(100_000, &[(10, b"abc"), (50_000, b"d")]), Digest::of(&plain));
        assert_eq!(digest(0, &[]), Digest::of(b""));
    }

    #[test]
    fn beyond_a_gibibyte_of_holes_only_runs_are_hashed() {
        let expected: Sha = Sha256::digest(b"5 3\nabc").into();
        assert_eq!(digest(1 << 40, &[(5, b"abc")]), Digest::Runs(expected));
    }

    #[test]
    fn a_digest_has_one_text() {
        let text = Digest::of(b"").to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(text.parse(), Ok(Digest::of(b"")));
        assert_eq!(
            format!("runs:{text}").parse::<Digest>().unwrap().to_string(),
            "runs:".to_owned() + &text
        );
        assert_eq!(text.to_uppercase().parse::<Digest>(), Err(DigestError));
        assert_eq!("e3".parse::<Digest>(), Err(DigestError));
    }
}
