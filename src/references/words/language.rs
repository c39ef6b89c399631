//! [`Language`]: what a kept text is, by where it lies and what it is called.

use crate::packages::is_put_beside;
use crate::tree::RootPath;

/// What a text is, as far as words of it name programs, files and accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Lines for a shell.
    Shell,
    /// Lines that each run something, whose blocks do too: one program that becomes the next.
    Chain,
    /// A program of another language: its first line, the paths in it, and the modules that it
    /// asks for count.
    Script,
    /// A unit of systemd, or a part of one.
    Unit,
    /// A table of jobs, with or without a column that says as whom.
    Crontab { user: bool },
    /// Jobs with a period, a delay and a name before the command.
    Anacrontab,
    /// Who may do what as whom.
    Sudoers,
    /// Logs with the lines for a shell that go with them.
    Logrotate,
    /// Stacks of modules that let users in.
    Pam,
    /// Lines `command = ...` and `user = ...` of a supervisor.
    Pairs,
    /// Services of the internet super-server, a line each.
    Inetd,
    /// What init runs, a line each.
    Inittab,
    /// Accounts with their shells.
    Passwd,
    /// Paths that are made at boot, with their owners.
    Tmpfiles,
    /// What is done when a device comes or goes.
    Devices,
    /// Settings of anything else.
    Config,
}

/// Endings of texts that nothing reads: copies that were set aside, and what people read.
const IDLE: &[&[u8]] = &[
    b".bak",
    b".example",
    b".md",
    b".old",
    b".orig",
    b".rst",
    b".sample",
    b".save",
    b".swp",
    b"~",
];

/// Directories whose texts are somebody else's source code, or records.
const FOREIGN: &[&[u8]] = &[
    b".cache",
    b".git",
    b".hg",
    b".svn",
    b"__pycache__",
    b"dist-packages",
    b"doc",
    b"docs",
    b"examples",
    b"gems",
    b"node_modules",
    b"site-packages",
    b"test",
    b"tests",
    b"vendor",
];

/// Account files but the list of users, what names no path of the system, and what is made of what
/// packages say.
const MUTE: &[&[u8]] = &[
    b"/etc/group",
    b"/etc/gshadow",
    b"/etc/hostname",
    b"/etc/hosts",
    b"/etc/machine-id",
    b"/etc/mailcap",
    b"/etc/resolv.conf",
    b"/etc/shadow",
    b"/etc/shells",
    b"/etc/subgid",
    b"/etc/subuid",
];

/// Directories that hold certificates, keys and links.
const MUTE_BELOW: &[&[u8]] =
    &[b"/etc/alternatives", b"/etc/ssl/certs", b"/etc/ssl/private", b"/etc/sysusers.d"];

/// Files in homes that a shell reads.
const OF_SHELLS: &[&[u8]] = &[
    b".bash_aliases",
    b".bash_login",
    b".bash_profile",
    b".bashrc",
    b".profile",
    b".xsessionrc",
    b".zprofile",
    b".zshenv",
    b".zshrc",
];

/// Endings of settings outside of `/etc`.
const OF_SETTINGS: &[&[u8]] =
    &[b".cfg", b".cnf", b".conf", b".env", b".ini", b".properties", b".toml", b".yaml", b".yml"];

/// Endings of programs and their parts.
const OF_SCRIPTS: &[&[u8]] = &[b".php", b".phtml", b".pl", b".pm", b".py", b".rb"];

/// Where packages have theirs: what is kept there is not the service's own.
const OF_PACKAGES: &[&[u8]] = &[b"/lib", b"/usr/lib", b"/usr/lib64", b"/usr/share"];

const OF_UNITS: &[&[u8]] = &[
    b".automount",
    b".mount",
    b".path",
    b".service",
    b".slice",
    b".socket",
    b".swap",
    b".target",
    b".timer",
];

