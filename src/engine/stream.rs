//! [`EngineReader`]: a stream of the engine's, read as any other reader.
//!
//! A task of the engine's runtime receives, a channel of a few pieces stands in between, so that
//! memory is bounded and a slow reader slows the engine down. Nothing ends quietly: a broken
//! connection, a stream that stands still and a cancelled run are all errors of the read.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::Engine;
use super::cancellation::cancellation;
use super::error::{About, EngineError};

/// Pieces that wait between the engine and the reader; an engine sends some 20 kB at a time.
const PIECES: usize = 32;

/// The two blocks of zeros that end a tar.
const TAR_END: u64 = 1024;

/// A tar that an engine sends.
///
/// An engine that fails half-way may still end its stream in an orderly way and under status
/// 200; so a stream without the end of a tar is an error of the last read.
pub struct EngineReader {
    pieces: mpsc::Receiver<Result<Bytes, EngineError>>,
    current: Bytes,
    about: About,
    /// Bytes received.
    length: u64,
    /// How many of the last ones are zero.
    zeros: u64,
    /// Keeps the runtime of the receiving task alive.
    _engine: Engine,
}

impl EngineReader {
    /// Reads `first`, then what `rest` yields.
    pub(super) fn new(
        engine: &Engine,
        about: About,
        first: Bytes,
        mut rest: impl Stream<Item = Result<Bytes, bollard::errors::Error>> + Send + Unpin + 'static,
    ) -> Result<EngineReader, EngineError> {
        let (sender, pieces) = mpsc::channel(PIECES);
        let (cancelled, stall) = (engine.cancelled.clone(), engine.shared.stall);
        let runtime = engine.runtime(&about)?;
        let of = about.clone();
        // The task must not hold the engine: dropped inside its own runtime it would panic.
        runtime.spawn(async move {
            loop {
                let piece = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    error = cancellation(cancelled.clone()) => Some(Err(error)),
                    next = tokio::time::timeout(stall, rest.next()) => match next {
                        Ok(piece) => piece.map(|p| p.map_err(|e| about.engine(e))),
                        Err(_) => Some(Err(about.stalled(stall))),
                    },
                };
                let Some(piece) = piece else { return };
                let last = piece.is_err();
                if sender.send(piece).await.is_err() || last {
                    return;
                }
            }
        });
        let mut reader = EngineReader {
            pieces,
            current: Bytes::new(),
            about: of,
            length: 0,
            zeros: 0,
            _engine: engine.clone(),
        };
        reader.receive(first);
        Ok(reader)
    }

    fn receive(&mut self, piece: Bytes) {
        let length = piece.len() as u64;
        let zeros = piece.iter().rev().take_while(|&&b| b == 0).count() as u64;
        self.zeros = if zeros == length { self.zeros.saturating_add(zeros) } else { zeros };
        self.length = self.length.saturating_add(length);
        self.current = piece;
    }

    /// The end of the stream, if it is one of a tar.
    fn end(&self) -> io::Result<usize> {
        if self.zeros >= TAR_END && self.length.is_multiple_of(512) {
            return Ok(0);
        }
        let what = format!("it ended within its tar, after {} bytes", self.length);
        Err(io::Error::other(self.about.unexpected(what)))
    }
}

impl Read for EngineReader {
    /// An error carries the [`EngineError`], see [`EngineError::in_io`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return self.end(),
                Some(Ok(piece)) => self.receive(piece),
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        let n = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

impl std::fmt::Debug for EngineReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineReader").field("length", &self.length).finish_non_exhaustive()
    }
}

impl EngineError {
    /// The engine's error behind a failed read of an [`EngineReader`], however deep other readers
    /// have wrapped it.
    pub fn in_io(error: &io::Error) -> Option<&EngineError> {
        let mut at: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|e| e as _);
        while let Some(inner) = at {
            if let Some(found) = inner.downcast_ref::<EngineError>() {
                return Some(found);
            }
            at = match inner.downcast_ref::<io::Error>() {
                Some(io) => io.get_ref().map(|e| e as _),
                None => inner.source(),
            };
        }
        None
    }
}
