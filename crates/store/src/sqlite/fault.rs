//! What SQLite's errors mean to a caller of the ports.

use sqlite::rusqlite::{self, ErrorCode};
use sqlite::{ReadError, WriteError};

use crate::StoreError;

/// How a job on the writer thread ends badly.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// The job decided so.
    Decided(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Decided(error)
    }
}

/// The caller's error of a write.
pub(super) fn of_write(error: WriteError<Fault>) -> StoreError {
    match error {
        WriteError::Job(Fault::Decided(error)) => error,
        WriteError::Job(Fault::Sql(error)) => of_sql(&error),
        WriteError::Unavailable(reason) => StoreError::Unavailable(reason),
        WriteError::Ended => StoreError::Unavailable("it was closed, or opened to be read only".to_owned()),
    }
}

/// The caller's error of a read.
pub(super) fn of_read(error: ReadError) -> StoreError {
    match error {
        ReadError::Query(error) => of_sql(&error),
        ReadError::Panicked | ReadError::Ended => StoreError::Unavailable(error.to_string()),
    }
}

fn of_sql(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => {
            StoreError::Incompatible(format!("a row was not written by this program: {error}"))
        }
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Whether the values are to blame, so that the same statement fails for ever.
pub(super) fn blames_the_values(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        other => matches!(
            other.sqlite_error_code(),
            Some(
                ErrorCode::ConstraintViolation
                    | ErrorCode::TooBig
                    | ErrorCode::TypeMismatch
                    | ErrorCode::ParameterOutOfRange
            )
        ),
    }
}
