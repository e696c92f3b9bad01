//! What is said on an open channel: messages one way; confirms, returns, blocks and ends the other.

use std::time::{Duration, Instant};

use amq_protocol::protocol::{AMQPClass, basic, channel, connection};

use super::Broken;
use super::connection::refusal;
use super::content;
use super::inbound::Incoming;
use super::outbound::{CHANNEL, Outbound, TooLarge};
use super::unconfirmed::{Unconfirmed, Verdict};
use crate::PublishError;
use crate::rabbitmq::lane::Request;

/// `reply-success`
const SUCCESS: u16 = 200;

/// A message that is coming back.
enum Returning {
    /// Its header follows.
    Announced,
    /// So many bytes of its body follow.
    Body(u64),
}

pub(super) struct Dialogue {
    pub(super) outbound: Outbound,
    pub(super) unconfirmed: Unconfirmed,
    /// Why the broker blocks publishers.
    pub(super) blocked: Option<String>,
    unblocked_at: Option<Instant>,
    returning: Option<Returning>,
}

impl Dialogue {
    pub(super) fn new(outbound: Outbound, blocked: Option<String>) -> Self {
        Self { outbound, unconfirmed: Unconfirmed::new(), blocked, unblocked_at: None, returning: None }
    }

    pub(super) fn publish(&mut self, request: Request, frame_bytes_max: usize, now: Instant) {
        let Request { outgoing, reply, permit } = request;
        match self.outbound.publish(outgoing, self.unconfirmed.next_tag(), frame_bytes_max) {
            Ok(()) => self.unconfirmed.push(reply, permit, now),
            Err(TooLarge { bytes }) => {
                let why = format!("its headers take {bytes} bytes, the broker takes {frame_bytes_max}");
                // A caller that went away wants no answer.
                drop(reply.send(Err(PublishError::Refused(why))));
            }
        }
    }

    /// Hears the broker out. An error is the end of the connection.
    pub(super) fn take(&mut self, incoming: Incoming<'_>, now: Instant) -> Result<(), Broken> {
        match incoming {
            Incoming::Heartbeat => Ok(()),
            Incoming::Method(CHANNEL, AMQPClass::Basic(method)) => self.hear_of_messages(method),
            Incoming::Method(channel, class) => self.hear_of_connection(channel, class, now),
            Incoming::Header(CHANNEL, header) => {
                let Some(Returning::Announced) = self.returning else { return Err(unexpected("a header")) };
                let returned = content::read(header).ok_or_else(|| unexpected("an unreadable header"))?;
                let tag = returned.tag.ok_or_else(|| unexpected("a message without a number"))?;
                self.returning = (returned.body_bytes > 0).then_some(Returning::Body(returned.body_bytes));
                self.unconfirmed.returned(tag)
            }
            Incoming::Body(CHANNEL, bytes) => {
                let Some(Returning::Body(left)) = self.returning else { return Err(unexpected("a body")) };
                let left = left.checked_sub(bytes as u64).ok_or_else(|| unexpected("a body that is too long"))?;
                self.returning = (left > 0).then_some(Returning::Body(left));
                Ok(())
            }
            Incoming::Header(..) | Incoming::Body(..) => Err(unexpected("content on another channel")),
        }
    }

    fn hear_of_messages(&mut self, method: basic::AMQPMethod) -> Result<(), Broken> {
        if self.returning.is_some() {
            return Err(unexpected("a method in the middle of a message"));
        }
        match method {
            basic::AMQPMethod::Ack(ack) => self.unconfirmed.settle(ack.delivery_tag, ack.multiple, Verdict::Ack),
            basic::AMQPMethod::Nack(nack) => self.unconfirmed.settle(nack.delivery_tag, nack.multiple, Verdict::Nack),
            basic::AMQPMethod::Return(_) => {
                self.returning = Some(Returning::Announced);
                Ok(())
            }
            _ => Err(unexpected("what is for consumers")),
        }
    }

    fn hear_of_connection(&mut self, channel: u16, class: AMQPClass, now: Instant) -> Result<(), Broken> {
        if let Some(broken) = refusal(&class) {
            let consent = match class {
                AMQPClass::Channel(_) => AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
                _ => AMQPClass::Connection(connection::AMQPMethod::CloseOk(connection::CloseOk {})),
            };
            self.outbound.method(channel, consent)?;
            return Err(broken);
        }
        match class {
            AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked)) => {
                self.blocked = Some(blocked.reason.to_string());
                Ok(())
            }
            AMQPClass::Connection(connection::AMQPMethod::Unblocked(_)) => {
                self.blocked = None;
                self.unblocked_at = Some(now);
                Ok(())
            }
            AMQPClass::Connection(connection::AMQPMethod::CloseOk(_)) => Err(Broken::because("closed")),
            _ => Err(unexpected("a method that is not for publishers")),
        }
    }

    /// See [`super::Connection::check`].
    pub(super) fn look_for_abandoned(&mut self, now: Instant, after: Duration) -> Result<(), Broken> {
        if let Some(reason) = &self.blocked {
            let why = format!("the broker blocks publishers ({reason}) and does not confirm");
            self.unconfirmed.give_up(now, after, &why);
            return Ok(());
        }
        // It could not confirm before it could read.
        let since = self.unconfirmed.oldest().map(|sent_at| sent_at.max(self.unblocked_at.unwrap_or(sent_at)));
        if since.is_some_and(|since| now.saturating_duration_since(since) > after) {
            let waiting = self.unconfirmed.len();
            return Err(Broken::because(format!("the broker does not confirm; {waiting} messages wait for it")));
        }
        Ok(())
    }

    pub(super) fn say_goodbye(&mut self) -> Result<(), Broken> {
        let close =
            connection::Close { reply_code: SUCCESS, reply_text: "finlinkd stops".into(), class_id: 0, method_id: 0 };
        self.outbound.method(0, AMQPClass::Connection(connection::AMQPMethod::Close(close)))
    }
}

fn unexpected(what: &str) -> Broken {
    Broken::because(format!("it sends {what}, which a publisher does not expect"))
}
