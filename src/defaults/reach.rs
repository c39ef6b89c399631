//! [`Reach`]: which other files a line of a configuration file reads.

use globset::GlobBuilder;

use super::line::Line;
use crate::tree::RootPath;

/// What divides the words of a line.
const BOUNDS: &[char] = &[' ', '\t', '"', '\'', '`', '(', ')', '<', '>', ';', ',', '=', '|', ':'];

/// Words of lines that read other files.
const READS: &[&str] = &["include", "source", "import", "load", "conf", "files"];

/// Directories that are read as a whole end so.
const ENDINGS: &[&[u8]] = &[b".d", b"-enabled"];

/// The files that lines of one file may read.
pub(crate) struct Reach<'a> {
    file: &'a RootPath,
}

impl<'a> Reach<'a> {
    /// Of the lines of `file`.
    pub(crate) fn of(file: &'a RootPath) -> Reach<'a> {
        Reach { file }
    }

    /// Whether `line` names `other`, its directory, or names among which its own is.
    pub(crate) fn reads(&self, line: &Line, other: &RootPath) -> bool {
        other != self.file && self.named(line).iter().any(|name| is_meant(line, name, other))
    }

    /// The absolute paths and globs that `line` may mean.
    fn named(&self, line: &Line) -> Vec<RootPath> {
        let words = line.text.split(BOUNDS).filter(|word| !word.is_empty() && *word != "/");
        let mut found = Vec::new();
        for word in words {
            // A variable for the directory of the configuration: what follows counts.
            let word = match word.strip_prefix("${").and_then(|rest| rest.split_once("}/")) {
                Some((_, rest)) => rest,
                None => word,
            };
            if word.starts_with('/') {
                found.push(self.file.aim(word.as_bytes()));
                continue;
            }
            // Any word could be a relative name: only where a line reads files is it one.
            let is_name = word.contains(['/', '.', '-']) && !matches!(word, "." | "..");
            if !line_reads(line) || word.contains('$') || !is_name {
                continue;
            }
            found.push(self.file.aim(word.as_bytes()));
            // What is relative may be so to the directory of the whole application.
            if let Some(top) = self.file.ancestors().into_iter().find(is_top) {
                found.push(top.child(b"x").aim(word.as_bytes()));
            }
        }
        found
    }
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

fn is_meant(line: &Line, name: &RootPath, other: &RootPath) -> bool {
    let bytes = name.as_bytes();
    if bytes.iter().any(|b| b"*?[".contains(b)) {
        let text = String::from_utf8_lossy(bytes);
        let glob = GlobBuilder::new(&text).literal_separator(true).build();
        let path = String::from_utf8_lossy(other.as_bytes());
        return glob.is_ok_and(|glob| glob.compile_matcher().is_match(&*path));
    }
    let whole = line_reads(line) || ENDINGS.iter().any(|ending| bytes.ends_with(ending));
    name == other || (whole && other.parent().as_ref() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::lines;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn reads(file: &str, line: &str, other: &str) -> bool {
        let (file, line) = (path(file), lines(line.as_bytes()).unwrap().remove(0));
        Reach::of(&file).reads(&line, &path(other))
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
