//! Bundles with the right digests that regrow would not have written.

use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::sample::{self, Sample, path, verdict};
use crate::bundle::frames::FrameWriter;
use crate::bundle::index::{Index, PREAMBLE};
use crate::bundle::{
    BundleError, Digest, ImageText, Manifest, ManifestEntry, MemberRecord, Node, Reader,
    VolumeRecord,
};
use crate::failure::FailureKind;
use crate::monitor::Silent;
use crate::pax::{self, Body, Dialect, Member};
use crate::tree::{Content, Extent, Kind, LinkGroup};

/// A bundle taken apart.
struct Parts {
    /// All members but the manifest, with their stored data.
    members: Vec<(Member, Vec<Extent>, Vec<u8>)>,
    manifest: Manifest,
}

impl Parts {
    fn of(file: &Path) -> Parts {
        let reader = Reader::open(file).unwrap();
        let stream = zstd::Decoder::new(File::open(file).unwrap()).unwrap();
        let mut tar = pax::Reader::new(stream, Dialect::Strict);
        let mut members = vec![];
        while let Some(found) = tar.next().unwrap() {
            let (member, extents, mut data) = found.split();
            let mut bytes = vec![];
            data.read_to_end(&mut bytes).unwrap();
            members.push((member, extents, bytes));
        }
        members.pop();
        Parts { members, manifest: reader.manifest().clone() }
    }

    fn at(&self, name: &str) -> usize {
        self.members.iter().position(|(member, ..)| member.name == name.as_bytes()).unwrap()
    }

    fn member(&mut self, name: &str) -> &mut Member {
        let at = self.at(name);
        &mut self.members[at].0
    }

    /// Changes the manifest's entries.
    fn entries(&mut self, change: impl FnOnce(&mut [ManifestEntry])) {
        let mut entries: Vec<ManifestEntry> = self.manifest.entries.iter().collect();
        change(&mut entries);
        self.manifest.entries = entries.into_iter().collect();
    }

    /// Puts everything together again, all digests right.
    fn forge(&mut self, file: &Path) {
        self.manifest.id = self.manifest.computed_id().unwrap();
        let mut text = vec![];
        self.manifest.write(&mut text).unwrap();
        self.forge_with(file, &text);
    }

    fn forge_with(&self, file: &Path, manifest: &[u8]) {
        let mut out = File::create(file).unwrap();
        out.write_all(&PREAMBLE).unwrap();
        let mut frames = FrameWriter::new(out, 4096).unwrap();
        let mut append = |member: &Member, extents: &[Extent], data: &[u8]| {
            let mut sparse = vec![0; extents.last().map_or(0, |e| e.offset + e.length) as usize];
            if let pax::Body::Node(crate::tree::Kind::File { size }) = member.body {
                sparse.resize(size as usize, 0);
            }
            let mut rest = data;
            for run in extents {
                let (now, later) = rest.split_at(run.length as usize);
                sparse[run.offset as usize..(run.offset + run.length) as usize]
                    .copy_from_slice(now);
                rest = later;
            }
            let mut content = Cursor::new(sparse);
            let content: Option<&mut dyn Content> = match member.body {
                Body::Node(crate::tree::Kind::File { .. }) => Some(&mut content),
                _ => None,
            };
            pax::Writer::new(&mut frames).append(member, content, extents).unwrap();
            frames.end_member().unwrap();
        };
        for (member, extents, data) in &self.members {
            append(member, extents, data);
        }
        let manifest_frame = frames.cut().unwrap() as u32;
        let member = Member {
            name: b"manifest.json".to_vec(),
            body: Body::Node(crate::tree::Kind::File { size: manifest.len() as u64 }),
            meta: self.members[0].0.meta.clone(),
        };
        let mut tar = pax::Writer::new(frames);
        let whole = [Extent { offset: 0, length: manifest.len() as u64 }];
        tar.append(&member, Some(&mut Cursor::new(manifest.to_vec())), &whole).unwrap();
        let (mut out, frames) = tar.finish().unwrap().finish().unwrap();
        let index = Index {
            frames,
            manifest_frame,
            manifest_size: manifest.len() as u64,
            manifest_digest: Sha256::digest(manifest).into(),
        };
        out.write_all(&index.encode().unwrap()).unwrap();
    }
}

