//! Archive: from a source to a bundle.
//!
//! Source → survey → walk → evidence → verdict → bundle → read-back → final name. Nothing in the
//! source is executed, but for two things, which run in a throw-away copy without network (`copies`):
//! an export by the old version's own tools (`export`), and the service itself, started once to see
//! what it does (`observe`).

mod defaults;
mod deletions;
mod environments;
mod examine;
mod export;
mod judged;
mod losses;
mod observe;
mod outcome;
mod pristine;
mod shown;
mod since;
mod verdicts;

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Instant;

use examine::READINGS;
pub use examine::{ExamineOptions, Examined, Explained, Since, examine, explain};
pub use judged::Judged;
pub use losses::Lost;
pub use outcome::{ArchiveReport, ClassTotal, ClassTotals, Totals};
pub use pristine::Pristine;
pub use shown::Shown;
pub use since::SinceError;
pub use verdicts::Verdicts;

pub use crate::classify::{LogPolicy, UserChoice};

use crate::bundle::{
    Area, BundleError, Digest, Entries, ExportRecord, ImageText, Manifest, ManifestEntry, Node,
    VolumeRecord, Writer,
};
use crate::copies::Copies;
use crate::failure::{Failure, FailureKind, check_cancelled};
use crate::monitor::Monitor;
use crate::source::Source;
use crate::survey::MountFact;
use crate::tree::{
    Content, Entry, Extent, Kind, LinkGroup, Meta, RootPath, escaped, is_within, path_order,
};
use crate::verdict::Class;

/// Whether databases are exported by the old version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exports {
    /// Run what the rules say.
    #[default]
    Run,
    /// Keep only the data directories.
    Skip,
}

/// Whether the service is started once in a throw-away copy, and watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Observing {
    /// It is, where it was a container of an engine.
    #[default]
    Run,
    /// Nothing of it is started.
    Skip,
}

/// How to archive what was examined.
#[derive(Debug, Clone, Default)]
pub struct ArchiveOptions {
    /// What happens with databases.
    pub exports: Exports,
    /// Whether the service is watched.
    pub observing: Observing,
}

/// Fails early where a bundle could not be published under `output`, before anything is read;
/// else tells the directory beside it, where contents are copied to that cannot be read in place:
/// the user wants data of this size there.
///
/// # Errors
/// The file exists (precondition); its directory does not, or cannot be written.
pub fn check_output(output: &Path) -> Result<PathBuf, Failure> {
    Writer::create(output).map(drop).map_err(|e| e.into_failure("writing", output))?;
    Ok(beside(output))
}

