//! What the broker sends, cut into frames.
//!
//! Bounded: a frame that says it is longer than what was agreed is an error before its bytes are waited for. Nothing is
//! read from a content header but what is needed; see `content`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, constants};
use tokio::io::{AsyncRead, ReadBuf};

use super::Broken;
use super::stream::Stream;

/// The room to begin with; it grows up to one frame.
const READ_BYTES: usize = 16 * 1024;
/// Type, channel and length.
const HEAD_BYTES: usize = 7;
/// What a frame has beside its payload: its head, and the mark at its end.
pub(super) const FRAMING_BYTES: usize = HEAD_BYTES + 1;
/// Tables and arrays may lie in one another, and the codec follows them on the stack. Each begins with an `F` or an `A`, so
/// a method with no more of these letters than this is not deeper than this. A greeting has about a dozen.
const NESTED_MAX: usize = 100;

/// A frame, as far as a publisher is interested.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming<'a> {
    Method(u16, AMQPClass),
    /// The payload of a content header.
    Header(u16, &'a [u8]),
    /// So many bytes of content.
    Body(u16, usize),
    Heartbeat,
}

/// Bytes read and not yet looked at.
pub(super) struct Inbound {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    frame_bytes_max: usize,
}

impl Inbound {
    pub(super) fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: vec![0; READ_BYTES], start: 0, end: 0, frame_bytes_max }
    }

    /// What both sides agreed on.
    pub(super) fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// Reads once; the end of the stream is an error. All frames must have been taken.
    pub(super) fn poll_read(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.make_room();
        let mut read = ReadBuf::new(&mut self.buffer[self.end..]);
        std::task::ready!(Pin::new(stream).poll_read(context, &mut read))?;
        match read.filled().len() {
            0 => Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection"))),
            count => {
                self.end += count;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// What is left is less than a frame.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let needed = self.frame_length().unwrap_or(0);
        if needed > self.buffer.len() {
            self.buffer.resize(needed, 0);
        }
    }

    /// The length of the first frame with everything, once its head is there.
    fn frame_length(&self) -> Option<usize> {
        let head = self.buffer[self.start..self.end].get(3..HEAD_BYTES)?;
        let payload = u32::from_be_bytes(head.try_into().ok()?) as usize;
        payload.checked_add(FRAMING_BYTES)
    }

    /// The next frame, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Incoming<'_>>, Broken> {
        let Some(length) = self.frame_length() else { return Ok(None) };
        let kind = self.buffer[self.start];
        if kind == b'A' {
            return Err(Broken::because("it speaks another version of AMQP than 0-9-1"));
        }
        if length > self.frame_bytes_max {
            return Err(Broken::because(format!(
                "it sends a frame of {length} bytes, {} were agreed on",
                self.frame_bytes_max
            )));
        }
        if self.end - self.start < length {
            return Ok(None);
        }
        let frame = &self.buffer[self.start..self.start + length];
        self.start += length;
        read(kind, frame).map(Some)
    }
}

fn read(kind: u8, frame: &[u8]) -> Result<Incoming<'_>, Broken> {
    let unreadable = || Broken::because("it sends what is not AMQP");
    let channel = u16::from_be_bytes([frame[1], frame[2]]);
    let Some((&constants::FRAME_END, inside)) = frame.split_last() else { return Err(unreadable()) };
    let payload = &inside[HEAD_BYTES..];
    match kind {
        constants::FRAME_METHOD => {
            if payload.iter().filter(|byte| matches!(byte, b'A' | b'F')).count() > NESTED_MAX {
                return Err(Broken::because("it sends a method too complicated to be meant for a publisher"));
            }
            match parse_frame(frame) {
                Ok(([], AMQPFrame::Method(channel, class))) => Ok(Incoming::Method(channel, class)),
                _ => Err(unreadable()),
            }
        }
        constants::FRAME_HEADER => Ok(Incoming::Header(channel, payload)),
        constants::FRAME_BODY => Ok(Incoming::Body(channel, payload.len())),
        constants::FRAME_HEARTBEAT if channel == 0 && payload.is_empty() => Ok(Incoming::Heartbeat),
        _ => Err(unreadable()),
    }
}
