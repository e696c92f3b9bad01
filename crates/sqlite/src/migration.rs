//! Numbered changes of the schema, counted in `PRAGMA user_version`. Forward only; each is one transaction.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::OpenError;

/// One step of the schema. Steps are listed in ascending order and never changed once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The `user_version` after it; the first is 1.
    pub version: u32,
    /// What people call it.
    pub name: &'static str,
    /// One or more statements.
    pub sql: &'static str,
}

/// What to do about an older schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Bring it up to date.
    Auto,
    /// Refuse: [`OpenError::NeedsMigration`].
    Check,
}

/// Brings the schema to the newest of `migrations`, or says why it is not there.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
    mode: Migrate,
) -> Result<(), OpenError> {
    let known = newest(migrations);
    let found = version(connection).map_err(|error| OpenError::from_sqlite(path, &error))?;
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    if found < known && mode == Migrate::Check {
        return Err(OpenError::NeedsMigration { path: path.to_owned(), found, known });
    }
    for migration in migrations.iter().filter(|migration| migration.version > found) {
        apply(connection, migration).map_err(|error| OpenError::Migration {
            path: path.to_owned(),
            version: migration.version,
            name: migration.name,
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

fn newest(migrations: &[Migration]) -> u32 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn apply(connection: &mut Connection, migration: &Migration) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    transaction.pragma_update(None, "user_version", migration.version)?;
    transaction.commit()
}
