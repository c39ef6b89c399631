//! What `venv` makes of its templates: the scripts that enter an environment, and its settings.
//!
//! Users add variables of their own to these scripts. One is made again only where it is what the
//! template gives; the templates are files of the interpreter's package in the same source.

use super::below;
use super::fact::Options;
use super::plain_file;
use crate::tree::{RootPath, Tree};

/// Largest script or template that is compared.
const LIMIT: u64 = 256 * 1024;

/// The keys of `pyvenv.cfg` that its makers write.
const KEYS: &[&str] = &[
    "home",
    "include-system-site-packages",
    "version",
    "version_info",
    "executable",
    "command",
    "prompt",
    "implementation",
    "virtualenv",
    "base-prefix",
    "base-exec-prefix",
    "base-executable",
    "uv",
];

/// The settings of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// The directory of the interpreter.
    pub(super) home: RootPath,
    /// Its version as it stands in paths.
    pub(super) version: String,
    pub(super) options: Options,
    /// Whether a person wrote into them.
    pub(super) edited: bool,
}

/// Reads `pyvenv.cfg`; `None` where it does not say which interpreter the environment is of.
pub(super) fn settings(bytes: &[u8]) -> Option<Settings> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut home, mut version) = (None, None);
    let mut options = Options::default();
    let mut edited = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            edited = true;
            continue;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "home" if value.starts_with('/') => home = RootPath::parse(value.as_bytes()).ok(),
            "version" | "version_info" => version = version.or_else(|| series(value)),
            "include-system-site-packages" => {
                options.system_packages = value.eq_ignore_ascii_case("true");
            }
            "prompt" => {
                let name = value.trim_matches(|c| c == '\'' || c == '"');
                let plain = |c: char| c.is_ascii_alphanumeric() || " ._-".contains(c);
                if !name.starts_with('-') && name.chars().all(plain) {
                    options.prompt = Some(name.to_owned());
                } else {
                    edited = true;
                }
            }
            key if KEYS.contains(&key) => {}
            _ => edited = true,
        }
    }
    Some(Settings { home: home?, version: version?, options, edited })
}

/// `3.9` of `3.9.2`.
pub(super) fn series(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let number =
        |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (number(major) && number(minor)).then(|| format!("{major}.{minor}"))
}

/// Whether the script `name` of the environment at `root` is what the template of the interpreter
/// gives.
pub(super) fn is_generated(
    tree: &dyn Tree,
    root: &RootPath,
    script: &RootPath,
    version: &str,
    prompt: Option<&str>,
) -> bool {
    let (Ok(name), Ok(dir)) =
        (std::str::from_utf8(script.name()), std::str::from_utf8(root.as_bytes()))
    else {
        return false;
    };
    let base = dir.rsplit('/').next().unwrap_or_default();
    let prompt = prompt.unwrap_or(base);
    let Some(found) = plain_file(tree, script, LIMIT) else { return false };
    ["common", "posix"].iter().any(|part| {
        let at = format!("usr/lib/python{version}/venv/scripts/{part}/{name}");
        let Some(template) = below(&RootPath::root(), &at) else { return false };
        let Some(template) = plain_file(tree, &template, LIMIT) else { return false };
        let Ok(template) = String::from_utf8(template) else { return false };
        // Versions differ in how they show the name, and in whether they quote it.
        let shown = [format!("({prompt}) "), prompt.to_owned()];
        let quoted = shown.iter().map(|shown| format!("'{shown}'"));
        let made = |prompt: &str| {
            template
                .replace("__VENV_DIR__", dir)
                .replace("__VENV_NAME__", base)
                .replace("__VENV_PROMPT__", prompt)
                .replace("__VENV_BIN_NAME__", "bin")
                .replace("__VENV_PYTHON__", &format!("{dir}/bin/python3"))
        };
        shown.iter().cloned().chain(quoted).any(|prompt| made(&prompt).as_bytes() == found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_the_interpreter_and_tell_what_a_person_added() {
        let text = b"home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.9.2\n";
        let read = settings(text).unwrap();
        assert_eq!(read.home.to_string(), "/usr/bin");
        assert_eq!((read.version.as_str(), read.edited), ("3.9", false));
        assert!(read.options.system_packages);
        assert!(settings(&[text, b"# mine\n".as_slice()].concat()).unwrap().edited);
        assert!(settings(&[text, b"prompt = '--x'\n".as_slice()].concat()).unwrap().edited);
        assert_eq!(settings(b"home = /usr/bin\n"), None);
        assert_eq!(settings(b"home = relative\nversion = 3.9\n"), None);
        assert_eq!(settings(b"home = /a/../b\nversion = 3.9\n"), None);
    }
}
