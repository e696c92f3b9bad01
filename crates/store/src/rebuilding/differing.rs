//! In which fields a row of `connections` is not what the reads on record make of it.
//!
//! Compared are all that the reads on record determine. A read that found nothing new is not on record, unless something was
//! still to be proven: it only raises `read_no`, `as_of` and `unchanged_reads`, which so may be ahead of what is on record and never
//! behind, and it may bring the same values in another writing, as which they count as the same. When a deletion was held is
//! not on record, only that it was. What an operator said to that (`deletion_approved_at`) is not on record at all.

use connections::{Known, differing_fields};
use events::{ConnectionStatus, UtcMicros};
use serde_json::{Value, json};

use crate::judging::{Kept, missing};

/// The columns of text that are made of Finlink's answer, those of flags and those of times.
pub(crate) const TEXTS: [&str; 7] =
    ["status", "entity", "update_token", "restore_token", "external_id", "error_reason", "error_type"];
pub(crate) const FLAGS: [&str; 3] = ["two_factor_enabled", "has_credentials", "error_retryable"];
pub(crate) const TIMES: [&str; 3] = ["created_at", "updated_at", "last_sync"];

/// A row of `connections` as it stands, its columns as well as what they are made of.
pub(crate) struct Standing {
    pub(crate) kept: Kept,
    pub(crate) missing: bool,
    /// The columns [`TEXTS`], [`FLAGS`] and [`TIMES`], by [`text`], [`flag`] and [`time`].
    pub(crate) columns: Vec<Value>,
}

/// A text as it is compared. PostgreSQL keeps none with a NUL in a column.
pub(crate) fn text(text: Option<&str>) -> Value {
    json!(text.map(|text| text.replace('\0', "\u{fffd}")))
}

/// A flag as it is compared.
pub(crate) fn flag(flag: Option<bool>) -> Value {
    json!(flag)
}

/// A time as it is compared.
pub(crate) fn time(time: Option<UtcMicros>) -> Value {
    json!(time)
}

/// The columns of an answer.
fn columns(status: &ConnectionStatus) -> Vec<Value> {
    let error = status.error_details.as_ref();
    let texts = [
        Some(status.status.as_str()),
        status.entity.as_deref(),
        status.update_token.as_deref(),
        status.restore_token.as_deref(),
        status.external_id.as_deref(),
        error.and_then(|error| error.reason.as_deref()),
        error.and_then(|error| error.kind.as_deref()),
    ];
    let flags = [status.two_factor_enabled, status.has_credentials, error.and_then(|error| error.retryable)];
    let times = [status.created_at, status.updated_at, status.last_sync];
    texts.into_iter().map(text).chain(flags.into_iter().map(flag)).chain(times.into_iter().map(time)).collect()
}

/// The fields that differ: name, what the reads on record make of it, what is there.
pub(super) fn fields(expected: &Known, held: bool, standing: &Standing) -> Vec<(String, Value, Value)> {
    let Standing { kept, missing: stands_missing, columns: found_columns } = standing;
    let found = &kept.known;
    let mut fields = Vec::new();
    let mut demand = |name: &str, fits: bool, expected: Value, found: Value| {
        if !fits {
            fields.push((name.to_owned(), expected, found));
        }
    };
    let names = TEXTS.into_iter().chain(FLAGS).chain(TIMES);
    for ((name, expected), found) in names.zip(columns(&expected.status)).zip(found_columns) {
        demand(name, expected == *found, expected.clone(), found.clone());
    }
    for field in differing_fields(expected, found) {
        demand(&format!("raw.{}", field.name), false, field.expected, field.found);
    }
    let mut demand_same = |name: &str, expected: Value, found: Value| demand(name, expected == found, expected, found);
    demand_same("version", json!(expected.version), json!(found.version));
    demand_same("deleted_at", json!(expected.deleted_at), json!(found.deleted_at));
    demand_same("absence", json!(expected.absence), json!(found.absence));
    demand_same("regression", json!(expected.regression), json!(found.regression));
    demand_same("announced", json!(expected.announced), json!(found.announced));
    demand_same("missing", json!(missing(expected)), json!(stands_missing));
    let read_since = found.read_no > expected.read_no;
    demand("read_no", found.read_no >= expected.read_no, json!(expected.read_no), json!(found.read_no));
    demand("as_of", read_since || found.as_of == expected.as_of, json!(expected.as_of), json!(found.as_of));
    let unchanged = (expected.unchanged_reads, found.unchanged_reads);
    demand("unchanged_reads", unchanged.1 >= unchanged.0, json!(unchanged.0), json!(unchanged.1));
    let is_held = held.then_some("some time");
    demand("deletion_held_at", held == kept.held_at.is_some(), json!(is_held), json!(kept.held_at));
    fields
}
