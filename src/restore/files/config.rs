//! Where an archived file meets a file of the new system's packages.
//!
//! Three texts decide: the pristine one of the old version (base), the archived one (ours) and the
//! new default (theirs). Equal to the base on one side means that the other side's change stands;
//! changes in different places are merged line by line; where both changed the same lines nobody
//! but a person can decide. Ours stay active there, as the service was run with them, and both
//! texts are put beside. Without a base nothing can be merged: all of ours stays active.

use std::collections::BTreeMap;
use std::io::Read;

use crate::packages::{Installed, NEW_DEFAULT, OLD_TEXT, Role};
use crate::restore::files::address::{left_out, without_further};
use crate::restore::files::merge::{Merged, merge, same};
use crate::restore::value::config_merge::{ConfigMerge, Outcome};
use crate::tree::{
    ContentId, Draft, DraftContent, DraftNode, Entry, Kind, RootPath, Store, Tree, TreeError,
};
use crate::verdict::{Held, Worth};

/// Largest text that is merged, in bytes; larger files are data.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Largest program of the new system that is given an archived owner, mode and attributes.
const PROGRAM_LIMIT: u64 = 256 * 1024 * 1024;

/// The ending of an archived program that is put beside the new system's own.
const OLD_PROGRAM: &[u8] = b".regrow-old";

/// What came of all of them.
#[derive(Debug, Default)]
pub(in crate::restore) struct Met {
    /// In path order.
    pub(in crate::restore) merges: Vec<ConfigMerge>,
    /// Texts to be placed beside files once nothing edits the draft any more.
    pub(in crate::restore) beside: Vec<DraftNode>,
    /// The archived texts of files that took over something of the new default without a question.
    pub(in crate::restore) archived: BTreeMap<RootPath, Vec<u8>>,
    /// What a person is told of new defaults that were not taken over.
    pub(in crate::restore) held: Vec<Held>,
}

/// What archived files meet.
pub(in crate::restore) struct Ground<'a> {
    /// The staged system.
    pub(in crate::restore) target: &'a dyn Tree,
    /// Its packages.
    pub(in crate::restore) installed: &'a Installed,
    /// What rules call a path.
    pub(in crate::restore) worth: &'a dyn Fn(&RootPath) -> Option<Worth>,
    /// Whether a path was in a volume: it is placed into that, and no package has a say there.
    pub(in crate::restore) in_volume: &'a dyn Fn(&RootPath) -> bool,
    /// Whether what the staged system has is its image's own, and the old image's there was too.
    pub(in crate::restore) successor: bool,
}

/// Decides about every file of the settled `draft` that a package of the staged system brings too,
/// or a successor of the old image.
///
/// `bases` maps an archived content to the text it was made from.
pub(in crate::restore) fn meet(
    draft: &mut Draft,
    store: &dyn Store,
    bases: &BTreeMap<ContentId, ContentId>,
    ground: &Ground<'_>,
) -> Result<Met, TreeError> {
    let Ground { target, installed, worth, in_volume, successor } = *ground;
    let paths: Vec<RootPath> =
        draft.nodes().filter(|n| n.entry.kind.is_file()).map(|n| n.entry.path.clone()).collect();
    let mut met = Met::default();
    for path in paths {
        let Some(theirs) = target.entry(&path)?.filter(|entry| entry.kind.is_file()) else {
            continue;
        };
        let Some(DraftNode { content: DraftContent::Stored(id), entry }) = draft.get(&path) else {
            continue;
        };
        let (id, size) = (*id, entry.kind.size());
        let of_image = !is_configured(&path) && (in_volume(&path) || !is_owned(&path, installed));
        if of_image && (!successor || in_volume(&path)) {
            continue;
        }
        let runs = of_image && (entry.meta.mode | theirs.meta.mode) & 0o111 != 0;
        let own = matches!(worth(&path), Some(Worth::Secret | Worth::Data));
        let unedited = bases.get(&id) == Some(&id) && !own;
        if unedited && theirs.kind.size() <= PROGRAM_LIMIT {
            let new = content(target, &theirs)?;
            let ours = if size > LIMIT { None } else { Some(stored(store, id, &path)?) };
            if ours.as_ref() != Some(&new) {
                draft.write(&path, new);
                met.archived.extend(ours.map(|ours| (path.clone(), ours)));
                met.merges.push(ConfigMerge { path, outcome: Outcome::Dressed });
            }
            continue;
        }
        if size > LIMIT || theirs.kind.size() > LIMIT {
            if runs || is_program(&path, installed) {
                let outcome = hold_theirs(draft, target, &path)?;
                met.merges.push(ConfigMerge { path, outcome });
            }
            continue;
        }
        let ours = stored(store, id, &path)?;
        let new = content(target, &theirs)?;
        if ours == new {
            continue;
        }
        let base = bases.get(&id).map(|&base| stored(store, base, &path)).transpose()?;
        let outcome = if own {
            Outcome::Own
        } else if base.as_ref() == Some(&new) {
            Outcome::Ours
        } else if base.as_ref() == Some(&ours) {
            draft.write(&path, new);
            met.archived.insert(path.clone(), ours);
            Outcome::Dressed
        } else if is_program(&path, installed)
            || (runs && (base.is_none() || is_binary(&ours) || is_binary(&new)))
        {
            hold_theirs(draft, target, &path)?
        } else {
            // Lines of what is no text mean nothing.
            let base = base.filter(|_| !of_image || !(is_binary(&ours) || is_binary(&new)));
            let texts = Texts { base, ours, new, runs };
            texts.together(draft, target, (&entry.clone(), &theirs), &mut met)?
        };
        met.merges.push(ConfigMerge { path, outcome });
    }
    Ok(met)
}

