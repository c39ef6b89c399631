//! Whole bundles: written, read, opened with the tools of others, damaged and forged.

mod damage;
mod failures;
mod forged;
mod sample;
mod tools;

use std::io::{Read, Seek, SeekFrom};

use sample::{Sample, path};

use super::{Area, BundleError, Counts, Digest, ExportRecord, Reader, Writer};
use crate::failure::FailureKind;
use crate::monitor::Silent;
use crate::tree::{Content, Extent, LinkGroup, Store};

fn text(mut content: Box<dyn Content + '_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for limit in [512, 1024, 4096, 8 << 20] {
        let file = dir.path().join(format!("web-{limit}.regrow"));
        let sample = Sample::new();
        let published = sample.write(&file, limit).unwrap();
        assert_eq!(published.path, file);
        assert_eq!(published.bytes, std::fs::metadata(&file).unwrap().len());

        let reader = Reader::open(&file).unwrap();
        let verified = reader.verify(&Silent).unwrap();
        let manifest = reader.manifest();
        assert_eq!(published.id, manifest.id);
        assert_eq!(manifest.survey, sample.manifest().survey);
        assert_eq!(manifest.losses, sample.manifest().losses);
        assert_eq!(manifest.volumes, sample.manifest().volumes);
        assert_eq!(verified.members, manifest.counts.members + 1);
        let stored = sample.added.iter().filter(|a| a.is_of_source()).count() as u64;
        let entries = manifest.entries.len() as u64;
        let Counts { members, bytes, .. } = manifest.counts;
        assert_eq!(manifest.counts, Counts { entries, stored, members, bytes });

        let contents = reader.contents(&Silent).unwrap();
        for added in &sample.added {
            let found = contents.find(added.area(), &added.entry.path);
            assert_eq!(found.is_some(), added.entry.kind.is_file(), "{}", added.entry.path);
            let Some(id) = found else { continue };
            let expected = &added.content;
            assert_eq!(text(contents.open(id).unwrap()), *expected, "{}", added.entry.path);
        }
        let dump = contents.export("main").unwrap();
        assert_eq!(text(contents.open(dump).unwrap()), b"CREATE TABLE t;\n");
        assert_eq!(contents.export("other"), None);
        assert_eq!(contents.find(Area::Root, &path("/usr/bin/tool")), None);
    }
}

#[test]
fn entries_say_what_is_stored_and_links_are_numbered_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let reader = Reader::open(&file).unwrap();
    let entry = |at: &str| reader.manifest().entries.find(&path(at)).unwrap();
    let links = |at: &str| entry(at).node.unwrap().links;
    assert_eq!(links("/srv/first"), Some(LinkGroup(1)));
    assert_eq!(links("/srv/second"), Some(LinkGroup(1)));
    assert_eq!(links("/var/lib/db/one"), Some(LinkGroup(2)));
    assert_eq!(entry("/srv/second").digest, Some(Digest::of(b"one file\n")));
    assert!(entry("/srv/second").stored);
    assert!(!entry("/usr/bin/tool").stored);
    assert_eq!(entry("/usr/bin/tool").digest, None);
    assert!(entry("/etc/motd").is_deleted());
    assert_eq!(entry("/var/lib/db/one").volume.as_deref(), Some("db"));
    assert_eq!(reader.manifest().entries.find(&path("/none")), None);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str, sample: &Sample| {
        let file = dir.path().join(name);
        sample.write(&file, 4096).unwrap();
        std::fs::read(file).unwrap()
    };
    let first = bytes("first", &Sample::new());
    assert_eq!(first, bytes("second", &Sample::new()));
    // The numbers of inodes differ between two copies of a source.
    let mut moved = Sample::new();
    for added in &mut moved.added {
        added.entry.links = added.entry.links.map(|group| LinkGroup(group.0 + 1000));
    }
    assert_eq!(first, bytes("third", &moved));
}

