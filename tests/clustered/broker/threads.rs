//! Publishing from threads with runtimes of their own, as the workers of the HTTP server are.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use events::{RawWebhook, Receipt};
use futures_util::future::join_all;
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use queue::rabbitmq::{self, WEBHOOKS};
use queue::spooled::Spooled;
use queue::{Message, Metrics, PublishError, Publisher, QueueState, SpoolSettings};
use tests::looking::eventually;
use tests::proxy::{Fault, FaultProxy};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::confirms::{administrator, declare_full};
use super::{
    PATIENCE, engine, engine_with, limit_connections, new_virtual_host, next, passes, proxied, receipts, settings,
    shared, until_ready, virtual_host_of, webhook,
};

const THREADS: u64 = 4;
/// Callers on each thread at the same time.
const CALLERS: u64 = 16;
/// Messages of each caller.
const EACH: u64 = 100;

type Results = Vec<(Receipt, &'static str, Result<(), PublishError>)>;

/// Runs on a new thread with a runtime of its own, attached to `publisher`.
fn on_a_thread<F: Future<Output: Send + 'static>>(
    publisher: Publisher,
    work: impl FnOnce(Publisher) -> F + Send + 'static,
) -> std::thread::JoinHandle<F::Output> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            publisher.attach_thread();
            work(publisher).await
        })
    })
}

/// An engine that is ready, and its end.
async fn ready(url: &str, settings: rabbitmq::Settings) -> (Publisher, JoinHandle<()>) {
    let (publisher, ended) = engine_with(url, settings).publisher();
    until_ready(&publisher).await;
    (publisher, ended)
}

/// Publishes to three apps by turns, from many callers on each of many threads at once.
async fn publish_everywhere(publisher: &Publisher) -> Results {
    let work = |thread: u64| {
        move |publisher: Publisher| async move {
            let caller = |caller: u64| {
                let publisher = publisher.clone();
                async move {
                    let mut results = Vec::new();
                    for number in 0..EACH {
                        let app = match (thread + caller + number) % 7 {
                            0 => "refusing",
                            3 => "nowhere",
                            _ => "demo",
                        };
                        let message = webhook(app, (thread * CALLERS + caller) * EACH + number);
                        let receipt = message.receipt;
                        results.push((receipt, app, publisher.publish(Message::Webhook(message)).await));
                    }
                    results
                }
            };
            join_all((0..CALLERS).map(caller)).await.into_iter().flatten().collect::<Results>()
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|thread| on_a_thread(publisher.clone(), work(thread))).collect();
    let joined =
        tokio::task::spawn_blocking(|| threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect());
    joined.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refused_and_returned_messages_fail_their_own_callers_on_every_thread() {
    // A lane for each thread, a lane for some of them, and one lane for all.
    for lanes_max in [8, 3, 1] {
        let url = new_virtual_host();
        let (publisher, ended) = ready(&url, rabbitmq::Settings { lanes_max, ..settings() }).await;
        let (_connection, channel) = administrator(&url).await;
        declare_full(&channel, "refusing").await;
        let bind = QueueBindOptions::default();
        channel.queue_bind(WEBHOOKS.into(), WEBHOOKS.into(), "demo".into(), bind, FieldTable::default()).await.unwrap();
        channel.queue_unbind(WEBHOOKS.into(), WEBHOOKS.into(), "#".into(), FieldTable::default()).await.unwrap();
        // A quorum queue takes what comes before it knows that it is full.
        while publisher.publish(Message::Webhook(webhook("refusing", 0))).await.is_ok() {}

        let mut stored = BTreeSet::new();
        for (receipt, app, result) in publish_everywhere(&publisher).await {
            match app {
                "refusing" => assert!(matches!(result, Err(PublishError::Full(_))), "refused, yet {result:?}"),
                "nowhere" => assert!(matches!(result, Err(PublishError::Unavailable(_))), "returned, yet {result:?}"),
                _ => {
                    assert_eq!(result, Ok(()), "an accepted message was reported as lost");
                    stored.insert(receipt);
                }
            }
        }
        let (mut subscription, _state) = engine(&url).subscribe();
        let mut delivered = BTreeSet::new();
        while delivered.len() < stored.len() {
            let batch = next(&mut subscription).await;
            delivered.extend(receipts(&batch));
            batch.ack().await.unwrap();
        }
        assert_eq!(delivered, stored);
        drop(publisher);
        tokio::time::timeout(PATIENCE, ended).await.expect("the engine ends with its last publisher").unwrap();
    }
}

/// Of the publishing connections of an address, how many the broker shows.
fn connections(url: &str) -> usize {
    let listed = shared().control(&["list_connections", "--silent", "vhost", "state"]).unwrap();
    let host = virtual_host_of(url);
    listed.lines().filter(|line| line.contains(host) && line.contains("running")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_without_a_connection_of_their_own_publish_on_another_until_there_is_one() {
    let url = new_virtual_host();
    let (publisher, _ended) = ready(&url, settings()).await;
    publisher.publish(Message::Webhook(webhook("demo", 0))).await.unwrap();
    limit_connections(&url, 1);
    let (stop, stopped) = tokio::sync::watch::channel(());
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (mut stopped, tell) = (stopped.clone(), tell.clone());
            on_a_thread(publisher.clone(), move |publisher| async move {
                // What was given to a lane before it knew that it could not open is refused.
                while publisher.publish(Message::Webhook(webhook("demo", 1))).await.is_err() {}
                for sequence in 2..100 {
                    publisher.publish(Message::Webhook(webhook("demo", sequence))).await.unwrap();
                }
                tell.send(()).await.unwrap();
                drop(stopped.changed().await);
            })
        })
        .collect();
    for _ in 0..threads.len() {
        tokio::time::timeout(PATIENCE, told.recv()).await.expect("it publishes").expect("nothing is refused");
    }
    assert_eq!(*publisher.state().borrow(), QueueState::Ready);
    assert_eq!(connections(&url), 1);

    limit_connections(&url, -1);
    let all = eventually("each thread gets its connection", async || match connections(&url) {
        4.. => Ok(()),
        some => Err(format!("there are {some}")),
    });
    all.await;
    drop(stop);
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap())).await.unwrap();
}

