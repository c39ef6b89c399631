//! Facts about the words of two systems.

use serde_json::json;

use super::*;
use crate::accounts::{AccountDb, AccountFile, IdMap};
use crate::references::outdated::{Outdated, Said, Speech};
use crate::references::question::Kept;
use crate::service::ServiceSettings;
use crate::tree::memory::MemoryTree;
use crate::verdict::{Held, HeldKind};

/// Two systems of which the new one has the next versions.
struct Systems {
    old: MemoryTree,
    new: MemoryTree,
    theirs: MemoryTree,
    kept: Vec<Kept>,
    settings: Option<(ServiceSettings, ServiceSettings)>,
    accounts: (AccountDb, AccountDb, IdMap),
    outdated: Vec<Outdated>,
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn program(tree: MemoryTree, at: &str) -> MemoryTree {
    tree.file(at, "\x7fELF").meta(at, |meta| meta.mode = 0o755)
}

fn accounts(passwd: &str, group: &str) -> AccountDb {
    let mut db = AccountDb::default();
    db.set(AccountFile::Passwd, passwd.as_bytes()).unwrap();
    db.set(AccountFile::Group, group.as_bytes()).unwrap();
    db
}

impl Systems {
    fn new() -> Systems {
        let mut old = MemoryTree::default()
            .link("/usr/bin/lang3", "lang3.9")
            .file("/usr/lib/x/gone.so", "")
            .file("/usr/lib/x86/security/login_old.so", "")
            .file("/usr/share/doc/tool/notes", "")
            .file("/var/log/tool.log", "")
            .dir("/usr/lib/vm/vm-11-x")
            .link("/usr/lib/vm/default-vm", "vm-11-x");
        for name in ["lang3.9", "lang2.7", "oldtool", "sh", "env", "here"] {
            old = program(old, &format!("/usr/bin/{name}"));
        }
        let mut new = MemoryTree::default()
            .link("/usr/bin/lang3", "lang3.13")
            .dir("/usr/lib/x86/security")
            .dir("/usr/lib/vm/vm-21-x")
            .link("/usr/lib/vm/default-vm", "vm-21-x");
        for name in ["lang3.13", "sh", "env", "here"] {
            new = program(new, &format!("/usr/bin/{name}"));
        }
        let (old, new) = (old.link("/bin", "usr/bin"), new.link("/bin", "usr/bin"));
        let theirs = new.clone();
        let accounts = (
            accounts(
                "app:x:998:997::/:/bin/sh\nclock:x:105:105::/:/bin/sh\n",
                "app:x:997:\nclock:x:105:\n",
            ),
            accounts(
                "net:x:998:998::/:/bin/sh\napp:x:991:990::/:/bin/sh\nclocksec:x:102:103::/:/bin/sh\nlate:x:1001:998::/:/bin/sh\n",
                "net:x:998:\napp:x:990:\nclocksec:x:103:\n",
            ),
            IdMap {
                uid: [(998, 991), (105, 102)].into(),
                gid: [(997, 990), (105, 103)].into(),
                ..IdMap::default()
            },
        );
        Systems { old, new, theirs, kept: vec![], settings: None, accounts, outdated: vec![] }
    }

    /// A kept text.
    fn text(mut self, at: &str, text: &str) -> Systems {
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        for tree in [&mut self.old, &mut self.new] {
            *tree = tree.clone().file(at, text).meta(at, |meta| meta.mode = mode);
        }
        self.kept.push(Kept { path: path(at), was: path(at) });
        self
    }

    /// A container that is run so.
    fn container(mut self, settings: serde_json::Value) -> Systems {
        let settings: ServiceSettings = serde_json::from_value(settings).unwrap();
        self.settings = Some((settings.clone(), settings));
        self
    }

    fn look(&self) -> (Vec<Cure>, Vec<Held>) {
        let settings = self.settings.as_ref().map(|(old, now)| (old, now));
        let question = Question { old: &self.old, new: &self.new, kept: &self.kept, settings };
        let (old, now, ids) = &self.accounts;
        let records = Records {
            lasted: &|path| !path.as_bytes().starts_with(b"/srv/cache"),
            package: &|path| path.as_bytes().ends_with(b"oldtool").then(|| "tools".to_owned()),
            package_now: &|_| None,
            theirs: &self.theirs,
            accounts: old,
            accounts_now: now,
            ids,
            outdated: &self.outdated,
        };
        let findings = look(&question, &records).unwrap();
        let cures = findings.iter().filter_map(|found| found.cure.clone()).collect();
        (cures, findings.into_iter().filter_map(|found| found.held).collect())
    }

