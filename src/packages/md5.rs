//! [`Md5`]: the digest that package managers of the time recorded.

use std::fmt;

/// An MD5 digest: what package managers of the time recorded. It recognises a file, it does not
/// protect it from somebody who forges one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5(pub [u8; 16]);

impl Md5 {
    /// Reads 32 hexadecimal digits.
    pub fn parse(hex: &[u8]) -> Option<Md5> {
        let mut digest = [0; 16];
        hex::decode_to_slice(hex, &mut digest).ok()?;
        Some(Md5(digest))
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
