//! A client of AMQP 0-9-1 that can do one thing: publish on one channel, with confirms.
//!
//! It exists because of what a crossing of threads costs. One task owns a [`Connection`]: what it is given between two
//! wake-ups leaves in one write, and the confirms come back to the same thread. Messages are laid out here, since that is done
//! for every webhook; all else is built and read by `amq-protocol`, the codec under lapin.
//!
//! Promises: every publish is answered exactly once, with what the broker said of this very message, or with an unknown
//! outcome; a message that came back unroutable is told apart by the number that it carries; whatever the other side
//! sends, the answer is an error and never a panic, and no buffer grows without bound; a silent other side is noticed.
//! Not here: consuming, declaring, connecting again.

mod broken;
mod connection;
mod content;
mod dialogue;
mod handshake;
mod inbound;
mod outbound;
mod stream;
#[cfg(test)]
mod tests;
mod unconfirmed;

pub(super) use broken::Broken;
pub(super) use connection::Connection;
pub(super) use handshake::open;
pub(super) use stream::connect;
