//! How our types stand in columns: times as microseconds, 128-bit ids as BLOBs, names and words as text.

use std::fmt::Display;
use std::str::FromStr;

use connections::Cause;
use events::{Receipt, UtcMicros};
use serde::de::DeserializeOwned;
use sqlite::rusqlite::types::{FromSql, Type};
use sqlite::rusqlite::{Error, Result, Row};
use uuid::Uuid;

/// A value that is read from its text.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> Result<T>
where
    T: FromStr,
    T::Err: Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| unreadable(Type::Text, &error))
}

/// The same where the column may be NULL.
pub(super) fn parsed_option<T>(row: &Row<'_>, column: usize) -> Result<Option<T>>
where
    T: FromStr,
    T::Err: Display,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| unreadable(Type::Text, &error))).transpose()
}

/// A value kept as JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(Type::Text, &error))
}

/// The same where the column may be NULL.
pub(super) fn json_option<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(Type::Text, &error))).transpose()
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<UtcMicros> {
    row.get(column).map(UtcMicros)
}

/// The same where the column may be NULL.
pub(super) fn time_option(row: &Row<'_>, column: usize) -> Result<Option<UtcMicros>> {
    row.get::<_, Option<i64>>(column).map(|micros| micros.map(UtcMicros))
}

/// A number that is never negative.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(|number| number as u64)
}

/// The same, where it is small.
pub(super) fn small_count(row: &Row<'_>, column: usize) -> Result<u32> {
    row.get::<_, i64>(column).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A UUID.
pub(super) fn uuid(row: &Row<'_>, column: usize) -> Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}

/// The same where the column may be NULL.
pub(super) fn uuid_option(row: &Row<'_>, column: usize) -> Result<Option<Uuid>> {
    row.get::<_, Option<[u8; 16]>>(column).map(|bytes| bytes.map(Uuid::from_bytes))
}

/// A receipt.
pub(super) fn receipt(row: &Row<'_>, column: usize) -> Result<Receipt> {
    uuid(row, column).map(Receipt)
}

/// The word for why a row is scheduled.
pub(super) fn cause(row: &Row<'_>, column: usize) -> Result<Cause> {
    let word: String = row.get(column)?;
    Cause::from_word(&word).ok_or_else(|| unreadable(Type::Text, &"not a cause"))
}

/// The only column of a row.
pub(super) fn scalar<T: FromSql>(row: &Row<'_>) -> Result<T> {
    row.get(0)
}

/// A time as SQL takes it.
pub(super) fn micros(time: Option<UtcMicros>) -> Option<i64> {
    time.map(|time| time.0)
}

/// What a person is told of a value that this program cannot have written.
pub(super) fn unreadable(kind: Type, error: &impl Display) -> Error {
    Error::FromSqlConversionFailure(0, kind, error.to_string().into())
}
