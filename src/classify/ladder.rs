//! The ladder: from evidence to a verdict, written once, as a table.
//!
//! The rungs are tried from the top; the first that has something to say decides. The last one
//! keeps: what no evidence explains cannot be had again. Being old and being equal to the image
//! are evidence, but no rung leaves a path out because of them alone.

use std::fmt;

use super::evidence::{Content, Evidence, LogPolicy, Place, Said, Template, UserChoice};
use crate::declared::Nature;
use crate::environments::{Part, PartOf};
use crate::image::Difference;
use crate::layout::Worth;
use crate::tree::FileType;
use crate::verdict::{Class, Origin};

/// Why a path has its class. The words are shown to people and stored in bundles.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The user's `--include`.
    Included(String),
    /// The user's `--exclude`.
    Excluded(String),
    /// Sockets hold nothing.
    Socket,
    /// A place that only a running system fills.
    Runtime,
    /// The engine writes it into every container.
    EngineManaged,
    /// Merged by name at the restore.
    Accounts,
    /// Everything in a volume is kept.
    Volume,
    /// Like a volume: on the user's request.
    Bind,
    /// A rule, with its application and its own words.
    Rule {
        /// The rule's application.
        app: String,
        /// What the rule calls the path.
        worth: Worth,
        /// The rule's reason.
        why: String,
    },
    /// A package no repository offers.
    NotOffered(String),
    /// A package's file with other content.
    PackageFileChanged(String),
    /// A configuration file that somebody edited.
    ConffileEdited(String),
    /// A package's path with another owner, mode or attributes.
    PackageMetaChanged(String),
    /// A package's path with an owner, mode or attributes of its own, which nothing recorded.
    PackageMetaUnrecorded(String),
    /// What every system has, and the image with another owner, mode or attributes.
    MetaChanged,
    /// As the package ships it.
    AsPackaged(String),
    /// Recorded by no digest, but by origin and time as the package left it.
    AsInstalled(String),
    /// No digest recorded, and changed since the baseline.
    PackageFileNewer(String),
    /// A file managed by ucf, unchanged.
    UcfPristine,
    /// A file managed by ucf that somebody edited.
    UcfEdited,
    /// A file managed by ucf that its package made of answers, edited or not.
    UcfAnswered,
    /// A copy of what a package brings.
    TemplateCopy(Template),
    /// Chosen by the alternatives system.
    AlternativeAuto,
    /// Chosen by hand in the alternatives system.
    AlternativeManual,
    /// What the system's own files say.
    Said(Said),
    /// In an environment of a language's package manager.
    Environment(PartOf),
    /// Compiled from the source beside it.
    Compiled,
    /// Equal in the image that can be had again.
    InBase,
    /// Somebody removed what was there.
    Removed,
    /// Nothing explains it.
    Unexplained,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Included(glob) => write!(f, "included by `{glob}`"),
            Reason::Excluded(glob) => write!(f, "excluded by `{glob}`"),
            Reason::Socket => f.write_str("a socket has no content"),
            Reason::Runtime => f.write_str("only a running system writes there"),
            Reason::EngineManaged => f.write_str("the engine writes it into every container"),
            Reason::Accounts => f.write_str("accounts: merged by name"),
            Reason::Volume => f.write_str("in a volume"),
            Reason::Bind => f.write_str("in a bind mount"),
            Reason::Rule { app, worth, why } => write!(f, "{} of {app}: {why}", worth.word()),
            Reason::NotOffered(package) => write!(f, "no repository offers package {package}"),
            Reason::PackageFileChanged(package) => write!(f, "differs from package {package}"),
            Reason::ConffileEdited(package) => {
                write!(f, "configuration of package {package}, edited")
            }
            Reason::PackageMetaChanged(package) => {
                write!(f, "owner, mode or attributes differ from package {package}")
            }
            Reason::PackageMetaUnrecorded(package) => {
                write!(f, "of package {package}, with an owner, mode or attributes on no record")
            }
            Reason::MetaChanged => f.write_str("owner, mode or attributes differ from the image"),
            Reason::AsPackaged(package) => write!(f, "as package {package} ships it"),
            Reason::AsInstalled(package) => write!(f, "as package {package} left it"),
            Reason::PackageFileNewer(package) => {
                write!(f, "of package {package}, without a digest, changed since the baseline")
            }
            Reason::UcfPristine => f.write_str("as its package generated it"),
            Reason::UcfEdited => f.write_str("generated by its package, then edited"),
            Reason::UcfAnswered => {
                f.write_str("generated by its package from the answers to its questions")
            }
            Reason::TemplateCopy(template) => write!(f, "copy of {template}"),
            Reason::AlternativeAuto => f.write_str("link chosen by the alternatives system"),
            Reason::AlternativeManual => f.write_str("alternative chosen by hand"),
            Reason::Said(said) => write!(f, "{said}"),
            Reason::Environment(part) => part.fmt(f),
            Reason::Compiled => f.write_str("compiled from the source beside it"),
            Reason::InBase => f.write_str("the base image holds the same"),
            Reason::Removed => f.write_str("removed by hand"),
            Reason::Unexplained => f.write_str("nothing explains it"),
        }
    }
}

