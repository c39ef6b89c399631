//! Tars as trees.

use super::*;
use crate::pax::spool::{Contents, Spooler};
use crate::tree::{Content, Entry, LinkGroup, PathError, RootPath, Tree, TreeError};

pub(super) fn spool(mut bytes: &[u8]) -> TarTree {
    let spool = tempfile::tempfile().unwrap();
    TarTree::spool(&mut bytes, spool, &mut |_| Keep::Content).unwrap()
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn paths(tree: &TarTree) -> Vec<String> {
    tree.walk().map(|entry| entry.unwrap().path.to_string()).collect()
}

fn entry(tree: &TarTree, at: &str) -> Entry {
    tree.entry(&path(at)).unwrap().unwrap()
}

pub(super) fn content(tree: &TarTree, entry: &Entry) -> Vec<u8> {
    let mut content = Vec::new();
    tree.open(entry).unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn a_tree_is_walked_in_order_with_the_parents_a_tar_left_out() {
    let mut dir = node("etc", Kind::Dir);
    dir.member.meta.mode = 0o700;
    let tree = spool(&write(&[file("a-b", ""), file("etc/x/y/z", "1"), dir, file("a/b", "2")]));
    assert_eq!(
        paths(&tree),
        ["/", "/a", "/a/b", "/a-b", "/etc", "/etc/x", "/etc/x/y", "/etc/x/y/z"]
    );
    let made = Meta { mode: 0o755, mtime: Time { secs: 0, nanos: 0 }, ..meta() };
    assert_eq!(entry(&tree, "/etc/x"), Entry::new(path("/etc/x"), Kind::Dir, made));
    assert_eq!(entry(&tree, "/etc").meta.mode, 0o700);
    assert_eq!(tree.problems(), []);
}

#[test]
fn even_an_empty_tar_has_a_root() {
    let tree = spool(&write(&[]));
    assert_eq!(paths(&tree), ["/"]);
    assert_eq!(tree.children(&RootPath::root()).unwrap(), []);
}

#[test]
fn children_are_what_is_directly_below() {
    let names = ["a/b/c/d", "a/b-c", "a/b.d", "a/b\u{1}", "a/bb", "ab", "a/z/y"];
    let tree = spool(&write(&names.map(|name| file(name, ""))));
    let children = |at: &str| -> Vec<String> {
        tree.children(&path(at)).unwrap().iter().map(|entry| entry.path.to_string()).collect()
    };
    assert_eq!(children("/"), ["/a", "/ab"]);
    assert_eq!(children("/a"), ["/a/b", "/a/b\\u{1}", "/a/b-c", "/a/b.d", "/a/bb", "/a/z"]);
    assert_eq!(children("/a/b"), ["/a/b/c"]);
    assert_eq!(children("/a/b-c"), Vec::<String>::new());
    assert_eq!(children("/none"), Vec::<String>::new());
}

#[test]
fn the_last_of_equal_names_holds() {
    let tree = spool(&write(&[file("a", "first"), file("b", ""), file("a", "second")]));
    assert_eq!(content(&tree, &entry(&tree, "/a")), b"second");
    assert_eq!(paths(&tree), ["/", "/a", "/b"]);
}

#[test]
fn hard_links_share_a_group_wherever_their_target_stands() {
    let tree = spool(&write(&[
        hardlink("early", "dir/later"),
        hardlink("chained", "early"),
        file("file", "1"),
        hardlink("second", "file"),
        file("dir/later", "22"),
        symlink("sym", "x"),
        hardlink("symtoo", "sym"),
    ]));
    let groups: Vec<(String, Option<LinkGroup>)> =
        tree.walk().map(Result::unwrap).map(|e| (e.path.to_string(), e.links)).collect();
    let group = |at: &str| groups.iter().find(|(path, _)| path == at).unwrap().1;
    assert!(group("/early").is_some());
    assert_eq!(group("/early"), group("/dir/later"));
    assert_eq!(group("/early"), group("/chained"));
    assert!(group("/file").is_some());
    assert_eq!(group("/file"), group("/second"));
    assert_ne!(group("/file"), group("/early"));
    assert_eq!(group("/sym"), group("/symtoo"));
    assert_eq!(group("/dir"), None);
    assert_eq!(content(&tree, &entry(&tree, "/chained")), b"22");
    assert_eq!(entry(&tree, "/symtoo").kind, Kind::Symlink { target: b"x".to_vec() });
    assert_eq!(tree.problems(), []);
}

#[test]
fn a_link_keeps_the_file_that_its_target_was() {
    let tree = spool(&write(&[file("a", "old"), hardlink("b", "a"), file("a", "new")]));
    assert_eq!(content(&tree, &entry(&tree, "/b")), b"old");
    assert_eq!(content(&tree, &entry(&tree, "/a")), b"new");
    assert_eq!((entry(&tree, "/a").links, entry(&tree, "/b").links), (None, None));
    let tree = spool(&write(&[hardlink("b", "a"), file("b", "own"), file("a", "1")]));
    assert_eq!(content(&tree, &entry(&tree, "/b")), b"own");
    let tree = spool(&write(&[file("a", "1"), hardlink("a", "a")]));
    assert_eq!((entry(&tree, "/a").links, tree.problems()), (None, &[][..]));
}

#[test]
fn links_to_nothing_in_circles_and_to_directories_are_problems() {
    let tree = spool(&write(&[
        hardlink("lost", "none"),
        hardlink("one", "two"),
        hardlink("two", "one"),
        hardlink("self", "self"),
        node("dir", Kind::Dir),
        hardlink("todir", "dir"),
    ]));
    assert_eq!(paths(&tree), ["/", "/dir"]);
    let text: Vec<String> = tree.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "the hard link `self` is left out: there is no `self`",
            "the hard link `todir` is left out: `dir` is a directory",
            "the hard link `lost` is left out: there is no `none`",
            "the hard link `one` is left out: there is no `one`",
            "the hard link `two` is left out: there is no `one`",
        ]
    );
}

