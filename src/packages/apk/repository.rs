//! Where apk gets packages from: `/etc/apk/repositories` and the directories beside it.

use super::super::records::{MAX_TABLE, Records, lines};
use crate::tree::{RootPath, escaped};

/// Real systems have two to five.
const MAX_REPOSITORIES: usize = 1000;

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The file that names it.
    pub file: RootPath,
    /// Its tag: packages come from it only where they are asked for with this tag.
    pub tag: Option<String>,
    /// Its address, or directory, with whatever is written before it (kind of index, components).
    pub address: String,
}

/// Reads every list of repositories.
pub(super) fn load(records: &mut Records<'_>) -> Vec<Repository> {
    let mut files = vec![const { RootPath::literal("/etc/apk/repositories") }];
    for dir in [
        const { RootPath::literal("/etc/apk/repositories.d") },
        const { RootPath::literal("/lib/apk/repositories.d") },
    ] {
        let entries = records.list(&dir);
        let mut names: Vec<&[u8]> = entries.iter().map(|entry| entry.path.name()).collect();
        names.retain(|name| name.ends_with(b".list") && !name.starts_with(b"."));
        names.sort_unstable();
        files.extend(names.into_iter().map(|name| dir.child(name)));
    }
    let mut all = vec![];
    for file in files {
        let Some(bytes) = records.read(&file, MAX_TABLE) else { continue };
        for (tag, address) in lines(&bytes).filter_map(repository) {
            if all.len() == MAX_REPOSITORIES {
                let limit = MAX_REPOSITORIES;
                records.problems.note(super::super::Problem::TooMany { file, limit });
                return all;
            }
            all.push(Repository { file: file.clone(), tag, address });
        }
    }
    all
}

/// `[@tag] address`; comments and settings (`set name=value`) are none.
fn repository(line: &[u8]) -> Option<(Option<String>, String)> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"set ") {
        return None;
    }
    let Some(tagged) = line.strip_prefix(b"@") else { return Some((None, escaped(line))) };
    let end = tagged.iter().position(u8::is_ascii_whitespace)?;
    Some((Some(escaped(&tagged[..end])), escaped(tagged[end..].trim_ascii())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    #[test]
    fn repositories_are_read_with_their_tags() {
        let tree = MemoryTree::default()
            .file(
                "/etc/apk/repositories",
                "#media\nhttps://a.example/v3.20/main\n\n@edge  https://a.example/edge/main\n@none\n",
            )
            .file("/etc/apk/repositories.d/b.list", "set v=3\nv3 https://b.example/x y\n")
            .file("/etc/apk/repositories.d/b.list~", "https://no.example\n");
        let mut records = Records::new(&tree);
        let found: Vec<_> = load(&mut records).into_iter().map(|r| (r.tag, r.address)).collect();
        let expected = [
            (None, "https://a.example/v3.20/main"),
            (Some("edge".to_owned()), "https://a.example/edge/main"),
            (None, "v3 https://b.example/x y"),
        ];
        assert_eq!(found, expected.map(|(tag, address)| (tag, address.to_owned())));
        assert_eq!(records.problems.finish(), []);
    }
}
