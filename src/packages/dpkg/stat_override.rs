//! Stat overrides: owner and mode that the administrator fixed for a package's path.

use super::super::problem::{BadLines, LineFault};
use super::super::records::{MAX_TABLE, Records, lines, recorded_path};
use super::admin::admin;
use crate::tree::RootPath;

/// Owner and mode fixed for one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatOverride {
    /// Where the path really lies: canonical.
    pub path: RootPath,
    /// Owner: a name, or `#` and a number.
    pub user: String,
    /// Group: a name, or `#` and a number.
    pub group: String,
    /// Mode, `0..=0o7777`.
    pub mode: u32,
}

/// Reads all overrides, by path.
pub(super) fn load(records: &mut Records<'_>) -> Vec<StatOverride> {
    let file = admin(b"statoverride");
    let Some(bytes) = records.read(&file, MAX_TABLE) else { return vec![] };
    let mut bad = BadLines::default();
    let mut all = vec![];
    for (index, line) in lines(&bytes).enumerate().filter(|(_, line)| !line.is_empty()) {
        match parse(line) {
            Ok(mut found) => {
                found.path = records.place(&found.path);
                all.push(found);
            }
            Err(fault) => bad.note(index, fault),
        }
    }
    bad.finish(&file, &mut records.problems);
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// `user group mode path`; the path may hold spaces.
fn parse(line: &[u8]) -> Result<StatOverride, LineFault> {
    let mut parts = line.splitn(4, |&b| b == b' ');
    let mut word = || {
        let word = parts.next().and_then(|part| std::str::from_utf8(part).ok());
        word.filter(|word| !word.is_empty()).ok_or(LineFault::Incomplete)
    };
    let (user, group, mode) = (word()?.to_owned(), word()?.to_owned(), word()?);
    let mode = u32::from_str_radix(mode, 8).map_err(|_| LineFault::Incomplete)?;
    if mode > 0o7777 {
        return Err(LineFault::Incomplete);
    }
    let path = recorded_path(parts.next().ok_or(LineFault::Incomplete)?)?;
    Ok(StatOverride { path, user, group, mode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::problem::Problem;
    use crate::tree::PathError;
    use crate::tree::memory::MemoryTree;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn overrides_are_placed_and_bad_lines_named() {
        let text = "root ssl-cert 710 /etc/ssl/private\n#5 #6 4754 /bin/a b\nroot root 9 /x\n\
                    root root 755 /../x\n";
        let tree = MemoryTree::default()
            .dir("/usr/bin")
            .link("/bin", "usr/bin")
            .file("/var/lib/dpkg/statoverride", text);
        let mut records = Records::new(&tree);
        let all: Vec<_> = load(&mut records)
            .into_iter()
            .map(|o| (o.path.to_string(), o.user, o.group, o.mode))
            .collect();
        let expected =
            [("/etc/ssl/private", "root", "ssl-cert", 0o710), ("/usr/bin/a b", "#5", "#6", 0o4754)];
        assert_eq!(all, expected.map(|(p, u, g, m)| (p.into(), u.into(), g.into(), m)));
        let file = path("/var/lib/dpkg/statoverride");
        let fault = LineFault::Incomplete;
        assert_eq!(records.problems.finish(), [Problem::Lines { file, count: 2, first: 3, fault }]);
        assert_eq!(parse(b"a b 755 ../x"), Err(LineFault::Path(PathError::DotDot)));
    }
}
