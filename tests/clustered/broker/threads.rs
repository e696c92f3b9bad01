//! Publishing from threads with runtimes of their own, as the workers of the HTTP server are.

use std::collections::BTreeSet;
use std::time::Duration;

use events::Receipt;
use futures_util::future::join_all;
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use queue::rabbitmq::{self, WEBHOOKS};
use queue::spooled::Spooled;
use queue::{Message, Metrics, PublishError, Publisher, QueueState, SpoolSettings};
use tests::proxy::{Fault, FaultProxy};

use super::confirms::{administrator, declare_full};
use super::{
    PATIENCE, engine, engine_with, limit_connections, new_virtual_host, next, receipts, settings, shared, until_ready,
    virtual_host_of, webhook,
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
        let (publisher, ended) = engine_with(&url, rabbitmq::Settings { lanes_max, ..settings() }).publisher();
        until_ready(&publisher).await;
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
    let (publisher, _ended) = engine(&url).publisher();
    until_ready(&publisher).await;
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
    let all = async {
        while connections(&url) < 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("each thread gets its connection");
    drop(stop);
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap())).await.unwrap();
}

/// A broker that takes what it gets and is not heard.
async fn unheard() -> (String, String, FaultProxy) {
    let url = new_virtual_host();
    let server = format!("127.0.0.1:{}", shared().port()).parse().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let through = url.replace(&server.to_string(), &proxy.address().to_string());
    (url, through, proxy)
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::async_yields_async, reason = "what a thread leaves unfinished is looked at after its end")]
async fn what_waits_on_a_thread_that_ends_has_an_unknown_outcome() {
    let (_, through, proxy) = unheard().await;
    let (publisher, _ended) = engine(&through).publisher();
    until_ready(&publisher).await;
    let (goes_deaf, deaf) = tokio::sync::oneshot::channel();
    let (is_up, up) = tokio::sync::oneshot::channel();
    let waiting = on_a_thread(publisher.clone(), |publisher| async move {
        publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
        is_up.send(()).unwrap();
        deaf.await.unwrap();
        let mut waiting = Box::pin(async move { publisher.publish(Message::Webhook(webhook("demo", 2))).await });
        let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(early.is_err(), "nothing is heard, and yet {early:?}");
        waiting
    });
    up.await.unwrap();
    proxy.set(Fault::DeafClient);
    goes_deaf.send(()).unwrap();
    let waiting = tokio::task::spawn_blocking(|| waiting.join().unwrap()).await.unwrap();
    let outcome = tokio::time::timeout(PATIENCE, waiting).await.expect("it is answered");
    assert!(matches!(outcome, Err(PublishError::OutcomeUnknown(_))), "{outcome:?}");

    // The engine goes on without that thread.
    proxy.set(Fault::Reset);
    proxy.set(Fault::None);
    let stored = async {
        while publisher.publish(Message::Webhook(webhook("demo", 3))).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.expect("it works again");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::async_yields_async, reason = "what a thread leaves unfinished is looked at after its end")]
async fn what_waits_on_a_thread_that_ends_goes_to_the_spool() {
    let (url, through, proxy) = unheard().await;
    let (primary, _ended) = engine(&through).publisher();
    until_ready(&primary).await;
    let folder = tempfile::tempdir().unwrap();
    // It would wait for the broker for ever: only the end of the thread makes it go on.
    let patient = SpoolSettings {
        folder: folder.path().to_owned(),
        broker_timeout: Duration::from_hours(1),
        reserve_bytes: 0,
        ..SpoolSettings::default()
    };
    let spooled = Spooled::open(primary, &patient, &Metrics::register(&prometheus::Registry::new()).unwrap()).unwrap();
    let publisher = spooled.publisher();
    until_ready(&publisher).await;
    let message = webhook("demo", 2);
    let receipt = message.receipt;
    let main = tokio::runtime::Handle::current();
    let (goes_deaf, deaf) = tokio::sync::oneshot::channel();
    let (is_up, up) = tokio::sync::oneshot::channel();
    let waiting = on_a_thread(publisher.clone(), move |publisher| async move {
        publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
        is_up.send(()).unwrap();
        deaf.await.unwrap();
        let mut waiting = Box::pin(async move { publisher.publish(Message::Webhook(message)).await });
        // As the ingress does it: timers belong to the main runtime, which outlives this one.
        let early = std::future::poll_fn(|context| {
            let _main = main.enter();
            std::task::Poll::Ready(waiting.as_mut().poll(context).is_ready())
        });
        assert!(!early.await);
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting
    });
    up.await.unwrap();
    proxy.set(Fault::DeafClient);
    goes_deaf.send(()).unwrap();
    let waiting = tokio::task::spawn_blocking(|| waiting.join().unwrap()).await.unwrap();
    let outcome = tokio::time::timeout(PATIENCE, waiting).await.expect("it is answered");
    assert_eq!(outcome, Ok(()));
    assert_eq!(spooled.depth().messages, 1, "it is in the spool");

    proxy.set(Fault::Reset);
    proxy.set(Fault::None);
    let (mut subscription, _state) = engine(&url).subscribe();
    let mut delivered = Vec::new();
    while !delivered.contains(&receipt) || spooled.depth().messages > 0 {
        let batch = next(&mut subscription).await;
        delivered.extend(receipts(&batch));
        batch.ack().await.unwrap();
    }
    spooled.close().await;
}