    /// What the text at `at` becomes, and what is held, as `kind subject was`.
    fn becomes(&self, at: &str) -> (Option<String>, Vec<String>) {
        let (cures, held) = self.look();
        let text = cures.into_iter().find_map(|cure| match cure {
            Cure::Text { path, text, .. } if path == self::path(at) => String::from_utf8(text).ok(),
            _ => None,
        });
        (text, held.iter().map(line).collect())
    }
}

fn line(held: &Held) -> String {
    let kind = serde_json::to_value(held.kind).unwrap();
    let was = held.was.as_deref().unwrap_or_default();
    format!("{} {} {was}", kind.as_str().unwrap(), held.subject)
}

/// What a text becomes where something of it surely has another name.
fn cured(at: &str, text: &str) -> String {
    let (new, held) = Systems::new().text(at, text).becomes(at);
    assert_eq!(held, [""; 0], "{at}: {text}");
    new.unwrap_or_else(|| panic!("{at}: {text}"))
}

/// What of a text is held, when nothing of it is changed.
fn held(at: &str, text: &str) -> Vec<String> {
    let (new, held) = Systems::new().text(at, text).becomes(at);
    assert_eq!(new, None, "{at}: {text}");
    held
}

#[test]
fn a_program_whose_usual_name_is_there_is_called_by_that() {
    let cases = [
        ("/usr/local/bin/x", "#!/usr/bin/lang3.9 -u\n1\n"),
        ("/usr/local/bin/x", "#!/usr/bin/env lang3.9\n1\n"),
        ("/usr/local/bin/x", "#!/bin/sh\nexec lang3.9 /srv/app\n"),
        ("/usr/local/bin/x", "#!/bin/sh\nLANG=lang3.9; $LANG x\n"),
        ("/etc/crontab", "1 2 * * * root /usr/bin/lang3.9 /srv/x\n"),
        ("/var/spool/cron/crontabs/bob", "1 2 * * * cd /srv && lang3.9 x\n"),
        ("/etc/cron.daily/x", "#!/bin/sh\n/usr/bin/lang3.9 x\n"),
        ("/etc/sudoers.d/x", "bob ALL=(root) NOPASSWD: /usr/bin/lang3.9 /srv/x\n"),
        ("/etc/systemd/system/x.service", "[Service]\nExecStart=/usr/bin/lang3.9 x\n"),
        ("/etc/systemd/system/x.service", "[Service]\nExecStart=-/bin/sh -c 'lang3.9 x'\n"),
        ("/etc/supervisor/conf.d/x.conf", "[program:x]\ncommand=lang3.9 x\n"),
        ("/etc/logrotate.d/x", "/srv/x {\n postrotate\n  lang3.9 x\n endscript\n}\n"),
        ("/etc/inittab", "x:2:respawn:/usr/bin/lang3.9 x\n"),
    ];
    for (at, text) in cases {
        assert_eq!(cured(at, text), text.replace("lang3.9", "lang3"), "{at}");
    }
}

#[test]
fn a_directory_whose_usual_name_is_there_is_called_by_that() {
    let new = cured("/etc/default/x", "VM_HOME=/usr/lib/vm/vm-11-x\n");
    assert_eq!(new, "VM_HOME=/usr/lib/vm/default-vm\n");
}

#[test]
fn a_program_that_is_gone_is_held_once_with_all_that_run_it() {
    let systems = Systems::new()
        .text("/usr/local/bin/x", "#!/bin/sh\n# a line\nif oldtool -q; then here; fi\n")
        .text("/etc/cron.d/x", "1 2 * * * root oldtool\n3 4 * * * root oldtool\n")
        .text("/etc/x.conf", "helper = /usr/bin/oldtool\n");
    let (cures, held) = systems.look();
    assert_eq!(cures, []);
    let [held] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!(held.kind, HeldKind::Command);
    assert_eq!(held.subject, "/usr/local/bin/x");
    assert_eq!(
        held.why,
        "line 3 names oldtool, a program of package tools that the new system does not have, and 2 \
         more places do"
    );
    assert_eq!(held.was.as_deref(), Some("/usr/bin/oldtool"));
    assert_eq!(held.files, ["/usr/local/bin/x", "/etc/cron.d/x", "/etc/x.conf"]);
}

#[test]
fn what_may_have_taken_the_place_of_a_program_is_named() {
    let (_, held) = Systems::new().text("/usr/local/bin/x", "#!/usr/bin/lang2.7\n").look();
    assert_eq!(held[0].candidates, ["/usr/bin/lang3", "/usr/bin/lang3.13"]);
}

#[test]
fn files_modules_and_shells_that_are_gone_are_held() {
    let cases = [
        (
            "/etc/app/x.conf",
            "load /usr/lib/x/gone.so;\n",
            "reference /etc/app/x.conf /usr/lib/x/gone.so",
        ),
        (
            "/etc/ld.so.preload",
            "/usr/lib/x/gone.so\n",
            "reference /etc/ld.so.preload /usr/lib/x/gone.so",
        ),
        (
            "/etc/pam.d/login",
            "auth [success=1 default=ignore] login_old.so x\n",
            "reference /etc/pam.d/login /usr/lib/x86/security/login_old.so",
        ),
        (
            "/etc/passwd",
            "bob:x:1000:1000::/home/bob:/bin/oldtool\n",
            "command /etc/passwd /usr/bin/oldtool",
        ),
    ];
    for (at, text, expected) in cases {
        assert_eq!(held(at, text), [expected]);
    }
}

#[test]
fn what_is_said_to_people_passes_away_or_was_never_there_is_no_news() {
    let cases = [
        ("/usr/local/bin/x", "#!/bin/sh\n# /usr/bin/oldtool\nhere # oldtool\n"),
        ("/usr/local/bin/x", "#!/bin/sh\ncat >/srv/x <<E\noldtool\nE\n"),
        ("/usr/local/bin/x", "#!/bin/sh\noldtool() { :; }\noldtool\n"),
        ("/usr/local/bin/x", "#!/bin/sh\nnever-there; /usr/bin/never\necho oldtool\n"),
        ("/etc/app/x.conf", "; /usr/bin/oldtool\nlog = /var/log/tool.log\n"),
        ("/etc/app/x.conf", "url = http://host/usr/bin/oldtool\n"),
        ("/etc/app/x.conf", "see = /usr/share/doc/tool/notes\n"),
        ("/etc/app/x.conf.dpkg-old", "x = /usr/bin/oldtool\n"),
        ("/srv/x/node_modules/y/z.sh", "/usr/bin/oldtool\n"),
        ("/srv/x/data", "/usr/bin/oldtool\n"),
        ("/etc/app/x.conf", "x = /usr/bin/oldtool\0\n"),
    ];
    for (at, text) in cases {
        assert_eq!(held(at, text), [""; 0], "{at}: {text}");
    }
}

#[test]
fn what_the_record_calls_passing_is_no_news() {
    let mut systems = Systems::new().text("/etc/app/x.conf", "x = /srv/cache/x\n");
    systems.old = systems.old.file("/srv/cache/x", "");
    assert_eq!(systems.becomes("/etc/app/x.conf"), (None, vec![]));
}

#[test]
fn lines_that_come_from_the_new_default_are_no_news() {
    let mut systems = Systems::new().text("/etc/app/x.conf", "x = /usr/bin/oldtool\ny = 1\n");
    systems.theirs = systems.theirs.file("/etc/app/x.conf", "x = /usr/bin/oldtool\n");
    assert_eq!(systems.becomes("/etc/app/x.conf"), (None, vec![]));
}

#[test]
fn what_lies_below_a_mounted_directory_is_not_the_containers() {
    let mut systems = Systems::new()
        .text("/etc/app/x.conf", "x = /host/x\n")
        .container(json!({"mounts": [{"kind": "bind", "source": "/h", "target": "/host"}]}));
    systems.old = systems.old.file("/host/x", "");
    assert_eq!(systems.becomes("/etc/app/x.conf"), (None, vec![]));
}

#[test]
fn a_text_too_large_to_be_written_is_only_told_of() {
    let text = format!("x = /usr/bin/lang3.9\n{}", "y = 1\n".repeat(200_000));
    assert_eq!(held("/etc/app/x.conf", &text), ["command /etc/app/x.conf /usr/bin/lang3.9"]);
}

fn settings(given: serde_json::Value) -> (serde_json::Value, Vec<String>) {
    let systems = Systems::new().container(given);
    let (cures, held) = systems.look();
    let mut now = systems.settings.unwrap().1;
    for cure in cures {
        let Cure::Setting { which, from, to, .. } = cure else { panic!("{cure:?}") };
        let change = |(of, text): (_, &mut String)| {
            if of == which && *text == from {
                text.clone_from(&to);
            }
        };
        now.texts_mut().for_each(change);
        now.accounts_mut().for_each(change);
    }
    (serde_json::to_value(now).unwrap(), held.iter().map(line).collect())
}

#[test]
fn a_containers_settings_follow_what_has_another_name() {
    let given = json!({
        "entrypoint": ["/usr/bin/lang3.9", "/app/main"],
        "command": ["lang3.9", "-x"],
        "environment": ["VM=/usr/lib/vm/vm-11-x", "LANG=lang3.9", "PATH=/usr/lib/vm/vm-11-x:/usr/bin"],
        "working_directory": "/usr/lib/vm/vm-11-x",
        "health_check": {"test": {"shell": "lang3.9 -v || exit 1"}},
    });
    let expected = given.to_string().replace("lang3.9", "lang3").replace("vm-11-x", "default-vm");
    assert_eq!(settings(given), (serde_json::from_str(&expected).unwrap(), vec![]));
}

#[test]
fn what_a_containers_settings_name_and_is_gone_is_held_without_the_values_of_variables() {
    let given = json!({
        "entrypoint": ["sh", "-c", "exec oldtool"],
        "environment": ["SECRET=x,/usr/lib/x/gone.so", "NONE=/usr/lib/never"],
        "health_check": {"test": {"run": ["lang2.7", "-v"]}},
    });
    let systems = Systems::new().container(given.clone());
    assert!(!format!("{:?}", systems.look().1).contains("SECRET"));
    let (now, held) = settings(given.clone());
    assert_eq!(now, given);
    assert_eq!(
        held,
        [
            "command the container's health check /usr/bin/lang2.7",
            "command the container's entrypoint /usr/bin/oldtool",
            "reference the container's environment /usr/lib/x/gone.so",
        ]
    );
}

#[test]
fn a_program_that_the_new_search_path_leads_to_is_there() {
    let given = json!({"command": ["oldtool"], "environment": ["PATH=/opt/v1/bin:/usr/bin"]});
    let mut systems = Systems::new().container(given);
    systems.new = program(systems.new, "/opt/v2/bin/oldtool");
    assert_eq!(systems.look().1.len(), 1);
    let now = json!({"command": ["oldtool"], "environment": ["PATH=/opt/v2/bin:/usr/bin"]});
    systems.settings.as_mut().unwrap().1 = serde_json::from_value(now).unwrap();
    assert_eq!(systems.look().1, []);
}

#[test]
fn numbers_of_accounts_in_a_containers_settings_follow_the_accounts() {
    let given = json!({
        "user": "998:997",
        "groups": ["997", "app"],
        "environment": ["PUID=998", "PGID=997", "PORT=998", "UUID=998"],
    });
    let (now, held) = settings(given);
    assert_eq!(held, [""; 0]);
    assert_eq!(
        now,
        json!({
            "user": "991:990",
            "groups": ["990", "app"],
            "environment": ["PUID=991", "PGID=990", "PORT=998", "UUID=998"],
        })
    );
    assert_eq!(settings(json!({"user": "clock"})).0, json!({"user": "clocksec"}));
    assert_eq!(settings(json!({"user": "0:0"})), (json!({"user": "0:0"}), vec![]));
}

#[test]
fn a_number_that_was_nobodys_and_is_somebodys_is_held() {
    let (now, held) = settings(json!({"user": "1001:0"}));
    assert_eq!(now, json!({"user": "1001:0"}));
    assert_eq!(held, ["account the container's user 1001"]);
}

#[test]
fn accounts_in_texts_follow_where_the_place_leaves_no_doubt() {
    let cases = [
        (
            "/etc/systemd/system/x.service",
            "[Service]\nUser=998\nGroup=997\n",
            "[Service]\nUser=991\nGroup=990\n",
        ),
        ("/etc/systemd/system/x.service", "[Service]\nUser=clock\n", "[Service]\nUser=clocksec\n"),
        ("/etc/supervisor/conf.d/x.conf", "[program:x]\nuser = 998\n", "[program:x]\nuser = 991\n"),
        ("/etc/cron.d/x", "1 2 * * * clock here\n", "1 2 * * * clocksec here\n"),
        (
            "/etc/sudoers.d/x",
            "#998,%clock ALL=(clock:clock) ALL\n",
            "#991,%clocksec ALL=(clocksec:clocksec) ALL\n",
        ),
        (
            "/etc/logrotate.d/x",
            "/x {\n su clock clock\n create 640 998 997\n}\n",
            "/x {\n su clocksec clocksec\n create 640 991 990\n}\n",
        ),
        ("/etc/tmpfiles.d/x.conf", "d /srv/x 0755 998 clock -\n", "d /srv/x 0755 991 clocksec -\n"),
    ];
    for (at, text, expected) in cases {
        assert_eq!(cured(at, text), expected);
    }
}

#[test]
fn accounts_that_commands_and_settings_are_given_are_held() {
    let script = |line: &str| format!("#!/bin/sh\n{line}\n");
    for (line, expected) in [
        ("chown -R 998:997 /srv", 2),
        ("chgrp 997 /srv", 1),
        ("exec gosu 998 here", 1),
        ("sudo -u clock here", 1),
        ("install -o clock -g clock a b", 2),
        ("x --user=998 --port 998", 1),
        ("x 998; chown app /srv; echo clock", 0),
    ] {
        let found = held("/usr/local/bin/x", &script(line));
        assert_eq!(found.len(), expected, "{line}: {found:?}");
    }
    assert_eq!(held("/etc/app/x.conf", "user = clock\n"), ["account /etc/app/x.conf clock"]);
    assert_eq!(held("/etc/app/x.conf", "user clock;\nuser a clock b\nport 998\n").len(), 1);
    let of_python = "/etc/app.conf.py";
    assert_eq!(held(of_python, "user = \"clock\"\n"), [format!("account {of_python} clock")]);
}

/// Systems of which the new one calls a time zone otherwise, and does not know another.
fn zoned() -> Systems {
    let mut systems = Systems::new();
    for name in ["US/Pacific", "Old/Place"] {
        systems.old = systems.old.file(format!("/usr/share/zoneinfo/{name}"), "");
    }
    let today = "/usr/share/zoneinfo/America/Los_Angeles";
    systems.old = systems.old.file(today, "");
    systems.new = systems
        .new
        .file(today, "")
        .file("/usr/share/zoneinfo/tzdata.zi", "L America/Los_Angeles US/Pacific\n");
    systems
}

#[test]
fn a_time_zone_is_set_by_its_name_of_today_or_held() {
    let at = "/etc/app/x.conf";
    let text = "timezone = 'US/Pacific'\npath = US/Pacific\n";
    let (new, held) = zoned().text(at, text).becomes(at);
    let expected = "timezone = 'America/Los_Angeles'\npath = US/Pacific\n";
    assert_eq!((new.as_deref(), held), (Some(expected), vec![]));
    let (new, held) = zoned().text(at, "TZ=Old/Place\n").becomes(at);
    let expected = "reference /etc/app/x.conf /usr/share/zoneinfo/Old/Place";
    assert_eq!((new, held), (None, vec![expected.to_owned()]));
    let (_, held) = zoned().text(at, "TZ=Old/Place\n").look();
    let why = "line 1 names Old/Place, a time zone that the new system does not have";
    assert_eq!(held[0].why, why);
    assert_eq!(zoned().text(at, "TZ=America/Los_Angeles\n").becomes(at), (None, vec![]));
    assert_eq!(zoned().text(at, "TZ=Never/There\n").becomes(at), (None, vec![]));

    let given = json!({"environment": ["TZ=US/Pacific", "PGTZ=:US/Pacific"]});
    let (cures, held) = zoned().container(given).look();
    let told: Vec<String> = cures
        .iter()
        .map(|cure| match cure {
            Cure::Setting { to, .. } => to.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((told, held), (vec!["TZ=America/Los_Angeles".to_owned()], vec![]));
    let given = json!({"environment": ["TZ=Old/Place"]});
    let (cures, held) = zoned().container(given).look();
    assert_eq!(cures, []);
    let told: Vec<String> = held.iter().map(line).collect();
    assert_eq!(told, ["reference the container's environment /usr/share/zoneinfo/Old/Place"]);
}

#[test]
fn rules_about_devices_and_chains_of_programs_run_commands() {
    let at = "/etc/udev/rules.d/80-x.rules";
    let run = "ACTION==\"add\", RUN+=\"/bin/sh -c 'oldtool x'\"\n";
    assert_eq!(held(at, run), [format!("command {at} /usr/bin/oldtool")]);
    let mut systems = Systems::new().text(at, "KERNEL==\"x\", IMPORT{program}=\"helper -x\"\n");
    systems.old = program(systems.old, "/usr/lib/udev/helper");
    assert_eq!(systems.becomes(at).1, [format!("command {at} /usr/lib/udev/helper")]);
    systems.new = program(systems.new, "/usr/lib/udev/helper");
    assert_eq!(systems.becomes(at).1, [""; 0]);
    let said = "# RUN+=\"oldtool\"\nNAME=\"oldtool\", ENV{x}=\"oldtool\"\n";
    assert_eq!(held(at, said), [""; 0]);

    let at = "/etc/s6/web/run";
    let text = "#!/command/execlineb -P\nfdmove -c 2 1\ns6-setuidgid clock\noldtool -f\n";
    let both = [format!("command {at} /usr/bin/oldtool"), format!("account {at} clock")];
    assert_eq!(held(at, text), both);
    let block = "#!/command/execlineb -P\nforeground { lang3.9 x }\nhere oldtool\n";
    assert_eq!(cured(at, block), block.replace("lang3.9", "lang3"));
}

/// What is held of a text in a language whose interpreters have modules.
fn asks(at: &str, text: &str) -> Vec<String> {
    let mut systems = Systems::new();
    let old = |at: &str, tree: MemoryTree| tree.file(at, "");
    for at in [
        "/usr/lib/python3.9/oldcgi.py",
        "/usr/lib/python3.9/json/__init__.py",
        "/usr/lib/python3.9/json/old.py",
        "/usr/lib/python3.9/distutils/core.py",
        "/usr/lib/python3.9/lib-dynload/inside.cpython-39-x86_64-linux-gnu.so",
        "/usr/lib/python3.9/lib-dynload/oldsound.cpython-39-x86_64-linux-gnu.so",
        "/usr/lib/python3/dist-packages/odd.py",
        "/usr/lib/python3/dist-packages/own.py",
        "/usr/lib/python3/dist-packages/piped.py",
        "/usr/local/lib/python3.9/dist-packages/piped.py",
        "/usr/share/perl/5.32.1/Term/Old.pm",
        "/usr/share/perl5/Moved/Now.pm",
        "/usr/lib/x86_64-linux-gnu/perl5/5.32/Comp/Iled.pm",
        "/usr/lib/ruby/2.7.0/webserver.rb",
        "/usr/lib/ruby/2.7.0/toxml.rb",
        "/usr/lib/x86_64-linux-gnu/ruby/2.7.0/olddb.so",
        "/usr/lib/x86_64-linux-gnu/ruby/2.7.0/strand.so",
        "/usr/lib/ruby/2.7.0/x86_64-linux/placed.so",
    ] {
        systems.old = old(at, systems.old);
    }
    for at in [
        "/usr/lib/python3.13/json/__init__.py",
        "/usr/lib/python3/dist-packages/_distutils_hack/__init__.py",
        "/usr/lib/python3.13/lib-dynload/odd.cpython-313-x86_64-linux-gnu.so",
        "/usr/share/perl/5.40.1/strict.pm",
        "/usr/lib/x86_64-linux-gnu/perl5/5.40/Moved/Now.pm",
        "/usr/lib/ruby/gems/3.3.0/gems/toxml-3/lib/toxml.rb",
    ] {
        systems.new = old(at, systems.new);
    }
    for name in ["perl", "ruby", "node"] {
        systems.old = program(systems.old, &format!("/usr/bin/{name}"));
        systems.new = program(systems.new, &format!("/usr/bin/{name}"));
    }
    let python = |tree, version| {
        let tree = program(tree, &format!("/usr/bin/{version}"));
        tree.link("/usr/bin/python3", version)
    };
    systems.old = python(systems.old, "python3.9");
    systems.old = program(systems.old, "/usr/lib/python3.9/oldcgi.py");
    systems.new = python(systems.new, "python3.13");
    // What an interpreter has within itself.
    systems.new = systems
        .new
        .file("/usr/bin/python3.13", "\x7fELF\0PyInit_inside\0PyInit_oldsounds\0")
        .file("/usr/lib/x86_64-linux-gnu/libruby-3.3.so.3.3", "\x7fELF\0strand.so\0");
    systems.text("/srv/own/own.py", "").text(at, text).becomes(at).1
}

#[test]
fn modules_that_a_program_asks_for_and_that_are_gone_are_held() {
    let python = "reference /srv/x /usr/lib/python3.9/oldcgi.py";
    let perl = "reference /srv/x /usr/share/perl/5.32.1/Term/Old.pm";
    let ruby = "reference /srv/x /usr/lib/ruby/2.7.0/webserver.rb";
    let cases = [
        ("#!/usr/bin/python3\nimport sys, oldcgi as c\n", python),
        ("#!/usr/bin/env python3\nfrom oldcgi import x\n", python),
        ("#!/opt/venv/bin/python3.9 -u\nimport oldcgi; import sys\n", python),
        ("#!/usr/bin/python3\nclass X:\n    def f():\n        import oldcgi\n", python),
        (
            "#!/usr/bin/python3\nimport json.old\n",
            "reference /srv/x /usr/lib/python3.9/json/old.py",
        ),
        ("#!/usr/bin/perl -w\nuse strict; use Term::Old qw(a);\n", perl),
        ("#!/usr/bin/perl\nrequire Term::Old;\n", perl),
        (
            "#!/usr/bin/perl\nuse Comp::Iled;\n",
            "reference /srv/x /usr/lib/x86_64-linux-gnu/perl5/5.32/Comp/Iled.pm",
        ),
        ("#!/usr/bin/ruby\nrequire 'webserver'\n", ruby),
        ("#!/usr/bin/env ruby\nrequire(\"webserver\")\n", ruby),
        // Compiled.
        (
            "#!/usr/bin/python3\nimport oldsound\n",
            "reference /srv/x /usr/lib/python3.9/lib-dynload/oldsound.cpython-39-x86_64-linux-gnu.so",
        ),
        (
            "#!/usr/bin/ruby\nrequire 'olddb'\n",
            "reference /srv/x /usr/lib/x86_64-linux-gnu/ruby/2.7.0/olddb.so",
        ),
        (
            "#!/usr/bin/ruby\nrequire 'placed'\n",
            "reference /srv/x /usr/lib/ruby/2.7.0/x86_64-linux/placed.so",
        ),
        // Where a string over several lines has ended.
        ("#!/usr/bin/python3\n\"\"\"A\nb\"\"\"\nimport oldcgi\n", python),
        ("#!/usr/bin/python3\na = '#' + '''b''' # '''\nimport oldcgi\n", python),
        ("#!/usr/bin/python3\na = '\"\"\"'\nimport oldcgi\n", python),
        ("#!/usr/bin/perl\nprint <<EOT;\nx\nEOT\nuse Term::Old;\n", perl),
        ("#!/usr/bin/perl\nprint 1 <<EOT;\nuse Term::Old;\n", perl),
    ];
    for (text, expected) in cases {
        assert_eq!(asks("/srv/x", text), [expected], "{text}");
    }
    // Without a first line, an ending says what it is.
    let found = asks("/srv/app/x.py", "import oldcgi\n");
    assert_eq!(found, ["reference /srv/app/x.py /usr/lib/python3.9/oldcgi.py"]);
    let found = asks("/srv/app/x.py", "# -*- coding: utf-8 -*-\nimport never, oldcgi\n");
    assert_eq!(found, ["reference /srv/app/x.py /usr/lib/python3.9/oldcgi.py"]);
    // In `/etc` a program is configuration, and asks for modules all the same.
    let found = asks("/etc/app/x.conf.py", "import oldcgi\n");
    assert_eq!(found, ["reference /etc/app/x.conf.py /usr/lib/python3.9/oldcgi.py"]);
}

#[test]
fn a_directory_or_the_program_itself_that_is_called_so_is_no_module_of_the_services_own() {
    for at in ["/srv/www/oldcgi/report", "/srv/oldcgi"] {
        let found = asks(at, "#!/usr/bin/python3\nimport oldcgi\n");
        assert_eq!(found, [format!("reference {at} /usr/lib/python3.9/oldcgi.py")]);
    }
    assert_eq!(asks("/srv/x/oldcgi.py", "import oldcgi\n"), [""; 0]);
}

#[test]
fn modules_that_are_there_in_any_form_or_may_be_done_without_are_no_news() {
    let cases = [
        // Compiled now, of another package, the service's own, or brought otherwise.
        "#!/usr/bin/python3\nimport odd, own, piped, never, json, distutils.core\n",
        // Within the interpreter.
        "#!/usr/bin/python3\nimport inside\n",
        "#!/usr/bin/ruby\nrequire 'strand'\n",
        "#!/usr/bin/perl\nuse Moved::Now; use Never; use 5.010;\n",
        "#!/usr/bin/ruby\nrequire 'toxml'\nrequire 'never'\nrequire_relative 'webserver'\n",
        // Only tried, or said to people.
        "#!/usr/bin/python3\ntry:\n    import oldcgi\nexcept ImportError: pass\n# import oldcgi\n",
        "#!/usr/bin/python3\nif x:\n    def f():\n        import oldcgi\n",
        "#!/usr/bin/python3\ndef f():\n  try:\n    from oldcgi import x\n  finally: pass\n",
        "#!/usr/bin/perl\n=pod\n\nuse Term::Old;\n\n=cut\n__END__\nuse Term::Old;\n",
        "#!/usr/bin/python3\n\"\"\"Usage:\nimport oldcgi\n\"\"\"\n",
        "#!/usr/bin/python3\nx = r'''\nimport oldcgi\n'''; y = 1\n",
        "#!/usr/bin/perl\nprint <<\"EOT\";\nuse Term::Old;\nEOT\n",
        "#!/usr/bin/ruby\nputs <<~EOT\nrequire 'webserver'\n  EOT\n",
        // Another interpreter's.
        "#!/usr/bin/python2\nimport oldcgi\n",
        "#!/usr/bin/node\nimport oldcgi\n",
    ];
    for text in cases {
        assert_eq!(asks("/srv/x", text), [""; 0], "{text}");
    }
}

/// What is outdated in a text.
fn outdated(at: &str, text: &str) -> Vec<String> {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let of = |said| Outdated { said, why: "no more".to_owned(), today: Some("new".to_owned()) };
    let in_programs = |speech, says: &[&str], calls: &[&str]| {
        of(Said::InPrograms { speech, says: list(says), calls: list(calls) })
    };
    let mut systems = Systems::new().text(at, text);
    systems.outdated = vec![
        in_programs(Speech::Ruby, &["File.exists?", ".taint"], &[]),
        in_programs(Speech::Python, &["collections.Mapping"], &["getargs"]),
        in_programs(Speech::Php, &[], &["each"]),
        of(Said::ByCommands { programs: list(&["here"]), arguments: list(&["-bf", "-t dsa"]) }),
    ];
    let (_, held) = systems.look();
    assert!(held.iter().all(|held| held.candidates == ["new"]), "{held:?}");
    held.into_iter().map(|held| held.why).collect()
}

#[test]
fn what_a_newer_version_does_not_know_is_held_with_what_to_say_today() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "/srv/x.rb",
            "x = 1\nFile.exists?(x) && y.taint\n",
            &["line 2 says `.taint`", "line 2 says `File.exists?`"],
        ),
        (
            "/srv/x",
            "#!/usr/bin/env ruby\nputs \"#{File.exists?(x)}\"\n",
            &["line 2 says `File.exists?`"],
        ),
        (
            "/srv/x.py",
            "class X(collections.Mapping): pass\n",
            &["line 1 says `collections.Mapping`"],
        ),
        (
            "/srv/x.py",
            "from collections import (OrderedDict,\n    Mapping)\n",
            &["line 2 says `Mapping`"],
        ),
        (
            "/srv/x.py",
            "def f():\n  try:\n    getargs(f)\n  except OSError: pass\n",
            &["line 3 says `getargs`"],
        ),
        ("/srv/x.php", "<?php while (list($a) = Each ($b)) {}\n", &["line 1 says `Each`"]),
        (
            "/srv/x.sh",
            "a=1 sudo here enc -bf -k x\nhere -t dsa\n",
            &["line 1 says `-bf`", "line 2 says `-t dsa`"],
        ),
        ("/etc/crontab", "1 2 * * * root /usr/bin/here -bf\n", &["line 1 says `-bf`"]),
        (
            "/etc/systemd/system/x.service",
            "[Service]\nExecStart=/usr/bin/here -t dsa\n",
            &["line 2 says `-t dsa`"],
        ),
        (
            "/etc/cron.d/x",
            "1 2 * * * root ruby -e 'p File.exists?(\"/x\")'\n",
            &["line 1 says `File.exists?`"],
        ),
    ];
    for (at, text, expected) in cases {
        let expected: Vec<String> =
            expected.iter().map(|line| format!("{line}: no more")).collect();
        assert_eq!(outdated(at, text), expected, "{at}: {text}");
    }
}

