//! A connection with its one channel in confirm mode, owned by one task.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use amq_protocol::protocol::{AMQPClass, channel, connection};

use super::Broken;
use super::dialogue::Dialogue;
use super::inbound::Inbound;
use super::stream::Stream;
use super::unconfirmed::Unconfirmed;
use crate::rabbitmq::lane::Request;

/// A broker that does not answer to the end of a connection within this time is left.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// A side that was not heard for so many heartbeats is gone.
const HEARTBEATS_MISSED_MAX: u32 = 2;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    pub(super) frame_bytes_max: usize,
    /// The longest silence; zero where there is no limit.
    pub(super) heartbeat: Duration,
}

/// What stands between publishing and the broker. Dropped, it says goodbye as far as that needs no waiting, and everyone who
/// still waits learns that the outcome is unknown.
pub(in crate::rabbitmq) struct Connection {
    stream: Stream,
    inbound: Inbound,
    dialogue: Dialogue,
    agreed: Agreed,
    heard_at: Instant,
    said_at: Instant,
    is_over: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream, inbound: Inbound, dialogue: Dialogue, agreed: Agreed) -> Self {
        let now = Instant::now();
        Self { stream, inbound, dialogue, agreed, heard_at: now, said_at: now, is_over: false }
    }

    /// Whether more should be published before something was written.
    pub(in crate::rabbitmq) fn has_room(&self) -> bool {
        self.dialogue.outbound.has_room()
    }

    /// Puts a message on its way. It leaves with the next [`Connection::poll`].
    pub(in crate::rabbitmq) fn publish(&mut self, request: Request, now: Instant) {
        self.dialogue.publish(request, self.agreed.frame_bytes_max, now);
    }

    /// Writes what waits, reads what came and answers who it is for. Ready only with the end of the connection.
    pub(in crate::rabbitmq) fn poll(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<Broken> {
        let Err(broken) = self.exchange(context, now) else { return Poll::Pending };
        if !self.is_over {
            self.is_over = true;
            // Where the broker said why it closes, it waits for our consent.
            let _: Poll<_> = self.dialogue.outbound.poll_write(&mut self.stream, context);
        }
        Poll::Ready(broken)
    }

    fn exchange(&mut self, context: &mut Context<'_>, now: Instant) -> Result<(), Broken> {
        loop {
            // The last read of the handshake may have brought more than its answer.
            while let Some(incoming) = self.inbound.next()? {
                self.dialogue.take(incoming, now)?;
            }
            let Poll::Ready(read) = self.inbound.poll_read(&mut self.stream, context) else { break };
            read?;
            self.heard_at = now;
        }
        if !self.dialogue.outbound.is_empty()
            && let Poll::Ready(written) = self.dialogue.outbound.poll_write(&mut self.stream, context)
        {
            written?;
            self.said_at = now;
        }
        Ok(())
    }

    /// To be called about once a second: keeps the connection alive, notices a silent broker, and one that does not confirm
    /// within `abandoned_after`. While it blocks publishers the latter is no fault, but those who wait are told.
    pub(in crate::rabbitmq) fn check(&mut self, now: Instant, abandoned_after: Duration) -> Result<(), Broken> {
        let heartbeat = self.agreed.heartbeat;
        if !heartbeat.is_zero() {
            if now.saturating_duration_since(self.heard_at) > heartbeat * HEARTBEATS_MISSED_MAX {
                return Err(Broken::because("nothing is heard of the broker"));
            }
            if now.saturating_duration_since(self.said_at) >= heartbeat / 2 {
                self.dialogue.outbound.heartbeat()?;
                // Where it cannot be written, one is enough.
                self.said_at = now;
            }
        }
        self.dialogue.look_for_abandoned(now, abandoned_after)
    }

    /// Why the broker blocks publishers, where it does.
    pub(in crate::rabbitmq) fn blocked(&self) -> Option<&str> {
        self.dialogue.blocked.as_deref()
    }

    /// Whether anyone waits for a confirm.
    pub(in crate::rabbitmq) fn is_awaited(&self) -> bool {
        self.dialogue.unconfirmed.is_awaited()
    }

    /// Tells everyone who waits why nothing is known.
    pub(in crate::rabbitmq) fn abandon(mut self, why: &Broken) {
        self.is_over = true;
        std::mem::replace(&mut self.dialogue.unconfirmed, Unconfirmed::new()).abandon(&why.to_string());
    }

    /// Says goodbye and waits for the answer.
    pub(in crate::rabbitmq) async fn close(mut self) {
        let goodbye = async {
            if self.dialogue.say_goodbye().is_err() {
                return;
            }
            self.is_over = true;
            // It ends with the broker's answer, which is the end of the connection.
            poll_fn(|context| self.poll(context, Instant::now())).await;
        };
        if tokio::time::timeout(CLOSE_WITHIN, goodbye).await.is_err() {
            tracing::debug!("the broker did not answer to the end of the connection");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Also with a runtime that ends: what can be written without waiting is.
        if !self.is_over && self.dialogue.say_goodbye().is_ok() {
            let mut context = Context::from_waker(Waker::noop());
            let _: Poll<_> = self.dialogue.outbound.poll_write(&mut self.stream, &mut context);
        }
    }
}

/// What the broker says where it ends a channel or the connection.
pub(super) fn refusal(class: &AMQPClass) -> Option<Broken> {
    match class {
        AMQPClass::Connection(connection::AMQPMethod::Close(close)) => {
            Some(Broken::closed("connection", close.reply_code, &close.reply_text))
        }
        AMQPClass::Channel(channel::AMQPMethod::Close(close)) => {
            Some(Broken::closed("channel", close.reply_code, &close.reply_text))
        }
        _ => None,
    }
}
