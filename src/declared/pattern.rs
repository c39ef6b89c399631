//! [`Pattern`]: the paths a declaration is about, as a shell's glob: `*`, `?` and `[…]` stay
//! within one component.

use crate::packages::matches;
use crate::tree::RootPath;

/// The kernel's limit for a path.
const MAX_PATTERN: usize = 4096;

/// A glob of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    path: RootPath,
    /// How many components lead to the first one with a wildcard; `None` without any.
    literal: Option<usize>,
}

impl Pattern {
    /// Reads a glob; `None` when it is no path inside a root, or longer than any real one.
    pub(super) fn parse(text: &[u8]) -> Option<Pattern> {
        if text.first() != Some(&b'/') || text.len() > MAX_PATTERN {
            return None;
        }
        let path = RootPath::parse(text).ok().filter(|path| !path.is_root())?;
        let literal = path.components().position(is_wild);
        Some(Pattern { path, literal })
    }

    /// The path itself where there is only one, else the directory that all of them lie below.
    pub(super) fn base(&self) -> RootPath {
        match self.literal {
            None => self.path.clone(),
            Some(count) => {
                let parts = self.path.components().take(count);
                parts.fold(RootPath::root(), |path, part| path.child(part))
            }
        }
    }

    /// Whether every path it matches lies below `dir`.
    pub(super) fn is_below(&self, dir: &RootPath) -> bool {
        self.path.is_within(dir) && self.base().is_within(dir) && self.path != *dir
    }

    /// The same names in another directory.
    pub(super) fn moved_to(&self, dir: &RootPath) -> Option<Pattern> {
        Pattern::parse(dir.child(self.path.name()).as_bytes())
    }

    /// Where relative paths in it start.
    pub(super) fn parent(&self) -> Option<RootPath> {
        self.path.parent()
    }

    /// How many components of `path` it matches; `None` when it does not match.
    pub(super) fn covers(&self, path: &[u8]) -> Option<usize> {
        let mut there = path.split(|&b| b == b'/').filter(|part| !part.is_empty());
        let mut count = 0;
        for part in self.path.components() {
            let same = there.next()?;
            // As a shell's, a wildcard does not match a leading dot.
            let hidden = same.first() == Some(&b'.') && part.first() != Some(&b'.');
            if (is_wild(part) && (hidden || !matches(part, same)))
                || (!is_wild(part) && part != same)
            {
                return None;
            }
            count += 1;
        }
        Some(count)
    }
}

fn is_wild(part: &[u8]) -> bool {
    part.iter().any(|b| b"*?[".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(glob: &str, path: &str) -> Option<usize> {
        Pattern::parse(glob.as_bytes()).and_then(|glob| glob.covers(path.as_bytes()))
    }

    #[test]
    fn a_wildcard_stays_within_its_component() {
        assert_eq!(covers("/var/log/*.log", "/var/log/a.log"), Some(3));
        assert_eq!(covers("/var/log/*.log", "/var/log/a/b.log"), None);
        assert_eq!(covers("/var/log/*.log", "/var/log/.log"), None);
        assert_eq!(covers("/var/log/*/x", "/var/log/a/x/y"), Some(4));
        assert_eq!(covers("/var/lib/a", "/var/lib/ab"), None);
        assert_eq!(covers("/var/lib/a", "/var/lib"), None);
    }

    #[test]
    fn what_is_no_path_inside_a_root_is_no_pattern() {
        for text in ["", "x", "/", "/../x", "/a/../../b", "/a\0b"] {
            assert_eq!(Pattern::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Pattern::parse(&b"/x".repeat(4096)), None);
    }

    #[test]
    fn everything_it_matches_lies_below_its_base() {
        let base = |text: &str| Pattern::parse(text.as_bytes()).unwrap().base().to_string();
        assert_eq!(base("/var/log/*.log"), "/var/log");
        assert_eq!(base("/var/log/a"), "/var/log/a");
        assert_eq!(base("/*/a"), "/");
        let below = |text: &str, dir: &str| {
            let dir = RootPath::parse(dir.as_bytes()).unwrap();
            Pattern::parse(text.as_bytes()).unwrap().is_below(&dir)
        };
        assert!(below("/var/cache/*", "/var/cache"));
        assert!(!below("/var/*/x", "/var/cache"));
        assert!(!below("/var/cache", "/var/cache"));
    }
}
