//! The store: deliveries, hints, connections, the outbox and the books, behind four ports.
//!
//! [`Intake`] is what the consumer needs, [`Refresh`] the reconciler, [`Feed`] the feed, [`Inspect`] a person. Each engine
//! implements all four; no port knows an engine, and nobody outside this crate writes SQL.
//!
//! Promises: every method is one transaction, or says that it is not; what it returned `Ok` for is on disk.

mod books;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod feed;
mod hints;
mod inspect;
mod intake;
mod judging;
mod ledger;
mod listing;
pub mod postgres;
mod purging;
mod rebuilding;
mod recording;
mod refresh;
mod settings;
pub mod sqlite;
mod tally;

pub use clock::{ClockLook, SharedClock};
pub use error::StoreError;
pub use feed::{Cursor, Feed, FeedEntry, FeedFilter, Numbered, Page, RelayLease};
pub use hints::{Aims, Target};
pub use inspect::{
    ConnectionFilter, DeadLetterFilter, DeadLetterRow, DeliveryDetail, DeliveryFilter, DeliveryRow, Explanation,
    GapFilter, GapRow, Inspect, OVERDUE_COUNTS_AFTER, RUN_HEARD_WITHIN, RUNS_HEARD_MAX, RefreshRow, Totals,
};
pub use intake::{DeadLetter, DeadLetterReason, Intake, Reading, Recorded};
pub use ledger::{Books, Verdict};
pub use purging::{PurgedDeliveries, PurgedEvents};
pub use rebuilding::{Compared, Difference, RebuildFilter};
pub use refresh::{
    AppPin, Claim, Claimed, Decision, Due, KeySource, KidOrder, Lease, Observation, PendingWebhook, Postponement,
    Refresh, Ruling, SealedSession, StoredKey, UndecidedKid,
};
pub use settings::{MigrateMode, Rules, Settings};
