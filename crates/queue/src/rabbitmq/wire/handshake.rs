//! From nothing to a channel in confirm mode: greeting, password, limits, virtual host.

use std::future::poll_fn;
use std::time::Duration;

use amq_protocol::auth::Credentials;
use amq_protocol::protocol::{AMQPClass, channel, confirm, connection};
use amq_protocol::types::{AMQPValue, FieldTable, LongString, ShortString};
use amq_protocol::uri::{AMQPQueryString, AMQPUri};

use super::Broken;
use super::connection::{Agreed, Connection, refusal};
use super::dialogue::Dialogue;
use super::inbound::{Inbound, Incoming};
use super::outbound::{CHANNEL, Outbound};
use super::stream::{self, Stream};
use crate::rabbitmq::address::Address;

/// No frame is larger, whatever the broker would allow: it has to fit into memory on both sides.
const FRAME_BYTES_MAX: u32 = 128 * 1024;
/// No broker may ask for smaller ones.
const FRAME_BYTES_MIN: u32 = 4096;

/// Connects to `address` on the runtime of the caller and opens a channel for publishing; `name` is what the broker shows.
/// The caller bounds the time.
pub(in crate::rabbitmq) async fn open(address: &Address, name: &str) -> Result<Connection, Broken> {
    let stream = stream::connect(address.uri()).await?;
    over(stream, address.uri(), name).await
}

/// The same over a stream that is there.
pub(super) async fn over(stream: Stream, uri: &AMQPUri, name: &str) -> Result<Connection, Broken> {
    let inbound = Inbound::new(FRAME_BYTES_MAX as usize);
    let mut talk = Talk { stream, inbound, outbound: Outbound::default(), blocked: None };
    talk.outbound.greeting()?;
    let AMQPClass::Connection(connection::AMQPMethod::Start(start)) = talk.hear().await? else {
        return Err(unexpected("a greeting"));
    };
    let answer = answer(&start, uri, name)?;
    talk.say(0, AMQPClass::Connection(connection::AMQPMethod::StartOk(answer)))?;
    let AMQPClass::Connection(connection::AMQPMethod::Tune(tune)) = talk.hear().await? else {
        return Err(unexpected("its limits"));
    };
    let limits = agree(&tune, &uri.query)?;
    let agreed = Agreed {
        frame_bytes_max: limits.frame_max as usize,
        heartbeat: Duration::from_secs(u64::from(limits.heartbeat)),
    };
    talk.inbound.set_frame_bytes_max(agreed.frame_bytes_max);
    talk.say(0, AMQPClass::Connection(connection::AMQPMethod::TuneOk(limits)))?;
    let virtual_host = ShortString::try_new(uri.vhost.as_str()).map_err(|error| Broken::because(error.to_string()))?;
    talk.say(0, AMQPClass::Connection(connection::AMQPMethod::Open(connection::Open { virtual_host })))?;
    let AMQPClass::Connection(connection::AMQPMethod::OpenOk(_)) = talk.hear().await? else {
        return Err(unexpected("an open connection"));
    };
    talk.say(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})))?;
    let AMQPClass::Channel(channel::AMQPMethod::OpenOk(_)) = talk.hear().await? else {
        return Err(unexpected("an open channel"));
    };
    let select = confirm::Select { nowait: false };
    talk.say(CHANNEL, AMQPClass::Confirm(confirm::AMQPMethod::Select(select)))?;
    let AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(_)) = talk.hear().await? else {
        return Err(unexpected("confirms"));
    };
    Ok(Connection::new(talk.stream, talk.inbound, Dialogue::new(talk.outbound, talk.blocked), agreed))
}

fn unexpected(expected: &str) -> Broken {
    Broken::because(format!("it answers something else than {expected}"))
}

/// Who we are, and what we know of its extensions.
fn answer(start: &connection::Start, uri: &AMQPUri, name: &str) -> Result<connection::StartOk, Broken> {
    let mechanism = uri.query.auth_mechanism.unwrap_or_default();
    let offered = start.mechanisms.to_string();
    if !offered.split(' ').any(|offered| offered == mechanism.name()) {
        return Err(Broken::because(format!("it does not offer {} but {offered}", mechanism.name())));
    }
    let mut capabilities = FieldTable::default();
    for capability in ["publisher_confirms", "basic.nack", "connection.blocked", "authentication_failure_close"] {
        capabilities.insert(capability.into(), AMQPValue::Boolean(true));
    }
    let mut client_properties = FieldTable::default();
    for (key, value) in [
        ("product", "finlinkd"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("platform", "rust"),
        ("connection_name", name),
    ] {
        client_properties.insert(key.into(), AMQPValue::LongString(LongString::from(value)));
    }
    client_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
    Ok(connection::StartOk {
        client_properties,
        mechanism: mechanism.name().into(),
        response: Credentials::from(uri.authority.userinfo.clone()).sasl_auth_string(mechanism),
        locale: "en_US".into(),
    })
}

/// The smaller of what each side wants, where 0 stands for no wish.
fn agree(tune: &connection::Tune, wanted: &AMQPQueryString) -> Result<connection::TuneOk, Broken> {
    let least = |wishes: &[u32]| wishes.iter().copied().filter(|wish| *wish > 0).min().unwrap_or(0);
    let frame_max = least(&[tune.frame_max, wanted.frame_max.unwrap_or(0), FRAME_BYTES_MAX]);
    if frame_max < FRAME_BYTES_MIN {
        return Err(Broken::because(format!("frames of {frame_max} bytes are too small for AMQP")));
    }
    let heartbeat = least(&[u32::from(tune.heartbeat), u32::from(wanted.heartbeat.unwrap_or(0))]);
    Ok(connection::TuneOk {
        channel_max: tune.channel_max,
        frame_max,
        heartbeat: u16::try_from(heartbeat).unwrap_or(u16::MAX),
    })
}

/// Question and answer, by turns.
struct Talk {
    stream: Stream,
    inbound: Inbound,
    outbound: Outbound,
    /// Why the broker blocks publishers, should it say so this early.
    blocked: Option<String>,
}

impl Talk {
    fn say(&mut self, channel: u16, class: AMQPClass) -> Result<(), Broken> {
        self.outbound.method(channel, class)
    }

    /// Sends what was said and waits for the next method; that the broker ends the talk is an error.
    async fn hear(&mut self) -> Result<AMQPClass, Broken> {
        poll_fn(|context| self.outbound.poll_write(&mut self.stream, context)).await?;
        loop {
            match self.inbound.next()? {
                Some(Incoming::Heartbeat) => continue,
                Some(Incoming::Method(_, AMQPClass::Connection(connection::AMQPMethod::Blocked(blocked)))) => {
                    self.blocked = Some(blocked.reason.to_string());
                    continue;
                }
                Some(Incoming::Method(_, class)) => {
                    return match refusal(&class) {
                        Some(broken) => Err(broken),
                        None => Ok(class),
                    };
                }
                Some(_) => return Err(unexpected("a method")),
                None => {}
            }
            poll_fn(|context| self.inbound.poll_read(&mut self.stream, context)).await?;
        }
    }
}
