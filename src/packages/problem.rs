//! [`Problem`]: what is wrong with a package manager's records, one value per thing.
//!
//! Records are other people's files: each problem names the file, so that somebody can look, and
//! their number is bounded whatever the file holds.

use super::control::Fault;
use crate::tree::{PathError, RootPath, escaped};

/// How a whole file of records is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is not there.
    #[error("missing")]
    Missing,
    /// It holds no record.
    #[error("empty")]
    Empty,
    /// It ends in the middle of a record.
    #[error("cut short")]
    Truncated,
    /// Parts of it are NUL bytes, as after a power loss.
    #[error("overwritten with NUL bytes")]
    Zeroed,
    /// It could not be read, for a reason named by itself.
    #[error("unreadable")]
    Unreadable,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Its path names no place inside a root.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Its path is longer than any the system accepts.
    #[error("the path is too long")]
    PathTooLong,
    /// Its digest is of no known form.
    #[error("the digest is malformed")]
    Digest,
    /// Its value is a number that cannot be read.
    #[error("the number is malformed")]
    Number,
    /// Its value is no printable text.
    #[error("the value is no text")]
    Text,
    /// It says something about a line before it, and there is none that it could mean.
    #[error("the line belongs to nothing above it")]
    Stray,
    /// It is longer than any real one.
    #[error("the line is too long")]
    TooLong,
    /// There are more of its kind than can be taken in.
    #[error("there are too many of its kind")]
    TooMany,
    /// It does not have the parts it has to have.
    #[error("the line is incomplete")]
    Incomplete,
}

/// One thing that is wrong with a package manager's records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The current record is damaged, an older copy was read.
    #[error("`{file}` is {damage}; the older `{used}` was read")]
    OlderCopy {
        /// The damaged file.
        file: RootPath,
        /// What is wrong with it.
        damage: Damage,
        /// What was read.
        used: RootPath,
    },
    /// The current record is damaged and there is no whole copy: what it still holds was read.
    #[error("`{file}` is {damage} and no older copy is whole; what it still holds was read")]
    Damaged {
        /// The damaged file.
        file: RootPath,
        /// What is wrong with it.
        damage: Damage,
    },
    /// No record of packages is left; names and files were taken from their file lists.
    #[error("`{file}` is {damage} and so is every copy; packages are known by `{used}` only")]
    ListsOnly {
        /// The damaged file.
        file: RootPath,
        /// What is wrong with it.
        damage: Damage,
        /// The directory of the file lists.
        used: RootPath,
    },
    /// A file could not be read, and is taken as absent.
    #[error("`{file}` cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: RootPath,
        /// Why.
        why: String,
    },
    /// One record is skipped.
    #[error("`{file}` line {line}: the record of {} is skipped: {fault}", .package.as_deref().unwrap_or("a package"))]
    Skipped {
        /// The file.
        file: RootPath,
        /// Line the record begins on, from 1.
        line: usize,
        /// The package, if that much can be read.
        package: Option<String>,
        /// What is wrong.
        fault: Fault,
    },
    /// A package is recorded twice; the later record counts.
    #[error("`{file}` has two records of {package}; the later one counts")]
    Twice {
        /// The file.
        file: RootPath,
        /// Name and architecture.
        package: String,
    },
    /// Some lines of a file are ignored.
    #[error("`{file}` has {count} unusable lines, such as line {first}: {fault}")]
    Lines {
        /// The file.
        file: RootPath,
        /// How many.
        count: usize,
        /// One of them, from 1: the first with which something is lost, else the first.
        first: usize,
        /// What is wrong with that one.
        fault: LineFault,
    },
    /// A package's files are unknown.
    #[error("the list of the files of {package} is missing")]
    NoList {
        /// Name and architecture.
        package: String,
    },
    /// The packages are on record, but no list of files is left.
    #[error("`{dir}` has no list of any package's files")]
    NoLists {
        /// The directory of the lists.
        dir: RootPath,
    },
    /// A list of files belongs to no package that is on record.
    #[error("`{file}` belongs to no package on record")]
    StrayList {
        /// The list.
        file: RootPath,
    },
    /// Of a package's files only the names are on record.
    #[error("nothing but the names of the files of {package} is recorded")]
    NamesOnly {
        /// Its name.
        package: String,
    },
    /// What somebody asked for is not on record.
    #[error("`{file}` is missing; every package is taken as asked for")]
    NothingAskedFor {
        /// The missing file.
        file: RootPath,
    },
    /// There is more than can be taken in.
    #[error("`{file}` holds more than {limit} records; the rest is ignored")]
    TooMany {
        /// The file or directory.
        file: RootPath,
        /// The limit.
        limit: usize,
    },
    /// Only a part of a database could be read; what that holds counts.
    #[error("`{file}` can only be read in part: {why}")]
    Partly {
        /// The database.
        file: RootPath,
        /// Why.
        why: String,
    },
    /// A database is ignored, because another one is in use.
    #[error("`{file}` is not read: the packages are in `{used}`")]
    Unused {
        /// The database.
        file: RootPath,
        /// The one that was read.
        used: RootPath,
    },
    /// One record of a database is skipped.
    #[error("`{file}` record {number}: the record of {} is skipped: {fault}", .package.as_deref().map_or("a package".into(), |name| escaped(name.as_bytes())))]
    Record {
        /// The database.
        file: RootPath,
        /// The number of the record in it.
        number: u32,
        /// The package, if that much can be read.
        package: Option<String>,
        /// What is wrong, in its manager's own words.
        fault: String,
    },
    /// Some paths of a package are ignored.
    #[error("`{file}`: {count} paths of {} are ignored: {fault}", escaped(.package.as_bytes()))]
    Paths {
        /// The database.
        file: RootPath,
        /// The package.
        package: String,
        /// How many.
        count: usize,
        /// What is wrong with the first one.
        fault: LineFault,
    },
    /// There are more problems than are listed.
    #[error("{count} more problems are not listed")]
    More {
        /// How many.
        count: usize,
    },
}

