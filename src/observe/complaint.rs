//! Complaints: which lines of a log are errors, what of a line is the same on every run, and
//! whether it is about the surroundings.
//!
//! Pure functions of text. A log comes from the service, so it may be anything: lines are short and
//! few before they get here.

/// The longest pattern that is kept, in characters.
const LONGEST: usize = 240;

/// Words that say that something failed.
const ERRORS: &[&str] = &[
    "error",
    "errors",
    "err",
    "fatal",
    "emerg",
    "emergency",
    "crit",
    "critical",
    "alert",
    "panic",
    "severe",
    "fail",
    "fails",
    "failed",
    "failure",
    "cannot",
    "can't",
    "couldn't",
    "denied",
    "traceback",
    "exception",
    "unable",
    "abort",
    "aborted",
    "aborting",
    "segfault",
    "unsupported",
    "unrecognized",
    "unrecognised",
    "invalid",
    "illegal",
    "bad",
    "unknown",
];

/// Pairs of words that say the same.
const ERROR_PAIRS: &[(&str, &str)] = &[
    ("could", "not"),
    ("not", "found"),
    ("no", "such"),
    ("not", "permitted"),
    ("segmentation", "fault"),
    ("does", "not"),
    ("refusing", "to"),
];

/// Levels below an error, as loggers write them.
const CALM: &[&str] = &["warning", "warn", "notice", "note", "info", "debug", "trace", "log"];

/// Where a logger writes the level of a line: among its first words that are no numbers.
const HEAD: usize = 8;

/// Words before `error` that take it back.
const NONE_OF: &[&str] = &["no", "without", "0", "zero", "any", "if", "on"];

/// How far before `error` a count of it stands.
const COUNTED: usize = 2;

/// What a complaint is caused by, where that is no fault of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// A name of another machine is not known here.
    Name,
    /// Another machine is not reached.
    Network,
    /// The engine does not allow it.
    Privilege,
}

const NAME: &[&str] = &[
    "could not be resolved",
    "could not resolve",
    "couldn't resolve",
    "cannot resolve",
    "can't resolve",
    "unable to resolve",
    "failed to resolve",
    "error resolving",
    "host not found",
    "hostname not found",
    "name or service not known",
    "temporary failure in name resolution",
    "name resolution",
    "name does not resolve",
    "no address associated with",
    "unknown host",
    "unknownhostexception",
    "getaddrinfo",
    "gethostbyname",
    "nodename nor servname",
    "enotfound",
    "eai_again",
    "no such host",
    "dns lookup",
    "fully qualified domain name",
    "nxdomain",
];

const NETWORK: &[&str] = &[
    "network is unreachable",
    "network unreachable",
    "enetunreach",
    "no route to host",
    "connection refused",
    "econnrefused",
    "connection timed out",
    "etimedout",
    "cannot assign requested address",
    "could not connect",
    "couldn't connect",
    "can't connect",
    "cannot connect",
    "unable to connect",
    "failed to connect",
    "connection failed",
    "no such device",
    "multicast",
    "no usable interface",
    "no interface",
];

const PRIVILEGE: &[&str] =
    &["operation not permitted", "eperm", "setrlimit", "rlimit", "read-only file system"];

/// What a complaint in the words of `line` is caused by, unless it is the service itself.
pub(crate) fn cause(line: &str) -> Option<Cause> {
    let line = line.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if says(NAME) {
        Some(Cause::Name)
    } else if says(NETWORK) {
        Some(Cause::Network)
    } else if says(PRIVILEGE) {
        Some(Cause::Privilege)
    } else {
        None
    }
}

/// Whether a line of a log says that something failed; warnings do not.
pub(crate) fn is_error(line: &str) -> bool {
    let lower = line.to_lowercase();
    // Names of files and settings that hold such a word say nothing.
    let apart = |c: char| !(c.is_alphanumeric() || "._-/'=".contains(c));
    let words: Vec<&str> = lower
        .split(apart)
        .flat_map(|word| word.strip_prefix("level=").map_or(word, |level| level).split('='))
        .map(|word| word.trim_matches(['.', '-', '\'']))
        .filter(|word| !word.is_empty())
        .collect();
    let failed = words.iter().enumerate().position(|(at, word)| {
        let taken_back = at > 0 && NONE_OF.contains(&words[at - 1])
            || words[at.saturating_sub(COUNTED)..at].contains(&"0");
        let pair = words.get(at + 1).is_some_and(|next| ERROR_PAIRS.contains(&(*word, next)));
        (ERRORS.contains(word) && !taken_back) || pair
    });
    let Some(failed) = failed else { return false };
    let head = words[..failed].iter().filter(|word| word.contains(char::is_alphabetic));
    !head.take(HEAD).any(|word| CALM.contains(word))
}

