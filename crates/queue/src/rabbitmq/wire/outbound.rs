//! What goes to the broker: frames one after the other in one buffer, which leaves in as few writes as the socket takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use amq_protocol::frame::{AMQPFrame, ProtocolVersion, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, constants};

use tokio::io::AsyncWrite;

use super::inbound::FRAMING_BYTES;
use super::stream::Stream;
use super::{Broken, content};
use crate::rabbitmq::envelope::Outgoing;
use crate::rabbitmq::properties::{put_long, put_short};

/// The channel that everything is published on.
pub(super) const CHANNEL: u16 = 1;
/// `basic.publish`
const PUBLISH: u16 = 40;
/// What AMQP no longer uses: the ticket of a publish, the weight of a content.
const RESERVED: [u8; 2] = [0; 2];
/// The flags of a publish: unroutable comes back.
const MANDATORY: u8 = 1;
/// With so many bytes waiting no more is taken from the callers.
const WAITING_BYTES_MAX: usize = 256 * 1024;
/// An empty buffer that has grown beyond this is given back.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Why a message cannot be sent at all. Nothing of it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) bytes: usize,
}

/// Frames that wait for the socket.
#[derive(Default)]
pub(super) struct Outbound {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbound {
    pub(super) fn greeting(&mut self) -> Result<(), Broken> {
        self.frame(&AMQPFrame::ProtocolHeader(ProtocolVersion::amqp_0_9_1()))
    }

    pub(super) fn heartbeat(&mut self) -> Result<(), Broken> {
        self.frame(&AMQPFrame::Heartbeat)
    }

    pub(super) fn method(&mut self, channel: u16, class: AMQPClass) -> Result<(), Broken> {
        self.frame(&AMQPFrame::Method(channel, class))
    }

    /// A message: the method, its header with `tag` in it, and its body in as many frames as it takes.
    pub(super) fn publish(&mut self, outgoing: Outgoing, tag: u64, frame_bytes_max: usize) -> Result<(), TooLarge> {
        let Outgoing { exchange, routing_key, properties, body } = outgoing;
        let before = self.bytes.len();
        self.content(constants::FRAME_METHOD, |bytes| {
            bytes.extend_from_slice(&content::CLASS.to_be_bytes());
            bytes.extend_from_slice(&PUBLISH.to_be_bytes());
            bytes.extend_from_slice(&RESERVED);
            put_short(bytes, &exchange);
            put_short(bytes, &routing_key);
            bytes.push(MANDATORY);
        });
        let header_at = self.bytes.len();
        self.content(constants::FRAME_HEADER, |bytes| {
            bytes.extend_from_slice(&content::CLASS.to_be_bytes());
            bytes.extend_from_slice(&RESERVED);
            bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
            properties.put(bytes, tag);
        });
        let bytes = self.bytes.len() - header_at;
        if bytes > frame_bytes_max {
            self.bytes.truncate(before);
            return Err(TooLarge { bytes });
        }
        for part in body.chunks(frame_bytes_max - FRAMING_BYTES) {
            self.content(constants::FRAME_BODY, |bytes| bytes.extend_from_slice(part));
        }
        Ok(())
    }

    /// A frame of a message; `put` appends its payload.
    fn content(&mut self, kind: u8, put: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&CHANNEL.to_be_bytes());
        put_long(&mut self.bytes, put);
        self.bytes.push(constants::FRAME_END);
    }

    fn frame(&mut self, frame: &AMQPFrame) -> Result<(), Broken> {
        let bytes = std::mem::take(&mut self.bytes);
        // The codec takes the buffer and keeps it where it fails, so there is no way on.
        let written = gen_frame(frame)(WriteContext::from(bytes))
            .map_err(|error| Broken::because(format!("a frame could not be written: {error}")))?;
        self.bytes = written.into_inner().0;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.written < WAITING_BYTES_MAX
    }

    /// Writes until nothing is left.
    pub(super) fn poll_write(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(context, &self.bytes[self.written..])? else {
                self.forget_written();
                return Poll::Pending;
            };
            match count {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        if self.written > 0 {
            std::task::ready!(Pin::new(&mut *stream).poll_flush(context))?;
            self.written = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES_MAX);
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room at the front, for a buffer that is never empty. No more is moved than was written since the last time.
    fn forget_written(&mut self) {
        let left = self.bytes.len() - self.written;
        if self.written >= left.max(WAITING_BYTES_MAX) {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use events::UtcMicros;
    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;
    use crate::rabbitmq::properties::{Properties, Told};

    const TOLD: Told<'_> = Told { content_type: None, message_id: &"", kind: "", at: UtcMicros(0) };
    const ROUND_BYTES: usize = 100 * 1024;

    /// Takes so many bytes, then none for a round.
    struct Slow {
        left: usize,
    }

    impl AsyncRead for Slow {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if self.left == 0 {
                self.left = ROUND_BYTES;
                return Poll::Pending;
            }
            let taken = bytes.len().min(self.left);
            self.left -= taken;
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_broker_that_reads_slowly_for_long_does_not_make_the_buffer_grow() {
        let mut outbound = Outbound::default();
        let mut stream: Stream = Box::new(Slow { left: ROUND_BYTES });
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut tag = 0;
        for _ in 0..1000 {
            while outbound.has_room() {
                tag += 1;
                let message = Outgoing {
                    exchange: "e",
                    routing_key: "k".into(),
                    properties: Properties::new(&TOLD),
                    body: vec![b'x'; 16 * 1024].into(),
                };
                outbound.publish(message, tag, 128 * 1024).unwrap();
            }
            assert!(outbound.poll_write(&mut stream, &mut context).is_pending());
            assert!(!outbound.is_empty());
            assert!(outbound.bytes.capacity() <= 4 * WAITING_BYTES_MAX, "{}", outbound.bytes.capacity());
        }
    }
}
