//! What is delivered as `docker-compose.yml`, brought up, scaled, shaken and taken down; and the same scenes on native processes,
//! which need no engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod composed;
mod demo;
mod deployment;
mod native;
mod progress;
mod scene;

use std::sync::OnceLock;

use tests::compose::Engine;
use tokio::sync::Mutex;

use crate::composed::Composed;
use crate::deployment::{Counts, Deployment};
use crate::native::Native;
use crate::progress::say;
use crate::scene::Scene;

/// The roles scaled out at first, and what is left after.
const MORE: Counts = Counts { ingress: 2, consumer: 4 };
const FEWER: Counts = Counts { ingress: 2, consumer: 3 };

/// Two deployments at once would wait for each other's processor time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Scaled, an ingress killed, either server stopped and started again, all under load: nothing is lost, and what is shown is
/// right.
async fn is_right_whatever_is_restarted(mut scene: Scene<impl Deployment>) {
    say("sending signed webhooks through the published port");
    scene.refuses_forgeries().await;
    scene.takes_webhooks_of_every_connection().await;
    for counts in [MORE, FEWER] {
        say(&format!("scaling to {counts:?} under load"));
        scene.scales(counts).await;
        scene.state_equals_truth().await;
        scene.every_target_is_up().await;
    }
    say("sending until every ingress has accepted webhooks");
    scene.reaches_every_ingress().await;
    say("stopping the broker under load, and killing an ingress with webhooks in its spool");
    scene.delivers_what_a_killed_ingress_had_spooled().await;
    scene.state_equals_truth().await;
    for server in deployment::SERVERS {
        say(&format!("stopping and starting {server:?} under load"));
        scene.answers_through_a_restart_of(server).await;
        scene.state_equals_truth().await;
    }
    scene.little_memory_was_used().await;
    say("looking for every acknowledged webhook, and stopping and starting everything");
    scene.every_acknowledged_webhook_is_listed().await;
    scene.stops_and_starts_without_loss().await;
    scene.state_equals_truth().await;
    scene.every_target_is_up().await;
    say("stopping every ingress, and reading the books");
    scene.the_books_are_right().await;
    scene.deployment.end().await;
    say("taken down");
}

/// The engine of this machine; where none answers, one line says so, and native processes are all there is.
fn engine() -> Option<Engine> {
    static FOUND: OnceLock<Option<Engine>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let played_without = |why| say(&format!("{why}: the scenes are played by native processes only"));
        Engine::find().map_err(played_without).ok()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_composed_stack_is_right_whatever_is_restarted() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(engine) = engine() else { return };
    let scene = Composed::up(engine).await;
    scene.deployment.is_locked_down();
    scene.deployment.answers_by_https().await;
    is_right_whatever_is_restarted(scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_up_is_a_living_demo() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(engine) = engine() else { return };
    demo::lives(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_processes_are_right_whatever_is_restarted() {
    let _alone = ONE_AT_A_TIME.lock().await;
    say("native processes");
    is_right_whatever_is_restarted(Native::up().await).await;
}
