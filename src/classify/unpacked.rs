//! [`Unpacked`]: directories that a server made of an archive beside them.
//!
//! An application server unpacks `app.war` to `app`, and goes on with what lies there as long as
//! the archive is not newer. A directory in which somebody changed, added or removed anything is
//! therefore kept as a whole: without the rest the server would run half of it, or throw it away.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;

use crate::image::equal_streams;
use crate::layout::{Mode, Unpacking};
use crate::tree::{Content, Entry, Kind, RootPath, Tree, TreeError};

/// Larger archives than real ones are not looked into.
const MAX_MEMBERS: usize = 200_000;

/// The directories that were looked at, each with the answer.
#[derive(Default)]
pub(crate) struct Unpacked(Mutex<HashMap<RootPath, bool>>);

impl Unpacked {
    /// Whether `path` is, or lies in, a directory that holds just what an archive beside it holds,
    /// as the server makes it that unpacks it so. What cannot be read tells nothing.
    pub(super) fn holds(&self, tree: &dyn Tree, path: &RootPath, unpacking: &Unpacking) -> bool {
        let mut dir = Some(path.clone());
        while let Some(at) = dir.filter(|at| !at.is_root()) {
            if self.is_unpacked(tree, &at, unpacking) {
                return true;
            }
            dir = at.parent();
        }
        false
    }

    fn is_unpacked(&self, tree: &dyn Tree, dir: &RootPath, unpacking: &Unpacking) -> bool {
        let Some(parent) = dir.parent() else { return false };
        let archive = parent.child(&[dir.name(), unpacking.ending.as_bytes()].concat());
        let known = |map: &HashMap<RootPath, bool>| map.get(&archive).copied();
        if let Some(known) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        let found = is_the_same(tree, dir, &archive, unpacking).unwrap_or(false);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(archive, found);
        found
    }
}

/// The members of an archive, by name.
struct Archive<'a> {
    unpacking: &'a Unpacking,
    zip: ZipArchive<Box<dyn Content + 'a>>,
    files: BTreeMap<Vec<u8>, usize>,
}

