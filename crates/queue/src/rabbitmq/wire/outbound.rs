//! What goes to the broker: frames one after the other in one buffer, which leaves in as few writes as the socket takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, ProtocolVersion, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, basic};

use tokio::io::AsyncWrite;

use super::inbound::FRAMING_BYTES;
use super::stream::Stream;
use super::{Broken, content};
use crate::rabbitmq::envelope::Outgoing;

/// The channel that everything is published on.
pub(super) const CHANNEL: u16 = 1;
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
    pub(super) fn publish(
        &mut self,
        outgoing: Outgoing,
        tag: u64,
        frame_bytes_max: usize,
    ) -> Result<Result<(), TooLarge>, Broken> {
        let Outgoing { exchange, routing_key, properties, body } = outgoing;
        let before = self.bytes.len();
        let publish = basic::Publish { exchange: exchange.into(), routing_key, mandatory: true, immediate: false };
        self.method(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Publish(publish)))?;
        let header_at = self.bytes.len();
        let header = AMQPContentHeader {
            class_id: content::CLASS,
            body_size: body.len() as u64,
            properties: content::numbered(properties, tag),
        };
        self.frame(&AMQPFrame::Header(CHANNEL, header))?;
        let bytes = self.bytes.len() - header_at;
        if bytes > frame_bytes_max {
            self.bytes.truncate(before);
            return Ok(Err(TooLarge { bytes }));
        }
        for part in body.chunks(frame_bytes_max - FRAMING_BYTES) {
            self.frame(&AMQPFrame::Body(CHANNEL, part.to_vec()))?;
        }
        Ok(Ok(()))
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
            match std::task::ready!(Pin::new(&mut *stream).poll_write(context, &self.bytes[self.written..]))? {
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
}
