use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::fact::{Pinned, Provenance};
use super::*;
use crate::tree::memory::MemoryTree;
use crate::tree::{Entry, Kind, Meta};

const SITE: &str = "/opt/v/lib/python3.9/site-packages";

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

/// A line of a record for a file that says `text`.
fn line(at: &str, text: &str) -> String {
    format!("{at},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(text)), text.len())
}

/// A Python package in `site` with `files`, whose paths are those of its record.
struct Package<'a> {
    name: &'a str,
    files: &'a [(&'a str, &'a str)],
    /// Further files in the directory of its records.
    says: &'a [(&'a str, &'a str)],
    needs: &'a str,
}

impl Package<'_> {
    fn into(self, tree: MemoryTree, site: &str) -> MemoryTree {
        let dir = format!("{}-1.0.dist-info", self.name);
        let metadata = format!("Name: {}\nVersion: 1.0\n{}\n", self.name, self.needs);
        let mut record = format!("{dir}/RECORD,,\n") + &line(&format!("{dir}/METADATA"), &metadata);
        let mut tree = tree.file(format!("{site}/{dir}/METADATA"), &metadata);
        for (at, text) in self.files {
            record += &line(at, text);
            if let Some(place) = record::place(&path(site), at.as_bytes()) {
                tree = tree.file(place.as_bytes(), text);
            }
        }
        for (name, text) in self.says {
            record += &line(&format!("{dir}/{name}"), text);
            tree = tree.file(format!("{site}/{dir}/{name}"), text);
        }
        tree.file(format!("{site}/{dir}/RECORD"), record)
    }
}

const ASKED: &[(&str, &str)] = &[("INSTALLER", "pip\n"), ("REQUESTED", "")];

/// A system with Python 3.9 and an environment of it that holds nothing yet.
fn venv() -> MemoryTree {
    let cfg = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.9.2\n";
    MemoryTree::default()
        .file("/usr/bin/python3.9", "elf")
        .link("/usr/bin/python3", "python3.9")
        .file("/usr/lib/python3.9/venv/scripts/common/activate", "V=\"__VENV_DIR__\"\n")
        .file("/opt/v/pyvenv.cfg", cfg)
        .file("/opt/v/bin/activate", "V=\"/opt/v\"\n")
        .link("/opt/v/bin/python3", "/usr/bin/python3")
        .link("/opt/v/bin/python", "python3")
        .link("/opt/v/lib64", "lib")
        .dir(SITE)
}

/// What every path of `tree` is, of those that an environment speaks of.
fn parts(tree: &MemoryTree) -> Vec<(String, Part)> {
    let packaged = |at: &RootPath| at.as_bytes().starts_with(b"/usr/bin/");
    let environments = Environments::new(tree, &packaged);
    let owned = |entry: &Entry| entry.path.as_bytes().starts_with(b"/usr/bin");
    tree.walk()
        .map(Result::unwrap)
        .filter(|entry| !owned(entry))
        .filter_map(|entry| {
            let found = environments.part(&entry).unwrap()?;
            Some((entry.path.to_string(), found.part))
        })
        .collect()
}

fn part(tree: &MemoryTree, at: &str) -> Option<Part> {
    parts(tree).into_iter().find(|(found, _)| found == at).map(|(_, part)| part)
}

fn facts(tree: &MemoryTree) -> Vec<EnvironmentFact> {
    let packaged = |at: &RootPath| at.as_bytes().starts_with(b"/usr/bin/");
    let environments = Environments::new(tree, &packaged);
    for entry in tree.walk() {
        environments.part(&entry.unwrap()).unwrap();
    }
    environments.found().iter().map(|found| found.fact()).collect()
}

fn is_left_out(part: &Option<Part>) -> bool {
    matches!(part, Some(Part::Made | Part::Installed { unchanged: true, .. }))
}

fn flask(tree: MemoryTree) -> MemoryTree {
    let files = &[("flask/app.py", "app\n"), ("../../../bin/flask", "#!/opt/v/bin/python3\n")];
    Package { name: "Flask", files, says: ASKED, needs: "Requires-Dist: click (>=7)" }
        .into(tree, SITE)
        .meta("/opt/v/bin/flask", |meta| meta.mode = 0o755)
}

