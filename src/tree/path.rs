//! [`RootPath`]: an absolute, normalised path inside a root, as bytes.
//!
//! Names on Linux are bytes, not text, and a tree we read was named by somebody else. A
//! `RootPath` therefore never assumes UTF-8, never holds `.`, `..`, NUL or an empty component,
//! and is only ever shown escaped. It names a place *inside* a tree; it is not a host path.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An absolute path inside a root: `/`, or `/` and components joined by single slashes.
///
/// Paths order by component, so that a directory is directly followed by everything below it
/// (`/a`, `/a/b`, `/a-b`): the order of every walk, plan and bundle.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootPath(Cow<'static, [u8]>);

/// Why bytes are not a [`RootPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A NUL byte cannot be in a name.
    #[error("the path holds a NUL byte")]
    Nul,
    /// `..` could lead anywhere; it is refused rather than resolved.
    #[error("the path holds `..`")]
    DotDot,
}

impl RootPath {
    /// The root itself, `/`.
    pub const fn root() -> RootPath {
        RootPath::literal("/")
    }

    /// The path that is written in a program, as [`Self::as_bytes`] has it. In a constant, a text
    /// that is no such path is an error of the compiler.
    ///
    /// # Panics
    /// Outside of constants, when `text` is no absolute, normalised path.
    pub const fn literal(text: &'static str) -> RootPath {
        assert!(is_canonical(text.as_bytes()), "not an absolute, normalised path");
        RootPath(Cow::Borrowed(text.as_bytes()))
    }

    /// Reads `bytes` as a path inside the root; a leading slash is optional, repeated slashes,
    /// `.` components and a trailing slash vanish.
    pub fn parse(bytes: &[u8]) -> Result<RootPath, PathError> {
        let mut path = Vec::with_capacity(bytes.len() + 1);
        for component in bytes.split(|&b| b == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(PathError::DotDot),
                _ if component.contains(&0) => return Err(PathError::Nul),
                _ => {
                    path.push(b'/');
                    path.extend_from_slice(component);
                }
            }
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(RootPath(Cow::Owned(path)))
    }

    /// The path whose [`Self::as_bytes`] are `bytes`.
    pub(super) fn of_canonical(bytes: &[u8]) -> RootPath {
        debug_assert!(is_canonical(bytes));
        RootPath(Cow::Owned(bytes.to_vec()))
    }

    /// The whole path, with its leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path without its leading slash; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.0[1..]
    }

    /// Where a symlink at this path leads by its `target` alone.
    #[must_use]
    pub fn aim(&self, target: &[u8]) -> RootPath {
        let absolute = target.first() == Some(&b'/');
        let mut at = self.parent().filter(|_| !absolute).unwrap_or_else(RootPath::root);
        for component in target.split(|&b| b == b'/') {
            match component {
                b"" | b"." => {}
                b".." => at = at.parent().unwrap_or_else(RootPath::root),
                name => at = at.child(name),
            }
        }
        at
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(at) => &self.0[at + 1..],
            None => &[],
        }
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<RootPath> {
        self.parent_bytes().map(|bytes| RootPath(Cow::Owned(bytes.to_vec())))
    }

    /// The bytes of [`RootPath::parent`].
    pub(crate) fn parent_bytes(&self) -> Option<&[u8]> {
        parent_of(&self.0)
    }

    /// All directories above this path, the root first. Each is made when it is asked for: all of
    /// them at once would need memory in the square of how deep a path is.
    pub fn ancestors(&self) -> impl DoubleEndedIterator<Item = RootPath> + '_ {
        let whole = self.as_bytes();
        let slashes = whole.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
        let top = (!self.is_root()).then_some(1);
        let ends = top.into_iter().chain(slashes.map(|(at, _)| at));
        ends.map(|end| RootPath(Cow::Owned(whole[..end].to_vec())))
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|c| !c.is_empty())
    }

    /// This path with the single component `name` below it.
    ///
    /// `name` comes from a directory listing or another `RootPath`; it must be a plain component.
    pub fn child(&self, name: &[u8]) -> RootPath {
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        let mut path = Vec::with_capacity(self.0.len() + 1 + name.len());
        path.extend_from_slice(&self.0);
        if path.len() > 1 {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        RootPath(Cow::Owned(path))
    }

    /// `other` moved below this path: `/srv`.join(`/a/b`) is `/srv/a/b`.
    pub fn join(&self, other: &RootPath) -> RootPath {
        if other.is_root() {
            return self.clone();
        }
        if self.is_root() {
            return other.clone();
        }
        RootPath(Cow::Owned([self.as_bytes(), other.as_bytes()].concat()))
    }

    /// Whether this path is `dir` or lies below it.
    pub fn is_within(&self, dir: &RootPath) -> bool {
        is_within(&self.0, &dir.0)
    }

    /// The path seen from `dir`: `/srv/a` below `/srv` is `/a`; `None` when it is not within.
    pub fn strip_prefix(&self, dir: &RootPath) -> Option<RootPath> {
        if !self.is_within(dir) {
            None
        } else if dir.is_root() {
            Some(self.clone())
        } else if self.0.len() == dir.0.len() {
            Some(RootPath::root())
        } else {
            Some(RootPath(Cow::Owned(self.0[dir.0.len()..].to_vec())))
        }
    }
}

