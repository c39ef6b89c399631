//! [`ReadMember`]: a member that is being read, and its content.

use std::io::{self, Read};

use super::Member;
use super::stream::Stream;
use crate::tree::Extent;

/// What the headers of a member say, in the dialect's own terms no longer.
pub(super) struct Listed {
    pub(super) member: Member,
    pub(super) extents: Vec<Extent>,
    pub(super) ignored: Vec<Vec<u8>>,
}

/// A member with its content, which is read as a file's: exactly its size, holes as zeros.
///
/// A hole costs the sender nothing and can be of any size; who keeps contents reads
/// [`Data`] instead.
pub(crate) struct ReadMember<'a, R> {
    /// The member.
    pub member: Member,
    /// Where in the file data is; ascending, apart from each other. Empty unless a regular file.
    pub extents: Vec<Extent>,
    /// Keys of pax records that state something which is not understood, such as ACLs as text.
    pub ignored: Vec<Vec<u8>>,
    stream: &'a mut Stream<R>,
    /// Bytes of the file that have been read.
    at: u64,
    /// The extent that `at` is in or before.
    run: usize,
}

impl<'a, R: Read> ReadMember<'a, R> {
    pub(super) fn new(listed: Listed, stream: &'a mut Stream<R>) -> ReadMember<'a, R> {
        let Listed { member, extents, ignored } = listed;
        ReadMember { member, extents, ignored, stream, at: 0, run: 0 }
    }

    /// Where the content begins: the offset in the stream of its first stored byte. The runs of
    /// `extents` follow from there back to back.
    pub(crate) fn position(&self) -> u64 {
        self.stream.position
    }

    /// The content's data alone, with what describes it.
    pub(crate) fn split(self) -> (Member, Vec<Extent>, Data<'a, R>) {
        (self.member, self.extents, Data(self.stream))
    }
}

impl<R: Read> Read for ReadMember<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.extents.get(self.run);
        let limit = |until: u64| {
            usize::try_from(until - self.at).map_or(buffer.len(), |rest| rest.min(buffer.len()))
        };
        match next {
            Some(run) if self.at >= run.offset => {
                let want = limit(run.offset + run.length);
                let length = self.stream.stored(&mut buffer[..want])?;
                self.at += length as u64;
                if self.at == run.offset + run.length {
                    self.run += 1;
                }
                Ok(length)
            }
            _ => {
                let want = limit(next.map_or(self.member.size(), |run| run.offset));
                buffer[..want].fill(0);
                self.at += want as u64;
                Ok(want)
            }
        }
    }
}

/// The data runs of a member, back to back, without the holes between them.
pub(crate) struct Data<'a, R>(&'a mut Stream<R>);

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.stored(buffer)?)
    }
}
