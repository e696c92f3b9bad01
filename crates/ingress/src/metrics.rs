//! What the receiver counts. No label has a value that a sender can choose.
//!
//! Not here: when an app was last heard. A process that has just started does not know it; the store does.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use uuid::Uuid;

use crate::Outcome;

/// The label value for whatever is not sent to an app that is set up.
pub(crate) const NO_APP: &str = "unknown";

/// Seconds; an answer normally takes one commit.
const DURATION_BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The receiver's metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: IntCounterVec,
    pub(crate) duration: Histogram,
    pub(crate) in_flight: IntGauge,
    run: IntGaugeVec,
}

impl Metrics {
    /// Makes them and registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new("finlinkd_ingress_requests_total", "Requests to the receiver, by how they ended"),
                &["app", "outcome"],
            )?,
            duration: Histogram::with_opts(
                HistogramOpts::new(
                    "finlinkd_ingress_request_duration_seconds",
                    "From a request's head to its answer, its body and its being durable included",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
            )?,
            in_flight: IntGauge::new("finlinkd_ingress_in_flight", "Requests between their head and their answer")?,
            run: IntGaugeVec::new(
                Opts::new("finlinkd_ingress_run", "Which run this process is in the books; always 1"),
                &["run"],
            )?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.run.clone()))?;
        Ok(metrics)
    }

    /// Shows by which name the books know this process, so that its marks can be looked for.
    pub(crate) fn show_run(&self, run: Uuid) {
        self.run.with_label_values(&[run.to_string()]).set(1);
    }

    pub(crate) fn requests(&self, app: &str, outcome: Outcome) -> IntCounter {
        self.requests.with_label_values(&[app, outcome.word()])
    }
}
