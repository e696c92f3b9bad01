//! What a person needs: listings, one thing in full, sums. Reads only; works beside a running pipeline.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use connections::Known;
use events::{AppName, Connection, ConnectionToken, Receipt, UtcMicros};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{Aims, Books, Compared, RebuildFilter, StoreError};

/// Which deliveries are wanted; newest first. `None` in a field: no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Of this app.
    pub app: Option<AppName>,
    /// With this verification word (`verified`, `pending`, `rejected`, `unchecked`).
    pub verification: Option<String>,
    /// Only duplicates, or only first ones.
    pub duplicate: Option<bool>,
    /// Whose body names this connection first.
    pub token: Option<ConnectionToken>,
    /// Received at or after.
    pub since: Option<UtcMicros>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only receipts below this one: the next page.
    pub before: Option<Receipt>,
}

/// A delivery in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Its receipt.
    pub receipt: Receipt,
    /// Its app.
    pub app: AppName,
    /// When it was received.
    pub received_at: UtcMicros,
    /// `verified`, `pending`, `rejected` or `unchecked`.
    pub verification: String,
    /// Its body had been delivered before.
    pub duplicate: bool,
    /// The hash of its body, in hex.
    pub body_sha256: String,
    /// The connection that its body names first, where it names one.
    pub token: Option<ConnectionToken>,
}

/// One delivery in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryDetail {
    /// As in the listing.
    pub row: DeliveryRow,
    /// The ingress run that took it.
    pub instance: Uuid,
    /// Its number in that run.
    pub sequence: u64,
    /// The key that its signature names.
    pub kid: Option<Uuid>,
    /// Why it was rejected, where it was.
    pub rejection: Option<String>,
    /// The sender's content type.
    pub content_type: Option<String>,
    /// Its body; `None` where the app's byte budget was used up.
    pub body: Option<Bytes>,
}

/// Which connections are wanted; by app and token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Of this app.
    pub app: Option<AppName>,
    /// With this status word.
    pub status: Option<String>,
    /// With this external id.
    pub external_id: Option<String>,
    /// Only deleted ones, or only those that are not; `None`: both.
    pub deleted: Option<bool>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only those after this one: the next page.
    pub after: Option<(AppName, ConnectionToken)>,
}

/// Which dead letters are wanted; newest first. `None` in a field: no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Of this app.
    pub app: Option<AppName>,
    /// With this reason's word.
    pub reason: Option<String>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
    /// Only numbers below this one: the next page.
    pub before: Option<i64>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterRow {
    /// Its number.
    pub id: i64,
    /// Its receipt, where it has one.
    pub receipt: Option<Receipt>,
    /// Its app, where it has one.
    pub app: Option<AppName>,
    /// Why, in a word.
    pub reason: String,
    /// Why, in detail.
    pub detail: String,
    /// When it was buried.
    pub buried_at: UtcMicros,
    /// Its size in bytes.
    pub body_bytes: u64,
    /// The envelope, as far as it could be read; null where it is withheld.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub envelope: Value,
    /// Its body, in a single show only.
    #[serde(skip)]
    pub body: Option<Bytes>,
}

/// Which gaps are wanted; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapFilter {
    /// Of this app.
    pub app: Option<AppName>,
    /// Open ones only, or closed ones only; `None`: both.
    pub open: Option<bool>,
    /// Found at or after.
    pub since: Option<UtcMicros>,
    /// At most so many; `None`: all.
    pub limit: Option<usize>,
}

/// A change that a read found and that no webhook had told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapRow {
    /// Its number.
    pub id: i64,
    /// The app.
    pub app: AppName,
    /// The connection.
    pub token: ConnectionToken,
    /// `import`, `update` or `token`.
    pub kind: String,
    /// When the read found it (and so healed it).
    pub found_at: UtcMicros,
    /// When it was closed.
    pub closed_at: Option<UtcMicros>,
    /// `late` (its webhook may have come after all), `lost`; `None` while open.
    pub outcome: Option<String>,
}

/// What is scheduled for a row of `refreshes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefreshRow {
    /// The app.
    pub app: AppName,
    /// The connection; `None` is the app itself.
    pub token: Option<ConnectionToken>,
    /// Hints so far.
    pub hint_no: u64,
    /// Hints answered.
    pub answered_no: u64,
    /// When the oldest unanswered hint came.
    pub hinted_at: Option<UtcMicros>,
    /// Due at this time without a hint; `None`: never.
    pub scheduled_at: Option<UtcMicros>,
    /// Not before this time.
    pub not_before: UtcMicros,
    /// Being read until then at the latest.
    pub claimed_until: Option<UtcMicros>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure.
    pub last_error: Option<String>,
    /// `X-Request-ID` of the last request about it.
    pub last_request_id: Option<String>,
    /// Why it is scheduled.
    pub reason: String,
}

/// Everything that bears on one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What is known of it; `None`: never read successfully.
    pub known: Option<Known>,
    /// What is scheduled; `None`: nothing.
    pub refresh: Option<RefreshRow>,
    /// The newest deliveries whose body names it first, five at most.
    pub deliveries: Vec<DeliveryRow>,
    /// Its newest events (number, type, time), five at most.
    pub events: Vec<(Option<u64>, String, UtcMicros)>,
    /// Its open gaps.
    pub gaps: Vec<GapRow>,
    /// The app waits for an operator before anything counts as deleted.
    pub deletions_held: bool,
}

