//! The commands that a text names: where in it a shell, or what works as one, runs something.

use std::collections::BTreeSet;
use std::ops::Range;

use super::language::Language;
use super::lines::{column, columns, continued, lines, value_at};
use super::shell::{self, Script, assigned, base};

/// Programs that run what follows them.
const WRAPPERS: &[&[u8]] = &[
    b".",
    b"builtin",
    b"catatonit",
    b"chpst",
    b"chroot",
    b"chrt",
    b"command",
    b"doas",
    b"dumb-init",
    b"env",
    b"exec",
    b"flock",
    b"gosu",
    b"ionice",
    b"nice",
    b"nohup",
    b"runuser",
    b"s6-setuidgid",
    b"setpriv",
    b"setsid",
    b"setuidgid",
    b"sg",
    b"start-stop-daemon",
    b"stdbuf",
    b"strace",
    b"su",
    b"su-exec",
    b"sudo",
    b"taskset",
    b"time",
    b"timeout",
    b"tini",
    b"unshare",
    b"watch",
    b"xargs",
];

/// Commands whose arguments are names of commands.
const ASKING: &[&[u8]] = &[b"hash", b"type", b"which"];

/// Options of which a command is the value.
const RUNNING: &[&[u8]] = &[b"-exec", b"-execdir", b"-ok", b"-okdir"];

/// Words of the shell itself.
const BUILT_IN: &[&[u8]] = &[
    b".",
    b":",
    b"[",
    b"[[",
    b"alias",
    b"bg",
    b"bind",
    b"break",
    b"builtin",
    b"caller",
    b"cd",
    b"command",
    b"compgen",
    b"complete",
    b"continue",
    b"declare",
    b"dirs",
    b"disown",
    b"echo",
    b"enable",
    b"eval",
    b"exec",
    b"exit",
    b"export",
    b"false",
    b"fc",
    b"fg",
    b"getopts",
    b"hash",
    b"help",
    b"history",
    b"jobs",
    b"kill",
    b"let",
    b"local",
    b"logout",
    b"mapfile",
    b"popd",
    b"printf",
    b"pushd",
    b"pwd",
    b"read",
    b"readarray",
    b"readonly",
    b"return",
    b"set",
    b"shift",
    b"shopt",
    b"source",
    b"suspend",
    b"test",
    b"times",
    b"trap",
    b"true",
    b"type",
    b"typeset",
    b"ulimit",
    b"umask",
    b"unalias",
    b"unset",
    b"wait",
];

/// What a shell would run in a text of this language; of `counting` the lines that count are told
/// from others.
pub(super) fn scripts(language: Language, text: &[u8], counting: &[u8]) -> Vec<Script> {
    match language {
        Language::Shell => vec![shell::read(text, 0..text.len())],
        Language::Chain => lines(counting)
            .flat_map(|line| chained(text, line))
            .map(|words| shell::run(text, words))
            .collect(),
        Language::Devices => lines(counting)
            .flat_map(|line| on_device(counting, line))
            .map(|range| shell::read(text, range))
            .collect(),
        Language::Logrotate => hooks(counting).map(|range| shell::read(text, range)).collect(),
        _ => {
            let lines = lines(counting).filter_map(|line| {
                let at = command_at(language, &counting[line.clone()])?;
                Some(line.start + at..continued(counting, line.end))
            });
            let ranges: Vec<Range<usize>> = lines.collect();
            ranges.into_iter().map(|range| shell::read(text, range)).collect()
        }
    }
}

/// Where in a line the command begins.
fn command_at(language: Language, line: &[u8]) -> Option<usize> {
    let begin = line.iter().position(|b| !b.is_ascii_whitespace())?;
    match language {
        Language::Unit => {
            let at = value_at(line, &|key| key.starts_with(b"Exec"))?;
            let prefix = line[at..].iter().take_while(|b| b"-@:+!".contains(b)).count();
            Some(at + prefix)
        }
        Language::Pairs => value_at(line, &|key| key == b"command"),
        Language::Crontab { user } => {
            let time = if line[begin] == b'@' { 1 } else { 5 };
            let is_setting = assigned(line.trim_ascii()).is_some();
            if is_setting { None } else { column(line, time + usize::from(user)) }
        }
        Language::Anacrontab => {
            if assigned(line.trim_ascii()).is_some() {
                None
            } else {
                column(line, 3)
            }
        }
        Language::Inittab => {
            let colons = line.iter().enumerate().filter(|(_, b)| **b == b':').map(|(at, _)| at);
            let at = colons.clone().nth(2)? + 1;
            Some(at + usize::from(line.get(at) == Some(&b'+')))
        }
        _ => None,
    }
}

