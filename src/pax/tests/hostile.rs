//! Input that is meant to be read in two ways, or to cost more than it should.

use super::*;

const DIALECTS: [Dialect; 2] = [Dialect::Strict, Dialect::Lenient];

/// A record's position cannot be moved by what a value holds: both forms fooled a reader that
/// splits records at newlines.
#[test]
fn an_attribute_smuggles_neither_a_link_target_nor_a_size() {
    let mut link = symlink("root/link", "harmless");
    let evil = b"\n22 linkpath=/etc/evil\n".to_vec();
    link.member.meta.xattrs.insert(b"user.a".to_vec(), evil);
    let bytes = write(std::slice::from_ref(&link));
    for dialect in DIALECTS {
        assert_eq!(read(&bytes, dialect).unwrap(), std::slice::from_ref(&link));
    }

    // A value with a newline precedes the size that makes the second header content.
    let hidden = raw(b'0', b"hidden", 0, b"", |_| ());
    let bytes = archive(&[
        pax(&[(b"SCHILY.xattr.user.a", b"x\ny"), (b"size", b"512")]),
        raw(b'0', b"visible", 0, b"", |_| ()),
        hidden.clone(),
    ]);
    let found = read(&bytes, Dialect::Lenient).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].member.name[..], &found[0].content), (&b"visible"[..], &hidden));
    assert_eq!(fault(&bytes, Dialect::Strict), Fault::Sizes { header: 0, record: 512 });
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let bytes = write(&super::roundtrip::awkward()[..24]);
    for cut in (0..bytes.len()).step_by(512) {
        for extra in [0, 1, 511] {
            let part = &bytes[..(cut + extra).min(bytes.len() - 1)];
            for dialect in DIALECTS {
                match read(part, dialect) {
                    Err(ReadError::Truncated { position }) => {
                        assert_eq!(position, part.len() as u64);
                    }
                    other => panic!("cut at {}: {other:?}", part.len()),
                }
            }
        }
    }
}

#[test]
fn a_zeroed_header_does_not_end_the_archive() {
    let mut bytes = write(&[file("a", "1"), file("b", "2"), file("c", "3")]);
    bytes[1024..1536].fill(0);
    for dialect in DIALECTS {
        assert_eq!(fault(&bytes, dialect), Fault::Zeros);
    }
}

#[test]
fn data_after_the_end_is_refused_or_counted() {
    let mut bytes = write(&[file("a", "1")]);
    bytes.extend_from_slice(&[0; 1024]);
    assert_eq!(fault(&bytes, Dialect::Strict), Fault::Trailing);
    bytes.extend_from_slice(&write(&[file("b", "2")]));
    let mut rest = &bytes[..];
    let mut reader = Reader::new(&mut rest, Dialect::Lenient);
    assert_eq!(reader.next().unwrap().unwrap().member.name, b"a");
    assert!(reader.next().unwrap().is_none());
    assert!(reader.trailing_bytes() > 10);
    assert!(rest.is_empty());
}

#[test]
fn nothing_is_read_after_an_error() {
    let mut bytes = write(&[file("a", "1"), file("b", "2")]);
    bytes[0] ^= 1;
    let mut reader = Reader::new(&bytes[..], Dialect::Lenient);
    assert!(matches!(reader.next(), Err(ReadError::Malformed { .. })));
    assert!(matches!(reader.next(), Err(ReadError::Failed)));
}

