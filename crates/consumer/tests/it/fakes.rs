//! A queue and a store that do as a test says, and that remember what was done to them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use consumer::{Consumer, Metrics, Settings};
use events::{BodyHash, Checkpoint, RawWebhook, Receipt, UtcMicros, Verification};
use prometheus::Registry;
use queue::{Batch, BatchLimits, Content, Delivery, Message, Settle, Source, Stale, Subscription};
use store::{DeadLetter, Intake, Reading, Recorded, StoreError};
use tokio::sync::{Semaphore, mpsc, watch};
use uuid::Uuid;

/// What happened to a batch, named by its first message's number in the order of taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Acked(usize),
    GivenBack(usize),
}

/// The test's end of the queue.
pub(crate) struct Queue {
    batches: mpsc::Sender<Vec<Delivery>>,
    pub(crate) settled: Arc<Mutex<Vec<Settled>>>,
}

struct ScriptedSource {
    batches: mpsc::Receiver<Vec<Delivery>>,
    settled: Arc<Mutex<Vec<Settled>>>,
    taken: usize,
    stale: bool,
    asked: watch::Sender<usize>,
    acks_after: usize,
}

struct ScriptedSettle {
    number: usize,
    settled: Arc<Mutex<Vec<Settled>>>,
    stale: bool,
    asked: watch::Receiver<usize>,
    acks_after: usize,
}

#[async_trait]
impl Source for ScriptedSource {
    async fn next_batch(&mut self, _limits: &BatchLimits) -> Option<Batch> {
        self.asked.send_modify(|asked| *asked += 1);
        let deliveries = self.batches.recv().await?;
        let settle = ScriptedSettle {
            number: self.taken,
            settled: self.settled.clone(),
            stale: self.stale,
            asked: self.asked.subscribe(),
            acks_after: self.acks_after,
        };
        self.taken += 1;
        Some(Batch::new(deliveries, Box::new(settle)))
    }
}

#[async_trait]
impl Settle for ScriptedSettle {
    async fn ack(mut self: Box<Self>) -> Result<(), Stale> {
        let after = self.acks_after;
        self.asked.wait_for(|asked| *asked >= after).await.unwrap();
        self.settled.lock().unwrap().push(Settled::Acked(self.number));
        if self.stale { Err(Stale("the channel was closed".to_owned())) } else { Ok(()) }
    }

    fn give_back(self: Box<Self>) {
        self.settled.lock().unwrap().push(Settled::GivenBack(self.number));
    }
}

impl Queue {
    pub(crate) fn new(stale: bool) -> (Self, Subscription) {
        Self::with(stale, 0)
    }

    /// A queue whose acknowledgements are answered only once so many batches were asked for.
    pub(crate) fn that_acks_after(acks_after: usize) -> (Self, Subscription) {
        Self::with(false, acks_after)
    }

    fn with(stale: bool, acks_after: usize) -> (Self, Subscription) {
        let (batches, receiver) = mpsc::channel(100);
        let settled = Arc::<Mutex<Vec<Settled>>>::default();
        let (asked, settled_by) = (watch::Sender::new(0), settled.clone());
        let source = ScriptedSource { batches: receiver, settled: settled_by, taken: 0, stale, asked, acks_after };
        (Self { batches, settled }, Subscription::new(Box::new(source)))
    }

    pub(crate) fn holds(&self, deliveries: Vec<Delivery>) {
        self.batches.try_send(deliveries).unwrap();
    }

    pub(crate) fn settled(&self) -> Vec<Settled> {
        self.settled.lock().unwrap().clone()
    }
}

/// A store in memory with faults to order.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) state: Mutex<State>,
    /// When set, a call of `record` waits for a permit of it.
    pub(crate) gate: Option<Arc<Semaphore>>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) receipts: Vec<Receipt>,
    bodies: HashSet<BodyHash>,
    pub(crate) marks: Vec<Checkpoint>,
    pub(crate) letters: Vec<DeadLetter>,
    pub(crate) calls: Vec<usize>,
    pub(crate) probes: usize,
    pub(crate) culprits: HashSet<Receipt>,
    pub(crate) panics_on: HashSet<Receipt>,
    /// With one of these a call fails as if the store were away.
    pub(crate) stumbles_on: HashSet<Receipt>,
    /// With this one so many more calls find a lock in their way.
    pub(crate) locked: Option<(Receipt, u32)>,
    /// Answers of the coming calls (any method), before the store behaves again.
    pub(crate) errors: VecDeque<StoreError>,
}