/// What of `line` is the same on every run: numbers, times, addresses, identifiers and names of
/// temporary files are `#`.
pub(crate) fn pattern(line: &str) -> String {
    let line = without_escapes(line);
    let mut out = String::new();
    let mut rest = line.as_str();
    while let Some(first) = rest.chars().next() {
        let of_word = |c: char| c.is_ascii_alphanumeric();
        if !of_word(first) {
            out.push(if first.is_whitespace() { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        if out.ends_with("/tmp/") || is_identifier(word) || is_of_a_date(word, rest) {
            out.push('#');
        } else {
            mask_numbers(word, &mut out);
        }
    }
    let words: Vec<&str> = out.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// Without what moves a terminal's cursor or sets its colours, and without other control
/// characters.
fn without_escapes(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // An escape sequence ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

fn mask_numbers(word: &str, out: &mut String) {
    for c in word.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
}

/// A word of hexadecimal digits, and one of letters and digits in no order that a name has.
fn is_identifier(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = word.bytes().all(|b| b.is_ascii_hexdigit());
    let turns = word
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
        .count();
    digits > 0 && ((hexadecimal && word.len() >= 4) || (word.len() >= 8 && turns >= 4))
}

/// The name of a month or a day that stands before a number.
fn is_of_a_date(word: &str, rest: &str) -> bool {
    const NAMES: &[&str] = &[
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon",
        "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
    ];
    let next = rest.trim_start_matches([' ', ',', '-', '/']);
    let dated = next.starts_with(|c: char| c.is_ascii_digit())
        || NAMES.iter().any(|name| next.starts_with(name));
    NAMES.contains(&word) && dated
}

/// The patterns of all lines of `log` that are errors, sorted; no more than `most`.
pub(crate) fn complaints(log: &[u8], most: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(log);
    let all: std::collections::BTreeSet<String> =
        text.lines().filter(|line| is_error(line)).map(pattern).collect();
    all.into_iter().filter(|pattern| pattern.len() > 1).take(most).collect()
}

/// The names of machines that `line` says are not known, as far as they can be told from its words.
pub(crate) fn unresolved(line: &str) -> Vec<String> {
    if cause(line) != Some(Cause::Name) {
        return vec![];
    }
    let quoted: Vec<&str> = line
        .split(['"', '\'', '`'])
        .skip(1)
        .step_by(2)
        .filter_map(host_of)
        .filter(|name| !name.contains(' '))
        .collect();
    let found: Vec<&str> = if quoted.is_empty() { after_word(line) } else { quoted };
    let mut names: Vec<String> = found.into_iter().map(str::to_lowercase).collect();
    names.sort();
    names.dedup();
    names.truncate(4);
    names
}

/// Names after a word that announces one.
fn after_word(line: &str) -> Vec<&str> {
    const BEFORE: &[&str] = &[
        "host",
        "hostname",
        "resolve",
        "resolving",
        "lookup",
        "address",
        "for",
        "enotfound",
        "eai_again",
        "unknownhostexception",
        "upstream",
        "server",
        "name",
        "of",
    ];
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| {
            let word = pair[0].to_lowercase();
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            let word = word.rsplit('.').next().unwrap_or(word);
            BEFORE.contains(&word)
        })
        .filter_map(|pair| host_of(pair[1]))
        .collect()
}

/// The name of a machine in `word`: without a port, a scheme or punctuation around it.
fn host_of(word: &str) -> Option<&str> {
    let word = word.rsplit("//").next()?;
    let word = word.split(['/', ':', ',', ')', ']', ';']).next()?;
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    const ORDINARY: &[&str] = &[
        "not",
        "found",
        "name",
        "host",
        "the",
        "or",
        "in",
        "could",
        "error",
        "failed",
        "upstream",
        "service",
        "resolution",
        "address",
        "lookup",
        "is",
        "to",
        "hostname",
    ];
    let is_name = (1..=253).contains(&word.len())
        && word.chars().all(plain)
        && word.chars().any(|c| c.is_ascii_alphabetic())
        && !ORDINARY.contains(&word.to_lowercase().as_str());
    is_name.then_some(word)
}

/// Whether `line` says that a path below `dir` is not there.
pub(crate) fn is_absent_below(line: &str, dir: &str) -> bool {
    const ABSENT: &[&str] =
        &["no such file or directory", "not found", "does not exist", "enoent", "cannot open"];
    let lower = line.to_lowercase();
    let named = line.match_indices(dir.trim_end_matches('/')).any(|(at, found)| {
        let before = line[..at].chars().next_back();
        let after = line[at + found.len()..].chars().next();
        let of_path = |c: char| c.is_alphanumeric() || "._-".contains(c);
        !before.is_some_and(|c| of_path(c) || c == '/') && !after.is_some_and(of_path)
    });
    dir.len() > 1 && named && ABSENT.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_no_part_of_a_pattern() {
        for (line, expected) in [
            ("2026/12/01 15:53:56 [emerg] 17#17: bad", "#/#/# #:#:# [emerg] ##: bad"),
            ("Dec  1 15:53:56 4f3a9c0e11bb app[12]: failed", "# # #:#:# # app[#]: failed"),
            ("Tue Dec 01 15:53:56 2026 error", "# # # #:#:# # error"),
            ("cannot open /tmp/tmpAb3xQ/x", "cannot open /tmp/#/x"),
            ("error in /etc/app/7.4/x.conf line 12", "error in /etc/app/#.#/x.conf line #"),
            ("\x1b[31merror\x1b[0m  at\tx", "error at x"),
            ("id 4f3a9c0e-11bb-4c1d-9e0f-aabbccddee00 failed", "id #-#-#-#-# failed"),
            ("mysql80 error", "mysql# error"),
        ] {
            assert_eq!(pattern(line), expected, "{line}");
        }
        assert_eq!(pattern(&"x".repeat(1000)).len(), LONGEST);
    }

    #[test]
    fn errors_are_told_from_warnings_and_from_names_that_hold_the_word() {
        for line in [
            "2026/12/01 15:53:56 [emerg] 17#17: unknown directive \"x\"",
            "ERROR: [pool www] failed to open error_log",
            "Could not load host key: /etc/ssh/ssh_host_dsa_key",
            "/etc/ssh/sshd_config line 5: Bad configuration option: X",
            "app: permission denied: /srv/x",
            "Traceback (most recent call last):",
            "level=error msg=\"x\"",
            "sh: 1: app: not found",
            "Segmentation fault",
        ] {
            assert!(is_error(line), "{line}");
        }
        for line in [
            "2026-12-01 [Note] error log is /var/log/error.log",
            "[Warning] could not increase number of max_open_files",
            "[warn] conflicting server name, failed",
            "error_log is /var/log/x/error.log",
            "started without error",
            "0 errors",
            "2026/12/01 22:30:00 kid1|     0 With invalid flags.",
            "level=info msg=\"failed 0 times\"",
            "listening on port 80",
            "17:C 01 Dec 2026 22:23:01.123 # WARNING Memory is low! Without it, a save may fail",
            "LOG:  database system was not properly shut down; failed",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn names_that_are_not_known_are_found_in_the_words_of_many_programs() {
        for (line, expected) in [
            ("[emerg] host not found in upstream \"app\" in /etc/x:1", &["app"][..]),
            ("[emerg] host not found in upstream \"app:3000\" in /etc/x", &["app"]),
            ("could not translate host name \"db\" to address: Name or service not known", &["db"]),
            ("Error: getaddrinfo ENOTFOUND redis.internal", &["redis.internal"]),
            ("java.net.UnknownHostException: kafka", &["kafka"]),
            ("AH: could not resolve host api.local: x", &["api.local"]),
            ("dial tcp: lookup db on 127.0.0.11:53: no such host", &["db"]),
            ("socket.gaierror: [Errno -2] Name or service not known", &[]),
            ("everything is fine with \"app\"", &[]),
        ] {
            assert_eq!(unresolved(line), expected, "{line}");
        }
    }

    #[test]
    fn a_file_of_a_mount_that_was_not_taken_is_known_by_its_place() {
        let line = "cannot load certificate \"/certs/x.pem\": No such file or directory";
        assert!(is_absent_below(line, "/certs"));
        assert!(is_absent_below(line, "/certs/x.pem"));
        assert!(!is_absent_below(line, "/cert"));
        assert!(!is_absent_below(line, "/"));
        assert!(!is_absent_below("/certs/x.pem: permission denied", "/certs"));
        assert!(!is_absent_below("/etc/certs/x.pem: not found", "/certs"));
    }

    #[test]
    fn a_complaint_about_others_has_a_cause_and_one_about_itself_has_none() {
        assert_eq!(cause("host not found in upstream"), Some(Cause::Name));
        assert_eq!(cause("connect: Connection refused"), Some(Cause::Network));
        assert_eq!(cause("adjtimex: Operation not permitted"), Some(Cause::Privilege));
        assert_eq!(cause("open /etc/x: Permission denied"), None);
        assert_eq!(cause("open /etc/x: No such file or directory"), None);
    }
}