#[test]
fn a_content_cut_short_is_an_error_for_who_reads_it() {
    let bytes = write(&[file("a", vec![b'x'; 2000])]);
    let mut reader = Reader::new(&bytes[..1000], Dialect::Lenient);
    let error = reader.next().unwrap().unwrap().read_to_end(&mut vec![]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(matches!(ReadError::from(error), ReadError::Truncated { position: 1000 }));
    assert!(matches!(reader.next(), Err(ReadError::Failed)));
}

#[test]
fn strict_reads_no_form_that_the_writer_does_not_write() {
    let plain = || raw(b'0', b"a", 0, b"", |_| ());
    let time = || pax(&[(b"mtime", b"1.5")]);
    let named = |name: &[u8]| raw(b'0', name, 0, b"", |_| ());
    let unfit = |unfit| Fault::Unfit(unfit);
    for (parts, expected) in [
        (vec![time(), time(), plain()], Fault::Sequence),
        (vec![time()], Fault::Sequence),
        (vec![time(), extension(b'L', b"long\0"), plain()], Fault::Type(b'L')),
        (vec![extension(b'L', b"long\0"), plain()], Fault::Type(b'L')),
        (vec![extension(b'K', b"long\0"), plain()], Fault::Type(b'K')),
        (vec![extension(b'g', b"11 mtime=1\n"), plain()], Fault::Type(b'g')),
        (vec![raw(b'S', b"a", 0, b"", |_| ())], Fault::Type(b'S')),
        (vec![raw(b'7', b"a", 0, b"", |_| ())], Fault::Type(b'7')),
        (vec![raw(0, b"a", 0, b"", |_| ())], Fault::Type(0)),
        (vec![raw(b'V', b"a", 0, b"", |_| ())], Fault::Type(b'V')),
        (vec![raw(b'Q', b"a", 0, b"", |_| ())], Fault::Type(b'Q')),
        (vec![pax(&[(b"uid", b"1"), (b"uid", b"1")]), plain()], Fault::RecordTwice(b"uid".into())),
        (vec![pax(&[(b"a", b"1")]), plain()], Fault::RecordUnknown(b"a".into())),
        (vec![pax(&[(b"size", b"0")]), plain()], Fault::NotCanonical),
        (vec![pax(&[(b"uid", b"1")]), plain()], Fault::NotCanonical),
        (vec![pax(&[(b"comment", b"1")]), plain()], Fault::NotCanonical),
        (vec![pax(&[(b"path", b"b")]), plain()], Fault::NotCanonical),
        (vec![extension(b'x', b""), plain()], Fault::NotCanonical),
        (vec![time(), plain()], Fault::NotCanonical),
        (vec![named(b"../a")], unfit(Unfit::Name)),
        (vec![named(b"a/../../b")], unfit(Unfit::Name)),
        (vec![named(b"/a")], unfit(Unfit::Name)),
        (vec![named(b"//a")], unfit(Unfit::Name)),
        (vec![named(b"./")], unfit(Unfit::Name)),
        (vec![named(b".")], unfit(Unfit::Name)),
        (vec![named(b"")], unfit(Unfit::Name)),
        (vec![named(b"a/")], unfit(Unfit::Name)),
        (vec![named(b"a\0b")], Fault::NotCanonical),
        (vec![pax(&[(b"path", b"a\0b")]), plain()], unfit(Unfit::Name)),
        (vec![raw(b'5', b"a", 0, b"", |_| ())], Fault::NotCanonical),
        (vec![raw(b'5', b"a//", 0, b"", |_| ())], unfit(Unfit::Name)),
        (vec![raw(b'5', b"a/", 512, &[1; 512], |_| ())], Fault::Content),
        (vec![raw(b'1', b"a", 1, b"1", |h| h.as_old_mut().linkname[0] = b'b')], Fault::Content),
        (vec![raw(b'1', b"a", 0, b"", |_| ())], unfit(Unfit::Hardlink)),
        (vec![raw(b'2', b"a", 0, b"", |_| ())], unfit(Unfit::Symlink)),
        (vec![raw(b'0', b"a", 0, b"", |h| h.set_uid(4_294_967_295))], unfit(Unfit::Owner)),
        (vec![raw(b'0', b"a", 0, b"", |h| h.set_uid(4_294_967_294))], Fault::NotCanonical),
        (vec![raw(b'0', b"a", 0, b"", |h| h.set_mode(0o100_644))], Fault::NotCanonical),
        (vec![raw(b'0', b"a", 0, b"", |h| h.set_username("u").unwrap())], Fault::NotCanonical),
        (vec![raw(b'0', b"a", 0, b"", |h| h.as_mut_bytes()[345] = b'p')], Fault::NotCanonical),
        (vec![raw(b'0', b"a", 0, b"", |h| h.as_mut_bytes()[511] = 1)], Fault::NotCanonical),
        (vec![raw(b'0', b"a", 0, b"", |h| h.as_mut_bytes()[257] = b'U')], Fault::NotCanonical),
    ] {
        assert_eq!(fault(&archive(&parts), Dialect::Strict), expected, "{expected:?}");
    }
    let mut dirty = write(&[file("a", "1"), file("b", "2")]);
    dirty[1023] = 1;
    assert_eq!(fault(&dirty, Dialect::Strict), Fault::Padding);
    assert_eq!(read(&dirty, Dialect::Lenient).unwrap().len(), 2);
}

#[test]
fn impossible_numbers_and_sequences_are_refused_in_both_dialects() {
    let plain = || raw(b'0', b"a", 0, b"", |_| ());
    let size = |bytes: &'static [u8; 12]| {
        raw(b'0', b"a", 0, b"", |h| h.as_old_mut().size.copy_from_slice(bytes))
    };
    let negative = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    let huge = b"\x80\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00";
    let long = || raw(b'x', b"a", 1 << 33, b"", |_| ());
    let limit = 1 << 20;
    for (parts, expected) in [
        (vec![size(negative)], Fault::Field("size")),
        (vec![size(huge)], Fault::Field("size")),
        (vec![size(b"zzzzzzzzzzz\0")], Fault::Field("size")),
        (vec![pax(&[(b"size", b"-1")]), plain()], Fault::Record(b"size".into())),
        (vec![pax(&[(b"uid", b"4294967296")]), plain()], Fault::Record(b"uid".into())),
        (vec![long(), plain()], Fault::Extension { size: 1 << 33, limit }),
        (
            vec![raw(b'x', b"a", limit + 1, b"", |_| ())],
            Fault::Extension { size: limit + 1, limit },
        ),
        (vec![extension(b'x', b"10 garbage"), plain()], Fault::Records),
        (vec![pax(&[(b"mtime", b"1.5")]), pax(&[(b"mtime", b"1.5")]), plain()], Fault::Sequence),
        (vec![pax(&[(b"mtime", b"1.5")])], Fault::Sequence),
        (vec![raw(b'Q', b"a", 0, b"", |_| ())], Fault::Type(b'Q')),
        (vec![raw(b'2', b"a", 512, &[1; 512], |_| ())], Fault::Content),
    ] {
        for dialect in DIALECTS {
            assert_eq!(fault(&archive(&parts), dialect), expected, "{expected:?}");
        }
    }
}

