//! Webhooks of unknown keys: decided once the key is learned, rejected when there is none, and bounded in what they cost.
//!
//! Where it matters when something was recorded, time begins now: the store says that by the real time.

use std::time::Duration;

use events::UtcMicros;
use reconciler::{App, Did, KeyBoard, Reconciler, SecretSource, Wiring};
use store::Refresh;
use uuid::Uuid;

use crate::finlink::{Endpoint, Odd};
use crate::rig::{Rig, token};
use crate::signing::SigningKey;

#[tokio::test]
async fn a_key_is_learned_and_what_waited_for_it_hints() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    let (key, other) = (SigningKey::new(), SigningKey::new());
    rig.finlink.state().keys.insert(key.kid, key.jwk());
    rig.finlink.put(&token(1), "UPDATE_ERROR", 2);
    let good = rig.pend(&key, &token(1)).await;
    // Signed by another key than it says.
    let body = b"{}";
    let jwt = SigningKey { kid: key.kid, ..other }.jwt(body, rig.now);
    let forged = rig.record(body, events::Verification::Pending { kid: key.kid, jwt }).await;
    assert_eq!(rig.verification(good).await, "pending");

    rig.settle(&mut reconciler).await;
    assert_eq!((rig.verification(good).await, rig.verification(forged).await), ("verified".into(), "rejected".into()));
    assert_eq!(rig.connection(&token(1)).await.status.as_str(), "UPDATE_ERROR");
    assert_eq!(rig.finlink.asked(Endpoint::Key), 1);
    assert!(rig.snapshot.borrow().keys.contains(&Rig::app(), key.kid), "ingress verifies it by itself from now on");

    // One that ingress took as pending just before it learned the key.
    let late = rig.pend(&key, &token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.verification(late).await, "verified");
    assert_eq!(rig.finlink.asked(Endpoint::Key), 1);
}

#[tokio::test]
async fn a_webhook_is_judged_at_the_time_it_was_received() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let key = SigningKey::new();
    rig.finlink.state().keys.insert(key.kid, key.jwk());
    rig.finlink.always(Endpoint::Key, Some(Odd::Status(500)));
    let body = b"{\"old\":1}";
    let jwt = key.jwt(body, rig.now.minus(Duration::from_hours(23)));
    let old = rig.record(body, events::Verification::Pending { kid: key.kid, jwt }).await;
    rig.pass(&mut reconciler, Duration::from_hours(20), Duration::from_mins(10)).await;
    assert_eq!(rig.verification(old).await, "pending", "failures to ask decide nothing");
    rig.finlink.always(Endpoint::Key, None);
    rig.pass(&mut reconciler, Duration::from_mins(10), Duration::from_mins(1)).await;
    assert_eq!(rig.verification(old).await, "verified");
}

#[tokio::test]
async fn a_receiver_whose_clock_is_off_costs_no_webhook() {
    let mut rig = Rig::new().await;
    rig.now = UtcMicros::now();
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let key = SigningKey::new();
    let right = rig.now;
    let days = Duration::from_hours(72);
    let receive = async |rig: &mut Rig, issued_at| {
        let mut receipts = Vec::new();
        for received_at in [right.minus(Duration::from_hours(3)), right.minus(days), right.plus(days)] {
            let jwt = key.jwt(b"{}", issued_at);
            rig.now = received_at;
            receipts.push(rig.record(b"{}", events::Verification::Pending { kid: key.kid, jwt }).await);
        }
        rig.now = right;
        receipts
    };
    let good = receive(&mut rig, right).await;
    let by_no_clock = receive(&mut rig, right.plus(Duration::from_hours(1))).await;
    rig.finlink.state().keys.insert(key.kid, key.jwk());
    rig.pass(&mut reconciler, Duration::from_mins(10), Duration::from_mins(1)).await;
    for (receipts, word) in [(good, "verified"), (by_no_clock, "rejected")] {
        for receipt in receipts {
            assert_eq!(rig.verification(receipt).await, word);
        }
    }

    // Of a key that is known, while no reconciler runs for more than a day; the sender had repeated it for almost a day before.
    let late = receive(&mut rig, right.minus(Duration::from_hours(24))).await;
    rig.later(Duration::from_hours(48));
    rig.settle(&mut reconciler).await;
    for receipt in late {
        assert_eq!(rig.verification(receipt).await, "verified");
    }
}

