//! Which fields differ between two answers about a connection.
//!
//! Promises: everything that Finlink says counts, unknown fields and values that we cannot read included; the same value
//! written in another way (a time with fewer decimals, `null` for absent) does not.

use std::collections::BTreeSet;

use events::ConnectionStatus;
use serde_json::Value;

use crate::known::Known;

/// One answer, read and as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    pub(crate) status: &'a ConnectionStatus,
    pub(crate) raw: &'a Value,
}

impl<'a> Answered<'a> {
    /// The answer that counts for a connection.
    pub(crate) fn of(known: &'a Known) -> Self {
        Self { status: &known.status, raw: &known.raw }
    }
}

/// A field in which two states differ that ought to be the same.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferingField {
    /// Its name in `snake_case`.
    pub name: String,
    /// What it should be; null: nothing.
    pub expected: Value,
    /// What it is.
    pub found: Value,
}

/// The fields of Finlink's answer in which `found` differs from `expected`, by the same measure as an observed change.
pub fn differing_fields(expected: &Known, found: &Known) -> Vec<DifferingField> {
    let (expected, found) = (Answered::of(expected), Answered::of(found));
    let value = |answer: Answered<'_>, name: &str| field(answer.raw, name).cloned().unwrap_or_default();
    let differing = |name: &str| DifferingField {
        name: snake_case(name),
        expected: value(expected, name),
        found: value(found, name),
    };
    differing_names(expected, found).into_iter().map(differing).collect()
}

/// The names in `snake_case` of the fields that differ, in alphabetical order.
pub(crate) fn changed_fields(before: Answered<'_>, after: Answered<'_>) -> Vec<String> {
    differing_names(before, after).into_iter().map(snake_case).collect()
}

/// The same under Finlink's names.
fn differing_names<'a>(before: Answered<'a>, after: Answered<'a>) -> Vec<&'a str> {
    let (readable_before, readable_after) = (readable(before.status), readable(after.status));
    let differs = |name: &&str| {
        let (old, new) = (field(before.raw, name), field(after.raw, name));
        let (old_read, new_read) = (field(&readable_before, name), field(&readable_after, name));
        old != new && !same_scalar(old_read, new_read)
    };
    names(before.raw).chain(names(after.raw)).collect::<BTreeSet<_>>().into_iter().filter(differs).collect()
}

/// The names in `snake_case` of the fields that an answer has.
pub(crate) fn present_fields(raw: &Value) -> Vec<String> {
    names(raw).filter(|name| field(raw, name).is_some()).map(snake_case).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What we could read, under Finlink's names.
fn readable(status: &ConnectionStatus) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

fn names(raw: &Value) -> impl Iterator<Item = &str> {
    raw.as_object().into_iter().flat_map(|fields| fields.keys()).map(String::as_str)
}

fn field<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    answer.get(name).filter(|value| !value.is_null())
}

/// Objects are compared as they came only: what we read of `errorDetails` may not be all of it.
fn same_scalar(old: Option<&Value>, new: Option<&Value>) -> bool {
    matches!((old, new), (Some(old), Some(new)) if old == new && !old.is_object() && !old.is_array())
}

fn snake_case(camel_case: &str) -> String {
    let mut name = String::with_capacity(camel_case.len() + 4);
    let mut after_capital = true;
    for character in camel_case.chars() {
        let capital = character.is_ascii_uppercase();
        if capital && !after_capital {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
        after_capital = capital;
    }
    name
}