#[test]
fn names_that_lead_out_are_problems_and_never_resolved() {
    let named = |name: &[u8]| raw(b'0', name, 0, b"", |_| ());
    let tree = spool(&archive(&[
        named(b"../evil"),
        named(b"a/../b"),
        pax(&[(b"path", b"c\0d")]),
        named(b"c"),
        named(b"//abs/./d"),
        named(b"."),
        raw(b'2', b"empty", 0, b"", |_| ()),
        raw(b'1', b"up", 0, b"", |h| h.as_old_mut().linkname[..4].copy_from_slice(b"../x")),
        pax(&[(b"SCHILY.acl.access", b"user::rw-")]),
        named(b"acl"),
    ]));
    assert_eq!(paths(&tree), ["/", "/abs", "/abs/d", "/acl"]);
    let name = |name: &[u8]| name.to_vec();
    assert_eq!(
        tree.problems(),
        [
            Problem::Name { name: name(b"../evil"), source: PathError::DotDot },
            Problem::Name { name: name(b"a/../b"), source: PathError::DotDot },
            Problem::Name { name: name(b"c\0d"), source: PathError::Nul },
            Problem::Root { name: name(b".") },
            Problem::Symlink { name: name(b"empty") },
            Problem::Dangling { name: name(b"up"), target: name(b"../x") },
            Problem::Ignored { name: name(b"acl"), key: name(b"SCHILY.acl.access") },
        ]
    );
}

#[test]
fn nothing_lies_below_what_is_no_directory() {
    let tree = spool(&write(&[
        symlink("run", "/var/run"),
        file("run/a/b", "1"),
        hardlink("run/c", "kept"),
        file("kept", "1"),
        file("run-x", ""),
    ]));
    assert_eq!(paths(&tree), ["/", "/kept", "/run", "/run-x"]);
    assert_eq!(entry(&tree, "/kept").links, None);
    let below = |at: &str| Problem::Below { path: path(at), above: path("/run") };
    assert_eq!(tree.problems(), [below("/run/a/b"), below("/run/c")]);
}

#[test]
fn data_after_the_end_is_a_problem() {
    let mut bytes = write(&[file("a", "1")]);
    bytes.extend_from_slice(b"more");
    assert_eq!(spool(&bytes).problems(), [Problem::Trailing { bytes: 4 }]);
}

#[test]
fn what_is_only_listed_cannot_be_opened() {
    let bytes = write(&[file("big", vec![b'x'; 5000]), file("small", "1")]);
    let spool = tempfile::tempfile().unwrap();
    let mut asked = vec![];
    let tree = TarTree::spool(&mut &bytes[..], spool.try_clone().unwrap(), &mut |member| {
        asked.push(member.name.clone());
        if member.size() > 100 { Keep::Listing } else { Keep::Content }
    })
    .unwrap();
    assert_eq!(asked, [&b"big"[..], b"small"]);
    assert_eq!(spool.metadata().unwrap().len(), 1);
    let big = entry(&tree, "/big");
    assert_eq!(big.kind, Kind::File { size: 5000 });
    assert!(matches!(tree.open(&big), Err(TreeError::Io { act: "opening", .. })));
    assert_eq!(content(&tree, &entry(&tree, "/small")), b"1");
}