/// Whether `path` is as a [`RootPath`] has it.
const fn is_canonical(path: &[u8]) -> bool {
    if path.is_empty() || path[0] != b'/' {
        return false;
    }
    let (mut begin, mut at) = (1, 1);
    while at < path.len() {
        if path[at] == 0 {
            return false;
        }
        if path[at] == b'/' {
            if !is_component(path, begin, at) {
                return false;
            }
            begin = at + 1;
        }
        at += 1;
    }
    path.len() == 1 || is_component(path, begin, at)
}

/// Whether the bytes from `begin` to `end` are a name, and neither `.` nor `..`.
const fn is_component(path: &[u8], begin: usize, end: usize) -> bool {
    match end - begin {
        0 => false,
        1 => path[begin] != b'.',
        2 => path[begin] != b'.' || path[begin + 1] != b'.',
        _ => true,
    }
}

impl Ord for RootPath {
    fn cmp(&self, other: &Self) -> Ordering {
        path_order(&self.0, &other.0)
    }
}

/// The order of [`RootPath`]s, of their bytes: by component.
pub(crate) fn path_order(a: &[u8], b: &[u8]) -> Ordering {
    // Without the first slash, so that the root is the start of every path.
    let (a, b) = (&a[1..], &b[1..]);
    // Neighbours have most of their bytes in common: many at a time, then one by one.
    let mut at = 0;
    while let (Some(x), Some(y)) = (a.get(at..at + 16), b.get(at..at + 16))
        && x == y
    {
        at += 16;
    }
    at += a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count();
    // The slash sorts before every other byte, which makes byte order component order.
    let key = |byte: Option<&u8>| byte.map(|&b| if b == b'/' { 0 } else { u16::from(b) + 1 });
    key(a.get(at)).cmp(&key(b.get(at)))
}

/// [`RootPath::parent`] of the bytes of a path.
pub(crate) fn parent_of(path: &[u8]) -> Option<&[u8]> {
    let at = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
    (path.len() > 1).then(|| &path[..at.max(1)])
}

/// [`RootPath::is_within`] of the bytes of paths.
pub(crate) fn is_within(path: &[u8], dir: &[u8]) -> bool {
    dir.len() == 1
        || (path.starts_with(dir) && (path.len() == dir.len() || path[dir.len()] == b'/'))
}

impl PartialOrd for RootPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The longest name of one component that a file system of Linux knows.
pub(crate) const NAME_LIMIT: usize = 255;

/// Shows `bytes` to a person: printable text as it is, everything else escaped, so that a name
/// can neither move the cursor nor forge a line.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c => show(c, &mut text),
            }
        }
        for b in chunk.invalid() {
            text.push_str(&format!("\\x{b:02x}"));
        }
    }
    text
}

/// Shows a line of text to a person that may hold names from elsewhere: as [`escaped`], but
/// backslashes stay, as what was escaped before has some.
pub fn printable(line: &str) -> Cow<'_, str> {
    if !line.contains(is_unprintable) {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    line.chars().for_each(|c| show(c, &mut text));
    Cow::Owned(text)
}

fn show(c: char, text: &mut String) {
    match c {
        c if !is_unprintable(c) => text.push(c),
        c if c.is_control() => text.extend(c.escape_default()),
        c => text.extend(c.escape_unicode()),
    }
}

/// Whether a terminal obeys `c` instead of showing it, shows what follows in another order or on
/// another line, or shows nothing at all.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional controls reorder what a person reads.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Ends of a line or a paragraph.
            | '\u{2028}' | '\u{2029}'
            // Without width, so that two names look alike. The joiners of some scripts stay.
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.0))
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// How a path stands in JSON: `path` when it is UTF-8, else `path_hex` in lower case.
#[derive(Serialize, Deserialize)]
struct PathJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

