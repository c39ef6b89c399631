//! `mtree`, what pacman recorded of each path of a package: mtree(5), compressed.
//!
//! Of that form only what makepkg writes is understood: whole paths (`./usr/bin`), keywords with
//! values, defaults set by `/set`.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::super::Md5;
use super::super::file_record::{Digest, RecordedKind};
use super::super::index::MAX_FILES;
use super::super::problem::{BadLines, LineFault, Problem, Problems, Quota, chain};
use super::super::records::{lines, recorded_path};
use crate::tree::RootPath;

/// A package of 100,000 files has 25 MB; what expands to more is a forgery.
const MAX_UNPACKED: u64 = 128 << 20;

/// What is recorded about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: RecordedKind,
    pub(super) mode: Option<u32>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    /// Seconds since 1970.
    pub(super) mtime: Option<i64>,
}

/// How much may still be unpacked, of all packages together.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u64);

/// Unpacks and reads `file`; what is wrong with it goes to `problems`.
pub(super) fn read(
    file: &RootPath,
    packed: &[u8],
    budget: &mut Budget,
    problems: &mut Problems,
) -> BTreeMap<RootPath, Node> {
    let limit = MAX_UNPACKED.min(budget.0);
    let mut bytes = vec![];
    let unpacked = MultiGzDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes);
    budget.0 -= limit.min(bytes.len() as u64);
    let why = match unpacked {
        Err(error) => chain(&error),
        Ok(length) if length as u64 > limit => format!("it holds more than {limit} bytes"),
        Ok(_) => return parse(file, &bytes, problems),
    };
    problems.note(Problem::Unreadable { file: file.clone(), why });
    BTreeMap::new()
}

fn parse(file: &RootPath, bytes: &[u8], problems: &mut Problems) -> BTreeMap<RootPath, Node> {
    let mut bad = BadLines::default();
    let mut quota = Quota::new(MAX_FILES);
    let mut defaults = Keywords::default();
    let mut nodes = BTreeMap::new();
    for (index, line) in lines(bytes).enumerate() {
        let line = line.trim_ascii();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let fault = match words.next() {
            None | Some([b'#', ..]) => Ok(()),
            Some(b"/set") => defaults.read(words),
            Some(name) if name.starts_with(b"./") => {
                let mut keywords = defaults.clone();
                let path = recorded_path(&unescaped(name));
                match path.and_then(|path| keywords.read(words).map(|()| path)) {
                    Ok(path) if quota.take(file, problems) => {
                        nodes.insert(path, keywords.node());
                        Ok(())
                    }
                    Ok(_) => Ok(()),
                    Err(fault) => Err(fault),
                }
            }
            Some(_) => Err(LineFault::Incomplete),
        };
        if let Err(fault) = fault {
            bad.note(index, fault);
        }
    }
    bad.finish(file, problems);
    nodes
}

#[derive(Debug, Clone, Default)]
struct Keywords {
    kind: Option<Vec<u8>>,
    mode: Option<u32>,
    user: Option<String>,
    group: Option<String>,
    size: Option<u64>,
    time: Option<i64>,
    md5: Option<Md5>,
    sha256: Option<[u8; 32]>,
    link: Option<Vec<u8>>,
}

impl Keywords {
    fn read<'a>(&mut self, words: impl Iterator<Item = &'a [u8]>) -> Result<(), LineFault> {
        for word in words {
            let at = word.iter().position(|&b| b == b'=').unwrap_or(word.len());
            let (name, value) = (&word[..at], word.get(at + 1..).unwrap_or_default());
            match name {
                b"type" => self.kind = Some(value.to_vec()),
                b"mode" => {
                    let mode = std::str::from_utf8(value).map_err(|_| LineFault::Number)?;
                    let mode = u32::from_str_radix(mode, 8).map_err(|_| LineFault::Number)?;
                    self.mode = Some(mode & 0o7777);
                }
                b"uid" => self.user = Some(number::<u32>(value)?.to_string()),
                b"gid" => self.group = Some(number::<u32>(value)?.to_string()),
                b"size" => self.size = Some(number(value)?),
                // Seconds and nanoseconds; makepkg writes no fraction but 0.
                b"time" => {
                    let end = value.iter().position(|&b| b == b'.').unwrap_or(value.len());
                    self.time = Some(number(&value[..end])?);
                }
                b"md5" | b"md5digest" => {
                    self.md5 = Some(Md5::parse(value).ok_or(LineFault::Digest)?);
                }
                b"sha256" | b"sha256digest" => {
                    let mut digest = [0; 32];
                    hex::decode_to_slice(value, &mut digest).map_err(|_| LineFault::Digest)?;
                    self.sha256 = Some(digest);
                }
                b"link" => self.link = Some(unescaped(value)),
                _ => {}
            }
        }
        Ok(())
    }

    fn node(self) -> Node {
        let sha256 = self.sha256.map(Digest::Sha256);
        let kind = match self.kind.as_deref() {
            Some(b"file") => {
                RecordedKind::File { size: self.size, digest: sha256.or(self.md5.map(Digest::Md5)) }
            }
            Some(b"dir") => RecordedKind::Dir,
            Some(b"link") => RecordedKind::Symlink { target: self.link },
            Some(b"fifo" | b"char" | b"block" | b"socket") => RecordedKind::Special,
            _ => RecordedKind::Unknown,
        };
        let (mode, mtime) = (self.mode, self.time);
        Node { kind, mode, user: self.user, group: self.group, mtime }
    }
}

