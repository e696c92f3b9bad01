//! Sums over the store as metrics, every few seconds: what no single part sees, and what survives a restart.
//!
//! Also the sign of life of the store: the outcome of the latest query is what `/readyz` says of it.

use std::sync::Arc;
use std::time::Duration;

use events::{AppName, UtcMicros};
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use store::{ClockLook, DeadLetterReason, Inspect, SharedClock, Totals};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::proofs::Proofs;
use crate::admin::{Health, Readiness};
use crate::roles::part::Part;
use crate::roles::process::Base;
use crate::settings::Role;
use crate::wiring::{Queue, Store};

/// What a gap can be about.
const GAP_KINDS: [&str; 3] = ["import", "update", "token"];

/// The books are proven once in so many sums.
const LEDGER_EVERY_SUMS: u32 = 60;

/// How often the sums are made.
const EVERY: Duration = Duration::from_secs(5);

/// The metrics.
#[derive(Clone)]
pub(crate) struct Gauges {
    apps: Vec<AppName>,
    hint_oldest_unanswered: Gauge,
    refresh_overdue: Gauge,
    connections: IntGaugeVec,
    connections_overdue: IntGaugeVec,
    gaps: IntCounterVec,
    gaps_open: IntGauge,
    last_webhook: GaugeVec,
    checkpoint: Gauge,
    run_checkpoint: GaugeVec,
    outbox_oldest_age: Gauge,
    dead_letters: IntGaugeVec,
    deletions_held: IntGaugeVec,
    ledger_holes: IntGauge,
}

impl Gauges {
    /// Registers them. What there is for each of `apps` is shown with the first sums: at 0 where nothing was counted, so that
    /// a rise is seen, and not before they are known, so that what is known is none.
    pub(crate) fn register(registry: &Registry, apps: &[AppName]) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| keep(registry, Gauge::new(name, help)?);
        let integer = |name: &str, help: &str| keep(registry, IntGauge::new(name, help)?);
        let integers =
            |name: &str, help: &str, labels: &[&str]| keep(registry, IntGaugeVec::new(Opts::new(name, help), labels)?);
        let gaps = Opts::new("finlinkd_gaps_total", "Changes that a read found and that no webhook had told of");
        let last_webhook = Opts::new(
            "finlinkd_last_webhook_timestamp_seconds",
            "When the newest recorded webhook was received, whatever process received it; 0 where there is none",
        );
        let run_checkpoint = Opts::new(
            "finlinkd_run_checkpoint_timestamp_seconds",
            "When a mark of this run of an ingress was last recorded, by the store's clock; for an hour, or until it ends",
        );
        Ok(Self {
            apps: apps.to_vec(),
            run_checkpoint: keep(registry, GaugeVec::new(run_checkpoint, &["run"])?)?,
            last_webhook: keep(registry, GaugeVec::new(last_webhook, &["app"])?)?,
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
            gaps: keep(registry, IntCounterVec::new(gaps, &["app", "kind"])?)?,
            gaps_open: integer("finlinkd_gaps_open", "Gaps whose webhook may still come")?,
            checkpoint: gauge(
                "finlinkd_checkpoint_timestamp_seconds",
                "When a mark of an ingress was last recorded, by the store's clock; 0 where there is none",
            )?,
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
            ledger_holes: integer(
                "finlinkd_ledger_holes",
                "Numbers that an ingress said were stored and that are not (`finlinkd ledger verify` names them)",
            )?,
        })
    }

    /// Shows `totals` as of `now`.
    fn show(&self, totals: &Totals, now: UtcMicros) {
        let age = |at: Option<UtcMicros>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
        self.hint_oldest_unanswered.set(age(totals.hint_oldest_at));
        self.refresh_overdue.set(age(totals.overdue_since));
        self.outbox_oldest_age.set(age(totals.outbox_oldest_at));
        self.checkpoint.set(totals.checkpoint_at.map_or(0.0, UtcMicros::as_seconds));
        self.run_checkpoint.reset();
        for (run, at) in &totals.checkpoints {
            self.run_checkpoint.with_label_values(&[run.to_string()]).set(at.as_seconds());
        }
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
        self.deletions_held.reset();
        for app in &self.apps {
            for kind in GAP_KINDS {
                self.gaps.with_label_values(&[app.as_str(), kind]);
            }
            let heard = totals.last_webhook_at.get(app).map_or(0.0, |at| at.as_seconds());
            self.last_webhook.with_label_values(&[app.as_str()]).set(heard);
            self.deletions_held.with_label_values(&[app.as_str()]).set(0);
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

/// Starts showing what the queue holds and, for a role that speaks for the store, its sums. `None`: there is nothing to show.
pub(crate) fn start(
    base: &Base,
    role: Role,
    queue: Option<&Queue>,
    store: Option<&Store>,
    readiness: &mut Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Part>> {
    let apps: Vec<_> = base.settings.apps.keys().cloned().collect();
    // One role shows the sums, so that they are not counted once for each consumer.
    let speaks = matches!(role, Role::Run | Role::Reconciler);
    let gauges = if speaks { Some(Gauges::register(&base.registry, &apps)?) } else { None };
    let store = store.map(|store| {
        let (health, state) = watch::channel(Health::Ready);
        readiness.part("store", move || state.borrow().clone());
        let (proofs, clock) = (Proofs::default(), SharedClock::default());
        Sums { inspect: store.inspect(), gauges, proofs, clock, look: ClockLook::default(), health }
    });
    if queue.is_none() && store.is_none() {
        return Ok(None);
    }
    Ok(Some(Part::spawn("totals", run(store, queue.cloned(), stop.clone()))))
}

struct Sums {
    inspect: Arc<dyn Inspect>,
    gauges: Option<Gauges>,
    proofs: Proofs,
    clock: SharedClock,
    look: ClockLook,
    health: watch::Sender<Health>,
}

async fn run(mut sums: Option<Sums>, queue: Option<Queue>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(EVERY);
    let mut made: u32 = 0;
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Some(queue) = &queue {
            queue.show(UtcMicros::now());
        }
        if let Some(sums) = &mut sums {
            let now = sums.now().await;
            sums.make(now).await;
            if made.is_multiple_of(LEDGER_EVERY_SUMS) {
                sums.prove(now).await;
            }
            made = made.wrapping_add(1);
        }
    }
}

impl Sums {
    /// The store's time. That this machine's is another is told once.
    async fn now(&mut self) -> UtcMicros {
        let now = self.clock.now(self.inspect.time()).await;
        if let Some(wrong) = self.look.look(UtcMicros::now(), now) {
            tracing::warn!("{wrong}");
        }
        now
    }

    /// Proves the books; a store that does not answer is told of by the sums.
    async fn prove(&mut self, now: UtcMicros) {
        let Some(gauges) = &self.gauges else { return };
        if let Ok(holes) = self.proofs.holes(&*self.inspect, now).await {
            gauges.ledger_holes.set(i64::try_from(holes).unwrap_or(i64::MAX));
        }
    }

    async fn make(&self, now: UtcMicros) {
        let health = match self.inspect.totals(now).await {
            Ok(totals) => {
                if let Some(gauges) = &self.gauges {
                    gauges.show(&totals, now);
                }
                Health::Ready
            }
            Err(error) => Health::Degraded(error.to_string()),
        };
        self.health.send_if_modified(|known| {
            let changed = *known != health;
            if changed && let Health::Degraded(reason) = &health {
                tracing::warn!(%reason, "the store does not answer");
            }
            *known = health;
            changed
        });
    }
}

mod proofs;
#[cfg(test)]
mod tests;
