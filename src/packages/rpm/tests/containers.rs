//! The three kinds of databases, damaged or made to do harm.

use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::*;

const NDB: &str = "/var/lib/rpm/Packages.db";
const BDB: &str = "/var/lib/rpm/Packages";
const SQLITE: &str = "/var/lib/rpm/rpmdb.sqlite";

fn one(file: &str, bytes: &[u8]) -> Rpm {
    load(&MemoryTree::default().file(file, bytes))
}

/// The packages that are read, and why the database cannot be, or not to its end.
fn read(file: &str, bytes: &[u8]) -> (Vec<String>, Option<String>) {
    let rpm = one(file, bytes);
    let why = rpm.problems.iter().find_map(|problem| match problem {
        Problem::Unreadable { why, .. } if rpm.packages.is_empty() => Some(why.clone()),
        Problem::Partly { why, .. } if !rpm.packages.is_empty() => Some(why.clone()),
        _ => None,
    });
    (rpm.packages.into_iter().map(|package| package.name).collect(), why)
}

fn unreadable(why: &str) -> (Vec<String>, Option<String>) {
    (vec![], Some(why.to_owned()))
}

fn partly(names: &[&str], why: &str) -> (Vec<String>, Option<String>) {
    (names.iter().map(|name| (*name).to_owned()).collect(), Some(why.to_owned()))
}

fn faults(rpm: &Rpm) -> Vec<String> {
    let faults = rpm.problems.iter().map(|problem| match problem {
        Problem::Record { fault, .. } => fault.clone(),
        other => panic!("{other:?}"),
    });
    faults.collect()
}

/// `bytes` with the bytes `part` at `at`.
fn put(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + part.len()].copy_from_slice(part);
    bytes
}

fn le(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

#[test]
fn an_unusable_ndb_database_owns_nothing_and_is_named() {
    let sound = ndb(&[bare("a").bytes()]);
    assert_eq!(read(NDB, &sound).1, None);
    assert_eq!(read(NDB, b""), unreadable("it is no ndb database"));
    assert_eq!(read(NDB, &put(&sound, 4, &le(1))), unreadable("it is no ndb database"));
    assert_eq!(read(NDB, &sound[..14]), unreadable("it is cut short"));
    assert_eq!(read(NDB, &sound[..4095]), unreadable("it is cut short"));
    assert_eq!(read(NDB, &put(&sound, 12, &le(u32::MAX))), unreadable("it is cut short"));
    assert_eq!(read(NDB, &put(&sound, 12, &le(0))), unreadable("it is cut short"));
    let broken = "its table of records is broken";
    assert_eq!(read(NDB, &put(&sound, 32, &[0])), unreadable(broken));
    assert_eq!(read(NDB, &put(&sound, 48, &[0])), partly(&["a"], broken));
    let file = path(NDB);
    let why = "it is no ndb database".to_owned();
    assert_eq!(one(NDB, b"x").problems, [Problem::Unreadable { file, why }]);
    assert_eq!(one(NDB, b"x").owned_paths().count(), 0);
}

#[test]
fn a_damaged_record_of_an_ndb_database_costs_that_record() {
    let sound = ndb(&[bare("a").bytes(), bare("b").bytes()]);
    let first = |at: usize, part: &[u8]| {
        let rpm = one(NDB, &put(&sound, at, part));
        assert_eq!(names(&rpm), ["b"]);
        faults(&rpm)
    };
    assert_eq!(first(4096, b"X"), [RecordFault::Place.to_string()]);
    assert_eq!(first(4096 + 4, &le(9)), [RecordFault::Place.to_string()]);
    assert_eq!(first(4096 + 20, b"X"), [RecordFault::Checksum.to_string()]);
    assert_eq!(first(4096 + 12, &le(u32::MAX)), [RecordFault::Checksum.to_string()]);
    // Slots that lead into the slots, beyond the end, to no length, or to more than there is.
    assert_eq!(first(32 + 8, &le(0)), [RecordFault::Place.to_string()]);
    assert_eq!(first(32 + 8, &le(u32::MAX)), [RecordFault::Place.to_string()]);
    assert_eq!(first(32 + 12, &le(0)), [RecordFault::Place.to_string()]);
    assert_eq!(first(32 + 12, &le(u32::MAX)), [RecordFault::Place.to_string()]);
    let rpm = one(NDB, &put(&sound, 48, &sound[32..48]));
    assert_eq!(
        (names(&rpm), faults(&rpm)),
        (vec!["a"], vec![RecordFault::NumberTwice.to_string()])
    );
}

#[test]
fn records_of_an_ndb_database_that_share_their_place_end_the_reading() {
    let big = bare("a").text(1004, &"x".repeat(100_000)).bytes();
    let mut bytes = ndb(&[big]);
    for slot in 1..200 {
        let copy = bytes[32..48].to_vec();
        bytes = put(&bytes, 32 + 16 * slot, &copy);
    }
    assert_eq!(read(NDB, &bytes), partly(&["a"], "its table of records is broken"));
}

const PAGE: usize = 512;

/// A page of a Berkeley DB, little-endian.
fn page(number: u32, next: u32, items: u16, free: u16, kind: u8) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[8..12].copy_from_slice(&le(number));
    page[16..20].copy_from_slice(&le(next));
    page[20..22].copy_from_slice(&items.to_le_bytes());
    page[22..24].copy_from_slice(&free.to_le_bytes());
    page[25] = kind;
    page
}

