//! Settings of the reconciler (section `upstream`): how Finlink is asked, how often at most, and how one waits.
//!
//! The rules of state are not here: they are the store's (section `rules`) and the schedule's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What every app's reconciler is told. The credentials of the apps are not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where Finlink is, without `/api/v1`.
    pub base_url: String,

    /// Requests of one app to Finlink per second, logins, keys and repetitions included.
    pub max_requests_per_second: u32,
    /// Single reads of one app at one time.
    pub singles_in_flight_max: usize,
    /// So long a turn waits for the next of its answers to single reads and to a question for a key. Those that take longer are
    /// waited for beside the turns that follow.
    #[serde(with = "humantime_serde")]
    pub turn_waits: Duration,
    /// So many due connections are answered by one list instead of single reads.
    pub list_from: u64,
    /// Between two lists of an app at least this ...
    #[serde(with = "humantime_serde")]
    pub list_apart: Duration,
    /// ... and this many times as long as the last list took (R11).
    pub list_duration_factor: u32,
    /// Claims that one list answers at most.
    pub list_claims_max: usize,

    /// To open a connection.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Between two parts of an answer.
    #[serde(with = "humantime_serde")]
    pub read_timeout: Duration,
    /// For a whole answer and the repetitions on the way to it, a list excepted.
    #[serde(with = "humantime_serde")]
    pub answer_timeout: Duration,
    /// For a whole list, in the same way.
    #[serde(with = "humantime_serde")]
    pub list_timeout: Duration,
    /// Bytes of one answer, a list excepted.
    pub answer_bytes_max: usize,
    /// Bytes of a list.
    pub list_bytes_max: usize,

    /// So often a request is repeated when it fails with a 5xx or without an answer. Logins are never repeated at once.
    pub retries: u32,
    /// Before the first repetition, doubling with each, with jitter.
    #[serde(with = "humantime_serde")]
    pub retry_wait: Duration,
    /// Longest wait before a repetition; a longer `Retry-After` pauses the whole app instead.
    #[serde(with = "humantime_serde")]
    pub retry_wait_max: Duration,
    /// A `Retry-After` beyond this is taken as this.
    #[serde(with = "humantime_serde")]
    pub retry_after_max: Duration,

    /// So many questions in a row that got no answer, each repeated as often as allowed, count as an outage: the app pauses.
    pub outage_from: u32,
    /// The first pause, doubling with each failed attempt to end it, with jitter.
    #[serde(with = "humantime_serde")]
    pub outage_pause: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub outage_pause_max: Duration,
    /// A connection that could not be read is left alone so long, doubling with each failure, with jitter.
    #[serde(with = "humantime_serde")]
    pub failure_pause: Duration,
    /// The longest of these.
    #[serde(with = "humantime_serde")]
    pub failure_pause_max: Duration,

    /// Between two logins with the same secret at least this (R5).
    #[serde(with = "humantime_serde")]
    pub login_apart: Duration,
    /// Between two logins when the credentials were refused or the session keeps being revoked, doubling up to this.
    #[serde(with = "humantime_serde")]
    pub login_apart_max: Duration,
    /// A session lives so long, where its token does not say.
    #[serde(with = "humantime_serde")]
    pub session_life: Duration,
    /// A session is given up so long before its end.
    #[serde(with = "humantime_serde")]
    pub session_margin: Duration,
    /// So many sessions in a row that died before half of their life mean that another program uses the secret.
    pub stolen_from: u32,

    /// The right to talk for an app ends so long after its last renewal; it is renewed at a third of it.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// The claim of a single read ends so long after it was made, whatever became of the process.
    #[serde(with = "humantime_serde")]
    pub claim: Duration,
    /// The same for the claims that a list answers.
    #[serde(with = "humantime_serde")]
    pub list_claim: Duration,
    /// The store is asked for work this often.
    #[serde(with = "humantime_serde")]
    pub poll_every: Duration,

    /// The store is asked for keys this often, on a standby too.
    #[serde(with = "humantime_serde")]
    pub keys_poll_every: Duration,
    /// Questions for unknown keys of one app are at least this far apart (R10).
    #[serde(with = "humantime_serde")]
    pub key_questions_apart: Duration,
    /// A known key is read again this often.
    #[serde(with = "humantime_serde")]
    pub key_reread_every: Duration,
    /// A known key that was answered with 404 so often in a row is forgotten.
    pub key_forgotten_after: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://api.finlink.vumi.io".to_owned(),
            max_requests_per_second: 5,
            singles_in_flight_max: 4,
            turn_waits: Duration::from_secs(3),
            list_from: 20,
            list_apart: Duration::from_secs(10),
            list_duration_factor: 20,
            list_claims_max: 10_000,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(30),
            list_timeout: Duration::from_mins(2),
            answer_bytes_max: 1024 * 1024,
            list_bytes_max: 64 * 1024 * 1024,
            retries: 3,
            retry_wait: Duration::from_millis(500),
            retry_wait_max: Duration::from_secs(10),
            retry_after_max: Duration::from_mins(15),
            outage_from: 3,
            outage_pause: Duration::from_secs(5),
            outage_pause_max: Duration::from_mins(5),
            failure_pause: Duration::from_secs(30),
            failure_pause_max: Duration::from_hours(1),
            login_apart: Duration::from_mins(1),
            login_apart_max: Duration::from_mins(15),
            session_life: Duration::from_hours(1),
            session_margin: Duration::from_mins(1),
            stolen_from: 3,
            lease: Duration::from_secs(30),
            claim: Duration::from_mins(5),
            list_claim: Duration::from_mins(15),
            poll_every: Duration::from_millis(500),
            keys_poll_every: Duration::from_secs(3),
            key_questions_apart: Duration::from_secs(1),
            key_reread_every: Duration::from_hours(24),
            key_forgotten_after: 3,
        }
    }
}
