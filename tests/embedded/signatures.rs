//! Signatures that do not hold: each is refused, counted under its name, and leaves nothing behind.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::customer::APP;
use tests::finlink::{ConnectionStatus, Endpoint};
use tests::looking::eventually;
use tests::scene::{Scene, outcomes};
use tests::sender::{naming, receipt};
use tests::signing::{claims_of, claims_of_no_body, request, sha256};

const DAY: i64 = 24 * 60 * 60;

/// What is sent instead of a good signature, and the word that counts it.
fn forgeries(scene: &Scene, body: &[u8]) -> Vec<(&'static str, String, &'static str)> {
    let key = &scene.key;
    let claims = claims_of(body);
    let headed = |header: Value| key.sign_with_header(&header, &claims).unwrap();
    let good = key.sign(&claims).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let other = key.impostor().unwrap();
    let now = Timestamp::now().as_second();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    vec![
        ("garbage", "not a token".to_owned(), "signature_malformed"),
        ("garbage in three parts", "a.b.c".to_owned(), "signature_malformed"),
        ("no signature", format!("{message}."), "signature_wrong"),
        (
            "alg none",
            format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT", "kid": key.kid})), part(&claims)),
            "signature_algorithm",
        ),
        ("alg none, signed", headed(json!({"alg": "none", "typ": "JWT", "kid": key.kid})), "signature_algorithm"),
        ("alg HS256", headed(json!({"alg": "HS256", "typ": "JWT", "kid": key.kid})), "signature_algorithm"),
        ("alg RS256", headed(json!({"alg": "RS256", "typ": "JWT", "kid": key.kid})), "signature_algorithm"),
        ("alg es256", headed(json!({"alg": "es256", "typ": "JWT", "kid": key.kid})), "signature_algorithm"),
        ("typ missing", headed(json!({"alg": "ES256", "kid": key.kid})), "signature_type"),
        ("kid missing", headed(json!({"alg": "ES256", "typ": "JWT"})), "signature_key_id"),
        ("kid no UUID", headed(json!({"alg": "ES256", "typ": "JWT", "kid": "../../etc/passwd"})), "signature_key_id"),
        ("another key's", other.sign(&claims).unwrap(), "signature_wrong"),
        (
            "changed claims",
            format!("{}.{}.{signature}", message.split('.').next().unwrap(), part(&claims_of_no_body())),
            "signature_wrong",
        ),
        ("changed signature", format!("{message}.{flipped}{}", &signature[1..]), "signature_wrong"),
        ("another body's", key.sign(&claims_of(b"{}")).unwrap(), "signature_body_hash"),
        (
            "hash in capitals",
            key.sign(&json!({"iat": now, "body_hash": sha256(body).to_uppercase()})).unwrap(),
            "signature_body_hash",
        ),
        ("hash no text", key.sign(&json!({"iat": now, "body_sha256": 7})).unwrap(), "signature_claims"),
        ("too old", key.sign(&json!({"iat": now - 2 * DAY})).unwrap(), "signature_too_old"),
        ("expired", key.sign(&json!({"iat": now - DAY, "exp": now - 2 * DAY})).unwrap(), "signature_expired"),
        ("of tomorrow", key.sign(&json!({"iat": now + DAY})).unwrap(), "signature_not_yet"),
        ("not yet", key.sign(&json!({"nbf": now + DAY})).unwrap(), "signature_not_yet"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_does_not_hold_is_refused_counted_and_without_effect() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    // The key has to be known, or a wrong signature is taken for one of a key that is not known yet.
    let mut sent = scene.introduces(&sender, &running).await;

    let body = naming("BBBBBBBBBB");
    for (what, jwt, word) in forgeries(&scene, &body) {
        let counted = outcomes(&running, APP, word).await;
        let answer = sender.post_signed(&jwt, &body).await.unwrap();
        assert_eq!(answer.status(), 401, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
        assert_eq!(outcomes(&running, APP, word).await, counted + 1, "{what} counts as {word}");
    }
    let none = format!("POST /webhooks/{APP} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}");
    let answer = tests::http::once(sender.address, none.as_bytes()).await.unwrap();
    assert_eq!(answer.status(), 401);
    let twice = String::from_utf8(request(APP, "a.b.c\r\nvumi-verification: a.b.c", b"{}").to_vec()).unwrap();
    let answer = tests::http::once(sender.address, twice.as_bytes()).await.unwrap();
    assert_eq!(answer.status(), 401, "two signatures are none");
    for word in ["signature_missing", "signature_repeated"] {
        assert_eq!(outcomes(&running, APP, word).await, 1, "{word}");
    }

    sent.push(sender.send("AAAAAAAAAA").await.unwrap());
    scene.person().finds(&sent).await;
    assert_eq!(scene.person().webhooks().await.len(), sent.len(), "nothing that was refused is recorded");
    let asked = scene.finlink.asked();
    assert!(
        asked.iter().all(|asked| asked.subject != "BBBBBBBBBB"),
        "Finlink was asked about a forged webhook's token"
    );
    assert_eq!(scene.finlink.count(Endpoint::Login), 1);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_claims_or_a_day_old_holds_as_finlink_may_repeat_it() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let now = Timestamp::now().as_second();
    let mut receipts = Vec::new();
    for claims in [json!({}), json!({"iat": now - 24 * 60 * 60}), json!({"iat": now + 60}), json!({"exp": now + 60})] {
        receipts.push(receipt(&sender.post_with(&claims, &naming("AAAAAAAAAA")).await.unwrap()).unwrap());
    }
    scene.person().finds(&receipts).await;
    let decided = eventually("all are verified", async || {
        let webhooks = scene.person().webhooks().await;
        let open: Vec<&Value> = webhooks.values().filter(|webhook| webhook["verification"] != "verified").collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{open:#?}")) }
    });
    decided.await;
    running.stop().await.unwrap();
}
