//! A broker's bytes, passed on frame by frame; a content header whose properties cannot be read gets others.
//!
//! Bounded: what is kept back is one content header at most. Bodies and methods pass as they come.

use amq_protocol::protocol::constants::{FRAME_END, FRAME_HEADER};

use super::properties::are_readable;
use crate::rabbitmq::properties::flags;

/// Type, channel and length.
const HEAD_BYTES: usize = 7;
/// The first letter of the broker's version, which it says instead of a frame where ours is another.
const VERSION: u8 = b'A';
/// lapin agrees on frames of 128 KiB, with head and end; a broker adds to properties without asking for the limit.
const HEADER_BYTES_MAX: usize = 128 * 1024 - HEAD_BYTES - 1;
/// Class, weight, and the length of the body: what a content header has before its properties.
const BEFORE_PROPERTIES_BYTES: usize = 12;
/// The only property of a message whose own cannot be read. `type` says what a message is, so it is told with the dead letter.
const UNREADABLE: &str = "properties that cannot be read: too large, too deep, or not in UTF-8";

/// Where in the stream we are.
#[derive(Debug)]
pub(super) enum Frames {
    /// In the head of a frame.
    Head(Vec<u8>),
    /// In a frame that passes, so many bytes before its end.
    Passing(usize),
    /// In a content header, so many bytes before its end.
    Header { head: Vec<u8>, kept: Vec<u8>, remaining: usize },
    /// These are no frames.
    Raw,
}

impl Default for Frames {
    fn default() -> Self {
        Self::Head(Vec::with_capacity(HEAD_BYTES))
    }
}

impl Frames {
    /// Appends to `out` what becomes of the next bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let next = match self {
                Self::Raw => {
                    out.extend_from_slice(bytes);
                    return;
                }
                Self::Head(head) => {
                    head.extend_from_slice(take(&mut bytes, HEAD_BYTES - head.len()));
                    if head.len() == HEAD_BYTES || head.first() == Some(&VERSION) {
                        Some(begin(head, out))
                    } else {
                        None
                    }
                }
                Self::Passing(remaining) => {
                    let taken = take(&mut bytes, *remaining);
                    out.extend_from_slice(taken);
                    *remaining -= taken.len();
                    (*remaining == 0).then(Self::default)
                }
                Self::Header { head, kept, remaining } => {
                    let taken = take(&mut bytes, *remaining);
                    *remaining -= taken.len();
                    let room = HEADER_BYTES_MAX + 1 - kept.len();
                    kept.extend_from_slice(&taken[..taken.len().min(room)]);
                    (*remaining == 0).then(|| {
                        end(head, kept, out);
                        Self::default()
                    })
                }
            };
            if let Some(next) = next {
                *self = next;
            }
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    taken
}

/// What follows a head. Behind the payload is one byte that ends the frame.
fn begin(head: &mut Vec<u8>, out: &mut Vec<u8>) -> Frames {
    let length = head.get(3..HEAD_BYTES).and_then(|length| length.try_into().ok()).map(u32::from_be_bytes);
    match (head[0], length) {
        (VERSION, _) | (_, None) => {
            out.append(head);
            Frames::Raw
        }
        (FRAME_HEADER, Some(length)) => {
            Frames::Header { head: std::mem::take(head), kept: Vec::new(), remaining: length as usize + 1 }
        }
        (_, Some(length)) => {
            out.append(head);
            Frames::Passing(length as usize + 1)
        }
    }
}

