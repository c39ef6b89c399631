//! apk's digests: `Q1` and base64, in older records hexadecimal digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Md5;
use super::super::file_record::Digest;
use super::super::problem::LineFault;

/// Reads a digest. One of 20 bytes is taken for SHA-1; the package says whether it is one.
pub(super) fn parse(text: &[u8]) -> Result<Digest, LineFault> {
    let bytes = match text {
        [b'Q', b'1' | b'2', rest @ ..] if rest.len() <= 64 => STANDARD.decode(rest).ok(),
        [b'X', b'1' | b'2', rest @ ..] | rest if rest.len() <= 64 => hex::decode(rest).ok(),
        _ => None,
    };
    let bytes = bytes.ok_or(LineFault::Digest)?;
    if let Ok(digest) = bytes.as_slice().try_into() {
        Ok(Digest::Sha1(digest))
    } else if let Ok(digest) = bytes.as_slice().try_into() {
        Ok(Digest::Sha256(digest))
    } else if let (Ok(digest), [b'0'..=b'9' | b'a'..=b'f', ..]) = (bytes.try_into(), text) {
        Ok(Digest::Md5(Md5(digest)))
    } else {
        Err(LineFault::Digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_digest_is_read() {
        let sha1 = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
        let Ok(bytes) = hex::decode(sha1).unwrap().try_into() else { panic!() };
        let md5 = "0cc175b9c0f1b6a831c399e269772661";
        let sha256 = Ok(Digest::Sha256([0; 32]));
        let zeros = "A".repeat(43);
        for (text, expected) in [
            ("Q1hvfkN/qlp/zhXR3cuerq6jd2Z7g=".to_owned(), Ok(Digest::Sha1(bytes))),
            (format!("X1{sha1}"), Ok(Digest::Sha1(bytes))),
            (md5.to_owned(), Ok(Digest::Md5(Md5::parse(md5.as_bytes()).unwrap()))),
            (format!("Q2{zeros}="), sha256),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let long = "A".repeat(1 << 20);
        for text in
            ["", "Q", "Q1", "Q1hvfkN/qlp", "Q1!!!!", "Q1DMF1ucDxtqgxw5niaXcmYQ==", "zz", &long]
        {
            assert_eq!(parse(text.as_bytes()), Err(LineFault::Digest), "{text:.20}");
        }
    }
}
