//! What a rule says of paths, settings and transitions is obeyed by a restore, word by word, and no
//! word of the language is without a test here or beside.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use regrow::layout::Rule;
use serde_json::Value;

use super::{DATA, DATA_EARLIER, MORE, PROBE, Roots, complaint};

const WORDS: &str = include_str!("words.yaml");

/// Rules beside, for the words that say how rules stand to each other: name and text.
const BESIDE: [(&str, &str); 5] = [
    (
        "z-words",
        "app: words\ntitle: Words\nearlier: extend\n\
         settings: [{files: [/srv/text], syntax: text, replace: [{text: a, with: b}]}]\n",
    ),
    (
        "a-common",
        "app: a-common\ntitle: X\nscope: common\nrecognise: {paths: [{path: /srv}]}\n\
         layout: [{globs: [/srv/scope/*], worth: cache, why: w}]\n",
    ),
    (
        "b-system",
        "app: b-system\ntitle: X\nscope: system\nrecognise: {paths: [{path: /srv}]}\n\
         layout: [{globs: [/srv/scope/b, /srv/scope/c], worth: data, why: w}]\n",
    ),
    (
        "by-path",
        "app: by-path\ntitle: X\n\
         recognise: {paths: [{path: /srv/bypath-1, version: '1'}, {path: /srv/bypath-2, version: '2'}]}\n\
         settings: [{files: [/srv/bypath-1], syntax: text, replace: [{text: a, with: b, since: '2'}]}]\n",
    ),
    (
        "lifted",
        "app: lifted\ntitle: X\nversion: {components: 1}\n\
         recognise: {packages: [{name: base-files, generation: 1}]}\n\
         settings: [{files: [/srv/lifted], syntax: text, replace: [{text: a, with: b, since: '1:12'}]}]\n",
    ),
];

/// Words that are shown elsewhere, and where.
const ELSEWHERE: [(&str, &str); 17] = [
    ("keep", "`layout::database`: only a container has variables"),
    ("variable", "`layout::database`: only a container has them"),
    ("options", "`layout::options`, `fixtures/images/mariadb`: only a container has them"),
    ("beside", "`layout::options`, `fixtures/cases`: mostly of what a container runs"),
    ("container", "needs an engine; `src/restore/container.rs`"),
    ("command", "needs an engine; `src/restore/container.rs`"),
    ("entrypoint", "needs an engine; `src/restore/container.rs`"),
    ("environment", "needs an engine; `src/restore/container.rs`"),
    ("working-directory", "needs an engine; `src/restore/container.rs`"),
    ("health-check", "needs an engine; `src/restore/container.rs`"),
    ("unpacked", "needs an archive of a server; `src/classify/unpacked.rs`"),
    ("ending", "a key of `unpacked`; `src/classify/unpacked.rs`"),
    ("tracker", "a key of `unpacked`; `src/classify/unpacked.rs`"),
    ("directories", "a key of `unpacked`; `src/classify/unpacked.rs`"),
    ("access", "needs a new default; `fixtures/cases`, `src/restore/files/defaults/tests.rs`"),
    ("opens", "a key of `access`"),
    ("closes", "a key of `access`"),
];

