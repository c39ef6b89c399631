//! Package databases that are damaged or lie. Each test is a case of the catalogue of bad input,
//! by its number. What cannot be read of them is said, and what they do not vouch for is kept.
//!
//! Needs root, `zstd`, GNU tar, and `sqlite3` for rpm's database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a case that is skipped says so")]

mod hostile;
#[allow(dead_code, reason = "every test file uses its part")]
mod stored;

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use hostile::{HELLO, Place, Ran, have, sh, stanza};

fn gz(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

/// The packages that the bundle says the system had.
fn packages(place: &Place) -> Vec<String> {
    let bundle = place.bundle();
    let packages = bundle.inspected["survey"]["packages"].as_array().unwrap().clone();
    let text = |p: &serde_json::Value, key: &str| p[key].as_str().unwrap().to_owned();
    packages.iter().map(|p| format!("{} {}", text(p, "name"), text(p, "version"))).collect()
}

#[test]
fn d01_a_damaged_status_is_replaced_by_the_newest_whole_copy_and_then_by_the_lists() {
    let whole = stanza("app", "") + &stanza("other", "");
    let cut = &whole[..whole.len() - 30];
    let at_a_line =
        &whole[..whole.find("Version: 2\nDescription: x\n\nPackage: other").unwrap() + 58];
    let zeroed = "\0".repeat(4096);
    let damages = [("", "empty"), (cut, "cut short"), (at_a_line, "cut short"), (&zeroed, "NUL")];
    for (damaged, what) in damages {
        let place = Place::new();
        place.write("var/lib/dpkg/info/other.list", "/.\n");
        place.write("var/lib/dpkg/status", damaged);
        place.write("var/lib/dpkg/status-old", &whole);
        let used = ["/var/lib/dpkg/status`", what, "/var/lib/dpkg/status-old", "was read"];
        place.archive().ends(3).lost(&used);
        assert_eq!(packages(&place), ["app 2", "other 2"], "{what}");
        // The app is still the package's.
        assert_eq!(place.bundle().class("/usr/bin/app"), "immutable", "{what}");

        place.write("var/lib/dpkg/status-old", damaged);
        place.write("var/backups/dpkg.status.1.gz", gz(&whole));
        place.write("var/backups/dpkg.status.2.gz", gz(&stanza("ancient", "")));
        place.archive().ends(3).lost(&[what, "/var/backups/dpkg.status.1.gz"]);
        assert_eq!(packages(&place), ["app 2", "other 2"], "{what}");
        place.write("var/backups/dpkg.status.0", &whole);
        place.archive().ends(3).lost(&[what, "/var/backups/dpkg.status.0"]);
    }
    let place = Place::new();
    place.write("var/lib/dpkg/status", &zeroed);
    place.archive().ends(3).lost(&["/var/lib/dpkg/status", "NUL", "/var/lib/dpkg/info"]);
    assert_eq!(place.bundle().class("/usr/bin/app"), "immutable");
    // A gzip that unpacks to more than any status is no copy.
    place.write("var/lib/dpkg/status", "");
    let mut bomb = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    for _ in 0..300 {
        bomb.write_all(&[b'\n'; 1 << 20]).unwrap();
    }
    place.write("var/backups/dpkg.status.1.gz", bomb.finish().unwrap());
    place.archive().ends(3).lost(&["/var/lib/dpkg/info"]);
}

#[test]
fn d02_a_record_with_a_flipped_bit_is_skipped_and_named() {
    let place = Place::new();
    let mut status = stanza("app", "").into_bytes();
    status.extend(b"Package: bent\nDepends\xb0: x\nStatus: install ok installed\nVersion: 1\n\n");
    status.extend(stanza("other", "").into_bytes());
    place.write("var/lib/dpkg/status", &status);
    place.write("var/lib/dpkg/info/other.list", "/.\n");
    place.write("var/lib/dpkg/info/bent.list", "/.\n/usr\n/usr/bin\n/usr/bin/bent\n");
    place.write("var/lib/dpkg/info/bent.md5sums", format!("{HELLO}  usr/bin/bent\n"));
    place.write("usr/bin/bent", "hello\n");
    place.archive().ends(3).lost(&["line 8", "bent", "is skipped", "impossible field name"]);
    assert_eq!(packages(&place), ["app 2", "other 2"]);
    // What it brought has no owner any more, and is kept.
    assert_eq!(place.bundle().class("/usr/bin/bent"), "mutable");
}

#[test]
fn d03_operations_that_dpkg_had_not_merged_are_applied_in_order() {
    let place = Place::new();
    let version = |n: u32| stanza("app", "").replace("Version: 2", &format!("Version: {n}"));
    place.write("var/lib/dpkg/updates/0000", version(3));
    place.write("var/lib/dpkg/updates/0001", version(4) + &stanza("late", ""));
    place.write("var/lib/dpkg/updates/tmp.i", "half wr");
    place.write("var/lib/dpkg/info/late.list", "/.\n");
    place.archive().ends(0);
    assert_eq!(packages(&place), ["app 4", "late 2"]);
    place.write("var/lib/dpkg/updates/0002", "Package: app\nSta");
    place.archive().ends(3).lost(&["/var/lib/dpkg/updates/0002", "skipped"]);
    assert_eq!(packages(&place), ["app 4", "late 2"]);
}

#[test]
fn d04_a_status_without_end_is_not_read_and_a_version_is_data() {
    let place = Place::new();
    place.write("var/lib/dpkg/status-old", stanza("app", ""));
    let status = File::create(place.root("var/lib/dpkg/status")).unwrap();
    // Beyond a gibibyte holes are not hashed.
    status.set_len(2 << 30).unwrap();
    place.archive().ends(3).lost(&["/var/lib/dpkg/status", "larger than"]).lost(&["status-old"]);
    assert_eq!(packages(&place), ["app 2"]);

    let place = Place::new();
    let odd = stanza("app", "").replace("Version: 2", "Version: $(touch /canary)`id`");
    let long = format!("Package: long\nDescription: {}\n\n", "x".repeat(20 << 20));
    place.write("var/lib/dpkg/status", stanza("app", "") + &odd + &long);
    let ran = place.archive().ends(3).lost(&["two records of app"]);
    ran.lost(&["record of long is skipped"]);
    assert_eq!(packages(&place), ["app $(touch /canary)`id`"]);
}

#[test]
#[ignore = "takes minutes with a debug build: REGROW names a release build"]
fn d04_more_records_than_any_system_has_are_left_out() {
    let place = Place::new();
    let mut many = String::new();
    for n in 0..200_010 {
        many.push_str(&format!(
            "Package: p{n}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
        ));
    }
    place.write("var/lib/dpkg/status", many);
    fs::remove_dir_all(place.root("var/lib/dpkg/info")).unwrap();
    place.archive().ends(3).lost(&["more than 200000 records"]);
}

#[test]
fn d05_a_list_that_claims_what_is_not_its_own_hides_nothing() {
    let place = Place::new();
    place.write("etc/shadow", "alice:$6$x:1::::::\n");
    place.write("srv/linked", "hello\n");
    let list = "/.\n/etc\n/etc/shadow\n/srv\n/srv/data\n/srv/app\n/../../x\n../../x\n/srv/linked\n";
    place.write("var/lib/dpkg/info/app.list", list);
    place.write("var/lib/dpkg/info/app.md5sums", format!("{HELLO}  srv/data\n{HELLO}  ../../x\n"));
    place.write("srv/app", "the user's");
    let ran = place.archive().ends(0);
    assert!(ran.limitations().contains("app.list"), "{}", ran.report);
    let bundle = place.bundle();
    for path in ["etc/shadow", "srv/data", "srv/app", "srv/linked"] {
        assert_eq!(bundle.class(&format!("/{path}")), "mutable", "{path}");
        assert!(bundle.has(path), "{path}");
    }
    assert!(!place.at("x").exists());
}

#[test]
fn d06_a_forged_digest_does_not_hide_a_file_that_differs_from_the_images() {
    let forged = format!("{}  usr/bin/app\n", "6e6bc4e49dd477ebc98ef4046c067b5f");
    let upper = stored::Tar::new()
        .file_with("usr/bin/app", 0o755, "ciao")
        .file("var/lib/dpkg/info/app.md5sums", forged)
        .finish();
    let image = stored::Image::new(vec![stored::base_layer(), upper]);
    let place = Place::empty();
    fs::write(place.at("image.tar"), image.saved(&["app:1"])).unwrap();
    let args = ["archive", "tar:image.tar", "-o", "x.regrow", "--json"];
    Ran::of(place.regrow(&args).output().unwrap()).ends(0);
    let bundle = place.bundle();
    assert_eq!(bundle.class("/usr/bin/app"), "mutable");
    assert_eq!(bundle.text("usr/bin/app"), "ciao");
}

/// A root of rpm with this file as its database.
fn rpm(place: &Place, name: &str, bytes: &[u8]) {
    fs::remove_dir_all(place.root("var/lib/dpkg")).unwrap();
    place.write(&format!("var/lib/rpm/{name}"), bytes);
}

#[test]
fn d07_a_berkeley_db_that_was_half_written_owns_nothing() {
    let real = env!("CARGO_MANIFEST_DIR").to_owned() + "/fixtures/rpm/Packages.zst";
    let real = zstd::decode_all(File::open(real).unwrap()).unwrap();
    let half = &real[..real.len() / 2];
    let mut torn = real.clone();
    for byte in &mut torn[4096..12288] {
        *byte = 0;
    }
    for (bytes, word) in [(&[0u8; 8192][..], "Berkeley DB"), (half, "cut short"), (&torn, "broken")]
    {
        let place = Place::new();
        rpm(&place, "Packages", bytes);
        place.write("var/lib/rpm/__db.001", [0xff; 4096]);
        place.archive().ends(3).lost(&["/var/lib/rpm/Packages", "can", "be read", word]);
        let bundle = place.bundle();
        assert_eq!(bundle.class("/usr/bin/app"), "mutable");
    }
}

/// A database that `sqlite3` makes of `statements`.
fn sqlite(place: &Place, statements: &str) {
    fs::remove_dir_all(place.root("var/lib/dpkg")).unwrap();
    fs::create_dir_all(place.root("var/lib/rpm")).unwrap();
    let file = place.root("var/lib/rpm/rpmdb.sqlite");
    let made = Command::new("sqlite3").arg(file).arg(statements).status().unwrap();
    assert!(made.success());
}

#[test]
fn d08_a_database_that_computes_without_end_is_ended_within_five_seconds() {
    if !have("sqlite3") {
        return;
    }
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    let schemas = [
        format!("CREATE VIEW Packages AS {endless} SELECT i AS hnum, x'00' AS blob FROM n;"),
        // A table under a view's name, which only counts without end when it is asked.
        format!(
            "CREATE TABLE t(hnum INTEGER PRIMARY KEY, blob BLOB); CREATE VIEW packages AS {endless} \
             SELECT hnum, blob FROM t WHERE hnum IN (SELECT i FROM n);"
        ),
    ];
    for schema in schemas {
        let place = Place::new();
        sqlite(&place, &schema);
        let begin = Instant::now();
        let ran = place.archive();
        assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
        ran.ends(3).lost(&["rpmdb.sqlite", "cannot be read"]);
        assert_eq!(place.bundle().class("/usr/bin/app"), "mutable");
    }
}

/// A header of rpm with a name, a version and a release, its tags numbered as rpm does.
fn header(count: u32) -> Vec<u8> {
    let data = b"app\x001\x002\0";
    let mut all: Vec<u32> = vec![4, data.len() as u32 + 16];
    all.extend([63, 7, data.len() as u32, 16]);
    for (tag, at) in [(1000u32, 0u32), (1001, 4), (1002, 6)] {
        all.extend([tag, 6, at, count]);
    }
    let mut bytes: Vec<u8> = all.iter().flat_map(|n| n.to_be_bytes()).collect();
    bytes.extend(data);
    let back = (-64i32).cast_unsigned();
    bytes.extend([63, 7, back, 16].iter().flat_map(|n: &u32| n.to_be_bytes()));
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

const TABLE: &str =
    "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);";

#[test]
fn d09_what_is_only_in_the_log_counts_and_the_source_is_not_written_to() {
    if !have("sqlite3") {
        return;
    }
    let place = Place::new();
    sqlite(&place, &format!("PRAGMA journal_mode = WAL; {TABLE}"));
    // Killed before anything of its log was merged.
    let insert = format!("INSERT INTO Packages (blob) VALUES (x'{}');", hex(&header(1)));
    sh(
        &place.root("var/lib/rpm"),
        &format!("(echo \"{insert}\"; echo '.shell kill -9 $PPID') | sqlite3 rpmdb.sqlite || true"),
    );
    assert!(fs::metadata(place.root("var/lib/rpm/rpmdb.sqlite-wal")).unwrap().len() > 0);
    let state = || {
        sh(
            &place.root(""),
            "find . -printf '%p %s %T@ %C@\\n' | sort; find . -type f | sort | xargs md5sum",
        )
    };
    let before = state();
    // Nothing shows where its only package can be had.
    let unproved = ["not known to be had again"];
    place.archive().ends(3).lost(&unproved);
    assert_eq!(packages(&place), ["app 1-2"]);
    assert_eq!(state(), before);
    // The same where nothing can be written.
    let script = "mount --bind root root && mount -o remount,bind,ro root && rm -f x.regrow && \
                  exec \"$0\" archive rootfs:root -o x.regrow --json";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_regrow")]);
    Ran::of(command.current_dir(place.dir()).output().unwrap()).ends(3).lost(&unproved);
    assert_eq!(packages(&place), ["app 1-2"]);
    // A journal that would be played back could name any file to be removed.
    place.write(
        "var/lib/rpm/rpmdb.sqlite-journal",
        [&b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"[..], &[1; 600]].concat(),
    );
    place.archive().ends(3).lost(&["rpmdb.sqlite", "a change to it was not finished"]);
}

#[test]
fn d10_an_impossible_header_costs_its_package_and_is_named() {
    if !have("sqlite3") {
        return;
    }
    let place = Place::new();
    let whole = header(1);
    let mut outside = whole.clone();
    // The place of the version in the data.
    outside[8 + 16 * 2 + 8..8 + 16 * 2 + 12].copy_from_slice(&(-5i32).to_be_bytes());
    let records = [whole, header(1 << 31), outside, vec![0xff; 64], vec![]];
    let inserts: String = records
        .iter()
        .map(|record| format!("INSERT INTO Packages (blob) VALUES (x'{}');", hex(record)))
        .collect();
    sqlite(&place, &format!("{TABLE}{inserts}"));
    let mut ran = place.archive().ends(3);
    for number in 2..=5 {
        ran = ran.lost(&["rpmdb.sqlite", &format!("record {number}"), "is skipped"]);
    }
    assert_eq!(packages(&place), ["app 1-2"]);
}

#[test]
fn d11_a_record_of_apk_without_end_or_without_a_name_is_named() {
    let place = Place::new();
    fs::remove_dir_all(place.root("var/lib/dpkg")).unwrap();
    let whole = "C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:good\nV:1-r0\nA:x86_64\nF:usr/bin\n\n";
    place.write("etc/apk/world", "good\n");
    place.write("lib/apk/db/installed", format!("{whole}V:2\nA:x86_64\nF:usr/bin\nR:app\n\n"));
    place.archive().ends(3).lost(&["/lib/apk/db/installed", "is skipped", "no field `P`"]);
    assert_eq!(packages(&place), ["good 1-r0"]);
    assert_eq!(place.bundle().class("/usr/bin/app"), "mutable");

    let mut many = format!("{whole}P:many\nV:1\nA:x86_64\n");
    for n in 0..50_000 {
        many.push_str(&format!("F:d{n}\nR:f\n"));
    }
    place.write("lib/apk/db/installed", many + "Rnonsense\n\n");
    place.archive().ends(3).lost(&["/lib/apk/db/installed", "unusable lines"]);
    assert_eq!(packages(&place), ["good 1-r0", "many 1"]);
}

#[test]
fn d12_what_language_packages_say_of_paths_out_of_the_root_hides_nothing() {
    let place = Place::new();
    let site = "usr/local/lib/python3.9/site-packages";
    place.write("etc/shadow", "alice:$6$x:1::::::\n");
    let record =
        "../../../../../../etc/shadow,,\n/srv/data,,\n../../../../../../../../x,,\nb\0c,,\n";
    place.write(&format!("{site}/evil-1.dist-info/RECORD"), record);
    let metadata = "Metadata-Version: 2.1\nName: ../../evil\nVersion: 1\0\n";
    place.write(&format!("{site}/evil-1.dist-info/METADATA"), metadata);
    let package =
        "{\"name\":\"../../../srv\",\"version\":\"1\",\"bin\":{\"x\":\"../../../etc/shadow\"}}";
    place.write("usr/lib/node_modules/evil/package.json", package);
    let spec = "Gem::Specification.new do |s| s.files = [\"/srv/data\"]; `touch /canary` end\n";
    place.write("var/lib/gems/2.7.0/specifications/evil-1.gemspec", spec);
    let ran = place.archive();
    assert!(matches!(ran.code, 0 | 3), "{}", ran.stderr);
    let bundle = place.bundle();
    for path in ["etc/shadow", "srv/data"] {
        assert_eq!(bundle.class(&format!("/{path}")), "mutable");
        assert!(bundle.has(path));
    }
}

#[test]
fn d13_what_two_managers_claim_or_none_and_an_unknown_system_are_kept() {
    // Both claim it, and it is as one of them says only.
    let place = Place::new();
    let apk = "C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=\nP:rival\nV:1\nA:x86_64\nF:usr/bin\nR:app\n\n";
    place.write("etc/apk/world", "rival\n");
    place.write("lib/apk/db/installed", apk);
    place.write("usr/bin/app", "changed");
    // Nothing shows where the rival can be had.
    place.archive().ends(3).lost(&["not known to be had again"]);
    assert_eq!(place.bundle().class("/usr/bin/app"), "mutable");

    // No manager, no known system.
    let place = Place::empty();
    place.write("etc/os-release", "\0\u{1b}ID=;$(id)\nID=\"\n=x\n");
    place.write("srv/data", "mine");
    place.write("usr/bin/app", "hello\n");
    place.archive().ends(0);
    let bundle = place.bundle();
    assert_eq!(
        (bundle.text("srv/data"), bundle.text("usr/bin/app")),
        ("mine".into(), "hello\n".into())
    );
    assert_eq!(bundle.inspected["survey"]["manager"], "");

    // A release file that is none.
    let place = Place::new();
    fs::remove_file(place.root("etc/os-release")).unwrap();
    place.link("etc/os-release", "../../../../../../etc/os-release");
    place.write("usr/lib/os-release", "ID=inside\n");
    // What Debian offers says nothing of another system.
    let unproved = ["not known to be had again"];
    place.archive().ends(3).lost(&unproved);
    assert_eq!(place.bundle().inspected["survey"]["os"]["id"], "inside");
    fs::remove_file(place.root("usr/lib/os-release")).unwrap();
    fs::create_dir(place.root("usr/lib/os-release")).unwrap();
    place.archive().ends(3).lost(&unproved);
    assert_eq!(place.bundle().inspected["survey"]["os"]["id"], "");
}