/// A Berkeley DB of one bucket with one record, which lies on pages of its own.
fn bdb(record: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = record.chunks(PAGE - 26).collect();
    let last = 1 + parts.len() as u32;
    let mut meta = page(0, 0, 0, 0, 8);
    let fields = [(12, 0x0006_1561), (16, 9), (20, PAGE as u32), (32, last), (96, 1)];
    for (at, value) in fields {
        meta[at..at + 4].copy_from_slice(&le(value));
    }
    let mut bucket = page(1, 0, 2, 495, 13);
    bucket[26..30].copy_from_slice(&[0xfb, 0x01, 0xef, 0x01]); // 507, 495
    bucket[507..].copy_from_slice(&[1, 7, 0, 0, 0]);
    let item = [vec![3, 0, 0, 0], le(2).to_vec(), le(record.len() as u32).to_vec()].concat();
    bucket[495..507].copy_from_slice(&item);
    let mut all = [meta, bucket].concat();
    for (at, part) in parts.iter().enumerate() {
        let number = at as u32 + 2;
        let next = if number == last { 0 } else { number + 1 };
        let mut overflow = page(number, next, 1, part.len() as u16, 7);
        overflow[26..26 + part.len()].copy_from_slice(part);
        all.extend(overflow);
    }
    all
}

#[test]
fn an_unusable_berkeley_db_owns_nothing_and_is_named() {
    let sound = bdb(&bare("a").text(1004, &"x".repeat(1000)).bytes());
    assert_eq!(read(BDB, &sound), (vec!["a".to_owned()], None));
    let none = "it is no Berkeley DB hash database";
    assert_eq!(read(BDB, b""), unreadable(none));
    assert_eq!(read(BDB, &vec![0; 4096]), unreadable(none));
    assert_eq!(read(BDB, &put(&sound, 25, &[9])), unreadable(none));
    let version = "it is of another version, which rpm's databases are not";
    assert_eq!(read(BDB, &put(&sound, 16, &le(99))), unreadable(version));
    let encrypted = "it is encrypted, which rpm's databases are not";
    assert_eq!(read(BDB, &put(&sound, 24, &[1])), unreadable(encrypted));
    assert_eq!(read(BDB, &put(&sound, 26, &[1])), unreadable(encrypted));
    for size in [0, 511, 513, 1 << 31, u32::MAX] {
        assert_eq!(read(BDB, &put(&sound, 20, &le(size))), unreadable("its first page is broken"));
    }
    let buckets = "its table of buckets is broken";
    assert_eq!(read(BDB, &put(&sound, 72, &le(u32::MAX))), unreadable(buckets));
    assert_eq!(read(BDB, &put(&sound, 96, &le(9999))), unreadable("a chain of pages is broken"));
    assert_eq!(read(BDB, &put(&sound, 96, &le(0))), unreadable("a page of records is broken"));
    // Half written: a page that is all NUL, a page that is another one, a file that ends early.
    let zeroed = put(&sound, PAGE, &[0; PAGE]);
    assert_eq!(read(BDB, &zeroed), unreadable("a chain of pages is broken"));
    assert_eq!(read(BDB, &put(&sound, 32, &le(99))), partly(&["a"], "it is cut short"));
    // A bucket that leads to itself.
    let endless = put(&sound, PAGE + 16, &le(1));
    assert_eq!(read(BDB, &endless), partly(&["a"], "a chain of pages is broken"));
}

