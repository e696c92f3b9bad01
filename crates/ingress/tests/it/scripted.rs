//! A queue that does what a test tells it to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use events::{Checkpoint, RawWebhook};
use queue::{Message, PublishEngine, PublishError, Publisher, QueueState};
use tokio::sync::{Semaphore, watch};

pub(crate) struct Scripted {
    messages: Mutex<Vec<Message>>,
    webhooks_fail: Mutex<Option<PublishError>>,
    marks_fail: Mutex<Option<PublishError>>,
    /// A webhook takes one before it is stored.
    permits: Semaphore,
    arrived: Semaphore,
    state: watch::Sender<QueueState>,
}

/// What the receiver holds: when it is gone, so is the receiver's last handle.
struct Engine(Arc<Scripted>);

impl Scripted {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            messages: Mutex::default(),
            webhooks_fail: Mutex::default(),
            marks_fail: Mutex::default(),
            permits: Semaphore::new(Semaphore::MAX_PERMITS),
            arrived: Semaphore::new(0),
            state: watch::Sender::new(QueueState::Ready),
        })
    }

    pub(crate) fn publisher(self: &Arc<Self>) -> Publisher {
        Publisher::new(Arc::new(Engine(Arc::clone(self))))
    }

    pub(crate) fn webhooks_fail_with(&self, error: Option<PublishError>) {
        *self.webhooks_fail.lock().unwrap() = error;
    }

    pub(crate) fn marks_fail_with(&self, error: Option<PublishError>) {
        *self.marks_fail.lock().unwrap() = error;
    }

    pub(crate) fn set_state(&self, state: QueueState) {
        self.state.send_replace(state);
    }

    /// From now on webhooks wait for [`Self::release`].
    pub(crate) fn hold(&self) {
        self.permits.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self, webhooks: usize) {
        self.permits.add_permits(webhooks);
    }

    /// Waits for a webhook to come, stored or not.
    pub(crate) async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub(crate) fn webhooks(&self) -> Vec<RawWebhook> {
        let messages = self.messages.lock().unwrap();
        let webhook = |message: &Message| match message {
            Message::Webhook(webhook) => Some(webhook.clone()),
            Message::Checkpoint(_) => None,
        };
        messages.iter().filter_map(webhook).collect()
    }

    pub(crate) fn marks(&self) -> Vec<Checkpoint> {
        let messages = self.messages.lock().unwrap();
        let mark = |message: &Message| match message {
            Message::Checkpoint(mark) => Some(mark.clone()),
            Message::Webhook(_) => None,
        };
        messages.iter().filter_map(mark).collect()
    }
}

#[async_trait]
impl PublishEngine for Engine {
    async fn publish(&self, message: Message) -> Result<(), PublishError> {
        let fail = match message {
            Message::Webhook(_) => {
                self.0.arrived.add_permits(1);
                self.0.permits.acquire().await.unwrap().forget();
                self.0.webhooks_fail.lock().unwrap().clone()
            }
            Message::Checkpoint(_) => self.0.marks_fail.lock().unwrap().clone(),
        };
        if let Some(error) = fail {
            return Err(error);
        }
        self.0.messages.lock().unwrap().push(message);
        Ok(())
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.0.state.subscribe()
    }
}
