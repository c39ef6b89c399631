//! [`Section`]: a file's content where it lies in a spool.
//!
//! Reads carry their own offset (`pread`), so that any number of sections share one spool.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// A run of data of a spooled file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where in the file.
    pub(super) offset: u64,
    /// How long; never 0.
    pub(super) length: u64,
    /// Where in the spool.
    pub(super) place: u64,
}

/// Reads a file of `size` bytes: `runs` from the spool, zeros between them.
pub(super) struct Section<'a> {
    spool: &'a File,
    /// Ascending and apart from each other.
    runs: Cow<'a, [Run]>,
    size: u64,
    at: u64,
}

impl<'a> Section<'a> {
    pub(super) fn new(spool: &'a File, runs: Cow<'a, [Run]>, size: u64) -> Section<'a> {
        Section { spool, runs, size, at: 0 }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.runs.partition_point(|run| run.offset + run.length <= self.at);
        let run = self.runs.get(next);
        let end = match run {
            Some(run) if self.at >= run.offset => run.offset + run.length,
            Some(run) => run.offset,
            None => self.size,
        };
        let rest = end.saturating_sub(self.at);
        let want = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        let buffer = &mut buffer[..want];
        let length = match run {
            Some(run) if self.at >= run.offset => {
                let length = self.spool.read_at(buffer, run.place + (self.at - run.offset))?;
                if length == 0 && want > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                length
            }
            _ => {
                buffer.fill(0);
                want
            }
        };
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_shows_its_runs_with_zeros_between_them() {
        let spool = tempfile::tempfile().unwrap();
        spool.write_all_at(b"..abcdef..", 0).unwrap();
        let runs = [Run { offset: 1, length: 2, place: 2 }, Run { offset: 5, length: 4, place: 4 }];
        let mut section = Section::new(&spool, Cow::Borrowed(&runs), 10);
        let mut all = Vec::new();
        section.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"\0ab\0\0cdef\0");
        for at in 0..12 {
            assert_eq!(section.seek(SeekFrom::Start(at)).unwrap(), at);
            let mut rest = Vec::new();
            section.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, all[all.len().min(at as usize)..]);
        }
        assert_eq!(section.seek(SeekFrom::End(-4)).unwrap(), 6);
        assert_eq!(section.seek(SeekFrom::Current(-1)).unwrap(), 5);
        assert!(section.seek(SeekFrom::Current(-6)).is_err());
    }

    #[test]
    fn a_spool_that_lost_its_end_is_an_error() {
        let spool = tempfile::tempfile().unwrap();
        spool.write_all_at(b"ab", 0).unwrap();
        let runs = vec![Run { offset: 0, length: 4, place: 0 }];
        let mut section = Section::new(&spool, Cow::Owned(runs), 4);
        let error = section.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