#[test]
fn what_another_program_says_or_one_sees_to_by_itself_is_not_outdated() {
    let cases = [
        (
            "/srv/x.rb",
            "# File.exists?\nputs 'File.exists?' # File.exists?\nMyFile.exists?(1)\nx.taints\n",
        ),
        ("/srv/x.rb", "class Object; def taint; self; end; end\nx.taint\n"),
        ("/srv/x.rb", "if RUBY_VERSION < '3'\n  x.taint\nend\n"),
        (
            "/srv/x.py",
            "try:\n  from collections.abc import Mapping\nexcept ImportError:\n  from collections \
             import Mapping\n",
        ),
        ("/srv/x.py", "from collections import Mappings, A\nMapping = 1\nx.getargs(1)\n"),
        ("/srv/x.py", "#!/usr/bin/python2\ncollections.Mapping\n"),
        ("/srv/x.py", "File.exists?(1)\n'''\ncollections.Mapping\n'''\n"),
        (
            "/srv/x.php",
            "each($x)\n<?php $x->each(1); X::each(2); // each(3)\n/* each(4) */ $s = 'each(5)'; \
             ?>\neach(6)\n",
        ),
        ("/srv/x.php", "<?php if (!function_exists('each')) { function each($x) {} }\neach($x);\n"),
        ("/srv/vendor/x.php", "<?php each($x);\n"),
        ("/srv/x.sh", "# here -bf\nother -bf\necho here -bf\nhere -t rsa dsa\nhere '-t dsa'\n"),
    ];
    for (at, text) in cases {
        assert_eq!(outdated(at, text), [""; 0], "{at}: {text}");
    }
}

#[test]
fn what_a_container_runs_is_outdated_too() {
    let mut systems = Systems::new().container(json!({"command": ["here", "-bf"]}));
    let said =
        Said::ByCommands { programs: vec!["here".to_owned()], arguments: vec!["-bf".to_owned()] };
    systems.outdated = vec![Outdated { said, why: "no more".to_owned(), today: None }];
    let (_, held) = systems.look();
    let [held] = held.as_slice() else { panic!("{held:?}") };
    assert_eq!((held.kind, held.subject.as_str()), (HeldKind::Rule, "the container's command"));
    assert_eq!(held.why, "it says `-bf`: no more");
}
