//! Hints and due connections read one by one.

use std::time::Duration;

use reconciler::{Did, Reconciler};
use store::{Inspect, Refresh};

use crate::finlink::{Endpoint, Odd};
use crate::rig::{Rig, token};
use crate::signing::SigningKey;

#[tokio::test]
async fn a_first_sweep_finds_what_is_there_and_a_hint_finds_what_changed() {
    let mut rig = Rig::new().await;
    (0..3).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    let (did, last) = rig.settle(&mut reconciler).await;
    assert_eq!((did, last), (vec![Did::Listed { found: 3 }], Did::Nothing));
    assert_eq!(rig.tokens().await.0.len(), 3);
    assert_eq!(rig.finlink.state().scopes, [serde_json::json!(["read"])]);

    rig.finlink.put(&token(1), "UPDATE_ERROR", 2);
    rig.hint(&token(1)).await;
    rig.later(Duration::from_mins(10));
    let (did, _) = rig.settle(&mut reconciler).await;
    assert_eq!(did, [Did::Read { claims: 1 }]);
    assert_eq!(rig.connection(&token(1)).await.status.as_str(), "UPDATE_ERROR");
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 1);
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1, "one session for all");
    assert!(rig.finlink.state().traces.iter().all(Option::is_some), "every request carries a trace id");
    let asked = [("endpoint", "connection"), ("status", "200")];
    assert_eq!(rig.metric("finlinkd_upstream_requests_total", &asked), 1.0);
    assert_eq!(rig.metric("finlinkd_refreshes_total", &[("cause", "hint"), ("result", "changed")]), 1.0);
    let swept = rig.metric("finlinkd_sweep_last_success_timestamp_seconds", &[("app", "main")]);
    assert!(swept >= 1_767_268_800.0 && swept <= rig.now.as_seconds(), "{swept}");
}

#[tokio::test]
async fn a_hint_that_comes_during_its_read_is_read_again() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    rig.hint(&token(1)).await;
    let gate = rig.finlink.gate(Endpoint::Connection);
    let now = rig.now;
    let reading = tokio::spawn(async move {
        let step = reconciler.step(now).await;
        (reconciler, step)
    });
    gate.arrived().await;
    rig.finlink.put(&token(1), "UPDATE_ERROR", 2);
    rig.hint(&token(1)).await;
    gate.open();
    let (mut reconciler, step) = reading.await.unwrap();
    assert_eq!(step.did, Did::Read { claims: 1 });
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!((refresh.hint_no, refresh.answered_no), (2, 1), "the second hint is not answered by the first read");

    rig.later(Duration::from_mins(2));
    gate.open();
    rig.settle(&mut reconciler).await;
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!((refresh.hint_no, refresh.answered_no), (2, 2));
    assert_eq!(rig.connection(&token(1)).await.status.as_str(), "UPDATE_ERROR");
}

#[tokio::test]
async fn a_5xx_is_repeated_three_times_and_then_the_connection_is_left_alone() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));

    rig.finlink.next(Endpoint::Connection, 3, Odd::Status(503));
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 4, "the third repetition was answered");
    assert_eq!(rig.explain(&token(1)).await.refresh.unwrap().failures, 0);

    rig.later(Duration::from_mins(10));
    rig.finlink.next(Endpoint::Connection, 4, Odd::Status(500));
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 8);
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!(refresh.failures, 1);
    assert!(refresh.last_error.unwrap().contains("500"));
    assert!(refresh.last_request_id.is_some());
    assert!(refresh.not_before >= rig.now.plus(Duration::from_secs(20)));

    rig.later(Duration::from_mins(1));
    rig.settle(&mut reconciler).await;
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!((refresh.failures, refresh.answered_no), (0, 2), "the hint is answered in the end");
}

#[tokio::test]
async fn other_4xx_and_unusable_answers_are_not_repeated() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let before = rig.connection(&token(1)).await;
    let odds = [
        Odd::Status(400),
        Odd::Status(403),
        Odd::Status(302),
        Odd::Status(204),
        Odd::Body("{\"credentialsToken\":\"C0000".to_owned()),
        Odd::Body("[]".to_owned()),
        Odd::Body(format!("{{\"credentialsToken\":\"{}\",\"status\":\"READY\"}}", token(2))),
        Odd::Body(format!("{{\"pad\":\"{}\"}}", "x".repeat(1024 * 1024))),
    ];
    for (asked, odd) in odds.into_iter().enumerate() {
        rig.later(Duration::from_hours(2));
        rig.settle(&mut reconciler).await;
        let asked_before = rig.finlink.asked(Endpoint::Connection);
        rig.finlink.next(Endpoint::Connection, 1, odd.clone());
        rig.hint(&token(1)).await;
        rig.later(Duration::from_mins(1));
        rig.settle(&mut reconciler).await;
        assert_eq!(rig.finlink.asked(Endpoint::Connection), asked_before + 1, "{asked}: {odd:?}");
        assert_eq!(rig.explain(&token(1)).await.refresh.unwrap().failures, 1, "{odd:?}");
        let after = rig.connection(&token(1)).await;
        assert_eq!((after.version, after.deleted_at), (before.version, None), "{odd:?}");
    }
}

