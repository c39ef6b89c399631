//! [`LeftOut`]: what a tar holds and its tree does not, in words for the report.

use std::collections::BTreeMap;

use crate::pax::{Problem, TarTree};
use crate::tree::escaped;

/// Something that the source holds and that cannot be taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is about: a path as the source writes it, escaped.
    pub subject: String,
    /// Why.
    pub why: String,
}

/// What of the tars that `trees` were made of is not in them. Properties that are not understood
/// are told once for each kind: every file can have them.
pub(super) fn left_out<'a>(trees: impl IntoIterator<Item = &'a TarTree>) -> Vec<LeftOut> {
    let mut found = Vec::new();
    let mut ignored = BTreeMap::<&[u8], (&[u8], u64)>::new();
    for problem in trees.into_iter().flat_map(TarTree::problems) {
        let name = match problem {
            Problem::Ignored { name, key } => {
                ignored.entry(key).or_insert((name, 0)).1 += 1;
                continue;
            }
            Problem::Name { name, .. }
            | Problem::Root { name }
            | Problem::Symlink { name }
            | Problem::Dangling { name, .. }
            | Problem::LinkedDirectory { name, .. } => escaped(name),
            Problem::Below { path, .. } => path.to_string(),
            Problem::Trailing { .. } => "the end of the tar".to_owned(),
        };
        let cause = std::error::Error::source(problem).map(|e| format!(": {e}"));
        let why = format!("{problem}{}", cause.unwrap_or_default());
        found.push(LeftOut { subject: name, why });
    }
    found.extend(ignored.into_iter().map(|(key, (name, count))| LeftOut {
        subject: format!("{} of {}", escaped(key), escaped(name)),
        why: match count {
            1 => "the property is not understood".to_owned(),
            _ => format!("the property is not understood, here and at {} other paths", count - 1),
        },
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pax::Keep;

    /// A member with an `x` header that holds `records`.
    fn with_records(tar: &mut tar::Builder<Vec<u8>>, name: &str, records: &[(&str, &[u8])]) {
        tar.append_pax_extensions(records.iter().copied()).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &b""[..]).unwrap();
    }

    #[test]
    fn what_is_left_out_is_named_and_a_property_is_told_once() {
        let mut tar = tar::Builder::new(vec![]);
        for name in ["a\u{1b}[31m", "b", "c"] {
            with_records(&mut tar, name, &[("SCHILY.acl.access", b"user::rw-")]);
        }
        with_records(&mut tar, "d", &[("SCHILY.fflags", b"nodump")]);
        with_records(&mut tar, "x", &[("path", b"../x")]);
        let mut bytes = tar.into_inner().unwrap();
        bytes.extend(b"more");
        let spool = tempfile::tempfile().unwrap();
        let tree = TarTree::spool(&mut &bytes[..], spool, &mut |_| Keep::Content).unwrap();
        let found = left_out([&tree]);
        let told: Vec<(&str, &str)> =
            found.iter().map(|left| (left.subject.as_str(), left.why.as_str())).collect();
        let once = "the property is not understood";
        assert_eq!(
            told,
            [
                ("../x", "`../x` is left out: the path holds `..`"),
                ("the end of the tar", "4 bytes of data after the end of the archive are ignored"),
                (
                    "SCHILY.acl.access of a\\u{1b}[31m",
                    "the property is not understood, here and at 2 other paths"
                ),
                ("SCHILY.fflags of d", once),
            ]
        );
    }
}