fn verify(file: &Path) -> Result<(), BundleError> {
    Reader::open(file)?.verify(&Silent).map(drop)
}

/// Writes the sample, changes it, and returns why it is refused.
fn refusal(change: impl FnOnce(&mut Parts)) -> (FailureKind, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let mut parts = Parts::of(&file);
    change(&mut parts);
    parts.forge(&file);
    let error = verify(&file).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn a_bundle_put_together_again_unchanged_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    Parts::of(&file).forge(&file);
    verify(&file).unwrap();
}

type Change = fn(&mut Parts);

#[test]
fn members_that_are_not_the_manifests_are_refused() {
    let changes: [(Change, &str); 13] = [
        (
            |p| drop(p.members.remove(p.at("root/etc/app.conf"))),
            "the manifest stores `root/etc/app.conf` here",
        ),
        (|p| drop(p.members.remove(p.at("README.txt"))), "not expected here"),
        (|p| drop(p.members.remove(p.at("SHA256SUMS"))), "not expected here"),
        (|p| drop(p.members.remove(p.at("exports/main.sql"))), "another member here"),
        (
            |p| p.member("root/etc/app.conf").name = b"root/etc/app.conf2".to_vec(),
            "the manifest stores",
        ),
        (|p| p.member("root/etc/app.conf").name = b"elsewhere".to_vec(), "not expected here"),
        (|p| p.member("root/etc/app.conf").meta.mode = 0o4755, "metadata"),
        (|p| p.member("root/etc/app.conf").meta.uid = 0, "metadata"),
        (|p| p.member("root/srv/attributes").meta.xattrs.clear(), "metadata"),
        (
            |p| {
                p.member("root/srv/second").body =
                    Body::Hardlink { target: b"root/etc/app.conf".to_vec() };
            },
            "kind, size or digest",
        ),
        (
            |p| {
                let at = p.at("root/etc/app.conf");
                p.members[at].2[0] ^= 1;
            },
            "kind, size or digest",
        ),
        (
            |p| {
                let at = p.at("root/etc/app.conf");
                p.members.insert(at, p.members[at].clone());
            },
            "the manifest stores",
        ),
        (
            |p| {
                let last = p.members.len() - 1;
                p.members.push(p.members[last].clone());
            },
            "not expected here",
        ),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == FailureKind::Integrity && text.contains(why), "{number}: {text}");
    }
}

#[test]
fn sums_that_do_not_list_the_members_are_refused() {
    let (_, text) = refusal(|p| {
        let at = p.at("SHA256SUMS");
        p.members[at].2[0] ^= 1;
        let digest = Digest::of(&p.members[at].2);
        p.manifest.members.last_mut().unwrap().digest = Some(digest);
    });
    assert!(text.contains("it does not list the members"), "{text}");
}

#[test]
fn manifests_that_are_not_the_members_are_refused() {
    let changes: [(Change, FailureKind, &str); 8] = [
        (|p| p.manifest.counts.bytes += 1, FailureKind::Integrity, "counts"),
        (|p| p.manifest.counts.members += 1, FailureKind::Integrity, "counts"),
        (
            |p| drop(p.manifest.members.pop()),
            FailureKind::Integrity,
            "another member here, or none",
        ),
        (
            |p| p.manifest.exports[0].digest = Digest::of(b""),
            FailureKind::Refused,
            "no such member",
        ),
        (|p| p.entries(<[_]>::reverse), FailureKind::Refused, "do not ascend"),
        (
            |p| p.manifest.volumes[0].name = "../db".to_owned(),
            FailureKind::Refused,
            "volume's name",
        ),
        (|p| p.manifest.volumes[0].path = path("/elsewhere"), FailureKind::Refused, "its volume"),
        (
            |p| {
                p.entries(|entries| {
                    let tool = entries.iter_mut().find(|e| e.path == path("/usr/bin/tool"));
                    let tool = tool.unwrap();
                    (tool.stored, tool.digest) = (true, Some(Digest::of(b"")));
                });
            },
            FailureKind::Integrity,
            "is missing",
        ),
    ];
    for (number, (change, expected, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == expected && text.contains(why), "{number}: {text}");
    }
}

