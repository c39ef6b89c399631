//! [`Stream`]: the bytes of a tar, and how far they have been read.

use std::io::{self, Read};

use super::fault::ReadError;

/// A tar that is read from its first byte to its last.
pub(super) struct Stream<R> {
    pub(super) inner: R,
    /// Bytes taken from `inner`.
    pub(super) consumed: u64,
    /// Offset of the current member's content.
    pub(super) position: u64,
    /// Bytes of the current member's content that are still to come.
    pub(super) left: u64,
    /// Whether a member's content ended in an error; nothing can be read after it.
    pub(super) failed: bool,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(inner: R) -> Stream<R> {
        Stream { inner, consumed: 0, position: 0, left: 0, failed: false }
    }

    /// Reads stored content; 0 only when there is none left or `buffer` is empty.
    pub(super) fn stored(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let want = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if want == 0 {
            return Ok(0);
        }
        let length = self.fill(&mut buffer[..want]).inspect_err(|_| self.failed = true)?;
        if length == 0 {
            self.failed = true;
            return Err(ReadError::Truncated { position: self.consumed });
        }
        self.left -= length as u64;
        Ok(length)
    }

    /// Fills all of `buffer`.
    pub(super) fn exact(&mut self, mut buffer: &mut [u8]) -> Result<(), ReadError> {
        while !buffer.is_empty() {
            match self.fill(buffer)? {
                0 => return Err(ReadError::Truncated { position: self.consumed }),
                length => buffer = &mut buffer[length..],
            }
        }
        Ok(())
    }

    /// Reads something into `buffer`; 0 at the end of the stream.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.inner.read(buffer) {
                Ok(length) => {
                    self.consumed += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { position: self.consumed, source }),
            }
        }
    }
}
