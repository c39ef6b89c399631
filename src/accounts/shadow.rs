//! [`Shadow`]: one line of `/etc/shadow`, and what a password field means.

use super::table::{Record, join};

/// A user's secrets as `/etc/shadow` has them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Shadow {
    /// The user's name.
    pub name: Vec<u8>,
    /// Hash, or `!`/`*` when no password opens the account; empty when none is needed.
    pub password: Vec<u8>,
    /// All that follows (last change, ageing, expiry), as it stands in the file.
    pub ageing: Vec<u8>,
}

/// Without the hash: a secret has no place in a log.
impl std::fmt::Debug for Shadow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shadow({})", crate::tree::escaped(&self.name))
    }
}

impl Shadow {
    /// The line of a user whom no password lets in, without limits in time.
    pub(crate) fn locked(name: &[u8]) -> Shadow {
        Shadow { name: name.to_vec(), password: b"!".to_vec(), ageing: b"::::::".to_vec() }
    }

    /// The day of the last change of the password, counted from 1970.
    pub(super) fn day(&self) -> Option<u32> {
        let day = self.ageing.split(|&b| b == b':').next()?;
        std::str::from_utf8(day).ok()?.parse().ok()
    }

    pub(super) fn set_day(&mut self, day: Option<u32>) {
        let rest = self.ageing.iter().position(|&b| b == b':').unwrap_or(self.ageing.len());
        let day = day.map(|day| day.to_string()).unwrap_or_default();
        self.ageing.splice(..rest, day.into_bytes());
    }
}

impl Record for Shadow {
    fn parse(line: &[u8]) -> Option<Shadow> {
        let mut fields = line.splitn(3, |&b| b == b':');
        let (name, password, ageing) = (fields.next()?, fields.next()?, fields.next()?);
        // Seven fields follow the password.
        if name.is_empty() || ageing.iter().filter(|&&b| b == b':').count() != 6 {
            return None;
        }
        Some(Shadow { name: name.to_vec(), password: password.to_vec(), ageing: ageing.to_vec() })
    }

    fn format(&self, out: &mut Vec<u8>) {
        join(out, &[&self.name, &self.password, &self.ageing]);
    }

    fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Whether a password field holds a hash that somebody set, be it locked by a leading `!`.
pub(super) fn has_hash(password: &[u8]) -> bool {
    let hash = password.iter().position(|&b| b != b'!').map_or(&b""[..], |at| &password[at..]);
    !hash.is_empty() && !hash.starts_with(b"*") && hash != b"x"
}

/// Whether no password opens the account.
pub(super) fn is_locked(password: &[u8]) -> bool {
    matches!(password.first(), Some(b'!' | b'*')) || password == b"x"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_line_is_nine_fields_and_comes_back_as_it_was() {
        let line = b"alice:$y$j9T$salt$hash:20778:0:99999:7:30:21000:";
        let shadow = Shadow::parse(line).unwrap();
        assert_eq!(shadow.password, b"$y$j9T$salt$hash");
        let mut out = vec![];
        shadow.format(&mut out);
        assert_eq!(out, line);
        assert_eq!(Shadow::parse(b"alice:$6$a:1:2"), None);
        let mut out = vec![];
        Shadow::locked(b"bob").format(&mut out);
        assert!(Shadow::parse(&out).is_some());
        assert_eq!(out, b"bob:!:::::::");
    }

    #[test]
    fn a_day_is_read_changed_and_taken_away_without_touching_the_rest() {
        let mut shadow = Shadow::parse(b"app:!:20778:0:99999:7:::").unwrap();
        assert_eq!(shadow.day(), Some(20778));
        shadow.set_day(Some(18000));
        assert_eq!(shadow.ageing, b"18000:0:99999:7:::");
        shadow.set_day(None);
        assert_eq!((shadow.day(), &shadow.ageing[..]), (None, &b":0:99999:7:::"[..]));
    }

    #[test]
    fn a_hash_is_a_hash_even_when_locked() {
        assert!(has_hash(b"$6$a$b") && has_hash(b"!$6$a$b") && has_hash(b"ab01FAX.bQRSU"));
        for none in ["", "*", "!", "!!", "!*", "x"] {
            assert!(!has_hash(none.as_bytes()), "{none}");
        }
        assert!(is_locked(b"!$6$a$b") && is_locked(b"*") && is_locked(b"!"));
        assert!(!is_locked(b"") && !is_locked(b"$6$a$b"));
    }

    #[test]
    fn a_hash_is_not_shown() {
        let shadow = Shadow::parse(b"alice:$6$secret:::::::").unwrap();
        assert_eq!(format!("{shadow:?}"), "Shadow(alice)");
    }
}
