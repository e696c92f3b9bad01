//! JSON Schemas of the shapes that others rely on, generated from the types. Committed under `schemas/`.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::Value;

use crate::{BodyTells, Checkpoint, Connection, ConnectionEvent, ConnectionStatus, RawWebhook};

/// A schema and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Such as `connection_event`.
    pub name: &'static str,
    /// The JSON Schema (2020-12).
    pub schema: Value,
}

impl Schema {
    /// The name of its file under `schemas/`.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.name)
    }
}

/// All schemas, in the order of their names.
pub fn schemas() -> Vec<Schema> {
    vec![
        written::<BodyTells>("body_tells"),
        written::<Checkpoint>("checkpoint"),
        written::<Connection>("connection"),
        written::<ConnectionEvent>("connection_event"),
        read::<ConnectionStatus>("connection_status"),
        written::<RawWebhook>("raw_webhook"),
    ]
}

/// The schema of what we write: it requires every field that is always there.
fn written<T: JsonSchema>(name: &'static str) -> Schema {
    generate::<T>(name, SchemaSettings::draft2020_12().for_serialize())
}

/// The schema of what we read: it requires what we cannot do without.
fn read<T: JsonSchema>(name: &'static str) -> Schema {
    generate::<T>(name, SchemaSettings::draft2020_12().for_deserialize())
}

fn generate<T: JsonSchema>(name: &'static str, settings: SchemaSettings) -> Schema {
    Schema { name, schema: SchemaGenerator::new(settings).into_root_schema_for::<T>().to_value() }
}