/// What becomes of a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The class.
    pub class: Class,
    /// The reason.
    pub reason: Reason,
    /// The name of the rung that decided.
    pub rung: &'static str,
}

/// One step of the ladder.
struct Rung {
    /// Its name in `explain`.
    name: &'static str,
    /// What it says, or nothing.
    says: fn(&Evidence) -> Option<(Class, Reason)>,
}

/// The ladder, from the strongest evidence down.
const LADDER: &[Rung] = &[
    Rung { name: "user's glob", says: user_glob },
    Rung { name: "socket", says: socket },
    Rung { name: "place", says: place },
    Rung { name: "mount", says: mount },
    Rung { name: "package without a repository", says: not_offered },
    Rung { name: "package's configuration", says: conffile },
    Rung { name: "package's digest", says: digest },
    Rung { name: "package without a digest", says: no_digest },
    Rung { name: "alternatives", says: alternatives },
    Rung { name: "ucf", says: ucf },
    Rung { name: "template", says: template },
    Rung { name: "changed directory", says: changed_directory },
    Rung { name: "rule", says: rule },
    Rung { name: "environment", says: environment },
    Rung { name: "compiled", says: compiled },
    Rung { name: "base image", says: base },
    Rung { name: "declaration", says: said },
    Rung { name: "unexplained", says: unexplained },
];

/// Judges a path by its evidence.
pub fn decide(evidence: &Evidence) -> Verdict {
    LADDER
        .iter()
        .find_map(|rung| {
            (rung.says)(evidence).map(|(class, reason)| Verdict { class, reason, rung: rung.name })
        })
        // The last rung always answers; this keeps even if it is ever removed.
        .unwrap_or(Verdict {
            class: Class::Mutable,
            reason: Reason::Unexplained,
            rung: "unexplained",
        })
}

/// The names of all rungs in order, each with whether it had something to say.
pub fn climb(evidence: &Evidence) -> Vec<(&'static str, Option<(Class, Reason)>)> {
    LADDER.iter().map(|rung| (rung.name, (rung.says)(evidence))).collect()
}

fn user_glob(e: &Evidence) -> Option<(Class, Reason)> {
    match e.user.as_ref()? {
        UserChoice::Include(glob) => Some((Class::Mutable, Reason::Included(glob.clone()))),
        UserChoice::Exclude(glob) => Some((Class::Ephemeral, Reason::Excluded(glob.clone()))),
    }
}

fn socket(e: &Evidence) -> Option<(Class, Reason)> {
    (e.file_type == FileType::Socket).then_some((Class::Ephemeral, Reason::Socket))
}

fn place(e: &Evidence) -> Option<(Class, Reason)> {
    match e.place {
        Place::Ordinary => None,
        Place::Runtime => Some((Class::Ephemeral, Reason::Runtime)),
        Place::EngineManaged => Some((Class::Identity, Reason::EngineManaged)),
        Place::Accounts => Some((Class::Mutable, Reason::Accounts)),
    }
}