#[test]
fn a_damaged_record_of_a_berkeley_db_costs_that_record() {
    let sound = bdb(&bare("a").text(1004, &"x".repeat(1000)).bytes());
    let item = PAGE + 495;
    for (at, part, expected) in [
        (item, [2].to_vec(), RecordFault::Place),
        (item, [1].to_vec(), RecordFault::Length),
        (item + 4, le(0).to_vec(), RecordFault::Length),
        (item + 4, le(1).to_vec(), RecordFault::Place),
        (item + 4, le(u32::MAX).to_vec(), RecordFault::Place),
        (item + 8, le(u32::MAX).to_vec(), RecordFault::Length),
        (item + 8, le(5).to_vec(), RecordFault::Length),
        (2 * PAGE + 16, le(2).to_vec(), RecordFault::Place),
        (2 * PAGE + 22, vec![0xff, 0xff], RecordFault::Place),
        (2 * PAGE + 25, vec![13], RecordFault::Place),
    ] {
        let rpm = one(BDB, &put(&sound, at, &part));
        assert_eq!(
            (names(&rpm), faults(&rpm)),
            (vec![], vec![expected.to_string()]),
            "{at} {part:?}"
        );
    }
    let broken = "a page of records is broken";
    for (at, part) in [(26, [0xff, 0xff]), (28, [0xfb, 0x01]), (28, [1, 0]), (20, [0xff, 0xff])] {
        assert_eq!(read(BDB, &put(&sound, PAGE + at, &part)), unreadable(broken), "{at}");
    }
}

const TABLE: &str = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)";

fn insert(number: u32, name: &str) -> String {
    let blob = hex::encode(bare(name).bytes());
    format!("INSERT INTO Packages VALUES ({number}, x'{blob}')")
}

/// The database that `statements` make, and its write-ahead log.
fn sqlite(statements: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        for statement in statements {
            let statement = AssertSqlSafe((*statement).to_owned());
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        let log = std::fs::read(dir.path().join("db-wal")).unwrap_or_default();
        (std::fs::read(&file).unwrap(), log)
    })
}

#[test]
fn a_sqlite_database_is_read() {
    let (bytes, _) = sqlite(&[TABLE, &insert(1, "a"), &insert(2, "b")]);
    assert_eq!(read(SQLITE, &bytes), (vec!["a".to_owned(), "b".to_owned()], None));
}

