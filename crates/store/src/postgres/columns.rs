//! How our types stand in columns: times as microseconds, counts as `bigint`, names and words as text.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use connections::Cause;
use events::{BodyHash, Receipt, UtcMicros};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::fault::{Fault, unreadable};

/// A value as the driver reads it.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Fault> {
    row.try_get(column).map_err(|error| unreadable(&error))
}

/// A value that is read from its text.
pub(super) fn parsed<T>(row: &Row, column: usize) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: Display,
{
    get::<&str>(row, column)?.parse().map_err(|error: T::Err| unreadable(&error))
}

/// The same where the column may be NULL.
pub(super) fn parsed_option<T>(row: &Row, column: usize) -> Result<Option<T>, Fault>
where
    T: FromStr,
    T::Err: Display,
{
    get::<Option<&str>>(row, column)?.map(|text| text.parse().map_err(|error: T::Err| unreadable(&error))).transpose()
}

/// A value kept as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, Fault> {
    serde_json::from_str(get(row, column)?).map_err(|error| unreadable(&error))
}

/// The same where the column may be NULL.
pub(super) fn json_option<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Option<T>, Fault> {
    get::<Option<&str>>(row, column)?
        .map(|text| serde_json::from_str(text).map_err(|error| unreadable(&error)))
        .transpose()
}

/// A time.
pub(super) fn time(row: &Row, column: usize) -> Result<UtcMicros, Fault> {
    get(row, column).map(UtcMicros)
}

/// The same where the column may be NULL.
pub(super) fn time_option(row: &Row, column: usize) -> Result<Option<UtcMicros>, Fault> {
    get::<Option<i64>>(row, column).map(|micros| micros.map(UtcMicros))
}

/// A number that is never negative.
pub(super) fn count(row: &Row, column: usize) -> Result<u64, Fault> {
    get::<i64>(row, column).map(|number| number as u64)
}

/// The same, where it is small.
pub(super) fn small_count(row: &Row, column: usize) -> Result<u32, Fault> {
    get::<i64>(row, column).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A receipt.
pub(super) fn receipt(row: &Row, column: usize) -> Result<Receipt, Fault> {
    get::<Uuid>(row, column).map(Receipt)
}

/// The hash of a body.
pub(super) fn hash(row: &Row, column: usize) -> Result<BodyHash, Fault> {
    get::<&[u8]>(row, column)?.try_into().map(BodyHash).map_err(|error| unreadable(&error))
}

/// The word for why a row is scheduled.
pub(super) fn cause(row: &Row, column: usize) -> Result<Cause, Fault> {
    Cause::from_word(get(row, column)?).ok_or_else(|| unreadable(&"not a cause"))
}

/// All rows, read one by one.
pub(super) fn all<T>(rows: &[Row], read: impl FnMut(&Row) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    rows.iter().map(read).collect()
}

/// A time as SQL takes it.
pub(super) fn micros(time: Option<UtcMicros>) -> Option<i64> {
    time.map(|time| time.0)
}

/// Text as PostgreSQL can keep it, which knows no NUL. Only for what is read back by people; what is read back by us is JSON,
/// where a NUL is escaped.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same where there may be none.
pub(super) fn plain_option(text: Option<&str>) -> Option<Cow<'_, str>> {
    text.map(plain)
}
