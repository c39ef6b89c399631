//! [`Tail`]: the end of an output, within a bound.

/// Most bytes that are kept of one output.
pub const MAX_TAIL: usize = 1 << 20;

/// The last [`MAX_TAIL`] bytes of what a command wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
    total: u64,
}

impl Tail {
    /// What was kept.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes there were in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the beginning is missing.
    pub fn is_cut(&self) -> bool {
        self.total > self.bytes.len() as u64
    }

    /// Takes everything `from` has to give. An error ends it like an end.
    pub(super) fn read(mut from: impl std::io::Read) -> Tail {
        let mut tail = Tail::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => tail.push(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        tail.trim(MAX_TAIL);
        tail
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        // Moving the rest to the front pays only once it is as long as what goes.
        if self.bytes.len() > 2 * MAX_TAIL {
            self.trim(MAX_TAIL);
        }
    }

    fn trim(&mut self, length: usize) {
        let excess = self.bytes.len().saturating_sub(length);
        self.bytes.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_kept_and_the_beginning_counted() {
        let mut long = vec![b'a'; 3 * MAX_TAIL];
        long.extend_from_slice(b"end");
        let tail = Tail::read(long.as_slice());
        assert_eq!(tail.bytes().len(), MAX_TAIL);
        assert!(tail.bytes().ends_with(b"aend") && tail.is_cut());
        assert_eq!(tail.total(), long.len() as u64);
        let short = Tail::read(&b"all"[..]);
        assert_eq!((short.bytes(), short.is_cut()), (&b"all"[..], false));
    }
}
