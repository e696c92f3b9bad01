//! Messages whose properties no client of ours would write and lapin cannot read: they come as what a stranger sent.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use queue::rabbitmq::{DEAD_LETTERS, WEBHOOKS};
use queue::{Content, Message, Subscription};
use tests::servers::shared::{broker, new_virtual_host};

use super::{engine, next, receipts, until_ready, virtual_host_of, webhook};

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const BODY_BYTES: &[u8] = b"strange";

/// A connection that writes what it is told, and reads only when it has to wait.
struct Bare(TcpStream);

fn short(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes(), text].concat()
}

impl Bare {
    /// As the all-powerful user of the shared broker, with a channel whose messages are confirmed.
    fn open(virtual_host: &str) -> Self {
        let mut bare = Self(TcpStream::connect((Ipv4Addr::LOCALHOST, broker().port())).unwrap());
        bare.0.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
        bare.read();
        bare.call(0, (10, 11), &[long(b""), short(b"PLAIN"), long(b"\0guest\0guest"), short(b"en_US")].concat());
        let limits = bare.read();
        bare.call(0, (10, 31), &limits[4..]);
        bare.call(0, (10, 40), &[short(virtual_host.as_bytes()), short(b""), vec![0]].concat());
        bare.read();
        bare.call(1, (20, 10), &short(b""));
        bare.read();
        bare.call(1, (85, 10), &[0]);
        bare.read();
        bare
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let frame = [&[kind], &channel.to_be_bytes()[..], &long(payload), &[206]].concat();
        self.0.write_all(&frame).unwrap();
    }

    fn call(&mut self, channel: u16, (class, method): (u16, u16), arguments: &[u8]) {
        self.frame(METHOD, channel, &[&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat());
    }

    /// The payload of the next frame.
    fn read(&mut self) -> Vec<u8> {
        let mut head = [0; 7];
        self.0.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[3..].try_into().unwrap()) as usize;
        let mut payload = vec![0; length + 1];
        self.0.read_exact(&mut payload).unwrap();
        payload.pop();
        payload
    }

    /// Publishes to an exchange with properties as they lie on the wire: flags, and what they announce.
    fn publish(&mut self, exchange: &str, properties: &[u8]) {
        self.call(1, (60, 40), &[b"\0\0".to_vec(), short(exchange.as_bytes()), short(b"demo"), vec![0]].concat());
        let length = BODY_BYTES.len() as u64;
        self.frame(HEADER, 1, &[&60_u16.to_be_bytes(), &[0, 0], &length.to_be_bytes()[..], properties].concat());
        self.frame(BODY, 1, BODY_BYTES);
    }

    /// Waits until the broker has stored so many messages: only then does what others publish come behind them.
    fn until_stored(&mut self, count: u64) {
        let mut open: BTreeSet<u64> = (1..=count).collect();
        while !open.is_empty() {
            let answer = self.read();
            assert_eq!(answer[..4], [0, 60, 0, 80], "the broker refuses what was published: {answer:?}");
            let tag = u64::from_be_bytes(answer[4..12].try_into().unwrap());
            let is_for_all_before = answer[12] == 1;
            open.retain(|other| if is_for_all_before { *other > tag } else { *other != tag });
        }
    }
}

/// A message id that is not UTF-8, headers with such a name, and tables in one another, in a depth that takes a stack.
fn unreadable() -> Vec<Vec<u8>> {
    let headers = |table: &[u8]| [&(1_u16 << 13).to_be_bytes()[..], &long(table)].concat();
    let nested = |depth| (0..depth).fold(Vec::new(), |table, _| [b"\x01aF", &long(&table)[..]].concat());
    vec![
        [&(1_u16 << 7).to_be_bytes()[..], &short(b"caf\xe9")].concat(),
        headers(b"\x04caf\xe9V"),
        headers(&nested(1000)),
        headers(&nested(15_000)),
    ]
}

/// Takes what was published: first the strange messages, then one of ours.
async fn come_as_foreign(subscription: &mut Subscription, count: usize) {
    let mut foreign = 0;
    loop {
        let batch = next(subscription).await;
        for delivery in batch.deliveries() {
            if let Content::Foreign { bytes, reason } = &delivery.content {
                assert_eq!(bytes[..], *BODY_BYTES);
                assert!(reason.contains("properties that cannot be read"), "{reason}");
                foreign += 1;
            }
        }
        let ours = receipts(&batch).len();
        batch.ack().await.unwrap();
        if ours > 0 {
            assert_eq!((foreign, ours), (count, 1));
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_that_cannot_be_read_stop_neither_webhooks_nor_dead_letters() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
    let unreadable = unreadable();
    tokio::task::block_in_place(|| {
        let mut bare = Bare::open(virtual_host_of(&url));
        for exchange in [WEBHOOKS, DEAD_LETTERS] {
            for properties in &unreadable {
                bare.publish(exchange, properties);
            }
        }
        bare.until_stored(2 * unreadable.len() as u64);
    });
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
    let (mut webhooks, _state) = engine(&url).subscribe();
    come_as_foreign(&mut webhooks, unreadable.len()).await;

    // What the broker sets aside comes behind those that lie there.
    publisher.publish(Message::Webhook(webhook("demo", 2))).await.unwrap();
    for _ in 0..=queue::rabbitmq::DELIVERY_LIMIT {
        drop(next(&mut webhooks).await);
    }
    let (mut dead_letters, _state) = engine(&url).dead_letters();
    come_as_foreign(&mut dead_letters, unreadable.len()).await;
}
