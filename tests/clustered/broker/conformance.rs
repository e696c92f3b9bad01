//! The scenarios that every engine of the queue must pass.

use async_trait::async_trait;
use queue::conformance::{Engine, Queue};
use queue::rabbitmq::RabbitMq;
use queue::{Publisher, Subscription};
use tokio::task::block_in_place;

use super::{engine, new_virtual_host, shared, until_ready, virtual_host_of};

/// A virtual host of its own on the shared broker.
struct Broker;

#[async_trait]
impl Engine for Broker {
    async fn open(&self) -> Box<dyn Queue> {
        Box::new(Open::at(block_in_place(new_virtual_host)).await)
    }
}

struct Open {
    url: String,
    engine: RabbitMq,
    publisher: Publisher,
}

impl Open {
    async fn at(url: String) -> Self {
        let engine = engine(&url);
        let (publisher, _ended) = engine.publisher();
        until_ready(&publisher).await;
        Self { url, engine, publisher }
    }
}

#[async_trait]
impl Queue for Open {
    fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    fn subscribe(&self) -> Subscription {
        self.engine.subscribe().0
    }

    async fn cut_off(self: Box<Self>) -> Box<dyn Queue> {
        let Self { url, engine, publisher } = *self;
        drop((publisher, engine));
        let cut = ["close_all_connections", "--vhost", virtual_host_of(&url), "cut off"];
        block_in_place(|| shared().control(&cut).unwrap());
        Box::new(Self::at(url).await)
    }
}

queue::queue_conformance_tests!(Broker);
