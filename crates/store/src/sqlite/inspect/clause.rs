//! How a listing's values are bound, and running it.

use sqlite::rusqlite::types::Value;
use sqlite::rusqlite::{Connection, Result, Row, params_from_iter};
use uuid::Uuid;

use crate::listing::Bound;

impl Bound for Value {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn number(number: i64) -> Self {
        Self::Integer(number)
    }

    fn flag(flag: bool) -> Self {
        Self::Integer(i64::from(flag))
    }

    fn id(id: Uuid) -> Self {
        Self::Blob(id.as_bytes().to_vec())
    }
}

/// The rows of a listing.
pub(in crate::sqlite) fn rows<T>(
    connection: &Connection,
    (sql, values): (String, Vec<Value>),
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), read)?.collect()
}
