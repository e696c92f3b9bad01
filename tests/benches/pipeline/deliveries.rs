//! The rows that the consumer stored in PostgreSQL, read back and inserted again with nothing around it: a statement for each
//! table and batch, in tables of the same definition and indexes.

use std::ops::Range;
use std::time::Instant;

use anyhow::Result;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

const READ_DELIVERIES: &str = "
    SELECT receipt, instance, body_id, kid, received_at, sequence, binds_body, duplicate, app, verification, token,
        content_type
    FROM deliveries ORDER BY receipt";

const INSERT_DELIVERIES: &str = "
    INSERT INTO deliveries (receipt, instance, body_id, kid, received_at, sequence, binds_body, duplicate, app, verification,
        token, content_type)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::boolean[],
        $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[])";

/// In the order in which the consumer inserted them.
const READ_BODIES: &str = "SELECT id, last_receipt, size, app, tells, sha256, bytes FROM bodies ORDER BY ctid";

const INSERT_BODIES: &str = "
    INSERT INTO bodies (id, last_receipt, size, app, tells, sha256, bytes)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])";

/// A client of the database at `url`.
pub(crate) async fn client(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    drop(tokio::spawn(connection));
    Ok(client)
}

/// Columns of one type.
type Columns<T> = Vec<Vec<T>>;

/// All rows, column by column.
pub(crate) struct Rows {
    uuids: Columns<Uuid>,
    numbers: Columns<i64>,
    flags: Columns<bool>,
    texts: Columns<Option<String>>,
    body_uuids: Columns<Uuid>,
    sizes: Vec<i64>,
    body_texts: Columns<String>,
    bytes: Columns<Vec<u8>>,
}

impl Rows {
    /// Reads them.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let deliveries = client.query(READ_DELIVERIES, &[]).await?;
        let bodies = client.query(READ_BODIES, &[]).await?;
        Ok(Self {
            uuids: columns(&deliveries, 0..4)?,
            numbers: columns(&deliveries, 4..6)?,
            flags: columns(&deliveries, 6..8)?,
            texts: columns(&deliveries, 8..12)?,
            body_uuids: columns(&bodies, 0..2)?,
            sizes: columns(&bodies, 2..3)?.remove(0),
            body_texts: columns(&bodies, 3..5)?,
            bytes: columns(&bodies, 5..7)?,
        })
    }

    /// Inserts them, so many a commit; says how many deliveries a second.
    pub(crate) async fn insert(&self, client: &mut Client, batch: usize) -> Result<f64> {
        let insert_bodies = client.prepare(INSERT_BODIES).await?;
        let insert_deliveries = client.prepare(INSERT_DELIVERIES).await?;
        let (rows, started) = (self.uuids[0].len(), Instant::now());
        for first in (0..rows).step_by(batch) {
            let Self { uuids, numbers, flags, texts, body_uuids, sizes, body_texts, bytes } = self;
            let part = first..rows.min(first + batch);
            // Every body is another, so that there are as many of them.
            let transaction = client.transaction().await?;
            let [id, last] = [0, 1].map(|column| &body_uuids[column][part.clone()]);
            let [app, tells] = [0, 1].map(|column| &body_texts[column][part.clone()]);
            let [hash, body] = [0, 1].map(|column| &bytes[column][part.clone()]);
            transaction
                .execute(&insert_bodies, &[&id, &last, &&sizes[part.clone()], &app, &tells, &hash, &body])
                .await?;
            let [receipt, instance, body_id, kid] = [0, 1, 2, 3].map(|column| &uuids[column][part.clone()]);
            let [received, sequence] = [0, 1].map(|column| &numbers[column][part.clone()]);
            let [bound, duplicate] = [0, 1].map(|column| &flags[column][part.clone()]);
            let [app, word, token, kind] = [0, 1, 2, 3].map(|column| &texts[column][part.clone()]);
            transaction
                .execute(
                    &insert_deliveries,
                    &[
                        &receipt, &instance, &body_id, &kid, &received, &sequence, &bound, &duplicate, &app, &word,
                        &token, &kind,
                    ],
                )
                .await?;
            transaction.commit().await?;
        }
        Ok(rows as f64 / started.elapsed().as_secs_f64())
    }
}

fn columns<'a, T: tokio_postgres::types::FromSql<'a>>(rows: &'a [Row], places: Range<usize>) -> Result<Columns<T>> {
    let column = |place: usize| rows.iter().map(|row| Ok(row.try_get(place)?)).collect();
    places.map(column).collect()
}