/// Whether `dir` holds what `archive` holds, all of it and nothing else, with one owner and the
/// modes that one program gives.
fn is_the_same(
    tree: &dyn Tree,
    dir: &RootPath,
    archive: &RootPath,
    unpacking: &Unpacking,
) -> Result<bool, TreeError> {
    // Nearly every path asks about an archive that is not there.
    let Some(archive) = tree.entry(archive)? else { return Ok(false) };
    let Some(top) = tree.entry(dir)? else { return Ok(false) };
    let plain = unpacking.directories.contains(&mode(&top));
    if !top.kind.is_dir() || !plain || !archive.kind.is_file() {
        return Ok(false);
    }
    let Ok(zip) = ZipArchive::new(tree.open(&archive)?) else { return Ok(false) };
    let mut archive = Archive { unpacking, zip, files: BTreeMap::new() };
    for number in 0..archive.zip.len().min(MAX_MEMBERS + 1) {
        let Ok(member) = archive.zip.by_index_raw(number) else { return Ok(false) };
        let name = member.name_raw().to_vec();
        if !member.is_dir() && archive.files.insert(name, number).is_some() {
            return Ok(false);
        }
    }
    if archive.files.len() > MAX_MEMBERS {
        return Ok(false);
    }
    let mut left = archive.files.len();
    let mut todo = tree.children(dir)?;
    while let Some(entry) = todo.pop() {
        let Some(name) = entry.path.strip_prefix(dir) else { return Ok(false) };
        let name = name.relative();
        let one_owner = (entry.meta.uid, entry.meta.gid) == (top.meta.uid, top.meta.gid);
        if !one_owner || !entry.meta.xattrs.is_empty() {
            return Ok(false);
        }
        let same = match &entry.kind {
            Kind::Dir => {
                todo.extend(tree.children(&entry.path)?);
                entry.meta.mode == top.meta.mode && archive.has_directory(name)
            }
            Kind::File { .. } if !unpacking.files.contains(&mode(&entry)) => false,
            Kind::File { size: 0 } if archive.is_tracker(name) => true,
            Kind::File { .. } => {
                left = left.saturating_sub(1);
                archive.has_file(name, tree, &entry)?
            }
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(left == 0)
}

fn mode(entry: &Entry) -> Mode {
    Mode(entry.meta.mode & 0o7777)
}

impl Archive<'_> {
    fn is_tracker(&self, name: &[u8]) -> bool {
        self.unpacking.tracker.as_deref().is_some_and(|tracker| tracker.as_bytes() == name)
    }

    fn has_directory(&self, name: &[u8]) -> bool {
        let inside = [name, b"/"].concat();
        let next = self.files.range(inside.clone()..).next();
        let of_tracker =
            self.unpacking.tracker.as_ref().is_some_and(|t| t.as_bytes().starts_with(&inside));
        of_tracker || next.is_some_and(|(name, _)| name.starts_with(&inside))
    }

    fn has_file(&mut self, name: &[u8], tree: &dyn Tree, entry: &Entry) -> Result<bool, TreeError> {
        let Some(&number) = self.files.get(name) else { return Ok(false) };
        let Ok(mut member) = self.zip.by_index(number) else { return Ok(false) };
        if member.size() != entry.kind.size() {
            return Ok(false);
        }
        // A damaged member is none.
        Ok(equal_streams(&mut *tree.open(entry)?, &mut member).unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::tree::memory::MemoryTree;

    const PAGE: &str = "<html>long enough to be deflated, deflated, deflated</html>";

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        zip.add_directory("WEB-INF/", SimpleFileOptions::default()).unwrap();
        for (name, text) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn server() -> MemoryTree {
        let members = [("index.jsp", PAGE), ("WEB-INF/web.xml", "<web/>"), ("WEB-INF/none", "")];
        MemoryTree::default()
            .file("/srv/app.war", archive(&members))
            .file("/srv/app/index.jsp", PAGE)
            .file("/srv/app/WEB-INF/web.xml", "<web/>")
            .file("/srv/app/WEB-INF/none", "")
    }

    fn holds(tree: &MemoryTree, at: &str) -> bool {
        let path = RootPath::parse(at.as_bytes()).unwrap();
        let keys = r#"{"ending": ".war", "tracker": "META-INF/war-tracker"}"#;
        let unpacking: Unpacking = serde_json::from_str(keys).unwrap();
        Unpacked::default().holds(tree, &path, &unpacking)
    }

    #[test]
    fn what_a_server_unpacked_is_all_of_the_archive_and_its_tracker() {
        let tree = server();
        for at in ["/srv/app", "/srv/app/index.jsp", "/srv/app/WEB-INF"] {
            assert!(holds(&tree, at), "{at}");
        }
        for at in ["/srv", "/srv/app.war", "/srv/other/index.jsp"] {
            assert!(!holds(&tree, at), "{at}");
        }
        assert!(holds(&tree.file("/srv/app/META-INF/war-tracker", ""), "/srv/app/META-INF"));
    }

    #[test]
    fn a_directory_in_which_anything_is_another_is_no_unpacked_one() {
        let same_size = PAGE.replace("long", "LONG");
        let mode = |tree: MemoryTree| tree.meta("/srv/app/index.jsp", |meta| meta.mode = 0o600);
        for (what, tree) in [
            ("edited", server().file("/srv/app/index.jsp", &same_size)),
            ("grown", server().file("/srv/app/index.jsp", format!("{PAGE}x"))),
            ("uploaded", server().file("/srv/app/uploads/cat", "cat")),
            ("made", server().dir("/srv/app/uploads")),
            ("linked", server().link("/srv/app/shared", "/srv/shared")),
            ("written", server().file("/srv/app/META-INF/war-tracker", "text")),
            ("another mode", mode(server())),
            ("no archive", server().file("/srv/app.war", "PK")),
            (
                "a member more",
                server().file(
                    "/srv/app.war",
                    archive(&[
                        ("index.jsp", PAGE),
                        ("WEB-INF/web.xml", "<web/>"),
                        ("WEB-INF/none", ""),
                        ("removed.jsp", "x"),
                    ]),
                ),
            ),
        ] {
            assert!(!holds(&tree, "/srv/app/WEB-INF/web.xml"), "{what}");
        }
    }
}
