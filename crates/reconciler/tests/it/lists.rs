//! Lists: when they are read, how far apart, and what may be concluded from them.

use std::time::Duration;

use reconciler::Did;
use serde_json::json;
use store::Refresh;

use crate::finlink::{Endpoint, Odd};
use crate::rig::{Rig, token};

#[tokio::test]
async fn many_due_connections_are_one_list_and_few_are_single_reads() {
    let mut rig = Rig::new().await;
    (0..60).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    assert_eq!((rig.finlink.asked(Endpoint::List), rig.finlink.asked(Endpoint::Connection)), (1, 0));

    rig.later(Duration::from_mins(10));
    for number in 0..19 {
        rig.hint(&token(number)).await;
    }
    rig.settle(&mut reconciler).await;
    assert_eq!((rig.finlink.asked(Endpoint::List), rig.finlink.asked(Endpoint::Connection)), (1, 19));

    rig.later(Duration::from_mins(10));
    for number in 0..20 {
        rig.finlink.put(&token(number), "READY", 2);
        rig.hint(&token(number)).await;
    }
    let (did, _) = rig.settle(&mut reconciler).await;
    assert_eq!(did, [Did::Listed { found: 60 }]);
    let refresh = rig.explain(&token(0)).await.refresh.unwrap();
    assert_eq!(refresh.hint_no, refresh.answered_no, "the list answers the hints");
    assert_eq!(rig.connection(&token(0)).await.last_sync.unwrap().to_string(), "2026-01-01T00:00:02.000000Z");
}

#[tokio::test]
async fn unbound_bodies_cost_a_list_every_ten_seconds_at_most() {
    let mut rig = Rig::new().await;
    (0..5).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let before = rig.finlink.asked_in_all();
    for second in 0..120 {
        rig.receive(format!("not json {second}").as_bytes(), false).await;
        rig.receive(json!({ "connectionToken": format!("UNKNOWN{second:03}") }).to_string().as_bytes(), false).await;
        rig.settle(&mut reconciler).await;
        rig.later(Duration::from_secs(1));
    }
    let lists = rig.finlink.asked(Endpoint::List);
    assert!((10..=13).contains(&lists), "{lists} lists in two minutes");
    assert!(rig.finlink.asked_in_all() - before <= 13 + 5, "{} requests", rig.finlink.asked_in_all() - before);
}

#[tokio::test]
async fn a_slow_list_is_read_the_less_often() {
    let mut rig = Rig::with(|settings, _| settings.list_duration_factor = 200_000).await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    let gate = rig.finlink.gate(Endpoint::List);
    let now = rig.now;
    let listing = tokio::spawn(async move {
        reconciler.step(now).await;
        reconciler
    });
    gate.arrived().await;
    // A request and its answer take some time in any case; 200,000 times that is hours.
    tokio::task::yield_now().await;
    gate.open();
    let mut reconciler = listing.await.unwrap();
    rig.store.request(&Rig::app(), None, rig.now).await.unwrap();
    rig.later(Duration::from_secs(30));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::List), 1);
}

#[tokio::test]
async fn a_list_that_is_empty_by_mistake_deletes_nothing() {
    let mut rig = Rig::new().await;
    (0..40).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    for _ in 0..3 {
        rig.finlink.next(Endpoint::List, 1, Odd::Body("[]".to_owned()));
        rig.later(Duration::from_hours(1));
        rig.settle(&mut reconciler).await;
    }
    rig.pass(&mut reconciler, Duration::from_hours(1), Duration::from_mins(5)).await;
    let (live, deleted) = rig.tokens().await;
    assert_eq!((live.len(), deleted.len()), (40, 0));
}

#[tokio::test]
async fn a_404_by_mistake_deletes_nothing() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.finlink.next(Endpoint::Connection, 5, Odd::Status(404));
    for _ in 0..10 {
        rig.later(Duration::from_mins(10));
        rig.hint(&token(1)).await;
        rig.settle(&mut reconciler).await;
    }
    let (live, deleted) = rig.tokens().await;
    assert_eq!((live.len(), deleted.len()), (1, 0));
}

#[tokio::test]
async fn a_connection_that_is_gone_is_deleted_once_both_questions_agree_twice() {
    let mut rig = Rig::new().await;
    (0..3).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.finlink.remove(&token(1));
    rig.hint(&token(1)).await;
    rig.later(Duration::from_mins(1));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.tokens().await.1.len(), 0, "one round of evidence is not enough");
    rig.pass(&mut reconciler, Duration::from_mins(30), Duration::from_mins(1)).await;
    assert_eq!(rig.tokens().await.1, [token(1)]);
}

#[tokio::test]
async fn a_list_that_is_cut_is_no_list() {
    let mut rig = Rig::new().await;
    (0..30).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    for odd in [Odd::Cut, Odd::Body("[{\"credentialsToken\":\"C0".to_owned()), Odd::Body("{}".to_owned())] {
        rig.later(Duration::from_hours(2));
        rig.finlink.always(Endpoint::List, Some(odd));
        rig.settle(&mut reconciler).await;
        rig.finlink.always(Endpoint::List, None);
        assert!(rig.explain(&token(1)).await.known.unwrap().absence == connections::Absence::default());
    }
    assert_eq!(rig.tokens().await.0.len(), 30);
}

#[tokio::test]
async fn an_element_that_cannot_be_read_spoils_no_other_and_proves_no_absence() {
    let mut rig = Rig::new().await;
    (0..3).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.finlink.state().strays.push(json!({ "status": "READY" }));
    rig.finlink.remove(&token(1));
    rig.finlink.put(&token(2), "READY", 2);
    rig.finlink.put(&token(3), "READY", 1);
    rig.later(Duration::from_hours(2));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.tokens().await.0.len(), 4, "a new one is found");
    assert_eq!(rig.connection(&token(2)).await.last_sync.unwrap().to_string(), "2026-01-01T00:00:02.000000Z");
    assert!(!rig.explain(&token(1)).await.known.unwrap().absence.suspected());

    let lists = rig.finlink.asked(Endpoint::List);
    rig.pass(&mut reconciler, Duration::from_hours(4), Duration::from_mins(1)).await;
    assert!(rig.finlink.asked(Endpoint::List) - lists <= 14, "a list that never gets whole is asked for less and less");
}

#[tokio::test]
async fn a_flood_of_bound_unknown_tokens_costs_a_read_each_and_a_list() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_mins(1));
    for number in 0..50 {
        for _ in 0..3 {
            rig.hint(&format!("FLOOD{number:05}")).await;
        }
    }
    rig.settle(&mut reconciler).await;
    rig.pass(&mut reconciler, Duration::from_mins(5), Duration::from_secs(10)).await;
    assert!(rig.finlink.asked(Endpoint::Connection) <= 50);
    // The first sweep, the one that answers the flood, and its second look.
    assert!(rig.finlink.asked(Endpoint::List) <= 3, "{}", rig.finlink.asked(Endpoint::List));
    assert_eq!(rig.connections().await.len(), 0);
}
