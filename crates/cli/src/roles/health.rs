//! What a process tells of itself: its registry, and what each part says when asked whether it is ready.

use ingress::Readiness as Receiver;
use listener::Bound;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGauge, Opts, Registry};
use queue::QueueState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::KeySnapshot;

use super::part::Part;
use super::process::Base;
use crate::admin::{self, Health, Readiness};
use crate::settings::Role;

/// A registry with what belongs to no part.
pub(super) fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let opts = Opts::new("finlinkd_build_info", "Which version runs; always 1")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(opts)?;
    build.set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// Serves metrics and health.
pub(super) fn serve(base: &Base, bound: Bound, readiness: Readiness, stop: CancellationToken) -> Part {
    let (limits, registry) = (base.settings.http.clone(), base.registry.clone());
    Part::spawn("admin listener", async move { admin::serve(bound, &limits, registry, readiness, stop).await })
}

/// Ready while webhooks can be kept.
pub(super) fn of_receiver(readiness: &mut Readiness, receiver: Receiver) {
    readiness.part("ingress", move || receiver.check().map_or_else(Health::Unready, |()| Health::Ready));
}

/// What the queue's engine says. Who only takes from it does its work again as soon as it is back: that is no reason to be
/// taken out of service.
pub(super) fn of_queue(readiness: &mut Readiness, role: Role, state: watch::Receiver<QueueState>) {
    let takes_in = matches!(role, Role::Run | Role::Ingress);
    readiness.part("queue", move || match &*state.borrow() {
        QueueState::Starting if takes_in => Health::Unready("starting".to_owned()),
        QueueState::Down(why) if takes_in => Health::Unready(why.clone()),
        state => of_a_taker(state),
    });
}

/// The consumer's other connection, for what the broker set aside.
pub(super) fn of_dead_letters(readiness: &mut Readiness, state: watch::Receiver<QueueState>) {
    readiness.part("dead_letters", move || of_a_taker(&state.borrow()));
}

/// The feed's connection, for the exchange: events wait in the store meanwhile, and the user's API gives them.
pub(super) fn of_relay(readiness: &mut Readiness, state: watch::Receiver<QueueState>) {
    readiness.part("relay", move || of_a_taker(&state.borrow()));
}

fn of_a_taker(state: &QueueState) -> Health {
    match state {
        QueueState::Ready => Health::Ready,
        QueueState::Starting => Health::Degraded("connecting".to_owned()),
        QueueState::Degraded(why) | QueueState::Down(why) => Health::Degraded(why.clone()),
    }
}

/// Without keys every webhook is kept as pending: that is safe, but nothing is hinted at.
pub(super) fn of_keys(readiness: &mut Readiness, snapshot: watch::Receiver<KeySnapshot>) {
    readiness.part("keys", move || match snapshot.borrow().read_at {
        Some(_) => Health::Ready,
        None => Health::Degraded("no verification keys were read yet: webhooks are kept until they are".to_owned()),
    });
}
