//! Every role scaled, and a Finlink with every mishap: the table of connections is right and the books prove it.

use std::time::Duration;

use serde_json::Value;
use simulator::{Ended, Settings, Simulator};
use tests::cluster::Cluster;
use tests::customer::APP;
use tests::feed::events_once;
use tests::finlink::{Credentials, as_listed};
use tests::http::PATIENCE;
use tests::looking::eventually;
use tokio_util::sync::CancellationToken;

const ALL: [&str; 7] = ["reconciler-1", "reconciler-2", "ingress-1", "ingress-2", "consumer-1", "consumer-2", "feed-1"];

fn world() -> Settings {
    Settings {
        seed: 7,
        app: APP.to_owned(),
        connections: 20,
        webhooks: Some(300),
        duration: Duration::from_secs(6),
        duplicate_rate: 0.2,
        loss_rate: 0.1,
        reorder: 0.3,
        forged_rate: 0.1,
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scaled_roles_converge_under_duplicates_disorder_loss_and_forgeries() {
    let mut cluster = Cluster::shared().await;
    let simulator = Simulator::start_on_loopback(world()).unwrap();
    let (client_id, client_secret) = simulator.credentials();
    cluster.app = Credentials { client_id, client_secret };
    cluster.upstream = simulator.base_url();
    let roles = cluster.start_all(&ALL).await;

    // The first half to one ingress, the second to the other.
    let url = async |name: &str| format!("http://{}/webhooks/{APP}", roles.get(name).address("listen").await.unwrap());
    let half = CancellationToken::new();
    let (first, second) = (url("ingress-1").await, url("ingress-2").await);
    let at_half = eventually("half of the webhooks are sent", async || match simulator.progress().sent {
        150.. => {
            half.cancel();
            Ok(())
        }
        sent => Err(format!("{sent} are")),
    });
    let (ended, ()) = tokio::join!(simulator.run(&first, &half), at_half);
    assert_eq!(ended.unwrap(), Ended::Stopped);
    let never = CancellationToken::new();
    let rest = tokio::time::timeout(PATIENCE, simulator.run(&second, &never));
    assert_eq!(rest.await.expect("the world comes to rest").unwrap(), Ended::Quiet);

    let truth: Vec<Value> = simulator.truth().connections.iter().map(|one| as_listed(APP, one)).collect();
    cluster.person().sees(|| truth.clone()).await;
    let tally = simulator.tally();
    assert_eq!(tally.given_up, 0, "{tally:?}");
    let receipts: Vec<String> = tally.receipts.iter().map(|receipt| receipt.id.to_string()).collect();
    cluster.person().finds(&receipts).await;
    let forged: Vec<String> =
        tally.receipts.iter().filter(|receipt| receipt.forged).map(|receipt| receipt.id.to_string()).collect();
    let listed = cluster.person().webhooks().await;
    assert_eq!(listed.len(), receipts.len(), "nothing is listed that was not acknowledged");
    assert!(forged.iter().all(|receipt| listed[receipt]["verification"] != "verified"), "a forgery counts");

    let events = eventually("the feed tells of every connection", async || {
        let events = events_once(roles.get("feed-1")).await;
        let newest = |token: &Value| {
            let mut of_one =
                events.iter().map(|event| &event["data"]["connection"]).filter(|one| one["token"] == *token);
            of_one.next_back().map(|one| one["status"].clone())
        };
        let told = truth.iter().all(|one| newest(&one["token"]).as_ref() == Some(&one["status"]));
        if told { Ok(()) } else { Err(format!("{} events", events.len())) }
    });
    events.await;
    assert_eq!(tally.asked.logins, 1, "a standby does not log in: {:?}", tally.asked);
    roles.stop().await;
    cluster.person().books_are_right(2).await;
    simulator.stop().await;
}
