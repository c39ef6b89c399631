//! Scripts beside a rule file: where they are read from, and what their text has to be.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::embedded::SCRIPTS;
use super::scalar::ScriptName;

/// Largest script in bytes: it is handed over as one argument, for which the kernel has a limit.
pub(crate) const MAX_SCRIPT: usize = 64 * 1024;

/// The shells a script may ask for in its first line.
const SHELLS: [&str; 2] = ["/bin/sh", "/bin/bash"];

/// Where the scripts of a rule are looked for.
pub(super) enum Scripts<'a> {
    /// Nowhere: the rule is a text alone.
    Nowhere,
    /// In the binary.
    Embedded,
    /// Below this directory, in which the rule file lies.
    Below(&'a Path),
}

impl Scripts<'_> {
    /// The text of the script, or why there is none.
    pub(super) fn read(&self, name: &ScriptName) -> Result<String, String> {
        let missing = || format!("there is no script `{name}` beside this rule");
        match self {
            Scripts::Nowhere => Err(missing()),
            Scripts::Embedded => {
                let found = SCRIPTS.iter().find(|(file, _)| *file == name.as_str());
                found.map(|(_, text)| (*text).to_owned()).ok_or_else(missing)
            }
            Scripts::Below(dir) => match below(dir, name) {
                Ok(bytes) if bytes.len() > MAX_SCRIPT => Err(too_large(name.as_str())),
                Ok(bytes) => String::from_utf8(bytes)
                    .map_err(|_| format!("the script `{name}` is not UTF-8")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
                Err(error) => Err(format!("the script `{name}` cannot be read: {error}")),
            },
        }
    }
}

/// The bytes of the file, up to one more than a script may have. No link is followed.
fn below(dir: &Path, name: &ScriptName) -> io::Result<Vec<u8>> {
    let mut path = dir.to_owned();
    for part in name.as_str().split('/') {
        path.push(part);
        if path.symlink_metadata()?.is_symlink() {
            return Err(io::Error::other("it is a symbolic link, or lies behind one"));
        }
    }
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SCRIPT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(name: &str) -> String {
    format!("the script `{name}` has more than {MAX_SCRIPT} bytes")
}

/// The shell that the first line of `text` asks for.
pub(super) fn interpreter(text: &str) -> Option<&'static str> {
    let asked = text.lines().next()?.strip_prefix("#!")?;
    SHELLS.into_iter().find(|shell| *shell == asked.trim())
}

/// What keeps `text` from being the script `name`.
pub(super) fn fault(name: &ScriptName, text: &str) -> Option<String> {
    if text.len() > MAX_SCRIPT {
        return Some(too_large(name.as_str()));
    }
    if text.contains('\0') {
        return Some(format!("the script `{name}` has a byte 0"));
    }
    if interpreter(text).is_none() {
        let first = SHELLS.map(|shell| format!("`#!{shell}`")).join(" or ");
        return Some(format!("the first line of the script `{name}` has to be {first}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ScriptName {
        text.parse().unwrap()
    }

    #[test]
    fn a_script_is_read_from_beside_its_rule_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |file: &str| dir.path().join(file);
        std::fs::create_dir(at("x")).unwrap();
        std::fs::write(at("x/good.sh"), "#!/bin/sh\n").unwrap();
        std::fs::write(at("x/large.sh"), "#".repeat(MAX_SCRIPT + 1)).unwrap();
        std::fs::write(at("x/bytes.sh"), b"#!/bin/sh\n\xff").unwrap();
        std::fs::create_dir(at("x/dir.sh")).unwrap();
        std::os::unix::fs::symlink("good.sh", at("x/link.sh")).unwrap();
        std::os::unix::fs::symlink("x", at("y")).unwrap();
        let read = |file: &str| Scripts::Below(dir.path()).read(&name(file));
        assert_eq!(read("x/good.sh"), Ok("#!/bin/sh\n".into()));
        let refused = [
            ("x/none.sh", "there is no script `x/none.sh` beside this rule"),
            ("x/large.sh", "more than 65536 bytes"),
            ("x/bytes.sh", "is not UTF-8"),
            ("x/dir.sh", "it is not a file"),
            ("x/link.sh", "symbolic link"),
            ("y/good.sh", "symbolic link"),
        ];
        for (file, why) in refused {
            assert!(read(file).is_err_and(|told| told.contains(why)), "{file}");
        }
        assert!(Scripts::Nowhere.read(&name("x/good.sh")).is_err());
        assert!(Scripts::Embedded.read(&name("x/good.sh")).is_err());
    }

    #[test]
    fn the_first_line_names_the_shell() {
        assert_eq!(interpreter("#!/bin/sh\nset -eu\n"), Some("/bin/sh"));
        assert_eq!(interpreter("#! /bin/bash\n"), Some("/bin/bash"));
        for text in ["", "set -eu\n", "#!/bin/sh -e\n", "#!/usr/bin/python3\n", "\n#!/bin/sh\n"] {
            assert_eq!(interpreter(text), None, "{text:?}");
            assert!(fault(&name("a.sh"), text).is_some_and(|why| why.contains("`#!/bin/sh`")));
        }
        let large = format!("#!/bin/sh\n{}", "#".repeat(MAX_SCRIPT));
        assert!(fault(&name("a.sh"), &large).is_some());
        assert!(fault(&name("a.sh"), "#!/bin/sh\n\0").is_some());
        assert_eq!(fault(&name("a.sh"), "#!/bin/sh\n"), None);
    }
}