/// A content header is complete, of which so much was kept: the payload and the byte behind it, unless it was too large.
fn end(head: &[u8], kept: &[u8], out: &mut Vec<u8>) {
    let length =
        head.get(3..HEAD_BYTES).and_then(|length| length.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let (Some(before), Some((end, payload))) = (kept.get(..BEFORE_PROPERTIES_BYTES), kept.split_last()) else {
        // Not even what comes before the properties: that is no AMQP, and lapin says so.
        out.extend_from_slice(head);
        out.extend_from_slice(kept);
        return;
    };
    let properties = payload.get(BEFORE_PROPERTIES_BYTES..).filter(|_| payload.len() == length);
    if properties.is_some_and(are_readable) {
        out.extend_from_slice(head);
        out.extend_from_slice(payload);
        out.push(*end);
        return;
    }
    out.extend_from_slice(&head[..3]);
    let length = BEFORE_PROPERTIES_BYTES + 2 + 1 + UNREADABLE.len();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(before);
    out.extend_from_slice(&flags::TYPE.to_be_bytes());
    out.push(UNREADABLE.len() as u8);
    out.extend_from_slice(UNREADABLE.as_bytes());
    out.push(FRAME_END);
}

#[cfg(test)]
mod tests {
    use amq_protocol::frame::{AMQPFrame, gen_frame, parse_frame};
    use amq_protocol::protocol::BasicProperties;
    use amq_protocol::types::{AMQPValue, FieldTable, LongString};

    use super::*;

    fn written(frame: &AMQPFrame) -> Vec<u8> {
        gen_frame(frame)(Vec::new().into()).unwrap().write
    }

    /// A content header with these properties, as they lie on the wire.
    fn header(properties: &[u8]) -> Vec<u8> {
        let mut frame = vec![FRAME_HEADER, 0, 7];
        frame.extend(((BEFORE_PROPERTIES_BYTES + properties.len()) as u32).to_be_bytes());
        frame.extend([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend(properties);
        frame.push(206);
        frame
    }

    /// Headers of so many tables in one another.
    fn nested(depth: usize) -> Vec<u8> {
        let mut table = Vec::new();
        for _ in 0..depth {
            table = [b"\x01aF".as_slice(), &(table.len() as u32).to_be_bytes(), &table].concat();
        }
        [&(1_u16 << 13).to_be_bytes()[..], &(table.len() as u32).to_be_bytes(), &table].concat()
    }

    fn passed(stream: &[u8], at_once: usize) -> Vec<u8> {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        stream.chunks(at_once).for_each(|chunk| frames.pass(chunk, &mut out));
        out
    }

    /// What lapin reads of a content header.
    fn properties_of(frame: &[u8]) -> BasicProperties {
        match parse_frame(frame) {
            Ok(([], AMQPFrame::Header(7, header))) => {
                assert_eq!(header.body_size, 1);
                header.properties
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_can_be_read_passes_as_it_is_however_it_is_cut() {
        let mut headers = FieldTable::default();
        headers.insert("app".into(), AMQPValue::LongString(LongString::from(vec![0xff, b'F', b'A'])));
        headers.insert("deaths".into(), AMQPValue::FieldArray(vec![AMQPValue::FieldTable(headers.clone())].into()));
        let properties = BasicProperties::default().with_headers(headers).with_message_id("x".into()).with_timestamp(7);
        let content = amq_protocol::frame::AMQPContentHeader { class_id: 60, body_size: 1, properties };
        let mut stream = written(&AMQPFrame::Header(7, content));
        stream.extend(written(&AMQPFrame::Body(7, vec![b'x'; 1000])));
        stream.extend(header(&nested(3)));
        stream.extend(written(&AMQPFrame::Heartbeat));
        for at_once in [1, 2, 7, 8, 13, 100, stream.len()] {
            assert_eq!(passed(&stream, at_once), stream, "{at_once}");
        }
    }

    #[test]
    fn of_what_cannot_be_read_only_the_body_is_left() {
        // Each as it may be sent, and as lapin would not bear it.
        let latin = [&(1_u16 << 7).to_be_bytes()[..], b"\x01\xe9"].concat();
        let latin_key = [&(1_u16 << 13).to_be_bytes()[..], b"\0\0\0\x03\x01\xe9V"].concat();
        let large = [&(1_u16 << 13).to_be_bytes()[..], b"\0\x03\0\x05\x01aS\0\x02\xff\xfe"].concat();
        let large = [large, vec![b'x'; 0x0002_fffe]].concat();
        let unknown = [&(1_u16 << 13).to_be_bytes()[..], b"\0\0\0\x03\x01aZ"].concat();
        let cut = [&(1_u16 << 7).to_be_bytes()[..], b"\x05a"].concat();
        for properties in [latin, latin_key, large, unknown, cut, nested(1000), nested(15_000)] {
            let mut stream = header(&properties);
            let body = written(&AMQPFrame::Body(7, vec![b'x']));
            stream.extend(&body);
            for at_once in [5, 4096, stream.len()] {
                let out = passed(&stream, at_once);
                let header = out.strip_suffix(body.as_slice()).expect("the body passes");
                assert_eq!(properties_of(header), BasicProperties::default().with_type(UNREADABLE.into()));
            }
        }
    }

    #[test]
    fn a_version_instead_of_frames_passes() {
        assert_eq!(passed(b"AMQP\0\0\x09\x01", 3), b"AMQP\0\0\x09\x01");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_ends_in_bytes_and_never_in_a_panic(bytes: Vec<u8>, at_once in 1_usize..20) {
            let out = passed(&bytes, at_once);
            proptest::prop_assert!(out.len() <= bytes.len() + 200);
        }

        #[test]
        fn a_header_of_any_length_ends_in_bytes(payload in proptest::collection::vec(0_u8.., 0..40)) {
            let frame = [&[FRAME_HEADER, 0, 7][..], &(payload.len() as u32).to_be_bytes(), &payload, &[206]].concat();
            let out = passed(&frame, frame.len());
            proptest::prop_assert!(out == frame || out.len() > BEFORE_PROPERTIES_BYTES + UNREADABLE.len());
        }

        #[test]
        fn lapin_reads_every_header_that_is_passed(
            fields in proptest::collection::vec(("[a-z]{0,3}", proptest::sample::select(b"VtbBsUuIifDLldTSxFAZ".to_vec()),
                proptest::collection::vec(0_u8..6, 0..12)), 0..4)
        ) {
            let field = |(name, kind, value): &(String, u8, Vec<u8>)| {
                [&[name.len() as u8], name.as_bytes(), &[*kind], value].concat()
            };
            let table = fields.iter().map(field).collect::<Vec<_>>().concat();
            let properties = [&(1_u16 << 13).to_be_bytes()[..], &(table.len() as u32).to_be_bytes(), &table].concat();
            properties_of(&passed(&header(&properties), 1000));
        }
    }
}
