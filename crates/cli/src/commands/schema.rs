//! `finlinkd schema [NAME]`: the JSON Schemas of what others rely on.

use clap::Args;
use serde_json::{Map, Value};

use super::{finish, stdout};
use crate::exit::Failure;
use crate::output;

/// Options of `schema`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The schema wanted, such as `connection_event`; without it, all of them in one object by name.
    name: Option<String>,
}

/// Prints one schema, or all.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let schemas = events::schemas();
    let value = match &options.name {
        None => {
            Value::Object(schemas.into_iter().map(|each| (each.name.to_owned(), each.schema)).collect::<Map<_, _>>())
        }
        Some(name) => {
            let names: Vec<&str> = schemas.iter().map(|each| each.name).collect();
            let unknown = || Failure::Usage(format!("no schema is called {name:?}; there are {}", names.join(", ")));
            schemas.iter().find(|each| each.name == name).map(|each| each.schema.clone()).ok_or_else(unknown)?
        }
    };
    let mut out = stdout();
    output::json(&mut out, &value)?;
    finish(out)
}
