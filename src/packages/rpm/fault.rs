//! [`RecordFault`] and [`DatabaseFault`]: why one record, or a whole database, cannot be used.

use std::io;

/// Why the record of one package cannot be used. The others can.
///
/// Numbers are those by which rpm knows its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordFault {
    /// The database's own bookkeeping leads to no place where a record can be.
    #[error("the database does not lead to it")]
    Place,
    /// Its bytes are not those that were written.
    #[error("its checksum is wrong")]
    Checksum,
    /// Its number is another record's too.
    #[error("its number is used twice")]
    NumberTwice,
    /// It is longer than any record can be, or not as long as its own index says.
    #[error("it does not have the length that it should have")]
    Length,
    /// It has no tags, or more than any record can have.
    #[error("it has an impossible number of tags")]
    Tags,
    /// The part that was signed is not marked off as it has to be.
    #[error("its signed part is not marked off")]
    Region,
    /// A tag has a type that there is not, or that this tag does not have.
    #[error("its tag {0} has an impossible type")]
    Type(u32),
    /// A tag has more values than there is room for, or fewer than it has to have.
    #[error("its tag {0} has an impossible number of values")]
    Count(u32),
    /// A tag's values are not inside the record.
    #[error("its tag {0} lies outside of it")]
    Outside(u32),
    /// A tag's values run into those of another one.
    #[error("its tag {0} overlaps another one")]
    Overlap(u32),
    /// A tag is there more than once.
    #[error("it has its tag {0} twice")]
    TagTwice(u32),
    /// A tag that is needed is missing.
    #[error("it has no tag {0}")]
    Missing(u32),
    /// A tag's value is not what the tag can hold.
    #[error("the value of its tag {0} is impossible")]
    Value(u32),
    /// All records together name more files than can be held.
    #[error("there are too many files on record")]
    TooManyFiles,
}

/// Why a database, or the rest of it, cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseFault {
    /// It is something else.
    #[error("it is no {0} database")]
    Format(&'static str),
    /// It is of a kind that rpm never wrote.
    #[error("it is {0}, which rpm's databases are not")]
    Foreign(&'static str),
    /// It ends before its last page.
    #[error("it is cut short")]
    Truncated,
    /// Its structure is broken.
    #[error("{0} is broken")]
    Broken(&'static str),
    /// It is in the middle of a change that cannot be undone without trusting its journal.
    #[error("a change to it was not finished")]
    Journal,
    /// What should be a table is none.
    #[error("`{0}` is not a plain table")]
    NotATable(&'static str),
    /// It takes longer to answer than any real one.
    #[error("it does not answer in time")]
    Slow,
    /// It is larger than can be taken in.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// It holds more records than any system has packages.
    #[error("it holds more than {0} records")]
    TooMany(usize),
    /// There is no place for a copy.
    #[error("it cannot be copied")]
    Copy(#[source] io::Error),
    /// SQLite gave up.
    #[error("SQLite cannot read it")]
    Sqlite(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DatabaseFault {
    fn from(error: sqlx::Error) -> DatabaseFault {
        // SQLITE_INTERRUPT: the time limit ended the statement.
        let interrupted = |e: &dyn sqlx::error::DatabaseError| e.code().as_deref() == Some("9");
        match error.as_database_error().is_some_and(interrupted) {
            true => DatabaseFault::Slow,
            false => DatabaseFault::Sqlite(error),
        }
    }
}
