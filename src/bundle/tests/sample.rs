//! A small service with one of everything.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use crate::bundle::writer::Published;
use crate::bundle::{
    Area, BundleError, Digest, ExportRecord, ImageText, Loss, Manifest, ManifestEntry,
    VolumeRecord, Writer,
};
use crate::facts::Survey;
use crate::monitor::Silent;
use crate::tree::{Content, Entry, Extent, Kind, LinkGroup, Meta, RootPath, Time, Xattrs};
use crate::verdict::{Class, Origin, Reason};

pub(super) struct Added {
    area: &'static str,
    pub(super) entry: Entry,
    pub(super) content: Vec<u8>,
    pub(super) extents: Vec<Extent>,
}

impl Added {
    pub(super) fn area(&self) -> Area<'static> {
        match self.area {
            "root" => Area::Root,
            "exports" => Area::Export,
            "pristine" => Area::Pristine,
            "image" => Area::Image,
            volume => Area::Volume(volume),
        }
    }

    pub(super) fn is_of_source(&self) -> bool {
        matches!(self.area(), Area::Root | Area::Volume(_))
    }
}

pub(super) struct Sample {
    pub(super) added: Vec<Added>,
    pub(super) entries: Vec<ManifestEntry>,
    pub(super) exports: Vec<ExportRecord>,
}

pub(super) fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

pub(super) fn entry(path: &[u8], kind: Kind, mode: u32) -> Entry {
    let meta = Meta {
        mode,
        uid: 1000,
        gid: 1000,
        mtime: Time { secs: 1_600_000_000, nanos: 5 },
        xattrs: Xattrs::new(),
    };
    Entry::new(RootPath::parse(path).unwrap(), kind, meta)
}

pub(super) fn file(path: &str, size: u64) -> Entry {
    entry(path.as_bytes(), Kind::File { size }, 0o644)
}

pub(super) fn verdict(entry: &Entry) -> ManifestEntry {
    ManifestEntry::new(entry, Class::Mutable, Reason::Unexplained, Origin::Container)
}

impl Sample {
    pub(super) fn empty() -> Sample {
        Sample { added: vec![], entries: vec![], exports: vec![] }
    }

    /// Three files and nothing special, for tests that look at every byte.
    pub(super) fn small() -> Sample {
        let mut sample = Sample::empty();
        sample.add("root", entry(b"/", Kind::Dir, 0o755));
        for name in ["/a", "/b", "/c"] {
            sample.add_file("root", name.as_bytes(), name.repeat(5).as_bytes());
        }
        sample
    }