#[tokio::test]
async fn a_key_that_finlink_denies_three_times_in_ten_minutes_rejects() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let receipt = rig.pend(&SigningKey::new(), &token(1)).await;
    rig.pass(&mut reconciler, Duration::from_secs(595), Duration::from_secs(5)).await;
    assert_eq!(rig.verification(receipt).await, "pending");
    rig.pass(&mut reconciler, Duration::from_secs(30), Duration::from_secs(5)).await;
    assert_eq!(rig.verification(receipt).await, "rejected");
    assert_eq!(rig.finlink.asked(Endpoint::Key), 3);
    rig.pass(&mut reconciler, Duration::from_mins(30), Duration::from_mins(1)).await;
    assert_eq!((rig.finlink.asked(Endpoint::Key), rig.finlink.asked(Endpoint::Connection)), (3, 0));
}

#[tokio::test]
async fn what_no_key_came_for_in_time_is_rejected() {
    let mut rig = Rig::new().await;
    rig.now = UtcMicros::now();
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.finlink.always(Endpoint::Key, Some(Odd::Nothing));
    let receipt = rig.pend(&SigningKey::new(), &token(1)).await;
    rig.pass(&mut reconciler, Duration::from_hours(24), Duration::from_mins(20)).await;
    assert_eq!(rig.verification(receipt).await, "pending");
    rig.pass(&mut reconciler, Duration::from_hours(2), Duration::from_mins(20)).await;
    assert_eq!(rig.verification(receipt).await, "rejected");
    let asked = rig.finlink.asked(Endpoint::Key);
    assert!(asked <= 26 * 12 * 4 + 60, "{asked} questions in 26 hours");
}

#[tokio::test]
async fn a_key_endpoint_that_is_away_does_not_keep_connections_from_being_read() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.finlink.always(Endpoint::Key, Some(Odd::Status(500)));
    rig.pend(&SigningKey::new(), &token(1)).await;
    rig.pass(&mut reconciler, Duration::from_mins(5), Duration::from_secs(1)).await;
    rig.hint(&token(1)).await;
    let (did, _) = rig.settle(&mut reconciler).await;
    assert_eq!(did, [Did::Read { claims: 1 }]);
    let asked = rig.finlink.asked(Endpoint::Key);
    assert!(asked <= 60, "{asked} questions in five minutes");

    rig.finlink.always(Endpoint::Key, None);
    rig.pass(&mut reconciler, Duration::from_mins(6), Duration::from_secs(10)).await;
    assert!(rig.answered_at() >= Some(rig.now));
}

#[tokio::test]
async fn ingress_is_told_whether_finlink_itself_can_be_asked_also_by_a_standby() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.answered_at(), None, "no question for a key was ever answered");
    let key = SigningKey::new();
    rig.finlink.state().keys.insert(key.kid, key.jwk());
    rig.pend(&key, &token(1)).await;
    rig.settle(&mut reconciler).await;
    assert!(rig.answered_at() >= Some(rig.now));
    assert!(rig.snapshot.borrow().keys.contains(&Rig::app(), key.kid));
    rig.pass(&mut reconciler, Duration::from_hours(1), Duration::from_mins(1)).await;
    assert!(rig.answered_at() >= Some(rig.now), "nothing is asked, and nothing speaks against it");

    let silent_since = rig.now;
    rig.finlink.always(Endpoint::Key, Some(Odd::Nothing));
    rig.pend(&SigningKey::new(), &token(1)).await;
    rig.pass(&mut reconciler, Duration::from_mins(5), Duration::from_secs(10)).await;
    let heard = rig.answered_at().unwrap();
    assert!(heard <= silent_since, "the store is read, and yet Finlink is silent");

    let (keys, snapshot) = KeyBoard::new();
    let mut standby = Reconciler::new(
        App { name: Rig::app(), client_id: "client".to_owned(), client_secret: SecretSource::Value("secret".into()) },
        Wiring { keys, ..rig.wiring() },
    )
    .unwrap();
    assert_eq!(rig.settle(&mut standby).await.1, Did::Standby);
    assert_eq!(snapshot.borrow().answered.get(&Rig::app()), Some(&heard));

    rig.finlink.always(Endpoint::Key, None);
    rig.pass(&mut reconciler, Duration::from_mins(6), Duration::from_secs(10)).await;
    assert!(rig.answered_at() >= Some(rig.now), "a 404 is an answer too");
}

