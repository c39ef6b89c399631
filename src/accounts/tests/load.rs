//! Loading from a root in which somebody put other things in the place of account files.

use super::*;

/// A root of a few entries.
struct Few(BTreeMap<RootPath, (Kind, Vec<u8>)>);

fn few(entries: &[(&str, Kind, &[u8])]) -> Few {
    let path = |text: &str| RootPath::parse(text.as_bytes()).unwrap();
    let mut all =
        BTreeMap::from([(path("/"), (Kind::Dir, vec![])), (path("/etc"), (Kind::Dir, vec![]))]);
    for (at, kind, content) in entries {
        all.insert(path(at), (kind.clone(), content.to_vec()));
    }
    Few(all)
}

fn file(content: &[u8]) -> Kind {
    Kind::File { size: content.len() as u64 }
}

fn link(target: &str) -> Kind {
    Kind::Symlink { target: target.as_bytes().to_vec() }
}

impl Tree for Few {
    fn walk(&self) -> Box<dyn Iterator<Item = Result<Entry, TreeError>> + Send + '_> {
        Box::new(std::iter::empty())
    }

    fn entry(&self, path: &RootPath) -> Result<Option<Entry>, TreeError> {
        let meta = Meta::root(0o644);
        Ok(self.0.get(path).map(|(kind, _)| Entry::new(path.clone(), kind.clone(), meta)))
    }

    fn children(&self, _path: &RootPath) -> Result<Vec<Entry>, TreeError> {
        Ok(vec![])
    }

    fn open<'a>(&'a self, entry: &Entry) -> Result<Box<dyn Content + 'a>, TreeError> {
        assert!(entry.kind.is_file(), "only files are opened");
        Ok(Box::new(std::io::Cursor::new(&self.0[&entry.path].1)))
    }
}

#[test]
fn accounts_are_read_through_links_inside_the_root_and_absent_files_are_empty() {
    let passwd = b"root:x:0:0:root:/root:/bin/sh\n";
    let tree = few(&[("/etc/passwd", link("/real"), b""), ("/real", file(passwd), passwd)]);
    let loaded = AccountDb::load(&tree).unwrap();
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.accounts.files(), [(Passwd.path(), passwd.to_vec())].into());
}

#[test]
fn what_is_no_file_is_not_opened_but_named() {
    let tree = few(&[
        ("/etc/passwd", Kind::Fifo, b""),
        ("/etc/group", link("/etc/group"), b""),
        ("/etc/shadow", link("/gone"), b""),
        ("/etc/subuid", Kind::File { size: super::super::MAX_FILE + 1 }, b""),
        ("/etc/subgid", Kind::Char { major: 1, minor: 5 }, b""),
    ]);
    let loaded = AccountDb::load(&tree).unwrap();
    assert_eq!(loaded.accounts, AccountDb::default());
    let shown: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`/etc/passwd` is a FIFO, not a file",
            "`/etc/group` is a symlink that leads nowhere in this root",
            "`/etc/shadow` is a symlink that leads nowhere in this root",
            "`/etc/subuid` is larger than 16777216 bytes",
            "`/etc/subgid` is a character device, not a file",
        ]
    );
}

#[test]
fn a_million_groups_are_a_problem_and_no_burden() {
    let group = b"a:b:1:\n".repeat(1_000_000);
    let tree = few(&[("/etc/group", file(&group), &group)]);
    let loaded = AccountDb::load(&tree).unwrap();
    assert_eq!(loaded.accounts, AccountDb::default());
    assert_eq!(loaded.problems, [Problem::TooManyPieces { path: Group.path() }]);
}

#[test]
fn sixty_thousand_accounts_that_all_collide_are_merged_in_linear_time() {
    let list = |letter: char, first: u32| -> AccountDb {
        let lines: String = (0..60_000u32)
            .map(|i| format!("{letter}{i}:x:{}:{}::/:\n", first + i, first + i))
            .collect();
        db(&[(Passwd, &lines)])
    };
    let started = std::time::Instant::now();
    let out = plain(&list('a', 1000), &list('b', 1000));
    assert_eq!(out.accounts.passwd.records().count(), 120_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