#[test]
fn a_content_can_be_read_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    let sample = Sample::new();
    sample.write(&file, 1024).unwrap();
    let contents = Reader::open(&file).unwrap().contents(&Silent).unwrap();
    let added = sample.added.iter().find(|a| a.entry.path == path("/srv/sparse")).unwrap();
    let id = contents.find(Area::Root, &path("/srv/sparse")).unwrap();
    assert_eq!(contents.extents(id).unwrap(), added.extents);
    let mut content = contents.open(id).unwrap();
    for at in (0..added.content.len()).step_by(511).rev() {
        content.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut some = [9; 100];
        let length = content.read(&mut some).unwrap();
        assert!(length > 0);
        assert_eq!(some[..length], added.content[at..at + length], "at {at}");
    }
    assert_eq!(content.seek(SeekFrom::End(7)).unwrap(), added.content.len() as u64 + 7);
    assert_eq!(content.read(&mut [0; 10]).unwrap(), 0);
    assert!(content.seek(SeekFrom::Current(-1_000_000_000)).is_err());
}

#[test]
fn a_terabyte_of_holes_is_kept_in_no_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    let mut sample = Sample::empty();
    let huge = std::fs::File::create(dir.path().join("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let mut writer = Writer::create(&file).unwrap();
    let entry = sample::file("/lastlog", 1 << 40);
    let runs = [Extent { offset: 1 << 39, length: 4096 }];
    let mut content = std::fs::File::open(dir.path().join("huge")).unwrap();
    let digest = writer.add(Area::Root, &entry, Some(&mut content), &runs).unwrap();
    assert!(matches!(digest, Some(Digest::Runs(_))));
    sample.entries.push(sample::verdict(&entry));
    writer.finish(sample.manifest(), &Silent).unwrap();
    let reader = Reader::open(&file).unwrap();
    let contents = reader.contents(&Silent).unwrap();
    let id = contents.find(Area::Root, &path("/lastlog")).unwrap();
    assert_eq!(contents.extents(id).unwrap(), runs);
    assert_eq!(reader.manifest().entries.find(&entry.path).unwrap().digest, digest);
}

#[test]
fn an_export_names_a_member_with_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let finish = |record: ExportRecord| {
        let mut sample = Sample::new();
        sample.exports = vec![record];
        sample.write(&dir.path().join("web.regrow"), 4096).map(drop)
    };
    let good = Sample::new().exports.remove(0);
    let wrong = [
        ExportRecord { member: "exports/none.sql".to_owned(), ..good.clone() },
        ExportRecord { digest: Digest::of(b"other"), ..good },
    ];
    for record in wrong {
        let error = finish(record).unwrap_err();
        assert!(matches!(error, BundleError::Misuse { .. }), "{error}");
        assert_eq!(error.kind(), FailureKind::Internal);
    }
}

#[test]
fn the_manifest_is_one_line_an_entry() {
    let mut text = Vec::new();
    let mut manifest = Sample::new().manifest();
    manifest.regrow = semver::Version::new(0, 1, 0);
    let some: [&[u8]; 3] = [b"/etc/motd", b"/srv/first", b"/srv/null"];
    manifest.entries = manifest.entries.wanted(|listed| some.contains(&listed.path)).collect();
    manifest.exports.clear();
    manifest.write(&mut text).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        r#"{"format":2,
"regrow":"0.1.0",
"id":"",
"features_required":[],
"survey":{"source":"docker:web","name":"","os":{"id":"","version":"","codename":"","name":""},"manager":"","architecture":"","packages":[],"intents":[],"apps":[],"environments":[],"mounts":[],"choices":{}},
"settings":{"user":"web"},
"volumes":[{"name":"db","path":"/var/lib/db"}],
"exports":[],
"members":[],
"losses":[{"subject":"/srv/bad","what":"its content","why":"Input/output error"}],
"limitations":["no ACLs"],
"counts":{"entries":0,"stored":0,"members":0,"bytes":0},
"entries":[
{"path":"/etc/motd","class":"mutable","reason":{"code":"removed"},"origin":"container","deleted":true},
{"path":"/srv/first","class":"mutable","reason":{"code":"unexplained"},"origin":"container","kind":"file","size":9,"mode":"0644","uid":1000,"gid":1000,"mtime":[1600000000,5],"links":77},
{"path":"/srv/null","class":"mutable","reason":{"code":"unexplained"},"origin":"container","kind":"char","mode":"0666","uid":1000,"gid":1000,"mtime":[1600000000,5],"rdev":[1,3]}
]}
"#
    );
}