fn mount(e: &Evidence) -> Option<(Class, Reason)> {
    match e.origin {
        Origin::Volume => Some((Class::Mutable, Reason::Volume)),
        Origin::Bind => Some((Class::Mutable, Reason::Bind)),
        Origin::Base | Origin::Image | Origin::Container | Origin::Root => None,
    }
}

fn not_offered(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref()?;
    // A directory alone is made again by whatever needs it.
    (package.offered == Some(false) && e.file_type != FileType::Dir)
        .then(|| (Class::Mutable, Reason::NotOffered(package.name.clone())))
}

fn conffile(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref().filter(|p| p.conffile)?;
    match package.content {
        Content::Differs => Some((Class::Mutable, Reason::ConffileEdited(package.name.clone()))),
        Content::Equal | Content::Unrecorded => None,
    }
}

fn digest(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref()?;
    let name = || package.name.clone();
    match (package.content, e.image) {
        (Content::Differs, _) => Some((Class::Mutable, Reason::PackageFileChanged(name()))),
        // A record inside the source is a claim: content that the image shows to be another wins.
        (Content::Equal, Some(Difference::Content)) => {
            Some((Class::Mutable, Reason::PackageFileChanged(name())))
        }
        (Content::Equal, Some(Difference::Meta)) => {
            Some((Class::Mutable, Reason::PackageMetaChanged(name())))
        }
        (Content::Equal, _) if package.meta == Content::Differs => {
            Some((Class::Mutable, Reason::PackageMetaChanged(name())))
        }
        // Installed in the container's life: nothing to compare with but what nearly all files are.
        (Content::Equal, None)
            if !e.plain && e.origin == Origin::Container && package.meta == Content::Unrecorded =>
        {
            Some((Class::Mutable, Reason::PackageMetaUnrecorded(name())))
        }
        (Content::Equal, _) => Some((Class::Immutable, Reason::AsPackaged(name()))),
        (Content::Unrecorded, _) => None,
    }
}

fn no_digest(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref().filter(|p| p.content == Content::Unrecorded)?;
    let name = || package.name.clone();
    let differs = package.meta == Content::Differs;
    let vouched_for = match e.file_type {
        FileType::Symlink => e.usual_link || e.image == Some(Difference::Same),
        _ => e.image == Some(Difference::Same) || e.newer == Some(false),
    };
    match (e.file_type, e.image) {
        (_, Some(Difference::Meta)) => Some((Class::Mutable, Reason::PackageMetaChanged(name()))),
        (FileType::Dir, _) if differs => Some((Class::Mutable, Reason::PackageMetaChanged(name()))),
        // Nothing to compare with: what is not as nearly all directories are is kept.
        (FileType::Dir, None | Some(Difference::Added))
            if !e.plain && package.meta == Content::Unrecorded =>
        {
            Some((Class::Mutable, Reason::PackageMetaUnrecorded(name())))
        }
        (FileType::Dir, _) => Some((Class::Immutable, Reason::AsInstalled(name()))),
        (_, Some(Difference::Content)) => {
            Some((Class::Mutable, Reason::PackageFileChanged(name())))
        }
        // A package's file that nothing vouches for: the claim alone drops nothing.
        _ if !vouched_for => Some((Class::Mutable, Reason::PackageFileNewer(name()))),
        _ if differs => Some((Class::Mutable, Reason::PackageMetaChanged(name()))),
        _ => Some((Class::Immutable, Reason::AsInstalled(name()))),
    }
}

fn alternatives(e: &Evidence) -> Option<(Class, Reason)> {
    match e.alternative? {
        true => Some((Class::Immutable, Reason::AlternativeAuto)),
        false => Some((Class::Mutable, Reason::AlternativeManual)),
    }
}