/// Makes what stands at `at` something else.
fn becomes(parts: &mut Parts, at: &str, kind: Kind) {
    parts.entries(|entries| {
        let entry = entries.iter_mut().find(|entry| entry.path == path(at)).unwrap();
        (entry.stored, entry.digest) = (false, None);
        entry.node.as_mut().unwrap().kind = kind;
    });
}

/// Lists one more entry, and changes it.
fn listed(parts: &mut Parts, at: &str, change: impl FnOnce(&mut ManifestEntry)) {
    let mut entries: Vec<ManifestEntry> = parts.manifest.entries.iter().collect();
    let mut more = verdict(&sample::file(at, 1));
    change(&mut more);
    entries.push(more);
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    parts.manifest.entries = entries.into_iter().collect();
}

/// Takes what is at `at` out of the list.
fn unlisted(parts: &mut Parts, at: &str) {
    let entries = parts.manifest.entries.iter().filter(|entry| entry.path != path(at));
    parts.manifest.entries = entries.collect();
}

fn removed(entry: &mut ManifestEntry) {
    entry.node = None;
}

#[test]
fn no_tree_can_have_entries_that_do_not_stand_in_directories() {
    let link = Kind::Symlink { target: b"/etc".to_vec() };
    let device = Kind::Char { major: 1, minor: 3 };
    let kinds = [link, Kind::Fifo, device, Kind::Socket, Kind::File { size: 3 }];
    for kind in kinds {
        let word = kind.word();
        let (_, text) = refusal(|p| becomes(p, "/srv", kind.clone()));
        assert!(text.contains(&format!("what it is in is a {word}")), "{text}");
        let (_, text) = refusal(|p| becomes(p, "/", kind.clone()));
        assert!(text.contains(&format!("the root is a {word}")), "{text}");
        let (_, text) = refusal(|p| becomes(p, "/var/lib/db", kind.clone()));
        assert!(text.contains(&format!("mounted there, and it is a {word}")), "{text}");
    }
    let changes: [(Change, &str); 10] = [
        (|p| unlisted(p, "/srv"), "the directory that it is in is not there"),
        (|p| unlisted(p, "/"), "the directory that it is in is not there"),
        (|p| unlisted(p, "/usr/bin"), "the directory that it is in is not there"),
        (|p| listed(p, "/no/such/x", |_| ()), "the directory that it is in is not there"),
        (|p| listed(p, "/etc/motd/x", |_| ()), "recorded as removed"),
        (|p| listed(p, "/etc/app.conf/x", |_| ()), "what it is in is a file"),
        (
            |p| {
                unlisted(p, "/srv");
                listed(p, "/srv", removed);
            },
            "recorded as removed",
        ),
        (|p| listed(p, "/etc/app.conf", |_| ()), "do not ascend"),
        (|p| listed(p, "/etc/app.conf", removed), "do not ascend"),
        (
            |p| listed(p, "/etc/big", |e| *e = verdict(&sample::file("/etc/big", 1 << 63))),
            "so large",
        ),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == FailureKind::Refused && text.contains(why), "{number}: {text}");
    }
}

