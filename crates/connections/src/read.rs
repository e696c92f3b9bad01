//! One answer of Finlink about one connection.

use events::{AppName, ConnectionStatus, ConnectionToken, UtcMicros};
use serde_json::Value;

/// A read: asked under a number drawn before the request left, answered at `as_of`.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The app that was asked about.
    pub app: AppName,
    /// The connection that was asked about.
    pub token: ConnectionToken,
    /// Drawn from the store before the request left; the highest wins whole (R2).
    pub read_no: u64,
    /// When the answer was complete.
    pub as_of: UtcMicros,
    /// The answer.
    pub answer: Answer,
}

/// What Finlink said.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is there.
    Found {
        /// Its status, read.
        status: Box<ConnectionStatus>,
        /// Its status, as it came.
        raw: Value,
    },
    /// 404 to the question for this one connection.
    NotFound,
    /// A completely parsed list of the app's connections does not have it.
    NotListed,
}

/// Why a read was made. Also the word in `refreshes.reason` for why the next one is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A webhook hinted at it.
    Hint,
    /// The second look after a hinted read that changed nothing, or found an update still running: the API may lag its own
    /// webhook (R2).
    Lag,
    /// The second look after a read whose `updatedAt` went back (R2).
    Regression,
    /// Something should have been heard of it by now (R4).
    Schedule,
    /// A list of the whole app.
    Sweep,
    /// It may have been deleted (R3).
    Missing,
    /// A person or the user's application asked.
    Request,
}

impl Cause {
    /// All of them, for labels and parsing.
    pub const ALL: [Self; 7] =
        [Self::Hint, Self::Lag, Self::Regression, Self::Schedule, Self::Sweep, Self::Missing, Self::Request];

    /// The word in the store and in labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Lag => "lag",
            Self::Regression => "regression",
            Self::Schedule => "schedule",
            Self::Sweep => "sweep",
            Self::Missing => "missing",
            Self::Request => "request",
        }
    }

    /// The cause of a word, where it is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }
}