fn ucf(e: &Evidence) -> Option<(Class, Reason)> {
    match e.ucf? {
        Content::Equal | Content::Differs if !e.ucf_shipped => {
            Some((Class::Mutable, Reason::UcfAnswered))
        }
        Content::Equal if meta_changed(e) => Some((Class::Mutable, Reason::MetaChanged)),
        Content::Equal => Some((Class::Immutable, Reason::UcfPristine)),
        Content::Differs => Some((Class::Mutable, Reason::UcfEdited)),
        Content::Unrecorded => None,
    }
}

/// A directory that every system has is made again, but not as somebody changed it.
fn changed_directory(e: &Evidence) -> Option<(Class, Reason)> {
    let made_again = e.rule.as_ref().is_some_and(|rule| rule.worth == Worth::Generated);
    (made_again && e.file_type == FileType::Dir && meta_changed(e))
        .then_some((Class::Mutable, Reason::MetaChanged))
}

/// Whether the image has the same content with another owner, mode or attributes.
fn meta_changed(e: &Evidence) -> bool {
    e.image == Some(Difference::Meta)
}

fn rule(e: &Evidence) -> Option<(Class, Reason)> {
    let rule = e.rule.as_ref()?;
    let class = match rule.worth {
        // A copy that equals its template was explained by the rung before.
        Worth::Config | Worth::Data | Worth::Secret | Worth::TemplateCopy => Class::Mutable,
        Worth::Log if e.logs == LogPolicy::Keep => Class::Mutable,
        Worth::Log | Worth::Cache | Worth::Runtime => Class::Ephemeral,
        Worth::Generated | Worth::VersionBound => Class::Immutable,
        Worth::Identity => Class::Identity,
    };
    let (app, worth, why) = (rule.app.clone(), rule.worth, rule.why.clone());
    Some((class, Reason::Rule { app, worth, why }))
}

fn template(e: &Evidence) -> Option<(Class, Reason)> {
    let template = e.template.clone()?;
    Some(match meta_changed(e) {
        true => (Class::Mutable, Reason::MetaChanged),
        false => (Class::Immutable, Reason::TemplateCopy(template)),
    })
}

/// Rules of applications know more than what a system says of itself.
fn said(e: &Evidence) -> Option<(Class, Reason)> {
    let said = e.said.as_ref()?;
    let class = match said.nature() {
        Nature::Generated => Class::Immutable,
        Nature::Cache | Nature::Runtime => Class::Ephemeral,
        Nature::Log if e.logs == LogPolicy::Drop => Class::Ephemeral,
        Nature::Log | Nature::State | Nature::Choice => Class::Mutable,
    };
    Some((class, Reason::Said(said.clone())))
}

fn environment(e: &Evidence) -> Option<(Class, Reason)> {
    let found = e.environment.as_ref()?;
    let class = match &found.part {
        Part::Made | Part::Installed { unchanged: true, .. } => Class::Immutable,
        // What can be had again in another way needs no keeping.
        _ if e.compiled || e.in_base => return None,
        Part::Root
        | Part::Edited
        | Part::Installed { unchanged: false, .. }
        | Part::NoIndex { .. }
        | Part::Own { .. }
        | Part::Whole { .. } => Class::Mutable,
    };
    Some((class, Reason::Environment(found.clone())))
}

fn compiled(e: &Evidence) -> Option<(Class, Reason)> {
    e.compiled.then_some((Class::Immutable, Reason::Compiled))
}

fn base(e: &Evidence) -> Option<(Class, Reason)> {
    e.in_base.then_some((Class::Immutable, Reason::InBase))
}

