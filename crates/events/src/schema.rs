//! JSON Schemas of the shapes that others rely on, generated from the types. Committed under `schemas/`.

use schemars::schema_for;
use serde_json::Value;

use crate::{BodyTells, Checkpoint, Connection, ConnectionEvent, ConnectionStatus, Verification};

/// A schema and the name of its file under `schemas/`, without `.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Such as `connection_event`.
    pub name: &'static str,
    /// The JSON Schema (2020-12).
    pub schema: Value,
}

/// All schemas, in the order of their names.
pub fn schemas() -> Vec<Schema> {
    [
        ("body_tells", schema_for!(BodyTells)),
        ("checkpoint", schema_for!(Checkpoint)),
        ("connection", schema_for!(Connection)),
        ("connection_event", schema_for!(ConnectionEvent)),
        ("connection_status", schema_for!(ConnectionStatus)),
        ("webhook_verification", schema_for!(Verification)),
    ]
    .map(|(name, schema)| Schema { name, schema: schema.to_value() })
    .into()
}
