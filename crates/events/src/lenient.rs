//! Deserialisers for an API whose optional fields are not documented: a value of an unexpected type reads as absent.
//! The raw answer is kept beside the typed one, so nothing is lost by it.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::UtcMicros;

/// A `T`, or `None` where the value is null or does not read as one. An array never does, though serde would take its
/// elements for the fields of a struct.
pub(crate) fn option<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(if value.is_array() { None } else { serde_json::from_value(value).ok() })
}

/// A string; numbers and booleans are taken as they are written.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A time; without an offset it is taken as UTC, which is what Finlink documents.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcMicros>, D::Error> {
    let Value::String(text) = Value::deserialize(deserializer)? else { return Ok(None) };
    Ok(text.parse().or_else(|_| format!("{text}Z").parse()).ok())
}
