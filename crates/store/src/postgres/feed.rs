//! The feed's port (R7): numbering by one process at a time, pages of what is numbered, and whose turn it is to relay (`relay.rs`).

use async_trait::async_trait;
use events::UtcMicros;
use futures_util::future::try_join;
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{PostgresStore, columns, inspect, purging, relay};
use crate::{Cursor, Feed, FeedEntry, FeedFilter, Numbered, Page, RelayLease, StoreError, listing};

/// Whoever holds this advisory lock numbers.
const LOCK: i64 = 0x6669_6e6c_6665_6564;

#[async_trait]
impl Feed for PostgresStore {
    async fn number(&self, limit: usize) -> Result<Numbered, StoreError> {
        // Nothing to number is the usual case, and no reason for a lock.
        let idle = self.read((), |session, ()| {
            Box::pin(async {
                let waits = session.first("SELECT FROM outbox WHERE number IS NULL LIMIT 1", &[]).await?;
                if waits.is_some() { Ok(None) } else { last(session).await.map(Some) }
            })
        });
        match idle.await? {
            Some(last) => Ok(Numbered { count: 0, last }),
            None => self.write(limit, |session, limit| Box::pin(number(session, *limit))).await,
        }
    }

    async fn after(&self, cursor: Cursor, filter: &FeedFilter, limit: usize) -> Result<Page, StoreError> {
        let wanted = (cursor, filter.clone(), limit.max(1));
        self.read(wanted, |session, (cursor, filter, limit)| Box::pin(after(session, *cursor, filter, *limit))).await
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
async fn last(session: &Session) -> Result<Cursor, Fault> {
    let number = session.first("SELECT number FROM cursors WHERE name = ''", &[]).await?;
    Ok(Cursor(number.map_or(Ok(0), |row| columns::count(&row, 0))?))
}

/// Numbers what is committed. Events of one connection are committed in the order of `seq`, as the row of their connection is
/// locked meanwhile; of others, whatever commits later than this gets a higher number.
async fn number(session: &Session, limit: usize) -> Result<Numbered, Fault> {
    let ours = session.first("SELECT pg_try_advisory_xact_lock($1)", &[&LOCK]).await?;
    if !ours.map_or(Ok(false), |row| columns::get(&row, 0))? {
        // Another process numbers these just now.
        return Ok(Numbered { count: 0, last: last(session).await? });
    }
    // A statement of its own, so that it sees what the last holder of the lock committed.
    let given = session
        .first(
            "WITH waiting AS MATERIALIZED (
                 SELECT seq FROM outbox WHERE number IS NULL ORDER BY seq LIMIT $1),
             placed AS (
                 SELECT seq, cursors.number + row_number() OVER (ORDER BY seq) AS number
                 FROM waiting, cursors WHERE cursors.name = ''),
             given AS (
                 UPDATE outbox SET number = placed.number FROM placed WHERE outbox.seq = placed.seq RETURNING 1)
             UPDATE cursors SET number = number + (SELECT count(*) FROM given) WHERE name = ''
             RETURNING number, (SELECT count(*) FROM given)",
            &[&i64::try_from(limit).unwrap_or(i64::MAX)],
        )
        .await?;
    let Some(row) = given else { return Ok(Numbered::default()) };
    Ok(Numbered { count: columns::count(&row, 1)?, last: Cursor(columns::count(&row, 0)?) })
}

async fn after(session: &Session, cursor: Cursor, filter: &FeedFilter, limit: usize) -> Result<Page, Fault> {
    let (last, gone) = try_join(last(session), purging::gone_through(session, filter)).await?;
    let select = "SELECT number, app, token, kind, event::text, committed_at FROM outbox";
    // Sorted, instead of looking for one connection's among all numbers.
    let wanted = listing::events(select, cursor, filter, "number + 0", limit);
    let entries = inspect::rows(session, wanted, entry).await?;
    Ok(Page::of(entries, limit, cursor, last, gone))
}

fn entry(row: &Row) -> Result<FeedEntry, Fault> {
    Ok(FeedEntry {
        number: columns::count(row, 0)?,
        app: columns::parsed(row, 1)?,
        token: columns::parsed(row, 2)?,
        kind: columns::get(row, 3)?,
        event: columns::get(row, 4)?,
        committed_at: columns::time(row, 5)?,
    })
}
