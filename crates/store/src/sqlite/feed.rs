//! The feed's port (R7): numbering by the one writer, pages of what is numbered, and whose turn it is to relay (`relay.rs`).

use async_trait::async_trait;
use events::UtcMicros;
use sqlite::rusqlite::{Connection, Result as SqlResult, params};
use uuid::Uuid;

use super::inspect::clause;
use super::{SqliteStore, columns, purging, relay};
use crate::{Cursor, Feed, FeedEntry, FeedFilter, Numbered, Page, RelayLease, StoreError, listing};

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

    async fn lease_relay(
        &self,
        target: &str,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<RelayLease>, StoreError> {
        relay::lease(self, target, holder, now, expires_at).await
    }

    async fn relayed(&self, lease: &RelayLease, reached: Cursor) -> Result<bool, StoreError> {
        relay::reached(self, lease.clone(), reached).await
    }

    async fn release_relay(&self, lease: &RelayLease) -> Result<(), StoreError> {
        relay::release(self, lease.clone()).await
    }
}

/// The last number given.
fn last(connection: &Connection) -> SqlResult<Cursor> {
    connection
        .prepare_cached("SELECT number FROM cursors WHERE name = ''")?
        .query_row([], |row| columns::count(row, 0))
        .map(Cursor)
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
    let (last, gone) = (last(connection)?, purging::gone_through(connection, filter)?);
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
    Ok(Page::of(entries, limit, cursor, last, gone))
}
