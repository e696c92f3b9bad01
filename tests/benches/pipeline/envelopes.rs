//! What a message of the plain receiver carries beside its body, the same in all: nothing, or what ours carry in one form or
//! another. What they differ by is what the envelope costs a broker.

use anyhow::{Result, bail};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};

const ID: &str = "0199c1de-0000-7000-8000-000000000000";
const NUMBER: AMQPValue = AMQPValue::LongLongInt(1_800_000_000_000_000);

/// The one that is like ours.
pub(crate) const LABELLED: &str = "lapin-labelled";

/// One of them.
pub(crate) fn named(name: &str) -> Result<BasicProperties> {
    let plain = BasicProperties::default().with_delivery_mode(2).with_type("finlinkd.bench".into());
    Ok(match name {
        "lapin" => plain,
        "lapin-properties" => described(plain),
        LABELLED => described(plain).with_headers(labels()),
        "lapin-short" => described(plain).with_headers(short_labels()),
        "lapin-one" => described(plain).with_headers(one_label()),
        other => bail!("there is no envelope {other}"),
    })
}

/// With as many properties as ours, but without headers.
fn described(properties: BasicProperties) -> BasicProperties {
    properties
        .with_message_id(ID.into())
        .with_correlation_id("123456".into())
        .with_content_type("application/json".into())
        .with_timestamp(1_800_000_000)
        .with_app_id("finlinkd".into())
}

/// As many headers as ours, of the same kinds and lengths.
fn labels() -> FieldTable {
    table(vec![
        ("app", text("bench")),
        ("received-at-us", NUMBER),
        ("instance", text(ID)),
        ("sequence", NUMBER),
        ("decided-through", NUMBER),
        ("verification", text("unchecked")),
        ("binds-body", AMQPValue::Boolean(false)),
        ("body-sha256", text(&"0".repeat(64))),
        ("content-type", text("application/json")),
    ])
}

/// As many, with a letter for each name, and bytes instead of their hexadecimal digits.
fn short_labels() -> FieldTable {
    table(vec![
        ("a", text("bench")),
        ("r", NUMBER),
        ("i", text(&"0".repeat(16))),
        ("s", NUMBER),
        ("d", NUMBER),
        ("v", text("u")),
        ("b", AMQPValue::Boolean(false)),
        ("h", text(&"0".repeat(32))),
        ("c", text("application/json")),
    ])
}

/// All of it in one text.
fn one_label() -> FieldTable {
    let all = format!("bench 1800000000000000 {ID} 1800000 1800000 unchecked 0 {} application/json", "0".repeat(64));
    table(vec![("finlinkd", text(&all))])
}

fn table(labels: Vec<(&str, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in labels {
        table.insert(name.into(), value);
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}