#[tokio::test]
async fn answers_that_are_cut_or_missing_are_repeated() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    rig.finlink.next(Endpoint::Connection, 1, Odd::Cut);
    rig.finlink.next(Endpoint::Connection, 2, Odd::Nothing);
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 4);
    let refresh = rig.explain(&token(1)).await.refresh.unwrap();
    assert_eq!((refresh.failures, refresh.answered_no), (0, 1));
    assert_eq!(rig.metric("finlinkd_upstream_requests_total", &[("status", "cut")]), 3.0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_none() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut patient = rig.reconciler();
    rig.settle(&mut patient).await;
    patient.leave().await;
    rig.settings.answer_timeout = Duration::from_millis(50);
    let mut reconciler = rig.reconciler();
    rig.later(Duration::from_mins(10));
    rig.finlink.always(Endpoint::Connection, Some(Odd::Silence));
    rig.hint(&token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 1, "the time is used up");
    let timeouts = [("endpoint", "connection"), ("status", "timeout")];
    assert_eq!(rig.metric("finlinkd_upstream_requests_total", &timeouts), 1.0);
    assert_eq!(rig.explain(&token(1)).await.refresh.unwrap().failures, 1);

    rig.settings.read_timeout = Duration::from_millis(200);
    rig.settings.answer_timeout = Duration::from_millis(500);
    reconciler.leave().await;
    let mut reconciler = rig.reconciler();
    rig.later(Duration::from_mins(10));
    rig.settle(&mut reconciler).await;
    let asked = rig.finlink.asked(Endpoint::Connection) - 1;
    assert!(asked < 4, "{asked}: repetitions have no time of their own");
    assert_eq!(rig.explain(&token(1)).await.refresh.unwrap().failures, 2);
}

#[tokio::test]
async fn a_read_that_hangs_keeps_nothing_else_waiting() {
    let mut rig = Rig::with(|settings, _| settings.turn_waits = Duration::from_millis(50)).await;
    (0..3).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    rig.finlink.next(Endpoint::Connection, 1, Odd::Silence);
    rig.hint(&token(0)).await;
    let (did, _) = rig.settle(&mut reconciler).await;
    assert_eq!(did, [Did::Read { claims: 1 }]);
    assert!(rig.explain(&token(0)).await.refresh.unwrap().claimed_until.is_some(), "it is under way");

    let answered = async |rig: &mut Rig, reconciler: &mut Reconciler, number| {
        rig.hint(&token(number)).await;
        // Its answer may come a turn later, too.
        while rig.explain(&token(number)).await.refresh.unwrap().answered_no == 0 {
            rig.settle(reconciler).await;
        }
    };
    answered(&mut rig, &mut reconciler, 1).await;
    rig.store.request(&Rig::app(), None, rig.now).await.unwrap();
    let (did, _) = rig.settle(&mut reconciler).await;
    assert_eq!(did, [Did::Listed { found: 3 }]);
    rig.later(Duration::from_mins(2));
    let key = SigningKey::new();
    rig.finlink.next(Endpoint::Key, 1, Odd::Silence);
    rig.pend(&key, &token(1)).await;
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Key), 1);
    answered(&mut rig, &mut reconciler, 2).await;
    assert!(rig.explain(&token(0)).await.refresh.unwrap().claimed_until.is_some(), "it is under way still");
    reconciler.leave().await;
    let mut next = rig.reconciler();
    while rig.explain(&token(0)).await.refresh.unwrap().answered_no == 0 {
        rig.settle(&mut next).await;
    }
}

#[tokio::test]
async fn an_unknown_status_and_times_in_the_future_are_kept_and_read_on() {
    let rig = Rig::new().await;
    rig.finlink.state().connections.insert(
        token(1),
        serde_json::json!({
            "credentialsToken": token(1), "status": "HIBERNATING", "lastSync": "2999-01-01T00:00:00.000Z",
            "updatedAt": "2999-01-01T00:00:00.000Z", "createdAt": 5, "newField": {"a": 1}
        }),
    );
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let connection = rig.connection(&token(1)).await;
    assert_eq!(connection.status.as_str(), "HIBERNATING");
    let due = rig.explain(&token(1)).await.refresh.unwrap().scheduled_at.unwrap();
    assert!(due > rig.now && due <= rig.now.plus(Duration::from_hours(24 * 7)), "{due}");
}

#[tokio::test]
async fn one_connection_is_read_at_most_once_in_ten_seconds_however_many_hints_come() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(10));
    for _ in 0..60 {
        rig.hint(&token(1)).await;
        rig.settle(&mut reconciler).await;
        rig.later(Duration::from_secs(1));
    }
    let asked = rig.finlink.asked(Endpoint::Connection);
    assert!((1..=7).contains(&asked), "{asked} reads in a minute");
    assert_eq!(rig.store.totals(rig.now).await.unwrap().deliveries["verified"], 60);
}

#[tokio::test]
async fn a_token_that_was_never_seen_costs_one_read_and_a_list_that_may_show_it_later() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let lists = rig.finlink.asked(Endpoint::List);
    rig.later(Duration::from_mins(1));
    rig.hint("NOBODY0001").await;
    rig.settle(&mut reconciler).await;
    rig.pass(&mut reconciler, Duration::from_mins(5), Duration::from_secs(30)).await;
    assert_eq!(rig.finlink.asked(Endpoint::Connection), 1);
    assert_eq!(rig.finlink.asked(Endpoint::List), lists + 1);
    assert_eq!(rig.connections().await.len(), 0);
}
