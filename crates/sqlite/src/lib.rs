//! The only crate that opens SQLite files: one writer thread with group commit, a small pool of readers, migrations.
//!
//! Start at [`Database`]. Promises: [`Database::write`] resolves after the commit that carried it was synced to the disk;
//! a job that fails or panics undoes its own changes and nobody else's; one process at a time writes a file; dropping the
//! last handle carries out what was accepted, then ends the thread. Not here: any SQL but pragmas and transactions.

mod database;
mod error;
mod job;
mod lock;
mod migration;
mod open;
mod readers;
mod writer;

pub use database::{Database, Options};
pub use error::{OpenError, ReadError, WriteError};
pub use job::{Committed, Isolation, Job, Ran, Survives};
pub use migration::{Migrate, Migration};
pub use rusqlite;
