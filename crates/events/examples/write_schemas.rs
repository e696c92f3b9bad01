//! Writes `schemas/` anew: `cargo run -p events --example write_schemas`. Whether the difference is meant is for its reader.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas"));
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir(folder)?;
    for schema in events::schemas() {
        fs::write(folder.join(schema.file_name()), format!("{:#}\n", schema.schema))?;
    }
    Ok(())
}
