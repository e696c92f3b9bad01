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
    pub async fn now(&mut self, ask: impl Future<Output = Result<UtcMicros, StoreError>>) -> UtcMicros {
        self.at(Instant::now(), ask).await
    }

    async fn at(&mut self, instant: Instant, ask: impl Future<Output = Result<UtcMicros, StoreError>>) -> UtcMicros {
        let carried = self.answer.map(|(at, asked)| {
            let for_long = instant.duration_since(asked);
            (at.plus(for_long), for_long)
        });
        if let Some((now, for_long)) = carried
            && for_long < CARRIED_FOR
        {
            return now;
        }
        match ask.await {
            Ok(now) => {
                self.answer = Some((now, instant));
                now
            }
            Err(_) => carried.map_or_else(UtcMicros::now, |(now, _)| now),
        }
    }
}

#[cfg(test)]
mod tests {
    //! A store whose clock is far from this machine's.

    use super::*;

    const AT: UtcMicros = UtcMicros(1_000_000_000);

    #[tokio::test]
    async fn an_answer_is_carried_on_and_asked_for_again() {
        let (mut clock, start) = (SharedClock::default(), Instant::now());
        assert_eq!(clock.at(start, async { Ok(AT) }).await, AT);
        let later = UtcMicros(9_000_000_000);
        assert_eq!(clock.at(start + CARRIED_FOR / 2, async { Ok(later) }).await, AT.plus(CARRIED_FOR / 2));
        assert_eq!(clock.at(start + CARRIED_FOR, async { Ok(later) }).await, later);
    }

    #[tokio::test]
    async fn a_store_that_is_away_does_not_change_the_time() {
        let (mut clock, start) = (SharedClock::default(), Instant::now());
        let away = || async { Err(StoreError::Unavailable("away".to_owned())) };
        assert!(clock.at(start, away()).await > AT, "there is no better clock than this machine's");
        clock.at(start, async { Ok(AT) }).await;
        assert_eq!(clock.at(start + CARRIED_FOR * 3, away()).await, AT.plus(CARRIED_FOR * 3));
    }
}
