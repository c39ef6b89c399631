//! Sources that cannot be read, outputs that cannot be written, and callers who go wrong.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use super::sample::{self, Sample, path};
use crate::bundle::{Area, BundleError, Reader, Writer};
use crate::cancel::Cancel;
use crate::failure::FailureKind;
use crate::monitor::{Monitor, Silent, Stoppable};
use crate::tree::{Content, Extent};

/// A content that fails after some bytes.
struct Failing {
    good: Cursor<Vec<u8>>,
}

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.good.read(out)? {
            0 => Err(io::Error::from_raw_os_error(5)),
            length => Ok(length),
        }
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.good.seek(to)
    }
}

fn names(directory: &Path) -> Vec<String> {
    let listing = std::fs::read_dir(directory).unwrap();
    listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_and_the_rest_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    // Within a frame, across some, and at their edges.
    for good in [0, 1, 511, 512, 1535, 1536, 2047, 2048, 2049, 100_000] {
        let mut writer = Writer::with_frame_limit(&file, 2048).unwrap();
        let mut sample = Sample::empty();
        for (number, name) in ["/a", "/b", "/c", "/d"].into_iter().enumerate() {
            let size = 200_000;
            let runs = [Extent { offset: 0, length: size }];
            let entry = sample::file(name, size);
            if number % 2 == 0 {
                let mut content = Failing { good: Cursor::new(vec![b'x'; good]) };
                let error = writer.add(Area::Root, &entry, Some(&mut content), &runs).unwrap_err();
                assert!(
                    error.is_about_one_entry() && error.kind() == FailureKind::Resource,
                    "{error}"
                );
                assert!(matches!(&error, BundleError::Source { path, .. } if *path == entry.path));
            } else {
                let mut content = Cursor::new(vec![b'y'; size as usize]);
                writer.add(Area::Root, &entry, Some(&mut content), &runs).unwrap();
            }
            sample.entries.push(sample::verdict(&entry));
        }
        writer.finish(sample.manifest(), &Silent).unwrap();
        let reader = Reader::open(&file).unwrap();
        reader.verify(&Silent).unwrap();
        let stored: Vec<bool> =
            reader.manifest().entries.listed().map(|listed| listed.stored).collect();
        assert_eq!(stored, [false, false, true, false, true]);
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_file_that_shrank_or_grew_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&dir.path().join("web.regrow")).unwrap();
    for (name, length) in [("/shrank", 9), ("/grew", 11)] {
        let entry = sample::file(name, 10);
        let runs = [Extent { offset: 0, length: 10 }];
        let mut content = Cursor::new(vec![b'x'; length]);
        let error =
            writer.add(Area::Volume(name.trim_matches('/')), &entry, Some(&mut content), &runs);
        let text =
            error.map_err(|e| crate::failure::Failure::new(e.kind(), "archiving", "x").because(e));
        let text = text.unwrap_err().to_string();
        assert!(text.contains("changed while it was read"), "{text}");
    }
}

#[test]
fn what_cannot_be_stored_is_named_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&dir.path().join("web.regrow")).unwrap();
    let socket = sample::entry(b"/run/socket", crate::tree::Kind::Socket, 0o600);
    let error = writer.add(Area::Root, &socket, None, &[]).unwrap_err();
    assert_eq!(error.to_string(), "cannot store `/run/socket`: a socket cannot be stored");
    assert!(error.is_about_one_entry());
    let mut sample = Sample::empty();
    sample.entries.push(sample::verdict(&socket));
    writer.finish(sample.manifest(), &Silent).unwrap();
}