    pub(super) fn new() -> Sample {
        let mut sample = Sample::empty();
        sample.add("root", entry(b"/", Kind::Dir, 0o755));
        sample.add("root", entry(b"/etc", Kind::Dir, 0o755));
        sample.add_file("root", b"/etc/app.conf", b"edited = yes\n");
        if let Some(edited) = sample.entries.last_mut() {
            edited.pristine = Some("image layer".to_owned());
            edited.image_text = Some(ImageText::Apart);
            edited.package = Some("app".to_owned());
        }
        sample.add("root", entry(b"/srv", Kind::Dir, 0o2775));
        for name in [&b"/srv/ "[..], b"/srv/-rf", b"/srv/a\\b\nc", b"/srv/cr\r", b"/srv/\xff\xfe"] {
            sample.add_file("root", name, name);
        }
        let long = [b"/srv/".as_slice(), &[b'l'; 200]].concat();
        sample.add_file("root", &long, b"long name");
        sample.add("root", entry(b"/srv/fifo", Kind::Fifo, 0o600));
        sample.add_file("root", b"/srv/empty", b"");
        sample.add_linked("root", b"/srv/first", b"one file\n", 77);
        sample.add_linked("root", b"/srv/second", b"one file\n", 77);
        let target = b"../etc/\xe9 app.conf".to_vec();
        sample.add("root", entry(b"/srv/link", Kind::Symlink { target }, 0o777));
        sample.add("root", entry(b"/srv/null", Kind::Char { major: 1, minor: 3 }, 0o666));
        sample.add_attributes();
        sample.add_sparse(b"/srv/sparse");
        let noise: Vec<u8> =
            (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        sample.add_file("root", b"/srv/large", &noise);
        sample.add("db", entry(b"/", Kind::Dir, 0o700));
        sample.add_linked("db", b"/one", b"rows\n", 5);
        sample.add_linked("db", b"/two", b"rows\n", 5);
        sample.add_file("exports", b"/main.sql", b"CREATE TABLE t;\n");
        sample.add_file("pristine", b"/etc/app.conf", b"edited = no\n");
        sample.add_file("image", b"/etc/app.conf", b"edited = for all\n");
        sample.exports.push(ExportRecord {
            name: "main".to_owned(),
            app: "postgresql".to_owned(),
            member: "exports/main.sql".to_owned(),
            digest: Digest::of(b"CREATE TABLE t;\n"),
            facts: BTreeMap::from([("version".to_owned(), "13".to_owned())]),
        });
        let gone = path("/etc/motd");
        let deleted =
            ManifestEntry::deleted(gone, Class::Mutable, Reason::Removed, Origin::Container);
        let tool = file("/usr/bin/tool", 12);
        let packaged = Reason::AsPackaged { package: "app".to_owned() };
        let owned = ManifestEntry::new(&tool, Class::Immutable, packaged, Origin::Base);
        sample.entries.extend([deleted, owned]);
        sample.sort();
        sample
    }

    /// One more file of the root.
    pub(super) fn add_more(&mut self, path: &str, content: &[u8]) {
        self.add_file("root", path.as_bytes(), content);
        self.sort();
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.added.sort_by(|a, b| (a.area, &a.entry.path).cmp(&(b.area, &b.entry.path)));
    }

    fn add(&mut self, area: &'static str, entry: Entry) {
        self.add_content(area, entry, vec![], vec![]);
    }

    fn add_content(
        &mut self,
        area: &'static str,
        entry: Entry,
        content: Vec<u8>,
        extents: Vec<Extent>,
    ) {
        let added = Added { area, entry, content, extents };
        if added.is_of_source() {
            let mut verdict = verdict(&added.entry);
            if let Area::Volume(name) = added.area() {
                verdict.path = path("/var/lib/db").join(&verdict.path);
                verdict.volume = Some(name.to_owned());
            }
            self.entries.push(verdict);
        }
        self.added.push(added);
    }

    fn add_file(&mut self, area: &'static str, path: &[u8], content: &[u8]) {
        let length = content.len() as u64;
        let extents = if length == 0 { vec![] } else { vec![Extent { offset: 0, length }] };
        let entry = entry(path, Kind::File { size: length }, 0o644);
        self.add_content(area, entry, content.to_vec(), extents);
    }

    fn add_linked(&mut self, area: &'static str, path: &[u8], content: &[u8], group: u64) {
        let length = content.len() as u64;
        let mut entry = entry(path, Kind::File { size: length }, 0o644);
        entry.links = Some(LinkGroup(group));
        let extents = vec![Extent { offset: 0, length }];
        self.add_content(area, entry, content.to_vec(), extents);
    }

    fn add_attributes(&mut self) {
        let mut entry = entry(b"/srv/attributes", Kind::File { size: 1 }, 0o4755);
        entry.meta.xattrs.insert(b"user.note".to_vec(), b"a\nb\0".to_vec());
        entry.meta.mtime = Time { secs: -2, nanos: 500_000_000 };
        entry.meta.uid = 3_000_000_000;
        self.add_content("root", entry, b"x".to_vec(), vec![Extent { offset: 0, length: 1 }]);
    }

    fn add_sparse(&mut self, path: &[u8]) {
        let mut content = vec![0; 40_000];
        let extents =
            vec![Extent { offset: 4096, length: 512 }, Extent { offset: 20_480, length: 1024 }];
        for run in &extents {
            let end = run.offset + run.length;
            content[run.offset as usize..end as usize].fill(b'd');
        }
        let entry = entry(path, Kind::File { size: 40_000 }, 0o644);
        self.add_content("root", entry, content, extents);
    }

    /// The entries, with the directories that lead to them, which no bundle lacks.
    fn all(&self) -> BTreeMap<RootPath, ManifestEntry> {
        let mut all: BTreeMap<RootPath, ManifestEntry> = BTreeMap::new();
        for listed in self.entries.iter().filter(|listed| !listed.is_deleted()) {
            for dir in std::iter::successors(listed.path.parent(), RootPath::parent) {
                let entry = entry(dir.as_bytes(), Kind::Dir, 0o755);
                let (reason, origin) = (Reason::Unexplained, Origin::Base);
                all.insert(dir, ManifestEntry::new(&entry, Class::Immutable, reason, origin));
            }
        }
        all.extend(self.entries.iter().map(|listed| (listed.path.clone(), listed.clone())));
        all
    }

    pub(super) fn manifest(&self) -> Manifest {
        Manifest {
            survey: Survey { source: "docker:web".to_owned(), ..Survey::default() },
            settings: serde_json::from_value(serde_json::json!({"user": "web"})).unwrap(),
            volumes: vec![VolumeRecord { name: "db".to_owned(), path: path("/var/lib/db") }],
            exports: self.exports.clone(),
            losses: vec![Loss {
                subject: "/srv/bad".to_owned(),
                what: "its content".to_owned(),
                why: "Input/output error".to_owned(),
            }],
            limitations: vec!["no ACLs".to_owned()],
            entries: self.all().into_values().collect(),
            ..Manifest::new()
        }
    }

    pub(super) fn add_to(&self, writer: &mut Writer) -> Result<(), BundleError> {
        for added in &self.added {
            let mut content = Cursor::new(added.content.clone());
            let content: Option<&mut dyn Content> = match added.entry.kind.is_file() {
                true => Some(&mut content),
                false => None,
            };
            writer.add(added.area(), &added.entry, content, &added.extents)?;
        }
        Ok(())
    }

    pub(super) fn write(&self, file: &Path, limit: usize) -> Result<Published, BundleError> {
        let mut writer = Writer::with_frame_limit(file, limit)?;
        self.add_to(&mut writer)?;
        writer.finish(self.manifest(), &Silent)
    }
}
