//! What goes wrong in the API: by rate, by plan of the run, or because a test says so.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::draw;
use crate::settings::{Faults, Settings};
use crate::shared::Shared;

/// The faults in force. A clone is the same.
#[derive(Clone)]
pub(crate) struct FaultState(Shared<State>);

struct State {
    faults: Faults,
    rng: Rng,
    /// The earliest moment from which a read is answered.
    started: Instant,
    /// Switched on by hand.
    outage: bool,
    /// Planned outages: the run's start and length.
    run: Option<(Instant, Duration)>,
    live: bool,
}

/// What goes wrong with one request, whatever it asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    /// It is answered with this status and nothing else.
    pub(crate) status: Option<u16>,
    /// Its answer waits.
    pub(crate) wait: Duration,
    /// Its answer ends half-way.
    pub(crate) cut: bool,
}

impl FaultState {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self(Shared::new(State {
            faults: settings.faults.clone(),
            rng: draw::generator(settings.seed, &settings.app, "faults"),
            started: Instant::now(),
            outage: false,
            run: None,
            live: settings.live,
        }))
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    pub(crate) fn faults(&self) -> Faults {
        self.0.lock().faults.clone()
    }

    pub(crate) fn outage(&self, on: bool) {
        self.0.lock().outage = on;
    }

    /// Planned outages count from here.
    pub(crate) fn begin_run(&self, now: Instant, duration: Duration) {
        self.0.lock().run = Some((now, duration));
    }

    /// What goes wrong with the next request.
    pub(crate) fn fate(&self, now: Instant, asks_key: bool) -> Fate {
        let mut state = self.0.lock();
        // All are drawn, so that one rate does not shift the draws of another.
        let [error, too_many, slow, cut] =
            [state.faults.error_rate, state.faults.too_many_rate, state.faults.slow_rate, state.faults.cut_rate]
                .map(|rate| draw::happens(&mut state.rng, rate));
        let status = if state.outage || state.in_planned_outage(now) {
            Some(503)
        } else if error || (asks_key && state.faults.keys_fail) {
            Some(500)
        } else {
            too_many.then_some(429)
        };
        Fate { status, wait: if slow { state.faults.slow } else { Duration::ZERO }, cut }
    }

    /// Whether the next list is a wrong `[]`.
    pub(crate) fn empties_list(&self) -> bool {
        let mut state = self.0.lock();
        let rate = state.faults.empty_list_rate;
        draw::happens(&mut state.rng, rate)
    }

    /// Whether the next single connection is a wrong 404.
    pub(crate) fn hides_single(&self) -> bool {
        let mut state = self.0.lock();
        let rate = state.faults.not_found_rate;
        draw::happens(&mut state.rng, rate)
    }

    /// The moment in the past from which the next read is answered, if it is.
    pub(crate) fn answers_as_of(&self, now: Instant) -> Option<Instant> {
        let mut state = self.0.lock();
        let rate = state.faults.stale_rate;
        let then = now.checked_sub(state.faults.stale_by).unwrap_or(state.started);
        draw::happens(&mut state.rng, rate).then_some(then)
    }
}

impl State {
    /// Outages lie evenly in a run, the first one half a gap after its start; in live mode the run's length is a period.
    fn in_planned_outage(&self, now: Instant) -> bool {
        let Some((start, duration)) = self.run else { return false };
        let (outages, length) = (self.faults.outages, duration.as_secs_f64());
        let elapsed = now.duration_since(start).as_secs_f64();
        if outages == 0 || length == 0.0 || (elapsed >= length && !self.live) {
            return false;
        }
        let gap = length / f64::from(outages);
        let within = elapsed % gap - gap / 2.0;
        (0.0..self.faults.outage.as_secs_f64()).contains(&within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_outages_lie_evenly_in_a_run_and_end_with_it() {
        let minute = Duration::from_mins(1);
        let planned = |live| {
            let faults = Faults { outages: 3, outage: Duration::from_secs(5), ..Faults::default() };
            let state = FaultState::new(&Settings { live, faults, ..Settings::default() });
            let start = Instant::now();
            state.begin_run(start, minute);
            let down = |second: &u64| state.fate(start + Duration::from_secs(*second), false).status == Some(503);
            (0..120).filter(down).collect::<Vec<u64>>()
        };
        let once: Vec<u64> = [10..15, 30..35, 50..55].into_iter().flatten().collect();
        assert_eq!(planned(false), once);
        let again = once.iter().map(|second| second + 60);
        assert_eq!(planned(true), once.iter().copied().chain(again).collect::<Vec<_>>());
    }
}
