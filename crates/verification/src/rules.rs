//! Settings of verification (section `verification`): everything that Finlink does not document.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether signatures are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A webhook that does not verify is refused.
    #[default]
    Enforce,
    /// Nobody looks: for trying things out, never for real money.
    Off,
}

/// What is demanded of the claims, where they are present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// How old a token may be by its `iat`, and how long past its `exp`: a retry may carry the token of the first attempt,
    /// and the sender is assumed to try for a day.
    #[serde(with = "humantime_serde")]
    pub age_max: Duration,
    /// How far the sender's clock and ours may lie apart.
    #[serde(with = "humantime_serde")]
    pub clock_tolerance: Duration,
    /// The claims that hold the SHA-256 of the body in lower-case hex. Any of them that is present must match.
    pub hash_claims: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            age_max: Duration::from_hours(25),
            clock_tolerance: Duration::from_mins(5),
            hash_claims: ["request_body_sha256", "body_sha256", "body_hash"].map(str::to_owned).to_vec(),
        }
    }
}