impl Language {
    /// What the text at `path` is; `None` where only a first line can tell, or nothing is read.
    pub(super) fn of(path: &RootPath) -> Option<Language> {
        if is_idle(path) || is_mute(path) {
            return None;
        }
        let by_place = PLACES.iter().find(|(places, _)| places.iter().any(|at| at.holds(path)));
        if let Some((_, language)) = by_place {
            return Some(*language);
        }
        let name = path.name();
        let ends = |endings: &[&[u8]]| endings.iter().any(|ending| name.ends_with(ending));
        let is_own = !OF_PACKAGES.iter().any(|dir| is_below(path, dir));
        let is_setting = is_below(path, b"/etc") || ends(OF_SETTINGS);
        match name {
            b"supervisord.conf" => Some(Language::Pairs),
            name if name.ends_with(b".sh") || name.ends_with(b".bash") => Some(Language::Shell),
            name if OF_SHELLS.contains(&name) => Some(Language::Shell),
            _ if ends(OF_UNITS) => Some(Language::Unit),
            // Settings may be written in a language too.
            _ if is_setting => Some(Language::Config),
            _ if is_own && ends(OF_SCRIPTS) => Some(Language::Script),
            _ => None,
        }
    }

    /// What a text is whose first line is `line`; `None` when that names no interpreter.
    pub(super) fn of_first_line(line: &[u8]) -> Option<Language> {
        let line = line.strip_prefix(b"#!")?;
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let names = words.map(|word| word.rsplit(|b| *b == b'/').next().unwrap_or(word));
        let known = names.filter_map(|name| match name {
            b"sh" | b"bash" | b"dash" | b"ash" | b"ksh" | b"zsh" | b"rbash" => {
                Some(Language::Shell)
            }
            b"execlineb" => Some(Language::Chain),
            _ => None,
        });
        Some(known.into_iter().next().unwrap_or(Language::Script))
    }
}

/// Whether `path` is below a directory of somebody else's code, in which only programs count.
pub(super) fn is_foreign(path: &RootPath) -> bool {
    path.parent().is_some_and(|dir| dir.components().any(|name| FOREIGN.contains(&name)))
}

fn is_idle(path: &RootPath) -> bool {
    let name = path.name();
    IDLE.iter().any(|ending| name.ends_with(ending))
        || name.starts_with(b"README")
        || is_put_beside(name)
}

fn is_mute(path: &RootPath) -> bool {
    MUTE.contains(&path.as_bytes()) || MUTE_BELOW.iter().any(|dir| is_below(path, dir))
}