#[test]
fn what_is_only_in_the_write_ahead_log_is_read_and_the_tree_is_not_written_to() {
    let statements = ["PRAGMA journal_mode = WAL", TABLE, &insert(1, "a")];
    let (bytes, log) = sqlite(&statements);
    assert!(!log.is_empty());
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("var/lib/rpm");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("rpmdb.sqlite"), &bytes).unwrap();
    std::fs::write(place.join("rpmdb.sqlite-wal"), &log).unwrap();
    let rpm = Rpm::load(&crate::tree::Rootfs::open(dir.path()).unwrap()).unwrap().unwrap();
    assert_eq!((names(&rpm), shown(&rpm)), (vec!["a"], vec![]));
    assert_eq!(std::fs::read(place.join("rpmdb.sqlite")).unwrap(), bytes);
    assert_eq!(std::fs::read(place.join("rpmdb.sqlite-wal")).unwrap(), log);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2);
    // Without its log the database lacks what was in it.
    assert_eq!(read(SQLITE, &bytes), unreadable("`Packages` is not a plain table"));
    let cut = MemoryTree::default()
        .file(SQLITE, &bytes)
        .file("/var/lib/rpm/rpmdb.sqlite-wal", &log[..log.len() - 1]);
    assert_eq!(names(&load(&cut)), Vec::<&str>::new());
}

#[test]
fn an_unfinished_change_is_not_played_back() {
    let (bytes, _) = sqlite(&[TABLE, &insert(1, "a")]);
    let with = |journal: &[u8]| {
        let tree = MemoryTree::default().file(SQLITE, &bytes);
        shown(&load(&tree.file("/var/lib/rpm/rpmdb.sqlite-journal", journal)))
    };
    let why = "`/var/lib/rpm/rpmdb.sqlite` cannot be read: a change to it was not finished";
    assert_eq!(with(b"\xd9\xd5\x05\xf9 \xa1c\xd7"), [why]);
    assert_eq!(with(b"\0\xd5"), Vec::<String>::new());
    assert_eq!(with(b""), Vec::<String>::new());
}

const ENDLESS: &str =
    "WITH RECURSIVE n(hnum, blob) AS (SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM n)";

#[test]
fn nothing_but_a_plain_table_is_asked() {
    let not = unreadable("`Packages` is not a plain table");
    let view = format!("CREATE VIEW Packages AS {ENDLESS} SELECT hnum, blob FROM n");
    assert_eq!(read(SQLITE, &sqlite(&[&view]).0), not);
    // A schema may say of a view that it is a table.
    let lie = format!(
        "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) \
         VALUES ('table', 'Packages', 'Packages', 0, '{}')",
        view.replace('\'', "''")
    );
    let lying = sqlite(&["PRAGMA writable_schema = ON", "CREATE TABLE t (a)", &lie]).0;
    assert!(read(SQLITE, &lying).1.is_some());
    assert_eq!(read(SQLITE, &lying).0, Vec::<String>::new());
    let computed = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, \
                    blob BLOB GENERATED ALWAYS AS (zeroblob(900000000)))";
    assert_eq!(read(SQLITE, &sqlite(&[computed, "INSERT INTO Packages (hnum) VALUES (1)"]).0), not);
    let other = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, data BLOB)";
    assert_eq!(read(SQLITE, &sqlite(&[other]).0), not);
    let virtual_table = "CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)";
    assert_eq!(read(SQLITE, &sqlite(&[virtual_table]).0), not);
    let begin = Instant::now();
    assert_eq!(read(SQLITE, b""), not);
    assert_eq!(read(SQLITE, &[7; 5000]).0, Vec::<String>::new());
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn values_that_are_no_records_are_faults_of_their_rows() {
    let statements = [
        "CREATE TABLE Packages (hnum, blob)",
        "INSERT INTO Packages VALUES (1, 'text'), (2, NULL), (-3, 7), ('x', x'00')",
        &insert(9, "a"),
        &insert(9, "b"),
        &insert(u32::MAX, "c"),
    ];
    let rpm = one(SQLITE, &sqlite(&statements).0);
    let fault = RecordFault::Length.to_string();
    let twice = RecordFault::NumberTwice.to_string();
    assert_eq!(faults(&rpm), [fault.clone(), fault.clone(), fault, twice.clone(), twice]);
    assert_eq!(names(&rpm), ["a", "c"]);
}

