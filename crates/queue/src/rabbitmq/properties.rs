//! The properties of a message of ours, laid out as AMQP has them on the wire.
//!
//! Written straight into bytes, since a value of its own for every header and a tree around them cost a receiver more than the
//! confirm does. Promises: every length stands for what follows it, whatever the texts are. What comes from a broker is read by
//! the codec, never here.

use std::fmt::Display;
use std::io::Write;

use events::UtcMicros;

/// Persistent.
const DELIVERY_MODE: u8 = 2;
const APP_ID: &str = "finlinkd";
/// The longest short string, in bytes.
const SHORT_BYTES_MAX: usize = 255;
/// Room for what a verified webhook takes.
const USUAL_BYTES: usize = 768;

/// The bits that say which properties follow, in the order in which they are laid out.
pub(super) mod flags {
    pub(in crate::rabbitmq) const CONTENT_TYPE: u16 = 1 << 15;
    pub(in crate::rabbitmq) const CONTENT_ENCODING: u16 = 1 << 14;
    pub(in crate::rabbitmq) const HEADERS: u16 = 1 << 13;
    pub(in crate::rabbitmq) const DELIVERY_MODE: u16 = 1 << 12;
    pub(in crate::rabbitmq) const PRIORITY: u16 = 1 << 11;
    pub(in crate::rabbitmq) const CORRELATION_ID: u16 = 1 << 10;
    pub(in crate::rabbitmq) const MESSAGE_ID: u16 = 1 << 7;
    pub(in crate::rabbitmq) const TIMESTAMP: u16 = 1 << 6;
    pub(in crate::rabbitmq) const TYPE: u16 = 1 << 5;
    pub(in crate::rabbitmq) const APP_ID: u16 = 1 << 3;
}

/// What every message of ours has.
const ALWAYS: u16 =
    flags::DELIVERY_MODE | flags::CORRELATION_ID | flags::MESSAGE_ID | flags::TIMESTAMP | flags::TYPE | flags::APP_ID;

/// All of them but the correlation id, which is known only when the message is written to its connection.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    flags: u16,
    bytes: Vec<u8>,
    correlation_id_at: usize,
}

/// What is not the same for all messages of ours.
pub(super) struct Told<'a> {
    pub(super) content_type: Option<&'a str>,
    pub(super) message_id: &'a (dyn Display + Sync),
    pub(super) kind: &'a str,
    pub(super) at: UtcMicros,
}

impl Properties {
    /// Properties without headers.
    pub(super) fn new(told: &Told<'_>) -> Self {
        Self::begin(told.content_type).end(told)
    }

    /// Properties with the headers that `put` puts.
    pub(super) fn with_headers(told: &Told<'_>, put: impl FnOnce(&mut Headers<'_>)) -> Self {
        let mut begun = Self::begin(told.content_type);
        begun.flags |= flags::HEADERS;
        put_long(&mut begun.bytes, |bytes| put(&mut Headers(bytes)));
        begun.end(told)
    }

    fn begin(content_type: Option<&str>) -> Self {
        let mut begun = Self { flags: ALWAYS, bytes: Vec::with_capacity(USUAL_BYTES), correlation_id_at: 0 };
        // One that the property cannot hold is left out.
        if let Some(content_type) = content_type.filter(|text| text.len() <= SHORT_BYTES_MAX) {
            begun.flags |= flags::CONTENT_TYPE;
            put_short(&mut begun.bytes, &content_type);
        }
        begun
    }

    fn end(mut self, told: &Told<'_>) -> Self {
        self.bytes.push(DELIVERY_MODE);
        self.correlation_id_at = self.bytes.len();
        put_short(&mut self.bytes, told.message_id);
        let seconds = u64::try_from(told.at.0 / 1_000_000).unwrap_or(0);
        self.bytes.extend_from_slice(&seconds.to_be_bytes());
        put_short(&mut self.bytes, &told.kind);
        put_short(&mut self.bytes, &APP_ID);
        self
    }

    /// Appends them with `correlation_id` in its place.
    pub(super) fn put(&self, bytes: &mut Vec<u8>, correlation_id: u64) {
        let (before, after) = self.bytes.split_at(self.correlation_id_at);
        bytes.extend_from_slice(&self.flags.to_be_bytes());
        bytes.extend_from_slice(before);
        put_short(bytes, &correlation_id);
        bytes.extend_from_slice(after);
    }
}

