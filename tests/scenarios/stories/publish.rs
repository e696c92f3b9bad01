//! Nothing goes wrong: webhooks come, connections change, and everything is where it belongs.

use std::collections::BTreeSet;

use tests::finlink::ConnectionStatus;
use tests::looking::bare;

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// Something happens to connections, step by step; each is seen before the next, and each is told of.
pub(crate) async fn what_is_acknowledged_is_listed_and_every_change_is_told_of<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    let mut connections = TOKENS.map(ConnectionStatus::pending);
    let steps: [fn(ConnectionStatus) -> ConnectionStatus; 6] = [
        |new| new,
        ConnectionStatus::synced,
        ConnectionStatus::synced,
        |one| one.failed(true),
        ConnectionStatus::synced,
        ConnectionStatus::with_update_token,
    ];
    for step in steps {
        connections = connections.map(step);
        pipeline.put_all(&connections);
        let flood = pipeline.flood().await;
        pipeline.hears(flood, &[]).await;
        pipeline.converges().await;
    }

    let events = pipeline.tells_all().await;
    for token in TOKENS {
        let of_one = events.iter().filter(|event| event["data"]["connection"]["token"] == token);
        let kinds: BTreeSet<&str> = of_one.map(|event| event["type"].as_str().unwrap()).collect();
        for kind in ["discovered", "imported", "synced", "update_failed", "recovered", "update_token_issued"] {
            let kind = format!("finlinkd.connection.{kind}.v1");
            assert!(kinds.contains(kind.as_str()), "{kind} of {token} is not among {kinds:?}");
        }
    }
    assert!(events.iter().all(|event| event["specversion"] == "1.0"), "{events:#?}");
    let last = tests::feed::newest(&events).into_values().map(bare).collect::<Vec<_>>();
    assert_eq!(last, pipeline.truth());
    pipeline.ends_well(&[]).await;
}

/// As on a machine that is restarted, or a deployment that is rolled out.
pub(crate) async fn a_stop_in_order_under_load_loses_nothing<P: Pair>() {
    let mut pipeline = Pipeline::<P>::start().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::pending));
    for connections in
        [TOKENS.map(ConnectionStatus::ready), TOKENS.map(|token| ConnectionStatus::ready(token).blocked())]
    {
        let flood = pipeline.flood().await;
        pipeline.put_all(&connections);
        pipeline.stops_under(flood).await;
    }
    pipeline.ends_well(&[]).await;
}
