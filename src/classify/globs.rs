//! [`Globs`]: the user's own `--include` and `--exclude`, in the order given.
//!
//! A glob is absolute; `*` stays within one component, `**` crosses them. The last one that
//! matches a path decides.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use super::evidence::UserChoice;
use crate::tree::RootPath;

/// Why a glob is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GlobError {
    /// It does not begin at the root.
    #[error("glob `{0}` does not begin with `/`")]
    Relative(String),
    /// It is not a glob.
    #[error("glob `{glob}` cannot be read")]
    Syntax {
        /// The glob as given.
        glob: String,
        /// What is wrong with it.
        source: globset::Error,
    },
}

/// Ordered globs of the user.
#[derive(Debug, Clone)]
pub(crate) struct Globs {
    set: GlobSet,
    choices: Vec<UserChoice>,
}

impl Globs {
    /// Compiles `choices`, first to last.
    ///
    /// # Errors
    /// A glob that is relative or malformed.
    pub(crate) fn new(choices: Vec<UserChoice>) -> Result<Globs, GlobError> {
        let mut builder = GlobSetBuilder::new();
        let syntax = |glob: &str, source| GlobError::Syntax { glob: glob.to_owned(), source };
        for choice in &choices {
            let (UserChoice::Include(glob) | UserChoice::Exclude(glob)) = choice;
            if !glob.starts_with('/') {
                return Err(GlobError::Relative(glob.clone()));
            }
            builder.add(
                GlobBuilder::new(glob)
                    .literal_separator(true)
                    .build()
                    .map_err(|e| syntax(glob, e))?,
            );
        }
        let set = builder.build().map_err(|e| syntax("", e))?;
        Ok(Globs { set, choices })
    }

    /// The choice that decides about `path`.
    pub(crate) fn choice(&self, path: &RootPath) -> Option<&UserChoice> {
        let candidate = Candidate::new(OsStr::from_bytes(path.as_bytes()));
        let last = self.set.matches_candidate(&candidate).into_iter().max()?;
        self.choices.get(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RootPath {
        RootPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_matching_glob_decides_and_a_star_stays_in_its_component() {
        let globs = Globs::new(vec![
            UserChoice::Exclude("/srv/**".into()),
            UserChoice::Include("/srv/keep/*.txt".into()),
        ])
        .unwrap();
        let exclude = Some(&globs.choices[0]);
        let include = Some(&globs.choices[1]);
        assert_eq!(globs.choice(&path("/srv/a/b")), exclude);
        assert_eq!(globs.choice(&path("/srv/keep/a.txt")), include);
        assert_eq!(globs.choice(&path("/srv/keep/sub/a.txt")), exclude);
        assert_eq!(globs.choice(&path("/srv")), None);
    }

    #[test]
    fn a_relative_or_broken_glob_is_refused() {
        let new = |glob: &str| Globs::new(vec![UserChoice::Exclude(glob.into())]);
        assert!(matches!(new("srv"), Err(GlobError::Relative(_))));
        assert!(matches!(new("/a[").unwrap_err(), GlobError::Syntax { .. }));
    }
}
