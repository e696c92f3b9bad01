//! The committed JSON Schemas are those of the types, and what is written fits them in its outline.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");

fn committed() -> BTreeMap<String, Value> {
    let files = Path::new(FOLDER).read_dir().expect("the folder `schemas` at the top of the repository");
    files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let generated: BTreeMap<String, Value> =
        events::schemas().into_iter().map(|schema| (schema.file_name(), schema.schema)).collect();
    let committed = committed();
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "`schemas/` holds other files than it should: run `cargo run -p events --example write_schemas`"
    );
    for (name, schema) in generated {
        assert_eq!(
            committed[&name], schema,
            "schemas/{name} is not what the types say. If the change is meant, run \
             `cargo run -p events --example write_schemas` and commit the difference"
        );
    }
}

#[test]
fn every_field_of_an_event_is_promised() {
    let schema = &committed()["connection_event.json"];
    let required = |schema: &Value| schema["required"].as_array().unwrap().len();
    assert_eq!(required(schema), 8);
    assert_eq!(required(&schema["$defs"]["EventData"]), 3);
    assert_eq!(required(&schema["$defs"]["Connection"]), 16);
}

#[test]
fn of_a_connection_status_only_id_and_status_are_required() {
    let schema = &committed()["connection_status.json"];
    assert_eq!(schema["required"], serde_json::json!(["credentialsToken", "status"]));
}
