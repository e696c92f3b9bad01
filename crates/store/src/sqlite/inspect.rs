//! A person's port: listings and sums, each from one snapshot.

mod books;
pub(super) mod clause;
mod connections;
mod deliveries;
mod gaps;
mod letters;
mod looks;
mod rebuild;
mod totals;

use async_trait::async_trait;
use events::{AppName, Connection as View, ConnectionToken, Receipt, UtcMicros};
use sqlite::rusqlite::{Connection, Result as SqlResult, params};

use super::{SqliteStore, columns, hints};
use crate::{
    Aims, Books, Compared, ConnectionFilter, DeadLetterFilter, DeadLetterRow, DeliveryDetail, DeliveryFilter,
    DeliveryRow, Explanation, GapFilter, GapRow, Inspect, RebuildFilter, StoreError, Totals,
};

/// The newest deliveries and events that an explanation shows.
const EXPLAINED_MAX: usize = 5;

#[async_trait]
impl Inspect for SqliteStore {
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| deliveries::list(connection, &filter)).await
    }

    async fn delivery(&self, receipt: Receipt) -> Result<Option<DeliveryDetail>, StoreError> {
        self.read(move |connection| deliveries::one(connection, receipt)).await
    }

    async fn aims(&self, receipts: &[Receipt]) -> Result<Aims, StoreError> {
        let receipts = receipts.to_vec();
        self.read(move |connection| hints::aims(connection, &receipts)).await
    }

    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<View>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| connections::list(connection, &filter)).await
    }

    async fn connection(&self, token: &ConnectionToken) -> Result<Vec<View>, StoreError> {
        let token = token.clone();
        self.read(move |connection| connections::of_token(connection, &token)).await
    }

    async fn explain(&self, app: &AppName, token: &ConnectionToken) -> Result<Explanation, StoreError> {
        let (app, token) = (app.clone(), token.clone());
        self.read(move |connection| explain(connection, &app, &token)).await
    }

    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| letters::list(connection, &filter)).await
    }

    async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetterRow>, StoreError> {
        self.read(move |connection| letters::one(connection, id)).await
    }

    async fn gaps(&self, filter: &GapFilter) -> Result<Vec<GapRow>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| gaps::list(connection, &filter, None)).await
    }

    async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT app FROM apps ORDER BY app")?
                .query_map([], |row| columns::parsed(row, 0))?
                .collect()
        })
        .await
    }

    async fn books(&self) -> Result<Vec<Books>, StoreError> {
        self.read(books::all).await
    }

    async fn booked(&self) -> Result<Vec<Books>, StoreError> {
        self.read(books::booked).await
    }

    async fn compare(&self, filter: &RebuildFilter) -> Result<Compared, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| rebuild::compare(connection, &filter)).await
    }

    async fn totals(&self, now: UtcMicros) -> Result<Totals, StoreError> {
        self.read(move |connection| totals::read(connection, now)).await
    }
}

fn explain(connection: &Connection, app: &AppName, token: &ConnectionToken) -> SqlResult<Explanation> {
    let of_it = DeliveryFilter {
        app: Some(app.clone()),
        token: Some(token.clone()),
        limit: Some(EXPLAINED_MAX),
        ..DeliveryFilter::default()
    };
    let open = GapFilter { app: Some(app.clone()), open: Some(true), ..GapFilter::default() };
    Ok(Explanation {
        known: connections::known(connection, app, token)?,
        refresh: looks::of(connection, app, token)?,
        deliveries: deliveries::list(connection, &of_it)?,
        events: newest_events(connection, app, token)?,
        gaps: gaps::list(connection, &open, Some(token))?,
        deletions_held: connections::deletions_held(connection, app)?,
    })
}

fn newest_events(
    connection: &Connection,
    app: &AppName,
    token: &ConnectionToken,
) -> SqlResult<Vec<(Option<u64>, String, UtcMicros)>> {
    connection
        .prepare_cached(
            "SELECT number, kind, time FROM outbox WHERE app = ?1 AND token = ?2 ORDER BY seq DESC LIMIT ?3",
        )?
        .query_map(params![app.as_str(), token.as_str(), EXPLAINED_MAX as i64], |row| {
            let number: Option<i64> = row.get(0)?;
            Ok((number.map(|number| number as u64), row.get(1)?, columns::time(row, 2)?))
        })?
        .collect()
}
