//! tmpfiles.d: what is made, cleaned and removed at every start.

use std::collections::BTreeSet;

use super::book::Book;
use super::declaration::{Form, Nature, Reach};
use super::pattern::Pattern;
use super::places::is_temporary;
use super::reading::Files;
use crate::tree::RootPath;

/// Where its files are, the strongest first.
const PLACES: &[RootPath] = &[
    RootPath::literal("/etc/tmpfiles.d"),
    RootPath::literal("/run/tmpfiles.d"),
    RootPath::literal("/usr/local/lib/tmpfiles.d"),
    RootPath::literal("/usr/lib/tmpfiles.d"),
];

/// What links and copies without a source are taken from.
const FACTORY: &str = "/usr/share/factory";

/// Words: type, path, mode, user, group, age, argument.
const WORDS: usize = 7;

/// Reads all of the system.
pub(super) fn load(files: &Files<'_>, book: &mut Book) {
    let mut seen = BTreeSet::new();
    let mut lines = vec![];
    for path in files.overlaid(PLACES, b".conf").into_values() {
        let Some(text) = files.read(&path) else { continue };
        let package = files.package(&path);
        for line in text.split(|&b| b == b'\n').filter_map(Line::parse) {
            // Of two lines that make the same the first counts.
            if !line.makes() || seen.insert(line.path.clone()) {
                lines.push((line, path.clone(), package.clone()));
            }
        }
    }
    // What is not to be cleaned is no cache.
    let spared: Vec<Pattern> =
        lines.iter().filter(|(line, ..)| line.kind == b'x').filter_map(|l| l.0.pattern()).collect();
    for (line, file, package) in &lines {
        let author = files.author("tmpfiles.d", file);
        for (pattern, nature, reach) in line.declares(package.is_some(), &spared) {
            book.add(pattern, nature, reach, author.clone());
        }
    }
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// The letter, without modifiers.
    kind: u8,
    path: Vec<u8>,
    mode: Option<u32>,
    user: Option<String>,
    group: Option<String>,
    /// Whether what lies in it is removed some time after it was last used.
    aged: bool,
    argument: Vec<u8>,
}

impl Line {
    /// `None` for what is no line, or one that needs the running system to be understood.
    fn parse(line: &[u8]) -> Option<Line> {
        let line = line.trim_ascii();
        if matches!(line.first(), None | Some(b'#')) {
            return None;
        }
        let words = words(line)?;
        let word = |index: usize| words.get(index).map(Vec::as_slice).filter(|word| *word != b"-");
        let text = |index: usize| word(index).and_then(|w| String::from_utf8(w.to_vec()).ok());
        let kind = word(0)?;
        if !kind.iter().skip(1).all(|b| b"+!-=~^$?".contains(b)) {
            return None;
        }
        let mode = word(2).map(|mode| {
            let digits = mode.iter().position(u8::is_ascii_digit).unwrap_or(mode.len());
            // `~` masks the mode by what is there: any will do.
            let masked = mode[..digits].contains(&b'~');
            let text = std::str::from_utf8(&mode[digits..]).ok()?;
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)?;
            Some((!masked).then_some(mode))
        });
        Some(Line {
            kind: *kind.first()?,
            path: expanded(word(1)?)?,
            mode: match mode {
                None => None,
                Some(mode) => mode?,
            },
            user: text(3),
            group: text(4),
            aged: word(5).is_some_and(|age| age != b"0"),
            argument: expanded(word(6).unwrap_or_default())?,
        })
    }

    fn makes(&self) -> bool {
        b"fFdDvqQpLCcbw".contains(&self.kind)
    }

    fn pattern(&self) -> Option<Pattern> {
        Pattern::parse(&self.path)
    }

    fn declares(&self, packaged: bool, spared: &[Pattern]) -> Vec<(Pattern, Nature, Reach)> {
        let Some(pattern) = self.pattern() else { return vec![] };
        let mut all = vec![];
        // What somebody's own line makes is as much somebody's own.
        if let Some(form) = self.form().filter(|_| packaged) {
            all.push((pattern.clone(), Nature::Generated, Reach::Exactly(form)));
        }
        let within = |other: &Pattern| other.base().is_within(&pattern.base());
        let temporary = is_temporary(&pattern) || is_whole_place(&pattern);
        let cleaned = self.aged && b"dDvqQe".contains(&self.kind) && !spared.iter().any(within);
        if temporary && cleaned {
            all.push((pattern.clone(), Nature::Cache, Reach::Inside));
        }
        if temporary && b"DR".contains(&self.kind) && !spared.iter().any(within) {
            all.push((pattern.clone(), Nature::Runtime, Reach::Inside));
        }
        if is_temporary(&pattern) && b"rR".contains(&self.kind) {
            all.push((pattern, Nature::Runtime, Reach::Itself));
        }
        all
    }

    /// What the line makes, where that can be told exactly.
    fn form(&self) -> Option<Form> {
        let from_factory = || [FACTORY.as_bytes(), &self.path[..]].concat();
        match self.kind {
            b'd' | b'D' | b'v' | b'q' | b'Q' => Some(Form::Directory {
                mode: self.mode.or(Some(0o755)),
                user: self.user.clone().or_else(|| Some("root".to_owned())),
                group: self.group.clone().or_else(|| Some("root".to_owned())),
            }),
            b'L' if self.argument.is_empty() => Some(Form::Link(from_factory())),
            b'L' => Some(Form::Link(self.argument.clone())),
            b'f' | b'F' => Some(Form::Text(self.argument.clone())),
            b'C' => {
                let source =
                    if self.argument.is_empty() { from_factory() } else { self.argument.clone() };
                RootPath::parse(&source).ok().map(Form::Copy)
            }
            _ => None,
        }
    }
}

