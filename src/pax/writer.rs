//! [`Writer`]: members into a tar stream, in the one form that they have.
//!
//! What came first into the stream stays whole: a member is checked before its first byte is
//! written, and once a content turned out to be other than announced nothing more is written.

use std::io::{self, SeekFrom, Write};

use super::encode::{Encoded, encode};
use super::fault::Unfit;
use super::{BLOCK, Member, padding, sparse};
use crate::tree::{Content, Extent, escaped};

/// Why a member was not written.
///
/// After [`WriteError::Unrepresentable`] the stream is as before and takes further members. After
/// any other error it ends in the middle of a member, and is worth nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The content could not be read: the source's fault.
    #[error("reading the content")]
    Source(#[source] io::Error),
    /// The content is not as long as the member says: the source changed meanwhile.
    #[error("the content changed while it was read: {expected} bytes were expected, {found} found")]
    SourceChanged {
        /// The size of the member.
        expected: u64,
        /// Bytes that there were; one more than expected when it goes on.
        found: u64,
    },
    /// The stream could not be written: never the source's fault.
    #[error("writing the archive")]
    Sink(#[source] io::Error),
    /// The member cannot stand in a tar of ours; nothing was written.
    #[error("`{}` cannot be stored", escaped(.name))]
    Unrepresentable {
        /// Its name.
        name: Vec<u8>,
        /// Why.
        #[source]
        why: Unfit,
    },
    /// An earlier error left the stream in the middle of a member.
    #[error("the archive cannot be written on after an error")]
    Failed,
}

/// Whether the stream is at the end of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Failed,
}

/// Writes members to `W`, in pieces of 64 KiB at most.
///
/// The same members give the same bytes. Two blocks of zeros at the end come from
/// [`Writer::finish`] alone: without it the archive is incomplete, and refused by [`Reader`].
///
/// [`Reader`]: super::Reader
#[must_use = "an archive is complete only after `finish`"]
pub(crate) struct Writer<W> {
    inner: W,
    buffer: Vec<u8>,
    state: State,
}

impl<W: Write> Writer<W> {
    /// An archive that begins at the next byte of `inner`.
    pub(crate) fn new(inner: W) -> Writer<W> {
        Writer { inner, buffer: vec![0; 1 << 16], state: State::Whole }
    }

    /// Writes one member.
    ///
    /// `content`, at its start, is that of a regular file, and may be missing when that is empty.
    /// `extents` are its data runs, ascending: a single one over the whole size makes a plain
    /// file, others a sparse one whose holes are not read. Runs are widened to blocks of 512
    /// bytes, and a file of more than a million runs is stored whole.
    pub(crate) fn append(
        &mut self,
        member: &Member,
        content: Option<&mut dyn Content>,
        extents: &[Extent],
    ) -> Result<(), WriteError> {
        if self.state == State::Failed {
            return Err(WriteError::Failed);
        }
        let unfit = |why| WriteError::Unrepresentable { name: member.name.clone(), why };
        let size = member.size();
        if content.is_some() && !member.is_file() || content.is_none() && size > 0 {
            return Err(unfit(Unfit::Content));
        }
        let Encoded { head, runs } = encode(member, extents).map_err(unfit)?;
        self.state = State::Failed;
        self.write(&head)?;
        if let Some(content) = content {
            self.copy(content, &runs, size)?;
        }
        self.write(&[0; BLOCK][..padding(sparse::stored(&runs))])?;
        self.state = State::Whole;
        Ok(())
    }

    /// Copies `runs` of `content`, which has to have exactly `size` bytes.
    fn copy(
        &mut self,
        content: &mut dyn Content,
        runs: &[Extent],
        size: u64,
    ) -> Result<(), WriteError> {
        let mut at = 0;
        let mut buffer = std::mem::take(&mut self.buffer);
        for run in runs {
            if at != run.offset {
                content.seek(SeekFrom::Start(run.offset)).map_err(WriteError::Source)?;
                at = run.offset;
            }
            let end = run.offset + run.length;
            while at < end {
                let want =
                    usize::try_from(end - at).map_or(buffer.len(), |rest| rest.min(buffer.len()));
                let length = read(content, &mut buffer[..want])?;
                if length == 0 {
                    return Err(WriteError::SourceChanged { expected: size, found: at });
                }
                self.write(&buffer[..length])?;
                at += length as u64;
            }
        }
        if at != size {
            at = content.seek(SeekFrom::End(0)).map_err(WriteError::Source)?;
        }
        // Only who reads at the end learns that the content changed on the way.
        let found = at + read(content, &mut buffer[..1])? as u64;
        self.buffer = buffer;
        if found == size {
            Ok(())
        } else {
            Err(WriteError::SourceChanged { expected: size, found })
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.inner.write_all(bytes).map_err(WriteError::Sink)
    }

    /// Ends the archive with two blocks of zeros and gives `W` back, not flushed.
    pub(crate) fn finish(mut self) -> Result<W, WriteError> {
        if self.state == State::Failed {
            return Err(WriteError::Failed);
        }
        self.write(&[0; 2 * BLOCK])?;
        Ok(self.inner)
    }
}

fn read(content: &mut dyn Content, buffer: &mut [u8]) -> Result<usize, WriteError> {
    loop {
        match content.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(WriteError::Source),
        }
    }
}
