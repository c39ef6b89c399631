//! Packages' scripts: what goes only when a package is purged was written by it while it ran.
//!
//! The scripts are shell and are not understood, only looked through: literal paths that `rm`
//! gets count, whatever the conditions around it. That errs on no side: such a path is kept as
//! it would be anyway, and has a reason.

use super::book::Book;
use super::declaration::{Author, Nature, Reach};
use super::pattern::Pattern;
use super::reading::Files;
use crate::packages::Moment;
use crate::tree::RootPath;

/// Looks through all scripts of the system.
pub(super) fn load(files: &Files<'_>, book: &mut Book) {
    for script in files.installed.scripts(Moment::Removed) {
        let Some(text) = files.read(&script.path) else { continue };
        let (file, package) = (script.path.clone(), Some(script.package.clone()));
        let author = Author { by: "purge", file, package };
        for path in removed(&text) {
            if let Some(pattern) = Pattern::parse(path.as_bytes()) {
                book.add(pattern, Nature::State, Reach::Below, author.clone());
            }
        }
    }
}

/// The literal paths that the purging branch removes.
fn removed(text: &[u8]) -> Vec<RootPath> {
    let mut all = vec![];
    let mut purging = false;
    for line in super::reading::joined_lines(text, b"#") {
        purging |= line.windows(5).any(|word| word == b"purge");
        let words: Vec<&[u8]> =
            line.split(|b| b" \t;|&(){}\"'".contains(b)).filter(|word| !word.is_empty()).collect();
        let Some(at) = words.iter().position(|word| *word == b"rm" || *word == b"/bin/rm") else {
            continue;
        };
        if purging {
            let plain = |word: &&&[u8]| {
                word.first() == Some(&b'/') && !word.iter().any(|b| b"$`*?[<>~".contains(b))
            };
            let paths = words[at..].iter().filter(plain);
            all.extend(paths.filter_map(|word| RootPath::parse(word).ok()).filter(is_particular));
        }
    }
    all
}

/// Nobody's state is a whole directory that every system has.
fn is_particular(path: &RootPath) -> bool {
    path.components().count() > 2
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;
    use crate::tree::memory::MemoryTree;

    const SCRIPT: &str = "#!/bin/sh\nset -e\nif [ \"$1\" = remove ]; then\n rm -f /etc/early/x\nfi\n\
        if [ \"$1\" = \"purge\" ]; then\n\tD=/var/lib/db\n\trm -rf $D /var/lib/app \"/var/log/app\"\n\
        \t[ -e /x ] && rm -f /etc/app/key || true\n\t# rm -rf /var/lib/comment\n\
        \trm -rf /var/lib/$NAME /srv/a*\n\trm -rf / /var /var/lib\n\techo /var/lib/echo\nfi\n";

    #[test]
    fn what_goes_with_a_purge_is_state_of_its_package() {
        let tree = MemoryTree::default()
            .file("/var/lib/dpkg/status", "")
            .file("/var/lib/dpkg/info/app:amd64.list", "")
            .file("/var/lib/dpkg/info/app:amd64.postrm", SCRIPT);
        for path in ["/var/lib/app", "/var/lib/app/x/y", "/var/log/app/z", "/etc/app/key"] {
            assert_eq!(told(&tree, path), "state purge", "{path}");
        }
        for path in [
            "/etc/early/x",
            "/var/lib/comment",
            "/var/lib/echo",
            "/srv/a",
            "/var/lib/db",
            "/var/lib/other",
        ] {
            assert_eq!(told(&tree, path), "", "{path}");
        }
    }

    #[test]
    fn a_script_that_climbs_out_or_never_ends_says_little() {
        let script =
            format!("purge\nrm -rf /var/lib/../../../etc/x\n{}", "rm /a/b/c \\\n".repeat(90_000));
        let paths = removed(script.as_bytes());
        assert!(paths.iter().all(|path| path.to_string() == "/a/b/c"));
        let tree = MemoryTree::default()
            .file("/var/lib/dpkg/info/a.list", "")
            .file("/var/lib/dpkg/info/a.postrm", "purge\n".repeat(1_000_000))
            .link("/var/lib/dpkg/info/b.postrm", "/dev/zero");
        assert_eq!(told(&tree, "/etc/x/y"), "");
    }
}