#[test]
fn what_an_index_brought_unchanged_and_what_venv_makes_is_left_out_and_nothing_else() {
    let tree = flask(venv())
        .file(format!("{SITE}/mine.py"), "mine")
        .file(format!("{SITE}/flask/extra.py"), "mine")
        .dir(format!("{SITE}/flask/__pycache__"))
        .file("/opt/v/notes.txt", "mine")
        .file("/opt/other", "mine");
    let kept: Vec<String> = parts(&tree)
        .into_iter()
        .filter(|(_, part)| !is_left_out(&Some(part.clone())))
        .map(|(at, _)| at)
        .collect();
    let at = |name: &str| format!("{SITE}/{name}");
    let notes = "/opt/v/notes.txt".to_owned();
    assert_eq!(kept, ["/opt/v".to_owned(), at("flask/extra.py"), at("mine.py"), notes]);
    assert_eq!(part(&tree, "/opt/v"), Some(Part::Root));
    assert_eq!(part(&tree, "/opt/other"), None);
    let among = Some("Flask 1.0".into());
    assert_eq!(part(&tree, &at("flask/extra.py")), Some(Part::Own { among }));
    let fact = &facts(&tree)[0];
    assert_eq!((fact.kind, fact.interpreter.as_str()), (EnvironmentKind::Venv, "3.9"));
    let index = Provenance::Index;
    let (name, version) = ("Flask".to_owned(), "1.0".to_owned());
    assert_eq!(
        fact.packages,
        [Pinned { name, version, requested: true, from: index, compiled: false }]
    );
}

#[test]
fn a_patched_file_is_kept_and_so_is_one_with_another_mode_or_owner() {
    let file = format!("{SITE}/flask/app.py");
    let changed = |tree: MemoryTree| !is_left_out(&part(&tree, &file));
    assert!(!changed(flask(venv())));
    assert!(changed(flask(venv()).file(&file, "app!\n")));
    assert!(changed(flask(venv()).meta(&file, |meta| meta.mode = 0o600)));
    assert!(changed(flask(venv()).meta(&file, |meta| meta.uid = 33)));
    let acl =
        |meta: &mut Meta| drop(meta.xattrs.insert(b"system.posix_acl_access".to_vec(), vec![]));
    assert!(changed(flask(venv()).meta(&file, acl)));
    assert!(changed(flask(venv()).link(&file, "elsewhere")));
}

#[test]
fn an_edited_script_or_setting_of_the_environment_is_kept() {
    let edited = |at: &str, text: &str| part(&flask(venv().file(at, text)), at);
    assert_eq!(edited("/opt/v/bin/activate", "V=\"/opt/v\"\nKEY=1\n"), Some(Part::Edited));
    let cfg = "home = /usr/bin\nversion = 3.9.2\nmine = 1\n";
    assert_eq!(edited("/opt/v/pyvenv.cfg", cfg), Some(Part::Edited));
    let wrapped = venv().file("/opt/v/bin/python3", "#!/bin/sh\n");
    assert_eq!(part(&wrapped, "/opt/v/bin/python3"), Some(Part::Edited));
    let older = venv().link("/opt/v/bin/python3.8", "python3");
    assert_eq!(part(&older, "/opt/v/bin/python3.8"), Some(Part::Own { among: None }));
}