/// The commands of a line in which blocks stand in braces, each as its words.
fn chained(text: &[u8], line: Range<usize>) -> Vec<Vec<Range<usize>>> {
    let mut commands = vec![Vec::new()];
    for word in columns(&text[line.clone()]) {
        let word = line.start + word.start..line.start + word.end;
        match (&text[word.clone()], commands.last_mut()) {
            (b"{" | b"}", _) => commands.push(Vec::new()),
            (_, Some(words)) => words.push(word),
            (_, None) => {}
        }
    }
    commands.retain(|words| !words.is_empty());
    commands
}

/// What a rule about devices runs: the texts of `RUN+="…"`, `PROGRAM="…"`, `IMPORT{program}="…"`.
pub(super) fn on_device(text: &[u8], line: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), line.start);
    let quote = |from: usize| {
        text[from..line.end].iter().position(|byte| *byte == b'"').map(|length| from + length)
    };
    while let Some(open) = quote(at) {
        let Some(close) = quote(open + 1) else { break };
        let key = text[at..open].rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let key = key.trim_ascii().split(|byte| b"=+:-!".contains(byte)).next();
        let runs: [&[u8]; 4] = [b"RUN", b"RUN{program}", b"PROGRAM", b"IMPORT{program}"];
        if key.is_some_and(|key| runs.contains(&key.trim_ascii())) {
            found.push(open + 1..close);
        }
        at = close + 1;
    }
    found
}

/// What logrotate gives to a shell.
fn hooks(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let opening: [&[u8]; 5] =
        [b"firstaction", b"lastaction", b"postrotate", b"preremove", b"prerotate"];
    let (mut found, mut begin) = (Vec::new(), None);
    for line in lines(text) {
        let word = text[line.clone()].trim_ascii();
        if word == b"endscript" {
            found.extend(begin.take().map(|begin| begin..line.start));
        } else if opening.contains(&word) {
            begin = Some(line.end);
        }
    }
    found.into_iter()
}

/// The words of all `scripts` that name programs, each once.
pub(super) fn all_programs<'s>(
    text: &[u8],
    scripts: impl IntoIterator<Item = &'s Script>,
    was_program: &dyn Fn(&[u8]) -> bool,
) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for script in scripts {
        found.extend(programs(text, script, was_program));
    }
    // A word that is run in one way of reading is run.
    found.sort_by_key(|named| (named.at.start, named.at.end, !named.runs));
    found.dedup_by(|later, first| later.at == first.at);
    found
}

/// A word that is the name of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) at: Range<usize>,
    /// It is run by this name, or asked for; else it only is one.
    pub(super) runs: bool,
}

/// The words of `script` that name programs without a directory. `was_program` says whether the old
/// system had such a program; of words that only may name one, those count that hold a version.
fn programs(text: &[u8], script: &Script, was_program: &dyn Fn(&[u8]) -> bool) -> Vec<Named> {
    let mut found = Vec::new();
    let own: BTreeSet<&[u8]> = script.functions.iter().map(Vec::as_slice).collect();
    for words in &script.commands {
        let word = |n: usize| words.get(n).map(|word| &text[word.clone()]).unwrap_or_default();
        let heads = heads(words, text, was_program);
        let asks = heads.iter().any(|n| {
            ASKING.contains(&base(word(*n)))
                || (word(*n) == b"command" && matches!(word(n + 1), b"-v" | b"-V"))
        });
        for (n, range) in words.iter().enumerate() {
            let value = assigned(word(n)).map(|at| range.start + at + 1..range.end);
            let is_value = value.is_some();
            let at = unquoted(text, value.unwrap_or_else(|| range.clone()));
            let name = &text[at.clone()];
            let after = n.checked_sub(1).is_some_and(|before| {
                // A script gives itself arguments, of which the first is run in the end.
                RUNNING.contains(&word(before)) || (word(before) == b"--" && word(0) == b"set")
            });
            let runs = heads.contains(&n) || asks || after || is_value;
            let counts = !name.contains(&b'/')
                && !own.contains(name)
                && ((runs && !is_value && !BUILT_IN.contains(&name)) || is_versioned(name));
            if counts && was_program(name) {
                found.push(Named { at, runs });
            }
        }
    }
    found
}

