//! Webhooks that wait for their key (R10).

use std::time::Duration;

use events::UtcMicros;
use serde_json::json;
use uuid::Uuid;

use super::Engine;
use super::world::{World, again, app, at, names, pending, webhook};
use crate::{Decision, DeliveryFilter, KidOrder, Reading, Ruling, StoredKey};

fn verified(reading: &Reading, binds_body: bool) -> Ruling {
    Ruling { receipt: reading.webhook.receipt, decision: Decision::Verified { binds_body } }
}

async fn decide(world: &World, rulings: &[Ruling]) {
    world.stores.refresh.decide(&world.lease, rulings).await.unwrap();
}

async fn words(world: &World) -> Vec<String> {
    let rows = world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap();
    rows.into_iter().map(|row| row.verification).collect()
}

/// Nothing happens before; then exactly what would have happened at once.
pub async fn a_pending_webhook_hints_once_it_is_verified(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let bound = webhook(names(&[1]), pending(9), at(1));
    let unbound = webhook(names(&[2]), pending(9), at(2));
    world.record(&[bound.clone(), unbound.clone()]).await;
    let due = world.due(10).await;
    assert_eq!((due.hinted, due.list), (0, false));
    let rulings = [verified(&bound, true), verified(&unbound, false)];
    decide(&world, &rulings).await;
    decide(&world, &rulings).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no, look.hinted_at), (1, Some(at(1))));
    assert_eq!(world.look(2).await, None, "an unknown token in an unbound body is nobody's word");
    assert_eq!(world.claim_list(10, 0).await.claims[0].hint_no, 1);
    assert_eq!(words(&world).await, ["verified", "verified"]);
    let totals = world.stores.inspect.totals(at(10)).await.unwrap();
    assert_eq!((totals.deliveries["verified"], totals.deliveries["pending"]), (2, 0));
}

/// It stays on record, with the reason.
pub async fn a_rejected_webhook_never_hints(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let forged = webhook(names(&[1]), pending(9), at(1));
    world.record(std::slice::from_ref(&forged)).await;
    let receipt = forged.webhook.receipt;
    decide(&world, &[Ruling { receipt, decision: Decision::Rejected("no such key".to_owned()) }]).await;
    decide(&world, &[verified(&forged, true)]).await;
    assert_eq!(world.look(1).await, None);
    let detail = world.stores.inspect.delivery(receipt).await.unwrap().unwrap();
    assert_eq!((detail.row.verification.as_str(), detail.rejection.as_deref()), ("rejected", Some("no such key")));
    assert_eq!(detail.kid, Some(Uuid::from_u128(9)));
    let rejected = DeliveryFilter { verification: Some("rejected".to_owned()), ..DeliveryFilter::default() };
    assert_eq!(world.stores.inspect.deliveries(&rejected).await.unwrap().len(), 1);
    let totals = world.stores.inspect.totals(at(10)).await.unwrap();
    assert_eq!((totals.deliveries["rejected"], totals.deliveries["pending"]), (1, 0));
}

