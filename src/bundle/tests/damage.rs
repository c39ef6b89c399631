//! A bundle that is not what was written any more.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::sample::{Sample, path};
use crate::bundle::index::PREAMBLE;
use crate::bundle::{Area, BundleError, Reader};
use crate::failure::FailureKind;
use crate::monitor::Silent;
use crate::tree::Store;

fn verify(file: &Path) -> Result<(), BundleError> {
    Reader::open(file)?.verify(&Silent).map(drop)
}

fn is_refused(file: &Path) -> FailureKind {
    let error = verify(file).unwrap_err();
    assert!(matches!(error.kind(), FailureKind::Integrity | FailureKind::Refused), "{error}");
    error.kind()
}

#[test]
fn no_byte_can_change_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::small().write(&file, 2048).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let handle = File::options().write(true).open(&file).unwrap();
    for (at, byte) in bytes.iter().enumerate() {
        // All bits of a byte, or one of them.
        for flip in [0xff, 1 << (at % 8)].into_iter().take(if at % 4 == 0 { 2 } else { 1 }) {
            handle.write_all_at(&[byte ^ flip], at as u64).unwrap();
            let kind = is_refused(&file);
            // Beyond the preamble it is known to be ours, so it is damage.
            assert!(at < PREAMBLE.len() || kind == FailureKind::Integrity, "byte {at}");
        }
        handle.write_all_at(&[*byte], at as u64).unwrap();
    }
    verify(&file).unwrap();
}

#[test]
fn no_byte_can_be_missing_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::small().write(&file, 2048).unwrap();
    let handle = File::options().write(true).open(&file).unwrap();
    for length in (0..handle.metadata().unwrap().len()).rev() {
        handle.set_len(length).unwrap();
        let kind = is_refused(&file);
        assert_eq!(
            kind,
            if length == 0 { FailureKind::Refused } else { FailureKind::Integrity },
            "{length}"
        );
    }
}

#[test]
fn nothing_can_be_appended() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::small().write(&file, 2048).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let appended =
        [b"\n".to_vec(), vec![0; 4096], bytes.clone(), bytes[bytes.len() - 500..].to_vec()];
    for more in appended {
        std::fs::write(&file, [bytes.clone(), more].concat()).unwrap();
        assert_eq!(is_refused(&file), FailureKind::Integrity);
    }
}

#[test]
fn damage_names_the_member_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    let handle = File::options().write(true).open(&file).unwrap();
    handle.write_all_at(&[0; 16], middle as u64).unwrap();
    let text = verify(&file).unwrap_err().to_string();
    assert!(text.contains("frame") && text.contains("after member `root/"), "{text}");
}

#[test]
fn a_file_changed_after_it_was_checked_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 1024).unwrap();
    let contents = Reader::open(&file).unwrap().contents(&Silent).unwrap();
    let length = std::fs::metadata(&file).unwrap().len();
    let handle = File::options().write(true).open(&file).unwrap();
    handle.write_all_at(&vec![0xee; length as usize], 0).unwrap();
    let id = contents.find(Area::Root, &path("/srv/large")).unwrap();
    let error = std::io::read_to_string(contents.open(id).unwrap()).unwrap_err();
    let error = BundleError::from_io(error, "reading", &file);
    assert!(matches!(error, BundleError::Damaged { .. }), "{error}");
}

#[test]
fn what_is_no_bundle_is_refused_without_reading_on() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let error = Reader::open(path).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Refused, "{error}");
        error.to_string()
    };
    let file = dir.path().join("file");
    let zstd = zstd::encode_all(&b"a tar"[..], 3).unwrap();
    let inputs =
        [&b""[..], b"\x00", b"PK\x03\x04", b"<html>404</html>", &[0; 100_000], zstd.as_slice()];
    for input in inputs {
        std::fs::write(&file, input).unwrap();
        refused(&file);
    }
    Sample::small().write(&dir.path().join("good"), 4096).unwrap();
    let good = std::fs::read(dir.path().join("good")).unwrap();
    let crlf: Vec<u8> =
        good.iter().flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] }).collect();
    std::fs::write(&file, crlf).unwrap();
    refused(&file);
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("fifo"), 0o600.into()).unwrap();
    assert_eq!(refused(&dir.path().join("fifo")), "not a regrow bundle: it is a FIFO");
    assert_eq!(refused(dir.path()), "not a regrow bundle: it is a directory");
    assert_eq!(refused(Path::new("/dev/zero")), "not a regrow bundle: it is a device");
    let missing = Reader::open(&dir.path().join("none")).unwrap_err();
    assert_eq!(missing.kind(), FailureKind::Precondition);
}
