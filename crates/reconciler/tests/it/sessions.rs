//! One session per secret: used again, opened a minute apart at least, and what is done when another program takes it.

use std::time::Duration;

use reconciler::{Did, SecretSource};

use crate::finlink::{Endpoint, Odd};
use crate::rig::{Rig, token};

#[tokio::test]
async fn a_restart_uses_the_session_again() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut first = rig.reconciler();
    rig.settle(&mut first).await;
    first.leave().await;
    drop(first);
    for _ in 0..5 {
        rig.later(Duration::from_mins(5));
        rig.hint(&token(1)).await;
        let mut next = rig.reconciler();
        assert_eq!(rig.settle(&mut next).await.0, [Did::Read { claims: 1 }]);
        next.leave().await;
    }
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1);
}

#[tokio::test]
async fn a_session_is_renewed_before_its_hour_ends() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    for _ in 0..10 {
        rig.later(Duration::from_mins(30));
        rig.hint(&token(1)).await;
        rig.settle(&mut reconciler).await;
    }
    assert_eq!(rig.finlink.asked(Endpoint::Login), 6, "one an hour");
    assert_eq!(rig.metric("finlinkd_upstream_requests_total", &[("status", "401")]), 0.0);
    assert_eq!(rig.metric("finlinkd_session_stolen_total", &[]), 0.0);
}

#[tokio::test]
async fn a_session_that_was_created_is_a_session() {
    let rig = Rig::new().await;
    rig.finlink.state().login_status = 201;
    rig.finlink.put(&token(1), "READY", 1);
    let mut reconciler = rig.reconciler();
    assert_eq!(rig.settle(&mut reconciler).await.0, [Did::Listed { found: 1 }]);
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1);
}

#[tokio::test]
async fn wrong_credentials_are_not_tried_in_a_storm() {
    let mut rig = Rig::new().await;
    rig.finlink.state().secret = "another".to_owned();
    let mut reconciler = rig.reconciler();
    let (_, last) = rig.settle(&mut reconciler).await;
    let Did::Paused(why) = last else { panic!("{last:?}") };
    assert!(why.contains("refuses the login"), "{why}");
    rig.pass(&mut reconciler, Duration::from_hours(1), Duration::from_secs(2)).await;
    let logins = rig.finlink.asked(Endpoint::Login);
    assert!((6..=8).contains(&logins), "{logins} logins in an hour");
    assert_eq!(rig.finlink.asked_in_all(), logins);
}

#[tokio::test]
async fn a_crash_loop_does_not_log_in_in_a_loop() {
    let mut rig = Rig::new().await;
    rig.finlink.always(Endpoint::Login, Some(Odd::Nothing));
    for _ in 0..60 {
        // Never given back properly: each is a process that was killed, and its successor waits for the lease's end.
        let mut reconciler = rig.reconciler();
        rig.settle(&mut reconciler).await;
        rig.later(Duration::from_secs(31));
    }
    let logins = rig.finlink.asked(Endpoint::Login);
    assert!(logins <= 31, "{logins} logins in 31 minutes");
}

#[tokio::test]
async fn a_rotated_secret_in_a_file_is_used_without_a_restart() {
    let mut rig = Rig::new().await;
    rig.finlink.put(&token(1), "READY", 1);
    let file = rig.folder.path().join("secret");
    std::fs::write(&file, "not yet\n").unwrap();
    let mut reconciler = rig.reconciler_with(SecretSource::File(file.clone()));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.connections().await.len(), 0);
    std::fs::write(&file, "secret\n").unwrap();
    rig.later(Duration::from_secs(5));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.connections().await.len(), 1);
    assert_eq!(rig.finlink.asked(Endpoint::Login), 2);

    std::fs::remove_file(&file).unwrap();
    rig.later(Duration::from_mins(10));
    rig.hint(&token(1)).await;
    assert_eq!(rig.settle(&mut reconciler).await.0, [Did::Read { claims: 1 }], "the session is still good");
    rig.later(Duration::from_hours(1));
    let (_, last) = rig.settle(&mut reconciler).await;
    assert!(matches!(&last, Did::Paused(why) if why.contains("cannot be read")), "{last:?}");
}

#[tokio::test]
async fn a_401_gives_the_claims_back_uncounted_and_logs_in_again_when_it_is_time() {
    let mut rig = Rig::new().await;
    (0..8).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_secs(30));
    rig.finlink.state().session = None;
    for number in 0..8 {
        rig.finlink.put(&token(number), "READY", 2);
        rig.hint(&token(number)).await;
    }
    rig.settle(&mut reconciler).await;
    assert!(rig.finlink.asked(Endpoint::Connection) <= 4, "no more than were under way");
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1, "not within a minute of the last");
    rig.later(Duration::from_secs(31));
    rig.settle(&mut reconciler).await;
    rig.later(Duration::from_secs(31));
    rig.settle(&mut reconciler).await;
    assert_eq!(rig.finlink.asked(Endpoint::Login), 2);
    for number in 0..8 {
        let refresh = rig.explain(&token(number)).await.refresh.unwrap();
        assert_eq!((refresh.failures, refresh.answered_no), (0, 1), "{number}");
    }
    assert_eq!(rig.metric("finlinkd_session_stolen_total", &[]), 0.0);
}

#[tokio::test]
async fn a_session_that_another_program_keeps_taking_is_said_to_be_stolen_and_fought_for_gently() {
    let mut rig = Rig::new().await;
    (0..4).for_each(|number| rig.finlink.put(&token(number), "READY", 1));
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    let end = rig.now.plus(Duration::from_hours(2));
    let mut number = 0;
    while rig.now < end {
        rig.finlink.steal_session();
        rig.hint(&token(number % 4)).await;
        number += 1;
        rig.later(Duration::from_secs(15));
        rig.settle(&mut reconciler).await;
    }
    let logins = rig.finlink.asked(Endpoint::Login);
    assert!((8..=16).contains(&logins), "{logins} logins in two hours");
    let stolen = rig.metric("finlinkd_session_stolen_total", &[("app", "main")]);
    assert!(stolen >= 5.0, "{stolen}");
    let reads = rig.finlink.asked(Endpoint::Connection);
    assert!(reads <= 8 * logins, "{reads} reads: each session answers what waits, and its end costs those under way");

    rig.later(Duration::from_mins(16));
    rig.settle(&mut reconciler).await;
    let refresh = rig.explain(&token(0)).await.refresh.unwrap();
    assert_eq!((refresh.failures, refresh.hint_no), (0, refresh.answered_no), "left alone, it reads all that waited");
}

#[tokio::test]
async fn an_undecryptable_session_counts_as_none_and_its_login_still_counts() {
    let mut rig = Rig::new().await;
    let mut reconciler = rig.reconciler();
    rig.settle(&mut reconciler).await;
    reconciler.leave().await;
    // Every byte of the sealed session is another now.
    let database = rig.database();
    assert_eq!(database.execute("UPDATE sessions SET sealed = randomblob(length(sealed))", []).unwrap(), 1);
    drop(database);
    rig.finlink.put(&token(1), "READY", 1);
    let mut next = rig.reconciler();
    rig.later(Duration::from_secs(30));
    rig.hint(&token(1)).await;
    rig.settle(&mut next).await;
    assert_eq!(rig.finlink.asked(Endpoint::Login), 1);
    rig.later(Duration::from_secs(31));
    rig.settle(&mut next).await;
    assert_eq!(rig.finlink.asked(Endpoint::Login), 2);
    assert_eq!(rig.connections().await.len(), 1);
}