/// Longest waiting first; a made-up key leaves nothing behind.
pub async fn keys_are_waited_for_until_all_is_decided(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let young = webhook(names(&[1]), pending(8), at(5));
    let old = webhook(names(&[1]), pending(9), at(1));
    let mut other = again(&old);
    other.webhook.received_at = at(9);
    world.record(&[young.clone(), old.clone()]).await;
    world.record(std::slice::from_ref(&other)).await;
    let undecided = async |limit| {
        let kids = world.stores.refresh.undecided(&app(), KidOrder::LongestWaiting, at(99), limit).await.unwrap();
        kids.into_iter().map(|kid| (kid.kid.as_u128(), kid.waiting)).collect::<Vec<_>>()
    };
    assert_eq!(undecided(64).await, [(9, 2), (8, 1)]);
    assert_eq!(undecided(1).await, [(9, 2)]);
    let waiting = world.stores.refresh.pending(&app(), Uuid::from_u128(9), 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!((waiting[0].receipt, waiting[0].jwt.as_str()), (old.webhook.receipt, "jwt-of-9"));
    assert_eq!((waiting[0].body_sha256, waiting[0].received_at), (old.webhook.body_sha256, at(1)));
    decide(&world, &[verified(&old, true)]).await;
    assert_eq!(undecided(64).await, [(8, 1), (9, 1)]);
    decide(&world, &[verified(&other, true), verified(&young, true)]).await;
    assert_eq!(undecided(64).await, []);
    assert_eq!(world.stores.refresh.pending(&app(), Uuid::from_u128(9), 10).await.unwrap(), []);
}

/// Three times in ten minutes rejects: the caller needs to know how often and since when.
pub async fn a_404_for_a_key_is_counted(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.record(&[webhook(names(&[1]), pending(9), at(1))]).await;
    let kid = Uuid::from_u128(9);
    for (count, second) in [(1, 10), (2, 300)] {
        let counted = world.stores.refresh.key_not_found(&world.lease, kid, at(second)).await.unwrap();
        assert_eq!((counted.not_found, counted.first_not_found_at, counted.waiting), (count, Some(at(10)), 1));
    }
    let listed = async |asked_before| {
        world.stores.refresh.undecided(&app(), KidOrder::LongestWaiting, at(asked_before), 64).await.unwrap()
    };
    assert_eq!(listed(300).await, [], "it was asked for already");
    assert_eq!((listed(301).await[0].not_found, listed(301).await[0].asked_at), (2, Some(at(300))));
}

/// The one order serves keys that came late and often, the other those that came once.
pub async fn unknown_keys_come_by_how_many_wait_for_them_or_by_how_long(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for (kid, seconds) in [(5, &[1][..]), (6, &[2, 3, 4]), (7, &[3]), (8, &[4, 5])] {
        for second in seconds {
            world.record(&[webhook(names(&[1]), pending(kid), at(*second))]).await;
        }
    }
    let kids = async |order, limit| {
        let kids = world.stores.refresh.undecided(&app(), order, at(10), limit).await.unwrap();
        kids.into_iter().map(|kid| kid.kid.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(kids(KidOrder::MostWaiting, 9).await, [6, 8, 7, 5]);
    assert_eq!(kids(KidOrder::MostWaiting, 2).await, [6, 8]);
    assert_eq!(kids(KidOrder::LongestWaiting, 9).await, [5, 6, 7, 8]);
    world.stores.refresh.key_not_found(&world.lease, Uuid::from_u128(6), at(20)).await.unwrap();
    assert_eq!(kids(KidOrder::MostWaiting, 2).await, [8, 7]);
    assert_eq!(kids(KidOrder::LongestWaiting, 2).await, [5, 7]);
}

/// R10: after 25 hours a webhook whose key could not be asked for is rejected.
pub async fn old_pending_webhooks_of_unknown_keys_are_found(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let received = |seconds| UtcMicros(0).plus(Duration::from_secs(seconds));
    let old = [webhook(names(&[1]), pending(8), received(1)), webhook(names(&[1]), pending(9), received(2))];
    world.record(&old).await;
    let now = world.store_time().await;
    // Their receivers' clocks are years ahead, and years behind.
    world.record(&[webhook(names(&[1]), pending(9), now.plus(Duration::from_hours(24 * 365)))]).await;
    let before = world.store_time().await;
    world.record(&[webhook(names(&[1]), pending(9), received(3))]).await;
    let found = world.stores.refresh.pending_before(&app(), before, 10).await.unwrap();
    let receipts: Vec<_> = found.iter().map(|pending| pending.receipt).collect();
    assert_eq!(receipts, old.each_ref().map(|reading| reading.webhook.receipt));
    assert_eq!(world.stores.refresh.pending_before(&app(), before, 1).await.unwrap().len(), 1);
    // They are about to be decided by it.
    let key = StoredKey { kid: Uuid::from_u128(8), jwk: json!({"crv": "P-256"}), read_at: now };
    world.stores.refresh.learn_key(&world.lease, &key).await.unwrap();
    let found = world.stores.refresh.pending_before(&app(), before, 10).await.unwrap();
    assert_eq!(found.iter().map(|pending| pending.receipt).collect::<Vec<_>>(), receipts[1..]);
}
