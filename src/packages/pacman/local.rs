//! `local`, a directory per installed package: `desc` describes it, `files` names its files,
//! `mtree` says what they are.

use std::collections::{BTreeMap, HashMap};

use super::super::Md5;
use super::super::file_record::{Digest, FileRecord, Presence, RecordedKind, Role};
use super::super::index::MAX_FILES;
use super::super::problem::{BadLines, Damage, LineFault, Problem, Quota};
use super::super::records::{Records, recorded_path};
use super::config::Config;
use super::desc::Fields;
use super::mtree::{self, Budget, Node};
use super::package::PacmanPackage;
use crate::tree::{Kind, RootPath, escaped};

/// A package of 100,000 files has 10 MB.
const MAX_RECORD: u64 = 64 << 20;
/// All packages of a large system unpack to 200 MB.
const MAX_UNPACKED: u64 = 1 << 30;
const MAX_PACKAGES: usize = 200_000;
const MAX_NAME: usize = 256;
/// Names in all relations of all packages; a large system has some ten thousand.
const MAX_NAMES: usize = 2 << 20;

/// Reads every package below `dir`, by name.
pub(super) fn load(
    records: &mut Records<'_>,
    dir: &RootPath,
    config: &Config,
) -> Vec<PacmanPackage> {
    let mut reader = Reader {
        config,
        unpacked: Budget(MAX_UNPACKED),
        names: Quota::new(MAX_NAMES),
        files: Quota::new(MAX_FILES),
    };
    let mut found: BTreeMap<String, PacmanPackage> = BTreeMap::new();
    let mut quota = Quota::new(MAX_PACKAGES);
    for entry in records.list(dir) {
        // Beside the packages lies the version of the form of the database.
        if entry.kind != Kind::Dir || !quota.take(dir, &mut records.problems) {
            continue;
        }
        // `list` may have followed links; the records go by the name they were looked for.
        let at = dir.child(entry.path.name());
        let Some(package) = reader.package(records, &at) else { continue };
        // An interrupted upgrade leaves both versions.
        let name = package.name.clone();
        let other = found.get(&name).map(|other| other.installed);
        if other.is_none_or(|installed| installed <= package.installed) {
            found.insert(name.clone(), package);
        }
        if other.is_some() {
            records.problems.note(Problem::Twice { file: dir.clone(), package: name });
        }
    }
    found.into_values().collect()
}

struct Reader<'a> {
    config: &'a Config,
    unpacked: Budget,
    names: Quota,
    files: Quota,
}

