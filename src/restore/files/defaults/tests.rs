//! Whole plans, of systems whose defaults changed.

use super::merged::tell_merge;
use crate::archive::{ArchiveOptions, ExamineOptions, archive, examine};
use crate::bundle::Reader;
use crate::defaults::{compare, lines};
use crate::layout::Access;
use crate::layout::LayoutDb;
use crate::monitor::Silent;
use crate::restore::planner::{Planned, check, plan};
use crate::restore::value::config_merge::Outcome;
use crate::restore::value::decisions::Decisions;
use crate::restore::value::inputs::Inputs;
use crate::restore::value::inputs::VolumesAs;
use crate::restore::value::packages::PackagePlan;
use crate::restore::value::step::Step;
use crate::source::{OpenOptions, Source, SourceSpec};
use crate::tree::RootPath;
use crate::tree::memory::MemoryTree;
use crate::verdict::{Harm, Held, HeldKind};

type Files<'a> = &'a [(&'a str, &'a str)];

const UNIT: &str = "/usr/lib/systemd/system/app.service";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants/app.service";
const MAIN: &str = "/etc/app/app.conf";

/// Whom the application lets in.
const RULE: &str = "app: app\ntitle: App\nrecognise: {packages: [{name: app}]}\naccess:\n  \
                    - {globs: [/etc/app/**], opens: [let *], closes: [keep *], why: who is let in}\n";

/// The records of a package `app` with the configuration `files`.
fn records(files: Files<'_>) -> [(String, String); 2] {
    use md5::{Digest, Md5};
    let mut list = String::from("/.\n/etc\n/etc/app\n/etc/app/conf.d\n");
    list.push_str(UNIT);
    let mut status = String::from(
        "Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n\
         Conffiles:\n",
    );
    for (at, text) in files {
        let digest: String =
            Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        status.push_str(&format!(" {at} {digest}\n"));
        list.push_str(&format!("\n{at}"));
    }
    list.push('\n');
    let of = |name: &str, text: String| (format!("/var/lib/dpkg/{name}"), text);
    [of("status", status), of("info/app.list", list)]
}

/// The plan for a system whose package brought `old`, where the user has `own` and where the
/// new package brings `new`.
fn planned(old: Files<'_>, own: Files<'_>, new: Files<'_>) -> Planned {
    with_inputs(old, own, new, &[], |inputs| plan(inputs).unwrap())
}

/// What is found of a system that stands, in which somebody wrote `since`.
fn standing(old: Files<'_>, own: Files<'_>, new: Files<'_>, since: Files<'_>) -> Vec<Held> {
    let held = with_inputs(old, own, new, since, |inputs| check(inputs, None).unwrap().held);
    held.into_iter().filter(|held| held.kind == HeldKind::Default).collect()
}

/// What `make` makes of such systems.
fn with_inputs<T>(
    old: Files<'_>,
    own: Files<'_>,
    new: Files<'_>,
    since: Files<'_>,
    make: impl FnOnce(&Inputs<'_>) -> T,
) -> T {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    let write = |at: &str, text: &str| {
        let file = root.join(at.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, file).unwrap(),
            None => std::fs::write(file, text).unwrap(),
        }
    };
    records(old).iter().for_each(|(at, text)| write(at, text));
    old.iter()
        .filter(|(at, _)| !own.iter().any(|(own, _)| own == at))
        .chain(own)
        .for_each(|(at, text)| write(at, text));
    write(UNIT, "");
    let spec = SourceSpec::Rootfs(root);
    let source = Source::open(&spec, &OpenOptions::default(), place.path(), &Silent).unwrap();
    let rules = place.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("app.yaml"), RULE).unwrap();
    let layout = LayoutDb::open(&[rules]).unwrap();
    let examined = examine(&source, &layout, &ExamineOptions::default(), &Silent).unwrap();
    let output = place.path().join("x.regrow");
    archive(&source, examined, &output, &ArchiveOptions::default(), &Silent).unwrap();
    let reader = Reader::open(&output).unwrap();
    let contents = reader.contents(&Silent).unwrap();
    let mut target = MemoryTree::default().file("/usr/lib/os-release", "ID=debian\n");
    for (at, text) in records(new) {
        target = target.file(&at, &text);
    }
    for (at, text) in new.iter().chain(since) {
        target = target.file(at, text);
    }
    make(&Inputs {
        manifest: reader.manifest(),
        survey: &reader.manifest().survey,
        contents: &contents,
        layout: &layout,
        packages: &PackagePlan::default(),
        unserved: &[],
        state_before: None,
        target: &target,
        settings: None,
        volumes: VolumesAs::Files,
        succession: &crate::restore::value::succession::Succession::default(),
    })
}