fn unquoted(text: &[u8], range: Range<usize>) -> Range<usize> {
    match &text[range.clone()] {
        [first @ (b'"' | b'\''), .., last] if first == last => range.start + 1..range.end - 1,
        _ => range,
    }
}

/// The numbers of the words of a command that are run: the first, and what that runs.
pub(super) fn heads(
    words: &[Range<usize>],
    text: &[u8],
    was_program: &dyn Fn(&[u8]) -> bool,
) -> Vec<usize> {
    let word = |n: usize| &text[words[n].clone()];
    let mut heads = Vec::new();
    let mut next = (0..words.len()).find(|n| assigned(word(*n)).is_none());
    while let Some(n) = next {
        heads.push(n);
        if !WRAPPERS.contains(&base(word(n))) {
            break;
        }
        next = (n + 1..words.len()).find(|n| {
            let word = word(*n);
            !word.starts_with(b"-")
                && assigned(word).is_none()
                && (word.contains(&b'/') || WRAPPERS.contains(&word) || was_program(word))
        });
    }
    heads
}

/// Whether a name ends in the number of a version.
pub(super) fn is_versioned(name: &[u8]) -> bool {
    let stem = name.iter().rposition(|b| !b.is_ascii_digit() && *b != b'.');
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._+-".contains(b);
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.last().is_some_and(u8::is_ascii_digit)
        && name.iter().all(plain)
        && stem.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(language: Language, text: &str) -> Vec<&str> {
        let was = |name: &[u8]| [b"tool9".as_slice(), b"old"].contains(&name);
        let scripts = scripts(language, text.as_bytes(), text.as_bytes());
        let found = scripts.iter().flat_map(|script| programs(text.as_bytes(), script, &was));
        found.map(|named| &text[named.at]).collect()
    }

    #[test]
    fn a_bare_name_counts_where_it_is_run_and_with_a_version_where_it_may_be_one() {
        let shell = |text| named(Language::Shell, text);
        for text in [
            "old x",
            "A=1 old",
            "exec old",
            "sudo -u someone old",
            "nice -n 10 old",
            "timeout 5 old",
            "find . -exec old {} \\;",
            "sh -c 'old'",
            "x=$(old)",
            "command -v old",
            "if old; then :; fi",
            "set -- old \"$@\"",
        ] {
            assert_eq!(shell(text), ["old"], "{text}");
        }
        for text in ["echo tool9", "X=tool9", "X='tool9'"] {
            assert_eq!(shell(text), ["tool9"], "{text}");
        }
        for text in ["echo old", "X=old", "# old", "case $1 in old) :;; esac", "old() { :; }\nold"]
        {
            assert_eq!(shell(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn jobs_units_supervisors_and_hooks_run_commands() {
        let cases = [
            (Language::Unit, "ExecStart=-old x\nExecReload=/bin/sh -c 'old'\nUser=old\n", 2),
            (Language::Unit, "ExecStart=x \\\n  y; old\n", 1),
            (Language::Crontab { user: true }, "SHELL=old\n1 * * * * old old x\n@daily x old\n", 2),
            (Language::Crontab { user: false }, "1 * * * * old\n@daily old\n", 2),
            (Language::Anacrontab, "1 5 daily old\n", 1),
            (Language::Pairs, "[x]\ncommand = old x\nuser=old\n", 1),
            (Language::Inittab, "x:2:respawn:old\n", 1),
            (Language::Chain, "#!/x\n# old\ns6-setuidgid www old\n", 1),
            (Language::Chain, "foreground { old x }\nif { old }\necho old\nold -f\n", 3),
            (Language::Devices, "ACTION==\"add\", RUN+=\"/bin/sh -c 'old x'\", NAME=\"old\"\n", 1),
            (
                Language::Devices,
                "PROGRAM==\"old x\", IMPORT{program}=\"old\", RUN{builtin}+=\"old\"\n",
                2,
            ),
            (Language::Logrotate, "old {\n postrotate\n  old x\n endscript\n}\n", 1),
            (Language::Config, "old\n", 0),
        ];
        for (language, text, count) in cases {
            assert_eq!(named(language, text).len(), count, "{text}");
        }
    }

    #[test]
    fn a_version_stands_at_the_end_of_a_name() {
        for name in ["python3.9", "gcc-10", "php7.4", "clang++-11"] {
            assert!(is_versioned(name.as_bytes()), "{name}");
        }
        for name in ["3.9", "sha256sum", "old", "x86_64-linux", "$x9", ""] {
            assert!(!is_versioned(name.as_bytes()), "{name}");
        }
    }
}
