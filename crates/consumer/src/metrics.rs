//! What the consumer counts. The label `app` is bounded: a message of the queue may name any app.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::AppName;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use store::Recorded;

/// Apps with a label of their own; further ones are counted together as `other`.
const APPS_MAX: usize = 64;

/// 10 ms to 6 h.
const LAG_BUCKETS_SECONDS: [f64; 17] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0];

const BATCH_BUCKETS_MESSAGES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The consumer's metrics; clones share them.
#[derive(Clone)]
pub struct Metrics {
    messages: IntCounterVec,
    apps: Arc<Mutex<HashMap<AppName, Results>>>,
    others: Results,
    nameless: Results,
    pub(crate) batch_size: Histogram,
    pub(crate) lag_seconds: Histogram,
    pub(crate) holding: IntGauge,
    pub(crate) stale: IntCounter,
}

/// The counters of one app, one per result.
#[derive(Clone)]
pub(crate) struct Results {
    new: IntCounter,
    duplicate: IntCounter,
    redelivered: IntCounter,
    pub(crate) checkpoint: IntCounter,
    pub(crate) dead: IntCounter,
    pub(crate) given_back: IntCounter,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let messages = IntCounterVec::new(
            Opts::new(
                "finlinkd_consumer_messages_total",
                "Messages taken from the queue, by app and what became of them; checkpoints have no app",
            ),
            &["app", "result"],
        )?;
        let batch_size = Histogram::with_opts(
            HistogramOpts::new("finlinkd_consumer_batch_size", "Messages per batch")
                .buckets(BATCH_BUCKETS_MESSAGES.to_vec()),
        )?;
        let lag_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "finlinkd_end_to_end_lag_seconds",
                "From the last byte of a webhook to the commit of its delivery",
            )
            .buckets(LAG_BUCKETS_SECONDS.to_vec()),
        )?;
        let holding =
            IntGauge::new("finlinkd_consumer_batches_held", "Batches held unacknowledged because the store is away")?;
        let stale =
            IntCounter::new("finlinkd_consumer_stale_acks_total", "Acknowledgements that came too late to count")?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(batch_size.clone()))?;
        registry.register(Box::new(lag_seconds.clone()))?;
        registry.register(Box::new(holding.clone()))?;
        registry.register(Box::new(stale.clone()))?;
        let others = Results::of(&messages, "other");
        let nameless = Results::of(&messages, "");
        let apps = Arc::default();
        Ok(Self { messages, apps, others, nameless, batch_size, lag_seconds, holding, stale })
    }

    /// The counters of an app; `None`: of messages that belong to none.
    pub(crate) fn of(&self, app: Option<&AppName>) -> Results {
        let Some(app) = app else { return self.nameless.clone() };
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(results) = apps.get(app) {
            return results.clone();
        }
        if apps.len() >= APPS_MAX {
            return self.others.clone();
        }
        let results = Results::of(&self.messages, app.as_str());
        apps.insert(app.clone(), results.clone());
        results
    }
}

impl Results {
    fn of(messages: &IntCounterVec, app: &str) -> Self {
        let result = |result: &str| messages.with_label_values(&[app, result]);
        Self {
            new: result("new"),
            duplicate: result("duplicate"),
            redelivered: result("redelivered"),
            checkpoint: result("checkpoint"),
            dead: result("dead"),
            given_back: result("given_back"),
        }
    }

    pub(crate) fn recorded(&self, recorded: Recorded) {
        match recorded {
            Recorded::New => self.new.inc(),
            Recorded::Duplicate => self.duplicate.inc(),
            Recorded::Redelivered => self.redelivered.inc(),
        }
    }
}