/// What is held of defaults.
fn told(old: Files<'_>, own: Files<'_>, new: Files<'_>) -> Vec<String> {
    let held = planned(old, own, new).held;
    let of_defaults = held.into_iter().filter(|held| held.kind == HeldKind::Default);
    of_defaults.map(|held| format!("{}: {}", held.subject, held.why)).collect()
}

const OLD: &str = "# about\ndeny bad\ninclude /etc/app/conf.d/*\nallow localhost\nport 1\n";
const OWN: (&str, &str) = ("/etc/app/conf.d/own.conf", "allow known\ndeny all\n");

#[test]
fn what_a_new_default_says_before_the_lines_of_a_user_is_held() {
    let new = "deny bad\nallow localhost\nextra 2\ninclude /etc/app/conf.d/*\nport 1\n";
    assert_eq!(
        told(&[(MAIN, OLD)], &[OWN], &[(MAIN, new)]),
        ["/etc/app/app.conf: nobody edited it, and the new version's default says something \
          else around lines of your own (/etc/app/conf.d/own.conf): before your lines: moved \
          `allow localhost`; added `extra 2`"]
    );
    let same = "deny bad\n\n# other words\ninclude /etc/app/conf.d/*\nallow  localhost\nport 1\n";
    assert_eq!(told(&[(MAIN, OLD)], &[OWN], &[(MAIN, same)]), [""; 0]);
}

#[test]
fn what_is_not_read_any_more_is_held() {
    let new = OLD.replace("conf.d/*", "conf.d/*.conf");
    let own = ("/etc/app/conf.d/own", "port 2\n");
    let found = told(&[(MAIN, OLD)], &[own], &[(MAIN, &new)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("nothing reads /etc/app/conf.d/own any more"), "{found:?}");
    // Where another file of the new version does, it is read.
    let other = ("/etc/app/more.conf", "include /etc/app/conf.d/*\n");
    let found = told(&[(MAIN, OLD)], &[own], &[(MAIN, &new), other]);
    assert!(!found.iter().any(|found| found.contains("nothing reads")), "{found:?}");
}

#[test]
fn a_default_of_what_a_user_sets_beside_it_is_held_with_that_line_only() {
    let own = ("/etc/app/own.conf", "log = mine\n");
    assert_eq!(
        told(&[(MAIN, "log = a\nport = 1\n")], &[own], &[(MAIN, "log = b\nport = 2\n")]),
        ["/etc/app/app.conf: nobody edited it, and the new version's default says something \
          else around lines of your own (/etc/app/own.conf): in it: `log = a` is now `log = b`"]
    );
}

#[test]
fn a_service_that_was_on_and_has_another_default_is_held_once() {
    let old = [(MAIN, "type = remote\nlog a\n"), ("/etc/app/b.conf", "x 1\n")];
    let new = [(MAIN, "log a\nnew 1\n"), ("/etc/app/b.conf", "x 2\n")];
    let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
    assert_eq!(
        told(&old, &[on], &new),
        ["/etc/app/app.conf: nobody edited it, its service was on, and the new version's \
          default says something else: gone `type = remote`; so it is with /etc/app/b.conf"]
    );
    assert_eq!(told(&old, &[], &new), [""; 0], "nothing was on");
    let more = [(MAIN, "type = remote\nlog a\nnew 1\n"), ("/etc/app/b.conf", "x 1\n")];
    assert_eq!(told(&old, &[on], &more), [""; 0], "only added");
    let moved = [(MAIN, "log a\n"), ("/etc/app/b.conf", "x 1\ntype = remote\n")];
    assert_eq!(told(&old, &[on], &moved), [""; 0], "in another file");
    let readme = "/etc/app/README.app";
    let people = told(&[(readme, "see a\n")], &[on], &[(readme, "see b\n")]);
    assert_eq!(people, [""; 0], "said to people");
}

#[test]
fn what_happens_to_a_service_with_nothing_of_the_users_near_is_cosmetic() {
    let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
    let harms = |own: Files<'_>, old: &str, new: &str| {
        let held = planned(&[(MAIN, old)], own, &[(MAIN, new)]).held;
        let of_defaults = held.into_iter().filter(|held| held.kind == HeldKind::Default);
        of_defaults.map(|held| held.harm).collect::<Vec<_>>()
    };
    assert_eq!(harms(&[on], "x 1\n", "x 2\n"), [Harm::Cosmetic]);
    assert_eq!(harms(&[OWN], OLD, &OLD.replace("port 1", "port 2")), [Harm::DoesNotStart]);
    // A key is read, and has no lines.
    let key = ("/etc/app/conf.d/own.conf", "-----BEGIN PRIVATE KEY-----\n");
    let new = OLD.replace("port 1", "port 2");
    assert_eq!(harms(&[key, on], OLD, &new), [Harm::Cosmetic]);
    assert_eq!(harms(&[key], OLD, &new), []);
}

