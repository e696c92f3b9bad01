//! What the receiver counts. No label has a value that a sender can choose.
//!
//! Not here: when an app was last heard. A process that has just started does not know it; the store does.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

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
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn requests(&self, app: &str, outcome: Outcome) -> IntCounter {
        self.requests.with_label_values(&[app, outcome.word()])
    }
}
