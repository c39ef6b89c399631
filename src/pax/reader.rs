//! [`Reader`]: the members of a tar stream, one after the other.
//!
//! Memory is bounded by [`Limits`] whatever the input, no number can overflow, and nothing ends
//! silently: a stream without its two blocks of zeros at the end is an error, and so is content
//! that is cut short. In [`Dialect::Strict`] the headers of every member are encoded again and
//! have to be the very bytes that were read.

use std::io::Read;

use super::content::{Listed, ReadMember};
use super::decode::{self, Before, Decoded, Map};
use super::encode;
use super::extension::{Extension, Scope};
use super::fault::{Fault, ReadError};
use super::header::{self, Block};
use super::sparse::{self, MapParser};
use super::stream::Stream;
use super::{BLOCK, Dialect, Limits, padding};
use crate::tree::Extent;

/// Whether, and why not, members can still come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

/// Reads members from `R`, which should be buffered.
pub(crate) struct Reader<R> {
    stream: Stream<R>,
    limits: Limits,
    /// Bytes after the current member's content, to the end of its last block.
    padding: usize,
    globals: Option<Extension>,
    /// Strict only: the header bytes of the current member.
    head: Vec<u8>,
    trailing: u64,
    state: State,
}

impl<R: Read> Reader<R> {
    /// Reads from `inner`, whose next byte is the first of a tar. `limits` may be a [`Dialect`].
    pub(crate) fn new(inner: R, limits: impl Into<Limits>) -> Reader<R> {
        Reader {
            stream: Stream::new(inner),
            limits: limits.into(),
            padding: 0,
            globals: None,
            head: vec![],
            trailing: 0,
            state: State::Open,
        }
    }