#[test]
fn an_active_line_that_a_merge_brings_is_said_in_its_step_and_held() {
    let path = RootPath::parse(b"/etc/x.conf").unwrap();
    let lines = |text: &str| lines(text.as_bytes()).unwrap();
    let merged = |old: &str, new: &str| {
        let mut decisions = Decisions::default();
        let outcome = Outcome::Merged { lines: vec![] };
        decisions.step(Step::Meet { path: path.clone(), outcome });
        let changes = compare(&lines(old), &lines(new), (None, None));
        tell_merge(&Access::default(), &path, changes, &mut decisions);
        decisions
    };
    let quiet = merged("# a\n-m 128\n", "# b\n-m 128\n");
    assert!(quiet.held.is_empty());
    let told = merged("-m 128\n", "-m 128\n-l ::1\n");
    let reason = "your changes and the new default's do not touch; in effect now: added `-l ::1`";
    assert_eq!(told.steps[0].reason(), reason);
    let [held] = &told.held[..] else { panic!("{:?}", told.held) };
    assert_eq!((held.kind, &*held.subject), (HeldKind::Default, "/etc/x.conf"));
    assert_eq!(held.candidates, ["-l ::1"]);
}

#[test]
fn many_lines_are_cut_and_counted() {
    let numbered = |word: &str| -> String { (0..30).map(|n| format!("{word}{n} x\n")).collect() };
    let old = format!("include /etc/app/conf.d/*\n{}", numbered("a"));
    let new = format!("include /etc/app/conf.d/*\n{}", numbered("b"));
    let found = told(&[(MAIN, &old)], &[OWN], &[(MAIN, &new)]);
    assert!(found[0].ends_with("; and 52 more"), "{found:?}");
}

/// The harm and the reason of each question about a default.
fn harms(old: Files<'_>, own: Files<'_>, new: Files<'_>) -> Vec<(Harm, String)> {
    let held = planned(old, own, new).held;
    let of_defaults = held.into_iter().filter(|held| held.kind == HeldKind::Default);
    of_defaults.map(|held| (held.harm, held.why)).collect()
}