fn is_below(path: &RootPath, dir: &[u8]) -> bool {
    path.as_bytes().strip_prefix(dir).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// A place of texts.
enum At {
    /// This file.
    File(&'static str),
    /// Everything below this directory.
    Below(&'static str),
    /// What lies directly in this directory.
    In(&'static str),
    /// Everything below a directory of this name, wherever it is.
    Within(&'static str),
}

impl At {
    fn holds(&self, path: &RootPath) -> bool {
        let bytes = path.as_bytes();
        match self {
            At::File(file) => bytes == file.as_bytes(),
            At::Below(dir) => is_below(path, dir.as_bytes()),
            At::In(dir) => path.parent().is_some_and(|own| own.as_bytes() == dir.as_bytes()),
            At::Within(dir) => bytes.windows(dir.len()).any(|part| part == dir.as_bytes()),
        }
    }
}

/// What lies where; the first that holds counts.
const PLACES: &[(&[At], Language)] = &[
    (
        &[
            At::Below("/etc/systemd"),
            At::Below("/usr/local/lib/systemd"),
            At::Below("/usr/lib/systemd"),
            At::Below("/lib/systemd"),
            At::Within("/.config/systemd/user/"),
            At::Within("/.local/share/systemd/user/"),
        ],
        Language::Unit,
    ),
    (&[At::File("/etc/crontab"), At::Below("/etc/cron.d")], Language::Crontab { user: true }),
    (
        &[
            At::Below("/var/spool/cron/atjobs"),
            At::Below("/var/spool/at"),
            At::Below("/etc/cron.hourly"),
            At::Below("/etc/cron.daily"),
            At::Below("/etc/cron.weekly"),
            At::Below("/etc/cron.monthly"),
            At::Below("/etc/periodic"),
            At::Below("/etc/profile.d"),
            At::Below("/etc/default"),
            At::Below("/etc/sysconfig"),
            At::Below("/etc/conf.d"),
            At::Below("/etc/init.d"),
            At::Below("/etc/rc.d"),
            At::Below("/etc/rc.local.d"),
            At::File("/etc/rc.local"),
            At::File("/etc/profile"),
            At::File("/etc/bash.bashrc"),
            At::File("/etc/bashrc"),
            At::File("/etc/environment"),
        ],
        Language::Shell,
    ),
    (
        &[
            At::Below("/var/spool/cron/crontabs"),
            At::In("/var/spool/cron"),
            At::Below("/var/spool/fcron"),
            At::Below("/etc/crontabs"),
        ],
        Language::Crontab { user: false },
    ),
    (&[At::File("/etc/anacrontab")], Language::Anacrontab),
    (
        &[
            At::File("/etc/sudoers"),
            At::Below("/etc/sudoers.d"),
            At::File("/usr/local/etc/sudoers"),
            At::Below("/usr/local/etc/sudoers.d"),
        ],
        Language::Sudoers,
    ),
    (&[At::File("/etc/logrotate.conf"), At::Below("/etc/logrotate.d")], Language::Logrotate),
    (&[At::File("/etc/pam.conf"), At::Below("/etc/pam.d")], Language::Pam),
    (
        &[
            At::Below("/etc/supervisor"),
            At::Below("/etc/supervisord.d"),
            At::Below("/etc/supervisor.d"),
            At::Below("/etc/xinetd.d"),
            At::File("/etc/xinetd.conf"),
        ],
        Language::Pairs,
    ),
    (&[At::File("/etc/inetd.conf"), At::Below("/etc/inetd.d")], Language::Inetd),
    (&[At::File("/etc/inittab")], Language::Inittab),
    (&[At::File("/etc/passwd")], Language::Passwd),
    (&[At::Below("/etc/tmpfiles.d")], Language::Tmpfiles),
    (&[At::Below("/etc/udev/rules.d")], Language::Devices),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_its_place_and_what_nothing_reads_is_none() {
        let of = |text: &str| Language::of(&RootPath::parse(text.as_bytes()).unwrap());
        let cases = [
            ("/etc/crontab", Some(Language::Crontab { user: true })),
            ("/var/spool/cron/crontabs/bob", Some(Language::Crontab { user: false })),
            ("/var/spool/cron/atjobs/a0001", Some(Language::Shell)),
            ("/etc/cron.daily/x", Some(Language::Shell)),
            ("/home/a/.config/systemd/user/x.service", Some(Language::Unit)),
            ("/etc/systemd/system/x.service.d/y.conf", Some(Language::Unit)),
            ("/opt/x/start.sh", Some(Language::Shell)),
            ("/etc/supervisor/conf.d/x.conf", Some(Language::Pairs)),
            ("/srv/app/settings.yaml", Some(Language::Config)),
            ("/srv/app/notes", None),
            ("/srv/app/main.py", Some(Language::Script)),
            ("/usr/lib/lang2.7/os.py", None),
            ("/etc/app/app.conf.py", Some(Language::Config)),
            ("/etc/x/y", Some(Language::Config)),
            ("/etc/x/y.dpkg-old", None),
            ("/etc/shadow", None),
            ("/etc/ssl/certs/x.pem", None),
        ];
        for (path, language) in cases {
            assert_eq!(of(path), language, "{path}");
        }
    }

    #[test]
    fn a_first_line_tells_a_shell_from_other_languages() {
        let of = |line: &str| Language::of_first_line(line.as_bytes());
        assert_eq!(of("#!/bin/sh -e"), Some(Language::Shell));
        assert_eq!(of("#!/usr/bin/env bash"), Some(Language::Shell));
        assert_eq!(of("#! /usr/bin/python3"), Some(Language::Script));
        assert_eq!(of("#!/command/execlineb -P"), Some(Language::Chain));
        assert_eq!(of("/bin/sh"), None);
    }
}
