//! Deliveries, newest first: in the order of the primary key, so that a listing of a million is one walk over it.

use bytes::Bytes;
use events::Receipt;
use tokio_postgres::Row;

use crate::postgres::columns;
use crate::postgres::fault::Fault;
use crate::postgres::session::Session;
use crate::{DeliveryDetail, DeliveryFilter, DeliveryRow, listing};

/// The columns that [`row`] reads, in its order.
const COLUMNS: &str = "receipt, deliveries.app, received_at, verification, duplicate, sha256, token";

pub(super) async fn list(session: &Session, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id");
    super::rows(session, listing::deliveries(&select, filter), row).await
}

fn row(row: &Row) -> Result<DeliveryRow, Fault> {
    Ok(DeliveryRow {
        receipt: columns::receipt(row, 0)?,
        app: columns::parsed(row, 1)?,
        received_at: columns::time(row, 2)?,
        verification: columns::get(row, 3)?,
        duplicate: columns::get(row, 4)?,
        body_sha256: columns::hash(row, 5)?.to_string(),
        token: columns::parsed_option(row, 6)?,
    })
}

pub(super) async fn one(session: &Session, receipt: Receipt) -> Result<Option<DeliveryDetail>, Fault> {
    let one = format!(
        "SELECT {COLUMNS}, instance, sequence, kid, rejection, content_type, bytes
         FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id WHERE receipt = $1"
    );
    let Some(found) = session.first(&one, &[&receipt.0]).await? else { return Ok(None) };
    let body: Option<&[u8]> = columns::get(&found, 12)?;
    Ok(Some(DeliveryDetail {
        row: row(&found)?,
        instance: columns::get(&found, 7)?,
        sequence: columns::count(&found, 8)?,
        kid: columns::get(&found, 9)?,
        rejection: columns::get(&found, 10)?,
        content_type: columns::get(&found, 11)?,
        body: body.map(Bytes::copy_from_slice),
    }))
}