/// The directories of temporary files themselves, in which a line may clean.
fn is_whole_place(pattern: &Pattern) -> bool {
    const PLACES: [RootPath; 2] = [RootPath::literal("/tmp"), RootPath::literal("/var/tmp")];
    PLACES
        .iter()
        .any(|place| pattern.base() == *place && pattern.covers(place.as_bytes()).is_some())
}

/// The words of a line; the last one is the rest of it. Quotes and C's escapes are taken off.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut all = vec![];
    let mut rest = line;
    while !rest.is_empty() && all.len() + 1 < WORDS {
        let (word, after) = word(rest)?;
        all.push(word);
        rest = after.trim_ascii_start();
    }
    if !rest.is_empty() {
        all.push(unescaped(rest)?);
    }
    Some(all)
}

fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let quote = text.first().copied().filter(|b| b"\"'".contains(b));
    let body = if quote.is_some() { &text[1..] } else { text };
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        match (byte, quote) {
            (b'\\', _) => at += 2,
            (byte, Some(quote)) if byte == quote => {
                return Some((unescaped(&body[..at])?, &body[at + 1..]));
            }
            (byte, None) if byte.is_ascii_whitespace() => break,
            _ => at += 1,
        }
    }
    let end = at.min(body.len());
    if quote.is_some() { None } else { Some((unescaped(&body[..end])?, &body[end..])) }
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b's' => b' ',
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    let mut value = [0];
                    hex::decode_to_slice(digits, &mut value).ok()?;
                    value[0]
                }
                other @ (b'\\' | b'"' | b'\'') => other,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(out)
}

