//! What a sound database says.

use super::*;

#[test]
fn a_tree_without_rpm_has_no_database() {
    assert!(Rpm::load(&MemoryTree::default()).unwrap().is_none());
    let looped = MemoryTree::default().link("/var/lib/rpm", "/var/lib/rpm");
    // That it cannot be read is not the same.
    let looped = load(&looped);
    assert!(looped.packages.is_empty() && !looped.problems.is_empty());
    let empty = load(&tree(&[]));
    assert_eq!((names(&empty), shown(&empty)), (vec![], vec![]));
}

#[test]
fn a_package_is_read_whole() {
    let draft = bare("a")
        .ints(1003, &[7])
        .text(1011, "V")
        .text(1022, "noarch")
        .text(1044, "s-1-2.src.rpm")
        .texts(1047, &["a", "p", "a"])
        .texts(1049, &["/bin/sh", "b"])
        .texts(5046, &["c"]);
    let rpm = load(&tree(&[draft.bytes()]));
    let list = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    let package = RpmPackage {
        signed: false,
        name: "a".to_owned(),
        epoch: Some(7),
        version: "1".to_owned(),
        release: "2".to_owned(),
        arch: "noarch".to_owned(),
        source: Some("s-1-2.src.rpm".to_owned()),
        vendor: Some("V".to_owned()),
        auto: false,
        requires: list(&["/bin/sh", "b"]),
        recommends: list(&["c"]),
        provides: list(&["a", "p"]),
        files: vec![],
    };
    assert_eq!(package.evr(), "7:1-2");
    assert_eq!((rpm.packages, rpm.problems), (vec![package], vec![]));
}

#[test]
fn every_column_of_a_file_is_read() {
    let md5 = "11111111111111111111111111111111";
    let draft = bare("a")
        .texts(1117, &["file", "dir", "link", "fifo", "none"])
        .texts(1118, &["/d/", "/e"])
        .ints(1116, &[0, 1, 0, 0, 0])
        .shorts(1030, &[0o104_755, 0o042_775, 0o120_777, 0o010_600, 0])
        .raw(5008, 5, 5, [1u64 << 40, 4096, 3, 0, 0].map(u64::to_be_bytes).concat())
        .ints(1034, &[u32::MAX, 1, 2, 3, 4])
        .ints(1037, &[1 | 16, 64, 1 | 64, 2, 0])
        .texts(1035, &[md5, "", "", "", ""])
        .texts(1036, &["", "", "t", "", ""])
        .texts(1039, &["u", "root", "root", "root", ""])
        .texts(1040, &["g", "root", "root", "root", ""])
        .texts(5010, &["cap_kill=ep", "", "=", "", ""])
        .add(1029, 1, 5, [0, 1, 2, 3, 0xff]);
    let rpm = load(&tree(&[draft.bytes()]));
    assert_eq!(shown(&rpm), Vec::<String>::new());
    let files = &rpm.packages[0].files;
    let own = |text: &str| Some(text.to_owned());
    let digest = Some(Digest::Md5(Md5([0x11; 16])));
    let first = FileRecord {
        path: path("/d/file"),
        kind: RecordedKind::File { size: Some(1 << 40), digest },
        mode: Some(0o4755),
        user: own("u"),
        group: own("g"),
        mtime: Some(i64::from(u32::MAX)),
        capabilities: own("cap_kill=ep"),
        role: Role::Config,
        presence: Presence::Unpacked,
    };
    assert_eq!(files[0], first);
    let rest: Vec<_> = files.iter().map(|f| (f.role, f.presence, f.mode)).collect();
    let expected = [
        (Role::Config, Presence::Unpacked, Some(0o4755)),
        (Role::Ghost, Presence::LeftOut, Some(0o2775)),
        (Role::Ghost, Presence::LeftOut, Some(0o777)),
        (Role::Ordinary, Presence::LeftOut, Some(0o600)),
        (Role::Ordinary, Presence::Unpacked, Some(0)),
    ];
    assert_eq!(rest, expected);
    // The directory lacks its slash: the name is what it is, not what was meant.
    assert_eq!((&files[1].path, &files[1].kind), (&path("/edir"), &RecordedKind::Dir));
    assert_eq!(files[2].kind, RecordedKind::Symlink { target: Some(b"t".to_vec()) });
    assert_eq!(files[2].capabilities, own(""));
    assert_eq!((&files[3].kind, &files[4].kind), (&RecordedKind::Special, &RecordedKind::Unknown));
    assert_eq!((&files[4].user, &files[4].group), (&None, &None));
}

