//! The map of a sparse file: which runs of it are stored.
//!
//! Runs are kept in one form: ascending, apart from each other, none empty, inside the file.

use super::{BLOCK, number, padding};
use crate::tree::Extent;

/// The one run of a file of `size` bytes without holes; none for an empty file.
pub(super) fn whole(size: u64) -> Vec<Extent> {
    if size == 0 { vec![] } else { vec![Extent { offset: 0, length: size }] }
}

/// `runs` in their one form: empty ones left out, touching ones joined. `None` unless they are
/// ascending, do not overlap and lie within `size`.
pub(super) fn normal(runs: &[Extent], size: u64) -> Option<Vec<Extent>> {
    let mut normal: Vec<Extent> = Vec::with_capacity(runs.len());
    let mut at = 0;
    for run in runs {
        let end = run.offset.checked_add(run.length)?;
        if run.offset < at || end > size {
            return None;
        }
        at = end;
        if run.length == 0 {
            continue;
        }
        match normal.last_mut() {
            Some(last) if last.offset + last.length == run.offset => last.length += run.length,
            _ => normal.push(*run),
        }
    }
    Some(normal)
}

/// Normal `runs` widened to whole blocks: GNU tar begins every run on a block of its own.
pub(super) fn aligned(runs: &[Extent], size: u64) -> Vec<Extent> {
    let block = BLOCK as u64;
    let mut aligned: Vec<Extent> = Vec::with_capacity(runs.len());
    for run in runs {
        let end = run.offset + run.length;
        let end = end.checked_next_multiple_of(block).map_or(size, |end| end.min(size));
        let start = run.offset - run.offset % block;
        match aligned.last_mut() {
            Some(last) if last.offset + last.length >= start => last.length = end - last.offset,
            _ => aligned.push(Extent { offset: start, length: end - start }),
        }
    }
    aligned
}

/// Bytes stored for `runs`.
pub(super) fn stored(runs: &[Extent]) -> u64 {
    runs.iter().map(|run| run.length).sum()
}

/// The map of GNU.sparse 1.0 for normal `runs`: decimal lines, padded to a block. A hole at the
/// end shows as an empty run there.
pub(super) fn map(runs: &[Extent], size: u64) -> Vec<u8> {
    let ends_in_data = runs.last().is_some_and(|last| last.offset + last.length == size);
    let end = (!ends_in_data).then_some(Extent { offset: size, length: 0 });
    let count = runs.len() + usize::from(end.is_some());
    let mut map = format!("{count}\n").into_bytes();
    for run in runs.iter().chain(&end) {
        map.extend_from_slice(format!("{}\n{}\n", run.offset, run.length).as_bytes());
    }
    map.resize(map.len() + padding(map.len() as u64), 0);
    map
}

/// Reads the map of GNU.sparse 1.0 block by block.
#[derive(Debug, Default)]
pub(super) struct MapParser {
    line: Vec<u8>,
    count: Option<u64>,
    offset: Option<u64>,
    runs: Vec<Extent>,
}

impl MapParser {
    /// Takes the next block; `Some(runs)` when the map ends in it, as the map states them.
    /// `Err` when this is no map of at most `limit` entries.
    pub(super) fn block(&mut self, block: &[u8], limit: u64) -> Result<Option<Vec<Extent>>, ()> {
        for &byte in block {
            if byte != b'\n' {
                // No number is longer than this.
                if self.line.len() >= 20 {
                    return Err(());
                }
                self.line.push(byte);
                continue;
            }
            let value = number::decimal(&self.line).ok_or(())?;
            self.line.clear();
            match (self.count, self.offset.take()) {
                (None, _) if value > limit => return Err(()),
                (None, _) => self.count = Some(value),
                (Some(_), None) => self.offset = Some(value),
                (Some(_), Some(offset)) => self.runs.push(Extent { offset, length: value }),
            }
            if self.offset.is_none() && self.count == Some(self.runs.len() as u64) {
                return Ok(Some(std::mem::take(&mut self.runs)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(list: &[(u64, u64)]) -> Vec<Extent> {
        list.iter().map(|&(offset, length)| Extent { offset, length }).collect()
    }

    #[test]
    fn runs_that_overlap_go_back_or_leave_the_file_are_refused() {
        assert_eq!(normal(&runs(&[(0, 10), (9, 5)]), 100), None);
        assert_eq!(normal(&runs(&[(20, 10), (0, 5)]), 100), None);
        assert_eq!(normal(&runs(&[(90, 11)]), 100), None);
        assert_eq!(normal(&runs(&[(u64::MAX, 1)]), u64::MAX), None);
        assert_eq!(normal(&runs(&[(101, 0)]), 100), None);
    }

    #[test]
    fn touching_runs_are_one_and_empty_ones_none() {
        assert_eq!(
            normal(&runs(&[(0, 10), (10, 5), (20, 0), (30, 5), (100, 0)]), 100),
            Some(runs(&[(0, 15), (30, 5)]))
        );
    }

    #[test]
    fn runs_widen_to_blocks_but_not_beyond_the_file() {
        assert_eq!(
            aligned(&runs(&[(1, 1), (600, 10), (2000, 100), (5000, 10)]), 5010),
            runs(&[(0, 1024), (1536, 1024), (4608, 402)])
        );
    }

    #[test]
    fn a_hole_at_the_end_is_an_empty_run() {
        assert_eq!(map(&runs(&[(512, 512)]), 4096)[..16], *b"2\n512\n512\n4096\n0");
        assert_eq!(map(&runs(&[(512, 512)]), 1024)[..11], *b"1\n512\n512\n\0");
        assert_eq!(map(&[], 4096)[..10], *b"1\n4096\n0\n\0");
    }

    #[test]
    fn a_map_longer_than_a_block_is_read_back_and_one_over_the_limit_refused() {
        let list: Vec<_> = (0..500).map(|n| (n * 1024, 512)).collect();
        let bytes = map(&runs(&list), 512_000);
        let parse = |limit| {
            let mut parser = MapParser::default();
            bytes.chunks(BLOCK).find_map(|block| parser.block(block, limit).transpose())
        };
        let mut want = runs(&list);
        want.push(Extent { offset: 512_000, length: 0 });
        assert_eq!(parse(501), Some(Ok(want)));
        assert_eq!(parse(500), Some(Err(())));
    }

    #[test]
    fn a_map_of_other_than_numbers_is_refused() {
        for text in ["x\n", "\n", "1\n-1\n0\n", "1\n0 \n0\n", "000000000000000000001\n"] {
            assert_eq!(MapParser::default().block(text.as_bytes(), 9), Err(()), "{text:?}");
        }
        assert_eq!(MapParser::default().block(&[0; BLOCK], 9), Err(()));
    }
}
