//! One voice per app: takeover, fencing, shutdown, and a pin that does not fit.

use std::time::Duration;

use reconciler::{App, Did, Reconciler, SecretSource};
use store::Refresh;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::finlink::Endpoint;
use crate::rig::{Rig, token};

#[tokio::test]
async fn a_standby_waits_and_takes_over_with_the_same_session() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let (mut first, mut second) = (rig.reconciler(), rig.reconciler());
    rig.settle(&mut first).await;
    let asked = rig.finlink.asked_in_all();
    for _ in 0..20 {
        rig.later(Duration::from_secs(10));
        rig.hint(&token(1)).await;
        assert_eq!(rig.settle(&mut second).await, (vec![], Did::Standby));
        first.step(rig.now).await;
    }
    assert!(rig.finlink.asked_in_all() > asked);
    // The first dies without a word; its lease ends by itself.
    drop(first);
    rig.later(Duration::from_secs(31));
    rig.hint(&token(1)).await;
    assert_eq!(rig.settle(&mut second).await.0, [Did::Read { claims: 1 }]);
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1);
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_taken_at_once() {
    let mut rig = Rig::new().await;
    let (mut first, mut second) = (rig.reconciler(), rig.reconciler());
    rig.settle(&mut first).await;
    assert_eq!(rig.settle(&mut second).await.1, Did::Standby);
    first.leave().await;
    rig.later(Duration::from_secs(1));
    assert_eq!(rig.settle(&mut second).await.1, Did::Nothing);
    assert_eq!(rig.settle(&mut first).await.1, Did::Standby);
}

#[tokio::test]
async fn what_is_read_after_the_lease_was_lost_is_dropped() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut first = rig.reconciler();
    rig.settle(&mut first).await;
    rig.later(Duration::from_mins(10));
    rig.hint(&token(1)).await;
    rig.finlink.put(&token(1), "UPDATE_ERROR", 2);
    let gate = rig.finlink.gate(Endpoint::Connection);
    let now = rig.now;
    let reading = tokio::spawn(async move {
        let step = first.step(now).await;
        (first, step)
    });
    gate.arrived().await;
    // The first is cut off from everything but its request, for longer than its lease.
    rig.later(Duration::from_secs(31));
    assert!(rig.lease(Uuid::new_v4()).await.unwrap().is_some());
    gate.open();
    let (_, step) = reading.await.unwrap();
    assert_eq!(step.did, Did::Standby);
    assert_eq!(rig.connection(&token(1)).await.status.as_str(), "READY", "its read has no effect");
    assert_eq!(rig.metric("finlinkd_reconciler_active", &[("app", "main")]), 0.0);
}

#[tokio::test]
async fn the_lease_is_renewed_during_a_long_read() {
    let mut rig = Rig::with(|settings, _| settings.lease = Duration::from_millis(150)).await;
    let mut reconciler = rig.reconciler();
    let gate = rig.finlink.gate(Endpoint::List);
    let now = rig.now;
    let reading = tokio::spawn(async move { reconciler.step(now).await });
    gate.arrived().await;
    // Longer than the lease as it was taken: only a renewed one still keeps others out.
    rig.later(Duration::from_millis(160));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while rig.lease_ends_at() < rig.now.plus(Duration::from_millis(150)) {
        assert!(std::time::Instant::now() < deadline, "never renewed");
        tokio::task::yield_now().await;
    }
    assert!(rig.lease(Uuid::new_v4()).await.unwrap().is_none());
    gate.open();
    assert_eq!(reading.await.unwrap().did, Did::Listed { found: 0 });
}

