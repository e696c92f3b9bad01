//! `/metrics` after some life: every name that the design promises for one machine, and nothing that grows with connections.

use std::collections::BTreeSet;

use tests::finlink::ConnectionStatus;
use tests::looking::eventually;
use tests::scene::Scene;
use tests::sender::naming;

/// The design's list, with the labels that it names. Left out is what only a broker has: `broker_connected`,
/// `publish_confirm_duration_seconds` and `events_unrouted_total`.
const PROMISED: &[(&str, &[&str])] = &[
    ("ingress_requests_total", &["app", "outcome"]),
    ("ingress_request_duration_seconds", &[]),
    ("ingress_in_flight", &[]),
    ("spool_messages", &[]),
    ("spool_bytes", &[]),
    ("spool_oldest_age_seconds", &[]),
    ("last_webhook_timestamp_seconds", &["app"]),
    ("consumer_messages_total", &["app", "result"]),
    ("consumer_batch_size", &[]),
    ("end_to_end_lag_seconds", &[]),
    ("checkpoint_timestamp_seconds", &[]),
    ("hint_oldest_unanswered_seconds", &[]),
    ("refresh_overdue_seconds", &[]),
    ("refreshes_total", &["cause", "result"]),
    ("sweep_last_success_timestamp_seconds", &[]),
    ("connections", &["app", "status"]),
    ("gaps_total", &["app", "kind"]),
    ("gaps_open", &[]),
    ("upstream_requests_total", &["endpoint", "status"]),
    ("session_stolen_total", &[]),
    ("outbox_oldest_age_seconds", &[]),
    ("dead_letters", &["reason"]),
    ("build_info", &[]),
];

/// The series of a metric, a histogram's included.
fn series<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let name = format!("finlinkd_{name}");
    let of_it = |line: &&str| {
        line.strip_prefix(name.as_str())
            .is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket{"))
    };
    page.lines().filter(of_it).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promised_metric_is_there_with_its_labels_and_none_per_connection() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(true));
    scene.person().finds(&[sender.send("AAAAAAAAAA").await.unwrap()]).await;
    sender.post_signed("a.b.c", &naming("AAAAAAAAAA")).await.unwrap();
    scene.converges(&running).await;

    let page = eventually("every promised metric", async || {
        let page = running.admin("/metrics").await.unwrap();
        assert!(page.header("content-type").unwrap().starts_with("text/plain"), "{:?}", page.headers);
        let page = page.text();
        let missing: Vec<_> = PROMISED.iter().filter(|(name, _)| series(&page, name).is_empty()).collect();
        if missing.is_empty() { Ok(page) } else { Err(format!("{missing:?}")) }
    });
    let page = page.await;
    for (name, labels) in PROMISED {
        for line in series(&page, name) {
            let missing: Vec<_> = labels.iter().filter(|label| !line.contains(&format!("{label}=\""))).collect();
            assert!(missing.is_empty(), "{line} lacks {missing:?}");
        }
    }
    assert!(!page.contains("AAAAAAAAAA"), "a connection is a label");
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(documented.contains(name) || documented.contains(base), "{name} is not explained");
    }
    running.stop().await.unwrap();
}

#[cfg(feature = "servers")]
#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_wrong_with_the_page() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    let page = running.admin("/metrics").await.unwrap().text();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("finlinkd_")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
    running.stop().await.unwrap();
}
