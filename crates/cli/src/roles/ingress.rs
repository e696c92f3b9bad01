//! The ingress: webhooks in, verified, into the queue.

use std::time::Duration;

use ingress::{Metrics, Readiness, Wiring};
use listener::Bound;
use queue::Publisher;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::{KeySnapshot, Mode};

use super::part::Part;
use super::process::Base;

/// How often a person is reminded that nobody verifies.
const REMIND_EVERY: Duration = Duration::from_mins(10);

/// Starts it; the publisher ends with it.
pub(super) fn start(
    base: &Base,
    bound: Bound,
    publisher: Publisher,
    keys: watch::Receiver<KeySnapshot>,
    stop: CancellationToken,
) -> anyhow::Result<(Part, Readiness)> {
    let settings = &base.settings;
    let readiness = ingress::readiness(&publisher, stop.clone());
    let wiring = Wiring {
        apps: settings.apps.keys().cloned().collect(),
        settings: settings.ingress.clone(),
        limits: settings.http.clone(),
        rules: settings.verification.rules.clone(),
        mode: settings.verification.mode,
        keys,
        publisher,
        metrics: Metrics::register(&base.registry)?,
    };
    if settings.verification.mode == Mode::Off {
        tokio::spawn(remind(stop.clone()));
    }
    Ok((Part::spawn("ingress", ingress::start(bound, wiring, stop)), readiness))
}

/// Says, now and then and loudly, that anybody can send webhooks.
async fn remind(stop: CancellationToken) {
    loop {
        tracing::warn!(
            "verification.mode is off: NOBODY CHECKS who sends webhooks, and anyone who finds the address can make \
             finlinkd ask Finlink; set FINLINKD__VERIFICATION__MODE=enforce"
        );
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REMIND_EVERY) => {}
        }
    }
}
