//! The write that makes a message durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlite::rusqlite::{self, Connection, ErrorCode, params};
use sqlite::{Committed, Isolation, Job, Ran};
use tokio::sync::oneshot;

use super::books::{Reservation, Shared};
use super::codec;
use super::failpoint::{Failpoint, reached};
use crate::{Message, PublishError};

/// One row on its way. Carried out also when the publisher went away meanwhile: the books follow the commit, not the
/// publisher.
pub(super) struct Insert {
    shared: Arc<Shared>,
    content: Vec<u8>,
    size: u64,
    received_at: i64,
    reservation: Reservation,
    result: Option<rusqlite::Result<i64>>,
    reply: oneshot::Sender<Result<i64, PublishError>>,
}

impl Insert {
    /// The reply is the row's id.
    pub(super) fn new(
        shared: &Arc<Shared>,
        message: &Message,
    ) -> Result<(Self, oneshot::Receiver<Result<i64, PublishError>>), PublishError> {
        let size = message.size_bytes() as u64;
        let reservation = shared.reserve(size)?;
        let received_at = match message {
            Message::Webhook(webhook) => webhook.received_at.0,
            Message::Checkpoint(checkpoint) => checkpoint.at.0,
        };
        let (reply, answer) = oneshot::channel();
        let content = codec::encode(message);
        Ok((Self { shared: shared.clone(), content, size, received_at, reservation, result: None, reply }, answer))
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        connection
            .prepare_cached("INSERT INTO messages (id, received_at, size, content) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![id, self.received_at, self.size as i64, self.content])?;
        reached(Failpoint::InsertedNotCommitted);
        Ok(id)
    }
}

impl Job for Insert {
    fn isolation(&self) -> Isolation {
        Isolation::SingleStatement
    }

    fn run(&mut self, connection: &Connection) -> Ran {
        let result = self.insert(connection);
        let ran = if result.is_ok() { Ran::Done } else { Ran::Failed };
        self.result = Some(result);
        ran
    }

    fn settle(self: Box<Self>, committed: Committed<'_>) {
        let health = &self.shared.health;
        let outcome = match (committed, self.result) {
            (Ok(()), Some(Ok(id))) => {
                reached(Failpoint::CommittedNotConfirmed);
                health.works();
                self.shared.inserted(self.reservation, id, self.received_at);
                Ok(id)
            }
            (Ok(()), Some(Err(error))) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {
                Err(PublishError::Refused(error.to_string()))
            }
            (Ok(()), Some(Err(error))) => {
                health.fails(&error.to_string());
                Err(PublishError::Unavailable(error.to_string()))
            }
            (Ok(()), None) => Err(PublishError::Unavailable("the writer gave up on it".to_owned())),
            (Err(reason), _) => {
                health.fails(reason);
                Err(PublishError::Unavailable(reason.to_owned()))
            }
        };
        // A publisher that went away does not want to know.
        drop(self.reply.send(outcome));
    }
}