impl LineFault {
    /// Whether the line only claims what no record can own: a place that is in no root.
    fn is_only_a_claim(&self) -> bool {
        matches!(self, LineFault::Path(_) | LineFault::PathTooLong)
    }
}

impl Problem {
    /// Whether something that was on record is lost with it. It is not where a claim is dropped
    /// that no record can make, nor where another database is the one in use.
    pub fn is_loss(&self) -> bool {
        match self {
            Problem::Lines { fault, .. } | Problem::Paths { fault, .. } => !fault.is_only_a_claim(),
            // Somebody who leaves out all lists wanted a small image, and did not break it.
            Problem::Unused { .. } | Problem::NamesOnly { .. } | Problem::NoLists { .. } => false,
            Problem::OlderCopy { .. }
            | Problem::Damaged { .. }
            | Problem::ListsOnly { .. }
            | Problem::Unreadable { .. }
            | Problem::Skipped { .. }
            | Problem::Twice { .. }
            | Problem::NoList { .. }
            | Problem::StrayList { .. }
            | Problem::NothingAskedFor { .. }
            | Problem::TooMany { .. }
            | Problem::Partly { .. }
            | Problem::Record { .. }
            | Problem::More { .. } => true,
        }
    }

    /// What it is about: a file, escaped, or a package.
    pub fn subject(&self) -> String {
        match self {
            Problem::OlderCopy { file, .. }
            | Problem::Damaged { file, .. }
            | Problem::ListsOnly { file, .. }
            | Problem::Unreadable { file, .. }
            | Problem::Skipped { file, .. }
            | Problem::Twice { file, .. }
            | Problem::Lines { file, .. }
            | Problem::StrayList { file }
            | Problem::NothingAskedFor { file }
            | Problem::TooMany { file, .. }
            | Problem::Partly { file, .. }
            | Problem::Unused { file, .. }
            | Problem::Record { file, .. }
            | Problem::Paths { file, .. } => file.to_string(),
            Problem::NoLists { dir } => dir.to_string(),
            Problem::NoList { package } | Problem::NamesOnly { package } => {
                escaped(package.as_bytes())
            }
            Problem::More { .. } => "package databases".to_owned(),
        }
    }
}

