//! Signatures that are refused, each with 401, its own counter, and nothing in the queue.

use std::time::{Duration, Instant};

use events::{BodyHash, UtcMicros, Verification};
use ingress::Outcome;
use serde_json::json;
use verification::{HeardTime, Refusal};

use crate::harness::{BODY, Receiver, request, seconds};
use crate::raw::Answer;
use crate::signer::{Signer, encode};

async fn send(receiver: &Receiver, signatures: &[&str]) -> Answer {
    let headers: Vec<_> = signatures.iter().map(|signature| ("vumi-verification", *signature)).collect();
    receiver.ask(&request("POST", "/webhooks/main", &headers, BODY)).await
}

async fn refused(receiver: &Receiver, signatures: &[&str], outcome: Outcome) {
    let answer = send(receiver, signatures).await;
    answer.is_problem(401);
    assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    assert!(signatures.iter().all(|signature| signature.len() < 9 || !answer.body.contains(signature)), "{answer:?}");
    receiver.counted_only("main", outcome);
    assert!(receiver.queue.webhooks().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn none_at_all() {
    refused(&Receiver::start(), &[], Outcome::SignatureMissing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_them_even_if_both_are_good() {
    let receiver = Receiver::start();
    let good = receiver.signature(BODY);
    refused(&receiver, &[&good, &good], Outcome::SignatureRepeated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage() {
    for garbage in ["", "a.b.c", "x", "....", "eyJ.e30.", "\u{fc}.\u{fc}.\u{fc}"] {
        refused(&Receiver::start(), &[garbage], Outcome::Signature(Refusal::Malformed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_algorithm() {
    for alg in ["none", "HS256", "RS256"] {
        let receiver = Receiver::start();
        let header = json!({"alg": alg, "typ": "JWT", "kid": receiver.signer.kid});
        let signed = receiver.signer.sign(&header, &json!({}));
        refused(&receiver, &[&signed], Outcome::Signature(Refusal::Algorithm)).await;
        let receiver = Receiver::start();
        let unsigned = format!("{}.{}.", encode(header.to_string().as_bytes()), encode(b"{}"));
        refused(&receiver, &[&unsigned], Outcome::Signature(Refusal::Algorithm)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_not_as_they_must_be() {
    let kid = Signer::generate().kid;
    for (header, refusal) in [
        (json!({"alg": "ES256", "kid": kid}), Refusal::Type),
        (json!({"alg": "ES256", "typ": "JWT", "kid": kid, "crit": ["b64"]}), Refusal::Critical),
        (json!({"alg": "ES256", "typ": "JWT", "kid": "../keys"}), Refusal::KeyId),
        (json!({"alg": "ES256", "typ": "JWT"}), Refusal::KeyId),
    ] {
        let receiver = Receiver::start();
        let signed = receiver.signer.sign(&header, &json!({}));
        refused(&receiver, &[&signed], Outcome::Signature(refusal)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_and_another_keys_signature() {
    let (receiver, forger) = (Receiver::start(), Signer::generate());
    let forged = forger.sign(&receiver.signer.header(), &json!({}));
    refused(&receiver, &[&forged], Outcome::Signature(Refusal::Signature)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_do_not_hold() {
    const DAY: i64 = 24 * 3600;
    for (claims, refusal) in [
        (json!({"iat": seconds() - 2 * DAY}), Refusal::TooOld),
        (json!({"exp": seconds() - 2 * DAY}), Refusal::Expired),
        (json!({"nbf": seconds() + DAY}), Refusal::NotYet),
        (json!({"iat": "yesterday"}), Refusal::Claims),
        (json!({"request_body_sha256": BodyHash::of(b"another body").to_string()}), Refusal::BodyHash),
    ] {
        let receiver = Receiver::start();
        let signed = receiver.signature_with(&claims);
        refused(&receiver, &[&signed], Outcome::Signature(refusal)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_by_the_stores_clock_or_by_our_own_is_right() {
    const DAYS: Duration = Duration::from_hours(48);
    let receiver = Receiver::start();
    let now = UtcMicros::now();
    for (store, wrong) in [(now.plus(DAYS), now.plus(2 * DAYS)), (now.minus(DAYS), now.minus(2 * DAYS))] {
        let time = Some(HeardTime { at: store, heard: Instant::now() });
        receiver.keys.send_modify(|snapshot| snapshot.time = time);
        let signed = |at: UtcMicros| receiver.signature_with(&json!({"iat": at.0 / 1_000_000}));
        for by in [store, now] {
            assert_eq!(send(&receiver, &[&signed(by)]).await.status, 200);
            let received_at = receiver.queue.webhooks().last().unwrap().received_at;
            assert!(received_at >= by && received_at.since(by) < DAYS / 2, "dated by the clock by which it is right");
        }
        send(&receiver, &[&signed(wrong)]).await.is_problem(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_by_a_clock_that_nobody_vouches_for_is_kept_as_if_its_key_were_unknown() {
    const DAYS: i64 = 2 * 24 * 3600;
    let (receiver, forger) = (Receiver::start(), Signer::generate());
    receiver.keys.send_modify(|snapshot| snapshot.time = None);
    for iat in [seconds() - DAYS, seconds() + DAYS] {
        let signed = receiver.signature_with(&json!({"iat": iat}));
        assert_eq!(send(&receiver, &[&signed]).await.status, 200);
        let verification = receiver.queue.webhooks().last().unwrap().verification.clone();
        assert_eq!(verification, Verification::Pending { kid: receiver.signer.kid, jwt: signed });
        // But not what is signed by another key, nor what comes with another body.
        let forged = forger.sign(&receiver.signer.header(), &json!({"iat": iat}));
        send(&receiver, &[&forged]).await.is_problem(401);
    }
    let signed = receiver.signature_with(&json!({"iat": seconds() - DAYS, "request_body_sha256": "00"}));
    send(&receiver, &[&signed]).await.is_problem(401);
    assert_eq!(receiver.queue.webhooks().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_signature_without_a_hash_is_accepted_and_binds_nothing() {
    let receiver = Receiver::start();
    let signed = receiver.signature_with(&json!({"iat": seconds()}));
    assert_eq!(send(&receiver, &[&signed]).await.status, 200);
    assert!(!receiver.queue.webhooks()[0].verification.binds_body());
}
