//! The layout of a row: what goes in comes out, and nothing else is taken for a message.

use bytes::Bytes;
use events::{BodyHash, RawWebhook, Receipt, UtcMicros, Verification};
use proptest::prelude::*;
use uuid::Uuid;

use crate::Message;
use crate::embedded::codec::{decode, encode};

fn verifications() -> impl Strategy<Value = Verification> {
    let kid = any::<u128>().prop_map(Uuid::from_u128);
    prop_oneof![
        Just(Verification::Unchecked),
        (kid.clone(), any::<bool>()).prop_map(|(kid, binds_body)| Verification::Verified { kid, binds_body }),
        (kid, any::<String>()).prop_map(|(kid, jwt)| Verification::Pending { kid, jwt }),
    ]
}

prop_compose! {
    fn webhooks()(
        receipt: u128, instance: u128, app in "[a-z0-9_]{1,64}", sequence: u64, decided_through: u64, received_at: i64,
        verification in verifications(), content_type: Option<String>, traceparent: Option<String>,
        hash: [u8; 32], body: Vec<u8>,
    ) -> Message {
        Message::Webhook(RawWebhook {
            receipt: Receipt(Uuid::from_u128(receipt)),
            app: app.parse().expect("an app name"),
            instance: Uuid::from_u128(instance),
            sequence,
            decided_through,
            received_at: UtcMicros(received_at),
            verification,
            content_type,
            traceparent,
            body_sha256: BodyHash(hash),
            body: body.into(),
        })
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(message in webhooks()) {
        prop_assert_eq!(decode(encode(&message).into()), Ok(message));
    }

    #[test]
    fn a_row_cut_short_is_never_taken_for_another_envelope(message in webhooks(), at: prop::sample::Index) {
        let bytes = encode(&message);
        let Message::Webhook(webhook) = message else { unreachable!() };
        let at = at.index(bytes.len());
        match decode(Bytes::from(bytes).slice(..at)) {
            Err(_) => {}
            // The body has no length of its own: only its end can be missing, which its hash tells.
            Ok(Message::Webhook(cut)) => {
                prop_assert!(webhook.body.starts_with(&cut.body));
                prop_assert_eq!(RawWebhook { body: webhook.body.clone(), ..cut }, webhook);
            }
            Ok(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        drop(decode(bytes.into()));
    }
}

#[test]
fn a_checkpoint_comes_out_as_it_went_in() {
    let checkpoint = crate::testing::checkpoint();
    assert_eq!(decode(encode(&checkpoint).into()), Ok(checkpoint));
}