fn number<N: std::str::FromStr>(value: &[u8]) -> Result<N, LineFault> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.parse().ok()).ok_or(LineFault::Number)
}

/// Undoes the escapes of mtree: three octal digits, or a letter as in C.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 4)
            }
            (b'\\', [letter, ..]) => match letter {
                b'n' => (b'\n', 2),
                b't' => (b'\t', 2),
                b'r' => (b'\r', 2),
                b's' => (b' ', 2),
                b'\\' | b'#' => (*letter, 2),
                _ => (b'\\', 1),
            },
            _ => (first, 1),
        };
        plain.push(byte);
        rest = &rest[length..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    fn load(packed: &[u8]) -> (BTreeMap<RootPath, Node>, Vec<Problem>) {
        let mut problems = Problems::default();
        let nodes = read(&path("/m"), packed, &mut Budget(u64::MAX), &mut problems);
        (nodes, problems.finish())
    }

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    fn node(kind: RecordedKind, mode: u32, mtime: i64) -> Node {
        let user = Some("0".to_owned());
        Node { kind, mode: Some(mode), group: user.clone(), user, mtime: Some(mtime) }
    }

    #[test]
    fn a_path_has_its_own_keywords_over_those_set_before() {
        let md5 = "60b725f10c9c85c70d97880dfe8191b3";
        let sha256 = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7";
        let text = format!(
            "#mtree\n/set type=file uid=0 gid=0 mode=755\n\n\
             ./.PKGINFO time=1.0 size=1\n/set mode=4755\n\
             ./a\\040b time=7.9 mode=644 size=2 md5digest={md5} sha256digest={sha256}\n\
             ./a time=-3 size=9 md5digest={md5}\n\
             ./dir time=2.0 mode=1777 type=dir\n\
             ./l\\303\\244 time=2.0 mode=777 type=link link=t\\134ab\\043\\075x\n\
             ./pipe time=2.0 type=fifo\n./odd type=door time=2\n"
        );
        let (nodes, problems) = load(&gz(text.as_bytes()));
        assert_eq!(problems, []);
        let md5 = Md5::parse(md5.as_bytes()).map(Digest::Md5);
        let sha256 = Some(Digest::Sha256(hex::decode(sha256).unwrap().try_into().unwrap()));
        let file = |size, digest| RecordedKind::File { size: Some(size), digest };
        let link = RecordedKind::Symlink { target: Some(b"t\\ab#=x".to_vec()) };
        let expected = [
            ("/.PKGINFO", node(file(1, None), 0o755, 1)),
            ("/a", node(file(9, md5), 0o4755, -3)),
            ("/a b", node(file(2, sha256), 0o644, 7)),
            ("/dir", node(RecordedKind::Dir, 0o1777, 2)),
            ("/lä", node(link, 0o777, 2)),
            ("/odd", node(RecordedKind::Unknown, 0o4755, 2)),
            ("/pipe", node(RecordedKind::Special, 0o4755, 2)),
        ];
        assert_eq!(nodes, expected.map(|(text, node)| (path(text), node)).into());
    }

    #[test]
    fn a_line_that_cannot_be_used_is_left_out() {
        let text = "./../../etc/shadow type=file\n./a\\000b\n./b mode=9\n./c size=-1\n./d md5=12\n\
                    /set mode=x\n./e time=1e9\n.. x\nname type=file\n./ok type=dir\n/unset all\n";
        let (nodes, problems) = load(&gz(text.as_bytes()));
        assert_eq!(nodes.into_keys().collect::<Vec<_>>(), [path("/ok")]);
        let fault = LineFault::Number;
        assert_eq!(problems, [Problem::Lines { file: path("/m"), count: 10, first: 3, fault }]);
    }

    #[test]
    fn what_unpacks_to_too_much_or_not_at_all_is_left_out() {
        let why = |packed: &[u8], budget: u64| {
            let mut problems = Problems::default();
            let mut budget = Budget(budget);
            assert_eq!(read(&path("/m"), packed, &mut budget, &mut problems).len(), 0);
            match problems.finish().remove(0) {
                Problem::Unreadable { why, .. } => (why, budget.0),
                problem => panic!("{problem}"),
            }
        };
        let bomb = gz(&vec![b'#'; 129 << 20]);
        assert!(bomb.len() < 1 << 20);
        let more = format!("it holds more than {MAX_UNPACKED} bytes");
        assert_eq!(why(&bomb, 1 << 30), (more, (1 << 30) - MAX_UNPACKED));
        assert_eq!(why(&gz(b"./a\n./b\n"), 5), ("it holds more than 5 bytes".to_owned(), 0));
        assert_eq!(why(&gz(b"./a"), 0).0, "it holds more than 0 bytes");
        for broken in [&b""[..], b"./a type=dir\n", &bomb[..100]] {
            assert!(!why(broken, 1 << 30).0.is_empty());
        }
    }

    #[test]
    fn an_escape_without_its_end_is_text() {
        for (text, plain) in [
            ("\\04", "\\04"),
            ("\\", "\\"),
            ("\\400", "\\400"),
            ("\\x\\n\\s\\\\", "\\x\n \\"),
            ("", ""),
        ] {
            assert_eq!(unescaped(text.as_bytes()), plain.as_bytes());
        }
    }
}
