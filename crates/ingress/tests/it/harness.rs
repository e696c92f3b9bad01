//! A receiver of the app `main`, with a scripted queue behind it and a key to sign with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::{AppName, BodyHash, UtcMicros};
use ingress::{Error, Metrics, Outcome, Settings, Wiring};
use listener::Limits;
use prometheus::Registry;
use queue::Publisher;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use verification::{HeardTime, KeySet, KeySnapshot, Mode, Rules};

use crate::raw::{Answer, Client};
use crate::scripted::Scripted;
use crate::signer::Signer;

pub(crate) const BODY: &[u8] = br#"{"connectionToken":"K7QF2M9ZTA"}"#;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) queue: Arc<Scripted>,
    pub(crate) signer: Signer,
    pub(crate) keys: watch::Sender<KeySnapshot>,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<Result<(), Error>>,
    registry: Registry,
}

pub(crate) fn settings() -> Settings {
    Settings { grace: Duration::ZERO, ..Settings::default() }
}

/// A snapshot without keys, read now, of a source that heard of Finlink last at `at`.
pub(crate) fn snapshot_answered(at: UtcMicros) -> KeySnapshot {
    let answered = [(app(), at)].into();
    let now = UtcMicros::now();
    let time = Some(HeardTime { at: now, heard: Instant::now() });
    KeySnapshot { keys: Arc::default(), read_at: Some(now), answered: Arc::new(answered), time }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::build(settings, Mode::Enforce, None)
    }

    /// Over `publisher` where one is given, else over the scripted queue.
    pub(crate) fn build(settings: Settings, mode: Mode, publisher: Option<Publisher>) -> Self {
        let (queue, signer, registry) = (Scripted::new(), Signer::generate(), Registry::new());
        let mut known = KeySet::default();
        known.insert(&app(), signer.kid, &signer.jwk()).unwrap();
        let snapshot = KeySnapshot { keys: Arc::new(known), ..snapshot_answered(UtcMicros::now()) };
        let (keys, seen) = watch::channel(snapshot);
        let wiring = Wiring {
            apps: vec![app()],
            settings,
            limits: Limits { workers: 2, ..Limits::default() },
            rules: Rules::default(),
            mode,
            keys: seen,
            publisher: publisher.unwrap_or_else(|| queue.publisher()),
            metrics: Metrics::register(&registry).unwrap(),
        };
        let bound = listener::bind("listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, stop) = (bound.address(), CancellationToken::new());
        let ended = tokio::spawn(ingress::start(bound, wiring, stop.clone()));
        Self { address, queue, signer, keys, stop, ended, registry }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A signature that binds `body`.
    pub(crate) fn signature(&self, body: &[u8]) -> String {
        self.signature_with(&json!({"iat": seconds(), "request_body_sha256": BodyHash::of(body).to_string()}))
    }

    pub(crate) fn signature_with(&self, claims: &Value) -> String {
        self.signer.sign(&self.signer.header(), claims)
    }

    /// A whole request, signed and sent as it should be.
    pub(crate) fn webhook(&self, body: &[u8]) -> Vec<u8> {
        request("POST", "/webhooks/main", &[("vumi-verification", &self.signature(body))], body)
    }

    pub(crate) async fn ask(&self, request: &[u8]) -> Answer {
        let mut client = self.client().await;
        client.send(request).await;
        client.answer().await
    }

    pub(crate) async fn post(&self, body: &[u8]) -> Answer {
        self.ask(&self.webhook(body)).await
    }

    pub(crate) fn counted(&self, app: &str, outcome: Outcome) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "finlinkd_ingress_requests_total").unwrap();
        let wanted = [("app", app), ("outcome", outcome.word())];
        let series = family.get_metric().iter().find(|metric| {
            wanted.iter().all(|(name, value)| {
                metric.get_label().iter().any(|label| label.name() == *name && label.value() == *value)
            })
        });
        series.map_or(0, |metric| metric.get_counter().get_value() as u64)
    }

    /// Exactly one request was counted, as `outcome` of `app`.
    pub(crate) fn counted_only(&self, app: &str, outcome: Outcome) {
        for each in Outcome::all() {
            for name in ["main", "unknown"] {
                let expected = u64::from(each == outcome && name == app);
                assert_eq!(self.counted(name, each), expected, "{name} {}", each.word());
            }
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "finlinkd_ingress_in_flight").unwrap();
        family.get_metric()[0].get_gauge().get_value() as usize
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stopped(self) -> Arc<Scripted> {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
        self.queue
    }
}

pub(crate) fn app() -> AppName {
    "main".parse().unwrap()
}

pub(crate) fn seconds() -> i64 {
    UtcMicros::now().0 / 1_000_000
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = head(method, path, headers, &format!("content-length: {}", body.len()));
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn head(method: &str, path: &str, headers: &[(&str, &str)], framing: &str) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: finlinkd\r\n{framing}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Waits for something that another thread is about to do.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
