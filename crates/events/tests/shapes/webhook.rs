//! A webhook on its way to the store.

use bytes::Bytes;
use events::{BodyHash, Checkpoint, RawWebhook, Receipt, SequenceRange, UtcMicros, Verification};
use serde_json::json;
use uuid::Uuid;

fn verifications() -> [Verification; 4] {
    let kid = Uuid::from_u128(7);
    [
        Verification::Verified { kid, binds_body: true },
        Verification::Verified { kid, binds_body: false },
        Verification::Pending { kid, jwt: "secret.jwt.here".to_owned() },
        Verification::Unchecked,
    ]
}

fn webhook(verification: Verification) -> RawWebhook {
    RawWebhook {
        receipt: Receipt(Uuid::from_u128(1)),
        app: "shop".parse().unwrap(),
        instance: Uuid::from_u128(2),
        sequence: 3,
        decided_through: 2,
        received_at: UtcMicros(0),
        verification,
        content_type: Some("application/json".to_owned()),
        traceparent: None,
        body_sha256: BodyHash::of(b"{\"secret\": 1}"),
        body: Bytes::from_static(b"{\"secret\": 1}"),
    }
}

#[test]
fn what_is_known_of_a_signature_is_written_and_read_back() {
    for verification in verifications() {
        let written = serde_json::to_value(&verification).unwrap();
        assert_eq!(written["verification"], verification.word());
        assert_eq!(serde_json::from_value::<Verification>(written).unwrap(), verification);
    }
}

#[test]
fn only_a_signature_that_covers_the_body_binds_it() {
    assert_eq!(verifications().map(|verification| verification.binds_body()), [true, false, false, false]);
    let kid = Some(Uuid::from_u128(7));
    assert_eq!(verifications().map(|verification| verification.kid()), [kid, kid, kid, None]);
}

#[test]
fn the_envelope_stands_beside_the_body_and_does_not_repeat_it() {
    let written =
        serde_json::to_value(webhook(Verification::Verified { kid: Uuid::from_u128(7), binds_body: true })).unwrap();
    assert_eq!(
        written,
        json!({
            "receipt": "00000000-0000-0000-0000-000000000001",
            "app": "shop",
            "instance": "00000000-0000-0000-0000-000000000002",
            "sequence": 3,
            "decided_through": 2,
            "received_at": "1970-01-01T00:00:00.000000Z",
            "verification": "verified",
            "kid": "00000000-0000-0000-0000-000000000007",
            "binds_body": true,
            "content_type": "application/json",
            "traceparent": null,
            "body_sha256": BodyHash::of(b"{\"secret\": 1}").to_string(),
        })
    );
}

#[test]
fn neither_jwt_nor_body_is_shown_by_debug() {
    for verification in verifications() {
        let shown = format!("{:?}", webhook(verification));
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("13 bytes") && shown.contains("shop"), "{shown}");
    }
}

#[test]
fn a_checkpoint_is_written_and_read_back() {
    let checkpoint = Checkpoint {
        instance: Uuid::from_u128(2),
        started_at: UtcMicros(0),
        at: UtcMicros(1),
        decided_through: 9,
        refused: vec![SequenceRange { from: 3, through: 5 }],
        last: true,
    };
    let written = serde_json::to_value(&checkpoint).unwrap();
    assert_eq!(written["refused"], json!([{"from": 3, "through": 5}]));
    assert_eq!(serde_json::from_value::<Checkpoint>(written).unwrap(), checkpoint);
}