/// What the old root has at a place, and what the new one has to have there; `None`: nothing.
const FILES: [(&str, &str, Option<&str>); 35] = [
    ("srv/worth/config/file", "/opt/words11/bin\n", Some("/opt/words13/bin\n")),
    ("srv/worth/data", "x", Some("x")),
    ("srv/worth/secret", "x", Some("x")),
    ("srv/worth/log", "x", Some("x")),
    ("srv/worth/cache", "x", None),
    ("srv/worth/runtime", "x", None),
    ("srv/worth/generated", "x", None),
    ("srv/worth/version-bound", "x", None),
    ("srv/worth/identity", "x", None),
    ("srv/worth/copy", "origin", None),
    ("srv/worth/changed", "changed", Some("changed")),
    ("srv/worth/digest", "x", None),
    ("srv/worth/file", "x", Some("x")),
    ("srv/origin/copy", "origin", Some("origin")),
    ("srv/origin/changed", "origin", Some("origin")),
    ("srv/scope/a", "x", None),
    ("srv/scope/b", "x", Some("x")),
    ("srv/scope/c", "x", None),
    ("srv/plain.conf", "password = x\n", Some("password = x\n")),
    (
        "srv/ini.conf",
        "[main]\nasked = old\nlist = a, b\nmapped = x\nnamed = 1\ngone = 1\nother = 2\n\
         path = /srv/lib/11/x.sock\n",
        Some(
            "unset = 1\n[main]\nset = 13\nasked = old\nlist = a\nmapped = y\nrenamed = 1\n\
             # left:\n#gone = 1\nother = 2\npath = /srv/lib/13/x.sock\n",
        ),
    ),
    ("srv/keyword", "Gone yes\n", Some("# left:\n#Gone yes\n")),
    ("srv/directive", "k a;\n", Some("k v;\n")),
    ("srv/assign", "k = a # x\n", Some("k = v # x\n")),
    ("srv/text", "a\n", Some("b\n")),
    ("srv/bypath-1", "a\n", Some("b\n")),
    ("srv/lifted", "a\n", Some("b\n")),
    ("srv/mention/x", "run /opt/words11\n", Some("run /opt/words13\n")),
    (
        "srv/bin/run",
        "#!/opt/words11 -e\n# /opt/words11\n",
        Some("#!/opt/words13 -e\n# /opt/words11\n"),
    ),
    ("srv/said.pl", "was::x();\n", Some("was::x();\n")),
    ("srv/said.php", "<?php was_f();\n", Some("<?php was_f();\n")),
    ("srv/said.py", "was.x\n", Some("was.x\n")),
    ("srv/said.rb", "Was.x?\n", Some("Was.x?\n")),
    ("srv/said.sh", "cat --was -x\n", Some("cat --was -x\n")),
    ("srv/dropped", "x", None),
    ("srv/not-dropped", "x", Some("x")),
];

fn old_system(roots: &Roots) {
    let old = roots.at("old");
    for dir in [
        "worth/config",
        "origin",
        "scope",
        "mention",
        "bin",
        "on",
        "theirs",
        "packaged",
        "empty",
        "chain/11",
    ] {
        fs::create_dir_all(old.join("srv").join(dir)).unwrap();
    }
    let wants = old.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    let write = |path: &str, text: &str| fs::write(old.join(path), text).unwrap();
    FILES.iter().for_each(|(path, text, _)| write(path, text));
    for name in ["srv/chain/11/x", "srv/copied", "srv/owned", "srv/held", "srv/packaged/a"] {
        write(name, "x");
    }
    write("etc/systemd/system/probe.service", "[Service]\nExecStart=/bin/true\n");
    write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nprobe11:x:900:900::/srv:/bin/sh\n");
    write("etc/group", "root:x:0:\nprobe11:x:900:\n");
    write("var/lib/dpkg/info/base-files.list", "/.\n/etc\n/srv\n/srv/packaged\n/srv/packaged/a\n");
    chown(old.join("srv/owned"), Some(900), Some(900)).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(old.join("srv/bin/run"), executable).unwrap();
    for (at, target) in [
        ("srv/on/theirs", "../origin/copy"),
        ("srv/on/own", "../copied"),
        ("srv/theirs/a", "../packaged/a"),
        ("srv/theirs/b", "../packaged/b"),
        ("etc/systemd/system/multi-user.target.wants/probe.service", "../probe.service"),
    ] {
        symlink(target, old.join(at)).unwrap();
    }
}

