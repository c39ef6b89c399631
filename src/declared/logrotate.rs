//! logrotate: which files are logs, wherever they lie, and what rotation makes of them.

use std::collections::BTreeSet;

use super::book::Book;
use super::declaration::{Nature, Reach};
use super::pattern::Pattern;
use super::reading::Files;
use crate::tree::RootPath;

/// Its configuration; a directory stands for the files in it.
const PLACES: &[RootPath] =
    &[RootPath::literal("/etc/logrotate.conf"), RootPath::literal("/etc/logrotate.d")];

/// Files that one configuration may include.
const MAX_INCLUDED: usize = 4096;

/// Blocks whose lines are scripts.
const SCRIPTS: &[&[u8]] =
    &[b"postrotate", b"prerotate", b"firstaction", b"lastaction", b"preremove"];

/// What compression adds to names.
const COMPRESSED: &[&[u8]] = &[b".gz", b".xz", b".bz2", b".zst", b".lzma", b".lz4", b".Z"];

/// Reads the whole configuration.
pub(super) fn load(files: &Files<'_>, book: &mut Book) {
    let mut todo: Vec<RootPath> = PLACES.iter().rev().cloned().collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = todo.pop() {
        if seen.len() >= MAX_INCLUDED || !seen.insert(path.clone()) {
            continue;
        }
        let Some(text) = files.read(&path) else {
            // Only one deep: what an include names is a file or a directory of files.
            let inside = files.list(&path).into_iter().filter(|entry| entry.kind.is_file());
            todo.extend(inside.map(|entry| entry.path));
            continue;
        };
        let author = files.author("logrotate", &path);
        let read = parse(&text);
        for pattern in read.logs {
            book.add(pattern, Nature::Log, Reach::Family, author.clone());
        }
        todo.extend(read.includes);
    }
}

/// What a configuration says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    logs: Vec<Pattern>,
    includes: Vec<RootPath>,
}

fn parse(text: &[u8]) -> Read {
    let mut read = Read::default();
    // The patterns of the block that is open, or about to be.
    let mut block: Vec<Pattern> = vec![];
    let (mut inside, mut script) = (false, false);
    for line in text.split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        let first = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if script {
            script = first != b"endscript";
        } else if line.is_empty() || line[0] == b'#' {
        } else if inside {
            if SCRIPTS.contains(&first) {
                script = true;
            } else if first == b"}" {
                inside = false;
                block.clear();
            } else if first == b"olddir" {
                read.logs.extend(moved(&block, line[first.len()..].trim_ascii()));
            }
        } else if first == b"include" {
            read.includes.extend(RootPath::parse(line[first.len()..].trim_ascii()).ok());
        } else if b"/\"'{".contains(&line[0]) {
            let (names, rest) = match line.iter().position(|&b| b == b'{') {
                Some(at) => (&line[..at], Some(&line[at + 1..])),
                None => (line, None),
            };
            block.extend(names_in(names).iter().filter_map(|name| Pattern::parse(name)));
            if let Some(rest) = rest {
                read.logs.extend(block.iter().cloned());
                inside = !rest.contains(&b'}');
                if !inside {
                    block.clear();
                }
            }
        }
    }
    read
}

/// The same files in the directory that rotated ones go to.
fn moved(block: &[Pattern], to: &[u8]) -> Vec<Pattern> {
    let to = names_in(to).into_iter().next().unwrap_or_default();
    let moved = |pattern: &Pattern| {
        let dir = match to.first()? {
            b'/' => RootPath::parse(&to).ok()?,
            _ => RootPath::parse(&[pattern.parent()?.as_bytes(), b"/", &to[..]].concat()).ok()?,
        };
        pattern.moved_to(&dir)
    };
    block.iter().filter_map(moved).collect()
}

/// Names parted by blanks; quotes hold one together.
fn names_in(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![];
    let mut name = vec![];
    let mut quote = None;
    for &byte in text {
        match quote {
            Some(open) if byte == open => quote = None,
            None if b"\"'".contains(&byte) => quote = Some(byte),
            None if byte.is_ascii_whitespace() => {
                if !name.is_empty() {
                    all.push(std::mem::take(&mut name));
                }
            }
            _ => name.push(byte),
        }
    }
    if !name.is_empty() {
        all.push(name);
    }
    all
}

