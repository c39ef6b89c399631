//! The list of trusted certificates, a line for each: a `!` before one refuses it.

use std::collections::BTreeSet;

use super::texts::Texts;
use crate::family::carried::Carried;
use crate::survey::Choices;
use crate::tree::{
    Draft, DraftContent, DraftNode, Entry, Kind, PathError, RootPath, Tree, TreeError, read_file,
};

/// The list.
const LIST: &str = "/etc/ca-certificates.conf";

/// Where the certificates are that it names.
const CERTIFICATES: &str = "/usr/share/ca-certificates";

/// Larger than any list.
const LIMIT: u64 = 16 << 20;

fn place(certificate: &str) -> Result<RootPath, PathError> {
    RootPath::parse(format!("{CERTIFICATES}/{certificate}").as_bytes())
}

/// The certificates that are not to be trusted, as the list calls them.
pub(super) fn refused(texts: &Texts<'_>) -> Vec<String> {
    let text = texts.read(LIST);
    let text = String::from_utf8_lossy(&text);
    text.lines().filter_map(|line| line.strip_prefix('!')).map(str::to_owned).collect()
}

/// The certificates of no package that are to be trusted, as the list calls them.
pub(super) fn trusted(texts: &Texts<'_>) -> Vec<String> {
    let text = texts.read(LIST);
    let text = String::from_utf8_lossy(&text);
    let is_own =
        |line: &&str| !line.is_empty() && place(line).is_ok_and(|place| !texts.is_owned(&place));
    let lines = text.lines().map(str::trim_end).filter(|line| !line.starts_with(['!', '#']));
    lines.filter(is_own).map(str::to_owned).collect()
}

/// Refuses and trusts in the new system's list what the old one's did.
pub(super) fn carry(
    choices: &Choices,
    target: &dyn Tree,
    draft: &mut Draft,
    carried: &mut Carried,
) -> Result<(), TreeError> {
    let path = RootPath::parse(LIST.as_bytes()).unwrap_or_else(|_| RootPath::root());
    let refused: BTreeSet<&[u8]> =
        choices.refused_certificates.iter().map(String::as_bytes).collect();
    let Some(entry) = target.entry(&path)?.filter(|entry| entry.kind.is_file()) else {
        return Ok(());
    };
    let trusted = &choices.trusted_certificates;
    let some = !refused.is_empty() || !trusted.is_empty();
    let Some(theirs) = read_file(target, &path, LIMIT)?.filter(|_| some) else {
        return Ok(());
    };
    let mut changed = vec![];
    for line in theirs.split_inclusive(|&b| b == b'\n') {
        if refused.contains(line.trim_ascii_end()) {
            changed.push(b'!');
            let name = String::from_utf8_lossy(line.trim_ascii_end());
            carried.adapt(&path, format!("{name} is not to be trusted"));
        }
        changed.extend_from_slice(line);
    }
    for own in trusted {
        let place = place(own);
        let is_placed = place.is_ok_and(|place| draft.get(&place).is_some());
        let is_known = theirs.split(|&b| b == b'\n').any(|line| {
            let line = line.trim_ascii_end();
            line.strip_prefix(b"!").unwrap_or(line) == own.as_bytes()
        });
        if is_placed && !is_known {
            if changed.last().is_some_and(|&b| b != b'\n') {
                changed.push(b'\n');
            }
            changed.extend_from_slice(own.as_bytes());
            changed.push(b'\n');
            carried.adapt(&path, format!("{own} is to be trusted"));
        }
    }
    if changed != theirs {
        let kind = Kind::File { size: changed.len() as u64 };
        let entry = Entry { kind, links: None, ..entry };
        draft.put(DraftNode { entry, content: DraftContent::Bytes(changed) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// The list that is placed, if it is.
    fn list(tree: &MemoryTree, draft: &mut Draft, choices: &Choices) -> Option<DraftContent> {
        carry(choices, tree, draft, &mut Carried::default()).unwrap();
        draft.get(&path(LIST)).map(|node| node.content.clone())
    }

    #[test]
    fn a_refused_certificate_is_refused_in_the_new_list() {
        let tree = MemoryTree::default().file(LIST, "# x\nmozilla/A.crt\nmozilla/B.crt\n");
        let refuse = |certificate: &str| {
            let refused_certificates = vec![certificate.to_owned()];
            let choices = Choices { refused_certificates, ..Choices::default() };
            list(&tree, &mut Draft::default(), &choices)
        };
        let changed = b"# x\n!mozilla/A.crt\nmozilla/B.crt\n".to_vec();
        assert_eq!(refuse("mozilla/A.crt"), Some(DraftContent::Bytes(changed)));
        assert_eq!(refuse("mozilla/Gone.crt"), None);
    }

    #[test]
    fn an_own_certificate_is_trusted_where_it_is_placed() {
        let tree = MemoryTree::default().file(LIST, "mozilla/A.crt");
        let trusted = ["own/ca.crt", "own/gone.crt", "mozilla/A.crt"];
        let trusted_certificates = trusted.map(str::to_owned).to_vec();
        let choices = Choices { trusted_certificates, ..Choices::default() };
        let own = MemoryTree::default().file("/usr/share/ca-certificates/own/ca.crt", "");
        let own = own.entry(&place("own/ca.crt").unwrap()).unwrap().unwrap();
        let mut draft = Draft::default();
        draft.put(DraftNode { entry: own, content: DraftContent::Bytes(vec![]) });
        let expected = DraftContent::Bytes(b"mozilla/A.crt\nown/ca.crt\n".to_vec());
        assert_eq!(list(&tree, &mut draft, &choices), Some(expected));
    }
}
