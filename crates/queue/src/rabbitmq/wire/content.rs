//! The number that every message carries, so that one which comes back is known again.
//!
//! A returned message says nothing of its delivery tag, and its receipt may be on the way twice. So the tag travels with the
//! message as its correlation id. When it comes back, only that is read: the broker's copy of our own headers is of no use,
//! and skipping it leaves nothing to a hostile sender.

use amq_protocol::types::parsing::{
    ParserResult, parse_byte_array, parse_id, parse_long_long_uint, parse_short_short_uint, parse_short_string,
    parse_short_uint,
};

use crate::rabbitmq::properties::flags;

/// The class of content: basic.
pub(super) const CLASS: u16 = 60;

/// What the header of a returned message says: the tag, where it has one, and the length of its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Returned {
    pub(super) tag: Option<u64>,
    pub(super) body_bytes: u64,
}

/// Reads a content header; `None` where it is none.
pub(super) fn read(header: &[u8]) -> Option<Returned> {
    let (rest, class) = ok(parse_id(header))?;
    let (rest, _weight) = ok(parse_short_uint(rest))?;
    let (rest, body_bytes) = ok(parse_long_long_uint(rest))?;
    let (mut rest, flags) = ok(parse_short_uint(rest))?;
    for string in [flags::CONTENT_TYPE, flags::CONTENT_ENCODING] {
        if flags & string != 0 {
            rest = ok(parse_short_string(rest))?.0;
        }
    }
    if flags & flags::HEADERS != 0 {
        // A table is laid out like an array of bytes: its length, and so much.
        rest = ok(parse_byte_array(rest))?.0;
    }
    for number in [flags::DELIVERY_MODE, flags::PRIORITY] {
        if flags & number != 0 {
            rest = ok(parse_short_short_uint(rest))?.0;
        }
    }
    let tag =
        if flags & flags::CORRELATION_ID == 0 { None } else { ok(parse_short_string(rest))?.1.as_str().parse().ok() };
    (class == CLASS).then_some(Returned { tag, body_bytes })
}

fn ok<T>(parsed: ParserResult<&[u8], T>) -> Option<(&[u8], T)> {
    parsed.ok()
}