/// An engine behind a proxy.
struct Unheard {
    url: String,
    proxy: Arc<FaultProxy>,
    publisher: Publisher,
}

impl Unheard {
    async fn start() -> Self {
        let url = new_virtual_host();
        let (through, proxy) = proxied(&url).await;
        let (publisher, _ended) = ready(&through, settings()).await;
        Self { url, proxy, publisher }
    }

    /// A thread publishes a message, of which the broker hears and the thread does not hear again, and ends. What becomes of
    /// the message then.
    #[allow(clippy::async_yields_async, reason = "what a thread leaves unfinished is looked at after its end")]
    async fn left_by_a_thread(&self, publisher: &Publisher, message: RawWebhook) -> Result<(), PublishError> {
        let (proxy, main) = (Arc::clone(&self.proxy), Handle::current());
        let thread = on_a_thread(publisher.clone(), |publisher| async move {
            publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
            proxy.set(Fault::DeafClient);
            let passed = passes(&proxy, message.receipt);
            let mut waiting = Box::pin(async move { publisher.publish(Message::Webhook(message)).await });
            // As the ingress does it: timers belong to the main runtime, which outlives this one.
            let early = poll_fn(|context| {
                let _main = main.enter();
                Poll::Ready(waiting.as_mut().poll(context).is_ready())
            });
            assert!(!early.await, "nothing is heard, and yet it is answered");
            passed.await;
            waiting
        });
        let waiting = tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
        tokio::time::timeout(PATIENCE, waiting).await.expect("it is answered")
    }

    /// The network is well again.
    fn is_heard(&self) {
        self.proxy.set(Fault::Reset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_a_thread_that_ends_has_an_unknown_outcome() {
    let scene = Unheard::start().await;
    let outcome = scene.left_by_a_thread(&scene.publisher, webhook("demo", 2)).await;
    assert!(matches!(outcome, Err(PublishError::OutcomeUnknown(_))), "{outcome:?}");

    // The engine goes on without that thread.
    scene.is_heard();
    let works = eventually("it works again", async || {
        scene.publisher.publish(Message::Webhook(webhook("demo", 3))).await.map_err(|error| error.to_string())
    });
    works.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_a_thread_that_ends_goes_to_the_spool() {
    let scene = Unheard::start().await;
    let folder = tempfile::tempdir().unwrap();
    // It would wait for the broker for ever: only the end of the thread makes it go on.
    let patient = SpoolSettings {
        folder: folder.path().to_owned(),
        broker_timeout: Duration::from_hours(1),
        reserve_bytes: 0,
        ..SpoolSettings::default()
    };
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let spooled = Spooled::open(scene.publisher.clone(), &patient, &metrics).unwrap();
    let publisher = spooled.publisher();
    until_ready(&publisher).await;
    let message = webhook("demo", 2);
    let receipt = message.receipt;
    assert_eq!(scene.left_by_a_thread(&publisher, message).await, Ok(()));
    assert_eq!(spooled.depth().messages, 1, "it is in the spool");

    scene.is_heard();
    let (mut subscription, _state) = engine(&scene.url).subscribe();
    let mut delivered = Vec::new();
    while !delivered.contains(&receipt) || spooled.depth().messages > 0 {
        let batch = next(&mut subscription).await;
        delivered.extend(receipts(&batch));
        batch.ack().await.unwrap();
    }
    spooled.close().await;
}
