//! One voice per app (R5), and the client that it speaks for (R3).

use uuid::Uuid;

use super::Engine;
use super::world::{START, World, app, at, found, read, ready, token};
use crate::{AppPin, Claim, Observation, Ruling, SealedSession, StoreError, StoredKey};
use connections::Cause;

/// What is known of one client's connections is never judged by another client's answers.
pub async fn an_app_is_pinned_to_its_client(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let pin = |client_id: &str| AppPin { app: app(), client_id: client_id.to_owned() };
    let other = world.stores.refresh.enrol(&pin("another"), at(1)).await;
    assert!(matches!(other, Err(StoreError::Incompatible(_))), "{other:?}");
    world.stores.refresh.enrol(&pin("client"), at(1)).await.unwrap();
}

/// A program that is restarted often does not list more often.
pub async fn the_first_sweep_is_due_at_once_and_a_restart_asks_for_none(engine: &dyn Engine) {
    let world = World::open(engine).await;
    assert!(world.due(0).await.list);
    world.sweep(0).await;
    assert!(!world.due(1).await.list);
    world.stores.refresh.enrol(&AppPin { app: app(), client_id: "client".to_owned() }, at(1)).await.unwrap();
    assert!(!world.due(1).await.list);
}

/// Its holder prolongs it; another gets it when it ended or was given back, under a higher fence.
pub async fn one_holds_the_lease_at_a_time(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let refresh = &world.stores.refresh;
    let (ours, theirs) = (world.lease.holder, Uuid::from_u128(3));
    let take = async |holder, now, until| refresh.lease(&app(), holder, at(now), at(until)).await.unwrap();
    assert_eq!(take(theirs, 1, 100).await, None);
    let prolonged = take(ours, 10, 50).await.unwrap();
    assert_eq!((prolonged.fence, prolonged.expires_at), (world.lease.fence, at(50)));
    assert_eq!(take(theirs, 49, 100).await, None);
    let taken = take(theirs, 50, 100).await.unwrap();
    assert!(taken.fence > prolonged.fence);
    assert_eq!(take(ours, 51, 100).await, None);
    refresh.release(&prolonged).await.unwrap();
    assert_eq!(take(ours, 52, 100).await, None, "one cannot give back what one has lost");
    refresh.release(&taken).await.unwrap();
    let again = take(ours, 53, 100).await.unwrap();
    assert!(again.fence > taken.fence);
}

/// What a process that died was about to read need not wait for its claims' end; its own renewals void nothing.
pub async fn a_takeover_gives_back_the_claims_made_before(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let refresh = &world.stores.refresh;
    world.hint(1, 1).await;
    world.claim_list(2, 10).await;
    refresh.lease(&app(), world.lease.holder, at(3), at(10)).await.unwrap().unwrap();
    assert!(world.claim_one(4).await.is_none());
    let theirs = refresh.lease(&app(), Uuid::from_u128(3), at(10), at(100)).await.unwrap().unwrap();
    assert!(world.due(10).await.list);
    assert!(refresh.claim_one(&theirs, at(10), at(70)).await.unwrap().is_some());
}

/// The fence is checked in every transaction that a lease is needed for.
pub async fn whoever_lost_the_lease_can_do_nothing(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let (refresh, lost) = (&world.stores.refresh, &world.lease);
    let claim = Claim { app: app(), token: None, hint_no: 0, cause: Cause::Sweep, failures: 0 };
    let observation = Observation { read: read(token(1), 9, found(ready(1, 1)), 1), claim: None };
    let key = StoredKey { kid: Uuid::nil(), jwk: serde_json::json!({}), read_at: START };
    let session = SealedSession { fingerprint: "f".to_owned(), sealed: vec![1], login_at: START, expires_at: at(3600) };
    refresh.release(lost).await.unwrap();
    refresh.lease(&app(), Uuid::from_u128(3), at(2), at(100)).await.unwrap().unwrap();
    let fenced = Err::<(), _>(StoreError::Fenced(app()));
    assert_eq!(refresh.claim_one(lost, at(2), at(3)).await.map(drop), fenced);
    assert_eq!(refresh.claim_list(lost, at(2), at(3), 1).await.map(drop), fenced);
    assert_eq!(refresh.observe(lost, &[observation], None, at(2)).await.map(drop), fenced);
    assert_eq!(refresh.swept(lost, &claim, at(2), at(2)).await, fenced);
    assert_eq!(refresh.postpone(lost, &[]).await, fenced);
    assert_eq!(refresh.learn_key(lost, &key).await, fenced);
    assert_eq!(refresh.forget_key(lost, Uuid::nil()).await, fenced);
    assert_eq!(refresh.key_not_found(lost, Uuid::nil(), at(2)).await.map(drop), fenced);
    assert_eq!(refresh.decide(lost, &[] as &[Ruling]).await, fenced);
    assert_eq!(refresh.keep_session(lost, &session).await, fenced);
    assert_eq!(world.connection(1).await, None);
    assert_eq!(refresh.keys(&app()).await.unwrap(), []);
}
