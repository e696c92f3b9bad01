//! Exit codes, and the errors behind them. 0: as asked. 2 is clap's, for arguments it cannot read.

use std::io;

use crate::settings::Problems;

/// Something failed while running, or the answer to a question is "no" (`healthcheck`, `demo`, `ledger verify`,
/// `rebuild --verify`).
pub const FAILURE: u8 = 1;
/// Settings or arguments are wrong (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// The answer to a question is neither "yes" nor "no" yet: ask again (`EX_TEMPFAIL`).
pub const UNDECIDED: u8 = 75;

/// Why a command ends without having done as asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// An argument is wrong in a way that only the command can tell.
    #[error("{0}")]
    Usage(String),
    /// The reader of our output went away (`| head`): nothing is wrong.
    #[error("the output was closed")]
    OutputClosed,
    /// The command answered "no", and has said why already.
    #[error("no")]
    Negative,
    /// The command cannot answer yet, and has said why already.
    #[error("not yet")]
    Undecided,
    /// Anything that happened while running.
    #[error("{0:#}")]
    Runtime(anyhow::Error),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage(_) => USAGE,
            Self::OutputClosed => 0,
            Self::Undecided => UNDECIDED,
            Self::Negative | Self::Runtime(_) => FAILURE,
        }
    }

    /// What to tell the person, where there is anything left to tell.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::OutputClosed | Self::Negative | Self::Undecided => None,
            Self::Settings(_) | Self::Usage(_) | Self::Runtime(_) => Some(self.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Runtime(error)
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::Runtime(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::OutputClosed } else { Self::Runtime(error.into()) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(io::Error::from(error))
    }
}
