//! What a failed question means for the rest: an outage to wait out, a session to open anew, or one connection's bad luck.

use events::UtcMicros;
use store::{Claim, Postponement, StoreError};

use crate::Reconciler;
use crate::finlink::{Failure, Kind, Session, backoff};
use crate::lease::Turn;

/// What a failure means for the claims that it left unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setback {
    /// Nothing is wrong with the connection: its claim waits for everything else.
    Common {
        /// Until then.
        until: UtcMicros,
    },
    /// It is the connection's own: it is left alone the longer, the more often it fails.
    Own,
}

impl Reconciler {
    /// Draws the consequences of a failure that are the same for all questions.
    pub(crate) async fn set_back(
        &mut self,
        turn: &Turn,
        session: &Session,
        failure: &Failure,
    ) -> Result<Setback, StoreError> {
        let now = turn.clock.now();
        let app = &self.shared.app.name;
        if failure.kind != Kind::Stopped {
            tracing::warn!(%app, upstream.request_id = failure.request_id, error = %failure, "a question to Finlink failed");
        }
        self.circuit.unanswered(failure, now);
        Ok(match failure.kind {
            Kind::Unauthorized => Setback::Common { until: self.sessions.died(&self.shared, turn, session).await? },
            Kind::Busy(wait) => Setback::Common { until: now.plus(wait) },
            Kind::Away { .. } => match self.circuit.paused_until(now) {
                Some(until) => {
                    tracing::warn!(%app, %until, "Finlink seems to be away: waiting");
                    Setback::Common { until }
                }
                None => Setback::Own,
            },
            Kind::NotFound | Kind::Unusable => Setback::Own,
            Kind::Stopped => Setback::Common { until: now },
        })
    }

    /// Gives a claim back.
    pub(crate) fn postponement(
        &self,
        claim: Claim,
        failure: &Failure,
        setback: Setback,
        now: UtcMicros,
    ) -> Postponement {
        let settings = &self.shared.settings;
        let (until, counts) = match setback {
            Setback::Common { until } => (until, false),
            Setback::Own => {
                (now.plus(backoff(settings.failure_pause, settings.failure_pause_max, claim.failures)), true)
            }
        };
        self.shared.metrics.failed(claim.cause);
        Postponement { claim, until, error: failure.to_string(), request_id: failure.request_id.clone(), counts }
    }
}
