//! The tables of `queue.db`.

use sqlite::Migration;
use sqlite::rusqlite::{self, Connection, params};

/// The name of the file in the queue's folder.
pub(crate) const FILE_NAME: &str = "queue.db";

/// `messages.id` is given by the writer in the order of commits. `claims` has a row per batch that is out, or was out
/// and came back: the range of its ids and how often it was handed out. `probe` is written to see whether writing works.
pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "messages",
    sql: "CREATE TABLE messages (
              id INTEGER PRIMARY KEY,
              received_at INTEGER NOT NULL,
              size INTEGER NOT NULL,
              attempts INTEGER NOT NULL DEFAULT 0,
              content BLOB NOT NULL
          ) STRICT;
          CREATE TABLE claims (
              first INTEGER PRIMARY KEY,
              last INTEGER NOT NULL,
              attempts INTEGER NOT NULL
          ) STRICT;
          CREATE TABLE probe (id INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
          INSERT INTO probe VALUES (1, 0);",
}];

/// What an open file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) last_id: i64,
    pub(super) oldest_at: Option<i64>,
}

/// Counts the batches that were out when the file was last left as attempts of their messages, then counts everything.
pub(super) fn take_stock(connection: &Connection) -> rusqlite::Result<Contents> {
    let mut count = connection.prepare("UPDATE messages SET attempts = attempts + ?3 WHERE id BETWEEN ?1 AND ?2")?;
    let mut claims = connection.prepare("SELECT first, last, attempts FROM claims")?;
    let mut claims = claims.query([])?;
    while let Some(claim) = claims.next()? {
        count.execute(params![claim.get::<_, i64>(0)?, claim.get::<_, i64>(1)?, claim.get::<_, i64>(2)?])?;
    }
    connection.execute("DELETE FROM claims", [])?;
    let (messages, bytes, last_id) = connection.query_row(
        "SELECT count(*), coalesce(sum(size), 0), coalesce(max(id), 0) FROM messages",
        [],
        |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get(2)?)),
    )?;
    Ok(Contents { messages, bytes, last_id, oldest_at: oldest_at(connection)? })
}

/// When the oldest message was received.
pub(super) fn oldest_at(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT received_at FROM messages ORDER BY id LIMIT 1")?;
    let mut rows = statement.query([])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// Pages of the file that hold nothing.
pub(super) fn unused_pages(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))
}