#[test]
fn a_name_of_255_bytes_and_a_removal_below_what_is_not_there_are_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let mut parts = Parts::of(&file);
    listed(&mut parts, &format!("/{}", "n".repeat(255)), |_| ());
    // What is not stored is only said to have been there.
    listed(&mut parts, &format!("/srv/{}", "n".repeat(256)), |_| ());
    listed(&mut parts, "/gone/dir/file", removed);
    listed(&mut parts, "/etc/app.conf/file", removed);
    parts.manifest.counts.entries += 4;
    parts.forge(&file);
    verify(&file).unwrap();
}

#[test]
fn names_of_one_file_that_differ_and_nodes_that_cannot_be_are_refused() {
    fn change(p: &mut Parts, at: &str, change: fn(&mut ManifestEntry)) {
        p.entries(|entries| change(entries.iter_mut().find(|e| e.path == path(at)).unwrap()));
    }
    fn node(entry: &mut ManifestEntry) -> &mut Node {
        entry.node.as_mut().unwrap()
    }
    let long = |p: &mut Parts| {
        let at = "/srv/".to_owned() + &"l".repeat(200);
        p.entries(|entries| {
            let entry = entries.iter_mut().find(|e| e.path == path(&at)).unwrap();
            entry.path = path(&format!("{at}{}", "l".repeat(56)));
        });
    };
    let changes: [(Change, &str); 16] = [
        (long, "longer than 255 bytes"),
        (|p| change(p, "/srv/second", |e| node(e).meta.mode = 0o4755), "under its other names"),
        (|p| change(p, "/srv/second", |e| node(e).meta.uid = 0), "under its other names"),
        (|p| change(p, "/srv/second", |e| node(e).kind = Kind::File { size: 3 }), "other names"),
        (|p| change(p, "/srv/second", |e| e.digest = Some(Digest::of(b"x"))), "other names"),
        (|p| change(p, "/srv/link", |e| node(e).links = Some(LinkGroup(1))), "other names"),
        (|p| change(p, "/srv", |e| node(e).links = Some(LinkGroup(1))), "no `links`"),
        (
            |p| change(p, "/srv/null", |e| node(e).kind = Kind::Char { major: 4096, minor: 0 }),
            "no device has such a number",
        ),
        (
            |p| change(p, "/srv/null", |e| node(e).kind = Kind::Block { major: 8, minor: 1 << 20 }),
            "no device has such a number",
        ),
        (|p| change(p, "/srv/fifo", |e| node(e).kind = Kind::Socket), "a socket cannot be stored"),
        (|p| change(p, "/etc/motd", |e| e.pristine = Some("image".into())), "unedited text"),
        (|p| change(p, "/srv/fifo", |e| e.pristine = Some("image".into())), "unedited text"),
        (|p| change(p, "/srv/fifo", |e| e.image_text = Some(ImageText::Itself)), "unedited text"),
        (|p| change(p, "/etc/app.conf", |e| e.image_text = None), "belongs to no entry"),
        (|p| change(p, "/srv/empty", |e| e.image_text = Some(ImageText::Apart)), "has no member"),
        (|p| change(p, "/etc/motd", |e| e.stored = true), "a deletion cannot be stored"),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == FailureKind::Refused && text.contains(why), "{number}: {text}");
    }
}

#[test]
fn volumes_that_cannot_be_mounted_so_are_refused() {
    fn volume(p: &mut Parts, name: &str, at: &str) {
        p.manifest.volumes.push(VolumeRecord { name: name.to_owned(), path: path(at) });
    }
    let changes: [(Change, &str); 7] = [
        (|p| volume(p, "other", "/var/lib/db"), "two volumes are mounted at"),
        (|p| volume(p, "db", "/srv/db"), "listed twice"),
        (|p| volume(p, "all", "/"), "over everything"),
        (|p| volume(p, "inner", "/var/lib/db/one"), "a volume is mounted there"),
        (|p| volume(p, "srv", "/srv"), "it lies in volume `srv`"),
        (|p| listed(p, "/var/lib/db/mine", |_| ()), "it lies in volume `db`"),
        (|p| p.entries(|all| all[1].volume = Some("db".into())), "does not lie in its volume"),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == FailureKind::Refused && text.contains(why), "{number}: {text}");
    }
}