#[test]
fn a_digest_is_of_the_algorithm_on_record() {
    let hex = |bytes: usize| "22".repeat(bytes);
    let kind = |algorithm: Option<u32>, digest: &str| {
        let draft = with_files("a", "/", &["f"]).texts(1035, &[digest]);
        let draft = match algorithm {
            Some(algorithm) => draft.ints(5011, &[algorithm]),
            None => draft,
        };
        let rpm = load(&tree(&[draft.bytes()]));
        let file = rpm.packages.first().map(|package| package.files[0].clone());
        file.map(|file| (file.kind, file.capabilities))
    };
    let known = [
        (None, 16, Some(Digest::Md5(Md5([0x22; 16])))),
        (Some(1), 16, Some(Digest::Md5(Md5([0x22; 16])))),
        (Some(2), 20, Some(Digest::Sha1([0x22; 20]))),
        (Some(8), 32, Some(Digest::Sha256([0x22; 32]))),
        (Some(10), 64, Some(Digest::Sha512([0x22; 64]))),
        (Some(9), 48, None),
    ];
    for (algorithm, bytes, digest) in known {
        let capabilities = algorithm.map(|_| String::new());
        let expected = Some((RecordedKind::File { size: None, digest }, capabilities));
        assert_eq!(kind(algorithm, &hex(bytes)), expected, "{algorithm:?}");
    }
    for (algorithm, digest) in [(None, hex(32)), (Some(8), hex(16)), (Some(8), "x".repeat(64))] {
        assert_eq!(kind(algorithm, &digest), None);
    }
}

#[test]
fn old_records_have_whole_paths_and_single_values_without_a_list() {
    let draft = bare("a").raw(1027, 6, 1, b"/bin/sh\0").raw(1028, 4, 1, [0, 0, 0, 9]);
    let rpm = load(&tree(&[draft.shorts(1030, &[0o100_755]).bytes()]));
    assert_eq!(shown(&rpm), Vec::<String>::new());
    let owned = rpm.owner(&path("/usr/bin/sh")).unwrap();
    assert_eq!(owned.file.path, path("/bin/sh"));
    assert_eq!(owned.file.kind, RecordedKind::File { size: Some(9), digest: None });
    assert!(rpm.owner(&path("/bin/sh")).is_none());
}

#[test]
fn of_several_owners_the_one_whose_file_is_there_counts() {
    let with = |name: &str, state: u8, digest: &str| {
        let draft = with_files(name, "/bin/", &["x"]).texts(1035, &[digest]);
        draft.add(1029, 1, 1, [state]).bytes()
    };
    let md5 = "11111111111111111111111111111111";
    let rpm = load(&tree(&[with("a", 1, md5), with("b", 0, ""), with("c", 0, md5)]));
    let place = path("/usr/bin/x");
    let owners: Vec<_> = rpm.owners(&place).map(|owned| owned.package.name.as_str()).collect();
    assert_eq!(owners, ["c", "b", "a"]);
    let paths: Vec<_> = rpm.owned_paths().map(|b| (b.path.clone(), &*b.package.name)).collect();
    assert_eq!(paths, [(place, "c")]);
    assert!(rpm.owner(&path("/usr/bin/xx")).is_none());
}

#[test]
fn what_was_added_takes_the_place_of_what_was_signed() {
    let rpm = load(&tree(&[bare("a").add(1001, 6, 1, b"9\0").bytes()]));
    assert_eq!(rpm.packages[0].version, "9");
}

#[test]
fn packages_of_one_name_are_in_the_order_of_their_versions() {
    let of = |version: &str| bare("kernel").text(1001, version).bytes();
    let rpm = load(&tree(&[of("10"), bare("z").bytes(), of("9"), bare("a").bytes()]));
    assert_eq!(names(&rpm), ["a", "kernel", "kernel", "z"]);
    let kernels = rpm.packages_named("kernel").iter().map(|package| package.version.as_str());
    assert_eq!(kernels.collect::<Vec<_>>(), ["9", "10"]);
    assert!(rpm.packages_named("k").is_empty());
}

#[test]
fn what_came_for_another_package_is_known_from_dnf() {
    let table = "[packages]\n\"a.noarch\" = {reason=\"Dependency\"}\n\"b.\" = {reason=\"User\"}\n";
    let packages = [bare("a").text(1022, "noarch").bytes(), bare("b").bytes()];
    let tree = tree(&packages).file("/usr/lib/sysimage/libdnf5/packages.toml", table);
    let auto: Vec<_> = load(&tree).packages.into_iter().map(|p| (p.name, p.auto)).collect();
    assert_eq!(auto, [("a".to_owned(), true), ("b".to_owned(), false)]);
}

#[test]
fn one_database_is_read_and_the_others_are_named() {
    let both = tree(&[bare("a").bytes()])
        .link("/var/lib/rpm", "../../usr/lib/sysimage/rpm")
        .file("/usr/share/rpm/Packages.db", ndb(&[bare("b").bytes()]))
        .file("/usr/lib/sysimage/rpm/Packages", b"");
    let rpm = load(&both);
    assert_eq!(names(&rpm), ["a"]);
    let used = path("/usr/lib/sysimage/rpm/Packages.db");
    let unused = |file: &str| Problem::Unused { file: path(file), used: used.clone() };
    let expected = [unused("/usr/lib/sysimage/rpm/Packages"), unused("/usr/share/rpm/Packages.db")];
    assert_eq!(rpm.problems, expected);
    let first_is_empty = MemoryTree::default()
        .file("/var/lib/rpm/Packages.db", ndb::<Vec<u8>>(&[]))
        .file("/usr/share/rpm/Packages.db", ndb(&[bare("b").bytes()]));
    let rpm = load(&first_is_empty);
    assert_eq!((names(&rpm), shown(&rpm)), (vec!["b"], vec![]));
}
