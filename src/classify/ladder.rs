//! The ladder: from evidence to a verdict, written once, as a table.
//!
//! The rungs are tried from the top; the first that has something to say decides. The last one
//! keeps: what no evidence explains cannot be had again. Being old and being equal to the image
//! are evidence, but no rung leaves a path out because of them alone.

use super::evidence::{Content, Evidence, LogPolicy, Place, UserChoice};
use crate::declared::Nature;
use crate::environments::Part;
use crate::image::Difference;
use crate::tree::FileType;
use crate::verdict::{Class, Origin, Reason, Worth};

/// What becomes of a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
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
pub(crate) fn decide(evidence: &Evidence) -> Verdict {
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
pub(crate) fn climb(evidence: &Evidence) -> Vec<(&'static str, Option<(Class, Reason)>)> {
    LADDER.iter().map(|rung| (rung.name, (rung.says)(evidence))).collect()
}

fn user_glob(e: &Evidence) -> Option<(Class, Reason)> {
    match e.user.as_ref()? {
        UserChoice::Include(glob) => {
            Some((Class::Mutable, Reason::Included { glob: glob.clone() }))
        }
        UserChoice::Exclude(glob) => {
            Some((Class::Ephemeral, Reason::Excluded { glob: glob.clone() }))
        }
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
    let gone = e.package.as_ref().filter(|package| package.offered == Some(false));
    let package = gone.map(|package| &package.name).or(e.leads_to.as_ref())?;
    Some((Class::Mutable, Reason::NotOffered { package: package.clone() }))
}

fn conffile(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref().filter(|p| p.conffile)?;
    match package.content {
        Content::Differs => {
            Some((Class::Mutable, Reason::ConffileEdited { package: package.name.clone() }))
        }
        Content::Equal | Content::Unrecorded => None,
    }
}

fn digest(e: &Evidence) -> Option<(Class, Reason)> {
    let package = e.package.as_ref()?;
    let name = || package.name.clone();
    match (package.content, e.image) {
        (Content::Differs, _) => {
            Some((Class::Mutable, Reason::PackageFileChanged { package: name() }))
        }
        // A record inside the source is a claim: content that the image shows to be another wins.
        (Content::Equal, Some(Difference::Content)) => {
            Some((Class::Mutable, Reason::PackageFileChanged { package: name() }))
        }
        (Content::Equal, Some(Difference::Meta)) => {
            Some((Class::Mutable, Reason::PackageMetaChanged { package: name() }))
        }
        (Content::Equal, _) if package.meta == Content::Differs => {
            Some((Class::Mutable, Reason::PackageMetaChanged { package: name() }))
        }
        // Installed in the container's life: nothing to compare with but what nearly all files are.
        (Content::Equal, None)
            if !e.plain && e.origin == Origin::Container && package.meta == Content::Unrecorded =>
        {
            Some((Class::Mutable, Reason::PackageMetaUnrecorded { package: name() }))
        }
        (Content::Equal, _) => Some((Class::Immutable, Reason::AsPackaged { package: name() })),
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
        (_, Some(Difference::Meta)) => {
            Some((Class::Mutable, Reason::PackageMetaChanged { package: name() }))
        }
        (FileType::Dir, _) if differs => {
            Some((Class::Mutable, Reason::PackageMetaChanged { package: name() }))
        }
        // Nothing to compare with: what is not as nearly all directories are is kept.
        (FileType::Dir, None | Some(Difference::Added))
            if !e.plain && package.meta == Content::Unrecorded =>
        {
            Some((Class::Mutable, Reason::PackageMetaUnrecorded { package: name() }))
        }
        (FileType::Dir, _) => Some((Class::Immutable, Reason::AsInstalled { package: name() })),
        (_, Some(Difference::Content)) => {
            Some((Class::Mutable, Reason::PackageFileChanged { package: name() }))
        }
        // A package's file that nothing vouches for: the claim alone drops nothing.
        _ if !vouched_for => Some((Class::Mutable, Reason::PackageFileNewer { package: name() })),
        _ if differs => Some((Class::Mutable, Reason::PackageMetaChanged { package: name() })),
        _ => Some((Class::Immutable, Reason::AsInstalled { package: name() })),
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
    let (app, why) = (rule.app.clone(), rule.why.clone());
    Some((class, Reason::Rule { app, worth: rule.worth, why }))
}

fn template(e: &Evidence) -> Option<(Class, Reason)> {
    let template = e.template.as_ref()?;
    Some(match meta_changed(e) {
        true => (Class::Mutable, Reason::MetaChanged),
        false => (Class::Immutable, template.into()),
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
    Some((class, said.into()))
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
    Some((class, found.into()))
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
    use super::super::evidence::{PackageEvidence, RuleEvidence, Template};
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
        assert_eq!(decide(&forged).reason, Reason::PackageFileChanged { package: "samba".into() });
        let mut record = package(false, Content::Equal);
        if let Some(package) = &mut record {
            package.meta = Content::Differs;
        }
        let opened = Evidence { package: record, image: None, ..file() };
        assert_eq!(decide(&opened).reason, Reason::PackageMetaChanged { package: "samba".into() });
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
        assert_eq!(decide(&differs).reason, Reason::PackageFileChanged { package: "samba".into() });
    }

    #[test]
    fn an_edited_conffile_is_kept_and_an_untouched_one_is_not() {
        let edited = Evidence { package: package(true, Content::Differs), ..file() };
        let pristine = Evidence { package: package(true, Content::Equal), ..file() };
        assert_eq!(decide(&edited).reason, Reason::ConffileEdited { package: "samba".into() });
        assert_eq!(class(&pristine), Class::Immutable);
    }

    #[test]
    fn a_changed_mode_on_a_packaged_file_is_kept() {
        let e = Evidence {
            package: package(false, Content::Equal),
            image: Some(Difference::Meta),
            ..file()
        };
        assert_eq!(decide(&e).reason, Reason::PackageMetaChanged { package: "samba".into() });
        assert_eq!(class(&e), Class::Mutable);
    }

    #[test]
    fn the_owner_of_a_packages_directory_is_kept_where_nothing_says_what_it_was() {
        let found = |file_type, image, plain| {
            let package = package(false, Content::Unrecorded);
            decide(&Evidence { file_type, package, image, plain, newer: Some(false), ..file() })
                .reason
        };
        let installed = Reason::AsInstalled { package: "samba".into() };
        let unrecorded = Reason::PackageMetaUnrecorded { package: "samba".into() };
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
        let unrecorded = Reason::PackageMetaUnrecorded { package: "samba".into() };
        let packaged = Reason::AsPackaged { package: "samba".into() };
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
        assert_eq!(decide(&e).reason, Reason::NotOffered { package: "samba".into() });
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
        let changed = Reason::PackageFileChanged { package: "samba".into() };
        assert_eq!(reason(Some(Difference::Content), Some(false)), changed);
        assert_eq!(reason(None, None), Reason::PackageFileNewer { package: "samba".into() });
        assert_eq!(
            reason(None, Some(false)),
            Reason::PackageMetaChanged { package: "samba".into() }
        );
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
