//! [`FrameWriter`]: the tar stream cut into independent zstd frames.
//!
//! Invariant: a frame holds whole members only, except that a member larger than a frame has
//! frames of its own. A damaged frame therefore takes only its own members with it, and a member
//! that cannot be read to its end can be taken back. Cutting depends on the members alone and
//! each frame is compressed in one call by one thread, so the bytes do not depend on how many
//! cores there are.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};
use zstd::zstd_safe::CParameter;

use super::digest::Sha;

/// Most tar bytes in one frame; readers refuse more. Changing this breaks the format.
pub(super) const FRAME_LIMIT: usize = 8 << 20;

const LEVEL: i32 = 3;

/// Where in the tar stream a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With a member's header, or the end-of-archive blocks.
    Member,
    /// Inside the member that began in an earlier frame.
    Inside,
}

/// What the index says of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes in the file.
    pub(super) packed: u32,
    /// Tar bytes it holds.
    pub(super) plain: u32,
    /// How it begins.
    pub(super) start: Start,
    /// SHA-256 of its bytes in the file.
    pub(super) digest: Sha,
}

type Packing = JoinHandle<io::Result<(Vec<u8>, Frame)>>;

/// Writes tar bytes as frames to the end of a file; threads compress, this one writes in order.
pub(super) struct FrameWriter {
    file: File,
    /// File offset of the first frame.
    base: u64,
    limit: usize,
    written: Vec<Frame>,
    packing: VecDeque<Packing>,
    threads: usize,
    buffer: Vec<u8>,
    start: Start,
    member: Option<Mark>,
}

/// Where the member being written began.
#[derive(Clone, Copy)]
struct Mark {
    /// Number of frames before the one it began in.
    frame: usize,
    /// Its offset in that frame.
    offset: usize,
}

