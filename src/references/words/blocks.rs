//! Blocks of a program that are told by their indent.

use std::ops::Range;

/// More lines than a block has, and between its head and its end.
pub(super) const BLOCK: usize = 2000;

/// Whether line `number` is run whenever its block is, and that in any case: no condition decides
/// about it, and nothing is caught.
pub(super) fn is_sure(code: &[u8], all: &[Range<usize>], number: usize) -> bool {
    const HEADS: &[&[u8]] = &[b"def ", b"async ", b"class ", b"with ", b"for ", b"while "];
    headers(code, all, number).into_iter().all(|header| {
        let line = code[all[header].clone()].trim_ascii_start();
        HEADS.iter().any(|head| line.starts_with(head))
    })
}

/// The lines that begin the blocks in which line `number` stands.
pub(super) fn headers(code: &[u8], all: &[Range<usize>], number: usize) -> Vec<usize> {
    let Some(line) = all.get(number) else { return vec![] };
    let (mut depth, mut found) = (indent(&code[line.clone()]), Vec::new());
    for above in (number.saturating_sub(BLOCK)..number).rev() {
        let line = &code[all[above].clone()];
        if !line.trim_ascii().is_empty() && indent(line) < depth {
            depth = indent(line);
            found.push(above);
        }
        if depth == 0 {
            break;
        }
    }
    found
}

pub(super) fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}
