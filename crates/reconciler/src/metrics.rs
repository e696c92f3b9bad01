//! What the reconciler counts. Labels are bounded: causes, verdicts, endpoints, statuses and the apps of the settings.

use std::time::Duration;

use connections::{Cause, Verdict};
use events::{AppName, UtcMicros};
use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::finlink::Endpoint;

/// What can be purged: each is shown from the start.
const PURGED_KINDS: [&str; 3] = ["deliveries", "bodies", "events"];

/// The counters of all apps.
#[derive(Debug, Clone)]
pub struct Metrics {
    refreshes: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    stolen: IntCounterVec,
    swept_at: GaugeVec,
    active: GaugeVec,
    purged: IntCounterVec,
}

/// The counters of one app, resolved once.
#[derive(Debug, Clone)]
pub(crate) struct AppMetrics {
    all: Metrics,
    pub(crate) stolen: IntCounter,
    swept_at: Gauge,
    active: Gauge,
}

impl Metrics {
    /// Makes the counters and registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            refreshes: IntCounterVec::new(
                Opts::new("finlinkd_refreshes_total", "Reads of connections, by why they were made and what they did."),
                &["cause", "result"],
            )?,
            requests: IntCounterVec::new(
                Opts::new("finlinkd_upstream_requests_total", "Requests to Finlink, by endpoint and status."),
                &["endpoint", "status"],
            )?,
            request_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "finlinkd_upstream_request_duration_seconds",
                    "How long Finlink took to answer, body included.",
                )
                .buckets(vec![0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0]),
                &["endpoint"],
            )?,
            stolen: IntCounterVec::new(
                Opts::new(
                    "finlinkd_session_stolen_total",
                    "Sessions that another login with the same secret ended, as far as one can tell.",
                ),
                &["app"],
            )?,
            swept_at: GaugeVec::new(
                Opts::new("finlinkd_sweep_last_success_timestamp_seconds", "When the last complete list was applied."),
                &["app"],
            )?,
            active: GaugeVec::new(
                Opts::new(
                    "finlinkd_reconciler_active",
                    "1 where this process talks to Finlink for the app, 0 on standby.",
                ),
                &["app"],
            )?,
            purged: IntCounterVec::new(
                Opts::new("finlinkd_purged_total", "What was older than retention keeps it and is purged."),
                &["kind"],
            )?,
        };
        for kind in PURGED_KINDS {
            metrics.purged.with_label_values(&[kind]);
        }
        registry.register(Box::new(metrics.refreshes.clone()))?;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.request_seconds.clone()))?;
        registry.register(Box::new(metrics.stolen.clone()))?;
        registry.register(Box::new(metrics.swept_at.clone()))?;
        registry.register(Box::new(metrics.active.clone()))?;
        registry.register(Box::new(metrics.purged.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn of(&self, app: &AppName) -> AppMetrics {
        AppMetrics {
            all: self.clone(),
            stolen: self.stolen.with_label_values(&[app.as_str()]),
            swept_at: self.swept_at.with_label_values(&[app.as_str()]),
            active: self.active.with_label_values(&[app.as_str()]),
        }
    }
}

impl AppMetrics {
    /// Finlink answered, or did not: `status` is its number, or a word.
    pub(crate) fn asked(&self, endpoint: Endpoint, status: &str, took: Duration) {
        self.all.requests.with_label_values(&[endpoint.word(), status]).inc();
        self.all.request_seconds.with_label_values(&[endpoint.word()]).observe(took.as_secs_f64());
    }

    pub(crate) fn observed(&self, cause: Cause, verdict: Verdict) {
        self.all.refreshes.with_label_values(&[cause.word(), verdict.word()]).inc();
    }

    pub(crate) fn failed(&self, cause: Cause) {
        self.all.refreshes.with_label_values(&[cause.word(), "failed"]).inc();
    }

    pub(crate) fn swept(&self, at: UtcMicros) {
        self.swept_at.set(at.as_seconds());
    }

    pub(crate) fn purged(&self, kind: &str, count: u64) {
        self.all.purged.with_label_values(&[kind]).inc_by(count);
    }

    pub(crate) fn is_active(&self, active: bool) {
        self.active.set(f64::from(u8::from(active)));
    }
}
