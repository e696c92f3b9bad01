//! What goes in comes out, whole; what ingress never wrote is told apart.

use events::{Checkpoint, SequenceRange, UtcMicros, Verification};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use queue::rabbitmq::WEBHOOKS;
use queue::{Content, Message};
use uuid::Uuid;

use super::{engine, new_virtual_host, next, until_ready, webhook};

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_message_survives_the_broker() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    let (mut subscription, _state) = engine(&url).subscribe();
    until_ready(&publisher).await;

    let mut verified = webhook("demo", 1);
    verified.verification = Verification::Verified { kid: Uuid::new_v4(), binds_body: true };
    verified.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    let mut pending = webhook("other_app", 2);
    pending.verification = Verification::Pending { kid: Uuid::new_v4(), jwt: "a.b.c".repeat(300) };
    pending.content_type = Some("x".repeat(1000));
    let mut unchecked = webhook("demo", 3);
    unchecked.content_type = None;
    unchecked.body = bytes::Bytes::from_static(b"\x00\xff not utf-8");
    unchecked.body_sha256 = events::BodyHash::of(&unchecked.body);
    let checkpoint = Checkpoint {
        instance: Uuid::new_v4(),
        started_at: UtcMicros(1),
        at: UtcMicros::now(),
        decided_through: 3,
        refused: vec![SequenceRange { from: 2, through: 2 }],
        last: true,
    };
    let sent = [
        Message::Webhook(verified),
        Message::Webhook(pending),
        Message::Webhook(unchecked),
        Message::Checkpoint(checkpoint),
    ];
    for message in &sent {
        publisher.publish(message.clone()).await.unwrap();
    }

    let mut got = Vec::new();
    while got.len() < sent.len() {
        let batch = next(&mut subscription).await;
        got.extend(batch.deliveries().iter().map(|delivery| delivery.content.clone()));
        batch.ack().await.unwrap();
    }
    assert_eq!(got, sent.map(Content::Message));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_ingress_never_wrote_is_foreign_and_says_why() {
    let url = new_virtual_host();
    let (publisher, _ended) = engine(&url).publisher();
    let (mut subscription, _state) = engine(&url).subscribe();
    until_ready(&publisher).await;

    let stranger = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = stranger.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let large = vec![7; 10 * 1024 * 1024];
    let typed = BasicProperties::default().with_type("finlinkd.webhook.v1".into());
    for (properties, body) in [
        (BasicProperties::default(), &b"no headers"[..]),
        (BasicProperties::default().with_type("order.created".into()), b"{}"),
        (typed.clone().with_message_id("not a receipt".into()), b"{}"),
        (typed, &large),
    ] {
        let options = BasicPublishOptions::default();
        let confirm = channel.basic_publish(WEBHOOKS.into(), "demo".into(), options, body, properties).await.unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }

    let mut reasons = Vec::new();
    while reasons.len() < 4 {
        let batch = next(&mut subscription).await;
        for delivery in batch.deliveries() {
            let Content::Foreign { reason, .. } = &delivery.content else { panic!("{delivery:?} is not foreign") };
            reasons.push(reason.clone());
        }
        batch.ack().await.unwrap();
    }
    assert!(reasons[0].contains("the property type"), "{reasons:?}");
    assert!(reasons[1].contains("order.created"), "{reasons:?}");
    assert!(reasons[2].contains("body-sha256"), "{reasons:?}");
    assert!(reasons[3].contains("message_id"), "{reasons:?}");
}
