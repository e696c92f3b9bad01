//! Deliveries, newest first: in the order of the primary key, so that a listing of a million is one walk over it.

use bytes::Bytes;
use events::{BodyHash, Receipt};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, Row};

use super::clause;
use crate::listing;
use crate::sqlite::columns;
use crate::{DeliveryDetail, DeliveryFilter, DeliveryRow};

/// The columns that [`row`] reads, in its order.
const COLUMNS: &str = "receipt, deliveries.app, received_at, verification, duplicate, sha256, token";

pub(super) fn list(connection: &Connection, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>> {
    // A CROSS JOIN walks its left side first, whatever the planner thinks of it.
    let select = format!("SELECT {COLUMNS} FROM deliveries CROSS JOIN bodies ON bodies.id = deliveries.body_id");
    clause::rows(connection, listing::deliveries(&select, filter), row)
}

fn row(row: &Row<'_>) -> Result<DeliveryRow> {
    Ok(DeliveryRow {
        receipt: columns::receipt(row, 0)?,
        app: columns::parsed(row, 1)?,
        received_at: columns::time(row, 2)?,
        verification: row.get(3)?,
        duplicate: row.get(4)?,
        body_sha256: BodyHash(row.get(5)?).to_string(),
        token: columns::parsed_option(row, 6)?,
    })
}

pub(super) fn one(connection: &Connection, receipt: Receipt) -> Result<Option<DeliveryDetail>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, instance, sequence, kid, rejection, content_type, bytes
             FROM deliveries CROSS JOIN bodies ON bodies.id = deliveries.body_id WHERE receipt = ?1"
        ))?
        .query_row([receipt.0.as_bytes()], |found| {
            Ok(DeliveryDetail {
                row: row(found)?,
                instance: columns::uuid(found, 7)?,
                sequence: columns::count(found, 8)?,
                kid: columns::uuid_option(found, 9)?,
                rejection: found.get(10)?,
                content_type: found.get(11)?,
                body: found.get::<_, Option<Vec<u8>>>(12)?.map(Bytes::from),
            })
        })
        .optional()
}
