//! [`Table`]: a file of `:`-separated records, one a line, as all account files are.
//!
//! A line that is not a record (a comment, an NSS `+`/`-` line, nonsense) is kept as it is and
//! written back where it stood: this code never decides that a line it cannot read is worthless.
//! Memory is bounded by [`MAX_PIECES`], whatever the file holds.

/// Most fields and list members that one file may have; 65,536 accounts fit.
///
/// A piece costs an allocation, so the size of a file alone is no bound on the memory for it.
pub(crate) const MAX_PIECES: usize = 1 << 19;

/// One record of an account file.
pub(crate) trait Record: Sized {
    /// Reads one line, without its newline; `None` when it is no such record.
    fn parse(line: &[u8]) -> Option<Self>;

    /// Appends the line, without a newline.
    fn format(&self, out: &mut Vec<u8>);

    /// The name the record is found by.
    fn name(&self) -> &[u8];
}

/// A line of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line<T> {
    /// A record.
    Record(T),
    /// Anything else, as it stood.
    Other(Vec<u8>),
}

/// The lines of one account file, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table<T> {
    lines: Vec<Line<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { lines: Vec::new() }
    }
}

/// The file has more than [`MAX_PIECES`] fields and list members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_PIECES} fields")]
pub(crate) struct TooManyPieces;

impl<T: Record> Table<T> {
    /// Reads a whole file. A missing newline at the end is no fault.
    ///
    /// # Errors
    /// [`TooManyPieces`] is the only one: no content is malformed, some is only not understood.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Table<T>, TooManyPieces> {
        let pieces = bytes.iter().filter(|&&b| matches!(b, b'\n' | b':' | b',')).count();
        if pieces > MAX_PIECES {
            return Err(TooManyPieces);
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Ok(Table::default());
        }
        let lines = text
            .split(|&b| b == b'\n')
            .map(|line| {
                let record = if is_foreign(line) { None } else { T::parse(line) };
                record.map_or_else(|| Line::Other(line.to_vec()), Line::Record)
            })
            .collect();
        Ok(Table { lines })
    }

    /// The file's content. What was parsed comes back byte for byte, except that numbers lose
    /// leading zeros, lists empty members, and the last line has a newline.
    pub(crate) fn format(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.lines {
            match line {
                Line::Record(record) => record.format(&mut out),
                Line::Other(line) => out.extend_from_slice(line),
            }
            out.push(b'\n');
        }
        out
    }

    /// Whether there is no line at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The records in file order. Where a name stands twice, the system uses the first.
    pub(crate) fn records(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().filter_map(|line| match line {
            Line::Record(record) => Some(record),
            Line::Other(_) => None,
        })
    }

    /// The records in file order, to change them.
    pub(crate) fn records_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.lines.iter_mut().filter_map(|line| match line {
            Line::Record(record) => Some(record),
            Line::Other(_) => None,
        })
    }

    /// The lines that are no records, in file order.
    pub(crate) fn others(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter_map(|line| match line {
            Line::Record(_) => None,
            Line::Other(line) => Some(line.as_slice()),
        })
    }

    /// The first record called `name`. A walk through the table: for single questions.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&T> {
        self.records().find(|record| record.name() == name)
    }

    /// Adds `records` behind the others, but before the first NSS line: the system stops at
    /// such a line to ask elsewhere, and what stands behind it may never be reached.
    pub(crate) fn extend(&mut self, records: impl IntoIterator<Item = T>) {
        let at = self
            .lines
            .iter()
            .position(|line| matches!(line, Line::Other(line) if is_nss(line)))
            .unwrap_or(self.lines.len());
        self.lines.splice(at..at, records.into_iter().map(Line::Record));
    }

    /// Adds a line that is no record at the end.
    pub(crate) fn push_other(&mut self, line: Vec<u8>) {
        self.lines.push(Line::Other(line));
    }
}

/// Whether `line` asks another name service, as in `+@staff::::::` or `-mallory`.
pub(super) fn is_nss(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'+' | b'-'))
}

/// Whether `line` is a comment or empty.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.first() == Some(&b'#') || line.trim_ascii().is_empty()
}

/// Lines that no record begins with. A NUL ends a line for the C library, so that what it and
/// what we read would differ.
fn is_foreign(line: &[u8]) -> bool {
    is_nss(line) || is_blank(line) || line[0].is_ascii_whitespace() || line.contains(&0)
}

/// The fields of `line`, when there are exactly `N` and the first, the name, is not empty.
pub(super) fn fields<const N: usize>(line: &[u8]) -> Option<[&[u8]; N]> {
    let mut fields = [&line[..0]; N];
    let mut pieces = line.split(|&b| b == b':');
    for field in &mut fields {
        *field = pieces.next()?;
    }
    (pieces.next().is_none() && !fields[0].is_empty()).then_some(fields)
}

/// A decimal number as the account files have it: digits only.
pub(super) fn number(field: &[u8]) -> Option<u32> {
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    field.iter().try_fold(0u32, |n, b| n.checked_mul(10)?.checked_add(u32::from(b - b'0')))
}

/// An id that can own a file: [`number`] without the one that means "none" to the kernel.
pub(super) fn id(field: &[u8]) -> Option<u32> {
    number(field).filter(|&id| id != u32::MAX)
}

/// The members of a comma-separated list.
pub(super) fn list(field: &[u8]) -> Vec<Vec<u8>> {
    field.split(|&b| b == b',').filter(|m| !m.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Appends `fields`, joined by colons.
pub(super) fn join(out: &mut Vec<u8>, fields: &[&[u8]]) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        out.extend_from_slice(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Group, Passwd};

    #[test]
    fn lines_that_are_no_records_stay_where_they_stood() {
        let text = b"# local\nroot:x:0:0:root:/root:/bin/bash\n\nbroken:x:zero:0:::\n \
                     a:x:1:1:::\na\0b:x:1:1:::\nmax:x:4294967295:1:::\n+@staff::::::\n-mallory\n";
        let table = Table::<Passwd>::parse(text).unwrap();
        assert_eq!(table.records().count(), 1);
        assert_eq!(table.format(), text);
    }

    #[test]
    fn a_record_is_added_before_the_first_nss_line() {
        let mut table = Table::<Group>::parse(b"root:x:0:\n+:::\n").unwrap();
        table.extend([Group {
            name: b"ops".to_vec(),
            password: b"x".to_vec(),
            gid: 7,
            members: vec![],
        }]);
        assert_eq!(table.format(), b"root:x:0:\nops:x:7:\n+:::\n");
    }

    #[test]
    fn a_file_without_a_last_newline_gets_one_and_an_empty_file_stays_empty() {
        assert_eq!(Table::<Group>::parse(b"a:x:1:b").unwrap().format(), b"a:x:1:b\n");
        assert_eq!(Table::<Group>::parse(b"").unwrap().format(), b"");
        assert_eq!(Table::<Group>::parse(b"\n").unwrap().format(), b"\n");
    }

    #[test]
    fn a_file_of_too_many_pieces_is_refused_at_the_limit() {
        let full = vec![b'\n'; MAX_PIECES];
        assert!(Table::<Group>::parse(&full).is_ok());
        let over = vec![b','; MAX_PIECES + 1];
        assert_eq!(Table::<Group>::parse(&over), Err(TooManyPieces));
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number(b"007"), Some(7));
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        for bad in ["", "-1", "+1", " 1", "4294967296", "99999999999999999999", "0x1"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(id(b"4294967295"), None);
    }
}
