//! Against the simulator: a world that changes, an API with faults, and at the end the store has the truth.

use std::time::Duration;

use events::{Connection, ConnectionStatus};
use reconciler::{App, Reconciler, SecretSource};
use simulator::{Faults, Settings, Simulator};

use crate::rig::Rig;

/// A rig whose Finlink is the simulator, and a reconciler for it.
async fn simulated(settings: Settings) -> (Simulator, Rig, Reconciler) {
    let simulator = Simulator::start_on_loopback(settings).unwrap();
    let mut rig = Rig::new().await;
    rig.settings.base_url = simulator.base_url();
    rig.now = events::UtcMicros::now();
    let (client_id, secret) = simulator.credentials();
    let app = App { name: Rig::app(), client_id, client_secret: SecretSource::Value(secret.into()) };
    let reconciler = Reconciler::new(app, rig.wiring()).unwrap();
    (simulator, rig, reconciler)
}

/// Asserts that what is known to be there is what is there.
async fn assert_truth(simulator: &Simulator, rig: &Rig) {
    let truth = simulator.truth();
    let known: Vec<Connection> =
        rig.connections().await.into_iter().filter(|connection| connection.deleted_at.is_none()).collect();
    let true_ones: Vec<Connection> = truth
        .connections
        .into_iter()
        .zip(&known)
        .map(|(value, known)| {
            let status = ConnectionStatus::from_value(value).unwrap();
            Connection::from_status(Rig::app(), &status, known.version, known.as_of, None)
        })
        .collect();
    assert_eq!(known, true_ones);
    assert_eq!(known.len(), simulator.truth().connections.len());
}

#[tokio::test]
async fn a_world_that_sends_no_webhook_is_followed_through_every_fault_of_the_api() {
    let (simulator, mut rig, mut reconciler) = simulated(Settings { connections: 60, ..Settings::calm(7) }).await;
    simulator.set_faults(Faults {
        error_rate: 0.2,
        too_many_rate: 0.02,
        cut_rate: 0.1,
        empty_list_rate: 0.2,
        not_found_rate: 0.1,
        ..Faults::default()
    });
    rig.settle(&mut reconciler).await;
    while simulator.advance(20).await > 0 {
        rig.pass(&mut reconciler, Duration::from_hours(2), Duration::from_mins(30)).await;
    }
    simulator.set_faults(Faults::default());
    rig.pass(&mut reconciler, Duration::from_hours(30), Duration::from_hours(1)).await;
    assert_truth(&simulator, &rig).await;
    let asked = simulator.asked();
    assert_eq!(asked.logins_denied, 0);
    simulator.stop().await;
}

#[tokio::test]
async fn a_stolen_session_is_noticed_and_the_world_is_followed_all_the_same() {
    let (simulator, mut rig, mut reconciler) = simulated(Settings { connections: 20, ..Settings::calm(3) }).await;
    rig.settle(&mut reconciler).await;
    for _ in 0..40 {
        simulator.steal_session();
        simulator.advance(3).await;
        rig.pass(&mut reconciler, Duration::from_mins(10), Duration::from_mins(2)).await;
    }
    let logins = simulator.asked().logins;
    assert!(logins <= 60, "{logins} logins in 400 minutes, 40 of them taken away");
    rig.pass(&mut reconciler, Duration::from_hours(30), Duration::from_hours(1)).await;
    assert_truth(&simulator, &rig).await;
    simulator.stop().await;
}