/// Serialises as an object `{"path": …}` or `{"path_hex": …}`; use `#[serde(flatten)]`.
impl Serialize for RootPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = match std::str::from_utf8(&self.0) {
            Ok(text) => PathJson { path: Some(text.to_owned()), path_hex: None },
            Err(_) => PathJson { path: None, path_hex: Some(hex::encode(&self.0)) },
        };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RootPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let json = PathJson::deserialize(deserializer)?;
        let bytes = match (json.path, json.path_hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => hex::decode(hex).map_err(D::Error::custom)?,
            _ => return Err(D::Error::custom("exactly one of `path` and `path_hex` is needed")),
        };
        let path = RootPath::parse(&bytes).map_err(D::Error::custom)?;
        if path.as_bytes() != bytes {
            return Err(D::Error::custom("the path is not canonical"));
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_what_a_terminal_would_obey_and_keeps_what_was_escaped_before() {
        assert_eq!(
            printable("plain \\x1b text ü 日本 👩\u{200d}🔧"),
            "plain \\x1b text ü 日本 👩\u{200d}🔧"
        );
        let shown = [
            ("\0\x07\x08\x1b[2J", "\\u{0}\\u{7}\\u{8}\\u{1b}[2J"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\x7f\u{80}\u{9b}31m\u{9f}", "\\u{7f}\\u{80}\\u{9b}31m\\u{9f}"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}"),
            ("\u{200f}\u{61c}\u{2028}\u{2029}", "\\u{200f}\\u{61c}\\u{2028}\\u{2029}"),
            ("\u{200b}\u{feff}\u{e0041}", "\\u{200b}\\u{feff}\\u{e0041}"),
        ];
        for (text, expected) in shown {
            assert_eq!(printable(text), expected);
            assert_eq!(escaped(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_literal_is_a_path_that_stands_as_it_is() {
        const MARKER: RootPath = RootPath::literal("/etc/..a/.b/c.");
        assert_eq!(MARKER, path("/etc/..a/.b/c."));
        assert_eq!(RootPath::literal("/"), path("/"));
        for text in ["", "a", "/a/", "//", "/a//b", "/./a", "/a/.", "/..", "/a/../b", "/a\0"] {
            assert!(!is_canonical(text.as_bytes()), "{text:?}");
            let literal = std::panic::catch_unwind(|| RootPath::literal(text));
            assert!(literal.is_err(), "{text:?}");
        }
    }

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn parsing_normalises_and_refuses_dot_dot_and_nul() {
        assert_eq!(path("./a//b/").as_bytes(), b"/a/b");
        assert_eq!(path("").as_bytes(), b"/");
        assert_eq!(RootPath::parse(b"/a/../b"), Err(PathError::DotDot));
        assert_eq!(RootPath::parse(b"/a\0b"), Err(PathError::Nul));
    }

    #[test]
    fn a_directory_is_directly_followed_by_what_is_below_it() {
        let mut paths = [path("/a-b"), path("/a/b"), path("/a"), path("/"), path("/a.c")];
        paths.sort();
        assert_eq!(paths.map(|p| p.to_string()), ["/", "/a", "/a/b", "/a-b", "/a.c"]);
    }

    #[test]
    fn within_compares_components_not_bytes() {
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(!path("/ab").is_within(&path("/a")));
        assert!(path("/ab").is_within(&RootPath::root()));
        assert_eq!(path("/a/b").strip_prefix(&path("/a")), Some(path("/b")));
        assert_eq!(path("/a").strip_prefix(&path("/a")), Some(RootPath::root()));
    }

    #[test]
    fn ancestors_start_at_the_root() {
        let all = |text: &str| path(text).ancestors().collect::<Vec<_>>();
        assert_eq!(all("/a/b/c"), [path("/"), path("/a"), path("/a/b")]);
        assert_eq!((all("/"), all("/a")), (vec![], vec![path("/")]));
        let up: Vec<RootPath> = path("/a/b/c").ancestors().rev().collect();
        assert_eq!(up, [path("/a/b"), path("/a"), path("/")]);
    }

    #[test]
    fn a_shown_path_cannot_forge_a_line() {
        let nasty = RootPath::parse(b"/a\nb\x1b[31m\xff\xe2\x80\xae").unwrap();
        assert_eq!(nasty.to_string(), "/a\\nb\\u{1b}[31m\\xff\\u{202e}");
    }

    #[test]
    fn json_holds_text_as_text_and_other_bytes_as_hex() {
        let json = serde_json::to_string(&path("/é")).unwrap();
        assert_eq!(json, r#"{"path":"/é"}"#);
        let bytes = RootPath::parse(b"/\xff").unwrap();
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(json, r#"{"path_hex":"2fff"}"#);
        assert_eq!(serde_json::from_str::<RootPath>(&json).unwrap(), bytes);
        assert!(serde_json::from_str::<RootPath>(r#"{"path":"/a/../b"}"#).is_err());
        assert!(serde_json::from_str::<RootPath>(r#"{"path":"/a//b"}"#).is_err());
    }
}