#[tokio::test]
async fn a_read_under_way_is_given_up_when_the_lease_is_lost() {
    let mut rig = Rig::with(|settings, _| settings.lease = Duration::from_millis(150)).await;
    let mut reconciler = rig.reconciler();
    let gate = rig.finlink.gate(Endpoint::List);
    let now = rig.now;
    let reading = tokio::spawn(async move { reconciler.step(now).await });
    gate.arrived().await;
    rig.later(Duration::from_hours(1));
    assert!(rig.lease(Uuid::new_v4()).await.unwrap().is_some());
    // The gate stays closed: the step ends because the renewal fails.
    assert_eq!(reading.await.unwrap().did, Did::Standby);
}

#[tokio::test]
async fn what_a_process_was_reading_when_it_was_killed_is_read_by_the_next_at_once() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut killed = rig.reconciler();
    let gate = rig.finlink.gate(Endpoint::List);
    let now = rig.now;
    let reading = tokio::spawn(async move { killed.step(now).await });
    gate.arrived().await;
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    rig.later(Duration::from_secs(31));
    gate.open();
    gate.open();
    assert_eq!(rig.settle(&mut rig.reconciler()).await.0, [Did::Listed { found: 1 }]);
}

#[tokio::test]
async fn one_app_with_wrong_credentials_leaves_the_others_alone() {
    let rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let app = App {
        name: "other".parse().unwrap(),
        client_id: "client".to_owned(),
        client_secret: SecretSource::Value("wrong".into()),
    };
    let (mut wrong, mut right) = (Reconciler::new(app, rig.wiring()).unwrap(), rig.reconciler());
    assert!(matches!(rig.settle(&mut wrong).await.1, Did::Paused(_)));
    assert_eq!(rig.settle(&mut right).await, (vec![Did::Listed { found: 1 }], Did::Nothing));
    assert!(matches!(rig.settle(&mut wrong).await.1, Did::Paused(_)));
    assert_eq!(rig.finlink.asked(Endpoint::Login), 2);
}

#[tokio::test]
async fn stopping_gives_up_a_read_under_way_and_gives_claim_and_lease_back() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    // `run` lives in real time, and the hinted read must not be too close to the first one.
    rig.now = events::UtcMicros::now().minus(Duration::from_mins(10));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.now = events::UtcMicros::now();
    rig.store
        .request(&Rig::app(), Some(&token(1).parse().unwrap()), rig.now.minus(Duration::from_mins(1)))
        .await
        .unwrap();
    let gate = rig.finlink.gate(Endpoint::Connection);
    let stop = CancellationToken::new();
    let running = tokio::spawn(reconciler.run(stop.clone()));
    gate.arrived().await;
    stop.cancel();
    running.await.unwrap();
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!((refresh.claimed_until, refresh.failures), (None, 0));
    assert!(rig.lease(Uuid::new_v4()).await.unwrap().is_some(), "another may take it at once");
}

#[tokio::test]
async fn an_app_whose_client_changed_is_left_alone_and_says_so() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    reconciler.leave().await;
    let asked = rig.finlink.asked_in_all();
    let app =
        App { name: Rig::app(), client_id: "another".to_owned(), client_secret: SecretSource::Value("secret".into()) };
    let mut other = Reconciler::new(app, rig.wiring()).unwrap();
    let (_, last) = rig.settle(&mut other).await;
    assert!(matches!(&last, Did::Paused(why) if why.contains("client_id")), "{last:?}");
    rig.pass(&mut other, Duration::from_mins(10), Duration::from_secs(30)).await;
    assert_eq!(rig.finlink.asked_in_all(), asked);
}

#[tokio::test]
async fn a_base_url_that_is_none_is_an_error_that_names_the_setting() {
    let mut rig = Rig::new().await;
    for wrong in ["", "api.finlink.vumi.io", "ftp://host", "http://", "https://host?x=1"] {
        rig.settings.base_url = wrong.to_owned();
        let app = App { name: Rig::app(), client_id: "c".to_owned(), client_secret: SecretSource::Value("s".into()) };
        let error = Reconciler::new(app, rig.wiring()).err().unwrap().to_string();
        assert!(error.contains("upstream.base_url"), "{error}");
    }
}