#[test]
fn what_lets_somebody_in_is_told_beside_a_key_of_the_users() {
    let own = ("/etc/app/own.conf", "log = mine\n");
    let old = [(MAIN, "log = a\nkeep = out\nport = 1\n")];
    let found = harms(&old, &[own], &[(MAIN, "log = b\nport = 2\n")]);
    let [(Harm::OpensAccess, why)] = &found[..] else { panic!("{found:?}") };
    assert!(why.contains("gone `keep = out`; `log = a` is now `log = b`"), "{why}");
    assert!(!why.contains("port"), "{why}");
}

#[test]
fn what_lets_somebody_in_is_told_when_its_section_is_another() {
    let one = |old: &str, new: &str| {
        let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
        let found = harms(&[(MAIN, old)], &[on], &[(MAIN, new)]);
        let [(Harm::OpensAccess, why)] = &found[..] else { panic!("{found:?}") };
        why.clone()
    };
    one("keep all\nx 1\n", "<Files x>\nkeep all\n</Files>\nx 1\n");
    one("<At /admin>\nlet all\n</At>\nx 1\n", "let all\nx 1\n");
    let at = |dir: &str| format!("<At {dir}>\na 1\nlet all\n</At>\n");
    let why = one(&at("/srv"), &at("/"));
    assert!(why.contains("`<At /srv>` is now `<At />`"), "{why}");
}

#[test]
fn data_that_lets_somebody_in_is_told_too() {
    let table = |first: &str| -> String {
        (0..30).map(|n| format!("{}/w{n} a\n", if n == 0 { first } else { "t" })).collect()
    };
    let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
    assert_eq!(harms(&[(MAIN, &table("u"))], &[on], &[(MAIN, &table("v"))]), []);
    // A line that is a type of media and a word of the rule is hard to make up: by its section.
    let old = format!("keep {{\n{}}}\n", table("u"));
    let new = format!("keep {{\n{}}}\n", table("v"));
    let found = harms(&[(MAIN, &old)], &[on], &[(MAIN, &new)]);
    assert_eq!(found.first().map(|(harm, _)| *harm), Some(Harm::OpensAccess), "{found:?}");
}

#[test]
fn a_file_that_is_gone_is_told_when_it_kept_somebody_out() {
    let include = "include /etc/app/conf.d/*\n";
    let more = ("/etc/app/more.conf", format!("{include}keep all\nz 1\n"));
    let old = [(MAIN, include), (more.0, &more.1)];
    let found = harms(&old, &[OWN], &[(MAIN, include)]);
    let [(Harm::OpensAccess, why)] = &found[..] else { panic!("{found:?}") };
    assert!(why.contains("has no such file; after your lines: gone `keep all`"), "{why}");
    assert!(!why.contains("z 1"), "{why}");
    let quiet = [(MAIN, include), (more.0, &format!("{include}z 1\n"))];
    assert_eq!(harms(&quiet, &[OWN], &[(MAIN, include)]), []);
}

#[test]
fn a_default_that_somebody_edited_where_it_stands_is_seen_to() {
    let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
    let (old, new) = ([(MAIN, "x 1\n")], [(MAIN, "x 2\n")]);
    assert_eq!(standing(&old, &[on], &new, &[]).len(), 1);
    assert_eq!(standing(&old, &[on], &new, &[(MAIN, "# so be it\nx 2\n")]), []);
    let (old, new) = ([(MAIN, OLD)], [(MAIN, &*OLD.replace("port 1", "port 2"))]);
    assert_eq!(standing(&old, &[OWN], &new, &[OWN]).len(), 1);
    let since = [OWN, (MAIN, &*OLD.replace("port 1", "port 3"))];
    assert_eq!(standing(&old, &[OWN], &new, &since), []);
}

#[test]
fn many_files_are_cut_and_counted() {
    let on = (WANTS, "-> /usr/lib/systemd/system/app.service");
    let names: Vec<String> = (10..30).map(|n| format!("/etc/app/{n}.conf")).collect();
    let of = |text: &'static str| names.iter().map(|name| (&**name, text)).collect::<Vec<_>>();
    let found = told(&of("x 1\n"), &[on], &of("x 2\n"));
    assert!(found[0].ends_with("/etc/app/18.conf and 11 more"), "{found:?}");
}
