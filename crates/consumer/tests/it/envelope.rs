//! A dead letter is enough to publish its message again.

use bytes::Bytes;
use consumer::envelope::{NotRestorable, letter, restore};
use events::{Checkpoint, SequenceRange, UtcMicros, Verification};
use queue::{Content, Message};
use store::DeadLetterReason;
use uuid::Uuid;

use crate::fakes::webhook;

fn there_and_back(message: &Message) -> Result<Message, NotRestorable> {
    let letter = letter(&Content::Message(message.clone()), DeadLetterReason::Culprit, "why", UtcMicros(7));
    restore(&letter.envelope, letter.body)
}

#[test]
fn a_webhook_comes_back_with_every_field() {
    let mut raw = webhook("\u{0}{}");
    raw.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    (raw.sequence, raw.decided_through) = (u64::from(u32::MAX) + 9, 17);
    for verification in [
        Verification::Verified { kid: Uuid::max(), binds_body: true },
        Verification::Pending { kid: Uuid::max(), jwt: "a.b.c".to_owned() },
        Verification::Unchecked,
    ] {
        raw.verification = verification;
        let message = Message::Webhook(raw.clone());
        assert_eq!(there_and_back(&message), Ok(message));
    }
}

#[test]
fn a_checkpoint_comes_back() {
    let message = Message::Checkpoint(Checkpoint {
        instance: Uuid::max(),
        started_at: UtcMicros(1),
        at: UtcMicros(2),
        decided_through: 3,
        refused: vec![SequenceRange { from: 1, through: 2 }],
        last: true,
    });
    assert_eq!(there_and_back(&message), Ok(message));
}

#[test]
fn what_is_foreign_or_was_tampered_with_does_not() {
    let content = Content::Foreign { bytes: Bytes::from_static(b"x"), reason: "no type".to_owned() };
    let foreign = letter(&content, DeadLetterReason::Foreign, "no type", UtcMicros(7));
    assert_eq!(restore(&foreign.envelope, foreign.body), Err(NotRestorable::Foreign));

    let content = Content::Message(Message::Webhook(webhook("{}")));
    let ours = letter(&content, DeadLetterReason::Culprit, "why", UtcMicros(7));
    assert_eq!(restore(&ours.envelope, Bytes::from_static(b"{ }")), Err(NotRestorable::Body));
    assert!(matches!(restore(&serde_json::json!({}), Bytes::new()), Err(NotRestorable::Envelope(_))));
}

#[test]
fn a_webhook_that_is_too_large_has_all_of_it_in_its_letter() {
    let raw = webhook("[1]");
    let content = Content::TooLarge { webhook: raw.clone(), reason: "3 bytes".to_owned() };
    let letter = letter(&content, DeadLetterReason::TooLarge, "3 bytes", UtcMicros(7));
    let kept = (letter.receipt, letter.app.as_ref(), letter.booked);
    assert_eq!(kept, (Some(raw.receipt), Some(&raw.app), Some((raw.instance, raw.sequence))));
    assert_eq!(restore(&letter.envelope, letter.body), Ok(Message::Webhook(raw)));
}
