//! [`Access`]: which lines of configuration decide who gets in, as the recognised rules say.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::matcher::{line_glob, spellings};
use super::{LayoutError, Recognised};
use crate::tree::RootPath;

/// The lines that let in and keep out, of all recognised applications.
#[derive(Debug, Default)]
pub struct Access {
    files: GlobSet,
    /// By number of the glob of a file.
    marks: Vec<Mark>,
}

#[derive(Debug, Clone)]
struct Mark {
    opens: GlobSet,
    closes: GlobSet,
    why: String,
}

impl Access {
    /// Of `recognised`, in whose versions paths are meant.
    ///
    /// # Errors
    /// [`LayoutError::Glob`] for a glob that globset refuses.
    pub fn new(recognised: &[Recognised]) -> Result<Access, LayoutError> {
        let (mut files, mut marks) = (GlobSetBuilder::new(), Vec::new());
        for found in recognised {
            let refused = |source| LayoutError::Glob { app: found.app.clone(), source };
            let set = |lines: &[String]| {
                let mut set = GlobSetBuilder::new();
                for line in lines {
                    set.add(line_glob(line)?);
                }
                set.build()
            };
            for mark in &found.rule.access {
                let opens = set(&mark.opens).map_err(refused)?;
                let closes = set(&mark.closes).map_err(refused)?;
                let mark_of = Mark { opens, closes, why: mark.why.clone() };
                for text in mark.globs.iter().flat_map(|glob| spellings(glob, found)) {
                    let glob = GlobBuilder::new(&text).literal_separator(true).build();
                    files.add(glob.map_err(refused)?);
                    marks.push(mark_of.clone());
                }
            }
        }
        let refused = |source| LayoutError::Glob { app: "access".to_owned(), source };
        Ok(Access { files: files.build().map_err(refused)?, marks })
    }

    /// What may be open where the file at `path` does not say `was` any more and says `now`: each is
    /// one line, in all spellings that a rule may mean.
    pub fn opened(&self, path: &RootPath, was: &[String], now: &[String]) -> Option<&str> {
        let found = self.files.matches(Path::new(OsStr::from_bytes(path.as_bytes())));
        let any = |set: &GlobSet, lines: &[String]| lines.iter().any(|line| set.is_match(line));
        let marks = found.into_iter().filter_map(|number| self.marks.get(number));
        let mut opened = marks.filter(|mark| any(&mark.opens, now) || any(&mark.closes, was));
        opened.next().map(|mark| mark.why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::load::parse;

    fn access(body: &str) -> Access {
        let text = format!(
            "app: x\ntitle: X\nversion: {{components: 1}}\n\
             recognise: {{packages: [{{name: x}}]}}\naccess:\n{body}"
        );
        let rule = parse("x.yaml", &text).unwrap();
        let version = "17".parse().unwrap();
        Access::new(&[Recognised { app: "x".to_owned(), version: Some(version), rule }]).unwrap()
    }

    fn opened(access: &Access, path: &str, was: &str, now: &str) -> Option<String> {
        let path = RootPath::parse(path.as_bytes()).unwrap();
        let lines = |line: &str| match line {
            "" => vec![],
            line => vec![line.to_owned()],
        };
        access.opened(&path, &lines(was), &lines(now)).map(str::to_owned)
    }

    #[test]
    fn a_line_that_lets_in_or_that_kept_out_opens() {
        let access = access(
            "  - {globs: ['/etc/x/{version}/**'], opens: ['allow *'], closes: ['deny all'], why: w}\n",
        );
        let why = Some("w".to_owned());
        let at = "/etc/x/17/a.conf";
        assert_eq!(opened(&access, at, "", "Allow me"), why);
        assert_eq!(opened(&access, at, "deny all", ""), why);
        assert_eq!(opened(&access, at, "deny all", "deny none"), why);
        assert_eq!(opened(&access, at, "allow me", "deny all"), None);
        assert_eq!(opened(&access, at, "", "log all"), None);
        assert_eq!(opened(&access, "/etc/x/15/a.conf", "", "allow me"), None);
        assert_eq!(opened(&Access::default(), at, "", "allow me"), None);
    }
}