impl Reader<'_> {
    fn package(&mut self, records: &mut Records<'_>, dir: &RootPath) -> Option<PacmanPackage> {
        let file = dir.child(b"desc");
        let bytes = records.read(&file, MAX_RECORD);
        let damage = damage(bytes.as_deref());
        let bytes = bytes.filter(|_| damage.is_none()).unwrap_or_default();
        let fields = Fields::parse(&bytes);
        let (name, version) = (fields.text("NAME"), fields.text("VERSION"));
        let (name, version) = match (is_name(name.as_bytes()), split_name(dir.name())) {
            (true, _) => (name.to_owned(), version.to_owned()),
            // The directory's name has both.
            (false, Some(both)) => both,
            (false, None) => {
                records.problems.note(Problem::StrayList { file: dir.clone() });
                return None;
            }
        };
        if fields.text("NAME") != name {
            let damage = damage.unwrap_or(Damage::Truncated);
            records.problems.note(Problem::Damaged { file: file.clone(), damage });
        }
        let groups: Vec<String> = self.texts(records, &file, &fields, "GROUPS");
        let ignored = self.config.ignored_packages.match_name(name.as_bytes())
            || groups.iter().any(|g| self.config.ignored_groups.match_name(g.as_bytes()));
        Some(PacmanPackage {
            files: self.files(records, dir, &name),
            arch: fields.text("ARCH").to_owned(),
            base: Some(fields.text("BASE").to_owned()).filter(|base| !base.is_empty()),
            installed: fields.text("INSTALLDATE").parse().ok(),
            auto: fields.text("REASON") == "1",
            hold: ignored,
            validation: self.texts(records, &file, &fields, "VALIDATION"),
            packager: fields.text("PACKAGER").to_owned(),
            depends: self.relation(records, &file, &fields, "DEPENDS"),
            optional: self.relation(records, &file, &fields, "OPTDEPENDS"),
            provides: self.relation(records, &file, &fields, "PROVIDES"),
            name,
            version,
            groups,
        })
    }

    fn texts(
        &mut self,
        records: &mut Records<'_>,
        file: &RootPath,
        fields: &Fields<'_>,
        field: &str,
    ) -> Vec<String> {
        let texts = fields.texts(field);
        let texts = texts.filter(|_| self.names.take(file, &mut records.problems));
        texts.map(str::to_owned).collect()
    }

    /// The names in a relation, without versions and what is said about them.
    fn relation(
        &mut self,
        records: &mut Records<'_>,
        file: &RootPath,
        fields: &Fields<'_>,
        field: &str,
    ) -> Vec<String> {
        let mut names = self.texts(records, file, fields, field);
        for name in &mut names {
            let end = name.find(": ").or_else(|| name.find(['<', '>', '=']));
            let end = end.map(|end| name[..end].find(['<', '>', '=']).unwrap_or(end));
            name.truncate(end.unwrap_or(name.len()));
        }
        names
    }

    fn files(
        &mut self,
        records: &mut Records<'_>,
        dir: &RootPath,
        package: &str,
    ) -> Vec<FileRecord> {
        let mut nodes = self.nodes(records, &dir.child(b"mtree"));
        let file = dir.child(b"files");
        let bytes = records.read(&file, MAX_RECORD);
        let damage = damage(bytes.as_deref());
        let bytes = bytes.filter(|_| damage.is_none()).unwrap_or_default();
        let fields = Fields::parse(&bytes);
        let mut bad = BadLines::default();
        let backups = backups(&fields, &mut bad);
        let mut paths = vec![];
        for (index, line) in fields.values("FILES") {
            match recorded_path(line) {
                Ok(path) => paths.push((path, line.ends_with(b"/"))),
                Err(fault) => bad.note(index, fault),
            }
        }
        bad.finish(&file, &mut records.problems);
        // What lies at the top and begins with a dot is about the package, not of it.
        nodes.retain(|path, _| path.components().count() > 1 || !path.name().starts_with(b"."));
        let named = fields.values("FILES").next().is_some();
        if !named && !nodes.is_empty() {
            paths = nodes.iter().map(|(p, n)| (p.clone(), n.kind == RecordedKind::Dir)).collect();
        }
        // A package without files has both empty.
        if damage.is_some_and(|damage| damage != Damage::Empty || !nodes.is_empty()) {
            records.problems.note(Problem::NoList { package: package.to_owned() });
        } else if nodes.is_empty() && named {
            records.problems.note(Problem::NamesOnly { package: package.to_owned() });
        }
        paths.retain(|_| self.files.take(&file, &mut records.problems));
        let record = |(path, is_dir)| {
            let node = nodes.remove(&path);
            self.record(path, is_dir, node, &backups)
        };
        paths.into_iter().map(record).collect()
    }

    fn nodes(&mut self, records: &mut Records<'_>, file: &RootPath) -> BTreeMap<RootPath, Node> {
        let Some(packed) = records.read(file, MAX_RECORD) else { return BTreeMap::new() };
        mtree::read(file, &packed, &mut self.unpacked, &mut records.problems)
    }

    fn record(
        &self,
        path: RootPath,
        is_dir: bool,
        node: Option<Node>,
        backups: &HashMap<RootPath, Option<Md5>>,
    ) -> FileRecord {
        let kind = if is_dir { RecordedKind::Dir } else { RecordedKind::Unknown };
        let mut node =
            node.unwrap_or(Node { kind, mode: None, user: None, group: None, mtime: None });
        let backup = backups.get(&path).copied();
        if let Some(md5) = backup.flatten().map(Digest::Md5) {
            match &mut node.kind {
                RecordedKind::File { digest, .. } => *digest = digest.or(Some(md5)),
                RecordedKind::Unknown => {
                    node.kind = RecordedKind::File { size: None, digest: Some(md5) };
                }
                _ => {}
            }
        }
        // Patterns are for names as a package has them: no slash before, one behind a directory.
        let mut name = path.relative().to_vec();
        if node.kind == RecordedKind::Dir {
            name.push(b'/');
        }
        let kept = node.kind != RecordedKind::Dir && self.config.no_upgrade.match_name(&name);
        let left_out = self.config.no_extract.match_name(&name);
        FileRecord {
            path,
            kind: node.kind,
            mode: node.mode,
            user: node.user,
            group: node.group,
            mtime: node.mtime,
            capabilities: None,
            role: if backup.is_some() || kept { Role::Config } else { Role::Ordinary },
            presence: if left_out { Presence::LeftOut } else { Presence::Unpacked },
        }
    }
}

/// The files somebody may change: a path, a tab, the digest of what the package brought.
fn backups(fields: &Fields<'_>, bad: &mut BadLines) -> HashMap<RootPath, Option<Md5>> {
    let mut backups = HashMap::new();
    for (index, line) in fields.values("BACKUP") {
        let end = line.iter().rposition(|&b| b == b'\t').unwrap_or(line.len());
        let digest = line.get(end + 1..).unwrap_or_default();
        match recorded_path(&line[..end]) {
            Ok(path) => {
                let md5 = Md5::parse(digest);
                // So pacman writes the digest of what it did not unpack.
                if md5.is_none() && digest != b"(null)" {
                    bad.note(index, LineFault::Digest);
                }
                backups.insert(path, md5);
            }
            Err(fault) => bad.note(index, fault),
        }
    }
    backups
}

/// How a file of fields is damaged; `None` when it is whole.
fn damage(bytes: Option<&[u8]>) -> Option<Damage> {
    match bytes {
        None => Some(Damage::Missing),
        Some(bytes) if bytes.contains(&0) => Some(Damage::Zeroed),
        Some(bytes) if Fields::parse(bytes).is_empty() && !bytes.trim_ascii().is_empty() => {
            Some(Damage::Truncated)
        }
        Some(bytes) if bytes.trim_ascii().is_empty() => Some(Damage::Empty),
        Some(_) => None,
    }
}

/// Name and version in `name-version-release`.
fn split_name(dir: &[u8]) -> Option<(String, String)> {
    let text = escaped(dir);
    let (rest, release) = text.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    is_name(name.as_bytes()).then(|| (name.to_owned(), format!("{version}-{release}")))
}

fn is_name(name: &[u8]) -> bool {
    let plain = name.iter().all(|b| b.is_ascii_graphic() && *b != b'/' && *b != b'\\');
    !name.is_empty() && name.len() < MAX_NAME && plain
}