/// The texts of one file.
struct Texts {
    base: Option<Vec<u8>>,
    ours: Vec<u8>,
    new: Vec<u8>,
    /// It is run: lines of two versions would not be.
    runs: bool,
}

impl Texts {
    /// Merges them, and puts beside what a person has to look at; `entries` are the archived file
    /// and the new system's.
    fn together(
        self,
        draft: &mut Draft,
        target: &dyn Tree,
        (entry, theirs): (&Entry, &Entry),
        met: &mut Met,
    ) -> Result<Outcome, TreeError> {
        let Texts { base, ours, new, runs } = self;
        let path = &entry.path;
        let merged = base.map(|base| {
            let without = without_further(&base, &ours, &new);
            if !without.lines.is_empty() && !runs {
                met.held.push(left_out(path, &without.lines));
            }
            merge(&base, &ours, &without.text)
        });
        Ok(match merged {
            Some(Merged { text, conflicts: 0 }) => {
                draft.write(path, text);
                met.archived.insert(path.clone(), ours);
                Outcome::Merged { lines: vec![] }
            }
            Some(_) if runs => hold_theirs(draft, target, path)?,
            Some(Merged { text, conflicts: places }) => {
                draft.write(path, text);
                let old = text_beside(draft, target, entry, OLD_TEXT, ours)?;
                let new = text_beside(draft, target, theirs, NEW_DEFAULT, new)?;
                let (archived, default) = (old.entry.path.clone(), new.entry.path.clone());
                met.beside.extend([old, new]);
                Outcome::MergedHeld { places, archived, default }
            }
            // With nothing else in effect there is nothing to be asked.
            None if !runs && same(&ours, &new) => Outcome::Ours,
            None => {
                let new = text_beside(draft, target, theirs, NEW_DEFAULT, new)?;
                let default = new.entry.path.clone();
                met.beside.push(new);
                Outcome::OursHeld { default }
            }
        })
    }
}

/// A file of configuration, whoever brought it.
fn is_configured(path: &RootPath) -> bool {
    path.as_bytes().starts_with(b"/etc/")
}

/// A file that packages bring; anything else that is there is data, and ours.
fn is_owned(path: &RootPath, installed: &Installed) -> bool {
    installed.claims(path).next().is_some()
}

/// A file that a package owns outside the places where configuration and data live.
fn is_program(path: &RootPath, installed: &Installed) -> bool {
    let data = ["/etc/", "/var/", "/srv/", "/home/", "/root/", "/opt/", "/usr/local/"];
    installed.claims(path).next().is_some_and(|claim| claim.role != Role::Config)
        && !data.iter().any(|dir| path.as_bytes().starts_with(dir.as_bytes()))
}

/// Whether a content is no text.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.contains(&0)
}

/// Moves the archived file aside: the new system's own stays.
fn hold_theirs(
    draft: &mut Draft,
    target: &dyn Tree,
    path: &RootPath,
) -> Result<Outcome, TreeError> {
    let archived = free_beside(draft, target, path, OLD_PROGRAM)?;
    for mut node in draft.take(path) {
        node.entry.path = archived.clone();
        draft.put(node);
    }
    Ok(Outcome::TheirsHeld { archived })
}

/// A file of `text`, which is that of `entry`, beside it under a name with `ending`.
fn text_beside(
    draft: &Draft,
    target: &dyn Tree,
    entry: &Entry,
    ending: &[u8],
    text: Vec<u8>,
) -> Result<DraftNode, TreeError> {
    let entry = Entry {
        path: free_beside(draft, target, &entry.path, ending)?,
        kind: Kind::File { size: text.len() as u64 },
        links: None,
        ..entry.clone()
    };
    Ok(DraftNode { entry, content: DraftContent::Bytes(text) })
}

