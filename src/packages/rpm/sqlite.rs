//! SQLite databases that somebody else made: rpm's `rpmdb.sqlite`, and dnf's history.
//!
//! A database is a program, too: its schema can hold views without end, columns that are
//! computed, triggers. So it is asked as a private copy, nothing but plain tables is asked, no
//! answer may take long, and no journal is played back: one can name any file to be removed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::runtime::Runtime;

use super::fault::{DatabaseFault, RecordFault};
use super::header::MAX_HEADER;
use super::sink::Sink;

/// A real database begins to answer at once, on any machine.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A private copy of a database, open.
///
/// Waits for SQLite on a runtime of its own: not to be used from inside an asynchronous task.
pub(super) struct Database {
    runtime: Runtime,
    connection: SqliteConnection,
    /// Of the file and its log.
    length: u64,
    begin: Instant,
    /// When the last row came, in milliseconds after `begin`.
    last: Arc<AtomicU64>,
}

impl Database {
    /// Opens the database `file`, a copy that may be changed, with its write-ahead log beside it.
    pub(super) fn open(file: &Path) -> Result<Database, DatabaseFault> {
        Database::with_pause(file, MAX_PAUSE)
    }

    pub(super) fn with_pause(file: &Path, max_pause: Duration) -> Result<Database, DatabaseFault> {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let log = std::fs::metadata(log).map_or(0, |log| log.len());
        let length = log + std::fs::metadata(file).map_err(DatabaseFault::Copy)?.len();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(DatabaseFault::Copy)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .disable_statement_logging()
            .foreign_keys(false)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("mmap_size", "0")
            .pragma("temp_store", "MEMORY")
            .pragma("query_only", "ON");
        let begin = Instant::now();
        let last = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&last);
        let in_time = move || {
            let last = Duration::from_millis(watched.load(Ordering::Relaxed));
            begin.elapsed().saturating_sub(last) < max_pause
        };
        let connection = runtime.block_on(async {
            let mut connection = options.connect().await?;
            connection.lock_handle().await?.set_progress_handler(1000, in_time);
            Ok::<_, sqlx::Error>(connection)
        })?;
        Ok(Database { runtime, connection, length, begin, last })
    }

    /// Whether `table` is a plain table with at least these `columns`, none of them computed.
    pub(super) fn has(&mut self, table: &str, columns: &[&str]) -> Result<bool, DatabaseFault> {
        // What SQLite made of the schema, not what the schema says of itself.
        let kind = "SELECT count(*) FROM pragma_table_list \
                    WHERE schema = 'main' AND name = ?1 COLLATE NOCASE AND type <> 'table'";
        let plain = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0";
        let (runtime, connection) = (&self.runtime, &mut self.connection);
        runtime.block_on(async {
            let other: i64 =
                sqlx::query(kind).bind(table).fetch_one(&mut *connection).await?.try_get(0)?;
            let rows = sqlx::query(plain).bind(table).fetch_all(connection).await?;
            let names =
                rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            Ok(other == 0 && columns.iter().all(|column| names.iter().any(|name| name == column)))
        })
    }

    /// Gives every row that `query` finds to `each`.
    pub(super) fn rows(
        &mut self,
        query: &'static str,
        mut each: impl FnMut(&SqliteRow) -> Result<(), DatabaseFault>,
    ) -> Result<(), DatabaseFault> {
        let (runtime, connection) = (&self.runtime, &mut self.connection);
        runtime.block_on(async {
            let mut rows = sqlx::query(query).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                each(&row)?;
                let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.last.store(now, Ordering::Relaxed);
            }
            Ok(())
        })
    }

    /// Ends the thread that SQLite ran on.
    pub(super) fn close(self) {
        // What cannot be closed is only a copy.
        let _ = self.runtime.block_on(self.connection.close());
    }
}

// The limit stands in the query below, too.
const _: () = assert!(MAX_HEADER == 269_484_023);

/// Gives every record of rpm's database, the copy `file`, to `sink`.
pub(super) fn read(file: &Path, sink: &mut Sink<'_>) -> Result<(), DatabaseFault> {
    let mut database = Database::open(file)?;
    let result = packages(&mut database, sink);
    database.close();
    result
}

fn packages(database: &mut Database, sink: &mut Sink<'_>) -> Result<(), DatabaseFault> {
    if !database.has("Packages", &["hnum", "blob"])? {
        return Err(DatabaseFault::NotATable("Packages"));
    }
    // Records do not overlap: together they are not longer than the file and its log.
    let mut left = database.length;
    let query = "SELECT CASE typeof(hnum) WHEN 'integer' THEN hnum ELSE 0 END, \
                 CASE WHEN typeof(blob) = 'blob' AND length(blob) <= 269484023 THEN blob END \
                 FROM main.Packages NOT INDEXED";
    database.rows(query, |row| {
        let number = u32::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default();
        let blob = row.try_get::<Option<&[u8]>, _>(1)?;
        let length = blob.map_or(0, <[u8]>::len) as u64;
        left = left.checked_sub(length).ok_or(DatabaseFault::Broken("its table of records"))?;
        sink(number, blob.ok_or(RecordFault::Length))
    })
}