/// The files that `path` may be rotated from: `a.log` for `a.log.2.gz`, `a.log-20240102`,
/// `a-20240102.log`.
pub(super) fn family(path: &RootPath) -> Vec<RootPath> {
    let name = path.name();
    let plain = COMPRESSED.iter().find_map(|ending| name.strip_suffix(*ending)).unwrap_or(name);
    let mut names: Vec<Vec<u8>> = vec![];
    if let Some(at) = plain.iter().rposition(|b| b".-_".contains(b)).filter(|at| *at > 0) {
        let mark = &plain[at + 1..];
        let counted = plain[at] == b'.' && (1..=4).contains(&mark.len());
        if mark.iter().all(u8::is_ascii_digit) && (counted || mark.len() >= 8) {
            names.push(plain[..at].to_vec());
        }
        // With `extension` the number or the date stands before it.
        if plain[at] == b'.'
            && let Some(before) = plain[..at].iter().rposition(|b| b".-_".contains(b))
        {
            let mark = &plain[before + 1..at];
            let digits = !mark.is_empty() && mark.iter().all(u8::is_ascii_digit);
            if before > 0 && digits && (mark.len() <= 4 || mark.len() >= 8) {
                names.push([&plain[..before], &plain[at..]].concat());
            }
        }
    }
    if plain.len() < name.len() {
        names.push(plain.to_vec());
    }
    // Asked about every file: almost none has such a name.
    let Some(dir) = path.parent().filter(|_| !names.is_empty()) else { return vec![] };
    names.iter().map(|name| dir.child(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use crate::tree::Kind;
    use crate::tree::memory::MemoryTree;

    const CONF: &str = "weekly\n# a comment {\n/var/log/syslog\n/var/log/mail.log\n{\n\trotate 4\n\
        \tpostrotate\n\t\t/srv/script.sh }\n\t/srv/not-a-log {\n\tendscript\n}\n\
        \"/srv/app/with blank.log\" /srv/app/*.log { daily }\n\
        /opt/x/x.log {\n olddir old\n}\n/opt/y/y.log {\n olddir /var/old\n}\n";

    #[test]
    fn a_log_and_what_rotation_makes_of_it_are_one_family() {
        let tree = MemoryTree::default().file("/etc/logrotate.d/a", CONF);
        for path in [
            "/var/log/syslog",
            "/var/log/syslog.1",
            "/var/log/mail.log.12.gz",
            "/var/log/mail.log-20240102",
            "/var/log/mail.log-20240102.xz",
            "/srv/app/with blank.log",
            "/srv/app/b.log",
            "/srv/app/b.log.1",
            "/srv/app/b-20240102.log",
            "/opt/x/old/x.log.1",
            "/var/old/y.log.1.zst",
        ] {
            assert_eq!(told(&tree, path), "log logrotate", "{path}");
        }
        for path in [
            "/srv/app/b.txt",
            "/srv/app/sub/b.log",
            "/srv/not-a-log",
            "/srv/script.sh",
            "/var/log/syslog.d",
            "/var/log/syslog.conf",
            "/srv/app",
            "/opt/x/old/z.log",
        ] {
            assert_eq!(told(&tree, path), "", "{path}");
        }
    }

    #[test]
    fn includes_are_followed_and_come_to_an_end() {
        let tree = MemoryTree::default()
            .file("/etc/logrotate.conf", "include /etc/logrotate.conf\ninclude /srv/more\n")
            .file("/srv/more/one", "/srv/one {\n}\ninclude /srv/more\ninclude ../../x\n")
            .link("/srv/loop", "/srv/loop")
            .file("/srv/more/two", "include /srv/loop\n/srv/two { }\n");
        assert_eq!(told(&tree, "/srv/one"), "log logrotate");
        assert_eq!(told(&tree, "/srv/two.1.gz"), "log logrotate");
    }

    #[test]
    fn hostile_configuration_is_bounded() {
        let many: String = (0..60_000).map(|n| format!("/srv/{n}/* {{\n}}\n")).collect();
        let tree = MemoryTree::default()
            .file("/etc/logrotate.d/a", many)
            .file("/etc/logrotate.d/b", "/../etc/x {\n}\n{\n}\n}\n}\n/a\n/b")
            .file("/etc/logrotate.d/c", "/x".repeat(5000) + " {\n}\n")
            .node("/etc/logrotate.d/d", Kind::Fifo);
        assert_eq!(told(&tree, "/srv/5/x"), "log logrotate");
        for path in ["/etc/x", "/a", "/b"] {
            assert_eq!(told(&tree, path), "", "{path}");
        }
        let many: String = (0..60_000).map(|n| format!("/?{n:05} {{\n}}\n")).collect();
        let tree = MemoryTree::default().file("/etc/logrotate.d/a", many);
        assert_eq!(told(&tree, "/a00005"), "log logrotate");
        assert_eq!(told(&tree, "/a59999"), "");
    }
}
