//! A key that is not known yet, and then is.

use std::sync::Arc;

use tests::finlink::{Asked, ConnectionStatus};
use tests::looking::eventually;
use tests::sender::{Sender, naming};

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

pub(crate) async fn a_webhook_of_an_unknown_key_waits_without_effect_until_the_key_is_found<P: Pair>() {
    let mut pair = P::sound().await;
    // Long enough to look what became of the webhook, before it is believed that there is no such key.
    pair.set("RULES__UNKNOWN_KEY_WITHIN", "15s");
    let mut pipeline = Pipeline::on(pair).await;
    pipeline.put(&ConnectionStatus::ready(TOKENS[0]));
    pipeline.converges().await;
    // Nothing but its webhook tells of this one, nor is it asked for because of a webhook that nobody vouches for.
    let stranger = pipeline.stranger(pipeline.player("ingress")).await;
    let answer = stranger.post(&naming("NOBODYAAAA")).await.unwrap();
    let webhook = pipeline.accepts(&answer);
    pipeline.person().finds_verified(&webhook, "pending").await;
    // Whoever only claims the key is taken as well, while nobody can tell; the verdict is that this one is rejected.
    let forger = Sender { key: Arc::new(stranger.key.impostor().unwrap()), ..stranger.clone() };
    let answer = forger.post(&naming(TOKENS[0])).await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    pipeline.notes_forged(&answer);
    let kid = stranger.key.kid.to_string();
    let denied = |asked: &Vec<Asked>| asked.iter().any(|asked| asked.subject == kid && asked.status == 404);
    pipeline.finlink.wait_until_asked("for the key", denied).await.unwrap();
    pipeline.person().finds_verified(&webhook, "pending").await;
    let asked = |pipeline: &Pipeline<P>| pipeline.finlink.asked().iter().any(|asked| asked.subject == "NOBODYAAAA");
    assert!(!asked(&pipeline), "an unverified webhook has an effect");

    pipeline.finlink.world(|world| world.publish_key(&stranger.key)).unwrap();
    pipeline.person().finds_verified(&webhook, "verified").await;
    pipeline
        .finlink
        .wait_until_asked("what it names", |asked| asked.iter().any(|asked| asked.subject == "NOBODYAAAA"))
        .await
        .unwrap();
    // From then on whoever only claims the key is refused.
    eventually("the receiver knows the key", async || {
        let answer = forger.post(&naming(TOKENS[0])).await.unwrap();
        pipeline.notes_forged(&answer);
        if answer.status() == 401 { Ok(()) } else { Err(format!("{} {}", answer.line, answer.text())) }
    })
    .await;
    let answer = stranger.post(&naming(TOKENS[0])).await.unwrap();
    let known = pipeline.accepts(&answer);
    pipeline.person().finds_verified(&known, "verified").await;
    pipeline.ends_well(&[]).await;
}