impl FrameWriter {
    /// Appends frames of at most `limit` tar bytes to `file`, which stands at its end.
    pub(super) fn new(mut file: File, limit: usize) -> io::Result<FrameWriter> {
        let base = file.stream_position()?;
        Ok(FrameWriter {
            file,
            base,
            limit,
            written: Vec::new(),
            packing: VecDeque::new(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
            buffer: Vec::new(),
            start: Start::Member,
            member: None,
        })
    }

    /// A member begins with the next byte.
    pub(super) fn begin_member(&mut self) {
        self.member = Some(Mark { frame: self.sealed(), offset: self.buffer.len() });
    }

    /// The member is complete. What follows a large one gets frames of its own.
    pub(super) fn end_member(&mut self) -> io::Result<()> {
        self.member = None;
        if self.start == Start::Inside {
            self.cut()?;
        }
        Ok(())
    }

    /// Takes back the member begun last, as if it had never been written.
    pub(super) fn abandon_member(&mut self) -> io::Result<()> {
        let Some(mark) = self.member.take() else { return Ok(()) };
        self.buffer.truncate(mark.offset);
        if self.sealed() == mark.frame {
            return Ok(());
        }
        // Frames were sealed since: the member outgrew one, so it began at a frame's start.
        self.start = Start::Member;
        while self.written.len() < mark.frame {
            self.land()?;
        }
        while let Some(unneeded) = self.packing.pop_front() {
            // Its outcome no longer matters.
            drop(unneeded.join());
        }
        self.written.truncate(mark.frame);
        let end = self.base + self.written.iter().map(|f| u64::from(f.packed)).sum::<u64>();
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end))?;
        Ok(())
    }

    /// Ends the current frame and returns the number of frames so far. Only between members.
    pub(super) fn cut(&mut self) -> io::Result<usize> {
        if !self.buffer.is_empty() {
            let plain = std::mem::take(&mut self.buffer);
            self.seal(plain)?;
        }
        self.start = Start::Member;
        Ok(self.sealed())
    }

    /// Ends the last frame and hands back the file, standing after it, and what to put in an index.
    pub(super) fn finish(mut self) -> io::Result<(File, Vec<Frame>)> {
        self.cut()?;
        while !self.packing.is_empty() {
            self.land()?;
        }
        Ok((self.file, self.written))
    }

    fn sealed(&self) -> usize {
        self.written.len() + self.packing.len()
    }

    /// Makes room when the buffer is full: what stands before the current member becomes a frame;
    /// a member that fills a frame alone goes on in the next.
    fn spill(&mut self) -> io::Result<()> {
        match self.member {
            Some(mark) if mark.frame == self.sealed() && mark.offset > 0 => {
                let rest = self.buffer.split_off(mark.offset);
                let before = std::mem::replace(&mut self.buffer, rest);
                self.seal(before)?;
                self.member = Some(Mark { frame: self.sealed(), offset: 0 });
            }
            _ => {
                let full = std::mem::take(&mut self.buffer);
                self.seal(full)?;
                self.start = Start::Inside;
            }
        }
        Ok(())
    }

    fn seal(&mut self, plain: Vec<u8>) -> io::Result<()> {
        while self.packing.len() >= self.threads {
            self.land()?;
        }
        let start = self.start;
        let thread = std::thread::Builder::new().name("pack".to_owned());
        self.packing.push_back(thread.spawn(move || pack(&plain, start))?);
        Ok(())
    }

    /// Writes the oldest frame that is being compressed.
    fn land(&mut self) -> io::Result<()> {
        let Some(oldest) = self.packing.pop_front() else { return Ok(()) };
        let (bytes, frame) =
            oldest.join().map_err(|_| io::Error::other("the compressor panicked"))??;
        self.file.write_all(&bytes)?;
        self.written.push(frame);
        Ok(())
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == self.limit && !bytes.is_empty() {
            self.spill()?;
        }
        let taken = bytes.len().min(self.limit - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Does nothing: where frames end is decided by the members.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One zstd frame of `plain`: with checksum and content size, without dictionary.
fn pack(plain: &[u8], start: Start) -> io::Result<(Vec<u8>, Frame)> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    let bytes = compressor.compress(plain)?;
    let size = |len: usize| u32::try_from(len).map_err(|_| io::Error::other("frame too large"));
    let frame = Frame {
        packed: size(bytes.len())?,
        plain: size(plain.len())?,
        start,
        digest: Sha256::digest(&bytes).into(),
    };
    Ok((bytes, frame))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const LIMIT: usize = 100;

    /// Writes members of the given lengths (`Err`: taken back), returns frames and plain bytes.
    fn write(members: &[Result<usize, usize>]) -> (Vec<(u32, Start)>, Vec<u8>) {
        let mut writer = FrameWriter::new(tempfile::tempfile().unwrap(), LIMIT).unwrap();
        for (number, member) in members.iter().enumerate() {
            let (Ok(length) | Err(length)) = *member;
            writer.begin_member();
            writer.write_all(&vec![b'a' + number as u8; length]).unwrap();
            match member {
                Ok(_) => writer.end_member().unwrap(),
                Err(_) => writer.abandon_member().unwrap(),
            }
        }
        let (mut file, frames) = writer.finish().unwrap();
        let end = file.stream_position().unwrap();
        assert_eq!(end, file.metadata().unwrap().len());
        file.rewind().unwrap();
        let mut plain = Vec::new();
        for frame in &frames {
            let mut packed = vec![0; frame.packed as usize];
            file.read_exact(&mut packed).unwrap();
            assert_eq!(frame.digest, <Sha>::from(Sha256::digest(&packed)));
            plain.extend(zstd::bulk::decompress(&packed, frame.plain as usize).unwrap());
        }
        (frames.iter().map(|f| (f.plain, f.start)).collect(), plain)
    }

    use Start::{Inside, Member};

    #[test]
    fn a_frame_holds_whole_members() {
        let (frames, plain) = write(&[Ok(60), Ok(40), Ok(60), Ok(41), Ok(3)]);
        assert_eq!(frames, [(100, Member), (60, Member), (44, Member)]);
        assert_eq!(plain.len(), 204);
    }

    #[test]
    fn a_member_larger_than_a_frame_has_frames_of_its_own() {
        let (frames, _) = write(&[Ok(10), Ok(250), Ok(10)]);
        assert_eq!(
            frames,
            [(10, Member), (100, Member), (100, Inside), (50, Inside), (10, Member)]
        );
    }

    #[test]
    fn a_member_taken_back_leaves_the_bytes_of_the_others() {
        for lost in [0, 5, 90, 91, 100, 101, 250, 5000] {
            let (_, with) = write(&[Ok(10), Err(lost), Ok(30), Err(lost), Err(lost), Ok(0), Ok(7)]);
            let expected = [vec![b'a'; 10], vec![b'c'; 30], vec![b'g'; 7]].concat();
            assert_eq!(with, expected, "{lost}");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_bytes() {
        let bytes = |threads: usize| {
            let mut writer = FrameWriter::new(tempfile::tempfile().unwrap(), 4096).unwrap();
            writer.threads = threads;
            for n in 0..20_000u32 {
                writer.begin_member();
                writer.write_all(&n.to_le_bytes()).unwrap();
                writer.end_member().unwrap();
            }
            let (mut file, _) = writer.finish().unwrap();
            file.rewind().unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(5));
    }
}
