//! Keys that are not known: accepted as pending, within bounds while somebody can be asked about them.

use std::sync::Arc;
use std::time::Duration;

use events::{UtcMicros, Verification};
use ingress::{Outcome, Settings};
use serde_json::json;
use uuid::Uuid;
use verification::{KeySet, KeySnapshot};

use crate::harness::{BODY, Receiver, app, request, seconds, settings, snapshot_answered};
use crate::raw::Answer;

fn few() -> Settings {
    Settings {
        unknown_keys_burst: 2,
        unknown_keys_per_second: 0,
        pending_burst: 4,
        pending_per_second: 0,
        ..settings()
    }
}

async fn send(receiver: &Receiver, kid: u128) -> (String, Answer) {
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": Uuid::from_u128(kid)});
    let jwt = receiver.signer.sign(&header, &json!({"iat": seconds()}));
    let answer = receiver.ask(&request("POST", "/webhooks/main", &[("vumi-verification", &jwt)], BODY)).await;
    (jwt, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_accepted_as_pending_with_its_jwt() {
    let receiver = Receiver::start();
    let (jwt, answer) = send(&receiver, 7).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.starts_with(r#"{"status":"accepted","#), "the sender need not know: {answer:?}");
    let stored = receiver.queue.webhooks().pop().unwrap();
    assert_eq!(stored.verification, Verification::Pending { kid: Uuid::from_u128(7), jwt });
    receiver.counted_only("main", Outcome::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_becomes_known_verifies_from_then_on() {
    let receiver = Receiver::start();
    let (_, answer) = send(&receiver, 7).await;
    assert_eq!(answer.status, 200);
    let mut keys = KeySet::default();
    keys.insert(&app(), Uuid::from_u128(7), &receiver.signer.jwk()).unwrap();
    receiver.keys.send_replace(KeySnapshot { keys: Arc::new(keys), ..snapshot_answered(UtcMicros::now()) });
    let (_, answer) = send(&receiver, 7).await;
    assert_eq!(answer.status, 200);
    assert_eq!((receiver.counted("main", Outcome::Pending), receiver.counted("main", Outcome::Accepted)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_keys_gets_429_and_known_keys_pass() {
    let receiver = Receiver::with(few());
    for kid in [1, 2] {
        assert_eq!(send(&receiver, kid).await.1.status, 200);
    }
    for kid in 3..20 {
        let (_, answer) = send(&receiver, kid).await;
        answer.is_problem(429);
        assert_eq!(answer.header("retry-after"), Some("30"));
    }
    assert_eq!(receiver.counted("main", Outcome::UnknownKeys), 17);
    assert_eq!(receiver.queue.webhooks().len(), 2);
    assert_eq!(send(&receiver, 19).await.1.status, 200, "a key that comes again is let in by another bound");
    assert_eq!(receiver.post(BODY).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_unknown_key_gets_429() {
    let receiver = Receiver::with(few());
    // Its first, its share of the others' bound, and what of that is not kept for others.
    for _ in 0..3 {
        assert_eq!(send(&receiver, 1).await.1.status, 200);
    }
    send(&receiver, 1).await.1.is_problem(429);
    assert_eq!(receiver.counted("main", Outcome::PendingRate), 1);
    for _ in 0..2 {
        assert_eq!(send(&receiver, 2).await.1.status, 200, "another key is not kept out");
    }
    assert_eq!(receiver.post(BODY).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_be_asked_nothing_is_refused() {
    let receiver = Receiver::with(few());
    let long_ago = UtcMicros::now().minus(Duration::from_secs(61));
    let never = KeySnapshot { answered: Arc::default(), ..snapshot_answered(long_ago) };
    // The source itself is there all the time.
    for (first, snapshot) in [(100, never), (200, snapshot_answered(long_ago))] {
        assert!(snapshot.read_at.is_some());
        receiver.keys.send_replace(snapshot);
        for kid in first..first + 10 {
            assert_eq!(send(&receiver, kid).await.1.status, 200);
        }
    }
    assert_eq!(receiver.counted("main", Outcome::Pending), 20);
}
