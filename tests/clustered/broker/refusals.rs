//! Starting wrong: each way says what is wrong and what to do, and keeps trying.

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use queue::rabbitmq::WEBHOOKS;
use queue::{Message, QueueState};

use super::{
    PATIENCE, engine, limit_connections, new_virtual_host, next, shared, until_ready, virtual_host_of, webhook,
};

/// What a publisher says of a broker that it cannot use.
async fn complaint(url: &str) -> String {
    let (publisher, _ended) = engine(url).publisher();
    let mut state = publisher.state();
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    let down = tokio::time::timeout(PATIENCE, down).await.expect("it complains").unwrap().clone();
    match down {
        QueueState::Down(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_not_shown() {
    let why = complaint(&shared().url_for("guest", "sesame")).await;
    assert!(why.contains("refused user or password"), "{why}");
    assert!(!why.contains("sesame"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_virtual_host_is_named() {
    let why = complaint(&shared().url().replace("%2f", "nowhere")).await;
    assert!(why.contains("virtual host"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_connections_is_named() {
    let url = new_virtual_host();
    limit_connections(&url, 0);
    let why = complaint(&url).await;
    assert!(why.contains("a limit of connections is reached"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_arguments_is_found() {
    let url = new_virtual_host();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(WEBHOOKS.into(), options, arguments).await.unwrap();
    let (mut subscription, mut state) = engine(&url).subscribe();
    let consuming = tokio::spawn(async move { next(&mut subscription).await });
    let down = state.wait_for(|state| matches!(state, QueueState::Down(_)));
    let down = tokio::time::timeout(PATIENCE, down).await.expect("it complains").unwrap().clone();
    consuming.abort();
    let QueueState::Down(why) = down else { panic!("{down:?}") };
    assert!(why.contains("the queue finlinkd.webhooks exists with other properties"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_write_publishes_once_the_topology_is_there() {
    let url = new_virtual_host();
    let host = virtual_host_of(&url).to_owned();
    let user = format!("writer-{host}");
    shared().control(&["add_user", &user, "secret"]).unwrap();
    shared().control(&["set_permissions", "--vhost", &host, &user, "^$", "^finlinkd\\.webhooks$", "^$"]).unwrap();
    let writer = url.replace("guest:guest", &format!("{user}:secret"));
    let why = complaint(&writer).await;
    assert!(why.contains("is not there and this user may not declare it"), "{why}");

    let (administrator, _ended) = engine(&url).publisher();
    until_ready(&administrator).await;
    let (publisher, _ended) = engine(&writer).publisher();
    until_ready(&publisher).await;
    publisher.publish(Message::Webhook(webhook("demo", 1))).await.unwrap();
}
