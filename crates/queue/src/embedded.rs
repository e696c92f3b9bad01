//! The embedded engine: a SQLite file, one writer thread with group commit.