/// A sparse file as pax 1.0, with any map and sizes.
fn sparse_1_0(realsize: &str, map: &str, data: usize) -> Vec<u8> {
    let mut body = map.as_bytes().to_vec();
    body.resize(body.len() + padding(body.len() as u64), 0);
    body.resize(body.len() + data, b'd');
    let records = pax(&[
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"a"),
        (b"GNU.sparse.realsize", realsize.as_bytes()),
    ]);
    archive(&[records, raw(b'0', b"GNUSparseFile.0/a", body.len() as u64, &body, |_| ())])
}

#[test]
fn a_sparse_map_that_lies_is_refused() {
    for dialect in DIALECTS {
        let fine = sparse_1_0("4096", "2\n512\n512\n4096\n0\n", 512);
        assert_eq!(read(&fine, Dialect::Lenient).unwrap()[0].content.len(), 4096);
        for (size, map, data) in [
            ("1024", "2\n0\n512\n256\n512\n", 1024),
            ("4096", "2\n1024\n512\n0\n512\n", 1024),
            ("1024", "1\n1024\n512\n", 512),
            ("1024", "1\n18446744073709551615\n2\n", 2),
            ("4096", "1\n0\n512\n", 1024),
            ("4096", "1\n0\n512\n", 0),
            ("4096", "1000002\n0\n512\n", 512),
            ("4096", "2\n0\n512\n", 512),
            ("4096", "", 512),
        ] {
            let found = fault(&sparse_1_0(size, map, data), dialect);
            assert_eq!(found, Fault::SparseMap, "{map:?}");
        }
    }
    let unsorted_form = sparse_1_0("4096", "1\n512\n512\n", 512);
    assert_eq!(fault(&unsorted_form, Dialect::Strict), Fault::NotCanonical);
}

#[test]
fn a_hole_of_an_exabyte_costs_nothing_to_pass_over() {
    let size = 1 << 60;
    let member = node("hole", Kind::File { size }).member;
    let mut bytes = encode::encode(&member, &[]).unwrap().head;
    bytes.resize(bytes.len() + 1024, 0);
    let mut reader = Reader::new(&bytes[..], Dialect::Strict);
    assert_eq!(reader.next().unwrap().unwrap().member, member);
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn lenient_reads_what_others_write() {
    let gnu = |header: &mut tar::Header| {
        header.as_mut_bytes()[257..265].copy_from_slice(b"ustar  \0");
    };
    let bytes = archive(&[
        extension(b'g', b"11 mtime=7\n18 comment=of git\n"),
        raw(b'V', b"label", 0, b"", |_| ()),
        extension(b'K', b"target\0"),
        extension(b'L', &[&[b'n'; 150][..], b"\0"].concat()),
        raw(b'2', b"short", 0, b"", gnu),
        pax(&[(b"mtime", b"-2")]),
        raw(0, b"old/", 0, b"", |_| ()),
        raw(b'7', b"contiguous", 1, b"1", |h| h.set_uid(3_000_000_000)),
        raw(b'1', b"link", 77, b"", |h| h.as_old_mut().linkname[..3].copy_from_slice(b"old")),
        raw(b'D', b"dumped/", 3, b"Yab", |_| ()),
    ]);
    let at = |secs| Time { secs, nanos: 0 };
    let long = vec![b'n'; 150];
    let target = b"target".to_vec();
    let expected = [
        (long, Body::Node(Kind::Symlink { target }), 0, at(7)),
        (b"old".to_vec(), Body::Node(Kind::Dir), 0, at(-2)),
        (b"contiguous".to_vec(), Body::Node(Kind::File { size: 1 }), 3_000_000_000, at(7)),
        (b"link".to_vec(), Body::Hardlink { target: b"old".to_vec() }, 0, at(7)),
        (b"dumped".to_vec(), Body::Node(Kind::Dir), 0, at(7)),
    ];
    let found: Vec<_> = read(&bytes, Dialect::Lenient)
        .unwrap()
        .into_iter()
        .map(|full| {
            (full.member.name, full.member.body, full.member.meta.uid, full.member.meta.mtime)
        })
        .collect();
    assert_eq!(found, expected);
}
