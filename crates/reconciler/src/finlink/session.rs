//! A session with Finlink: one per secret, an hour long, not to be refreshed (a new login revokes the one before).

use std::time::Duration;

use events::UtcMicros;
use secrecy::{ExposeSecret, SecretString};

use super::expiry::claimed_life;
use crate::Settings;

/// A session as this process uses it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: SecretString,
    /// When its login was made.
    pub(crate) login_at: UtcMicros,
    /// From then on it is not used any more.
    pub(crate) expires_at: UtcMicros,
}

impl Session {
    /// A session that was just opened. It is given up a margin before its end, but never before half of its life.
    pub(crate) fn opened(token: SecretString, login_at: UtcMicros, settings: &Settings) -> Self {
        let life = claimed_life(token.expose_secret()).unwrap_or(settings.session_life);
        let used = life.saturating_sub(settings.session_margin).max(life / 2);
        Self { token, login_at, expires_at: login_at.plus(used) }
    }

    pub(crate) fn is_usable(&self, now: UtcMicros) -> bool {
        now < self.expires_at
    }

    /// Whether half of its life lay ahead.
    pub(crate) fn is_young(&self, now: UtcMicros) -> bool {
        now.since(self.login_at) < self.life() / 2
    }

    fn life(&self) -> Duration {
        self.expires_at.since(self.login_at)
    }
}