fn unexplained(_: &Evidence) -> Option<(Class, Reason)> {
    Some((Class::Mutable, Reason::Unexplained))
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{PackageEvidence, RuleEvidence};
    use super::*;
    use crate::verdict::Origin;

    fn file() -> Evidence {
        Evidence::none(FileType::File, Origin::Image)
    }

    fn package(conffile: bool, content: Content) -> Option<PackageEvidence> {
        Some(PackageEvidence {
            name: "samba".into(),
            conffile,
            content,
            meta: Content::Unrecorded,
            offered: None,
        })
    }

    fn class(e: &Evidence) -> Class {
        decide(e).class
    }

    #[test]
    fn being_old_or_equal_to_the_image_explains_nothing() {
        let e = Evidence { image: Some(Difference::Same), newer: Some(false), ..file() };
        assert_eq!(decide(&e).reason, Reason::Unexplained);
        assert_eq!(class(&e), Class::Mutable);
    }

    #[test]
    fn a_record_inside_the_source_does_not_hide_what_the_image_shows() {
        let forged = Evidence {
            package: package(false, Content::Equal),
            image: Some(Difference::Content),
            ..file()
        };
        assert_eq!(decide(&forged).reason, Reason::PackageFileChanged("samba".into()));
        let mut record = package(false, Content::Equal);
        if let Some(package) = &mut record {
            package.meta = Content::Differs;
        }
        let opened = Evidence { package: record, image: None, ..file() };
        assert_eq!(decide(&opened).reason, Reason::PackageMetaChanged("samba".into()));
        // Installed in the very layer that holds it: nothing to compare with but the record.
        let upgraded = Evidence { package: package(false, Content::Equal), image: None, ..file() };
        assert_eq!(class(&upgraded), Class::Immutable);
    }

    #[test]
    fn a_user_glob_beats_all_other_evidence() {
        let excluded = Evidence {
            user: Some(UserChoice::Exclude("/srv/**".into())),
            origin: Origin::Volume,
            ..file()
        };
        assert_eq!(class(&excluded), Class::Ephemeral);
        let included = Evidence {
            user: Some(UserChoice::Include("/tmp/**".into())),
            place: Place::Runtime,
            ..file()
        };
        assert_eq!(class(&included), Class::Mutable);
    }

    #[test]
    fn a_packaged_file_is_left_out_only_while_its_digest_agrees() {
        let equal = Evidence { package: package(false, Content::Equal), ..file() };
        let differs = Evidence { package: package(false, Content::Differs), ..file() };
        assert_eq!(class(&equal), Class::Immutable);
        assert_eq!(decide(&differs).reason, Reason::PackageFileChanged("samba".into()));
    }

    #[test]
    fn an_edited_conffile_is_kept_and_an_untouched_one_is_not() {
        let edited = Evidence { package: package(true, Content::Differs), ..file() };
        let pristine = Evidence { package: package(true, Content::Equal), ..file() };
        assert_eq!(decide(&edited).reason, Reason::ConffileEdited("samba".into()));
        assert_eq!(class(&pristine), Class::Immutable);
    }

    #[test]
    fn a_changed_mode_on_a_packaged_file_is_kept() {
        let e = Evidence {
            package: package(false, Content::Equal),
            image: Some(Difference::Meta),
            ..file()
        };
        assert_eq!(decide(&e).reason, Reason::PackageMetaChanged("samba".into()));
        assert_eq!(class(&e), Class::Mutable);
    }

    #[test]
    fn the_owner_of_a_packages_directory_is_kept_where_nothing_says_what_it_was() {
        let found = |file_type, image, plain| {
            let package = package(false, Content::Unrecorded);
            decide(&Evidence { file_type, package, image, plain, newer: Some(false), ..file() })
                .reason
        };
        let installed = Reason::AsInstalled("samba".into());
        let unrecorded = Reason::PackageMetaUnrecorded("samba".into());
        assert_eq!(found(FileType::Dir, None, true), installed);
        assert_eq!(found(FileType::Dir, None, false), unrecorded);
        assert_eq!(found(FileType::Dir, Some(Difference::Added), false), unrecorded);
        assert_eq!(found(FileType::Dir, Some(Difference::Same), false), installed);
        let mut e = Evidence { file_type: FileType::Dir, plain: false, ..file() };
        e.package = package(false, Content::Unrecorded);
        e.package.as_mut().unwrap().meta = Content::Equal;
        assert_eq!(decide(&e).reason, installed);
    }

    #[test]
    fn a_directory_that_every_system_has_is_kept_when_somebody_changed_it() {
        let rule = |worth| Some(RuleEvidence { app: "x".into(), worth, why: "w".into() });
        let found = |file_type, worth, image| {
            decide(&Evidence { file_type, rule: rule(worth), image: Some(image), ..file() }).class
        };
        assert_eq!(found(FileType::Dir, Worth::Generated, Difference::Meta), Class::Mutable);
        assert_eq!(found(FileType::Dir, Worth::Generated, Difference::Same), Class::Immutable);
        assert_eq!(found(FileType::Dir, Worth::Runtime, Difference::Meta), Class::Ephemeral);
        assert_eq!(found(FileType::File, Worth::Generated, Difference::Meta), Class::Immutable);
    }

    #[test]
    fn an_unusual_mode_of_a_package_installed_in_life_is_kept() {
        let reason = |origin, image, plain| {
            let package = package(false, Content::Equal);
            decide(&Evidence { package, image, plain, origin, ..file() }).reason
        };
        let unrecorded = Reason::PackageMetaUnrecorded("samba".into());
        let packaged = Reason::AsPackaged("samba".into());
        assert_eq!(reason(Origin::Container, None, false), unrecorded);
        assert_eq!(reason(Origin::Container, None, true), packaged);
        assert_eq!(reason(Origin::Image, Some(Difference::Same), false), packaged);
        // A plain root has set-id programs too, and nothing says which are the packages'.
        assert_eq!(reason(Origin::Root, None, false), packaged);
    }

    #[test]
    fn a_copy_with_another_mode_is_kept() {
        let copied = Evidence { template: Some(Template::Script), ..file() };
        let made = Evidence { ucf: Some(Content::Equal), ucf_shipped: true, ..file() };
        for e in [copied, made] {
            assert_eq!(class(&e), Class::Immutable);
            let e = Evidence { image: Some(Difference::Meta), ..e };
            assert_eq!(decide(&e).reason, Reason::MetaChanged);
        }
    }

    #[test]
    fn a_file_of_a_package_that_no_repository_offers_is_kept_whole() {
        let mut e = Evidence { package: package(false, Content::Equal), ..file() };
        e.package.as_mut().unwrap().offered = Some(false);
        assert_eq!(decide(&e).reason, Reason::NotOffered("samba".into()));
    }

    #[test]
    fn a_package_without_digests_vouches_only_for_what_image_or_time_confirm() {
        let bare = Evidence { package: package(false, Content::Unrecorded), ..file() };
        assert_eq!(class(&bare), Class::Mutable);
        let old = Evidence { newer: Some(false), ..bare.clone() };
        assert_eq!(class(&old), Class::Immutable);
        let same = Evidence { image: Some(Difference::Same), newer: Some(true), ..bare.clone() };
        assert_eq!(class(&same), Class::Immutable);
        // That the mode is another says nothing of the content.
        let reason = |image, newer| {
            let mut e = Evidence { image, newer, ..bare.clone() };
            e.package.as_mut().unwrap().meta = Content::Differs;
            decide(&e).reason
        };
        let changed = Reason::PackageFileChanged("samba".into());
        assert_eq!(reason(Some(Difference::Content), Some(false)), changed);
        assert_eq!(reason(None, None), Reason::PackageFileNewer("samba".into()));
        assert_eq!(reason(None, Some(false)), Reason::PackageMetaChanged("samba".into()));
    }

    #[test]
    fn logs_follow_the_users_policy() {
        let rule = RuleEvidence { app: "x".into(), worth: Worth::Log, why: "w".into() };
        let keep = Evidence { rule: Some(rule), ..file() };
        assert_eq!(class(&keep), Class::Mutable);
        assert_eq!(class(&Evidence { logs: LogPolicy::Drop, ..keep }), Class::Ephemeral);
    }

    #[test]
    fn the_name_of_the_deciding_rung_is_the_first_that_speaks() {
        let e = Evidence { package: package(false, Content::Equal), in_base: true, ..file() };
        assert_eq!(decide(&e).rung, "package's digest");
        let spoke: Vec<_> =
            climb(&e).into_iter().filter(|(_, s)| s.is_some()).map(|(n, _)| n).collect();
        assert_eq!(spoke, ["package's digest", "base image", "unexplained"]);
    }
}