#[test]
fn a_restore_obeys_every_word_that_a_rule_says_of_paths_settings_and_transitions() {
    let roots = Roots::new();
    old_system(&roots);
    fs::remove_dir_all(roots.at("rules/probe")).unwrap();
    fs::write(roots.at("rules/words.yaml"), WORDS).unwrap();
    for (name, text) in BESIDE {
        fs::write(roots.at("rules").join(name).with_extension("yaml"), text).unwrap();
    }
    for name in ["srv/created-11", "srv/bypath-2"] {
        fs::write(roots.at("new").join(name), "made by a package").unwrap();
    }
    let archived = roots.regrow(&["archive", "rootfs:old", "-o", "x.regrow", "--json"]);
    assert!(matches!(archived.status.code(), Some(0 | 3)), "{}", complaint(&archived));
    let told: Value = serde_json::from_slice(&archived.stdout).unwrap();
    let secrets = told["secrets"].to_string();
    assert!(secrets.contains("/srv/plain.conf"), "{secrets}");

    let restored = roots.regrow(&["restore", "x.regrow", "--onto", "rootfs:new", "--json"]);
    assert_eq!(restored.status.code(), Some(3), "{}", complaint(&restored));
    let told: Value = serde_json::from_slice(&restored.stdout).unwrap();
    let held = told["held"].to_string();
    for asked in ["/srv/ini.conf", "/srv/held"] {
        assert!(held.contains(asked), "{held}");
    }
    for said in ["in Perl", "in PHP", "in Python", "by a command"] {
        assert!(held.contains(&format!(": {said}\"")), "{said}: {held}");
    }
    assert!(!held.contains("not yet"), "{held}");
    for (path, _, expected) in FILES {
        assert_eq!(roots.read(path).as_deref(), expected, "{path}");
    }
    assert_eq!(roots.read("srv/chained-13/x").as_deref(), Some("x"));
    assert_eq!(roots.read("srv/copy").as_deref(), Some("x"));
    assert_eq!(roots.read("srv/created-11"), None, "somebody had removed it");
    let new = |name: &str| roots.at("new").join(name);
    for gone in ["srv/on/theirs", "srv/theirs/a", "srv/empty", "srv/chain/11", "srv/chain/12"] {
        assert!(new(gone).symlink_metadata().is_err(), "{gone}");
    }
    let leads = |name: &str| fs::read_link(new(name)).unwrap().to_str().unwrap().to_owned();
    assert_eq!(leads("srv/on/own"), "../copied");
    assert_eq!(leads("srv/theirs/b"), "../packaged/b");
    assert_eq!(leads("srv/alias"), "copied");
    let switched = leads("etc/systemd/system/multi-user.target.wants/probes.service");
    assert!(switched.ends_with("probes.service"), "{switched}");
    let owned = new("srv/owned").metadata().unwrap();
    assert_eq!((owned.uid(), owned.gid(), owned.mode() & 0o7777), (1, 2, 0o600));
    let passwd = roots.read("etc/passwd").unwrap();
    assert!(passwd.contains("\nprobe:") && !passwd.contains("probe11"), "{passwd}");
}

#[test]
fn every_word_of_the_language_is_obeyed_in_a_test() {
    let mut shown = BTreeSet::new();
    let earlier = format!("{PROBE}{DATA_EARLIER}");
    let now = format!("{PROBE}{DATA}{MORE}");
    let beside = BESIDE.iter().map(|(_, text)| *text);
    for text in beside.chain([WORDS, &earlier, &now]) {
        collect(&serde_yaml::from_str(text).unwrap(), &mut shown);
    }
    shown.extend(ELSEWHERE.iter().map(|(word, _)| (*word).to_owned()));
    let mut language = BTreeSet::new();
    words(&Rule::schema().to_value(), &mut language);
    assert!(language.len() > 80, "{language:?}");
    let missing: Vec<_> = language.difference(&shown).collect();
    assert!(missing.is_empty(), "no restore in a test obeys {missing:?}");
}

/// The keys and the texts of a rule.
fn collect(rule: &Value, all: &mut BTreeSet<String>) {
    match rule {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            all.insert(key.clone());
            collect(value, all);
        }),
        Value::Array(list) => list.iter().for_each(|value| collect(value, all)),
        Value::String(text) => drop(all.insert(text.clone())),
        _ => {}
    }
}

/// The keys that a schema knows, and the words that a key may hold.
fn words(schema: &Value, all: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let properties = map.get("properties").and_then(Value::as_object);
            all.extend(properties.into_iter().flatten().map(|(key, _)| key.clone()));
            let choices = map.get("enum").and_then(Value::as_array).into_iter().flatten();
            let choices = choices.chain(map.get("const"));
            all.extend(choices.filter_map(|word| Some(word.as_str()?.to_owned())));
            map.values().for_each(|value| words(value, all));
        }
        Value::Array(list) => list.iter().for_each(|value| words(value, all)),
        _ => {}
    }
}