#[test]
fn what_comes_from_no_index_is_kept_whole() {
    let file = format!("{SITE}/lib.py");
    let why = |says: &[(&str, &str)], needs: &str| {
        let files = &[("lib.py", "lib")];
        let tree = Package { name: "lib", files, says, needs }.into(venv(), SITE);
        match part(&tree, &file) {
            Some(Part::NoIndex { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    let direct = |json: &'static str| why(&[("REQUESTED", ""), ("direct_url.json", json)], "");
    assert_eq!(direct(r#"{"url": "file:///s", "dir_info": {}}"#), "installed from a directory");
    let editable = r#"{"url": "file:///s", "dir_info": {"editable": true}}"#;
    assert_eq!(direct(editable), "an editable installation");
    let vcs = r#"{"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "1"}}"#;
    assert_eq!(direct(vcs), "installed from version control");
    assert_eq!(direct(r#"{"url": "file:///a.whl", "archive_info": {}}"#), "installed from a file");
    assert_eq!(direct("broken"), "installed from a file");
    assert_eq!(why(ASKED, "Classifier: Private :: Do Not Upload"), "marked as private");
    // Nobody asked for it and nothing needs it: an old installer may have had it from anywhere.
    assert_eq!(why(&[("INSTALLER", "pip")], ""), "nothing shows that it came from an index");
}

#[test]
fn what_a_package_of_an_index_needs_comes_from_one_too() {
    let click = |tree| {
        let files = &[("click.py", "click")];
        Package { name: "click", files, says: &[("INSTALLER", "pip")], needs: "" }.into(tree, SITE)
    };
    let file = format!("{SITE}/click.py");
    assert!(!is_left_out(&part(&click(venv()), &file)));
    assert!(is_left_out(&part(&click(flask(venv())), &file)));
}

#[test]
fn a_package_without_digests_and_an_old_editable_one_are_listed_and_kept() {
    let tree = flask(venv())
        .file(format!("{SITE}/docopt.py"), "docopt")
        .file(format!("{SITE}/docopt-0.6.2.egg-info/PKG-INFO"), "Name: docopt\nVersion: 0.6.2\n")
        .file(format!("{SITE}/docopt-0.6.2.egg-info/installed-files.txt"), "../docopt.py\n")
        .file(format!("{SITE}/mylib.egg-link"), "/opt/src\n.");
    for kept in ["docopt.py", "docopt-0.6.2.egg-info/installed-files.txt", "mylib.egg-link"] {
        let found = part(&tree, &format!("{SITE}/{kept}"));
        assert_eq!(found, Some(Part::Own { among: None }), "{kept}");
    }
    let fact = &facts(&tree)[0];
    let from: Vec<_> = fact.packages.iter().map(|p| (p.name.as_str(), p.from)).collect();
    let kept = Provenance::Kept;
    assert_eq!(from, [("Flask", Provenance::Index), ("docopt", kept), ("mylib", kept)]);
}

#[test]
fn an_environment_of_an_interpreter_that_no_package_brings_is_kept_whole() {
    let cfg = "home = /usr/local/bin\nversion = 3.9.2\n";
    let tree = flask(venv().file("/opt/v/pyvenv.cfg", cfg));
    let why = |tree: &MemoryTree| match part(tree, "/opt/v/bin/flask") {
        Some(Part::Whole { why }) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&tree), "its interpreter /usr/local/bin/python3.9 is not there");
    let tree = tree.file("/usr/local/bin/python3.9", "elf");
    assert_eq!(why(&tree), "its interpreter /usr/local/bin/python3.9 comes from no package");
    assert_eq!(part(&tree, "/usr/local/bin/python3.9"), None);
}

#[test]
fn a_hostile_record_claims_nothing_outside_its_environment() {
    let files = &[
        ("../../../../../etc/shadow", "root\n"),
        ("/etc/passwd", "root\n"),
        ("../../../../../../../../../../srv/data", "mine"),
        ("/opt/data/db", "rows"),
        ("/opt/v/data/db", "rows"),
        ("../../../var/db", "rows"),
        ("../../../bin/../../v2/bin/tool", "tool"),
        ("../../../../v/../data/more", "rows"),
        ("evil.py", "evil"),
    ];
    let mut tree = Package { name: "evil", files, says: ASKED, needs: "" }.into(venv(), SITE);
    let dir = format!("{SITE}/evil-1.0.dist-info");
    let record = "../../../bin/a\0b,,\n".to_owned() + &line("../../../bin", "x") + &line(".", "x");
    tree = tree.file("/srv/data", "mine").file(format!("{SITE}/other.dist-info/RECORD"), record);
    let outside = ["/etc/shadow", "/etc/passwd", "/srv/data", "/opt/data/db", "/opt/v2/bin/tool"];
    for at in outside {
        assert_eq!(part(&tree, at), None, "{at}");
    }
    for at in ["/opt/v/data/db", "/opt/v/var/db"] {
        assert_eq!(part(&tree, at), Some(Part::Own { among: None }), "{at}");
    }
    assert!(is_left_out(&part(&tree, &format!("{SITE}/evil.py"))));
    assert!(is_left_out(&part(&tree, &format!("{dir}/RECORD"))));
}

#[test]
fn records_that_contradict_themselves_explain_nothing() {
    let forged = |metadata: &str| {
        let record = line("a.py", "a");
        let tree = venv()
            .file(format!("{SITE}/a.py"), "a")
            .file(format!("{SITE}/good-1.0.dist-info/METADATA"), metadata)
            .file(format!("{SITE}/good-1.0.dist-info/REQUESTED"), "")
            .file(format!("{SITE}/good-1.0.dist-info/RECORD"), record);
        (is_left_out(&part(&tree, &format!("{SITE}/a.py"))), facts(&tree)[0].packages.len())
    };
    assert_eq!(forged("Name: good\nVersion: 1.0\n"), (true, 1));
    assert_eq!(forged("Name: other\nVersion: 1.0\n"), (false, 0));
    assert_eq!(forged("Name: good\nVersion: 2.0\n"), (false, 0));
    assert_eq!(forged("Name: good --index-url=x\nVersion: 1.0\n"), (false, 0));
    assert_eq!(forged(""), (false, 0));
    // Two packages that say different things of one file: which one is right is not known.
    let first = Package { name: "one", files: &[("a.py", "a")], says: ASKED, needs: "" };
    let second = Package { name: "two", files: &[("a.py", "b")], says: ASKED, needs: "" };
    let tree = second.into(first.into(venv(), SITE), SITE);
    assert!(!is_left_out(&part(&tree, &format!("{SITE}/a.py"))));
}

#[test]
fn system_and_user_installations_speak_of_what_pip_recorded_only() {
    let site = "/usr/local/lib/python3.9/dist-packages";
    let files = &[("six.py", "six"), ("../../../bin/six", "#!")];
    let six = Package { name: "six", files, says: ASKED, needs: "" };
    let tree = six
        .into(venv(), site)
        .meta("/usr/local/bin/six", |meta| meta.mode = 0o755)
        .file("/usr/local/bin/backup.sh", "mine")
        .file("/usr/local/lib/libmine.so", "mine")
        .file(format!("{site}/mine.py"), "mine");
    assert!(is_left_out(&part(&tree, "/usr/local/bin/six")));
    assert!(is_left_out(&part(&tree, &format!("{site}/six.py"))));
    assert_eq!(part(&tree, &format!("{site}/mine.py")), Some(Part::Own { among: None }));
    for at in
        ["/usr/local", "/usr/local/bin", "/usr/local/bin/backup.sh", "/usr/local/lib/libmine.so"]
    {
        assert_eq!(part(&tree, at), None, "{at}");
    }
    let user = "/home/ann/.local/lib/python3.9/site-packages";
    let six = Package { name: "six", files: &[("six.py", "six")], says: ASKED, needs: "" };
    let tree = six.into(venv(), user).file("/home/ann/.local/share/notes", "mine");
    assert!(is_left_out(&part(&tree, &format!("{user}/six.py"))));
    assert_eq!(part(&tree, "/home/ann/.local/share/notes"), None);
    // What an older pip makes of a home to install into is closed; what it puts there is not.
    let tree = tree.meta(user, |meta| meta.mode = 0o700);
    for at in ["six.py", "six-1.0.dist-info", "six-1.0.dist-info/METADATA"] {
        assert!(is_left_out(&part(&tree, &format!("{user}/{at}"))), "{at}");
    }
    let tree = tree.meta(format!("{user}/six.py"), |meta| meta.mode = 0o600);
    assert!(!is_left_out(&part(&tree, &format!("{user}/six.py"))));
    let kinds: Vec<EnvironmentKind> = facts(&tree).iter().map(|fact| fact.kind).collect();
    assert_eq!(kinds, [EnvironmentKind::User, EnvironmentKind::Venv]);
}

#[test]
fn what_somebody_removed_from_a_package_is_missing() {
    let tree = flask(venv());
    let packaged = |at: &RootPath| at.as_bytes().starts_with(b"/usr/bin/");
    let environments = Environments::new(&tree, &packaged);
    environments.part(&tree.entry(&path("/opt/v/pyvenv.cfg")).unwrap().unwrap()).unwrap();
    let gone = path(&format!("{SITE}/flask/app.py"));
    let missing = environments.found()[0].missing(&|at| *at != gone);
    assert_eq!(missing, [(gone.clone(), "Flask 1.0".into())]);
    assert!(environments.lacking(&gone).unwrap().is_some());
    assert!(environments.lacking(&path("/opt/v/bin/flask")).unwrap().is_none());
}

#[test]
fn environments_without_digests_are_listed_and_kept_whole() {
    let tree = MemoryTree::default()
        .file("/srv/app/package.json", r#"{"dependencies": {"left-pad": "^1"}}"#)
        .file("/srv/app/package-lock.json", "{}")
        .file(
            "/srv/app/node_modules/left-pad/package.json",
            r#"{"name":"left-pad","version":"1.3.0"}"#,
        )
        .file("/srv/app/node_modules/@x/y/package.json", r#"{"name":"@x/y","version":"2.0.0"}"#)
        .file("/srv/app/node_modules/broken/package.json", "{")
        .file("/srv/app/node_modules/forged/package.json", r#"{"name":"a\nb","version":"1"}"#)
        .file("/var/lib/gems/2.7.0/specifications/rack-2.2.3.gemspec", "")
        .file("/var/lib/gems/2.7.0/specifications/nokogiri-1.11.0-x86_64-linux.gemspec", "")
        .file("/var/lib/gems/2.7.0/gems/rack-2.2.3/lib/rack.rb", "rack")
        .file(
            "/srv/php/vendor/composer/installed.json",
            r#"{"packages":[{"name":"a/b","version":"1.2"}]}"#,
        )
        .file("/srv/php/vendor/a/b/src.php", "php")
        .file("/root/.cargo/.crates.toml", "[v1]\n\"ripgrep 13.0.0 (registry+x)\" = [\"rg\"]\n")
        .file("/root/.cargo/bin/rg", "elf");
    let listed: Vec<(EnvironmentKind, Vec<String>)> = facts(&tree)
        .iter()
        .map(|fact| {
            let words = fact.packages.iter().map(|p| format!("{} {}", p.name, p.version));
            (fact.kind, words.collect())
        })
        .collect();
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        listed,
        [
            (EnvironmentKind::Cargo, words(&["ripgrep 13.0.0"])),
            (EnvironmentKind::Node, words(&["@x/y 2.0.0", "left-pad 1.3.0"])),
            (EnvironmentKind::Composer, words(&["a/b 1.2"])),
            (EnvironmentKind::Gems, words(&["nokogiri 1.11.0-x86_64-linux", "rack 2.2.3"])),
        ]
    );
    assert!(facts(&tree)[1].packages[1].requested);
    for at in [
        "/srv/app/node_modules/left-pad/package.json",
        "/var/lib/gems/2.7.0/gems/rack-2.2.3/lib/rack.rb",
        "/srv/php/vendor/a/b/src.php",
        "/root/.cargo/bin/rg",
    ] {
        assert!(matches!(part(&tree, at), Some(Part::Whole { .. })), "{at}");
    }
    assert_eq!(part(&tree, "/srv/app/package-lock.json"), None);
}

#[test]
fn the_systems_interpreter_is_what_its_link_leads_to() {
    assert_eq!(system_python(&venv()).unwrap().as_deref(), Some("3.9"));
    assert_eq!(system_python(&MemoryTree::default()).unwrap(), None);
    let odd = MemoryTree::default().file("/usr/bin/python3", "elf");
    assert_eq!(system_python(&odd).unwrap(), None);
    let compiled = |name: &'static str| {
        let files = &[(name, "elf")];
        let tree = Package { name: "fast", files, says: ASKED, needs: "" }.into(venv(), SITE);
        facts(&tree)[0].packages[0].compiled
    };
    assert!(compiled("fast.cpython-39-x86_64-linux-gnu.so"));
    assert!(!compiled("fast.py"));
    let copy = Kind::File { size: 3 };
    assert_eq!(venv().entry(&path("/usr/bin/python3.9")).unwrap().unwrap().kind, copy);
}

#[test]
fn a_directory_that_a_variable_names_to_python_is_a_list_where_pip_filled_it() {
    let package =
        Package { name: "flask", files: &[("flask/app.py", "app\n")], says: ASKED, needs: "" };
    let tree =
        package.into(venv(), "/app/vendor").file("/app/vendor/bin/flask", "#!/usr/bin/python3\n");
    let packaged = |at: &RootPath| at.as_bytes().starts_with(b"/usr/bin/");
    let found = |value: &'static str| {
        let environments = Environments::new(&tree, &packaged).naming([value].into_iter());
        let of = |at: &str| {
            let entry = tree.entry(&path(at)).unwrap().unwrap();
            environments.part(&entry).unwrap().map(|found| found.part)
        };
        (of("/app/vendor/flask/app.py"), of("/app/vendor/bin/flask"))
    };
    let (installed, own) = found("/else:/app/vendor");
    assert!(is_left_out(&installed), "{installed:?}");
    assert!(matches!(own, Some(Part::Own { .. })), "{own:?}");
    assert_eq!(found("/else:relative"), (None, None));
}