    /// The next member; what was left of the content of the one before is skipped. `None` after
    /// the end of the archive, when the stream has been read to *its* end.
    ///
    /// # Errors
    /// After an error every further call fails.
    pub(crate) fn next(&mut self) -> Result<Option<ReadMember<'_, R>>, ReadError> {
        match self.state {
            State::Open if !self.stream.failed => {}
            State::Ended => return Ok(None),
            State::Open | State::Failed => return Err(ReadError::Failed),
        }
        self.state = State::Failed;
        let found = self.advance()?;
        self.state = if found.is_some() { State::Open } else { State::Ended };
        Ok(found.map(|listed| ReadMember::new(listed, &mut self.stream)))
    }

    /// Bytes other than zero after the end of the archive. Other programs ignore them, and so do
    /// we in [`Dialect::Lenient`]; a second archive may be hidden there.
    pub(crate) fn trailing_bytes(&self) -> u64 {
        self.trailing
    }

    fn advance(&mut self) -> Result<Option<Listed>, ReadError> {
        self.skip_content()?;
        self.head.clear();
        let mut before = Before::default();
        loop {
            let start = self.stream.consumed;
            let malformed = |fault| ReadError::Malformed { position: start, fault };
            let bytes = self.block()?;
            if bytes == [0; BLOCK] {
                if before.is_any() {
                    return Err(malformed(Fault::Sequence));
                }
                return self.end(start).map(|()| None);
            }
            let block = Block::new(&bytes).map_err(malformed)?;
            if self.extension(&block, &mut before, start)? {
                continue;
            }
            if before.records.is_none() {
                before.records.clone_from(&self.globals);
            }
            let decoded = decode::decode(&block, before, self.limits.dialect).map_err(malformed)?;
            return self.member(decoded, start).map(Some);
        }
    }

    /// Reads the extension header that `block` begins, if it does.
    fn extension(
        &mut self,
        block: &Block,
        before: &mut Before,
        start: u64,
    ) -> Result<bool, ReadError> {
        let malformed = |fault| ReadError::Malformed { position: start, fault };
        let dialect = self.limits.dialect;
        match (block.flag(), dialect) {
            (b'x', _) => {
                if before.records.is_some() {
                    return Err(malformed(Fault::Sequence));
                }
                let body = self.extension_body(block, start)?;
                let mut records = self.globals.clone().unwrap_or_default();
                records.apply(&body, Scope::Member, dialect).map_err(malformed)?;
                before.records = Some(records);
            }
            (b'g', Dialect::Lenient) => {
                if before.is_any() {
                    return Err(malformed(Fault::Sequence));
                }
                let body = self.extension_body(block, start)?;
                let globals = self.globals.get_or_insert_default();
                globals.apply(&body, Scope::Global, dialect).map_err(malformed)?;
            }
            (flag @ (b'L' | b'K'), Dialect::Lenient) => {
                let place = if flag == b'L' { &mut before.name } else { &mut before.target };
                if place.is_some() {
                    return Err(malformed(Fault::Sequence));
                }
                let mut text = self.extension_body(block, start)?;
                if let Some(end) = text.iter().position(|&b| b == 0) {
                    text.truncate(end);
                }
                *place = Some(text);
            }
            // The label of a volume is a header without meaning for its members.
            (b'V', Dialect::Lenient) if block.size() == Ok(0) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extension_body(&mut self, block: &Block, start: u64) -> Result<Vec<u8>, ReadError> {
        let malformed = |fault| ReadError::Malformed { position: start, fault };
        let size = block.size().map_err(malformed)?;
        let limit = self.limits.extension_bytes;
        if size > limit {
            return Err(malformed(Fault::Extension { size, limit }));
        }
        let mut body = Vec::new();
        for _ in 0..size.div_ceil(BLOCK as u64) {
            body.extend_from_slice(&self.block()?);
        }
        body.truncate(size as usize);
        Ok(body)
    }

    /// Completes a member: reads its map, and in strict mode compares its headers with ours.
    fn member(&mut self, decoded: Decoded, start: u64) -> Result<Listed, ReadError> {
        let malformed = |fault| ReadError::Malformed { position: start, fault };
        let Decoded { member, stored, map, ignored } = decoded;
        self.stream.left = stored;
        self.padding = padding(stored);
        let size = member.size();
        let runs = match map {
            Map::None => sparse::whole(size),
            Map::Known(runs) => self.limited(runs, start)?,
            Map::Header { runs, more } => self.old_map(runs, more, start)?,
            Map::Content => self.content_map(start)?,
        };
        let extents = sparse::normal(&runs, size).ok_or(malformed(Fault::SparseMap))?;
        if member.is_file() && sparse::stored(&extents) != self.stream.left {
            return Err(malformed(Fault::SparseMap));
        }
        if self.limits.dialect == Dialect::Strict {
            let ours = encode::encode(&member, &extents)
                .map_err(|unfit| malformed(Fault::Unfit(unfit)))?;
            if ours.head != self.head {
                return Err(malformed(Fault::NotCanonical));
            }
        }
        self.stream.position = self.stream.consumed;
        Ok(Listed { member, extents, ignored })
    }

    fn limited(&self, runs: Vec<Extent>, start: u64) -> Result<Vec<Extent>, ReadError> {
        if runs.len() as u64 > self.limits.sparse_runs {
            let fault = Fault::SparseRuns(self.limits.sparse_runs);
            return Err(ReadError::Malformed { position: start, fault });
        }
        Ok(runs)
    }

    /// The rest of an old GNU map: it precedes the content and is not part of it.
    fn old_map(
        &mut self,
        mut runs: Vec<Extent>,
        mut more: bool,
        start: u64,
    ) -> Result<Vec<Extent>, ReadError> {
        while more {
            let block = self.block()?;
            let (further, again) = header::old_sparse_more(&block)
                .map_err(|fault| ReadError::Malformed { position: start, fault })?;
            runs.extend(further);
            runs = self.limited(runs, start)?;
            more = again;
        }
        Ok(runs)
    }

    /// The map of GNU.sparse 1.0: whole blocks at the start of the content.
    fn content_map(&mut self, start: u64) -> Result<Vec<Extent>, ReadError> {
        let malformed = |fault| ReadError::Malformed { position: start, fault };
        let mut parser = MapParser::default();
        loop {
            self.stream.left =
                self.stream.left.checked_sub(BLOCK as u64).ok_or(malformed(Fault::SparseMap))?;
            let block = self.block()?;
            let done = parser
                .block(&block, self.limits.sparse_runs)
                .map_err(|()| malformed(Fault::SparseMap))?;
            if let Some(runs) = done {
                return Ok(runs);
            }
        }
    }

    /// Reads what follows the first block of zeros.
    fn end(&mut self, start: u64) -> Result<(), ReadError> {
        if self.block()? != [0; BLOCK] {
            return Err(ReadError::Malformed { position: start, fault: Fault::Zeros });
        }
        // To the end of the stream, because a decompressor checks its sums only there.
        let mut buffer = vec![0; 1 << 16];
        loop {
            let consumed = self.stream.consumed;
            let length = self.stream.fill(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            if self.limits.dialect == Dialect::Strict {
                return Err(ReadError::Malformed { position: consumed, fault: Fault::Trailing });
            }
            self.trailing += buffer[..length].iter().filter(|&&b| b != 0).count() as u64;
        }
    }

    fn skip_content(&mut self) -> Result<(), ReadError> {
        let mut buffer = vec![0; (self.stream.left.min(1 << 16)) as usize];
        while self.stream.left > 0 {
            self.stream.stored(&mut buffer)?;
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..self.padding];
        let consumed = self.stream.consumed;
        self.stream.exact(rest)?;
        self.padding = 0;
        if self.limits.dialect == Dialect::Strict && rest.iter().any(|&b| b != 0) {
            return Err(ReadError::Malformed { position: consumed, fault: Fault::Padding });
        }
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ReadError> {
        let mut block = [0; BLOCK];
        self.stream.exact(&mut block)?;
        if self.limits.dialect == Dialect::Strict {
            self.head.extend_from_slice(&block);
        }
        Ok(block)
    }
}
