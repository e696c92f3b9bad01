//! Webhooks that no attempt ever gets into the store, among others that are as they should be.

use tests::finlink::ConnectionStatus;

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// Bodies that begin like this are not taken.
const POISON: &str = "poison";

pub(crate) async fn webhooks_that_the_store_never_takes_are_buried_alone_and_one_is_recorded_once_redriven<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::pending));
    pipeline.pair.store_refuses(POISON).await;
    let flood = pipeline.flood().await;
    let mut poison = Vec::new();
    for number in 0..2 {
        let answer = pipeline.sender().await.post(format!("{POISON} {number}").as_bytes()).await.unwrap();
        poison.push(pipeline.accepts(&answer));
    }
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    pipeline.hears(flood, &[]).await;
    let letters = pipeline.person().dead_letters(2).await;
    assert!(letters.iter().all(|letter| letter["reason"] == "culprit"), "{letters:#?}");

    pipeline.pair.store_takes_all().await;
    let redriven = letters.iter().find(|letter| letter["receipt"] == poison[0].as_str()).unwrap();
    pipeline.redrives(&redriven["id"].to_string()).await;
    pipeline.person().finds(&poison[..1]).await;
    pipeline.ends_well(&[(&poison[1], "culprit")]).await;
}
