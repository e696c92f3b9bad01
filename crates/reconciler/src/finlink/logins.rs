//! When one may log in: never close to the last login, and further apart the more often it did not help (R5).
//!
//! Pure: times come in as arguments. What is known of the last login survives a restart in the store, the counts do not.

use events::UtcMicros;

use super::politeness::doubled;
use super::session::Session;
use crate::Settings;

/// What logins with one secret led to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logins {
    last_at: Option<UtcMicros>,
    refused_in_a_row: u32,
    died_early_in_a_row: u32,
}

/// How a session ended that Finlink does not accept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// It had lived most of its life, or it is the first ones that died early: it happens.
    Natural,
    /// Another program logs in with the same secret: this one is the first that says so.
    Stolen {
        /// Nothing had been said about it since the last session that lived.
        first: bool,
    },
}

impl Logins {
    /// As a restart finds it. A login in the future is a clock that was set: it counts as made now.
    pub(crate) fn remembered(last_at: Option<UtcMicros>, now: UtcMicros) -> Self {
        Self { last_at: last_at.map(|at| at.min(now)), ..Self::default() }
    }

    /// The earliest time of the next login; `None` where none was ever made.
    pub(crate) fn not_before(&self, settings: &Settings) -> Option<UtcMicros> {
        let stolen = (self.died_early_in_a_row + 1).saturating_sub(settings.stolen_from.max(1));
        let longest = settings.login_apart_max.max(settings.login_apart);
        let apart = doubled(settings.login_apart, longest, self.refused_in_a_row.saturating_sub(1).max(stolen));
        self.last_at.map(|at| at.plus(apart))
    }

    /// A login is about to be sent.
    pub(crate) fn attempt(&mut self, now: UtcMicros) {
        self.last_at = Some(now);
    }

    /// The login certainly never arrived: it does not count. Answers what counts instead.
    pub(crate) fn withdraw(&mut self, before: Option<UtcMicros>) {
        self.last_at = before;
    }

    /// When the last login was made.
    pub(crate) fn last_at(&self) -> Option<UtcMicros> {
        self.last_at
    }

    /// Finlink opened a session.
    pub(crate) fn opened(&mut self) {
        self.refused_in_a_row = 0;
    }

    /// Finlink does not take the credentials.
    pub(crate) fn refused(&mut self) {
        self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
    }

    /// A session came to its end by itself.
    pub(crate) fn lived(&mut self) {
        self.died_early_in_a_row = 0;
    }

    /// Finlink does not accept a session any more.
    pub(crate) fn died(&mut self, session: &Session, now: UtcMicros, settings: &Settings) -> Death {
        if !session.is_young(now) {
            self.died_early_in_a_row = 0;
            return Death::Natural;
        }
        self.died_early_in_a_row = self.died_early_in_a_row.saturating_add(1);
        let from = settings.stolen_from.max(1);
        if self.died_early_in_a_row < from {
            Death::Natural
        } else {
            Death::Stolen { first: self.died_early_in_a_row == from }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::SecretString;

    use super::*;

    const START: UtcMicros = UtcMicros(1_000_000_000);

    fn session(at: UtcMicros) -> Session {
        Session::opened(SecretString::from("opaque"), at, &Settings::default())
    }

    #[test]
    fn logins_are_a_minute_apart_and_further_when_refused() {
        let settings = Settings::default();
        let mut logins = Logins::remembered(None, START);
        assert_eq!(logins.not_before(&settings), None);
        let mut apart = Vec::new();
        for _ in 0..7 {
            logins.attempt(START);
            logins.refused();
            apart.push(logins.not_before(&settings).unwrap().since(START).as_secs());
        }
        assert_eq!(apart, [60, 120, 240, 480, 900, 900, 900]);
        logins.opened();
        assert_eq!(logins.not_before(&settings), Some(START.plus(settings.login_apart)));
    }

    #[test]
    fn a_login_in_the_future_is_a_clock_that_was_set() {
        let settings = Settings::default();
        let logins = Logins::remembered(Some(START.plus(Duration::from_hours(9999))), START);
        assert_eq!(logins.not_before(&settings), Some(START.plus(settings.login_apart)));
    }

    #[test]
    fn sessions_that_keep_dying_early_are_stolen_and_told_of_once() {
        let settings = Settings::default();
        let mut logins = Logins::default();
        let mut now = START;
        let mut deaths = Vec::new();
        let mut apart = Vec::new();
        for _ in 0..9 {
            logins.attempt(now);
            logins.opened();
            let opened = session(now);
            deaths.push(logins.died(&opened, now.plus(Duration::from_secs(1)), &settings));
            let next = logins.not_before(&settings).unwrap();
            apart.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(deaths[..2], [Death::Natural; 2]);
        assert_eq!(deaths[2], Death::Stolen { first: true });
        assert!(deaths[3..].iter().all(|death| *death == Death::Stolen { first: false }));
        assert_eq!(apart, [60, 60, 120, 240, 480, 900, 900, 900, 900]);

        let opened = session(now);
        assert_eq!(logins.died(&opened, now.plus(Duration::from_mins(50)), &settings), Death::Natural);
        assert_eq!(logins.not_before(&settings).unwrap().since(logins.last_at().unwrap()), settings.login_apart);
    }
}
