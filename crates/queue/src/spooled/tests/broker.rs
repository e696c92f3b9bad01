//! A broker that does what a test says.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::publisher::PublishEngine;
use crate::testing::number;
use crate::{Message, PublishError, Publisher, QueueState};

/// What it does with a message.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    Accept,
    Fail(PublishError),
    /// Refuses this number, accepts the others.
    RefuseOne(u64),
    /// Says nothing until [`Broker::speak`].
    Silent,
}

pub(super) struct Broker {
    manner: Mutex<Manner>,
    state: watch::Sender<QueueState>,
    /// What was confirmed, in order.
    taken: Mutex<Vec<u64>>,
    asked: watch::Sender<usize>,
    spoken: watch::Sender<Option<Result<(), PublishError>>>,
}

impl Broker {
    pub(super) fn new(state: QueueState) -> Arc<Self> {
        Arc::new(Self {
            manner: Mutex::new(Manner::Accept),
            state: watch::Sender::new(state),
            taken: Mutex::new(Vec::new()),
            asked: watch::Sender::new(0),
            spoken: watch::Sender::new(None),
        })
    }

    pub(super) fn publisher(self: &Arc<Self>) -> Publisher {
        Publisher::new(Arc::new(Connection(self.clone())))
    }

    pub(super) fn becomes(&self, state: QueueState) {
        self.state.send_replace(state);
    }

    pub(super) fn behaves(&self, manner: Manner) {
        *self.manner.lock().expect("not poisoned") = manner;
    }

    /// To everyone who waits for a word, now and from now on.
    pub(super) fn speak(&self, word: Result<(), PublishError>) {
        self.spoken.send_replace(Some(word));
    }

    pub(super) fn taken(&self) -> Vec<u64> {
        self.taken.lock().expect("not poisoned").clone()
    }

    /// How often it was asked to take something.
    pub(super) fn asked(&self) -> usize {
        *self.asked.borrow()
    }

    pub(super) async fn asked_so_often(&self, times: usize) {
        self.asked.subscribe().wait_for(|asked| *asked >= times).await.expect("it lives");
    }

    async fn take(&self, n: u64) -> Result<(), PublishError> {
        self.asked.send_modify(|asked| *asked += 1);
        let manner = self.manner.lock().expect("not poisoned").clone();
        match manner {
            Manner::Fail(error) => return Err(error),
            Manner::RefuseOne(one) if one == n => return Err(PublishError::Refused("not that one".to_owned())),
            Manner::Accept | Manner::RefuseOne(_) => {}
            Manner::Silent => {
                let mut spoken = self.spoken.subscribe();
                let word = spoken.wait_for(Option::is_some).await.expect("it lives").clone();
                word.expect("waited for")?;
            }
        }
        self.taken.lock().expect("not poisoned").push(n);
        Ok(())
    }
}

struct Connection(Arc<Broker>);

#[async_trait]
impl PublishEngine for Connection {
    async fn publish(&self, message: Message) -> Result<(), PublishError> {
        self.0.take(number(&message)).await
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.0.state.subscribe()
    }
}
