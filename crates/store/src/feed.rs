//! What the feed needs: committed events in one order, and the reader's place in it (R7).

use async_trait::async_trait;
use events::{AppName, ConnectionToken, UtcMicros};
use uuid::Uuid;

use crate::StoreError;

/// A place in the feed: everything up to this number has been read. 0 is the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// One numbered event.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Its number; without holes, in the order of numbering.
    pub number: u64,
    /// Its app.
    pub app: AppName,
    /// Its connection.
    pub token: ConnectionToken,
    /// The event's type, such as `finlinkd.connection.synced.v1`.
    pub kind: String,
    /// The event as JSON text, as it was committed.
    pub event: String,
    /// When it was committed, by the store's clock.
    pub committed_at: UtcMicros,
}

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedFilter {
    /// Of this app only.
    pub app: Option<AppName>,
    /// Of this connection only.
    pub token: Option<ConnectionToken>,
}

/// Events after a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events, in order.
    pub entries: Vec<FeedEntry>,
    /// Where to go on: past the last entry, and past everything that the filter left out before it.
    pub next: Cursor,
    /// The last number given so far.
    pub last: Cursor,
    /// Events up to this number are purged, of those that are wanted or of some app; 0: none are. Whoever is not there yet has
    /// missed them.
    pub gone: Cursor,
}

impl Page {
    /// The page of `entries`, at most `limit`, that were found after `cursor` while `last` was the last number given and events
    /// up to `gone` were purged.
    pub(crate) fn of(entries: Vec<FeedEntry>, limit: usize, cursor: Cursor, last: Cursor, gone: Cursor) -> Self {
        // A full page may have left something out behind it; a page that is not full has seen everything.
        let next = match entries.last() {
            Some(entry) if entries.len() >= limit => Cursor(entry.number),
            _ => last.max(cursor),
        };
        Self { entries, next, last, gone }
    }
}

/// The name of the place up to which events of an app are purged.
pub(crate) fn gone_name(app: &AppName) -> String {
    format!("{GONE}{app}")
}

/// What the names of these places begin with.
pub(crate) const GONE: &str = "gone:";

/// The name of a relay's place, apart from that of the last number.
pub(crate) fn relay_name(target: &str) -> String {
    format!("relay:{target}")
}

/// The turn to relay events to one target. It holds until its end, and after that until another takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLease {
    /// Where to, such as `amqp`.
    pub target: String,
    /// Whose turn it is.
    pub holder: Uuid,
    /// Higher with each change of the holder.
    pub fence: u64,
    /// How far the events have been relayed.
    pub reached: Cursor,
    /// Its end, by the store's clock.
    pub expires_at: UtcMicros,
}

/// What numbering did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbered {
    /// So many events got a number.
    pub count: u64,
    /// The last number given so far.
    pub last: Cursor,
}

/// The feed's port.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Numbers committed events that have none, `limit` at most, under a lock: one process at a time.
    async fn number(&self, limit: usize) -> Result<Numbered, StoreError>;

    /// Numbered events after `cursor`, `limit` at most.
    async fn after(&self, cursor: Cursor, filter: &FeedFilter, limit: usize) -> Result<Page, StoreError>;

    /// Takes the turn to relay to `target`, or prolongs it; `None` where another holds it. `now` and `expires_at` are by the
    /// store's clock.
    async fn lease_relay(
        &self,
        target: &str,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<RelayLease>, StoreError>;

    /// Events up to `reached` have been relayed; never goes back. False, and nothing is changed, where the turn is another's.
    async fn relayed(&self, lease: &RelayLease, reached: Cursor) -> Result<bool, StoreError>;

    /// Gives the turn back, so that nobody waits for its end; nothing where it is lost already.
    async fn release_relay(&self, lease: &RelayLease) -> Result<(), StoreError>;
}
