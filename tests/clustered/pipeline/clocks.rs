//! Machines whose clocks are hours apart: the table of connections is right all the same, and one reconciler stands in for
//! another as soon as ever.

use tests::binary::Finlinkd;
use tests::circumstances::with_a_clock_off_by;
use tests::cluster::{Cluster, TOKENS};
use tests::customer::APP;
use tests::feed::events_once;
use tests::finlink::ConnectionStatus;
use tests::looking::{array, counter, eventually};
use tests::roles::role_of;
use tests::sender::Sender;
use tokio::task::block_in_place;

use crate::database;

/// Webhooks whose signature the ingress found good by itself.
const ACCEPTED: &str = r#"finlinkd_ingress_requests_total{app="main",outcome="accepted"}"#;

async fn start(cluster: &Cluster, name: &str, hours: i32) -> Finlinkd {
    with_a_clock_off_by(cluster.setup(name), hours).unwrap().run_role(role_of(name)).await.unwrap()
}

/// Sends until a webhook is verified at once: the ingress has heard of its key.
async fn verified_at_once(sender: &Sender, ingress: &Finlinkd) -> String {
    eventually("the ingress verifies", async || {
        let receipt = sender.send(TOKENS[1]).await.unwrap();
        match counter(ingress, ACCEPTED).await {
            0 => Err("it keeps them as pending".to_owned()),
            _ => Ok(receipt),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_that_can_ask_nobody_for_the_time_keeps_what_is_wrong_by_its_clock() {
    const DAYS: i32 = 3 * 24;
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let reconciler = cluster.start("reconciler-1").await;
    let (consumer, ingress) = (cluster.start("consumer-1").await, cluster.start("ingress-1").await);
    let mut receipts = vec![verified_at_once(&cluster.sender(&ingress).await, &ingress).await];
    let keys = cluster.folder_of("ingress-1").join("keys.json");
    eventually("the key is on disk", async || {
        let kept = std::fs::read_to_string(&keys).unwrap_or_default();
        if kept.contains("P-256") { Ok(()) } else { Err(kept) }
    })
    .await;
    ingress.stop().await.unwrap();
    reconciler.stop().await.unwrap();

    for off in [-DAYS, DAYS] {
        let ingress = start(&cluster, "ingress-1", off).await;
        receipts.push(cluster.sender(&ingress).await.send(TOKENS[0]).await.unwrap());
        assert_eq!(counter(&ingress, ACCEPTED).await, 0, "it is kept, not accepted");
        ingress.stop().await.unwrap();
    }
    let reconciler = cluster.start("reconciler-1").await;
    cluster.person().finds_decided(&receipts, &[]).await;
    for process in [consumer, reconciler] {
        process.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_whose_clocks_are_hours_apart_work_together() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::pending));
    let first = start(&cluster, "reconciler-1", 2).await;
    let ahead = start(&cluster, "ingress-1", 3).await;
    let behind = start(&cluster, "ingress-2", -3).await;
    let consumer = start(&cluster, "consumer-1", -3).await;
    let feed = start(&cluster, "feed-1", 1).await;
    cluster.converges().await;
    first.said("ahead of the store's").await.unwrap();
    consumer.said("behind the store's").await.unwrap();
    // These have no store: they hear of its time with the keys.
    ahead.said("ahead of the store's").await.unwrap();
    behind.said("behind the store's").await.unwrap();

    // Three hours old, as its receiver sees it: a repetition may be a day old.
    let acknowledged = cluster.sender(&ahead).await.send(TOKENS[0]).await.unwrap();

    // From three hours in the future, as its receiver sees it, which keeps it until the key is known, and goes by the store's
    // clock since it heard of that.
    let sender = cluster.sender(&behind).await;
    let kept = sender.send(TOKENS[1]).await.unwrap();
    let verified = verified_at_once(&sender, &behind).await;

    // The standby's clock is four hours behind that of the one it stands in for, which died with the lease.
    let second = start(&cluster, "reconciler-2", -2).await;
    first.kill().await.unwrap();
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    cluster.converges().await;
    cluster.person().finds_decided(&[acknowledged, kept, verified], &[]).await;
    // Nor does anything that the first one scheduled wait for hours.
    cluster.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).failed(true)));
    cluster.converges().await;
    let fresh = feed.api(&format!("/v1/connections/{}?fresh_within=60s", TOKENS[0])).await.unwrap().json().unwrap();
    assert_eq!(fresh["fresh"], true, "{fresh}");
    events_once(&feed).await;

    // Both are seen to be alive, and one that died is seen to be dead: by when their marks were recorded.
    cluster.person().books_are_right(2).await;
    ahead.kill().await.unwrap();
    behind.stop().await.unwrap();
    for process in [consumer, second, feed] {
        process.stop().await.unwrap();
    }
    let (_, name) = cluster.store.rsplit_once('/').unwrap();
    let hour_later = "UPDATE checkpoints SET recorded_at = recorded_at - 3600000000";
    block_in_place(|| database::shared().query(name, hour_later).unwrap());
    cluster.person().books_are_right(1).await;
    let runs = array(cluster.ask(&["ledger", "verify", "--json"]).await);
    let mut verdicts: Vec<_> = runs.iter().filter_map(|run| run["verdict"].as_str()).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, ["balanced", "unproven_tail"], "{runs:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_does_goes_by_the_databases_clock() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let reconciler = cluster.start("reconciler-1").await;
    cluster.converges().await;
    reconciler.stop().await.unwrap();
    let (_, name) = cluster.store.rsplit_once('/').unwrap();
    let query = |sql: &str| block_in_place(|| database::shared().query(name, sql).unwrap());
    query(
        "UPDATE connections SET missing = true, deletion_held_at = 1;
         INSERT INTO dead_letters (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
         VALUES (gen_random_uuid(), 'main', gen_random_uuid(), 1, 'culprit', '', 1, '{}', '')",
    );

    let person = with_a_clock_off_by(cluster.setup("person"), 3).unwrap();
    for command in [
        &["connections", "refresh", TOKENS[0]][..],
        &["connections", "approve-deletions", "--app", APP, "--yes"],
        &["dead-letters", "discard", "--all", "--yes"],
    ] {
        let output = person.output(command).await.unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let noted = query(
        "WITH noted (at) AS (
             SELECT hinted_at FROM refreshes WHERE hint_no > answered_no
             UNION ALL SELECT scheduled_at FROM refreshes WHERE reason = 'missing'
             UNION ALL SELECT deletion_approved_at FROM connections
             UNION ALL SELECT discarded_at FROM discarded)
         SELECT count(*), count(*) FILTER (WHERE to_timestamp(at / 1000000.0) BETWEEN now() - interval '1 hour' AND now())
         FROM noted",
    );
    assert_eq!(noted, "10|10");
}
