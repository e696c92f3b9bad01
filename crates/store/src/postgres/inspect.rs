//! A person's port: listings and sums, each from one snapshot.

mod books;
mod connections;
mod deliveries;
mod gaps;
mod looks;
mod rebuild;
mod totals;

use async_trait::async_trait;
use events::{AppName, Connection as View, ConnectionToken, Receipt, UtcMicros};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::fault::Fault;
use super::session::{Session, Value};
use super::{PostgresStore, clock, columns, hints, letters};
use crate::listing::Bound;
use crate::{
    Aims, Books, Compared, ConnectionFilter, DeadLetterFilter, DeadLetterRow, DeliveryDetail, DeliveryFilter,
    DeliveryRow, Explanation, GapFilter, GapRow, Inspect, RebuildFilter, StoreError, Totals,
};

/// The newest deliveries and events that an explanation shows.
const EXPLAINED_MAX: usize = 5;

/// A value of a listing.
pub(super) type Listed = Box<dyn ToSql + Send + Sync>;

impl Bound for Listed {
    fn text(text: &str) -> Self {
        Box::new(columns::plain(text).into_owned())
    }

    fn number(number: i64) -> Self {
        Box::new(number)
    }

    fn flag(flag: bool) -> Self {
        Box::new(flag)
    }

    fn id(id: Uuid) -> Self {
        Box::new(id)
    }
}

/// The rows of a listing.
pub(super) async fn rows<T>(
    session: &Session,
    (sql, values): (String, Vec<Listed>),
    read: impl FnMut(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let values: Vec<Value<'_>> = values.iter().map(|value| -> Value<'_> { &**value }).collect();
    columns::all(&session.query(&sql, &values).await?, read)
}

#[async_trait]
impl Inspect for PostgresStore {
    async fn time(&self) -> Result<UtcMicros, StoreError> {
        self.read((), |session, ()| Box::pin(clock::read(session))).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        self.read(filter.clone(), |session, filter| Box::pin(deliveries::list(session, filter))).await
    }

    async fn delivery(&self, receipt: Receipt) -> Result<Option<DeliveryDetail>, StoreError> {
        self.read(receipt, |session, receipt| Box::pin(deliveries::one(session, *receipt))).await
    }

    async fn aims(&self, receipts: &[Receipt]) -> Result<Aims, StoreError> {
        self.read(receipts.to_vec(), |session, receipts| Box::pin(hints::aims(session, receipts))).await
    }

    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<View>, StoreError> {
        self.read(filter.clone(), |session, filter| Box::pin(connections::list(session, filter))).await
    }

    async fn connection(&self, token: &ConnectionToken) -> Result<Vec<View>, StoreError> {
        self.read(token.clone(), |session, token| Box::pin(connections::of_token(session, token))).await
    }

    async fn explain(&self, app: &AppName, token: &ConnectionToken) -> Result<Explanation, StoreError> {
        self.read((app.clone(), token.clone()), |session, (app, token)| Box::pin(explain(session, app, token))).await
    }

    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, StoreError> {
        self.read(filter.clone(), |session, filter| Box::pin(letters::list(session, filter))).await
    }

    async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetterRow>, StoreError> {
        self.read(id, |session, id| Box::pin(letters::one(session, *id))).await
    }

    async fn gaps(&self, filter: &GapFilter) -> Result<Vec<GapRow>, StoreError> {
        self.read(filter.clone(), |session, filter| Box::pin(gaps::list(session, filter, None))).await
    }

    async fn apps(&self) -> Result<Vec<AppName>, StoreError> {
        self.read((), |session, ()| {
            Box::pin(async {
                let apps = session.query("SELECT app FROM apps ORDER BY app", &[]).await?;
                columns::all(&apps, |row| columns::parsed(row, 0))
            })
        })
        .await
    }

    async fn books(&self) -> Result<Vec<Books>, StoreError> {
        self.read((), |session, ()| Box::pin(books::all(session))).await
    }

    async fn booked(&self) -> Result<Vec<Books>, StoreError> {
        self.read((), |session, ()| Box::pin(books::booked(session))).await
    }

    async fn compare(&self, filter: &RebuildFilter) -> Result<Compared, StoreError> {
        self.read(filter.clone(), |session, filter| Box::pin(rebuild::compare(session, filter))).await
    }

    async fn totals(&self, now: UtcMicros) -> Result<Totals, StoreError> {
        self.read(now, |session, now| Box::pin(totals::read(session, *now))).await
    }
}

async fn explain(session: &Session, app: &AppName, token: &ConnectionToken) -> Result<Explanation, Fault> {
    let of_it = DeliveryFilter {
        app: Some(app.clone()),
        token: Some(token.clone()),
        limit: Some(EXPLAINED_MAX),
        ..DeliveryFilter::default()
    };
    let open = GapFilter { app: Some(app.clone()), open: Some(true), ..GapFilter::default() };
    Ok(Explanation {
        known: connections::known(session, app, token).await?,
        refresh: looks::of(session, app, token).await?,
        deliveries: deliveries::list(session, &of_it).await?,
        events: newest_events(session, app, token).await?,
        gaps: gaps::list(session, &open, Some(token)).await?,
        deletions_held: connections::deletions_held(session, app).await?,
    })
}

async fn newest_events(
    session: &Session,
    app: &AppName,
    token: &ConnectionToken,
) -> Result<Vec<(Option<u64>, String, UtcMicros)>, Fault> {
    let newest = "SELECT number, kind, time FROM outbox WHERE app = $1 AND token = $2 ORDER BY seq DESC LIMIT $3";
    let newest = session.query(newest, &[&app.as_str(), &token.as_str(), &(EXPLAINED_MAX as i64)]).await?;
    columns::all(&newest, |row| {
        let number: Option<i64> = columns::get(row, 0)?;
        Ok((number.map(|number| number as u64), columns::get(row, 1)?, columns::time(row, 2)?))
    })
}
