//! Sums over the store as metrics, every few seconds: what no single part sees, and what survives a restart.
//!
//! Also the sign of life of the store: the outcome of the latest query is what `/readyz` says of it.

use std::sync::Arc;
use std::time::Duration;

use events::{AppName, UtcMicros};
use prometheus::{Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use queue::embedded::Depth;
use store::{DeadLetterReason, Inspect, Totals};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::Health;
use crate::wiring::Queue;

/// What a gap can be about.
const GAP_KINDS: [&str; 3] = ["import", "update", "token"];

/// How often the sums are made.
const EVERY: Duration = Duration::from_secs(5);

/// The metrics.
#[derive(Clone)]
pub(crate) struct Gauges {
    hint_oldest_unanswered: Gauge,
    refresh_overdue: Gauge,
    connections: IntGaugeVec,
    connections_overdue: IntGaugeVec,
    gaps: IntCounterVec,
    gaps_open: IntGauge,
    outbox_oldest_age: Gauge,
    dead_letters: IntGaugeVec,
    deletions_held: IntGaugeVec,
    spool_messages: IntGauge,
    spool_bytes: IntGauge,
    spool_oldest_age: Gauge,
}

impl Gauges {
    /// Registers them; what can be counted for one of `apps` stands at 0 from the start.
    pub(crate) fn register(registry: &Registry, apps: &[AppName]) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| keep(registry, Gauge::new(name, help)?);
        let integer = |name: &str, help: &str| keep(registry, IntGauge::new(name, help)?);
        let integers =
            |name: &str, help: &str, labels: &[&str]| keep(registry, IntGaugeVec::new(Opts::new(name, help), labels)?);
        let gaps = Opts::new("finlinkd_gaps_total", "Changes that a read found and that no webhook had told of");
        let gaps = keep(registry, IntCounterVec::new(gaps, &["app", "kind"])?)?;
        for app in apps {
            for kind in GAP_KINDS {
                gaps.with_label_values(&[app.as_str(), kind]);
            }
        }
        Ok(Self {
            hint_oldest_unanswered: gauge(
                "finlinkd_hint_oldest_unanswered_seconds",
                "Age of the oldest hint that no read has answered; 0 where there is none",
            )?,
            refresh_overdue: gauge(
                "finlinkd_refresh_overdue_seconds",
                "How long the most overdue read is overdue; 0 where none is",
            )?,
            connections: integers("finlinkd_connections", "Connections by status", &["app", "status"])?,
            connections_overdue: integers(
                "finlinkd_connections_overdue",
                "Connections whose next read is overdue by more than a minute",
                &["app"],
            )?,
            gaps,
            gaps_open: integer("finlinkd_gaps_open", "Gaps whose webhook may still come")?,
            outbox_oldest_age: gauge(
                "finlinkd_outbox_oldest_age_seconds",
                "Age of the oldest committed event that is not in the feed yet; 0 where there is none",
            )?,
            dead_letters: integers("finlinkd_dead_letters", "Messages that could not be recorded", &["reason"])?,
            deletions_held: integers(
                "finlinkd_deletions_held",
                "Connections whose proven deletion waits for an operator",
                &["app"],
            )?,
            spool_messages: integer("finlinkd_spool_messages", "Webhooks that wait on this machine's disk")?,
            spool_bytes: integer("finlinkd_spool_bytes", "Their bytes, envelopes included")?,
            spool_oldest_age: gauge(
                "finlinkd_spool_oldest_age_seconds",
                "Age of the oldest webhook that waits on this machine's disk; 0 where none does",
            )?,
        })
    }

    /// Shows what waits in the queue.
    fn show_queue(&self, depth: &Depth, now: UtcMicros) {
        self.spool_messages.set(depth.messages as i64);
        self.spool_bytes.set(depth.bytes as i64);
        self.spool_oldest_age.set(depth.oldest_at.map_or(0.0, |at| now.since(at).as_secs_f64()));
    }

    /// Shows `totals` as of `now`.
    fn show(&self, totals: &Totals, now: UtcMicros) {
        let age = |at: Option<UtcMicros>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
        self.hint_oldest_unanswered.set(age(totals.hint_oldest_at));
        self.refresh_overdue.set(age(totals.overdue_since));
        self.outbox_oldest_age.set(age(totals.outbox_oldest_at));
        self.gaps_open.set(totals.gaps_open as i64);
        // Labels that no row has any more must not stay at their last value.
        self.connections.reset();
        for (app, statuses) in &totals.connections {
            for (status, count) in statuses {
                self.connections.with_label_values(&[app.as_str(), status]).set(*count as i64);
            }
        }
        for (app, count) in &totals.overdue {
            self.connections_overdue.with_label_values(&[app.as_str()]).set(*count as i64);
        }
        for (app, kinds) in &totals.gaps {
            for (kind, count) in kinds {
                let counter = self.gaps.with_label_values(&[app.as_str(), kind]);
                counter.inc_by(count.saturating_sub(counter.get()));
            }
        }
        for reason in DeadLetterReason::ALL {
            self.dead_letters.with_label_values(&[reason.word()]).set(0);
        }
        for (reason, count) in &totals.dead_letters {
            self.dead_letters.with_label_values(&[reason]).set(*count as i64);
        }
        self.deletions_held.reset();
        for (app, count) in &totals.deletions_held {
            self.deletions_held.with_label_values(&[app.as_str()]).set(*count as i64);
        }
    }
}

fn keep<T: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: T,
) -> Result<T, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Makes the sums until `stop`, and tells `store` how that went.
pub(crate) async fn run(
    inspect: Arc<dyn Inspect>,
    queue: Queue,
    gauges: Gauges,
    store: watch::Sender<Health>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let now = UtcMicros::now();
        gauges.show_queue(&queue.depth(), now);
        let health = match inspect.totals(now).await {
            Ok(totals) => {
                gauges.show(&totals, now);
                Health::Ready
            }
            Err(error) => Health::Degraded(error.to_string()),
        };
        store.send_if_modified(|known| {
            let changed = *known != health;
            if changed && let Health::Degraded(reason) = &health {
                tracing::warn!(%reason, "the store does not answer");
            }
            *known = health;
            changed
        });
    }
}

#[cfg(test)]
mod tests;
