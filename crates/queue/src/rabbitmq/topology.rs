//! The exchanges, queues and bindings on the broker, as data; and how each is made sure of.
//!
//! Everyone asks whether it is there, and declares what is not. That is a passive question, which does not compare
//! properties; so the consumer, who may declare, does so on its every connection: it is idempotent, and the broker answers
//! 406 where what is there differs. Ingress and feed need no right to declare anything.
//!
//! A broker that is killed within a second of a quorum queue's first declaration has been seen to lose the queue with the
//! messages it had confirmed (RabbitMQ 3.10.8 and 4.0.5: its registration is not on disk yet). So whoever makes a queue gives it time
//! before trusting it.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::settings::Settings;

/// Webhooks and checkpoints go here; the routing key is the app.
pub const WEBHOOKS: &str = "finlinkd.webhooks";
/// What was rejected, or delivered too often.
pub const DEAD_LETTERS: &str = "finlinkd.dead-letters";
/// The feed's events; the routing key is the app, a dot, and the event's type.
pub const EVENTS: &str = "finlinkd.events";
/// Deliveries of one message before the broker sets it aside.
pub const DELIVERY_LIMIT: u32 = 20;
/// From RabbitMQ 4.0 on a queue without a limit has one of 20, and drops what is over it where it leads nowhere else. A dead
/// letter must wait for the store however often that takes; -1, which says so, is not known before 4.0.
const NO_DELIVERY_LIMIT: u32 = 1_000_000_000;

/// Which part of the topology a connection needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// To publish webhooks.
    Webhooks,
    /// To consume webhooks and dead letters.
    Queues,
    /// To publish events.
    Events,
}

/// Why the topology is not as needed. A person has to act, so the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unfit(pub(super) String);

enum Part {
    Exchange { name: &'static str },
    Queue { name: &'static str, arguments: Vec<(&'static str, AMQPValue)> },
    Binding { queue: &'static str, exchange: &'static str, key: &'static str },
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

fn number(value: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The dead letters come first: a queue whose dead-letter exchange leads nowhere keeps them for ever.
fn parts(need: Need, settings: &Settings) -> Vec<Part> {
    let dead_letters = vec![
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length-bytes", number(settings.dead_letters_bytes_max)),
        ("x-delivery-limit", number(u64::from(NO_DELIVERY_LIMIT))),
    ];
    let webhooks = vec![
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length-bytes", number(settings.queue_bytes_max)),
        ("x-delivery-limit", number(u64::from(DELIVERY_LIMIT))),
        ("x-dead-letter-exchange", text(DEAD_LETTERS)),
        ("x-dead-letter-strategy", text("at-least-once")),
    ];
    match need {
        Need::Webhooks | Need::Queues => vec![
            Part::Exchange { name: DEAD_LETTERS },
            Part::Queue { name: DEAD_LETTERS, arguments: dead_letters },
            Part::Binding { queue: DEAD_LETTERS, exchange: DEAD_LETTERS, key: "#" },
            Part::Exchange { name: WEBHOOKS },
            Part::Queue { name: WEBHOOKS, arguments: webhooks },
            Part::Binding { queue: WEBHOOKS, exchange: WEBHOOKS, key: "#" },
        ],
        Need::Events => vec![Part::Exchange { name: EVENTS }],
    }
}

/// Whether a queue was made just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Everything was there.
    Everything,
    /// At least one queue was not, and is now.
    NewQueue,
}

/// Makes sure of everything that `need` says. An error closes the channel, so each question has a channel of its own.
pub(super) async fn ensure(connection: &Connection, need: Need, settings: &Settings) -> Result<Found, Unfit> {
    let mut found = Found::Everything;
    for part in parts(need, settings) {
        let present = match &part {
            // There is no passive binding. Where it is missing, the first `mandatory` message comes back and says so.
            Part::Binding { .. } => found == Found::Everything,
            Part::Exchange { .. } | Part::Queue { .. } => is_there(connection, &part).await?,
        };
        // Only who consumes compares arguments; the others may not even declare.
        if present && need != Need::Queues {
            continue;
        }
        if !present && matches!(part, Part::Queue { .. }) {
            found = Found::NewQueue;
        }
        if let Err(error) = declare(&open(connection).await?, &part, false).await {
            match reply_code(&error) {
                Some(403) if present => {}
                Some(403) => return Err(Unfit(missing(&part, &error))),
                Some(406) => return Err(Unfit(different(&part, &error))),
                _ => return Err(Unfit(format!("{} could not be declared: {error}", name(&part)))),
            }
        }
    }
    Ok(found)
}

/// Whether a part is there; says nothing about its properties.
async fn is_there(connection: &Connection, part: &Part) -> Result<bool, Unfit> {
    match declare(&open(connection).await?, part, true).await {
        Ok(()) => Ok(true),
        Err(error) if reply_code(&error) == Some(404) => Ok(false),
        Err(error) => Err(Unfit(format!("{} could not be looked for: {error}", name(part)))),
    }
}

async fn open(connection: &Connection) -> Result<Channel, Unfit> {
    connection.create_channel().await.map_err(|error| Unfit(format!("no channel could be opened: {error}")))
}

async fn declare(channel: &Channel, part: &Part, passive: bool) -> lapin::Result<()> {
    match part {
        Part::Exchange { name } => {
            let options = ExchangeDeclareOptions { passive, durable: true, ..Default::default() };
            channel.exchange_declare((*name).into(), ExchangeKind::Topic, options, FieldTable::default()).await
        }
        Part::Queue { name, arguments } => {
            let options = QueueDeclareOptions { passive, durable: true, ..Default::default() };
            let mut table = FieldTable::default();
            for (key, value) in arguments {
                table.insert((*key).into(), value.clone());
            }
            channel.queue_declare((*name).into(), options, table).await.map(drop)
        }
        Part::Binding { queue, exchange, key } => {
            let options = QueueBindOptions::default();
            channel.queue_bind((*queue).into(), (*exchange).into(), (*key).into(), options, FieldTable::default()).await
        }
    }
}

/// The AMQP reply code of an error of the broker.
pub(super) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

fn name(part: &Part) -> String {
    match part {
        Part::Exchange { name } => format!("the exchange {name}"),
        Part::Queue { name, .. } => format!("the queue {name}"),
        Part::Binding { queue, exchange, .. } => format!("the binding of the queue {queue} to the exchange {exchange}"),
    }
}

fn missing(part: &Part, error: &lapin::Error) -> String {
    format!(
        "{} is not there and this user may not declare it: load deploy/rabbitmq/definitions.json, or start a consumer, \
         whose user may ({error})",
        name(part)
    )
}

fn different(part: &Part, error: &lapin::Error) -> String {
    format!(
        "{} exists with other properties than finlinkd needs: delete it once it is empty and let it be declared anew, or \
         set queue_bytes_max and dead_letters_bytes_max to what it was declared with ({error})",
        name(part)
    )
}