/// More problems than this are only counted.
const MAX_PROBLEMS: usize = 1000;

/// Problems as they are met.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn note(&mut self, problem: Problem) {
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Notes what was met elsewhere.
    pub(crate) fn append(&mut self, others: Problems) {
        others.listed.into_iter().for_each(|problem| self.note(problem));
        self.more += others.more;
    }

    /// Whether there was none.
    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// All of them, in the order they were met.
    pub(crate) fn finish(self) -> Vec<Problem> {
        let mut all = self.listed;
        if self.more > 0 {
            all.push(Problem::More { count: self.more });
        }
        all
    }
}

/// The unusable lines of one file, which make one problem.
#[derive(Debug, Default)]
pub(crate) struct BadLines {
    count: usize,
    first: Option<(usize, LineFault)>,
}

impl BadLines {
    /// Notes the line at `index`, from 0.
    pub(crate) fn note(&mut self, index: usize, fault: LineFault) {
        self.count += 1;
        let worse = match &self.first {
            None => true,
            Some((_, first)) => first.is_only_a_claim() && !fault.is_only_a_claim(),
        };
        if worse {
            self.first = Some((index + 1, fault));
        }
    }

    /// The problem they are, if there are any.
    pub(crate) fn finish(self, file: &RootPath, problems: &mut Problems) {
        if let Some((first, fault)) = self.first {
            problems.note(Problem::Lines { file: file.clone(), count: self.count, first, fault });
        }
    }
}

/// How many more records of one sort are taken in; that there were more is one problem.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: usize,
    left: usize,
    told: bool,
}

impl Quota {
    /// Room for `limit` records.
    pub(crate) fn new(limit: usize) -> Quota {
        Quota { limit, left: limit, told: false }
    }

    /// Whether there is room for one more, which `file` holds.
    pub(crate) fn take(&mut self, file: &RootPath, problems: &mut Problems) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return true;
        }
        if !std::mem::replace(&mut self.told, true) {
            problems.note(Problem::TooMany { file: file.clone(), limit: self.limit });
        }
        false
    }
}

/// The text of an error and its causes, safe to show.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        text = format!("{text}: {error}");
        at = error.source();
    }
    escaped(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let mut problems = Problems::default();
        for _ in 0..MAX_PROBLEMS + 7 {
            problems.note(Problem::NoList { package: "a".to_owned() });
        }
        let problems = problems.finish();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems[MAX_PROBLEMS], Problem::More { count: 7 });
    }

    #[test]
    fn bad_lines_of_one_file_are_one_problem() {
        let mut problems = Problems::default();
        let file = RootPath::parse(b"/var/x\n").unwrap();
        let mut bad = BadLines::default();
        bad.note(3, LineFault::Path(PathError::DotDot));
        bad.note(9, LineFault::Digest);
        bad.finish(&file, &mut problems);
        BadLines::default().finish(&file, &mut problems);
        let shown: Vec<String> = problems.finish().iter().map(ToString::to_string).collect();
        let line = r"`/var/x\n` has 2 unusable lines, such as line 10: the digest is malformed";
        assert_eq!(shown, [line]);
    }

    #[test]
    fn a_claim_that_no_record_can_make_is_no_loss_and_everything_else_is() {
        let file = RootPath::parse(b"/var/x").unwrap();
        let lines = |fault| Problem::Lines { file: file.clone(), count: 1, first: 1, fault };
        assert!(!lines(LineFault::Path(PathError::DotDot)).is_loss());
        assert!(lines(LineFault::Digest).is_loss());
        assert!(!Problem::Unused { file: file.clone(), used: file.clone() }.is_loss());
        let damaged = Problem::Damaged { file: file.clone(), damage: Damage::Empty };
        assert_eq!((damaged.is_loss(), damaged.subject()), (true, "/var/x".to_owned()));
    }
}
