//! The store's clock, by which every process that shares the store goes.
//!
//! Machines disagree about the time, while leases, claims and schedules are shared: a machine that is hours ahead would hold a
//! lease that nobody else can take for hours, and judge every read overdue. So whoever writes or judges such times asks the
//! one clock that all can ask. Not here: when a webhook was received, which its ingress says, and which decides nothing.

use std::time::Duration;

use events::UtcMicros;
use tokio::time::Instant;

use crate::StoreError;

/// So long an answer is carried on before it is asked for again.
const CARRIED_FOR: Duration = Duration::from_secs(10);

/// What a process knows of the store's clock: its last answer, carried on by the monotonic clock.
#[derive(Debug, Default)]
pub struct SharedClock {
    answer: Option<(UtcMicros, Instant)>,
}

impl SharedClock {
    /// The time now. `ask` is waited for where the last answer is old. A store that is away leaves that answer to be carried
    /// on, and where there is none, this machine's clock.
    ///
    /// Behind by what the answer took at most, and never ahead: who is behind waits a little longer for a lease to end, who
    /// is ahead takes one that still counts.
    pub async fn now(&mut self, ask: impl Future<Output = Result<UtcMicros, StoreError>>) -> UtcMicros {
        if let Some((now, for_long)) = self.carried()
            && for_long < CARRIED_FOR
        {
            return now;
        }
        match ask.await {
            Ok(now) => {
                self.answer = Some((now, Instant::now()));
                now
            }
            Err(_) => self.carried().map_or_else(UtcMicros::now, |(now, _)| now),
        }
    }

    /// The last answer carried on, and for how long it has been.
    fn carried(&self) -> Option<(UtcMicros, Duration)> {
        self.answer.map(|(at, answered)| (at.plus(answered.elapsed()), answered.elapsed()))
    }
}

/// Clocks further apart than this are told of. A webhook's signature may be no more than 5 minutes from the future.
const APART_MAX: Duration = Duration::from_secs(10);
/// So many looks in a row must find it: a machine that slept knows an old answer for a moment.
const LOOKS_MIN: u32 = 3;

/// Looks whether this machine's clock is the store's, and says once when it is not.
#[derive(Debug, Default)]
pub struct ClockLook {
    apart_in_a_row: u32,
}

impl ClockLook {
    /// What is wrong with `own`, where enough looks in a row found it, and only the first time; `shared` is the store's time.
    pub fn look(&mut self, own: UtcMicros, shared: UtcMicros) -> Option<String> {
        let apart = own.since(shared).max(shared.since(own));
        self.apart_in_a_row = if apart > APART_MAX { self.apart_in_a_row.saturating_add(1) } else { 0 };
        let way = if own > shared { "ahead of" } else { "behind" };
        let told = || {
            format!("this machine's clock is {} s {way} the store's, by which finlinkd goes: set it", apart.as_secs())
        };
        (self.apart_in_a_row == LOOKS_MIN).then(told)
    }
}

#[cfg(test)]
mod tests {
    //! A store whose clock is far from this machine's. Time is made up.

    use tokio::time::{advance, sleep};

    use super::*;

    const AT: UtcMicros = UtcMicros(1_000_000_000);

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_carried_on_and_asked_for_again() {
        let mut clock = SharedClock::default();
        assert_eq!(clock.now(async { Ok(AT) }).await, AT);
        let later = UtcMicros(9_000_000_000);
        advance(CARRIED_FOR / 2).await;
        assert_eq!(clock.now(async { Ok(later) }).await, AT.plus(CARRIED_FOR / 2));
        advance(CARRIED_FOR / 2).await;
        assert_eq!(clock.now(async { Ok(later) }).await, later);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_waits_for_long_puts_no_clock_ahead() {
        const WAITED: Duration = Duration::from_secs(25);
        let mut clock = SharedClock::default();
        let slow = async {
            sleep(WAITED).await;
            Ok(AT)
        };
        assert_eq!(clock.now(slow).await, AT);
        assert_eq!(clock.now(async { Ok(AT) }).await, AT);
        advance(CARRIED_FOR / 2).await;
        assert_eq!(clock.now(async { Ok(AT) }).await, AT.plus(CARRIED_FOR / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_does_not_change_the_time() {
        let mut clock = SharedClock::default();
        let away = || async { Err(StoreError::Unavailable("away".to_owned())) };
        assert!(clock.now(away()).await > AT, "there is no better clock than this machine's");
        clock.now(async { Ok(AT) }).await;
        advance(CARRIED_FOR * 3).await;
        assert_eq!(clock.now(away()).await, AT.plus(CARRIED_FOR * 3));
    }

    #[test]
    fn a_clock_that_is_off_is_told_of_once_and_again_after_it_was_right() {
        let (mut look, off) = (ClockLook::default(), AT.plus(Duration::from_secs(11)));
        let mut told = |own: UtcMicros, times: usize| (0..times).filter_map(|_| look.look(own, AT)).collect::<Vec<_>>();
        assert!(told(AT.plus(Duration::from_secs(10)), 5).is_empty(), "not far enough");
        assert!(told(off, 2).is_empty() && told(AT, 1).is_empty(), "for a moment");
        let ahead = told(off, 9);
        assert!(ahead.len() == 1 && ahead[0].contains("11 s ahead of the store's"), "{ahead:?}");
        assert!(told(AT, 1).is_empty());
        let behind = told(AT.minus(Duration::from_hours(1)), 9);
        assert!(behind.len() == 1 && behind[0].contains("3600 s behind the store's"), "{behind:?}");
    }
}
