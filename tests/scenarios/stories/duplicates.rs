//! One webhook, sent again and again.

use tests::finlink::ConnectionStatus;
use tests::sender::naming;
use tests::signing::{claims_of, sha256};

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// Times that it is sent.
const TIMES: usize = 20;

pub(crate) async fn the_same_webhook_many_times_over_is_listed_each_time_and_changes_nothing_twice<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    let connection = ConnectionStatus::ready(TOKENS[0]);
    pipeline.put(&connection);
    pipeline.converges().await;
    let version = async |pipeline: &Pipeline<P>| pipeline.person().connections().await[0]["version"].as_u64().unwrap();
    let before = version(&pipeline).await;

    // Byte for byte the same, the signature too.
    pipeline.put(&connection.failed(true));
    let sender = pipeline.sender().await;
    let body = naming(TOKENS[0]);
    let jwt = sender.key.sign(&claims_of(&body)).unwrap();
    let mut receipts = Vec::new();
    for _ in 0..TIMES {
        let answer = sender.post_signed(&jwt, &body).await.unwrap();
        receipts.push(pipeline.accepts(&answer));
    }
    pipeline.person().finds(&receipts).await;
    pipeline.converges().await;

    let webhooks = pipeline.person().webhooks().await;
    assert_eq!(webhooks.len(), TIMES, "each has a receipt of its own");
    let hash = sha256(&body);
    assert!(webhooks.values().all(|webhook| webhook["body_sha256"] == hash.as_str()), "{webhooks:#?}");
    let first = webhooks.values().filter(|webhook| webhook["duplicate"] == false).count();
    assert_eq!(first, 1, "one of them is the first, the others repeat it: {webhooks:#?}");
    assert_eq!(version(&pipeline).await, before + 1, "one thing changed");
    let events = pipeline.tells_all().await;
    let failed = events.iter().filter(|event| event["type"] == "finlinkd.connection.update_failed.v1").count();
    assert_eq!(failed, 1, "and is told of once: {events:#?}");
    pipeline.ends_well(&[]).await;
}