/// The table of headers.
pub(super) struct Headers<'a>(&'a mut Vec<u8>);

impl Headers<'_> {
    pub(super) fn text(&mut self, name: &str, value: &dyn Display) {
        self.name(name, b'S');
        put_long(self.0, |bytes| put_text(bytes, value));
    }

    pub(super) fn number(&mut self, name: &str, value: i64) {
        self.name(name, b'l');
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name, b't');
        self.0.push(u8::from(value));
    }

    fn name(&mut self, name: &str, kind: u8) {
        put_short(self.0, &name);
        self.0.push(kind);
    }
}

/// A short string. Everything of ours is far shorter than it may be, and what a stranger says was measured before; a text that
/// is too long all the same is cut, so that no length is ever wrong.
pub(super) fn put_short(bytes: &mut Vec<u8>, text: &dyn Display) {
    let start = bytes.len();
    bytes.push(0);
    put_text(bytes, text);
    bytes.truncate(start + 1 + SHORT_BYTES_MAX);
    bytes[start] = (bytes.len() - start - 1) as u8;
}

/// What is preceded by its length in four bytes.
pub(super) fn put_long(bytes: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    put(bytes);
    let length = (bytes.len() - start - 4) as u32;
    bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &dyn Display) {
    // Writing to a vector cannot fail.
    let _ = write!(bytes, "{text}");
}

#[cfg(test)]
mod tests {
    use amq_protocol::protocol::basic::parse_properties;
    use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
    use lapin::BasicProperties;

    use super::*;

    /// What the codec reads of them.
    fn read(properties: &Properties) -> BasicProperties {
        let mut bytes = Vec::new();
        properties.put(&mut bytes, 42);
        let Ok((rest, read)) = parse_properties(bytes.as_slice()) else { panic!("unreadable") };
        assert!(rest.is_empty());
        read
    }

    fn told(content_type: Option<&str>) -> Told<'_> {
        Told { content_type, message_id: &"an id", kind: "a kind", at: UtcMicros(1_999_999) }
    }

    /// The same, made by the codec's own means.
    fn expected() -> BasicProperties {
        BasicProperties::default()
            .with_delivery_mode(2)
            .with_correlation_id("42".into())
            .with_message_id("an id".into())
            .with_timestamp(1)
            .with_type("a kind".into())
            .with_app_id("finlinkd".into())
    }

    #[test]
    fn the_codec_reads_what_is_laid_out() {
        assert_eq!(read(&Properties::new(&told(None))), expected());
        let with_type = expected().with_content_type("text/plain".into());
        assert_eq!(read(&Properties::new(&told(Some("text/plain")))), with_type);
        let mut table = FieldTable::default();
        table.insert("text".into(), AMQPValue::LongString("ä".into()));
        table.insert("number".into(), AMQPValue::LongLongInt(i64::MIN));
        table.insert("flag".into(), AMQPValue::Boolean(true));
        let properties = Properties::with_headers(&told(Some("text/plain")), |headers| {
            headers.text("text", &'ä');
            headers.number("number", i64::MIN);
            headers.flag("flag", true);
        });
        assert_eq!(read(&properties), with_type.with_headers(table));
    }

    #[test]
    fn a_text_that_is_too_long_makes_nothing_unreadable() {
        let long = "x".repeat(256);
        assert_eq!(read(&Properties::new(&told(Some(&long)))), expected(), "the property is left out");
        let cut = read(&Properties::new(&Told { message_id: &long, ..told(None) }));
        assert_eq!(cut.message_id().as_ref().map(ShortString::as_str), Some(&long[1..]));
        let long = "x".repeat(70_000);
        let properties = Properties::with_headers(&told(None), |headers| headers.text("text", &long));
        let headers = read(&properties).headers().clone().unwrap_or_default();
        assert_eq!(headers.inner().get("text"), Some(&AMQPValue::LongString(long.into())));
    }
}