#[test]
fn the_first_name_that_could_be_read_carries_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    let mut writer = Writer::create(&file).unwrap();
    let mut sample = Sample::empty();
    for (name, good) in [("/a", 3), ("/b", 10), ("/c", 0)] {
        let mut entry = sample::file(name, 10);
        entry.links = Some(crate::tree::LinkGroup(9));
        let mut content: Box<dyn Content> = match good {
            10 => Box::new(Cursor::new(vec![b'x'; 10])),
            good => Box::new(Failing { good: Cursor::new(vec![b'x'; good]) }),
        };
        let runs = [Extent { offset: 0, length: 10 }];
        let added = writer.add(Area::Root, &entry, Some(&mut *content), &runs);
        assert_eq!(added.is_err(), name == "/a");
        sample.entries.push(sample::verdict(&entry));
    }
    writer.finish(sample.manifest(), &Silent).unwrap();
    let contents = Reader::open(&file).unwrap().contents(&Silent).unwrap();
    assert_eq!(contents.find(Area::Root, &path("/a")), None);
    assert!(contents.find(Area::Root, &path("/b")).is_some());
    assert_eq!(contents.find(Area::Root, &path("/b")), contents.find(Area::Root, &path("/c")));
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::with_frame_limit(&dir.path().join("web.regrow"), 1024).unwrap();
    Sample::new().add_to(&mut writer).unwrap();
    assert_eq!(names(dir.path()).len(), 1);
    drop(writer);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_name_that_is_taken_is_refused_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    let mut writer = Writer::create(&file).unwrap();
    std::fs::write(&file, "somebody's").unwrap();
    assert_eq!(Writer::create(&file).err().unwrap().kind(), FailureKind::Precondition);
    Sample::new().add_to(&mut writer).unwrap();
    let error = writer.finish(Sample::new().manifest(), &Silent).unwrap_err();
    assert!(matches!(error, BundleError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), b"somebody's");
    assert_eq!(names(dir.path()), ["web.regrow"]);
}

#[test]
fn a_directory_that_is_missing_or_closed_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let error = Writer::create(&dir.path().join("none/web.regrow")).err().unwrap();
    assert_eq!(error.kind(), FailureKind::Precondition, "{error}");
    let error = Writer::create(Path::new("/proc/web.regrow")).err().unwrap();
    assert!(matches!(error, BundleError::Io { .. } | BundleError::Missing { .. }), "{error}");
}

#[test]
fn a_caller_who_forgets_or_repeats_an_entry_gets_no_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    let sample = Sample::new();
    let mut writer = Writer::create(&file).unwrap();
    sample.add_to(&mut writer).unwrap();
    let again = writer.add(Area::Root, &sample.added[0].entry, None, &[]).unwrap_err();
    assert!(matches!(again, BundleError::Misuse { .. }), "{again}");
    let mut manifest = sample.manifest();
    manifest.entries = manifest.entries.wanted(|listed| listed.path != b"/srv/fifo").collect();
    let error = writer.finish(manifest, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bundle was written wrongly: `/srv/fifo` of root has no entry"
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

/// A file system of one megabyte; `None` where mounting is not allowed.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Tiny> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(dir.path());
        mount.status().is_ok_and(|status| status.success()).then(|| Tiny(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg(self.0.path()).status().unwrap();
    }
}

#[test]
fn a_full_disk_voids_the_bundle_wherever_it_is_noticed() {
    let Some(tiny) = Tiny::mount() else {
        eprintln!("skipped: mounting needs root");
        return;
    };
    let file = tiny.0.path().join("web.regrow");
    // From a disk with no room at all to one that lacks some of the last bytes.
    let filler = tiny.0.path().join("filler");
    let mut outcomes = vec![];
    for free in (0..30).map(|pages| pages * 4096) {
        std::fs::write(&filler, vec![0; (1 << 20) - free]).unwrap();
        let outcome = Sample::new().write(&file, 4096);
        match &outcome {
            Ok(_) => std::fs::remove_file(&file).unwrap(),
            Err(error) => {
                assert!(!error.is_about_one_entry());
                assert_eq!(error.kind(), FailureKind::Resource, "{error}");
                assert_eq!(names(tiny.0.path()), ["filler"]);
            }
        }
        outcomes.push(outcome.is_ok());
    }
    assert!(outcomes.is_sorted() && !outcomes[0] && outcomes[29], "{outcomes:?}");
}

/// Asks to stop in the midst of the work.
struct Impatient(Cancel);

impl Monitor for Impatient {
    fn phase(&self, _what: &str) {}
    fn progress(&self, done: u64, _total: Option<u64>) {
        if done > 0 {
            self.0.request(15);
        }
    }
    fn notice(&self, _text: &str) {}
    fn cancel(&self) -> &Cancel {
        &self.0
    }
}

#[test]
fn one_check_is_cancelled_and_the_other_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let (one, other) = (Reader::open(&file).unwrap(), Reader::open(&file).unwrap());
    let cancel = Cancel::new();
    let stopped = |reader: &Reader, monitor: &dyn Monitor| {
        let error = reader.verify(monitor).unwrap_err();
        assert!(matches!(error, BundleError::Cancelled { signal: 15 }), "{error}");
    };
    stopped(&one, &Impatient(cancel.clone()));
    // The request stands, for whoever has this value and for nobody else.
    other.verify(&Stoppable::new(&Silent, Cancel::new())).unwrap();
    other.verify(&Silent).unwrap();
    stopped(&other, &Stoppable::new(&Silent, cancel));
}
