//! What a scraper sees of the store's sums.

use std::collections::BTreeMap;

use prometheus::TextEncoder;
use uuid::Uuid;

use super::*;

fn scrape(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap()
}

fn with_gaps(count: u64) -> Totals {
    let gaps = BTreeMap::from([("demo".parse().unwrap(), BTreeMap::from([("update".to_owned(), count)]))]);
    Totals { gaps, ..Totals::default() }
}

#[test]
fn sums_that_fell_to_nothing_disappear_and_counters_only_rise() {
    let registry = Registry::new();
    let gauges = Gauges::register(&registry, &[]).unwrap();
    let ready = BTreeMap::from([("demo".parse().unwrap(), BTreeMap::from([("READY".to_owned(), 3)]))]);
    gauges.show(&Totals { connections: ready, ..with_gaps(2) }, UtcMicros(0));
    assert!(scrape(&registry).contains("finlinkd_connections{app=\"demo\",status=\"READY\"} 3"));
    assert!(scrape(&registry).contains("finlinkd_gaps_total{app=\"demo\",kind=\"update\"} 2"));

    gauges.show(&with_gaps(5), UtcMicros(0));
    assert!(!scrape(&registry).contains("finlinkd_connections{"));
    assert!(scrape(&registry).contains("finlinkd_gaps_total{app=\"demo\",kind=\"update\"} 5"));
}

#[test]
fn every_run_has_its_own_mark_until_it_is_no_longer_looked_for() {
    let registry = Registry::new();
    let gauges = Gauges::register(&registry, &[]).unwrap();
    let runs = |runs: &[(u128, i64)]| Totals {
        checkpoints: runs.iter().map(|(run, second)| (Uuid::from_u128(*run), UtcMicros(second * 1_000_000))).collect(),
        ..Totals::default()
    };
    let shown = |run: u128, second: i64| {
        let line = format!("finlinkd_run_checkpoint_timestamp_seconds{{run=\"{}\"}} {second}\n", Uuid::from_u128(run));
        scrape(&registry).contains(&line)
    };
    gauges.show(&runs(&[(1, 40), (2, 60)]), UtcMicros(0));
    assert!(shown(1, 40) && shown(2, 60), "{}", scrape(&registry));
    gauges.show(&runs(&[(2, 70)]), UtcMicros(0));
    assert!(!shown(1, 40) && shown(2, 70), "{}", scrape(&registry));
}

#[test]
fn ages_are_counted_from_now_and_are_zero_where_nothing_waits() {
    let registry = Registry::new();
    let gauges = Gauges::register(&registry, &[]).unwrap();
    let now = UtcMicros(90_000_000);
    let at = Some(UtcMicros(60_000_000));
    let totals = Totals { hint_oldest_at: at, checkpoint_at: at, ..Totals::default() };
    gauges.show(&totals, now);
    let text = scrape(&registry);
    assert!(text.contains("finlinkd_hint_oldest_unanswered_seconds 30"));
    assert!(text.contains("finlinkd_outbox_oldest_age_seconds 0"));
    assert!(text.contains("finlinkd_checkpoint_timestamp_seconds 60"));
}
