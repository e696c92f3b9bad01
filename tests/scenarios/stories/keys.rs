//! A key that is not known yet, and then is.

use std::sync::Arc;

use tests::finlink::{ConnectionStatus, Endpoint};
use tests::looking::eventually;
use tests::sender::{Sender, naming};

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

pub(crate) async fn a_webhook_of_an_unknown_key_waits_without_effect_until_the_key_is_found<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    pipeline.put(&ConnectionStatus::ready(TOKENS[0]));
    pipeline.converges().await;
    // Nothing but its webhook tells of this one, nor is it asked for because of a webhook that nobody vouches for.
    let stranger = pipeline.stranger(pipeline.player("ingress")).await;
    let answer = stranger.post(&naming("NOBODYAAAA")).await.unwrap();
    let webhook = pipeline.accepts(&answer);
    pipeline.person().finds_verified(&webhook, "pending").await;
    pipeline.finlink.wait_for_more(Endpoint::Key, 1).await.unwrap();
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
    let forger = Sender { key: Arc::new(stranger.key.impostor().unwrap()), ..stranger.clone() };
    eventually("the receiver knows the key", async || {
        let answer = forger.post(&naming(TOKENS[0])).await.unwrap();
        pipeline.notes(&answer);
        if answer.status() == 401 { Ok(()) } else { Err(format!("{} {}", answer.line, answer.text())) }
    })
    .await;
    let answer = stranger.post(&naming(TOKENS[0])).await.unwrap();
    let known = pipeline.accepts(&answer);
    pipeline.person().finds_verified(&known, "verified").await;
    pipeline.ends_well(&[]).await;
}
