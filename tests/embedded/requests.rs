//! Requests that are no webhook, or too much of one: each has its answer and its counter, and the next good one is taken.

use tests::binary::Finlinkd;
use tests::customer::APP;
use tests::http::{Message, Wire, once};
use tests::looking::eventually;
use tests::scene::{Scene, outcomes};
use tests::sender::{Sender, naming, receipt};
use tests::signing::{claims_of, request};

/// The design's limits.
const BODY_BYTES_MAX: usize = 256 * 1024;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// What counts requests that concern no app.
const NO_APP: &str = "unknown";

struct Receiver {
    scene: Scene,
    running: Finlinkd,
    sender: Sender,
}

impl Receiver {
    async fn start() -> Self {
        let mut scene = Scene::brisk().await;
        scene.setup.set("INGRESS__BODY_TIMEOUT", "1s");
        let running = scene.setup.run().await.unwrap();
        let sender = scene.sender(&running).await;
        Self { scene, running, sender }
    }

    /// Sends it and expects this answer and this count more of this outcome.
    async fn refuses(&self, what: &str, request: &[u8], status: u16, app: &str, outcome: &str) -> Message {
        let before = outcomes(&self.running, app, outcome).await;
        let answer = once(self.sender.address, request).await.unwrap();
        assert_eq!(answer.status(), status, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        assert_eq!(answer.json().unwrap()["status"], status, "{what}");
        assert_eq!(outcomes(&self.running, app, outcome).await, before + 1, "{what} counts as {outcome}");
        answer
    }

    /// A good webhook is still taken and kept, and nothing else is.
    async fn keeps_only(self, mut receipts: Vec<String>) {
        receipts.push(self.sender.send("AAAAAAAAAA").await.unwrap());
        self.scene.person().finds(&receipts).await;
        assert_eq!(self.scene.person().webhooks().await.len(), receipts.len());
        self.running.stop().await.unwrap();
    }
}

fn filled(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"connectionToken":"AAAAAAAAAA","padding":""#.to_vec();
    body.resize(bytes - 2, b'x');
    body.extend_from_slice(br#""}"#);
    body
}

fn chunked(sender: &Sender, body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let jwt = sender.key.sign(&claims_of(body)).unwrap();
    let mut request = format!(
        "POST /webhooks/{APP} HTTP/1.1\r\nhost: x\r\nvumi-verification: {jwt}\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(chunk_bytes) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_go_astray_are_told_where_to_go() {
    let receiver = Receiver::start().await;
    let jwt = receiver.sender.key.sign(&claims_of(b"{}")).unwrap();
    let elsewhere = request("nobody", &jwt, b"{}");
    receiver.refuses("an unknown app", &elsewhere, 404, NO_APP, "unknown_app").await;
    for path in ["/", "/webhooks", "/webhooks/", "/webhooks/main/more", "/metrics", "/v1/connections"] {
        let astray = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let answer = once(receiver.sender.address, astray.as_bytes()).await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let wrong = format!("{method} /webhooks/{APP} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let answer = receiver.refuses(method, wrong.as_bytes(), 405, APP, "method").await;
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let good = String::from_utf8(receiver.sender.request(&naming("AAAAAAAAAA")).unwrap().to_vec()).unwrap();
    let slashed = good.replacen("/webhooks/main ", "/webhooks/main/ ", 1);
    let slashed = receipt(&once(receiver.sender.address, slashed.as_bytes()).await.unwrap()).unwrap();
    let no_http = once(receiver.sender.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.unwrap();
    assert_eq!(no_http.status(), 400, "a TLS client at a plain port");
    receiver.keeps_only(vec![slashed]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_allowed_up_to_their_limit_and_not_a_byte_more() {
    let receiver = Receiver::start().await;
    let sender = &receiver.sender;
    let mut kept = Vec::new();
    let (largest, too_large) = (filled(BODY_BYTES_MAX), filled(BODY_BYTES_MAX + 1));
    kept.push(receipt(&sender.post(&largest).await.unwrap()).unwrap());
    receiver.refuses("a byte too much", &sender.request(&too_large).unwrap(), 413, APP, "body_too_large").await;
    let in_chunks = once(sender.address, &chunked(sender, &largest, 1000)).await.unwrap();
    kept.push(receipt(&in_chunks).unwrap());
    let chunks = chunked(sender, &too_large, 1000);
    receiver.refuses("a byte too much in chunks", &chunks, 413, APP, "body_too_large").await;
    let declared = format!(
        "POST /webhooks/{APP} HTTP/1.1\r\nhost: x\r\nvumi-verification: a.b.c\r\ncontent-length: 999999999999\r\n\r\n"
    );
    receiver.refuses("a terabyte declared", declared.as_bytes(), 413, APP, "body_too_large").await;

    let body = naming("AAAAAAAAAA");
    let with_padding = |bytes: usize| {
        let padding = format!("content-type: application/json\r\nx-padding: {}\r\n", "x".repeat(bytes));
        let request = String::from_utf8(sender.request(&body).unwrap().to_vec()).unwrap();
        request.replacen("content-type: application/json\r\n", &padding, 1).into_bytes()
    };
    let long = once(sender.address, &with_padding(HEAD_BYTES_MAX - 1024)).await.unwrap();
    kept.push(receipt(&long).unwrap());
    receiver.refuses("a long head", &with_padding(HEAD_BYTES_MAX), 413, APP, "head_too_large").await;
    let endless = once(sender.address, &with_padding(1024 * 1024)).await;
    assert!(endless.is_err() || endless.is_ok_and(|answer| answer.status() >= 400), "an endless head is no webhook");
    receiver.keeps_only(kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_half_way_is_given_up_and_counted() {
    let receiver = Receiver::start().await;
    let whole = receiver.sender.request(&naming("AAAAAAAAAA")).unwrap();
    let half = &whole[..whole.len() - 10];
    receiver.refuses("a sender that falls silent", half, 408, APP, "body_slow").await;

    let mut gone = Wire::open(receiver.sender.address).await.unwrap();
    gone.send(half).await.unwrap();
    gone.reset();
    let ended = eventually("a sender that went away is counted", async || {
        let broken = outcomes(&receiver.running, APP, "body_broken").await;
        let abandoned = outcomes(&receiver.running, APP, "abandoned").await;
        if broken + abandoned == 1 { Ok(()) } else { Err(format!("{broken} broken, {abandoned} abandoned")) }
    });
    ended.await;

    let mut slow = Wire::open(receiver.sender.address).await.unwrap();
    let head = format!("POST /webhooks/{APP} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    slow.send(head.as_bytes()).await.unwrap();
    slow.send(b"zz\r\n").await.unwrap();
    let answer = slow.receive().await.unwrap().unwrap();
    assert!([400, 408].contains(&answer.status()), "chunks that are none: {}", answer.line);
    receiver.keeps_only(Vec::new()).await;
}
