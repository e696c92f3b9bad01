//! The receipt of an accepted webhook: what the sender's answer, the queue and the books call it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A UUID of version 7: unique, and in the order of acceptance to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Receipt(pub Uuid);

impl Receipt {
    /// Draws a new receipt.
    pub fn draw() -> Self {
        Self(Uuid::now_v7())
    }
}

impl FromStr for Receipt {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
