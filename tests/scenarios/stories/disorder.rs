//! Webhooks that tell of the past, in any order, and some not at all.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::customer::APP;
use tests::finlink::ConnectionStatus;
use tests::looking::{array, bare};
use tests::sender::naming;
use tests::signing::sha256;

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

const ROUNDS: usize = 5;

pub(crate) async fn webhooks_in_the_wrong_order_and_not_at_all_end_at_the_truth<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    let mut connections = TOKENS.map(ConnectionStatus::pending);
    let (told, never_told) = (&TOKENS[..3], &TOKENS[3..]);
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        for (number, connection) in connections.iter_mut().enumerate() {
            let before = connection.clone();
            *connection = match (round + number) % 4 {
                0 => before.synced(),
                1 => before.failed(true),
                2 => before.with_update_token(),
                _ => before.blocked(),
            };
        }
        pipeline.put_all(&connections);
        // In the reverse order, and twice.
        for token in told.iter().rev() {
            sent.push(pipeline.send(token).await);
            sent.push(pipeline.send(token).await);
        }
    }
    pipeline.converges().await;
    pipeline.person().finds(&sent).await;

    let connections = array(pipeline.person().ask(&["connections", "--json"]).await);
    assert_eq!(connections.iter().map(bare).collect::<Vec<_>>(), pipeline.truth(), "`list` may be left out");
    for listed in connections {
        assert!(listed["version"].as_u64().unwrap() >= 1, "{listed}");
        assert!(listed["as_of"].as_str().unwrap().ends_with('Z'), "{listed}");
        assert_eq!(listed["deleted_at"], Value::Null);
    }
    let webhooks = pipeline.person().webhooks().await;
    let first = webhooks.values().filter(|webhook| webhook["duplicate"] == false);
    assert_eq!(first.count(), told.len(), "their bodies differ from each other");
    let bodies: BTreeSet<String> = told.iter().map(|token| sha256(&naming(token))).collect();
    for webhook in webhooks.values() {
        assert_eq!(webhook["app"], APP);
        assert!(webhook["received_at"].as_str().unwrap().ends_with('Z'), "{webhook}");
        assert!(bodies.contains(webhook["body_sha256"].as_str().unwrap()), "{webhook}");
        assert!(!bodies.contains(&sha256(&naming(never_told[0]))));
    }
    pipeline.ends_well(&[]).await;
}
