//! What the engine keeps in memory about its rows: totals, and which range of ids is next. Never anything per message.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::UtcMicros;
use tokio::sync::Notify;

use super::Depth;
use super::health::Health;
use super::schema::Contents;
use crate::{BatchLimits, PublishError};

/// What publishers, subscriptions and jobs on the writer thread share. The database is not in it, so that no job can be
/// the last to hold the database.
pub(crate) struct Shared {
    books: Mutex<Books>,
    bytes_max: u64,
    /// The id of the next row; only the writer thread draws from it.
    pub(super) next_id: AtomicI64,
    /// Told whenever there may be something new for a subscription.
    pub(crate) arrivals: Notify,
    pub(super) health: Health,
}

/// Consecutive rows: every row whose id lies between the two belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: i64,
    pub(super) last: i64,
}

/// A range to read from, and how often it was handed out since the file was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) range: Range,
    pub(super) attempts: u32,
}

/// Whether a subscription can take a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Available {
    Nothing,
    /// Less than a batch: more may be waited for.
    Some,
    /// A full batch, or one that came back: waiting would not make it larger.
    Enough,
}

struct Books {
    messages: u64,
    bytes: u64,
    /// Bytes of publishes that are not decided yet.
    reserved: u64,
    oldest_at: Option<i64>,
    /// Everything from here on was never handed out ...
    cursor: i64,
    /// ... and ends here.
    last_id: i64,
    /// How much that is. Only says whether it is worth waiting for more.
    fresh_messages: u64,
    fresh_bytes: u64,
    /// What was handed out and came back, by first id. Bounded by what was out at one time.
    returned: BTreeMap<i64, Returned>,
}

struct Returned {
    last: i64,
    attempts: u32,
}

impl Shared {
    pub(super) fn new(contents: Contents, bytes_max: u64) -> Self {
        let books = Books {
            messages: contents.messages,
            bytes: contents.bytes,
            reserved: 0,
            oldest_at: contents.oldest_at,
            cursor: 1,
            last_id: contents.last_id,
            fresh_messages: contents.messages,
            fresh_bytes: contents.bytes,
            returned: BTreeMap::new(),
        };
        Self {
            books: Mutex::new(books),
            bytes_max,
            next_id: AtomicI64::new(contents.last_id + 1),
            arrivals: Notify::new(),
            health: Health::new(),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing in here can panic half-way; and if it did, wrong totals would be better than a dead queue.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn depth(&self) -> Depth {
        let books = self.books();
        Depth { messages: books.messages, bytes: books.bytes, oldest_at: books.oldest_at.map(UtcMicros) }
    }

    /// Bytes that may still be published.
    pub(crate) fn room_bytes(&self) -> u64 {
        let books = self.books();
        self.bytes_max.saturating_sub(books.bytes + books.reserved)
    }

    /// Sets `bytes` aside for a message that is about to be written.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, PublishError> {
        if bytes > self.bytes_max {
            let reason = format!("it counts {bytes} bytes, the whole queue holds {}", self.bytes_max);
            return Err(PublishError::Refused(reason));
        }
        let mut books = self.books();
        let used = books.bytes + books.reserved;
        if used + bytes > self.bytes_max {
            return Err(PublishError::Full(format!("{used} of {} bytes are used", self.bytes_max)));
        }
        books.reserved += bytes;
        Ok(Reservation { shared: self.clone(), bytes })
    }

    /// A row was committed; its reservation becomes part of the totals.
    pub(super) fn inserted(&self, mut reservation: Reservation, id: i64, received_at: i64) {
        let mut books = self.books();
        let bytes = std::mem::take(&mut reservation.bytes);
        books.reserved -= bytes;
        books.bytes += bytes;
        if books.messages == 0 {
            books.oldest_at = Some(received_at);
        }
        books.messages += 1;
        books.last_id = books.last_id.max(id);
        books.fresh_messages += 1;
        books.fresh_bytes += bytes;
        // Given up before the reservation drops, which takes it again.
        drop(books);
        self.arrivals.notify_waiters();
    }

    /// Rows were removed.
    pub(super) fn removed(&self, messages: u64, bytes: u64, oldest_at: Option<i64>) {
        let mut books = self.books();
        books.messages = books.messages.saturating_sub(messages);
        books.bytes = books.bytes.saturating_sub(bytes);
        books.oldest_at = oldest_at;
    }

    pub(super) fn available(&self, limits: &BatchLimits) -> Available {
        let books = self.books();
        if !books.returned.is_empty() {
            return Available::Enough;
        }
        if books.cursor > books.last_id {
            return Available::Nothing;
        }
        let full = books.fresh_messages >= limits.count_max as u64 || books.fresh_bytes >= limits.bytes_max as u64;
        if full { Available::Enough } else { Available::Some }
    }

    /// Where the next batch is to be read from. It stays there until [`Shared::took`] says how much of it was taken.
    pub(super) fn next(&self) -> Option<Next> {
        let books = self.books();
        if let Some((&first, returned)) = books.returned.first_key_value() {
            return Some(Next { range: Range { first, last: returned.last }, attempts: returned.attempts });
        }
        let fresh = Range { first: books.cursor, last: books.last_id };
        (fresh.first <= fresh.last).then_some(Next { range: fresh, attempts: 0 })
    }

    /// The rows of `next` up to and with `through` were taken; they were so many messages and bytes.
    pub(super) fn took(&self, next: Next, through: i64, messages: u64, bytes: u64) {
        let mut books = self.books();
        if let Some(returned) = books.returned.remove(&next.range.first) {
            if through < returned.last {
                books.returned.insert(through + 1, returned);
            }
            return;
        }
        books.cursor = through + 1;
        books.fresh_messages = books.fresh_messages.saturating_sub(messages);
        books.fresh_bytes = books.fresh_bytes.saturating_sub(bytes);
    }

    /// A taken range comes back, handed out so many times by now.
    pub(super) fn give_back(&self, range: Range, attempts: u32) {
        self.books().returned.insert(range.first, Returned { last: range.last, attempts });
        self.arrivals.notify_waiters();
    }

    /// The queue was closed.
    pub(super) fn end(&self) {
        self.health.end();
        self.arrivals.notify_waiters();
    }
}

/// Bytes set aside; they are free again when this drops.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.books().reserved -= self.bytes;
    }
}
