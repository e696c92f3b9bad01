//! What the feed counts. The age of what is not numbered yet comes from the store's totals, not from here.

use prometheus::{Gauge, IntCounter, IntGauge, Registry};

/// The feed's metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) numbered: IntCounter,
    pub(crate) latest: IntGauge,
    pub(crate) streams: IntGauge,
    pub(crate) waiting: IntGauge,
    pub(crate) streams_stalled: IntCounter,
    pub(crate) unrouted: IntCounter,
    pub(crate) refused: IntCounter,
    pub(crate) relay_active: IntGauge,
    pub(crate) relay_oldest_age: Gauge,
}

impl Metrics {
    /// Registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let relay_oldest_age = Gauge::new(
            "finlinkd_relay_oldest_age_seconds",
            "Age of the oldest event in the feed that is not at the broker's exchange yet; 0 where there is none, and where \
             another process relays",
        )?;
        registry.register(Box::new(relay_oldest_age.clone()))?;
        Ok(Self {
            relay_oldest_age,
            numbered: counter("finlinkd_events_numbered_total", "Events that this process gave a number")?,
            latest: gauge("finlinkd_events_last_number", "The last number given to an event")?,
            streams: gauge("finlinkd_api_streams", "Event streams open")?,
            waiting: gauge("finlinkd_api_waiting", "Requests that wait for events")?,
            streams_stalled: counter(
                "finlinkd_api_streams_stalled_total",
                "Event streams dropped because their reader took nothing",
            )?,
            unrouted: counter(
                "finlinkd_events_unrouted_total",
                "Events relayed to the exchange for which no queue was bound",
            )?,
            relay_active: gauge(
                "finlinkd_relay_active",
                "1 where this process relays events to the broker's exchange, 0 where another does or none can",
            )?,
            refused: counter(
                "finlinkd_events_refused_total",
                "Events passed over since the broker takes none as large; only the API has them",
            )?,
        })
    }
}
