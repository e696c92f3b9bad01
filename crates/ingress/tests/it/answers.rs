//! The rows of the table that have nothing to do with signatures, keys or sizes.

use std::time::Duration;

use events::{Receipt, Verification};
use ingress::{Outcome, Settings};
use queue::PublishError;
use verification::Mode;

use crate::harness::{BODY, Receiver, eventually, request, settings};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_durable_gets_200_and_its_receipt() {
    let receiver = Receiver::start();
    let headers = [
        ("vumi-verification", &*receiver.signature(BODY)),
        ("content-type", "application/json; charset=utf-8"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let answer = receiver.ask(&request("POST", "/webhooks/main", &headers, BODY)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let stored = receiver.queue.webhooks().pop().unwrap();
    assert_eq!(answer.body, format!(r#"{{"status":"accepted","receipt":"{}"}}"#, stored.receipt));
    assert_eq!(stored.receipt.0.get_version_num(), 7);
    assert_eq!(stored.app.as_str(), "main");
    assert_eq!(&stored.body[..], BODY);
    assert_eq!(stored.body_sha256, events::BodyHash::of(BODY));
    assert_eq!(stored.content_type.as_deref(), Some(headers[1].1));
    assert_eq!(stored.traceparent.as_deref(), Some(headers[2].1));
    assert_eq!(stored.verification, Verification::Verified { kid: receiver.signer.kid, binds_body: true });
    assert_eq!((stored.sequence, stored.decided_through), (1, 0));
    receiver.counted_only("main", Outcome::Accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_slash_is_tolerated_and_a_connection_is_kept() {
    let receiver = Receiver::start();
    let mut client = receiver.client().await;
    let signature = receiver.signature(BODY);
    for path in ["/webhooks/main", "/webhooks/main/", "/webhooks/main?x=1"] {
        client.send(&request("POST", path, &[("vumi-verification", &signature)], BODY)).await;
        assert_eq!(client.answer().await.status, 200, "{path}");
    }
    assert_eq!(receiver.counted("main", Outcome::Accepted), 3);
    let webhooks = receiver.queue.webhooks();
    let sequences: Vec<_> = webhooks.iter().map(|webhook| (webhook.sequence, webhook.decided_through)).collect();
    assert_eq!(sequences, [(1, 0), (2, 1), (3, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_app_gets_404() {
    for path in ["/webhooks/other", "/webhooks/MAIN", "/webhooks/..", "/webhooks/%00"] {
        let receiver = Receiver::start();
        receiver
            .ask(&request("POST", path, &[("vumi-verification", &receiver.signature(BODY))], BODY))
            .await
            .is_problem(404);
        receiver.counted_only("unknown", Outcome::UnknownApp);
        assert!(receiver.queue.webhooks().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_gets_404() {
    for path in ["/", "/webhooks", "/webhooks/", "/webhooks/main/more", "/metrics"] {
        let receiver = Receiver::start();
        receiver
            .ask(&request("POST", path, &[("vumi-verification", &receiver.signature(BODY))], BODY))
            .await
            .is_problem(404);
        receiver.counted_only("unknown", Outcome::UnknownPath);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_gets_405_with_allow() {
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let receiver = Receiver::start();
        let answer = receiver.ask(&request(method, "/webhooks/main", &[], b"")).await;
        answer.is_problem(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        receiver.counted_only("main", Outcome::Method);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_gets_503_with_retry_after() {
    for (error, outcome) in [
        (PublishError::Full("test".to_owned()), Outcome::QueueFull),
        (PublishError::Unavailable("test".to_owned()), Outcome::QueueUnavailable),
        (PublishError::Refused("test".to_owned()), Outcome::QueueRefused),
        (PublishError::OutcomeUnknown("test".to_owned()), Outcome::QueueUnknown),
    ] {
        let receiver = Receiver::start();
        receiver.queue.webhooks_fail_with(Some(error));
        let answer = receiver.post(BODY).await;
        answer.is_problem(503);
        assert_eq!(answer.header("retry-after"), Some("30"));
        assert!(!answer.body.contains("test"), "what is wrong inside is not the sender's business: {answer:?}");
        receiver.counted_only("main", outcome);
        // As soon as it can be kept again it is, on the same terms.
        receiver.queue.webhooks_fail_with(None);
        assert_eq!(receiver.post(BODY).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_gets_503_and_is_finished_all_the_same() {
    let receiver = Receiver::with(Settings { publish_timeout: Duration::from_millis(50), ..settings() });
    receiver.queue.hold();
    let answer = receiver.post(BODY).await;
    answer.is_problem(503);
    assert_eq!(answer.header("retry-after"), Some("30"));
    receiver.counted_only("main", Outcome::QueueUnknown);
    assert_eq!(receiver.in_flight(), 1, "its body is still held");
    receiver.queue.release(1);
    eventually("the attempt ends", || receiver.in_flight() == 0).await;
    assert_eq!(receiver.queue.webhooks().len(), 1);
    let mark = receiver.stopped().await.marks().pop().unwrap();
    assert!(mark.last && mark.decided_through == 1 && mark.refused.is_empty(), "{mark:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_verification_off_nobody_looks() {
    let receiver = Receiver::build(settings(), Mode::Off, None);
    let answer = receiver.ask(&request("POST", "/webhooks/main", &[("vumi-verification", "junk")], BODY)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(receiver.queue.webhooks()[0].verification, Verification::Unchecked);
    receiver.counted_only("main", Outcome::Accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_can_be_read_back() {
    let receiver = Receiver::start();
    let answer: serde_json::Value = serde_json::from_str(&receiver.post(BODY).await.body).unwrap();
    let receipt: Receipt = answer["receipt"].as_str().unwrap().parse().unwrap();
    assert_eq!(receiver.queue.webhooks()[0].receipt, receipt);
}