#[test]
fn members_beside_the_tree_that_cannot_be_unpacked_are_refused() {
    fn member(p: &mut Parts, name: &str) {
        let member = MemberRecord {
            name: name.as_bytes().to_vec(),
            size: 1,
            digest: Some(Digest::of(b"x")),
        };
        p.manifest.members.push(member);
        p.manifest.members.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let long = |p: &mut Parts| member(p, &format!("exports/{}", "n".repeat(256)));
    let changes: [(Change, &str); 8] = [
        (|p| member(p, "exports/main.sql/x"), "what it is in is a file"),
        (|p| member(p, "exports/main.sql"), "comes too late, or twice"),
        (|p| member(p, "exports/../x"), "impossible name"),
        (|p| member(p, "exports//x"), "impossible name"),
        (long, "impossible name"),
        (|p| member(p, "pristine/etc/app.conf/x"), "what it is in is a file"),
        (|p| member(p, "image/etc/app.conf/x"), "what it is in is a file"),
        (
            |p| {
                let mut again = p.manifest.exports[0].clone();
                again.name = "again".to_owned();
                p.manifest.exports.push(again);
            },
            "another's member",
        ),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let (kind, text) = refusal(change);
        assert!(kind == FailureKind::Refused && text.contains(why), "{number}: {text}");
    }
}

#[test]
fn a_later_bundle_says_so() {
    let needs = |change: fn(&mut Parts)| {
        let (kind, text) = refusal(change);
        assert_eq!(kind, FailureKind::Refused);
        text
    };
    let text = needs(|p| p.manifest.format = 3);
    assert!(text.starts_with("made by a newer regrow: format 3"), "{text}");
    let text = needs(|p| p.manifest.features_required.push("deltas".to_owned()));
    assert!(text.starts_with("made by a newer regrow: feature `deltas`"), "{text}");
}

#[test]
fn a_text_that_is_no_manifest_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.regrow");
    Sample::new().write(&file, 4096).unwrap();
    let mut parts = Parts::of(&file);
    parts.manifest.id = parts.manifest.computed_id().unwrap();
    let mut text = vec![];
    parts.manifest.write(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let first = "{\"format\":2,\n";
    let cases = [
        (text.replacen(first, "{\"format\":2,\"more\":1,\n", 1), "unknown field `more`"),
        (text.replacen(first, "{\"format\":2,\"format\":2,\n", 1), "duplicate field"),
        (text.replacen("\"kind\":\"fifo\"", "\"kind\":\"fifo\",\"size\":3", 1), "does not belong"),
        (text.replacen("\"0600\"", "\"600\"", 1), "four octal digits"),
        (text.replacen("\"path\":\"/etc\"", "\"path\":\"/x/../etc\"", 1), ".."),
        (text.replacen("\"path\":\"/etc\"", "\"path_hex\":\"2f657463\"", 1), "belongs in `path`"),
        (format!("{text}{text}"), "trailing characters"),
        ("[".repeat(100_000), "expected"),
        (String::new(), "EOF"),
        (
            text.replacen(first, "{\"format\":3,\"more\":1,\n", 1),
            "made by a newer regrow: format 3 (written by ",
        ),
    ];
    for (forged, why) in cases {
        assert_ne!(forged, text, "{why}");
        parts.forge_with(&file, forged.as_bytes());
        let error = Reader::open(&file).unwrap_err();
        assert_eq!(error.kind(), FailureKind::Refused, "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    parts.forge_with(&file, text.replacen("docker:web", "docker:app", 1).as_bytes());
    let error = Reader::open(&file).unwrap_err();
    assert!(error.to_string().contains("does not have its id"), "{error}");
}
