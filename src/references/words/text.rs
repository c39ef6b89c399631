//! [`Text`]: a kept text that is looked at, and what of it counts.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

use super::language::{Language, is_foreign};
use super::lines::lines;
use super::shell::Script;
use crate::references::question::{Kept, Question};
use crate::tree::{Entry, RootPath, Tree, TreeError, read_file};

/// How much of a text is looked at, in bytes.
const MAX_TEXT: u64 = 1 << 20;

/// How much of a file is read to see whether it begins as a script.
const MAX_FIRST_LINE: u64 = 4096;

/// A kept text.
pub(super) struct Text {
    pub(super) path: RootPath,
    pub(super) language: Language,
    pub(super) bytes: Vec<u8>,
    /// The bytes with spaces for what does not count: comments, and lines of a package's own.
    pub(super) counting: Vec<u8>,
    /// What a shell would run in it.
    pub(super) scripts: Vec<Script>,
    /// Where the line that names an interpreter ends; 0 where there is none.
    pub(super) first_line: usize,
    /// Where its lines begin.
    starts: Vec<usize>,
    /// Nothing of the file is missing, so that it can be written again.
    pub(super) whole: bool,
}

impl Text {
    /// The text at a kept path; `None` where there is none to be looked at.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(
        question: &Question<'_>,
        kept: &Kept,
        theirs: &dyn Tree,
    ) -> Result<Option<Text>, TreeError> {
        let Some(entry) = question.new.entry(&kept.path)?.filter(|entry| entry.kind.is_file())
        else {
            return Ok(None);
        };
        let runs = entry.meta.mode & 0o111 != 0;
        let by_place = Language::of(&kept.path).filter(|_| !is_foreign(&kept.path));
        if entry.kind.size() == 0 || (by_place.is_none() && !runs) {
            return Ok(None);
        }
        let limit = if by_place.is_some() { MAX_TEXT } else { MAX_FIRST_LINE };
        let start = start(question.new, &entry, limit)?;
        let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
        let by_line = Language::of_first_line(line).filter(|_| !line.contains(&0));
        // A shell's place holds programs of other languages too.
        let language = match (by_place, by_line) {
            // Nothing but its own program reads it.
            (_, Some(Language::Chain)) => Language::Chain,
            (Some(Language::Shell) | None, Some(language)) => language,
            (Some(language), _) => language,
            (None, None) => return Ok(None),
        };
        let first_line = if by_line.is_some() && runs { line.len() } else { 0 };
        let bytes = match by_place {
            None if entry.kind.size() > start.len() as u64 => start_of(question, &entry)?,
            _ => start,
        };
        if bytes.starts_with(b"-----BEGIN") {
            return Ok(None);
        }
        let bytes = if is_foreign(&kept.path) { bytes[..first_line].to_vec() } else { bytes };
        let own = read_own(theirs, &kept.path);
        Ok(Text::new(kept.path.clone(), language, bytes, (first_line, entry.kind.size()), &own))
    }

    fn new(
        path: RootPath,
        language: Language,
        mut bytes: Vec<u8>,
        (first_line, size): (usize, u64),
        own: &[u8],
    ) -> Option<Text> {
        if let Some(binary) = bytes.iter().position(|b| *b == 0) {
            // A script may have a payload; anything else with a zero in it is no text.
            let end = bytes[..binary].iter().rposition(|b| *b == b'\n')?;
            bytes.truncate(if first_line > 0 { end + 1 } else { 0 });
        }
        let whole = bytes.len() as u64 == size;
        if bytes.is_empty() {
            return None;
        }
        let mut counting = bytes.clone();
        let theirs: BTreeSet<&[u8]> = own.split(|b| *b == b'\n').collect();
        for line in lines(&bytes) {
            let text = &bytes[line.clone()];
            if theirs.contains(text) || is_comment(language, text) {
                blank(&mut counting, line);
            }
        }
        let scripts = super::commands::scripts(language, &bytes, &counting);
        for script in &scripts {
            script.comments.iter().for_each(|comment| blank(&mut counting, comment.clone()));
        }
        if first_line > 0 && !theirs.contains(&bytes[..first_line]) {
            counting[..first_line].copy_from_slice(&bytes[..first_line]);
        }
        let starts = lines(&bytes).map(|line| line.start).collect();
        Some(Text { starts, path, language, bytes, counting, scripts, first_line, whole })
    }

    /// The number of the line that `at` is in, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Whether what begins at `at` counts.
    pub(super) fn counts(&self, at: usize) -> bool {
        self.counting.get(at).is_some_and(|b| !b.is_ascii_whitespace())
    }

    /// The lines of what counts.
    pub(super) fn lines(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        lines(&self.counting)
    }
}

fn start_of(question: &Question<'_>, entry: &Entry) -> Result<Vec<u8>, TreeError> {
    start(question.new, entry, MAX_TEXT)
}

fn start(tree: &dyn Tree, entry: &Entry, limit: u64) -> Result<Vec<u8>, TreeError> {
    let mut bytes = Vec::new();
    let mut content = tree.open(entry)?.take(limit);
    content.read_to_end(&mut bytes).map_err(|e| TreeError::io("reading", &entry.path, e))?;
    Ok(bytes)
}

/// The text that the new system's packages have at `path`. What cannot be read says nothing.
fn read_own(theirs: &dyn Tree, path: &RootPath) -> Vec<u8> {
    read_file(theirs, path, MAX_TEXT).ok().flatten().unwrap_or_default()
}

fn blank(text: &mut [u8], range: Range<usize>) {
    text[range].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
}

/// Whether a line says something to people only. A shell's comments are known to its reader.
fn is_comment(language: Language, line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| line.starts_with(mark));
    match language {
        Language::Shell | Language::Passwd => false,
        Language::Sudoers => begins(&[b"#"]) && !line.get(1).is_some_and(u8::is_ascii_digit),
        Language::Script => begins(&[b"#", b"//", b"*", b"/*", b"--"]),
        Language::Unit | Language::Pairs => begins(&[b"#", b";"]),
        Language::Config => begins(&[b"#", b";", b"//", b"*", b"/*", b"<!--", b"--", b"dnl "]),
        _ => begins(&[b"#"]),
    }
}
