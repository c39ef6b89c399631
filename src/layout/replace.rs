//! Whole words and paths of a text, and what takes their place.

use super::pattern::{PatternError, Vars};
use super::setting::Replace;

/// A [`Replace`] with all values put in.
pub(super) struct Replacement {
    pub(super) text: Vec<u8>,
    pub(super) with: Vec<u8>,
    endings: Vec<Vec<u8>>,
}

impl Replace {
    /// With the values of `vars`.
    ///
    /// # Errors
    /// A variable without a value.
    pub(super) fn filled(&self, vars: &Vars) -> Result<Replacement, PatternError> {
        let endings = self.endings.iter().map(|ending| ending.clone().into_bytes()).collect();
        Ok(Replacement { text: self.text.expand(vars)?, with: self.with.expand(vars)?, endings })
    }
}

impl Replacement {
    /// `line` with every whole occurrence replaced.
    ///
    /// An occurrence is whole when the word or path does not go on, so that replacing twice changes
    /// nothing more.
    pub(super) fn apply(&self, line: &[u8]) -> Vec<u8> {
        if self.text.is_empty() || self.text == self.with {
            return line.to_vec();
        }
        let mut new = Vec::with_capacity(line.len());
        let mut at = 0;
        while at < line.len() {
            if self.stands_at(line, at) {
                new.extend_from_slice(&self.with);
                at += self.text.len();
            } else {
                new.push(line[at]);
                at += 1;
            }
        }
        new
    }

    fn stands_at(&self, line: &[u8], at: usize) -> bool {
        let rest = &line[at..];
        if !rest.starts_with(&self.text) || begun(&line[..at], self.text[0]) {
            return false;
        }
        let after = &rest[self.text.len()..];
        let ends_with = |ending: &Vec<u8>| {
            after.starts_with(ending) && !goes_on(ending.last(), &after[ending.len()..])
        };
        !goes_on(self.text.last(), after) || self.endings.iter().any(ends_with)
    }
}

/// What words are made of.
fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') || b >= 0x80
}

/// Whether a word or path that ends in `last` goes on in `after`; a dot at the end of a sentence is
/// no part of it.
fn goes_on(last: Option<&u8>, after: &[u8]) -> bool {
    let next = match after {
        [b'.', next, ..] => Some(*next),
        [next, ..] => Some(*next),
        [] => None,
    };
    last.is_some_and(|&b| word(b)) && next.is_some_and(word)
}

/// Whether a word or path that begins with `first` began before, in `before`.
fn begun(before: &[u8], first: u8) -> bool {
    before.last().is_some_and(|&before| match first {
        b'/' => word(before) || before == b'.',
        first => word(first) && (word(before) || before == b'.'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::pattern::Template;

    fn replaced(text: &str, with: &str, endings: &[&str], line: &str) -> String {
        let replace = Replace {
            text: Template::from(text),
            with: Template::from(with),
            endings: endings.iter().map(|ending| (*ending).to_owned()).collect(),
            since: None,
        };
        let replacement = replace.filled(&Vars::default()).unwrap();
        let once = replacement.apply(line.as_bytes());
        assert_eq!(replacement.apply(&once), once, "done twice");
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn only_whole_words_and_paths_are_replaced() {
        let ntp = |line| replaced("/var/lib/ntp", "/var/lib/ntpsec", &[], line);
        let same =
            "/var/lib/ntpsec /srv/var/lib/ntp /var/lib/ntp.drift /var/lib/ntp-x ./var/lib/ntp\n";
        assert_eq!(ntp(same), same);
        assert_eq!(
            ntp("a=/var/lib/ntp/x:/var/lib/ntp. '/var/lib/ntp'"),
            "a=/var/lib/ntpsec/x:/var/lib/ntpsec. '/var/lib/ntpsec'"
        );
        assert_eq!(
            replaced("php13", "php17", &[], "php13 php13.1 xphp13 php13-fpm"),
            "php17 php13.1 xphp13 php13-fpm"
        );
    }

    #[test]
    fn a_word_may_have_one_of_its_endings_and_no_other() {
        assert_eq!(
            replaced(
                "php7.4-fpm",
                "php8.4-fpm",
                &[".sock", "-reopenlogs"],
                "/run/php7.4-fpm.sock php7.4-fpm php7.4-fpm-reopenlogs; php7.4-fpm.sock2 \
                 php7.4-fpm-shop.sock php7.4-fpm.pid php7.4-fpm.sock."
            ),
            "/run/php8.4-fpm.sock php8.4-fpm php8.4-fpm-reopenlogs; php7.4-fpm.sock2 \
             php7.4-fpm-shop.sock php7.4-fpm.pid php8.4-fpm.sock."
        );
    }
}
