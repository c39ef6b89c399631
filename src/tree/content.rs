//! [`FileContent`]: the content of a regular file, no byte fewer or more than its listing said.
//!
//! Invariant: a reader that came to the end without an error has read the file as it was when it
//! was listed; one that grew, shrank or was written to on the way is an error.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::Extent;
use super::dir::{Node, Stat};

/// The content of a file that had `size` bytes when it was opened.
pub(super) struct FileContent {
    file: File,
    /// The same inode, to ask how it is at the end.
    node: Node,
    at: u64,
}

impl FileContent {
    pub(super) fn new(node: Node) -> Result<FileContent, Errno> {
        Ok(FileContent { file: node.content()?, node, at: 0 })
    }

    pub(super) fn size(&self) -> u64 {
        self.node.stat.size
    }

    fn check_unchanged(&self) -> io::Result<()> {
        let now = self.node.stat_now()?;
        let version = |stat: &Stat| (stat.size, stat.mtime, stat.ctime);
        if version(&now) == version(&self.node.stat) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the file changed while it was read: {} bytes before, {} now",
            self.size(),
            now.size
        )))
    }
}

impl Read for FileContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size().saturating_sub(self.at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            if left == 0 {
                self.check_unchanged()?;
            }
            return Ok(0);
        }
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the file ends after {} of {} bytes", self.at, self.size()),
            ));
        }
        self.at += count as u64;
        if self.at == self.size() {
            self.check_unchanged()?;
        }
        Ok(count)
    }
}

impl Seek for FileContent {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        // Beyond the end there is nothing that could be read without an error.
        let at = at
            .filter(|&at| at <= self.size())
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.at = self.file.seek(SeekFrom::Start(at))?;
        Ok(at)
    }
}

/// More runs than this are not told apart: the last one then reaches to the end.
const MOST_RUNS: usize = 1 << 20;

/// The data runs of a file of `size` bytes, ascending; one run where the file system answers
/// nonsense.
pub(super) fn data_runs(file: &File, size: u64) -> Result<Vec<Extent>, Errno> {
    let fd = file.as_fd();
    let runs = runs(
        size,
        |from| match rustix::fs::seek(fd, rustix::fs::SeekFrom::Data(from)) {
            Ok(at) => Ok(Some(at)),
            Err(Errno::NXIO) => Ok(None),
            Err(errno) => Err(errno),
        },
        |from| rustix::fs::seek(fd, rustix::fs::SeekFrom::Hole(from)),
    );
    match runs {
        // The file system knows no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(one_run(size)),
        done => done,
    }
}

fn one_run(size: u64) -> Vec<Extent> {
    if size == 0 { vec![] } else { vec![Extent { offset: 0, length: size }] }
}

fn runs(
    size: u64,
    data_from: impl Fn(u64) -> Result<Option<u64>, Errno>,
    hole_from: impl Fn(u64) -> Result<u64, Errno>,
) -> Result<Vec<Extent>, Errno> {
    let mut runs: Vec<Extent> = Vec::new();
    let mut at = 0;
    while at < size {
        let Some(start) = data_from(at)? else { break };
        // An honest file system has no answer beyond the end.
        if start < at || start >= size {
            return Ok(one_run(size));
        }
        let end = if runs.len() + 1 == MOST_RUNS { size } else { hole_from(start)? };
        if end <= start {
            return Ok(one_run(size));
        }
        // A file that grew meanwhile is noticed by whoever reads it.
        let end = end.min(size);
        match runs.last_mut() {
            Some(last) if last.offset + last.length == start => last.length += end - start,
            _ => runs.push(Extent { offset: start, length: end - start }),
        }
        at = end;
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(offset: u64, length: u64) -> Extent {
        Extent { offset, length }
    }

    /// Data where `data` says so, answered as an honest file system does.
    fn honest(size: u64, data: &[Extent]) -> Vec<Extent> {
        let holds = |at: u64| data.iter().find(|r| (r.offset..r.offset + r.length).contains(&at));
        runs(
            size,
            |from| {
                let next = data.iter().map(|r| r.offset).find(|&o| o >= from);
                Ok(holds(from).map(|_| from).or(next))
            },
            |from| Ok(holds(from).map_or(from, |r| r.offset + r.length)),
        )
        .unwrap()
    }

    #[test]
    fn runs_are_found_and_holes_at_both_ends_left_out() {
        let data = [run(10, 5), run(100, 1), run(8 << 60, 7)];
        assert_eq!(honest(9 << 60, &data), data);
        assert_eq!(honest(10, &[run(0, 10)]), [run(0, 10)]);
        assert_eq!(honest(10, &[]), []);
        assert_eq!(honest(0, &[]), []);
    }

    #[test]
    fn a_file_system_that_answers_backwards_gets_one_run() {
        assert_eq!(runs(50, |_| Ok(Some(0)), |_| Ok(10)).unwrap(), [run(0, 50)]);
        assert_eq!(runs(50, |at| Ok(Some(at)), |_| Ok(0)).unwrap(), [run(0, 50)]);
        assert_eq!(runs(50, |at| Ok(Some(at)), |_| Ok(u64::MAX)).unwrap(), [run(0, 50)]);
        assert_eq!(runs(50, |_| Ok(Some(50)), |_| Ok(60)).unwrap(), [run(0, 50)]);
        assert_eq!(runs(50, |_| Ok(Some(u64::MAX)), |_| Ok(0)).unwrap(), [run(0, 50)]);
    }
}
