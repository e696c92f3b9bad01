//! The session of an app (R5): kept sealed in the store, used again after a restart, opened under the lease and never close
//! to the login before.
//!
//! Every login is noted in the store before it is sent, so that a process that crashes and restarts does not storm.

use events::UtcMicros;
use secrecy::SecretString;
use store::{SealedSession, StoreError};

use crate::finlink::{Death, Failure, Kind, Logins, Sealer, Session};
use crate::lease::Turn;
use crate::persist::persist;
use crate::reconciler::Shared;

/// What is known of the session of one app.
#[derive(Default)]
pub(crate) struct Sessions {
    /// Of the secret that the rest is about.
    sealer: Option<Sealer>,
    logins: Logins,
    current: Option<Session>,
    /// What was said last about a secret that cannot be used: it is said once.
    told: Option<String>,
}

/// Why there is no session just now.
#[derive(Debug)]
pub(crate) enum NoSession {
    /// The next login has to wait.
    Wait { until: UtcMicros, why: String },
    /// The login was not answered.
    Failed(Failure),
    /// The store did not do as asked.
    Store(StoreError),
}

impl From<StoreError> for NoSession {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Sessions {
    /// The session; opens one where there is none and it is time.
    pub(crate) async fn get(&mut self, shared: &Shared, turn: &Turn) -> Result<Session, NoSession> {
        let now = turn.clock.now();
        if let Some(session) = self.usable(now) {
            return Ok(session);
        }
        let secret = self.secret(shared, now).await?;
        self.recall(shared, &secret, now).await?;
        if let Some(session) = self.usable(now) {
            return Ok(session);
        }
        if let Some(until) = self.logins.not_before(&shared.settings).filter(|until| now < *until) {
            return Err(NoSession::Wait { until, why: "the next login is not due yet".to_owned() });
        }
        self.log_in(shared, turn, &secret).await
    }

    /// Whether there is a session to use without a login.
    pub(crate) fn usable(&mut self, now: UtcMicros) -> Option<Session> {
        if self.current.as_ref().is_some_and(|session| !session.is_usable(now)) {
            self.current = None;
            self.logins.lived();
        }
        self.current.clone()
    }

    /// Finlink does not accept `session` any more. Answers when a login may be made.
    pub(crate) async fn died(
        &mut self,
        shared: &Shared,
        turn: &Turn,
        session: &Session,
    ) -> Result<UtcMicros, StoreError> {
        let now = turn.clock.now();
        if self.current.as_ref().is_some_and(|current| current.login_at == session.login_at) {
            self.current = None;
            self.mourn(shared, session, now);
            self.note(shared, turn, session.login_at).await?;
        }
        Ok(self.logins.not_before(&shared.settings).unwrap_or(now).max(now))
    }

    /// Forgets what the store knows better.
    pub(crate) fn forget(&mut self) {
        self.sealer = None;
        self.current = None;
    }

    fn mourn(&mut self, shared: &Shared, session: &Session, now: UtcMicros) {
        let app = &shared.app.name;
        let lived_ms = now.since(session.login_at).as_millis() as u64;
        match self.logins.died(session, now, &shared.settings) {
            Death::Natural => tracing::info!(%app, lived_ms, "the session is not accepted any more: logging in again"),
            Death::Stolen { first } => {
                shared.metrics.stolen.inc();
                if first {
                    tracing::error!(
                        %app,
                        lived_ms,
                        "another program logs in with this app's secret: Finlink keeps one session per secret, so each \
                         login ends the other's. Make a secret of its own for finlinkd and set apps.{app}.client_secret"
                    );
                }
            }
        }
    }

    async fn secret(&mut self, shared: &Shared, now: UtcMicros) -> Result<SecretString, NoSession> {
        match shared.app.secret().await {
            Ok(secret) => Ok(secret),
            Err(error) => {
                let why = error.to_string();
                if self.told.as_ref() != Some(&why) {
                    tracing::error!(app = %shared.app.name, "{why}");
                    self.told = Some(why.clone());
                }
                Err(NoSession::Wait { until: now.plus(shared.settings.login_apart), why })
            }
        }
    }

