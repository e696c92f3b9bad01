//! Keys and sessions, kept so that Finlink need not be asked again.

use serde_json::json;
use uuid::Uuid;

use super::Engine;
use super::world::{World, app, at, names, pending, webhook};
use crate::{KeySource, KidOrder, SealedSession, StoredKey};

/// A key that webhooks wait for is learned; one that Finlink does not know any more goes.
pub async fn a_key_is_learned_and_forgotten(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let refresh = &world.stores.refresh;
    let kid = Uuid::from_u128(9);
    world.record(&[webhook(names(&[1]), pending(9), at(1))]).await;
    refresh.key_not_found(&world.lease, kid, at(2)).await.unwrap();
    assert_eq!(refresh.keys(&app()).await.unwrap(), []);
    let key = |second| StoredKey { kid, jwk: json!({"kty": "EC", "x": "x"}), read_at: at(second) };
    for second in [3, 4] {
        refresh.learn_key(&world.lease, &key(second)).await.unwrap();
        assert_eq!(refresh.keys(&app()).await.unwrap(), [key(second)]);
    }
    let undecided = async || refresh.undecided(&app(), KidOrder::LongestWaiting, at(99), 64).await.unwrap();
    assert_eq!(undecided().await, []);
    assert_eq!(refresh.learned_late(&app()).await.unwrap(), [kid], "learned, and still to be decided by");
    refresh.forget_key(&world.lease, kid).await.unwrap();
    assert_eq!(refresh.keys(&app()).await.unwrap(), []);
    assert!(refresh.learned_late(&app()).await.unwrap().is_empty());
    let waited_for = undecided().await.remove(0);
    assert_eq!((waited_for.waiting, waited_for.not_found), (1, 0), "what was said against it is forgotten");
}

/// R10: an open question speaks against it, a 404 for it as much as a key.
pub async fn finlink_can_be_asked_for_keys_while_its_answers_say_so(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let refresh = &world.stores.refresh;
    let source = async |asked_before| refresh.key_source(&app(), at(asked_before)).await.unwrap();
    assert_eq!(source(1).await, KeySource { answered_at: None, open: false });
    assert_eq!(source(1).await.answers_at(at(5)), None, "nobody knows yet");
    world.record(&[webhook(names(&[1]), pending(8), at(1)), webhook(names(&[1]), pending(9), at(1))]).await;
    assert_eq!(source(1).await, KeySource { answered_at: None, open: true });
    for (kid, second) in [(8, 10), (9, 12)] {
        refresh.key_not_found(&world.lease, Uuid::from_u128(kid), at(second)).await.unwrap();
        assert_eq!(source(1).await, KeySource { answered_at: Some(at(second)), open: kid == 8 });
    }
    assert_eq!(source(1).await.answers_at(at(50)), Some(at(50)));
    assert_eq!(
        source(11).await,
        KeySource { answered_at: Some(at(12)), open: true },
        "one should have been asked again"
    );
    assert_eq!(source(11).await.answers_at(at(50)), Some(at(12)));
    for (kid, second) in [(8, 20), (9, 21)] {
        let key = StoredKey { kid: Uuid::from_u128(kid), jwk: json!({}), read_at: at(second) };
        refresh.learn_key(&world.lease, &key).await.unwrap();
    }
    assert_eq!(source(99).await, KeySource { answered_at: Some(at(21)), open: false });
}

/// R5: one session per secret; those of secrets long gone are dropped.
pub async fn a_session_is_kept_per_secret(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let refresh = &world.stores.refresh;
    let session = |fingerprint: &str, login: u64| SealedSession {
        fingerprint: fingerprint.to_owned(),
        sealed: login.to_be_bytes().to_vec(),
        login_at: at(login),
        expires_at: at(login + 3600),
    };
    let of = async |fingerprint| refresh.session(&app(), fingerprint).await.unwrap();
    assert_eq!(of("a").await, None);
    refresh.keep_session(&world.lease, &session("a", 1)).await.unwrap();
    refresh.keep_session(&world.lease, &session("a", 100)).await.unwrap();
    refresh.keep_session(&world.lease, &session("b", 200)).await.unwrap();
    assert_eq!((of("a").await, of("b").await), (Some(session("a", 100)), Some(session("b", 200))));
    refresh.keep_session(&world.lease, &session("b", 4000)).await.unwrap();
    assert_eq!((of("a").await, of("b").await), (None, Some(session("b", 4000))));
}
