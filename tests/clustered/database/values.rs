//! Odd values, spoilt ones, and what a session is set to whatever the server's defaults are.

use bytes::Bytes;
use events::{BodyHash, BodyTells, TokenFields, UtcMicros};
use store::conformance::Stores;
use store::conformance::rebuild::Spoilt;
use store::conformance::world::{app, bound, names, pending, token, webhook};
use store::{DeadLetter, DeadLetterReason, DeliveryFilter, Inspect, Intake, Reading, Recorded, Refresh, StoreError};

use super::place::{Place, second};

fn with_body(body: &[u8]) -> Reading {
    let tells = BodyTells::read(body, &TokenFields::default());
    let mut reading = webhook(tells, bound(), second(1));
    reading.webhook.body_sha256 = BodyHash::of(body);
    reading.webhook.body = Bytes::copy_from_slice(body);
    reading
}

#[tokio::test(flavor = "multi_thread")]
async fn any_bytes_are_a_body_and_come_back_as_they_were() {
    let place = Place::new().await;
    let store = place.store();
    let deep = [vec![b'['; 20_000], vec![b']'; 20_000]].concat();
    let bodies: [&[u8]; 9] = [
        b"",
        b"\0",
        b"{\"connectionToken\":\"AB\0CD\"}",
        b"{\"connectionToken\":\"AB\\u0000CDEFGH\"}",
        b"{\"connectionToken\":\"\\ud800\"}",
        b"\xff\xfe\x00\x80",
        b"{\"connectionToken\":[[],{}],\"connectionToken\":1e999999}",
        "{\"connectionToken\":\"\u{202e}\u{10ffff}\"}".as_bytes(),
        &deep,
    ];
    let batch: Vec<_> = bodies.iter().map(|body| with_body(body)).collect();
    assert_eq!(store.record(&batch).await, Ok(vec![Recorded::New; bodies.len()]));
    for reading in &batch {
        let kept = store.delivery(reading.webhook.receipt).await.unwrap().unwrap();
        assert_eq!(kept.body.as_ref(), Some(&reading.webhook.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_postgresql_cannot_hold_is_named_and_buried_as_it_is() {
    let place = Place::new().await;
    let store = place.store();
    let (mut odd_type, mut odd_jwt) = (with_body(b"1"), with_body(b"2"));
    odd_type.webhook.content_type = Some("text/\0".to_owned());
    odd_jwt.webhook.verification = pending(8);
    if let events::Verification::Pending { jwt, .. } = &mut odd_jwt.webhook.verification {
        jwt.push('\0');
    }
    for odd in [&odd_type, &odd_jwt] {
        let refused = store.record(&[with_body(b"3"), odd.clone()]).await;
        assert!(
            matches!(&refused, Err(StoreError::Culprit(receipt, _)) if *receipt == odd.webhook.receipt),
            "{refused:?}"
        );
    }
    assert_eq!(place.deliveries().await, 0);
    let letter = DeadLetter {
        receipt: Some(odd_type.webhook.receipt),
        app: Some(app()),
        booked: None,
        reason: DeadLetterReason::Culprit,
        detail: "a \0 in it".to_owned(),
        buried_at: second(1),
        envelope: serde_json::json!({ "content_type": "text/\0" }),
        body: Bytes::from_static(b"\0\xff"),
    };
    store.bury(std::slice::from_ref(&letter)).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM dead_letters WHERE body = '\\x00ff'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_a_statement_refuses_is_named_and_not_what_failed_behind_it() {
    let place = Place::new().await;
    let store = place.store();
    // Of the first statement that writes: all that were sent with it fail for no other reason.
    place.run("ALTER TABLE bodies ADD CONSTRAINT not_three CHECK (size <> 3)").await;
    let odd = with_body(b"333");
    let refused = store.record(&[with_body(b"1"), odd.clone(), with_body(b"22")]).await;
    let Err(StoreError::Culprit(receipt, why)) = &refused else { panic!("{refused:?}") };
    assert!(*receipt == odd.webhook.receipt && why.contains("not_three"), "{refused:?}");
    assert_eq!(place.deliveries().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_at_the_ends_of_the_world_are_kept_and_stop_nothing() {
    let place = Place::new().await;
    let store = place.store();
    let lease = place.enrolled(&store).await;
    for (n, micros) in (0..).zip([i64::MIN, -1, 0, i64::MAX]) {
        let mut reading = webhook(names(&[n]), bound(), UtcMicros(micros));
        reading.webhook.decided_through = u64::MAX;
        assert_eq!(store.record(&[reading.clone()]).await, Ok(vec![Recorded::New]));
        let kept = store.delivery(reading.webhook.receipt).await.unwrap().unwrap();
        assert_eq!(kept.row.received_at, UtcMicros(micros));
        // Whatever its time, it is hinted at and may be read.
        let claimed = store.claim_one(&lease, second(2), second(60)).await.unwrap().unwrap();
        assert_eq!(claimed.claims[0].token, Some(token(n)));
    }
    let listed = store.deliveries(&DeliveryFilter::default()).await.unwrap();
    assert_eq!(listed.len(), 4);
    store.totals(second(3)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_as_durable_and_as_bounded_as_we_say_whatever_the_servers_defaults_are() {
    let place = Place::new().await;
    let slack = [
        "synchronous_commit = off",
        "default_transaction_isolation = serializable",
        "statement_timeout = 0",
        "lock_timeout = 0",
        "idle_in_transaction_session_timeout = 0",
    ];
    for default in slack {
        place.set(default).await;
    }
    place
        .run(
            "CREATE TABLE seen (name text PRIMARY KEY, value text NOT NULL);
             CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                 INSERT INTO seen SELECT name, current_setting(name) FROM unnest(ARRAY['synchronous_commit',
                     'transaction_isolation', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
                     AS names (name) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER look AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION look()",
        )
        .await;
    place.store().record(&[with_body(b"{}")]).await.unwrap();
    let seen = place.text("SELECT string_agg(name || '=' || value, ' ' ORDER BY name) FROM seen").await;
    let expected = "idle_in_transaction_session_timeout=10s lock_timeout=5s statement_timeout=20s synchronous_commit=on \
                    transaction_isolation=read committed";
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_spoilt_in_the_table_of_connections_is_told() {
    let place = Place::new().await;
    let (spoilt, statements) = Spoilt::of(&Stores::new(place.store(), ())).await;
    for statement in statements {
        place.run(&statement).await;
    }
    spoilt.is_told().await;
}
