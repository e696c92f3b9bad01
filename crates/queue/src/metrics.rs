//! What the queue tells Prometheus.

use events::UtcMicros;
use prometheus::{Gauge, Histogram, HistogramOpts, IntGauge, IntGaugeVec, Opts, Registry};

use crate::embedded::Depth;

/// In seconds: a group commit takes a fraction of a millisecond, the spool takes over after two seconds.
const CONFIRM_BUCKETS: [f64; 13] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// The series of this crate. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    /// Of publishes that ended well: from the call to the durable message, by whatever way it became so.
    pub(crate) confirm_duration: Histogram,
    pub(crate) spool: SpoolMetrics,
}

/// The series of a spooled publisher.
#[derive(Clone)]
pub(crate) struct SpoolMetrics {
    pub(crate) messages: IntGauge,
    pub(crate) bytes: IntGauge,
    pub(crate) room_bytes: IntGauge,
    pub(crate) oldest_age: Gauge,
    /// Without labels; there is no series before the first value, so that nobody is alarmed where there is no broker.
    broker_connected: IntGaugeVec,
}

impl Metrics {
    /// Registers the series of publishing, and those of the spool, which stay at 0 where there is none.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let confirm_duration = Histogram::with_opts(
            HistogramOpts::new(
                "finlinkd_publish_confirm_duration_seconds",
                "From a publish to the durable message, of those that became durable.",
            )
            .buckets(CONFIRM_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(confirm_duration.clone()))?;
        Ok(Self { confirm_duration, spool: SpoolMetrics::register(registry)? })
    }
}

impl Metrics {
    /// Shows what waits in an embedded queue, whose place the spool's series take.
    pub fn show_depth(&self, depth: &Depth, now: UtcMicros) {
        self.spool.messages.set(i64::try_from(depth.messages).unwrap_or(i64::MAX));
        self.spool.bytes.set(i64::try_from(depth.bytes).unwrap_or(i64::MAX));
        self.spool.oldest_age.set(depth.oldest_at.map_or(0.0, |at| now.since(at).as_secs_f64()));
    }

    /// Shows whether a process that only consumes has its broker.
    pub fn show_broker(&self, connected: bool) {
        self.spool.show_broker(connected);
    }
}

impl SpoolMetrics {
    pub(crate) fn show_broker(&self, connected: bool) {
        self.broker_connected.with_label_values::<&str>(&[]).set(i64::from(connected));
    }

    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            messages: IntGauge::new("finlinkd_spool_messages", "Messages in the spool, not yet at the broker.")?,
            bytes: IntGauge::new("finlinkd_spool_bytes", "Bytes of messages in the spool.")?,
            room_bytes: IntGauge::new(
                "finlinkd_spool_room_bytes",
                "Bytes that the spool may still take, by its limit and by what is reserved of its disk.",
            )?,
            oldest_age: Gauge::with_opts(Opts::new(
                "finlinkd_spool_oldest_age_seconds",
                "Age of the oldest message in the spool; 0 when it is empty.",
            ))?,
            broker_connected: IntGaugeVec::new(
                Opts::new("finlinkd_broker_connected", "1 while the broker takes messages; only where there is one."),
                &[],
            )?,
        };
        registry.register(Box::new(metrics.messages.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.room_bytes.clone()))?;
        registry.register(Box::new(metrics.oldest_age.clone()))?;
        registry.register(Box::new(metrics.broker_connected.clone()))?;
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_a_broker_does_not_say_that_it_has_lost_one() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let shown = || {
            let families = registry.gather();
            let broker = families.iter().find(|family| family.name() == "finlinkd_broker_connected");
            broker.map(|family| family.get_metric()[0].get_gauge().get_value())
        };
        assert_eq!(shown(), None);
        metrics.show_broker(false);
        assert_eq!(shown(), Some(0.0));
        metrics.show_broker(true);
        assert_eq!(shown(), Some(1.0));
    }
}