#[test]
fn an_entry_of_another_tree_is_not_opened() {
    let tree = spool(&write(&[file("a", "12"), node("dir", Kind::Dir)]));
    let mut other = entry(&tree, "/a");
    other.kind = Kind::File { size: 3 };
    assert!(matches!(tree.open(&other), Err(TreeError::Changed { .. })));
    assert!(matches!(tree.extents(&other), Err(TreeError::Changed { .. })));
    assert!(matches!(tree.open(&entry(&tree, "/dir")), Err(TreeError::Changed { .. })));
}

#[test]
fn sparse_files_keep_their_holes_and_can_be_read_side_by_side() {
    let holey = holey("hole", 1 << 20, &[(4096, 512), (1 << 19, 1024)]);
    let plain = file("plain", "plain content");
    let spool_file = tempfile::tempfile().unwrap();
    let bytes = write(&[holey.clone(), plain.clone()]);
    let tree =
        TarTree::spool(&mut &bytes[..], spool_file.try_clone().unwrap(), &mut |_| Keep::Content)
            .unwrap();
    assert_eq!(spool_file.metadata().unwrap().len(), 1536 + 13);
    let (hole, other) = (entry(&tree, "/hole"), entry(&tree, "/plain"));
    assert_eq!(tree.extents(&hole).unwrap(), holey.extents);
    assert_eq!(tree.extents(&other).unwrap(), plain.extents);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(content(&tree, &hole), holey.content);
                assert_eq!(content(&tree, &other), plain.content);
            });
        }
    });
    // What a tree gives can be written again.
    let mut writer = Writer::new(vec![]);
    let mut opened: Box<dyn Content> = tree.open(&hole).unwrap();
    writer.append(&holey.member, Some(&mut *opened), &tree.extents(&hole).unwrap()).unwrap();
    assert_eq!(writer.finish().unwrap(), write(&[holey]));
}

#[test]
fn a_damaged_tar_is_no_tree() {
    let bytes = write(&[file("a", "1")]);
    let short = &mut &bytes[..1024];
    let spool = TarTree::spool(short, tempfile::tempfile().unwrap(), &mut |_| Keep::Content);
    assert!(matches!(spool, Err(ReadError::Truncated { position: 1024 })));
}

#[test]
fn a_spool_that_cannot_be_written_is_told_from_a_bad_tar() {
    let unwritable = std::fs::File::open("/dev/null").unwrap();
    let bytes = write(&[file("a", "1")]);
    let spool = TarTree::spool(&mut &bytes[..], unwritable, &mut |_| Keep::Content);
    assert!(matches!(spool, Err(ReadError::Spool(_))));
}

#[test]
fn an_entry_takes_no_more_than_250_bytes_besides_its_name() {
    // The index's map is at least half full; the nodes have a quarter to spare while they grow.
    let name = size_of::<(RootPath, usize)>() * 2;
    let node = size_of::<crate::pax::tarball::Node>() * 5 / 4;
    assert!(name + node <= 250, "{name} + {node}");
}

#[test]
fn a_tar_can_be_a_tree_without_being_copied() {
    let sparse = holey("sparse", 9000, &[(512, 512), (4096, 700)]);
    let tar = write(&[file("a", "first"), hardlink("b", "a"), sparse, file("z", "last")]);
    let copied = spool(&tar);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &[&b"before"[..], &tar].concat()).unwrap();
    let in_place = TarTree::in_place(&mut &tar[..], file.try_clone().unwrap(), 6).unwrap();
    assert_eq!(paths(&in_place), paths(&copied));
    for at in paths(&copied) {
        let (ours, theirs) = (entry(&in_place, &at), entry(&copied, &at));
        assert_eq!(ours, theirs);
        if ours.kind.is_file() {
            assert_eq!(content(&in_place, &ours), content(&copied, &ours), "{at}");
            assert_eq!(in_place.extents(&ours).unwrap(), copied.extents(&ours).unwrap());
        }
    }
    let (place, start) = in_place.place(&entry(&in_place, "/z")).unwrap().unwrap();
    let mut text = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&place, &mut text, start).unwrap();
    assert_eq!(&text, b"last");
    assert!(in_place.place(&entry(&in_place, "/sparse")).unwrap().is_none());
    // The reader goes over all of it, so that what is missing is found.
    let cut = TarTree::in_place(&mut &tar[..tar.len() - 1025 - 511], file, 6);
    assert!(matches!(cut.err(), Some(ReadError::Truncated { .. })));
}

#[test]
fn a_tar_of_too_many_entries_is_refused_before_it_fills_the_memory() {
    let tar = write(&["a", "a", "b"].map(|name| file(name, "")));
    let limited = |most| {
        let spooler = Spooler::new(tempfile::tempfile().unwrap(), Contents::Copied(0), most);
        TarTree::read(&mut &tar[..], spooler, &mut |_| Keep::Content)
    };
    assert!(limited(3).is_ok());
    assert!(matches!(limited(2).err(), Some(ReadError::Entries)));
}
