//! A 200 is durable: the process is killed under load, again and again, and every acknowledged webhook is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Ended, Simulator};
use tokio_util::sync::CancellationToken;

use super::process::{Pipeline, code, run, stderr, stdout};

/// The process is killed each time so many more webhooks were acknowledged.
const KILL_EVERY: u64 = 150;
const KILLS: u64 = 4;

fn pipeline(folder: &Path, simulator: &Simulator, listen: &str) -> Pipeline {
    let (client_id, client_secret) = simulator.credentials();
    Pipeline::start_with(
        folder,
        &[
            ("FINLINKD__LISTEN", listen),
            ("FINLINKD__UPSTREAM__BASE_URL", &simulator.base_url()),
            ("FINLINKD__APPS__DEMO__CLIENT_ID", &client_id),
            ("FINLINKD__APPS__DEMO__CLIENT_SECRET", &client_secret),
        ],
    )
}

/// The receipts of all webhooks in the store.
fn stored(folder: &Path) -> BTreeSet<String> {
    let output = run(&["webhooks", "list", "--all", "--json"], &[("FINLINKD__DATA_DIR", folder.to_str().unwrap())]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    rows.iter().map(|row| row["receipt"].as_str().unwrap().to_owned()).collect()
}

/// Waits until `enough`; every look happens on a thread that may block.
async fn until(what: &str, mut enough: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !tokio::task::block_in_place(&mut enough) {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_webhook_survives_sigkill() {
    finlinkd::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let world = simulator::Settings {
        webhooks: Some(KILL_EVERY * (KILLS + 2)),
        duration: Duration::from_secs(3),
        retry_first: Duration::from_millis(50),
        retry_factor: 1.5,
        retries_max: 50,
        ..simulator::Settings::default()
    };
    let simulator = Arc::new(Simulator::start_on_loopback(world).unwrap());
    let mut running = pipeline(folder.path(), &simulator, "127.0.0.1:0");
    let listen = running.address("listen");
    let sending = tokio::spawn({
        let (simulator, url) = (simulator.clone(), format!("http://{listen}/webhooks/demo"));
        async move { simulator.run(&url, &CancellationToken::new()).await.unwrap() }
    });
    for kill in 1..=KILLS {
        until("no webhooks are acknowledged", || simulator.progress().acknowledged >= kill * KILL_EVERY).await;
        running.signal("KILL");
        assert_eq!(running.exit_code(), None, "a signal ended it");
        running = pipeline(folder.path(), &simulator, &listen);
    }
    assert_eq!(sending.await.unwrap(), Ended::Quiet);

    let acknowledged: BTreeSet<String> =
        simulator.tally().receipts.iter().map(|receipt| receipt.id.to_string()).collect();
    assert!(acknowledged.len() as u64 > KILLS * KILL_EVERY);
    until("acknowledged webhooks are not stored", || acknowledged.is_subset(&stored(folder.path()))).await;
    running.signal("TERM");
    assert_eq!(running.exit_code(), Some(0));
}
