//! Another program logs in with the same secret, again and again: reported, and Finlink is not stormed.

use std::time::Duration;

use serde_json::json;
use tests::finlink::{ConnectionStatus, Endpoint};
use tests::looking::{counter, eventually};

use super::cluster::{Cluster, TOKENS};

/// `upstream.login_apart` of a brisk set-up, less what a clock and a busy machine may take off.
const APART_AT_LEAST: Duration = Duration::from_millis(800);

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_another_program_takes_is_reported_and_causes_no_storm() {
    let cluster = Cluster::shared().await;
    cluster.put_all(&TOKENS.map(ConnectionStatus::ready));
    let reconciler = cluster.start("reconciler-1").await;
    let app = &cluster.app;
    let mut seen = 0;
    let stolen = eventually("the theft is counted", async || {
        let logins = cluster.finlink.count(Endpoint::Login);
        if logins > seen {
            seen = logins;
            cluster.finlink.world(|world| world.log_in(&app.client_id, &app.client_secret, &json!(["read"]))).unwrap();
        }
        match counter(&reconciler, r#"finlinkd_session_stolen_total{app="main"}"#).await {
            0 => Err(format!("{logins} logins\n{}", reconciler.last_lines())),
            _ => Ok(()),
        }
    });
    stolen.await;
    reconciler.said("another program logs in with this app's secret").await.unwrap();
    let logins: Vec<_> =
        cluster.finlink.asked().into_iter().filter(|asked| asked.endpoint == Endpoint::Login).collect();
    for pair in logins.windows(2) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart >= APART_AT_LEAST, "logins {apart:?} apart");
    }
    // The thief has gone: all is well again by itself.
    cluster.converges(|| cluster.truth()).await;
    reconciler.stop().await.unwrap();
}