#[test]
fn a_statement_without_end_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    std::fs::write(&file, sqlite(&[TABLE]).0).unwrap();
    let pause = Duration::from_millis(100);
    let mut database = super::sqlite::Database::with_pause(&file, pause).unwrap();
    let query = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) \
                 SELECT count(*) FROM n";
    let begin = Instant::now();
    let result = database.rows(query, |row| {
        let _: i64 = row.try_get(0)?;
        Ok(())
    });
    assert!(matches!(result, Err(fault::DatabaseFault::Slow)), "{result:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    database.close();
}

#[test]
fn a_sqlite_database_that_is_damaged_is_named_and_what_it_still_holds_counts() {
    let many: Vec<String> = (1..200).map(|n| insert(n, &format!("p{n}"))).collect();
    let statements: Vec<&str> = std::iter::once(TABLE).chain(many.iter().map(|s| &**s)).collect();
    let (bytes, _) = sqlite(&statements);
    let cut = bytes.len() / 2 / 4096 * 4096;
    for damaged in [bytes[..cut].to_vec(), put(&bytes, cut, &[0xff; 4096])] {
        let (names, why) = read(SQLITE, &damaged);
        assert!(names.len() < 199);
        assert!(why.unwrap().starts_with("SQLite cannot read it: "));
    }
}

const HISTORY: &str = "/var/lib/dnf/history.sqlite";

/// The packages that came for another one, by a history made by `statements`, and what is wrong.
fn auto(statements: &[&str]) -> (Vec<String>, Vec<String>) {
    let packages = ["a", "b", "c", "d", "e"].map(|name| bare(name).text(1022, "x").bytes());
    let tree = MemoryTree::default().file(NDB, ndb(&packages)).file(HISTORY, sqlite(statements).0);
    let rpm = load(&tree);
    let problems = shown(&rpm);
    (rpm.packages.into_iter().filter(|p| p.auto).map(|p| p.name).collect(), problems)
}

#[test]
fn the_last_change_in_dnfs_history_says_why_a_package_is_there() {
    let tables = [
        "CREATE TABLE rpm (item_id INTEGER UNIQUE NOT NULL, name TEXT NOT NULL, arch TEXT)",
        "INSERT INTO rpm VALUES (1, 'a', 'x'), (2, 'a', 'x'), (3, 'b', 'x'), (4, 'c', 'x'), \
         (5, 'd', 'y'), (6, 'e', 'x')",
        "CREATE TABLE trans_item \
         (id INTEGER PRIMARY KEY, item_id INTEGER, action INTEGER, reason INTEGER, state INTEGER)",
        // a: asked for, then only needed; b: by a recommendation, then asked for, which failed;
        // c: needed, then removed; d: of another architecture; e: asked for.
        "INSERT INTO trans_item VALUES (1, 1, 1, 2, 1), (2, 2, 11, 1, 1), (3, 3, 1, 4, 1), \
         (4, 3, 11, 2, 2), (5, 4, 1, 1, 1), (6, 4, 8, 1, 1), (7, 5, 1, 1, 1), (8, 6, 1, 2, 1), \
         (9, 77, 1, 1, 1)",
    ];
    let none: Vec<String> = vec![];
    assert_eq!(auto(&tables), (vec!["a".to_owned(), "b".to_owned()], none.clone()));
    let view = format!("CREATE VIEW trans_item AS {ENDLESS} SELECT 1 id FROM n");
    let file = "`/var/lib/dnf/history.sqlite` cannot be read: ";
    let not = |table| (none.clone(), vec![format!("{file}`{table}` is not a plain table")]);
    assert_eq!(auto(&[tables[0], &view]), not("trans_item"));
    assert_eq!(auto(&[tables[2]]), not("rpm"));
    let no_text = [tables[0], "INSERT INTO rpm VALUES (7, CAST(x'ff' AS TEXT), 'x')", tables[2]];
    let (names, problems) = auto(&no_text);
    assert!(names.is_empty() && problems[0].starts_with(file), "{problems:?}");
}