/// `text` with its specifiers filled in; `None` where only the running system knows.
fn expanded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![];
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let part: &[u8] = match byte {
            b'%' => match bytes.next()? {
                b'%' => b"%",
                b't' => b"/run",
                b'S' => b"/var/lib",
                b'C' => b"/var/cache",
                b'L' => b"/var/log",
                b'T' => b"/tmp",
                b'V' => b"/var/tmp",
                b'h' => b"/root",
                b'u' | b'g' => b"root",
                b'U' | b'G' => b"0",
                _ => return None,
            },
            _ => &[byte],
        };
        out.extend_from_slice(part);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;
    use crate::tree::Kind;
    use crate::tree::memory::MemoryTree;

    fn line(text: &str) -> Option<Line> {
        Line::parse(text.as_bytes())
    }

    fn form(text: &str) -> Option<Form> {
        line(text)?.form()
    }

    #[test]
    fn a_line_is_read_with_quotes_escapes_and_specifiers() {
        let read = line("d! \"/srv/a b\" ~02775 app - 10d - ").unwrap();
        assert_eq!((read.kind, read.path.as_slice()), (b'd', &b"/srv/a b"[..]));
        assert_eq!((read.mode, read.aged), (None, true));
        assert_eq!(read.user.as_deref(), Some("app"));
        let text = line("f+ %S/x 0600 root root - a\\x20b\\nc").unwrap();
        assert_eq!(
            (text.path.as_slice(), text.argument.as_slice()),
            (&b"/var/lib/x"[..], &b"a b\nc"[..])
        );
    }

    #[test]
    fn what_is_made_is_said_exactly() {
        let directory = Form::Directory {
            mode: Some(0o2775),
            user: Some("postgres".into()),
            group: Some("root".into()),
        };
        assert_eq!(form("d /var/lib/x 2775 postgres"), Some(directory));
        assert_eq!(form("L /etc/x - - - - ../y"), Some(Form::Link(b"../y".to_vec())));
        assert_eq!(form("L+ /etc/x"), Some(Form::Link(b"/usr/share/factory/etc/x".to_vec())));
        assert_eq!(form("f /etc/x - - - - a"), Some(Form::Text(b"a".to_vec())));
        let copy = RootPath::parse(b"/usr/share/factory/etc/x").unwrap();
        assert_eq!(form("C /etc/x"), Some(Form::Copy(copy)));
        assert_eq!(form("z /etc/x 0600 root root"), None);
    }

    #[test]
    fn only_places_for_caches_are_cleaned() {
        let conf = "e /var/cache/app - - - 10d\nd /srv/data 0755 root root 10d\nR /home/a\n\
                    q /var/tmp 1777 root root 30d\nx /var/cache/kept\nd /var/cache/kept - - - 1d\n\
                    D /run/app\nr /srv/data/x\nR /var/cache/gone\nd /var 0755 - - 1d\n";
        let tree = MemoryTree::default().file("/etc/tmpfiles.d/a.conf", conf);
        let expected = [
            ("/var/cache/app/x", "cache tmpfiles.d"),
            ("/var/cache/app", ""),
            ("/srv/data/x", ""),
            ("/home/a", ""),
            ("/var/tmp/x/y", "cache tmpfiles.d"),
            ("/var/cache/kept/x", ""),
            ("/run/app/x", "runtime tmpfiles.d"),
            ("/var/cache/gone/x", "runtime tmpfiles.d"),
            ("/var/lib/x", ""),
            ("/var/cache/x", ""),
        ];
        for (path, says) in expected {
            assert_eq!(told(&tree, path), says, "{path}");
        }
    }

    #[test]
    fn a_file_of_the_user_takes_the_packages_place_and_makes_what_is_his() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
        let tree = MemoryTree::default()
            .file("/var/lib/dpkg/status", status)
            .file(
                "/var/lib/dpkg/info/a.list",
                "/usr/lib/tmpfiles.d/a.conf\n/usr/lib/tmpfiles.d/b.conf\n",
            )
            .file("/usr/lib/tmpfiles.d/a.conf", "d /var/lib/a\n")
            .file("/usr/lib/tmpfiles.d/b.conf", "d /var/lib/b\n")
            .link("/etc/tmpfiles.d/b.conf", "/dev/null")
            .file("/etc/tmpfiles.d/c.conf", "d /var/lib/c\n");
        assert_eq!(told(&tree, "/var/lib/a"), "generated tmpfiles.d");
        assert_eq!(told(&tree, "/var/lib/b"), "");
        assert_eq!(told(&tree, "/var/lib/c"), "");
    }

    #[test]
    fn hostile_lines_declare_nothing() {
        let mut conf = "R /run/../srv/x\nD /var/cache/../../srv\ne /var/*/data - - - 1d\n\
                        e /* - - - 1d\nd \"/var/cache/x\nR\nR! \nf /x \\\nD /var/cache/%b\nR /\n"
            .to_owned();
        conf.push_str(&"d /var/lib/x\n".repeat(50_000));
        let tree = MemoryTree::default()
            .file("/etc/tmpfiles.d/a.conf", conf)
            .node("/etc/tmpfiles.d/b.conf", Kind::Fifo)
            .file("/etc/tmpfiles.d/c.conf", vec![b'd'; 2 << 20])
            .link("/usr/lib/tmpfiles.d", "/usr/lib/tmpfiles.d");
        for path in ["/srv/x", "/srv", "/var/lib/data/x", "/home/x", "/var/cache/x/y", "/var/lib/x"]
        {
            assert_eq!(told(&tree, path), "", "{path}");
        }
    }
}
