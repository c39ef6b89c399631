//! `RECORD`: which files a Python package brought, with their digests.
//!
//! Lines of comma-separated values: path, digest, size. Paths are relative to the directory that
//! the record's own directory lies in; they may lead out of it, to scripts beside the libraries,
//! and in a forged record anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::tree::RootPath;

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The path as written.
    pub(super) path: Vec<u8>,
    /// SHA-256 of the content, where that is what was recorded.
    pub(super) digest: Option<[u8; 32]>,
}

/// Reads a record; a line that is none is left out, and so its file is not explained by it.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line> + '_ {
    bytes.split(|&b| b == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let fields = fields(line)?;
        let [path, digest, ..] = fields.as_slice() else { return None };
        (!path.is_empty()).then(|| Line { path: path.clone(), digest: sha256(digest) })
    })
}

/// The fields of one line; `None` where a quote does not end.
fn fields(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut fields = vec![Vec::new()];
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let field = fields.last_mut()?;
        match byte {
            b',' => fields.push(Vec::new()),
            b'"' if field.is_empty() => loop {
                match bytes.next()? {
                    b'"' if bytes.next_if_eq(&b'"').is_some() => field.push(b'"'),
                    b'"' => break,
                    other => field.push(other),
                }
            },
            other => field.push(other),
        }
    }
    Some(fields)
}

/// `sha256=` and the digest in base 64 without padding.
fn sha256(field: &[u8]) -> Option<[u8; 32]> {
    let text = field.strip_prefix(b"sha256=")?;
    let digest = URL_SAFE_NO_PAD.decode(text.strip_suffix(b"=").unwrap_or(text)).ok()?;
    digest.try_into().ok()
}

/// Where `path`, written in a record whose paths begin at `site`, leads; `None` for what leads out
/// of the root or holds NUL.
pub(super) fn place(site: &RootPath, path: &[u8]) -> Option<RootPath> {
    if path.contains(&0) {
        return None;
    }
    let mut at = if path.first() == Some(&b'/') { RootPath::root() } else { site.clone() };
    for component in path.split(|&b| b == b'/') {
        at = match component {
            b"" | b"." => at,
            b".." => at.parent()?,
            name => at.child(name),
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base 64 of the SHA-256 of nothing.
    const NOTHING: &str = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn a_line_is_a_path_and_a_digest_and_quotes_hold_commas() {
        let text = format!(
            "a/b.py,sha256={NOTHING},0\r\n\"odd, \"\"name\"\".py\",md5=xyz,1\nx.pyc,,\n\
             \"open,sha256={NOTHING},0\nlone\n,sha256={NOTHING},0\n"
        );
        let read: Vec<(String, bool)> = lines(text.as_bytes())
            .map(|line| (String::from_utf8(line.path).unwrap(), line.digest.is_some()))
            .collect();
        let expected = [("a/b.py", true), ("odd, \"name\".py", false), ("x.pyc", false)];
        assert_eq!(read, expected.map(|(path, known)| (path.to_owned(), known)));
    }

    #[test]
    fn a_path_is_followed_by_its_text_and_never_out_of_the_root() {
        let site = RootPath::parse(b"/v/lib/python3.9/site-packages").unwrap();
        let led = |path: &[u8]| place(&site, path).map(|path| path.to_string());
        assert_eq!(led(b"a/./b.py").unwrap(), "/v/lib/python3.9/site-packages/a/b.py");
        assert_eq!(led(b"../../../bin/x").unwrap(), "/v/bin/x");
        assert_eq!(led(b"/etc/passwd").unwrap(), "/etc/passwd");
        assert_eq!(led(b"../../../../../../../etc/passwd"), None);
        assert_eq!(led(b"a\0b"), None);
    }
}
