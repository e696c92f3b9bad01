//! Another program logs in with the same secret, again and again.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::finlink::{Asked, ConnectionStatus, Endpoint};
use tests::looking::counter;

use crate::pair::Pair;
use crate::pipeline::{Pipeline, TOKENS};

/// Sessions that are stolen.
const THEFTS: usize = 5;
/// `upstream.login_apart` of a brisk set-up, less what two clocks and a busy machine may take off.
const APART_AT_LEAST: Duration = Duration::from_millis(900);
/// After several thefts in a row, twice as far apart, and then twice as far again.
const FURTHER_APART: Duration = Duration::from_millis(3500);

fn logins(asked: &[Asked]) -> Vec<Instant> {
    asked.iter().filter(|asked| asked.endpoint == Endpoint::Login).map(|asked| asked.at).collect()
}

pub(crate) async fn a_thief_of_sessions_is_named_and_logins_grow_further_apart<P: Pair>() {
    let pipeline = Pipeline::<P>::start().await;
    pipeline.put_all(&TOKENS.map(ConnectionStatus::ready));
    for theft in 1..=THEFTS {
        let used = |asked: &Vec<Asked>| {
            let last = asked.iter().rposition(|asked| asked.endpoint == Endpoint::Login);
            let since = last.map(|last| &asked[last + 1..]).unwrap_or_default();
            logins(asked).len() == theft && since.iter().any(|asked| asked.status == 200)
        };
        pipeline.finlink.wait_until_asked("a session that is used", used).await.unwrap();
        let app = &pipeline.app;
        pipeline.finlink.world(|world| world.log_in(&app.client_id, &app.client_secret, &json!(null))).unwrap();
    }
    let reconciler = pipeline.player("reconciler");
    reconciler.said("another program logs in with this app's secret").await.unwrap();
    // The thief has gone.
    pipeline.finlink.wait_for_more(Endpoint::Login, 1).await.unwrap();
    let logins = logins(&pipeline.finlink.asked());
    let gaps: Vec<Duration> = logins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= APART_AT_LEAST), "{gaps:?}");
    assert!(gaps[THEFTS - 1] >= FURTHER_APART, "they grow apart: {gaps:?}");
    assert!(counter(reconciler, r#"finlinkd_session_stolen_total{app="main"}"#).await >= 2);
    let told = reconciler.count_logged(|record| record.to_string().contains("another program logs in"));
    assert_eq!(told, 1, "a person is told once");
    // All is well again by itself.
    pipeline.put_all(&TOKENS.map(|token| ConnectionStatus::ready(token).failed(true)));
    pipeline.ends_well(&[]).await;
}
