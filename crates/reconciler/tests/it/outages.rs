//! Finlink away, slow, or asking for a pause: nothing storms, nothing is lost, all recovers by itself.

use std::time::Duration;

use reconciler::Did;

use crate::finlink::{Endpoint, Odd};
use crate::rig::{Rig, token};

#[tokio::test]
async fn an_outage_is_waited_out_with_few_requests_and_heals_by_itself() {
    for odd in [Odd::Status(503), Odd::Nothing] {
        let mut rig = Rig::new().await;
        (0..30).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
        let mut reconciler = rig.reconciler();
        rig.settle(&mut reconciler).await;
        rig.later(Duration::from_mins(10));
        rig.finlink.all_always(Some(&odd));
        for number in 0..30 {
            rig.finlink.put(&token(number), "READY", 2);
            rig.hint(&token(number)).await;
        }
        let before = rig.finlink.asked_in_all();
        rig.pass(&mut reconciler, Duration::from_hours(1), Duration::from_secs(10)).await;
        let asked = rig.finlink.asked_in_all() - before;
        assert!(asked <= 60, "{asked} requests in an hour: {odd:?}");
        let logins = rig.finlink.asked(Endpoint::Login);
        assert!(logins <= 1 + 4, "{logins} logins: {odd:?}");

        rig.finlink.all_always(None);
        rig.pass(&mut reconciler, Duration::from_mins(10), Duration::from_secs(30)).await;
        for number in 0..30 {
            let refresh = rig.explain(&token(number)).await.refresh.unwrap();
            assert_eq!((refresh.answered_no, refresh.failures), (1, 0), "{number}: {odd:?}");
        }
    }
}

#[tokio::test]
async fn a_finlink_that_is_not_there_at_start_is_found_soon_after() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    rig.settings.base_url = format!("http://{address}");
    let mut away = rig.reconciler();
    let (_, last) = rig.settle(&mut away).await;
    assert!(matches!(last, Did::Paused(_)), "{last:?}");
    assert!(rig.metric("finlinkd_upstream_requests_total", &[("status", "unreachable")]) >= 1.0);
    away.leave().await;
    rig.settings.base_url = rig.finlink.url();
    let mut back = rig.reconciler();
    rig.later(Duration::from_secs(5));
    rig.settle(&mut back).await;
    assert_eq!(rig.connections().await.len(), 1, "a login that never arrived does not make the next one wait");
}

#[tokio::test]
async fn a_429_pauses_the_whole_app_as_long_as_it_says() {
    let mut rig = Rig::new().await;
    (0..10).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    rig.finlink.always(Endpoint::Connection, Some(Odd::After(429, 120)));
    for number in 0..10 {
        rig.hint(&token(number)).await;
    }
    rig.settle(&mut reconciler).await;
    let asked = rig.finlink.asked(Endpoint::Connection);
    assert!(asked <= 4, "{asked}: no more than were under way, and none repeated");
    rig.finlink.always(Endpoint::Connection, None);
    rig.pass(&mut reconciler, Duration::from_secs(119), Duration::from_secs(7)).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), asked);
    rig.later(Duration::from_secs(5));
    rig.settle(&mut reconciler).await;
    for number in 0..10 {
        let refresh = rig.explain(&token(number)).await.refresh.unwrap();
        assert_eq!((refresh.answered_no, refresh.failures), (1, 0));
    }
}

#[tokio::test]
async fn a_503_that_names_a_time_is_left_alone_until_then_and_no_longer_than_the_limit() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    rig.hint(&token(1)).await;
    rig.finlink.next(Endpoint::Connection, 1, Odd::After(503, 1_000_000));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 1, "not repeated at once");
    rig.later(Duration::from_mins(14));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 1);
    rig.later(Duration::from_mins(2));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.explain(&token(1)).await.refresh.unwrap().answered_no, 1);
}

#[tokio::test]
async fn a_connection_that_always_fails_does_not_keep_others_from_being_read() {
    let mut rig = Rig::with(|settings, _| settings.singles_in_flight_max = 1).await;
    (0..3).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    for _ in 0..10 {
        // The first hint is read first, and fails.
        rig.hint(&token(0)).await;
        rig.later(Duration::from_secs(1));
        rig.finlink.next(Endpoint::Connection, 4, Odd::Status(500));
        rig.hint(&token(1)).await;
        rig.settle(&mut reconciler).await;
        rig.later(Duration::from_mins(70));
    }
    let (bad, good) = (rig.explain(&token(0)).await.refresh.unwrap(), rig.explain(&token(1)).await.refresh.unwrap());
    assert_eq!(good.hint_no, good.answered_no);
    assert!(bad.failures <= 1, "it is read as soon as it can be: {bad:?}");
}

#[tokio::test]
async fn requests_keep_to_the_rate() {
    let mut rig = Rig::with(|settings, _| settings.max_requests_per_second = 50).await;
    (0..19).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    for number in 0..19 {
        rig.hint(&token(number)).await;
    }
    let started = std::time::Instant::now();
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 19);
    assert!(started.elapsed() >= Duration::from_millis(18 * 20), "{:?}", started.elapsed());
}