/// The name of `path` with `ending`, and with a number where that is taken: the user may have kept
/// a text of an earlier upgrade there.
fn free_beside(
    draft: &Draft,
    target: &dyn Tree,
    path: &RootPath,
    ending: &[u8],
) -> Result<RootPath, TreeError> {
    let parent = path.parent().unwrap_or_else(RootPath::root);
    let mut name = [path.name(), ending].concat();
    for number in 1.. {
        let beside = parent.child(&name);
        if draft.get(&beside).is_none() && target.entry(&beside)?.is_none() {
            return Ok(beside);
        }
        name = [path.name(), ending, format!(".{number}").as_bytes()].concat();
    }
    Ok(parent.child(&name))
}

/// The path whose new default stands beside it at `path`, if that is what such a name says.
pub(in crate::restore) fn default_of(path: &RootPath) -> Option<RootPath> {
    let at = path.name().windows(NEW_DEFAULT.len()).position(|part| part == NEW_DEFAULT)?;
    Some(path.parent()?.child(&path.name()[..at])).filter(|_| at > 0)
}

fn stored(store: &dyn Store, id: ContentId, path: &RootPath) -> Result<Vec<u8>, TreeError> {
    let failed = |e| TreeError::io("reading the archived", path, e);
    let mut bytes = Vec::new();
    store.open(id).map_err(failed)?.take(LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn content(tree: &dyn Tree, entry: &Entry) -> Result<Vec<u8>, TreeError> {
    let mut bytes = Vec::new();
    tree.open(entry)?
        .take(PROGRAM_LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|e| TreeError::io("reading the new", &entry.path, e))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::tree::Meta;
    use crate::tree::memory::{MemoryTree, Texts};

    const BASE: &str = "port 22\nbanner none\nlog auth\n";
    const OURS: &str = "port 2222\nbanner none\nlog auth\n";

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    /// A system with one package, which owns `/etc/app.conf`, a conffile, and `/usr/bin/app`.
    fn system(at: &str, text: &str) -> MemoryTree {
        let status = "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
                      Conffiles:\n /etc/app.conf 0123456789abcdef0123456789abcdef\n";
        MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file(
                "/var/lib/dpkg/info/app.list",
                "/.\n/etc\n/etc/app.conf\n/usr/bin/app\n/volume/app\n",
            )
            .file(at, text)
    }

    fn ground<'a>(
        target: &'a MemoryTree,
        installed: &'a Installed,
        worth: &'a dyn Fn(&RootPath) -> Option<Worth>,
    ) -> Ground<'a> {
        let successor = target.entry(&path("/app/settings")).unwrap().is_some();
        let in_volume = &|path: &RootPath| path.as_bytes().starts_with(b"/volume/");
        Ground { target, installed, worth, in_volume, successor }
    }

    /// What becomes of the archived file `at` with the text [`OURS`], and everything in the draft.
    fn met(
        at: &str,
        base: Option<&'static str>,
        theirs: &str,
        worth: Option<Worth>,
    ) -> (Vec<ConfigMerge>, BTreeMap<String, String>) {
        let texts = [OURS, base.unwrap_or_default()];
        let store = Texts(&texts);
        let pristine = base.map(|_| (ContentId(0), ContentId(1))).into_iter().collect();
        let meta = Meta::root(0o600);
        let kind = Kind::File { size: OURS.len() as u64 };
        let entry = Entry::new(path(at), kind, meta);
        let mut draft = Draft::default();
        draft.put(DraftNode { entry, content: DraftContent::Stored(ContentId(0)) });
        let target = system(at, theirs);
        let installed = Installed::load(&target).unwrap();
        let met =
            meet(&mut draft, &store, &pristine, &ground(&target, &installed, &|_| worth)).unwrap();
        met.beside.into_iter().for_each(|node| draft.put(node));
        let merges = met.merges;
        let text = |node: &DraftNode| match &node.content {
            DraftContent::Stored(id) => texts[id.0 as usize].to_owned(),
            DraftContent::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            DraftContent::None => String::new(),
        };
        let files = draft.nodes().map(|n| (n.entry.path.to_string(), text(n))).collect();
        (merges, files)
    }

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(at, text)| ((*at).to_owned(), (*text).to_owned())).collect()
    }

    fn one(at: &str, outcome: Outcome) -> Vec<ConfigMerge> {
        vec![ConfigMerge { path: path(at), outcome }]
    }

    #[test]
    fn an_unchanged_default_leaves_the_archived_text() {
        let (merges, found) = met("/etc/app.conf", Some(BASE), BASE, None);
        assert_eq!(merges, one("/etc/app.conf", Outcome::Ours));
        assert_eq!(found, files(&[("/etc/app.conf", OURS)]));
        assert_eq!(merges[0].held(), None);
    }

    #[test]
    fn an_unknown_default_with_nothing_else_in_effect_is_no_question() {
        let (merges, found) = met("/etc/app.conf", None, &format!("# new\n{OURS}"), None);
        assert_eq!(merges, one("/etc/app.conf", Outcome::Ours));
        assert_eq!(found, files(&[("/etc/app.conf", OURS)]));
    }

    #[test]
    fn changes_in_different_places_are_merged() {
        let new = "port 22\nbanner none\nlog authpriv\n";
        let (merges, found) = met("/etc/app.conf", Some(BASE), new, None);
        assert_eq!(merges, one("/etc/app.conf", Outcome::Merged { lines: vec![] }));
        let merged = "port 2222\nbanner none\nlog authpriv\n";
        assert_eq!(found, files(&[("/etc/app.conf", merged)]));
    }

    #[test]
    fn changes_of_the_same_line_are_held_with_both_texts() {
        let new = "port 8022\nbanner none\nlog authpriv\n";
        let (merges, found) = met("/etc/app.conf", Some(BASE), new, None);
        let outcome = Outcome::MergedHeld {
            places: 1,
            archived: path("/etc/app.conf.dpkg-old"),
            default: path("/etc/app.conf.dpkg-dist"),
        };
        assert_eq!(merges, one("/etc/app.conf", outcome));
        let merged = "port 2222\nbanner none\nlog authpriv\n";
        let all = files(&[
            ("/etc/app.conf", merged),
            ("/etc/app.conf.dpkg-dist", new),
            ("/etc/app.conf.dpkg-old", OURS),
        ]);
        assert_eq!(found, all);
        let held = merges[0].held().unwrap();
        assert_eq!(held.subject, "/etc/app.conf");
        assert!(held.why.contains("the archived file is /etc/app.conf.dpkg-old"));
        assert!(held.why.ends_with("the new default is /etc/app.conf.dpkg-dist"));
    }

    #[test]
    fn a_file_of_an_image_is_merged_with_its_successors() {
        let new = "port 22\nbanner none\nlog authpriv\n";
        let (merges, found) = met("/app/settings", Some(BASE), new, None);
        assert_eq!(merges, one("/app/settings", Outcome::Merged { lines: vec![] }));
        let merged = "port 2222\nbanner none\nlog authpriv\n";
        assert_eq!(found, files(&[("/app/settings", merged)]));
        // Nobody knows what is older.
        let (merges, _) = met("/app/settings", None, new, None);
        let default = path("/app/settings.dpkg-dist");
        assert_eq!(merges, one("/app/settings", Outcome::OursHeld { default }));
    }

    #[test]
    fn a_further_local_address_of_a_new_default_is_not_merged_and_told() {
        let texts = ["port 2\nx\ny\nlisten 127.0.0.1\n", "port 1\nx\ny\nlisten 127.0.0.1\n"];
        let mut draft = Draft::default();
        let kind = Kind::File { size: texts[0].len() as u64 };
        let at = path("/etc/app.conf");
        let entry = Entry::new(at.clone(), kind, Meta::root(0o600));
        draft.put(DraftNode { entry, content: DraftContent::Stored(ContentId(0)) });
        let theirs = "port 1\nx\ny\nlisten 127.0.0.1\nlisten ::1\nnew\n";
        let target = system("/etc/app.conf", theirs);
        let installed = Installed::load(&target).unwrap();
        let pristine = [(ContentId(0), ContentId(1))].into();
        let ground = ground(&target, &installed, &|_| None);
        let met = meet(&mut draft, &Texts(&texts), &pristine, &ground).unwrap();
        let merged = "port 2\nx\ny\nlisten 127.0.0.1\nnew\n";
        assert_eq!(draft.get(&at).unwrap().content, DraftContent::Bytes(merged.into()));
        let told: Vec<&str> = met.held.iter().map(|held| held.why.as_str()).collect();
        assert!(matches!(told[..], [why] if why.contains("`listen ::1`")), "{told:?}");
    }

    #[test]
    fn an_unedited_file_takes_the_new_text() {
        let new = "port 22\nbanner all\n";
        let (merges, found) = met("/etc/app.conf", Some(OURS), new, None);
        assert_eq!(merges, one("/etc/app.conf", Outcome::Dressed));
        assert_eq!(found, files(&[("/etc/app.conf", new)]));
    }

    #[test]
    fn a_program_of_any_size_with_another_mode_is_the_new_one_with_that_mode() {
        let large: &'static str = "old ".repeat(LIMIT as usize / 4 + 1).leak();
        for (ours, new) in [(large, "new"), ("old", "new")] {
            let ours_alone = [ours];
            let store = Texts(&ours_alone);
            let pristine = [(ContentId(0), ContentId(0))].into();
            let mut draft = Draft::default();
            let kind = Kind::File { size: ours.len() as u64 };
            let meta = Meta::root(0o4750);
            let at = path("/usr/bin/app");
            let entry = Entry::new(at.clone(), kind, meta);
            draft.put(DraftNode { entry, content: DraftContent::Stored(ContentId(0)) });
            let target = system("/usr/bin/app", new);
            let installed = Installed::load(&target).unwrap();
            let met = meet(&mut draft, &store, &pristine, &ground(&target, &installed, &|_| None))
                .unwrap();
            assert_eq!(met.merges, one("/usr/bin/app", Outcome::Dressed));
            let node = draft.get(&at).unwrap();
            assert_eq!(node.content, DraftContent::Bytes(new.into()));
            assert_eq!(node.entry.meta.mode, 0o4750);
        }
    }

    #[test]
    fn without_the_old_default_a_difference_is_held() {
        let (merges, found) = met("/etc/other.conf", None, BASE, None);
        assert_eq!(
            merges,
            one(
                "/etc/other.conf",
                Outcome::OursHeld { default: path("/etc/other.conf.dpkg-dist") }
            )
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_changed_program_is_put_aside_and_the_new_one_stays() {
        let (merges, found) = met("/usr/bin/app", Some(BASE), "new program\n", None);
        assert_eq!(
            merges,
            one("/usr/bin/app", Outcome::TheirsHeld { archived: path("/usr/bin/app.regrow-old") })
        );
        assert_eq!(found, files(&[("/usr/bin/app.regrow-old", OURS)]));
        let held = merges[0].held().unwrap();
        assert!(held.why.ends_with("the archived one is /usr/bin/app.regrow-old"));
    }

    #[test]
    fn a_secret_takes_the_place_of_a_fresh_one_and_nothing_is_put_beside_it() {
        for worth in [Worth::Secret, Worth::Data] {
            let (merges, found) = met("/etc/app.key", None, "fresh key\n", Some(worth));
            assert_eq!(merges, one("/etc/app.key", Outcome::Own));
            assert_eq!(found, files(&[("/etc/app.key", OURS)]));
        }
        let (merges, _) = met("/etc/app.key", None, "fresh\n", Some(Worth::Config));
        assert_eq!(
            merges,
            one("/etc/app.key", Outcome::OursHeld { default: path("/etc/app.key.dpkg-dist") })
        );
    }

    #[test]
    fn in_a_volume_no_package_has_a_say() {
        let (merges, found) = met("/volume/app", Some(BASE), "new\n", None);
        assert_eq!(merges, vec![]);
        assert_eq!(found, files(&[("/volume/app", OURS)]));
    }

    #[test]
    fn equal_texts_and_data_that_no_package_brings_do_not_meet() {
        for (at, theirs) in [("/etc/app.conf", OURS), ("/srv/data", "anything\n")] {
            let (merges, found) = met(at, Some(BASE), theirs, None);
            assert_eq!(merges, vec![]);
            assert_eq!(found, files(&[(at, OURS)]));
        }
    }

    #[test]
    fn a_text_of_an_earlier_upgrade_is_not_overwritten() {
        let target = system("/etc/app.conf", BASE).file("/etc/app.conf.dpkg-dist.1", "theirs");
        let mut draft = Draft::default();
        let meta = Meta::root(0o600);
        let kind = Kind::File { size: 4 };
        let at = path("/etc/app.conf.dpkg-dist");
        let entry = Entry::new(at.clone(), kind, meta);
        let mine = DraftContent::Bytes(b"mine".to_vec());
        draft.put(DraftNode { entry: entry.clone(), content: mine.clone() });
        let entry = Entry { path: path("/etc/app.conf"), ..entry };
        let beside = text_beside(&draft, &target, &entry, NEW_DEFAULT, b"new".to_vec()).unwrap();
        assert_eq!(beside.entry.path, path("/etc/app.conf.dpkg-dist.2"));
        assert_eq!(draft.get(&at).unwrap().content, mine);
    }
}
