//! [`Subid`]: one line of `/etc/subuid` or `/etc/subgid`.

use super::table::{Record, fields, join, number};

/// A range of ids that a user may give to the processes in user namespaces of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subid {
    /// Whose range it is: a user's name, or its uid in digits.
    pub owner: Vec<u8>,
    /// First id of the range.
    pub start: u32,
    /// How many ids; at least one, and the last of them is below 2^32 - 1.
    pub count: u32,
}

impl Subid {
    /// One past the last id.
    pub(crate) fn end(&self) -> u32 {
        self.start.saturating_add(self.count)
    }
}

impl Record for Subid {
    fn parse(line: &[u8]) -> Option<Subid> {
        let [owner, start, count] = fields(line)?;
        let (start, count) = (number(start)?, number(count)?);
        start.checked_add(count)?;
        (count > 0).then(|| Subid { owner: owner.to_vec(), start, count })
    }

    fn format(&self, out: &mut Vec<u8>) {
        let (start, count) = (self.start.to_string(), self.count.to_string());
        join(out, &[&self.owner, start.as_bytes(), count.as_bytes()]);
    }

    fn name(&self) -> &[u8] {
        &self.owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_fits_into_the_ids_there_are() {
        let range = Subid::parse(b"alice:100000:65536").unwrap();
        assert_eq!(range, Subid { owner: b"alice".to_vec(), start: 100_000, count: 65_536 });
        assert_eq!(range.end(), 165_536);
        assert!(Subid::parse(b"a:4294967294:1").is_some());
        for bad in ["a:4294967295:1", "a:1:4294967295", "a:1:0", "a:1", ":1:1", "a:1:1:1"] {
            assert_eq!(Subid::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
