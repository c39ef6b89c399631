//! Records made to do harm: each is a fault of that record, and the next one is read.

use super::*;

/// The fault of a database whose first record is `blob`; the second one must be there.
fn fault(blob: Vec<u8>) -> Option<(Option<String>, String)> {
    let rpm = load(&tree(&[blob, bare("sound").bytes()]));
    assert!(names(&rpm).contains(&"sound"));
    assert!(rpm.packages.len() + rpm.problems.len() == 2, "{:?}", rpm.problems);
    match rpm.problems.into_iter().next() {
        Some(Problem::Record { number: 1, package, fault, .. }) => Some((package, fault)),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// `blob` with the number `value` at `at`.
fn with(mut blob: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
    blob
}

/// Where the index entry `at` has its tag, type, offset and count.
fn entry(at: usize) -> [usize; 4] {
    [0, 4, 8, 12].map(|field| 8 + 16 * at + field)
}

fn bad(fault: RecordFault) -> Option<(Option<String>, String)> {
    Some((None, fault.to_string()))
}

fn bad_a(fault: RecordFault) -> Option<(Option<String>, String)> {
    Some((Some("a".to_owned()), fault.to_string()))
}

#[test]
fn impossible_lengths_are_refused() {
    let blob = bare("a").bytes();
    let length = blob.len();
    assert_eq!(fault(vec![]), bad(RecordFault::Length));
    assert_eq!(fault(vec![0; 7]), bad(RecordFault::Length));
    assert_eq!(fault(vec![0; 8]), bad(RecordFault::Tags));
    assert_eq!(fault(blob[..length - 1].to_vec()), bad(RecordFault::Length));
    assert_eq!(fault([&blob[..], b"x"].concat()), bad(RecordFault::Length));
    assert_eq!(fault(with(blob.clone(), 0, 1 << 31)), bad(RecordFault::Tags));
    assert_eq!(fault(with(blob.clone(), 0, 0x1_0000)), bad(RecordFault::Tags));
    assert_eq!(fault(with(blob.clone(), 4, u32::MAX)), bad(RecordFault::Length));
    assert_eq!(fault(blob), None);
}

#[test]
fn impossible_index_entries_are_refused() {
    let blob = bare("a").ints(1003, &[7]).bytes();
    let [_, kind, offset, count] = entry(4);
    for (at, value, expected) in [
        (kind, 10, bad(RecordFault::Type(1003))),
        (kind, u32::MAX, bad(RecordFault::Type(1003))),
        (kind, 6, bad_a(RecordFault::Type(1003))),
        (count, 1 << 31, bad(RecordFault::Count(1003))),
        (count, u32::MAX, bad(RecordFault::Count(1003))),
        (count, 2, bad(RecordFault::Overlap(1003))),
        (offset, (-1i32).cast_unsigned(), bad(RecordFault::Outside(1003))),
        (offset, 1 << 31, bad(RecordFault::Outside(1003))),
        (offset, 1000, bad(RecordFault::Outside(1003))),
        (offset, 1, bad(RecordFault::Overlap(1003))),
    ] {
        assert_eq!(fault(with(blob.clone(), at, value)), expected, "{at} {value}");
    }
    let two_texts = with(bare("a").bytes(), entry(1)[3], 2);
    assert_eq!(fault(two_texts), bad(RecordFault::Count(1000)));
    let unended = bare("a").add(1022, 6, 1, b"x").bytes();
    assert_eq!(fault(unended), bad(RecordFault::Outside(1022)));
}

#[test]
fn a_signed_part_that_is_not_marked_off_is_refused() {
    let blob = bare("a").bytes();
    let data = 8 + 16 * 4;
    let trailer = data + 2 + 2 + 2;
    for (at, value) in [
        (entry(0)[1], 4),
        (entry(0)[2], u32::MAX),
        (entry(0)[2], 7),
        (entry(0)[3], 17),
        (trailer, 64),
        (trailer + 4, 6),
        (trailer + 8, 64),
        (trailer + 8, 0),
        (trailer + 8, (-63i32).cast_unsigned()),
        (trailer + 8, (-80i32).cast_unsigned()),
        (trailer + 8, 1 << 31),
        (trailer + 12, 0),
    ] {
        assert_eq!(fault(with(blob.clone(), at, value)), bad(RecordFault::Region), "{at} {value}");
    }
    // A tag may not hide in the trailer.
    let hidden = with(blob.clone(), entry(3)[2], 6);
    assert_eq!(fault(hidden), bad(RecordFault::Overlap(1002)));
    // Records from before signatures have none.
    let unsigned = {
        let mut blob = with(with(blob.clone(), 0, 3), 4, 6);
        blob.drain(8..24);
        blob.truncate(blob.len() - 16);
        blob
    };
    assert_eq!(fault(unsigned), None);
}

#[test]
fn a_tag_that_is_there_twice_is_refused() {
    let twice = with(bare("a").bytes(), entry(3)[0], 1001);
    assert_eq!(fault(twice), bad_a(RecordFault::TagTwice(1001)));
    let added = bare("a").add(1001, 6, 1, b"8\0").add(1001, 6, 1, b"9\0");
    assert_eq!(fault(added.bytes()), bad_a(RecordFault::TagTwice(1001)));
}

#[test]
fn values_that_the_tag_cannot_have_are_refused() {
    let files = || with_files("a", "/d/", &["f", "g"]);
    for (draft, expected) in [
        (bare("a").without(1001), RecordFault::Missing(1001)),
        (bare("a").text(1002, ""), RecordFault::Missing(1002)),
        (bare("a").ints(1001, &[1]), RecordFault::Type(1001)),
        (bare("a").text(1003, "1"), RecordFault::Type(1003)),
        (bare("a").raw(1003, 5, 1, [1; 8]), RecordFault::Value(1003)),
        (files().texts(1035, &["", "x"]), RecordFault::Value(1035)),
        (files().texts(1035, &[""]), RecordFault::Count(1035)),
        (files().shorts(1030, &[0; 3]), RecordFault::Count(1030)),
        (files().ints(1116, &[0, 1]), RecordFault::Value(1116)),
        (files().ints(1116, &[0, u32::MAX]), RecordFault::Value(1116)),
        (files().ints(1116, &[0]), RecordFault::Count(1116)),
        (files().without(1116), RecordFault::Missing(1116)),
        (files().without(1118), RecordFault::Missing(1118)),
        (files().texts(1118, &["/", "/", "/"]), RecordFault::Count(1118)),
        (files().add(1029, 1, 2, [0, 5]), RecordFault::Value(1029)),
        (files().add(1029, 1, 1, [0]), RecordFault::Count(1029)),
    ] {
        assert_eq!(fault(draft.bytes()), bad_a(expected));
    }
    assert_eq!(fault(bare("a").without(1000).bytes()), bad(RecordFault::Missing(1000)));
}

#[test]
fn paths_that_lead_out_are_ignored_and_counted() {
    let draft = with_files("a", "/d/", &["f", "../../etc/shadow", "..", "g"]);
    let rpm = load(&tree(&[draft.bytes()]));
    let paths: Vec<_> = rpm.owned_paths().map(|brought| brought.path.clone()).collect();
    assert_eq!(paths, [path("/d/f"), path("/d/g")]);
    let fault = LineFault::Path(crate::tree::PathError::DotDot);
    let (file, package) = (path("/usr/lib/sysimage/rpm/Packages.db"), "a".to_owned());
    assert_eq!(rpm.problems, [Problem::Paths { file, package, count: 2, fault }]);
}

#[test]
fn more_files_than_can_be_held_are_refused() {
    let blob = with_files("a", "/d/", &["f", "g"]).bytes();
    let mut room = Room { files: 3, bytes: 100 };
    assert!(package::package(&blob, &mut room).is_ok());
    let refused = package::package(&blob, &mut room).unwrap_err();
    assert_eq!(refused.fault, RecordFault::TooManyFiles);
    let mut room = Room { files: 3, bytes: 7 };
    assert_eq!(package::package(&blob, &mut room).unwrap_err().fault, RecordFault::TooManyFiles);
}

/// Many tags over the same long text: each looked at on its own, this would take minutes.
#[test]
fn the_time_to_read_a_record_grows_with_its_length_only() {
    let tags = 4096u32;
    let mut data = vec![b'x'; 1 << 20];
    data.push(0);
    let mut blob: Vec<u8> = [tags, data.len() as u32].map(u32::to_be_bytes).concat();
    for tag in 0..tags {
        blob.extend([tag + 2000, 8, 0, 1].map(u32::to_be_bytes).concat());
    }
    blob.extend(data);
    let begin = std::time::Instant::now();
    let (package, fault) = fault(blob).unwrap();
    assert!(package.is_none() && fault.ends_with("overlaps another one"), "{fault}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn no_flipped_byte_is_a_panic() {
    let blob = with_files("a", "/d/", &["f", "g"]).ints(1003, &[1]).add(1029, 1, 2, [0, 0]).bytes();
    for at in 0..blob.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = blob.clone();
            damaged[at] ^= flip;
            let _ = package::package(&damaged, &mut Room::default());
        }
    }
    for length in 0..blob.len() {
        assert!(package::package(&blob[..length], &mut Room::default()).is_err());
    }
}