    /// Reads what the store knows about the session of `secret`, where that is another one than before.
    async fn recall(&mut self, shared: &Shared, secret: &SecretString, now: UtcMicros) -> Result<(), NoSession> {
        let app = &shared.app.name;
        let sealer = Sealer::new(app, &shared.app.client_id, secret).map_err(|error| NoSession::Wait {
            until: now.plus(shared.settings.login_apart),
            why: error.to_string(),
        })?;
        if self.sealer.as_ref().is_some_and(|known| known.fingerprint() == sealer.fingerprint()) {
            return Ok(());
        }
        let kept = shared.refresh.session(app, sealer.fingerprint()).await?;
        self.logins = Logins::remembered(kept.as_ref().map(|kept| kept.login_at), now);
        self.current = kept.and_then(|kept| {
            let token = sealer.open(&kept.sealed)?;
            Some(Session { token, login_at: kept.login_at, expires_at: kept.expires_at })
        });
        self.sealer = Some(sealer);
        self.told = None;
        Ok(())
    }

    async fn log_in(&mut self, shared: &Shared, turn: &Turn, secret: &SecretString) -> Result<Session, NoSession> {
        let before = self.logins.last_at();
        let stopped = || NoSession::Wait { until: turn.clock.now(), why: "stopping".to_owned() };
        let permit = shared.client.permit(&turn.patience).await.ok_or_else(stopped)?;
        let at = turn.clock.now();
        self.logins.attempt(at);
        self.note(shared, turn, at).await?;
        // As Finlink sees them logins are apart: the next one is counted from when this one leaves, not from before the note.
        let at = turn.clock.now();
        self.logins.attempt(at);
        match shared.client.login(permit, &turn.patience, &shared.app.client_id, secret).await {
            Ok(answered) => {
                let session = Session::opened(answered.value, at, &shared.settings);
                self.logins.opened();
                self.keep(shared, turn, &session).await?;
                tracing::info!(
                    app = %shared.app.name,
                    expires_at = %session.expires_at,
                    upstream.request_id = answered.request_id,
                    "logged in to Finlink"
                );
                self.current = Some(session.clone());
                Ok(session)
            }
            Err(failure) => Err(self.login_failed(shared, turn, before, failure).await?),
        }
    }

    async fn login_failed(
        &mut self,
        shared: &Shared,
        turn: &Turn,
        before: Option<UtcMicros>,
        failure: Failure,
    ) -> Result<NoSession, StoreError> {
        match failure.kind {
            Kind::Unauthorized | Kind::NotFound | Kind::Unusable => {
                self.logins.refused();
                let now = turn.clock.now();
                let until = self.logins.not_before(&shared.settings).unwrap_or(now);
                let app = &shared.app.name;
                tracing::error!(
                    %app,
                    upstream.request_id = failure.request_id,
                    error = %failure,
                    next_login_at = %until,
                    "Finlink refuses the login: check apps.{app}.client_id, apps.{app}.client_secret and upstream.base_url"
                );
                Ok(NoSession::Wait { until, why: format!("Finlink refuses the login ({failure})") })
            }
            Kind::Away { reached: false } => {
                self.logins.withdraw(before);
                self.note(shared, turn, before.unwrap_or(UtcMicros(0))).await?;
                Ok(NoSession::Failed(failure))
            }
            Kind::Away { reached: true } | Kind::Busy(_) | Kind::Stopped => Ok(NoSession::Failed(failure)),
        }
    }

    /// Notes a login without a session: one that is about to be made, or whose session is dead.
    async fn note(&self, shared: &Shared, turn: &Turn, login_at: UtcMicros) -> Result<(), StoreError> {
        self.put(shared, turn, Vec::new(), login_at, login_at).await
    }

    async fn keep(&self, shared: &Shared, turn: &Turn, session: &Session) -> Result<(), StoreError> {
        let sealed = self.sealer.as_ref().and_then(|sealer| sealer.seal(&session.token).ok()).unwrap_or_default();
        self.put(shared, turn, sealed, session.login_at, session.expires_at).await
    }

    async fn put(
        &self,
        shared: &Shared,
        turn: &Turn,
        sealed: Vec<u8>,
        login_at: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<(), StoreError> {
        let Some(sealer) = &self.sealer else { return Ok(()) };
        let fingerprint = sealer.fingerprint().to_owned();
        let session = SealedSession { fingerprint, sealed, login_at, expires_at };
        persist(|| shared.refresh.keep_session(&turn.lease, &session)).await
    }
}
