//! The feed's port (R7): numbering by the one writer, pages of what is numbered, places of relays.

use async_trait::async_trait;
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};

use super::inspect::clause;
use super::{SqliteStore, columns};
use crate::feed::relay_name;
use crate::{Cursor, Feed, FeedEntry, FeedFilter, Numbered, Page, StoreError, listing};

#[async_trait]
impl Feed for SqliteStore {
    async fn number(&self, limit: usize) -> Result<Numbered, StoreError> {
        // Nothing to number is the usual case, and no reason for a commit.
        let idle = self.read(|connection| {
            let waits = connection.prepare_cached("SELECT 1 FROM outbox WHERE number IS NULL LIMIT 1")?.exists([])?;
            if waits { Ok(None) } else { last(connection).map(Some) }
        });
        match idle.await? {
            Some(last) => Ok(Numbered { count: 0, last }),
            None => self.write(move |connection| Ok(number(connection, limit)?)).await,
        }
    }

    async fn after(&self, cursor: Cursor, filter: &FeedFilter, limit: usize) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| after(connection, cursor, &filter, limit.max(1))).await
    }

    async fn relay_cursor(&self, target: &str) -> Result<Cursor, StoreError> {
        let name = relay_name(target);
        self.read(move |connection| place(connection, &name)).await
    }

    async fn relayed(&self, target: &str, cursor: Cursor) -> Result<(), StoreError> {
        let name = relay_name(target);
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO cursors (name, number) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET number = excluded.number WHERE number < excluded.number",
                )?
                .execute(params![name, cursor.0 as i64])?;
            Ok(())
        })
        .await
    }
}

fn place(connection: &Connection, name: &str) -> SqlResult<Cursor> {
    let number = connection
        .prepare_cached("SELECT number FROM cursors WHERE name = ?1")?
        .query_row([name], |row| columns::count(row, 0))
        .optional()?;
    Ok(Cursor(number.unwrap_or(0)))
}

/// The last number given.
fn last(connection: &Connection) -> SqlResult<Cursor> {
    place(connection, "")
}

fn number(connection: &Connection, limit: usize) -> SqlResult<Numbered> {
    let Cursor(mut number) = last(connection)?;
    let waiting: Vec<i64> = connection
        .prepare_cached("SELECT seq FROM outbox WHERE number IS NULL ORDER BY seq LIMIT ?1")?
        .query_map([limit as i64], columns::scalar)?
        .collect::<SqlResult<_>>()?;
    let mut give = connection.prepare_cached("UPDATE outbox SET number = ?2 WHERE seq = ?1")?;
    for seq in &waiting {
        number += 1;
        give.execute(params![seq, number as i64])?;
    }
    connection.prepare_cached("UPDATE cursors SET number = ?1 WHERE name = ''")?.execute([number as i64])?;
    Ok(Numbered { count: waiting.len() as u64, last: Cursor(number) })
}

fn after(connection: &Connection, cursor: Cursor, filter: &FeedFilter, limit: usize) -> SqlResult<Page> {
    let last = last(connection)?;
    let select = "SELECT number, app, token, kind, event, committed_at FROM outbox";
    // Commit order is number order; by seq the index on tokens serves as it is.
    let entries = clause::rows(connection, listing::events(select, cursor, filter, "seq", limit), |row| {
        Ok(FeedEntry {
            number: columns::count(row, 0)?,
            app: columns::parsed(row, 1)?,
            token: columns::parsed(row, 2)?,
            kind: row.get(3)?,
            event: row.get(4)?,
            committed_at: columns::time(row, 5)?,
        })
    })?;
    Ok(Page::of(entries, limit, cursor, last))
}
