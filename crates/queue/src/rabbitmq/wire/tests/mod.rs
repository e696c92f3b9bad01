//! The client against a broker that says whatever a test wants.

mod confirms;
mod frames;
mod hostile;
mod lanes;
mod opening;

use std::future::poll_fn;
use std::time::{Duration, Instant};

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic, channel, confirm, connection};
use amq_protocol::types::{AMQPValue, FieldTable};
use bytes::Bytes;
use events::UtcMicros;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;

use super::handshake::over;
use super::outbound::CHANNEL;
use super::{Broken, Connection};
use crate::PublishError;
use crate::rabbitmq::envelope::Outgoing;
use crate::rabbitmq::in_flight::InFlight;
use crate::rabbitmq::lane::{Confirmed, Reply, Request};
use crate::rabbitmq::properties::{Properties, Told};

const FRAME_BYTES_MAX: u32 = 4096;
const HEARTBEAT_SECONDS: u16 = 10;
/// What fits into the stream unread.
const PIPE_BYTES: usize = 1024 * 1024;

const TOLD: Told<'_> = Told { content_type: None, message_id: &"same", kind: "a kind", at: UtcMicros(0) };

type Answer = oneshot::Receiver<Result<Confirmed, PublishError>>;

/// The other side.
struct Broker {
    stream: DuplexStream,
    read: Vec<u8>,
}

impl Broker {
    fn new() -> (Self, DuplexStream) {
        let (ours, theirs) = duplex(PIPE_BYTES);
        (Self { stream: theirs, read: Vec::new() }, ours)
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn say(&mut self, channel: u16, class: AMQPClass) {
        self.send(&bytes_of(&AMQPFrame::Method(channel, class))).await;
    }

    async fn say_of_messages(&mut self, method: basic::AMQPMethod) {
        self.say(CHANNEL, AMQPClass::Basic(method)).await;
    }

    async fn ack(&mut self, delivery_tag: u64, multiple: bool) {
        self.say_of_messages(basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple })).await;
    }

    async fn nack(&mut self, delivery_tag: u64, multiple: bool) {
        let nack = basic::Nack { delivery_tag, multiple, requeue: false };
        self.say_of_messages(basic::AMQPMethod::Nack(nack)).await;
    }

    async fn hear(&mut self) -> AMQPFrame {
        loop {
            if let Ok((rest, frame)) = parse_frame(self.read.as_slice()) {
                let rest = rest.len();
                self.read.drain(..self.read.len() - rest);
                return frame;
            }
            assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "the client has gone");
        }
    }

    async fn hear_method(&mut self) -> AMQPClass {
        match self.hear().await {
            AMQPFrame::Method(_, class) => class,
            other => panic!("{other}"),
        }
    }

    /// Everything from the greeting to the open channel; gives the answer to the greeting.
    async fn welcome(&mut self) -> connection::StartOk {
        self.greet().await;
        let AMQPClass::Connection(connection::AMQPMethod::StartOk(answer)) = self.hear_method().await else { panic!() };
        self.tune(FRAME_BYTES_MAX, HEARTBEAT_SECONDS).await;
        let AMQPClass::Connection(connection::AMQPMethod::TuneOk(_)) = self.hear_method().await else { panic!() };
        let AMQPClass::Connection(connection::AMQPMethod::Open(_)) = self.hear_method().await else { panic!() };
        self.say(0, AMQPClass::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {}))).await;
        let AMQPClass::Channel(channel::AMQPMethod::Open(_)) = self.hear_method().await else { panic!() };
        self.say(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::OpenOk(channel::OpenOk {}))).await;
        let AMQPClass::Confirm(confirm::AMQPMethod::Select(_)) = self.hear_method().await else { panic!() };
        self.say(CHANNEL, AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}))).await;
        answer
    }

    async fn greet(&mut self) {
        let AMQPFrame::ProtocolHeader(_) = self.hear().await else { panic!() };
        let mut capabilities = FieldTable::default();
        capabilities.insert("publisher_confirms".into(), AMQPValue::Boolean(true));
        let mut server_properties = FieldTable::default();
        server_properties.insert("product".into(), AMQPValue::LongString("RabbitMQ".into()));
        server_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties,
            mechanisms: "AMQPLAIN PLAIN".into(),
            locales: "en_US".into(),
        };
        self.say(0, AMQPClass::Connection(connection::AMQPMethod::Start(start))).await;
    }

    async fn tune(&mut self, frame_max: u32, heartbeat: u16) {
        let tune = connection::Tune { channel_max: 2047, frame_max, heartbeat };
        self.say(0, AMQPClass::Connection(connection::AMQPMethod::Tune(tune))).await;
    }

    /// Sends a message back that carries `tag`.
    async fn give_back(&mut self, tag: &str, body: &[u8]) {
        let returned = basic::Return {
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
            exchange: "e".into(),
            routing_key: "k".into(),
        };
        self.say_of_messages(basic::AMQPMethod::Return(returned)).await;
        let mut headers = FieldTable::default();
        headers.insert("signature".into(), AMQPValue::LongString("A".repeat(2000).into()));
        let properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_headers(headers)
            .with_delivery_mode(2)
            .with_priority(1)
            .with_correlation_id(tag.into())
            .with_message_id("same".into());
        let header = amq_protocol::frame::AMQPContentHeader { class_id: 60, body_size: body.len() as u64, properties };
        self.send(&bytes_of(&AMQPFrame::Header(CHANNEL, header))).await;
        for part in body.chunks(100) {
            self.send(&bytes_of(&AMQPFrame::Body(CHANNEL, part.to_vec()))).await;
        }
    }
}

fn bytes_of(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(WriteContext::from(Vec::new())).unwrap().into_inner().0
}

/// A client that is open, and its broker.
async fn open() -> (Broker, Connection) {
    let (mut broker, stream) = Broker::new();
    let uri = "amqp://user:sesame@somewhere/host".parse().unwrap();
    let (opened, _) = tokio::join!(over(Box::new(stream), &uri, "a name"), broker.welcome());
    (broker, opened.unwrap_or_else(|broken| panic!("{broken}")))
}

fn outgoing(body: impl Into<Bytes>) -> Outgoing {
    Outgoing { exchange: "e", routing_key: "k".into(), properties: Properties::new(&TOLD), body: body.into() }
}

fn publish(connection: &mut Connection, body: impl Into<Bytes>) -> Answer {
    let (reply, answer) = oneshot::channel();
    connection.publish(request(outgoing(body), reply), Instant::now());
    answer
}

fn request(outgoing: Outgoing, reply: Reply) -> Request {
    Request { outgoing, reply, permit: InFlight::new(1, 1).try_enter(1).unwrap() }
}

/// Lets the connection write and read what there is; an error is its end.
async fn exchange(connection: &mut Connection) -> Result<(), Broken> {
    tokio::select! {
        biased;
        broken = poll_fn(|context| connection.poll(context, Instant::now())) => Err(broken),
        () = tokio::task::yield_now() => Ok(()),
    }
}

/// What an answer is by now.
fn by_now(answer: &mut Answer) -> Option<Result<Confirmed, PublishError>> {
    answer.try_recv().ok()
}

const HOUR: Duration = Duration::from_hours(1);
