//! [`Reach`]: which other files a line of a configuration file reads.

use globset::{GlobBuilder, GlobMatcher};

use super::line::Line;
use crate::tree::RootPath;

/// What divides the words of a line.
const BOUNDS: &[char] = &[' ', '\t', '"', '\'', '`', '(', ')', '<', '>', ';', ',', '=', '|', ':'];

/// Words of lines that read other files.
const READS: &[&str] = &["include", "source", "import", "load", "conf", "files"];

/// Directories that are read as a whole end so.
const ENDINGS: &[&[u8]] = &[b".d", b"-enabled"];

/// How many lines that may read others are looked at: more than any file has.
const MOST: usize = 512;

/// Which files the lines of one file may read.
pub(crate) struct Reach {
    file: RootPath,
    /// By number of the line.
    names: Vec<(usize, Name)>,
}

/// What a line names.
enum Name {
    /// A file.
    File(RootPath),
    /// A directory or a file.
    Any(RootPath),
    /// Whatever it matches.
    Glob(GlobMatcher),
}

impl Reach {
    /// Of `lines` of `file`.
    pub(crate) fn of(file: &RootPath, lines: &[Line]) -> Reach {
        let numbered = lines.iter().enumerate();
        let names = numbered.flat_map(|(number, line)| {
            let names = named(file, line).into_iter().filter_map(|path| Name::new(line, path));
            names.map(move |name| (number, name))
        });
        Reach { file: file.clone(), names: names.take(MOST).collect() }
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of the first line that names `other`, its directory, or names among which its
    /// own is.
    pub(crate) fn first(&self, other: &RootPath) -> Option<usize> {
        let found = self.names.iter().find(|(_, name)| *other != self.file && name.is(other));
        found.map(|(number, _)| *number)
    }
}

impl Name {
    fn new(line: &Line, path: RootPath) -> Option<Name> {
        let bytes = path.as_bytes();
        if bytes.iter().any(|b| b"*?[".contains(b)) {
            let text = String::from_utf8_lossy(bytes);
            let glob = GlobBuilder::new(&text).literal_separator(true).build();
            return Some(Name::Glob(glob.ok()?.compile_matcher()));
        }
        let whole = line_reads(line) || ENDINGS.iter().any(|ending| bytes.ends_with(ending));
        Some(if whole { Name::Any(path) } else { Name::File(path) })
    }

    fn is(&self, other: &RootPath) -> bool {
        match self {
            Name::File(path) => path == other,
            Name::Any(path) => path == other || other.parent_bytes() == Some(path.as_bytes()),
            Name::Glob(glob) => glob.is_match(&*String::from_utf8_lossy(other.as_bytes())),
        }
    }
}

/// The absolute paths and globs that `line` of `file` may mean.
fn named(file: &RootPath, line: &Line) -> Vec<RootPath> {
    let words = line.text.split(BOUNDS).filter(|word| !word.is_empty() && *word != "/");
    let mut found = Vec::new();
    for word in words {
        // A variable for the directory of the configuration: what follows counts.
        let word = match word.strip_prefix("${").and_then(|rest| rest.split_once("}/")) {
            Some((_, rest)) => rest,
            None => word,
        };
        if word.starts_with('/') {
            found.push(file.aim(word.as_bytes()));
            continue;
        }
        // Any word could be a relative name: only where a line reads files is it one.
        let is_name = word.contains(['/', '.', '-']) && !matches!(word, "." | "..");
        if !line_reads(line) || word.contains('$') || !is_name {
            continue;
        }
        found.push(file.aim(word.as_bytes()));
        // What is relative may be so to the directory of the whole application.
        if let Some(top) = file.ancestors().find(is_top) {
            found.push(top.child(b"x").aim(word.as_bytes()));
        }
    }
    found
}

/// Whether `dir` is the directory of one application's configuration.
fn is_top(dir: &RootPath) -> bool {
    dir.parent().is_some_and(|parent| parent.as_bytes() == b"/etc")
}

fn line_reads(line: &Line) -> bool {
    line.text.starts_with(['@', '!', '$', '.'])
        || READS.iter().any(|word| line.key.contains(word))
        || line.text.to_lowercase().contains("include")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::lines;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn reads(file: &str, line: &str, other: &str) -> bool {
        Reach::of(&path(file), &lines(line.as_bytes()).unwrap()).first(&path(other)).is_some()
    }

    #[test]
    fn a_file_is_read_that_is_named_or_whose_directory_is() {
        for (file, line, other) in [
            (
                "/etc/squid/squid.conf",
                "include /etc/squid/conf.d/*.conf",
                "/etc/squid/conf.d/a.conf",
            ),
            ("/etc/proftpd/p.conf", "Include /etc/proftpd/conf.d/", "/etc/proftpd/conf.d/a"),
            (
                "/etc/apache2/a.conf",
                "IncludeOptional x-enabled/*.conf",
                "/etc/apache2/x-enabled/a.conf",
            ),
            ("/etc/dovecot/dovecot.conf", "!include conf.d/*.conf", "/etc/dovecot/conf.d/a.conf"),
            ("/etc/mysql/my.cnf", "!includedir /etc/mysql/conf.d/", "/etc/mysql/conf.d/a.cnf"),
            ("/etc/sudoers", "#includedir /etc/sudoers.d", "/etc/sudoers.d/admins"),
            ("/etc/profile", "for i in /etc/profile.d/*.sh; do", "/etc/profile.d/a.sh"),
            ("/etc/pam.d/sshd", "@include common-auth", "/etc/pam.d/common-auth"),
            (
                "/etc/bind/named.conf",
                "include \"/etc/bind/named.conf.local\";",
                "/etc/bind/named.conf.local",
            ),
            ("/etc/raddb/radiusd.conf", "$INCLUDE ${confdir}/clients.d/", "/etc/raddb/clients.d/a"),
            (
                "/etc/nginx/sites-available/a",
                "include snippets/php.conf;",
                "/etc/nginx/snippets/php.conf",
            ),
            (
                "/etc/rsyslog.conf",
                "include(file=\"/etc/rsyslog.d/*.conf\")",
                "/etc/rsyslog.d/a.conf",
            ),
        ] {
            assert!(reads(file, line, other), "{line}: {other}");
        }
    }

    #[test]
    fn what_is_only_beside_or_of_another_name_is_not_read() {
        for (file, line, other) in [
            (
                "/etc/squid/squid.conf",
                "include /etc/squid/conf.d/*.conf",
                "/etc/squid/conf.d/a.bak",
            ),
            (
                "/etc/squid/squid.conf",
                "include /etc/squid/conf.d/*.conf",
                "/etc/squid/conf.d/x/a.conf",
            ),
            ("/etc/squid/squid.conf", "error_directory /etc/squid/errors", "/etc/squid/errors/E"),
            ("/etc/squid/squid.conf", "include /etc/squid/squid.conf", "/etc/squid/squid.conf"),
            ("/etc/a/a.conf", "root /", "/etc/a/b"),
            ("/etc/a/a.conf", "user www-data", "/etc/a/www-data"),
            ("/etc/a/a.conf", "include [", "/etc/a/b"),
            ("/etc/a/a.conf", "listen *", "/etc/a/b"),
            ("/etc/profile", ". $i", "/etc/passwd"),
            ("/etc/a/a.conf", "types */*", "/etc/a/b/c"),
        ] {
            assert!(!reads(file, line, other), "{line}: {other}");
        }
    }
}