#[tokio::test]
async fn a_flood_of_invented_keys_is_asked_for_at_its_own_pace_and_the_rest_goes_on() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    for _ in 0..200 {
        rig.pend(&SigningKey::new(), &token(1)).await;
    }
    for _ in 0..60 {
        rig.later(Duration::from_secs(1));
        rig.hint(&token(1)).await;
        rig.settle(&mut reconciler).await;
    }
    let keys = rig.finlink.asked(Endpoint::Key);
    assert!((30..=61).contains(&keys), "{keys} questions in a minute");
    assert!(rig.finlink.asked(Endpoint::Connection) >= 4);
    rig.pass(&mut reconciler, Duration::from_mins(5), Duration::from_secs(1)).await;
    assert!(rig.finlink.asked(Endpoint::Key) <= 362, "one a second");
}

#[tokio::test]
async fn a_key_that_finlink_changes_to_is_asked_for_soon_however_many_are_invented_before_and_meanwhile() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let invent = async |rig: &mut Rig| rig.pend(&SigningKey::new(), &token(2)).await;
    let mut first_invented = Vec::new();
    for _ in 0..100 {
        first_invented.push(invent(&mut rig).await);
    }
    let key = SigningKey::new();
    rig.finlink.state().keys.insert(key.kid, key.jwk());
    let (mut genuine, mut asked) = (Vec::new(), None);
    for _ in 0..20 {
        rig.later(Duration::from_secs(1));
        for _ in 0..10 {
            invent(&mut rig).await;
        }
        genuine.push(rig.pend(&key, &token(1)).await);
        rig.settle(&mut reconciler).await;
        if asked.is_none() && rig.snapshot.borrow().keys.contains(&Rig::app(), key.kid) {
            asked = Some(rig.finlink.asked(Endpoint::Key));
        }
    }
    assert!(asked.is_some_and(|asked| asked <= 4), "{asked:?} questions until the key was learned");
    for receipt in genuine {
        assert_eq!(rig.verification(receipt).await, "verified");
    }

    // Those that stand in line longest have their turns too, so that they are decided while the flood goes on.
    for _ in 0..620 {
        rig.later(Duration::from_secs(1));
        invent(&mut rig).await;
        rig.settle(&mut reconciler).await;
    }
    let mut rejected = 0;
    for receipt in first_invented {
        rejected += usize::from(rig.verification(receipt).await == "rejected");
    }
    assert!(rejected > 0);
    assert_eq!(rig.explain(&token(2)).await.refresh, None, "what is invented has no effect");
}

#[tokio::test]
async fn a_key_that_is_none_is_never_learned() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let key = SigningKey::new();
    let mut jwk = key.jwk();
    jwk["crv"] = "P-384".into();
    rig.finlink.state().keys.insert(key.kid, jwk);
    let receipt = rig.pend(&key, &token(1)).await;
    rig.pass(&mut reconciler, Duration::from_mins(20), Duration::from_secs(30)).await;
    assert_eq!(rig.verification(receipt).await, "pending");
    assert!(rig.store.keys(&Rig::app()).await.unwrap().is_empty());
    assert!(rig.finlink.asked(Endpoint::Key) <= 8);
}

#[tokio::test]
async fn known_keys_are_read_again_daily_and_forgotten_when_finlink_keeps_denying_them() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let (kept, dropped) = (SigningKey::new(), SigningKey::new());
    for key in [&kept, &dropped] {
        rig.finlink.state().keys.insert(key.kid, key.jwk());
        rig.pend(key, &token(1)).await;
        rig.later(Duration::from_secs(2));
        rig.settle(&mut reconciler).await;
    }
    let known = |rig: &Rig| {
        let snapshot = rig.snapshot.borrow().clone();
        [kept.kid, dropped.kid].map(|kid: Uuid| snapshot.keys.contains(&Rig::app(), kid))
    };
    assert_eq!(known(&rig), [true, true]);
    assert_eq!(rig.finlink.asked(Endpoint::Key), 2);
    rig.pass(&mut reconciler, Duration::from_hours(25), Duration::from_mins(10)).await;
    assert_eq!(rig.finlink.asked(Endpoint::Key), 4, "each once a day");

    rig.finlink.state().keys.remove(&dropped.kid);
    rig.finlink.next(Endpoint::Key, 1, Odd::Status(404));
    rig.pass(&mut reconciler, Duration::from_hours(25), Duration::from_mins(10)).await;
    assert_eq!(known(&rig), [true, false], "one denial is a glitch, three are an answer");
}