/// A read that is due is not overdue yet for as long as this: someone has to get round to it.
pub const OVERDUE_COUNTS_AFTER: Duration = Duration::from_mins(1);

/// A run of an ingress whose last mark is older than this no longer counts as one that should be heard: it was killed.
pub const RUN_HEARD_WITHIN: Duration = Duration::from_hours(1);

/// Runs that [`Totals::checkpoints`] holds at most.
pub const RUNS_HEARD_MAX: usize = 200;

/// Sums over the whole store, for gauges, `status` and reports. One query each; meant for every few seconds. They count what is on
/// record: what was purged counts no more.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Deliveries by verification word.
    pub deliveries: BTreeMap<String, u64>,
    /// Deliveries whose body had been delivered before.
    pub duplicates: u64,
    /// Distinct bodies.
    pub bodies: u64,
    /// Bytes of the bodies kept.
    pub body_bytes: u64,
    /// Connections by app and status label; deleted ones under `DELETED`.
    pub connections: BTreeMap<AppName, BTreeMap<String, u64>>,
    /// Events in the outbox.
    pub events: u64,
    /// Events without a number yet.
    pub events_unnumbered: u64,
    /// When the oldest event without a number was committed.
    pub outbox_oldest_at: Option<UtcMicros>,
    /// When the oldest unanswered hint came.
    pub hint_oldest_at: Option<UtcMicros>,
    /// Rows with unanswered hints.
    pub hints_unanswered: u64,
    /// The earliest time at which something should have been read and was not.
    pub overdue_since: Option<UtcMicros>,
    /// Connections whose read is overdue by more than [`OVERDUE_COUNTS_AFTER`], by app.
    pub overdue: BTreeMap<AppName, u64>,
    /// Last successful sweep by app.
    pub swept_at: BTreeMap<AppName, UtcMicros>,
    /// Gaps by app and kind.
    pub gaps: BTreeMap<AppName, BTreeMap<String, u64>>,
    /// Gaps that are still open.
    pub gaps_open: u64,
    /// Gaps whose webhook came late after all.
    pub gaps_late: u64,
    /// Dead letters by reason.
    pub dead_letters: BTreeMap<String, u64>,
    /// When a mark of an ingress was last recorded, by the store's clock.
    pub checkpoint_at: Option<UtcMicros>,
    /// The same for each run of an ingress of which one was recorded within [`RUN_HEARD_WITHIN`] and that has not said to be
    /// the last: the newest [`RUNS_HEARD_MAX`].
    pub checkpoints: BTreeMap<Uuid, UtcMicros>,
    /// Newest delivery by app.
    pub last_webhook_at: BTreeMap<AppName, UtcMicros>,
    /// Connections whose proven deletion waits for an operator, by app.
    pub deletions_held: BTreeMap<AppName, u64>,
}

/// A person's port.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// The clock of the store, which those who share it go by. A store that nobody shares goes by this machine's.
    async fn time(&self) -> Result<UtcMicros, StoreError> {
        Ok(UtcMicros::now())
    }

    /// Lists deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError>;

    /// One delivery in full.
    async fn delivery(&self, receipt: Receipt) -> Result<Option<DeliveryDetail>, StoreError>;

    /// What these recorded webhooks point at, by what is known now; a receipt that is not recorded counts nowhere. Meant for a
    /// page of them.
    async fn aims(&self, receipts: &[Receipt]) -> Result<Aims, StoreError>;

    /// Lists connections by app and token.
    async fn connections(&self, filter: &ConnectionFilter) -> Result<Vec<Connection>, StoreError>;

    /// Connections with this token, one per app that has it.
    async fn connection(&self, token: &ConnectionToken) -> Result<Vec<Connection>, StoreError>;

    /// Everything that bears on a connection.
    async fn explain(&self, app: &AppName, token: &ConnectionToken) -> Result<Explanation, StoreError>;

    /// Lists dead letters, newest first.
    async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, StoreError>;

    /// One dead letter with its body.
    async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetterRow>, StoreError>;

    /// Lists gaps, newest first.
    async fn gaps(&self, filter: &GapFilter) -> Result<Vec<GapRow>, StoreError>;

    /// The apps that the store knows.
    async fn apps(&self) -> Result<Vec<AppName>, StoreError>;

    /// The books of every ingress run, newest first. Reads all deliveries: meant for a person, and for once a day.
    async fn books(&self) -> Result<Vec<Books>, StoreError>;

    /// The same by the consumers' own note of what they recorded: reads no deliveries, and so cannot tell that one was lost
    /// from the store itself. A number that is missing here is not missing in [`books`](Self::books) where a program recorded
    /// it that wrote no such note.
    async fn booked(&self) -> Result<Vec<Books>, StoreError>;

    /// Compares connections of an app with what the reads on record make of them. A connection and its whole history are of one
    /// snapshot, so that a pipeline may run meanwhile.
    async fn compare(&self, filter: &RebuildFilter) -> Result<Compared, StoreError>;

    /// Sums.
    async fn totals(&self, now: UtcMicros) -> Result<Totals, StoreError>;
}
