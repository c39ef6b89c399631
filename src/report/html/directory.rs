//! Paths as a tree of directories that open and close. Each path stands in it whole, so that a
//! browser finds it.

use std::borrow::Cow;
use std::fmt::Write;

use super::markup::{CODE, Html};
use crate::report::units::{counted, size};
use crate::tree::FileType;

/// Directories below one another that each open on their own; what lies deeper is listed. Browsers
/// have an end to how deep elements lie in each other.
const DEEPEST: usize = 10;

/// Fewer paths than this are listed with their directories, which do not open on their own.
const FEW: usize = 24;

/// One path.
pub(super) struct Leaf<'a> {
    /// Escaped.
    pub(super) path: Cow<'a, str>,
    pub(super) file_type: FileType,
    pub(super) bytes: u64,
    /// What there is to say of it.
    pub(super) note: Cow<'a, str>,
}

/// The word or the size that stands before a path.
pub(super) fn measure(file_type: FileType, bytes: u64) -> String {
    match file_type {
        FileType::File => size(bytes),
        FileType::Dir => "dir".to_owned(),
        FileType::Symlink => "link".to_owned(),
        other => other.word().to_owned(),
    }
}

/// The tree of `leaves`, which are in the order of their paths.
pub(super) fn tree(html: &mut Html, leaves: &[Leaf]) {
    html.raw("<div class=\"tree\">");
    level(html, "", leaves, 0);
    html.raw("</div>");
}

/// The part of `path` up to the next `/` after `dir`; `None` when there is no further one.
fn child<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    let rest = path.get(dir.len() + 1..)?;
    rest.find('/').and_then(|at| path.get(..dir.len() + 1 + at))
}

/// What lies in `dir`, which ends without `/`: directories, then what is no directory.
fn level(html: &mut Html, dir: &str, leaves: &[Leaf], depth: usize) {
    let mut own: Vec<&Leaf> = Vec::new();
    let mut at = 0;
    while let Some(leaf) = leaves.get(at) {
        if leaf.path == dir {
            own.push(leaf);
            at += 1;
            continue;
        }
        let inside = child(&leaf.path, dir).unwrap_or(&leaf.path);
        let below = |other: &Leaf| {
            let rest = other.path.strip_prefix(inside);
            rest.is_some_and(|rest| {
                rest.starts_with('/') || (rest.is_empty() && leaf.file_type == FileType::Dir)
            })
        };
        let count = leaves[at..].iter().take_while(|other| below(other)).count();
        let part = &leaves[at..at + count.max(1)];
        if count > 1 || (count == 1 && part[0].path.len() > inside.len()) {
            if leaves.len() <= FEW && depth > 0 || depth >= DEEPEST {
                own.extend(part);
            } else {
                directory(html, inside, part, depth);
            }
        } else {
            own.extend(part);
        }
        at += part.len();
    }
    list(html, &own);
}

fn directory(html: &mut Html, dir: &str, leaves: &[Leaf], depth: usize) {
    // One that only leads to another is not opened on its own.
    let mut dir = dir;
    while let Some(next) = leaves.first().and_then(|leaf| child(&leaf.path, dir)) {
        let inside =
            |leaf: &Leaf| leaf.path.strip_prefix(next).is_some_and(|rest| rest.starts_with('/'));
        if !leaves.iter().all(inside) {
            break;
        }
        dir = next;
    }
    let files = leaves.iter().filter(|leaf| leaf.file_type != FileType::Dir).count() as u64;
    let bytes = leaves.iter().fold(0, |sum: u64, leaf| sum.saturating_add(leaf.bytes));
    html.raw("<details><summary>").element(CODE, format_args!("{dir}/"));
    html.raw(" <small>").text(counted(files, "file", "files")).raw(" · ").text(size(bytes));
    html.raw("</small></summary>");
    level(html, dir, leaves, depth + 1);
    html.raw("</details>");
}

/// A list of paths, under what there is to say of them.
fn list(html: &mut Html, leaves: &[&Leaf]) {
    let mut notes: Vec<&str> = Vec::new();
    for leaf in leaves {
        if !notes.contains(&&*leaf.note) && notes.len() < 100 {
            notes.push(&leaf.note);
        }
    }
    for note in &notes {
        let same = leaves.iter().filter(|leaf| leaf.note == *note);
        let lines = same.map(|leaf| (&*leaf.path, measure(leaf.file_type, leaf.bytes)));
        html.element(("<p class=\"note\">", "</p>"), note);
        paths(html, lines);
    }
    // More than so many sentences in one directory stand behind their paths.
    let others = leaves.iter().filter(|leaf| !notes.contains(&&*leaf.note));
    let mut others = others.peekable();
    if others.peek().is_some() {
        html.raw("<pre>");
        for leaf in others {
            html.text(format_args!(
                "{:>9}  {}  ({})",
                measure(leaf.file_type, leaf.bytes),
                leaf.path,
                leaf.note
            ))
            .raw("\n");
        }
        html.raw("</pre>");
    }
}

/// Paths with their measures, one in a line. They are one text: there may be very many.
pub(super) fn paths<'p>(html: &mut Html, lines: impl Iterator<Item = (&'p str, String)>) {
    html.raw("<pre>");
    let mut text = String::new();
    for (path, measure) in lines {
        text.clear();
        write!(text, "{measure:>9}  {path}").ok();
        html.text(&text).raw("\n");
    }
    html.raw("</pre>");
}