/// The directory of `output`.
fn beside(output: &Path) -> PathBuf {
    match output.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes the bundle of an examined source to `output`.
///
/// # Errors
/// Nothing is left under the final name unless the whole bundle was written, read back and found
/// equal. A path that cannot be read is a loss in the report; a failed export, a source that
/// changed meanwhile and every failure to write end the run.
pub fn archive(
    source: &Source,
    examined: Examined,
    output: &Path,
    options: &ArchiveOptions,
    monitor: &dyn Monitor,
) -> Result<ArchiveReport, Failure> {
    let started = Instant::now();
    let mut writer = Writer::create(output).map_err(|e| e.into_failure("writing", output))?;
    let scratch = beside(output);
    let mut copies = Copies::new(source, &scratch);
    let mut exports = match options.exports {
        Exports::Run => export::run(source, &examined, &mut copies, monitor)?,
        Exports::Skip => vec![],
    };
    let observed = match options.observing {
        Observing::Run => observe::observe(source, &examined, &mut copies, monitor)?,
        Observing::Skip => observe::Observed::default(),
    };
    copies.clean(monitor);
    exports.extend(export::lists(&examined.survey.environments)?);
    // A bundle holds them in the order of their paths.
    exports.sort_by_cached_key(|export| RootPath::parse(export.name.as_bytes()).ok());
    monitor.phase("writing the bundle");
    let Examined { survey, entries, mut losses, limitations, .. } = examined;
    let mut manifest = Manifest::new();
    manifest.volumes = volumes(source);
    manifest.entries = write_entries(source, &entries, &mut losses, &mut writer, output, monitor)?;
    let (totals, mut secrets) = (entries.totals(), secrets(&entries));
    let settings = source.settings().secrets();
    secrets.extend(settings.into_iter().map(|name| format!("setting of the container: {name}")));
    // The manifest holds them now, and memory should once.
    drop(entries);
    manifest.exports = write_exports(&exports, &mut writer, output)?;
    manifest.losses = losses.iter().map(Lost::to_loss).collect();
    manifest.limitations = limitations;
    manifest.limitations.extend(observed.limitation);
    manifest.survey = survey;
    manifest.survey.observation = observed.observation.clone();
    manifest.settings = source.settings().clone();
    source.check_unchanged()?;
    check_cancelled(monitor.cancel(), "archiving", &source.to_string())?;
    let (losses, limitations) = (manifest.losses.clone(), manifest.limitations.clone());
    let published =
        writer.finish(manifest, monitor).map_err(|e| e.into_failure("writing", output))?;
    Ok(ArchiveReport {
        bundle: published.path.to_string_lossy().into_owned(),
        id: published.id,
        bundle_bytes: published.bytes,
        totals,
        exports: exports.iter().map(|e| e.name.clone()).collect(),
        secrets,
        observation: observed.observation,
        losses,
        limitations,
        held: vec![],
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn volumes(source: &Source) -> Vec<VolumeRecord> {
    source
        .directories()
        .map(|mount| VolumeRecord { name: mount.area_name(), path: mount.destination.clone() })
        .collect()
}

/// Stores what is kept and returns the manifest's entries, all paths in order. What turns out to
/// be unreadable becomes a loss.
///
/// A directory that is not kept itself but holds something that is goes along, so that the bundle
/// unpacks into a tree whose directories have their owners and modes.
fn write_entries(
    source: &Source,
    entries: &Verdicts,
    losses: &mut Vec<Lost>,
    writer: &mut Writer,
    output: &Path,
    monitor: &dyn Monitor,
) -> Result<Entries, Failure> {
    let mut records = Entries::default();
    let mut names = SharedNames::default();
    // A directory is directly followed by what it holds, so the next of these tells.
    let mut mutable = entries.shown().filter(|shown| shown.class == Class::Mutable).peekable();
    for mut judged in entries.iter() {
        let path = judged.entry.path.as_bytes();
        while mutable.next_if(|next| path_order(next.path, path).is_le()).is_some() {}
        let holds_mutable = mutable.peek().is_some_and(|next| is_within(next.path, path));
        let mount = source.mount(&judged.entry.path);
        let volume = mount.map(MountFact::area_name);
        let keep = !judged.deleted
            && judged.entry.kind != Kind::Socket
            && (judged.class == Class::Mutable || holds_mutable);
        if keep {
            check_cancelled(monitor.cancel(), "archiving", &source.to_string())?;
            let area = volume.as_deref().map_or(Area::Root, Area::Volume);
            let below = match mount {
                Some(mount) => judged.entry.path.strip_prefix(&mount.destination),
                None => Some(judged.entry.path.clone()),
            };
            let path = below.unwrap_or_else(RootPath::root);
            let stored = match names.as_stored(volume.as_deref(), &mut judged.entry) {
                true => add(&judged.entry, None, area, &path, writer),
                false => store_again(source, &mut judged.entry, area, &path, writer),
            };
            match stored {
                Ok(()) => {
                    names.stored(volume.as_deref(), &judged.entry);
                    monitor.progress(records.len() as u64, None);
                }
                Err(Stored::Lost(why)) => {
                    losses.push(Lost::not_kept(judged.entry.path.to_string(), why));
                    // What is in a directory is recorded as lying in one.
                    if !judged.entry.kind.is_dir() {
                        continue;
                    }
                }
                Err(Stored::Failed(error)) => return Err(error.into_failure("writing", output)),
            }
        }
        let texts = [(Area::Pristine, &judged.pristine), (Area::Image, &judged.image_text)];
        for (area, text) in texts {
            if let Some(Pristine::Text { bytes, .. }) = text {
                write_text(area, &judged.entry.path, bytes, writer, output)?;
            }
        }
        records.push(record(judged, volume));
    }
    Ok(records)
}

/// What was stored of files with several names, by volume.
///
/// A file that changes while it is read is stored as it was then. It has one content, one owner and
/// one mode under all its names, whatever was listed under the later ones before.
#[derive(Default)]
struct SharedNames(HashMap<(Option<String>, LinkGroup), Node>);

impl SharedNames {
    /// Makes `entry` what was stored under its first name; whether it was.
    fn as_stored(&self, volume: Option<&str>, entry: &mut Entry) -> bool {
        let group = entry.links.map(|links| (volume.map(str::to_owned), links));
        let Some(first) = group.and_then(|group| self.0.get(&group)) else { return false };
        (entry.kind, entry.meta) = (first.kind.clone(), first.meta.clone());
        true
    }

    /// Remembers what was stored under the first name.
    fn stored(&mut self, volume: Option<&str>, entry: &Entry) {
        let Some(links) = entry.links else { return };
        self.0.entry((volume.map(str::to_owned), links)).or_insert_with(|| Node {
            kind: entry.kind.clone(),
            meta: entry.meta.clone(),
            links: None,
        });
    }
}

/// Why an entry was not stored.
enum Stored {
    /// The source could not be read there.
    Lost(String),
    /// The bundle could not be written.
    Failed(BundleError),
}

/// Stores what `entry` describes, as it is now where it changed since it was listed; what goes on
/// changing is lost, and so is what became something else.
fn store_again(
    source: &Source,
    entry: &mut Entry,
    area: Area<'_>,
    path: &RootPath,
    writer: &mut Writer,
) -> Result<(), Stored> {
    let mut left = READINGS;
    loop {
        left -= 1;
        let why = match store(source, entry, area, path, writer) {
            Err(Stored::Lost(why)) => why,
            done => return done,
        };
        // What cannot be read for another reason is not different now.
        let Ok(Some(mut now)) = source.tree().entry(&entry.path) else {
            return Err(Stored::Lost(why));
        };
        losses::without_reserved(&mut now);
        if now == *entry {
            return Err(Stored::Lost(why));
        }
        let (was, is) = (entry.kind.file_type(), now.kind.file_type());
        if was != is {
            return Err(Stored::Lost(format!(
                "it changed type while it was read and is refused: a {was} before, a {is} now"
            )));
        }
        if left == 0 {
            return Err(Stored::Lost(format!(
                "it changed {READINGS} times while it was read: {why}"
            )));
        }
        *entry = now;
    }
}

fn store(
    source: &Source,
    entry: &Entry,
    area: Area<'_>,
    path: &RootPath,
    writer: &mut Writer,
) -> Result<(), Stored> {
    if !entry.kind.is_file() {
        return add(entry, None, area, path, writer);
    }
    let tree = source.tree();
    let lost = |e: crate::tree::TreeError| Stored::Lost(losses::chain(&e));
    let extents = tree.extents(entry).map_err(lost)?;
    let mut content = tree.open(entry).map_err(lost)?;
    add(entry, Some((&mut *content, &extents)), area, path, writer)
}

/// Adds `entry` to the bundle; a further name of a file has no content.
fn add(
    entry: &Entry,
    content: Option<(&mut dyn Content, &[Extent])>,
    area: Area<'_>,
    path: &RootPath,
    writer: &mut Writer,
) -> Result<(), Stored> {
    let placed = Entry { path: path.clone(), ..entry.clone() };
    let (content, extents) = content.unzip();
    match writer.add(area, &placed, content, extents.unwrap_or_default()) {
        Ok(_) => Ok(()),
        Err(error) if error.is_about_one_entry() => Err(Stored::Lost(losses::chain(&error))),
        Err(error) => Err(Stored::Failed(error)),
    }
}

fn record(judged: Judged, volume: Option<String>) -> ManifestEntry {
    let Entry { path, kind, meta, links, .. } = judged.entry;
    ManifestEntry {
        path,
        class: judged.class,
        reason: judged.reason,
        origin: judged.origin,
        node: (!judged.deleted).then_some(Node { kind, meta, links }),
        stored: false,
        digest: None,
        volume,
        package: judged.package,
        pristine: judged.pristine.map(|pristine| pristine.found().to_owned()),
        image_text: judged.image_text.map(|text| match text {
            Pristine::Itself => ImageText::Itself,
            Pristine::Text { .. } => ImageText::Apart,
        }),
        secret: judged.secret,
    }
}

fn write_exports(
    exports: &[export::Export],
    writer: &mut Writer,
    output: &Path,
) -> Result<Vec<ExportRecord>, Failure> {
    let mut records = Vec::new();
    for export in exports {
        let mut content = export.content.try_clone().map_err(|e| {
            Failure::new(FailureKind::Resource, "reading the export", &export.name).because(e)
        })?;
        let unreadable = |e: std::io::Error| {
            Failure::new(FailureKind::Resource, "reading the export", &export.name).because(e)
        };
        let size = content.metadata().map_err(unreadable)?.len();
        let path = RootPath::parse(export.name.as_bytes()).map_err(|e| {
            Failure::new(FailureKind::Step, "naming the export", &export.name)
                .because(e)
                .next("correct the rule that names it and run the same command again")
        })?;
        let digest = add_text(Area::Export, path, size, &mut content, writer, output)?;
        records.push(ExportRecord {
            name: export.name.clone(),
            app: export.app.clone(),
            member: format!("exports/{}", export.name),
            digest,
            facts: BTreeMap::from([("version".to_owned(), export.version.clone())]),
        });
    }
    Ok(records)
}

/// Stores another text of the file at `path`, under its path.
fn write_text(
    area: Area<'_>,
    path: &RootPath,
    text: &[u8],
    writer: &mut Writer,
    output: &Path,
) -> Result<(), Failure> {
    let mut content = Cursor::new(text);
    let size = text.len() as u64;
    add_text(area, path.clone(), size, &mut content, writer, output).map(drop)
}

/// Stores a file that stands for no path of the source: the root's own, readable by it alone.
fn add_text(
    area: Area<'_>,
    path: RootPath,
    size: u64,
    content: &mut dyn Content,
    writer: &mut Writer,
    output: &Path,
) -> Result<Digest, Failure> {
    let name = path.to_string();
    let meta = Meta::root(0o600);
    let entry = Entry::new(path, Kind::File { size }, meta);
    let whole = [Extent { offset: 0, length: size }];
    let extents = if size == 0 { &whole[..0] } else { &whole[..] };
    let digest = writer
        .add(area, &entry, Some(content), extents)
        .map_err(|e| e.into_failure("writing", output))?;
    digest.ok_or_else(|| {
        Failure::new(FailureKind::Internal, "writing", name).why("a file was stored without digest")
    })
}

/// The kept paths that hold keys or passwords.
fn secrets(entries: &Verdicts) -> Vec<String> {
    entries.shown().filter(|shown| shown.secret).map(|shown| escaped(shown.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Reader;
    use crate::cancel::Cancel;
    use crate::layout::LayoutDb;
    use crate::monitor::Silent;
    use crate::source::{OpenOptions, SourceSpec};

    /// Begins its act only when the other one has begun too.
    struct Together<'a>(&'a std::sync::Barrier, std::sync::Once, Cancel);

    impl Monitor for Together<'_> {
        fn phase(&self, _what: &str) {
            self.1.call_once(|| {
                self.0.wait();
            });
        }
        fn progress(&self, _done: u64, _total: Option<u64>) {}
        fn notice(&self, _text: &str) {}
        fn cancel(&self) -> &Cancel {
            &self.2
        }
    }

    #[test]
    fn of_two_acts_at_once_one_is_cancelled_and_the_other_ends_well() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("srv")).unwrap();
        std::fs::write(root.join("srv/mine"), "x").unwrap();
        let both = std::sync::Barrier::new(2);
        let run = |name: &str, cancel: Cancel| {
            let monitor = Together(&both, std::sync::Once::new(), cancel);
            let spec = SourceSpec::Rootfs(root.clone());
            let source = Source::open(&spec, &OpenOptions::default(), place.path(), &Silent)?;
            let layout = LayoutDb::open(&[]).unwrap();
            monitor.phase("beginning");
            if name == "stopped.regrow" {
                monitor.cancel().request(15);
            }
            let examined = examine(&source, &layout, &ExamineOptions::default(), &monitor)?;
            let output = place.path().join(name);
            archive(&source, examined, &output, &ArchiveOptions::default(), &monitor)
        };
        let (stopped, whole) = std::thread::scope(|scope| {
            let stopped = scope.spawn(|| run("stopped.regrow", Cancel::new()));
            let whole = run("whole.regrow", Cancel::new());
            (stopped.join().unwrap(), whole)
        });
        assert_eq!(stopped.unwrap_err().kind(), FailureKind::Signal(15));
        whole.unwrap();
        assert!(!place.path().join("stopped.regrow").exists());
        Reader::open(&place.path().join("whole.regrow")).unwrap();
    }

    #[test]
    fn packaged_directories_go_along_where_something_in_them_is_kept() {
        if crate::tree::testing::without_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let write = |at: &str, text: &str| {
            let file = root.join(at);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        let status = "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
        write("var/lib/dpkg/status", status);
        let list = "/.\n/usr\n/usr/app\n/usr/app/deep\n/usr/app-none\n/usr/none\n";
        write("var/lib/dpkg/info/app.list", list);
        write("usr/app/deep/mine", "x");
        for empty in ["usr/app-none", "usr/none"] {
            std::fs::create_dir_all(root.join(empty)).unwrap();
        }
        let spec = SourceSpec::Rootfs(root);
        let source = Source::open(&spec, &OpenOptions::default(), place.path(), &Silent).unwrap();
        let layout = LayoutDb::open(&[]).unwrap();
        let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
        let output = place.path().join("x.regrow");
        archive(&source, examined, &output, &ArchiveOptions::default(), &Silent).unwrap();
        let reader = Reader::open(&output).unwrap();
        let stored: Vec<String> = reader
            .manifest()
            .entries
            .iter()
            .filter(|entry| entry.stored && entry.path.as_bytes().starts_with(b"/usr"))
            .map(|entry| entry.path.to_string())
            .collect();
        assert_eq!(stored, ["/usr", "/usr/app", "/usr/app/deep", "/usr/app/deep/mine"]);
    }
}
