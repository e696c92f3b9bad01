//! A database in a folder of its own, with three tables.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

use sqlite::rusqlite::Connection;
use sqlite::{Database, Migrate, Migration, OpenError, Options};

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "numbers", sql: "CREATE TABLE numbers (n INTEGER PRIMARY KEY);" },
    Migration {
        version: 2,
        name: "blobs and a child",
        sql: "CREATE TABLE blobs (bytes BLOB); CREATE TABLE child (n INTEGER REFERENCES numbers (n));",
    },
];

pub(crate) struct Scene {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { path: folder.path().join("data/test.db"), _folder: folder }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn options(&self) -> Options {
        Options { path: self.path.clone(), thread_name: "test-writer".into(), jobs_waiting_max: 256, group_max: 64 }
    }

    pub(crate) fn try_open(&self, migrations: &[Migration], mode: Migrate) -> Result<Database, OpenError> {
        Database::open(self.options(), migrations, mode)
    }

    pub(crate) fn open(&self) -> Database {
        self.try_open(MIGRATIONS, Migrate::Auto).expect("it opens")
    }
}

pub(crate) fn add(connection: &Connection, n: i64) -> Result<i64, String> {
    let mut insert = connection.prepare_cached("INSERT INTO numbers VALUES (?1)").map_err(|error| error.to_string())?;
    insert.execute([n]).map_err(|error| error.to_string())?;
    Ok(n)
}

pub(crate) async fn rows(database: &Database) -> Vec<i64> {
    database
        .read(|c| c.prepare("SELECT n FROM numbers ORDER BY n")?.query_map([], |row| row.get(0))?.collect())
        .await
        .expect("it can be read")
}