impl Store {
    pub(crate) fn gated() -> (Arc<Self>, Arc<Semaphore>) {
        let gate = Arc::new(Semaphore::new(0));
        (Arc::new(Self { gate: Some(gate.clone()), ..Self::default() }), gate)
    }

    pub(crate) fn fails(&self, times: usize) {
        let errors = (0..times).map(|_| StoreError::Unavailable("no route to host".to_owned()));
        self.state.lock().unwrap().errors.extend(errors);
    }
}

#[async_trait]
impl Intake for Store {
    async fn record(&self, readings: &[Reading]) -> Result<Vec<Recorded>, StoreError> {
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.calls.push(readings.len());
        if let Some(error) = state.errors.pop_front() {
            return Err(error);
        }
        for reading in readings {
            let receipt = reading.webhook.receipt;
            assert!(!state.panics_on.contains(&receipt), "a fault of ours");
            if state.stumbles_on.contains(&receipt) {
                return Err(StoreError::Unavailable("the write failed".to_owned()));
            }
            if let Some((locked, left)) = &mut state.locked
                && *locked == receipt
                && *left > 0
            {
                *left -= 1;
                return Err(StoreError::Obstructed("lock timeout".to_owned()));
            }
            if state.culprits.contains(&receipt) {
                return Err(StoreError::Culprit(receipt, "a value that no column takes".to_owned()));
            }
        }
        let mut recorded = Vec::new();
        for Reading { webhook, .. } in readings {
            recorded.push(if state.receipts.contains(&webhook.receipt) {
                Recorded::Redelivered
            } else {
                state.receipts.push(webhook.receipt);
                if state.bodies.insert(webhook.body_sha256) { Recorded::New } else { Recorded::Duplicate }
            });
        }
        Ok(recorded)
    }

    async fn mark(&self, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        if let Some(error) = state.errors.pop_front() {
            return Err(error);
        }
        state.marks.extend_from_slice(checkpoints);
        Ok(())
    }

    async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(error) = state.errors.pop_front() {
            return Err(error);
        }
        state.letters.extend_from_slice(letters);
        Ok(())
    }

    async fn unbury(&self, _ids: &[i64]) -> Result<u64, StoreError> {
        unreachable!("a consumer removes no letter")
    }

    async fn discard(&self, _ids: &[i64], _now: UtcMicros) -> Result<u64, StoreError> {
        unreachable!("a consumer removes no letter")
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        state.probes += 1;
        state.errors.front().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// A consumer between them, with its registry.
pub(crate) fn consumer(subscription: Subscription, store: &Arc<Store>, settings: Settings) -> (Consumer, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (Consumer::new(subscription, store.clone(), settings, metrics), registry)
}

/// A webhook of the app `main` with this body.
pub(crate) fn webhook(body: &str) -> RawWebhook {
    let body = Bytes::from(body.to_owned());
    RawWebhook {
        receipt: Receipt::draw(),
        app: "main".parse().unwrap(),
        instance: Uuid::nil(),
        sequence: 1,
        decided_through: 0,
        received_at: UtcMicros::now(),
        verification: Verification::Verified { kid: Uuid::nil(), binds_body: true },
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(&body),
        body,
    }
}

pub(crate) fn delivery(webhook: &RawWebhook, earlier_attempts: u32) -> Delivery {
    Delivery { content: Content::Message(Message::Webhook(webhook.clone())), earlier_attempts }
}

/// First deliveries of so many webhooks with different bodies.
pub(crate) fn deliveries(count: usize) -> (Vec<RawWebhook>, Vec<Delivery>) {
    let webhooks: Vec<_> = (0..count).map(|n| webhook(&format!(r#"{{"connectionToken":"CONN{n:06}"}}"#))).collect();
    let deliveries = webhooks.iter().map(|webhook| delivery(webhook, 0)).collect();
    (webhooks, deliveries)
}

/// The value of `finlinkd_consumer_messages_total` for a result, over all apps.
pub(crate) fn counted(registry: &Registry, result: &str) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "finlinkd_consumer_messages_total").unwrap();
    let of_result = family
        .get_metric()
        .iter()
        .filter(|metric| metric.get_label().iter().any(|label| label.name() == "result" && label.value() == result));
    of_result.map(|metric| metric.get_counter().get_value() as u64).sum()
}
