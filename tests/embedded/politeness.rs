//! Finlink is never stormed: not after an outage, and not by logins.

use std::time::{Duration, Instant};

use tests::customer::APP;
use tests::finlink::{Asked, ConnectionStatus, Endpoint, Fault};
use tests::looking::eventually;
use tests::scene::Scene;

fn at(asked: &[Asked], endpoint: Endpoint) -> Vec<Instant> {
    asked.iter().filter(|asked| asked.endpoint == endpoint).map(|asked| asked.at).collect()
}

/// The most that arrived within a second.
fn busiest_second(times: &[Instant]) -> usize {
    let within =
        |from: &Instant| times.iter().filter(|at| **at >= *from && **at - *from < Duration::from_secs(1)).count();
    times.iter().map(within).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_with_a_backlog_of_hints_is_waited_out_and_caught_up_at_the_set_rate() {
    const PER_SECOND: usize = 10;
    let mut scene = Scene::plain().await;
    for (name, value) in [
        ("UPSTREAM__MAX_REQUESTS_PER_SECOND", "10"),
        ("UPSTREAM__LIST_FROM", "1000000"),
        ("UPSTREAM__OUTAGE_PAUSE", "300ms"),
        ("UPSTREAM__OUTAGE_PAUSE_MAX", "1s"),
        ("UPSTREAM__RETRY_WAIT", "50ms"),
        ("UPSTREAM__FAILURE_PAUSE", "300ms"),
        ("SCHEDULE__HINTED_READS_APART", "100ms"),
    ] {
        scene.setup.set(name, value);
    }
    let tokens: Vec<String> = (0..40).map(|number| format!("CONNECT{number:03}")).collect();
    for token in &tokens {
        scene.put(&ConnectionStatus::ready(token));
    }
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    scene.finlink.world(|world| world.set_down(true));
    let before = scene.finlink.asked().len();
    for token in &tokens {
        scene.put(&ConnectionStatus::ready(token).failed(true));
    }
    let names: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let flood = scene.sender(&running).await.flood(&names, 4).unwrap();
    flood.accepts(280).await.unwrap();
    let heard = flood.stop().await.unwrap();
    scene.person().finds(&heard.receipts).await;
    scene
        .finlink
        .wait_until_asked("it tries again while Finlink is down", |asked| asked.len() >= before + 6)
        .await
        .unwrap();
    let down = scene.finlink.asked();
    assert!(busiest_second(&down[before..].iter().map(|asked| asked.at).collect::<Vec<_>>()) <= PER_SECOND + 1);

    scene.finlink.world(|world| world.set_down(false));
    scene.converges(&running).await;
    let asked = scene.finlink.asked();
    let times: Vec<Instant> = asked.iter().map(|asked| asked.at).collect();
    // One more for two clocks that do not tick together.
    assert!(busiest_second(&times) <= PER_SECOND + 1, "{} in a second", busiest_second(&times));
    assert_eq!(at(&asked, Endpoint::Login).len(), 1, "an outage is no reason to log in");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_uses_the_session_that_is_there_and_a_new_secret_gets_its_own() {
    let mut scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    running.stop().await.unwrap();
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").failed(true));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    running.kill().await.unwrap();
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    assert_eq!(scene.finlink.count(Endpoint::Login), 1, "neither a stop nor a crash costs a login");
    running.stop().await.unwrap();

    let other = scene.finlink.world(|world| world.add_secret(&scene.app.client_id));
    scene.setup = scene.setup.with_app(APP, &other);
    let running = scene.setup.run().await.unwrap();
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA").blocked());
    scene.converges(&running).await;
    assert_eq!(scene.finlink.count(Endpoint::Login), 2, "a session belongs to its secret");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_is_named_and_not_hammered() {
    let mut scene = Scene::brisk().await;
    scene.setup.set("APPS__MAIN__CLIENT_SECRET", "a wrong secret");
    let running = scene.setup.run().await.unwrap();
    let told = running.said("Finlink refuses the login").await.unwrap();
    assert!(told.to_string().contains("apps.main.client_secret"), "{told}");
    assert!(!told.to_string().contains("a wrong secret"), "{told}");
    let sender = scene.sender(&running).await;
    let webhook = sender.send("AAAAAAAAAA").await.unwrap();
    scene.person().finds(&[webhook]).await;
    scene.finlink.wait_for_more(Endpoint::Login, 2).await.unwrap();
    let logins = at(&scene.finlink.asked(), Endpoint::Login);
    let gaps: Vec<Duration> = logins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(900)), "{gaps:?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_5xx_is_repeated_a_few_times_another_4xx_never_and_a_429_waits_as_told() {
    let mut scene = Scene::plain().await;
    for (name, value) in [
        ("UPSTREAM__MAX_REQUESTS_PER_SECOND", "100"),
        ("UPSTREAM__RETRY_WAIT", "20ms"),
        ("UPSTREAM__FAILURE_PAUSE", "1h"),
        ("UPSTREAM__OUTAGE_FROM", "1000"),
        ("SCHEDULE__HINTED_READS_APART", "50ms"),
    ] {
        scene.setup.set(name, value);
    }
    let tokens = ["BROKENAAAA", "FORBIDDENA", "BUSYAAAAAA"];
    scene.put_all(&tokens.map(ConnectionStatus::ready));
    let running = scene.setup.run().await.unwrap();
    scene.converges(&running).await;
    let sender = scene.sender(&running).await;
    let about =
        |token: &str| scene.finlink.asked().into_iter().filter(|asked| asked.subject == token).collect::<Vec<_>>();

    scene.finlink.world(|world| world.set_fault(Endpoint::Single, Some(Fault::Status(500))));
    sender.send("BROKENAAAA").await.unwrap();
    eventually("the failure is noted", async || {
        let told = scene.setup.json(&["connections", "explain", "BROKENAAAA", "--json"]).await.unwrap();
        if told["refresh"]["failures"] == 1 { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    assert!((4..=6).contains(&about("BROKENAAAA").len()), "3 to 5 repetitions: {:?}", about("BROKENAAAA"));

    scene.finlink.world(|world| world.set_fault(Endpoint::Single, Some(Fault::Status(400))));
    sender.send("FORBIDDENA").await.unwrap();
    eventually("the failure is noted", async || {
        let told = scene.setup.json(&["connections", "explain", "FORBIDDENA", "--json"]).await.unwrap();
        if told["refresh"]["failures"] == 1 { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    assert_eq!(about("FORBIDDENA").len(), 1, "a 4xx is not repeated unchanged");

    scene.finlink.world(|world| world.set_fault(Endpoint::Single, Some(Fault::Busy(2))));
    sender.send("BUSYAAAAAA").await.unwrap();
    scene
        .finlink
        .wait_until_asked("a busy Finlink is asked", |asked| asked.iter().any(|asked| asked.status == 429))
        .await
        .unwrap();
    scene.put(&ConnectionStatus::ready("BUSYAAAAAA").failed(true));
    scene.finlink.world(|world| world.set_fault(Endpoint::Single, None));
    scene.finlink.wait_for_more(Endpoint::Single, 1).await.unwrap();
    let asked = scene.finlink.asked();
    let busy = asked.iter().rposition(|asked| asked.status == 429).unwrap();
    let wait = asked[busy + 1].at - asked[busy].at;
    assert!(wait >= Duration::from_millis(1900), "Retry-After is 2 s, the next question came after {wait:?}");
    running.stop().await.unwrap();
}
