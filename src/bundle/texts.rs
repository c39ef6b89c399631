//! The members for who has no regrow: `README.txt`, `restore.sh`, `SHA256SUMS`.
//!
//! The first two are the same in every bundle of a version, so they say nothing about the source.

use super::digest::Digest;

pub(super) const README: &str = include_str!("README.txt");
pub(super) const RESTORE: &str = include_str!("restore.sh");

pub(super) const README_NAME: &str = "README.txt";
pub(super) const RESTORE_NAME: &str = "restore.sh";
pub(super) const SUMS_NAME: &str = "SHA256SUMS";
pub(super) const MANIFEST_NAME: &str = "manifest.json";

/// The line of `SHA256SUMS` for the member `name`; `None` for a file with a digest that
/// `sha256sum` would not compute.
pub(super) fn sum_line(name: &[u8], digest: &Digest) -> Option<Vec<u8>> {
    let Digest::Content(sha) = digest else { return None };
    let mut line = Vec::with_capacity(name.len() + 70);
    // sha256sum's own escaping: a backslash before the line, then in the name.
    if name.iter().any(|b| matches!(b, b'\\' | b'\n' | b'\r')) {
        line.push(b'\\');
    }
    line.extend_from_slice(hex::encode(sha).as_bytes());
    line.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_sha256sum_escapes_them() {
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let line = |name: &[u8]| String::from_utf8(sum_line(name, &Digest::of(b"")).unwrap());
        assert_eq!(line(b"root/a b").unwrap(), format!("{sum}  root/a b\n"));
        assert_eq!(line(b"root/a\\b\nc").unwrap(), format!("\\{sum}  root/a\\\\b\\nc\n"));
        assert_eq!(sum_line(b"root/a", &Digest::Runs([0; 32])), None);
    }
}
