//! The locales that somebody made in a system, beside those that packages bring.

use std::collections::BTreeMap;
use std::io::{Read, SeekFrom};

use crate::tree::{Content, RootPath, Tree, TreeError, list, resolve};

/// Where locales are.
const PLACE: RootPath = RootPath::literal("/usr/lib/locale");

/// The file that holds most of them.
const ARCHIVE: RootPath = RootPath::literal("/usr/lib/locale/locale-archive");

/// What such a file begins with.
const MAGIC: u32 = 0xde02_0109;

/// Most names that are read, more than glibc knows locales.
const MOST: u32 = 1 << 14;

/// Longer than any name.
const LONGEST: u64 = 128;

/// The names of the locales of `tree`, one of each; that of no language is none.
///
/// # Errors
/// The directory cannot be listed; an archive that cannot be read has no names.
pub(crate) fn locales(tree: &dyn Tree) -> Result<Vec<String>, TreeError> {
    let mut names: Vec<String> = Vec::new();
    for entry in list(tree, &PLACE)?.iter().filter(|entry| entry.kind.is_dir()) {
        let name = String::from_utf8_lossy(entry.path.name()).into_owned();
        if tree.entry(&entry.path.child(b"LC_CTYPE"))?.is_some() {
            names.push(name);
        }
    }
    if let Ok(Some(place)) = resolve(tree, &ARCHIVE)
        && let Some(entry) = tree.entry(&place)?.filter(|entry| entry.kind.is_file())
        && let Ok(mut content) = tree.open(&entry)
    {
        names.extend(archived(&mut *content).unwrap_or_default());
    }
    let is_none = |name: &str| name == "C" || name == "POSIX" || name.starts_with("C.");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c);
    names.retain(|name| !is_none(name) && !name.is_empty() && name.chars().all(plain));
    names.sort();
    names.dedup();
    Ok(names)
}

/// The names in an archive of locales: of several for one, that which commands take.
fn archived(content: &mut (dyn Content + '_)) -> Option<Vec<String>> {
    let header = read(content, 0, 14 * 4)?;
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at * 4..at * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if number(&header, 0)? != MAGIC {
        return None;
    }
    let (table, size) = (number(&header, 2)?, number(&header, 4)?.min(MOST));
    let table = read(content, u64::from(table), u64::from(size) * 12)?;
    let mut names: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for row in table.chunks_exact(12) {
        let (name, record) = (number(row, 1)?, number(row, 2)?);
        if record == 0 {
            continue;
        }
        content.seek(SeekFrom::Start(u64::from(name))).ok()?;
        let mut text = Vec::new();
        Read::by_ref(&mut &mut *content).take(LONGEST).read_to_end(&mut text).ok()?;
        let end = text.iter().position(|&byte| byte == 0)?;
        let name = String::from_utf8(text.get(..end)?.to_vec()).ok()?;
        names.entry(record).or_default().push(name);
    }
    // `de_DE` before `de_DE.iso88591`, both before `german`.
    let rank = |name: &String| (!name.contains('_'), name.contains('.'), name.clone());
    Some(names.into_values().filter_map(|names| names.into_iter().min_by_key(rank)).collect())
}

fn read(content: &mut (dyn Content + '_), at: u64, length: u64) -> Option<Vec<u8>> {
    content.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut &mut *content).take(length).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == length).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::memory::MemoryTree;

    /// An archive of these names, with the record that each stands for.
    fn archive(names: &[(&str, u32)]) -> Vec<u8> {
        let table = 56;
        let texts = table + 12 * names.len() as u32;
        let mut header = [0_u32; 14];
        (header[0], header[2], header[4]) = (MAGIC, table, names.len() as u32);
        let (mut rows, mut strings) = (Vec::new(), Vec::new());
        for (name, record) in names {
            rows.extend([7, texts + strings.len() as u32, *record]);
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
        }
        let numbers = header.into_iter().chain(rows).flat_map(u32::to_le_bytes);
        numbers.chain(strings).collect()
    }

    #[test]
    fn locales_are_known_by_the_names_that_commands_take() {
        let names = [("german", 1), ("de_DE.iso88591", 1), ("de_DE", 1), ("en_US.utf8", 2)];
        let bytes = archive(&names);
        let tree = |bytes: &[u8]| {
            MemoryTree::default()
                .file("/usr/lib/locale/C.UTF-8/LC_CTYPE", "")
                .file("/usr/lib/locale/fr_FR.utf8/LC_CTYPE", "")
                .dir("/usr/lib/locale/empty")
                .file("/usr/lib/locale/locale-archive", bytes)
        };
        assert_eq!(locales(&tree(&bytes)).unwrap(), ["de_DE", "en_US.utf8", "fr_FR.utf8"]);
        for end in 0..bytes.len() {
            locales(&tree(&bytes[..end])).unwrap();
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] = 0xff;
            locales(&tree(&bent)).unwrap();
        }
        assert_eq!(locales(&MemoryTree::default()).unwrap(), [""; 0]);
    }
}
