//! The reconciler's port: each method is one call into the file of its concern, behind the fence where it has a lease.

use std::collections::BTreeSet;

use async_trait::async_trait;
use connections::Transition;
use events::{AppName, ConnectionToken, Receipt, UtcMicros};
use sqlite::rusqlite::Connection;
use uuid::Uuid;

use super::fault::Fault;
use super::{SqliteStore, claims, columns, hints, keys, lease, observe, operator, pending, purging};
use crate::{
    AppPin, Claim, Claimed, Cursor, Due, KeySource, KidOrder, Lease, Observation, PendingWebhook, Postponement,
    PurgedDeliveries, PurgedEvents, Refresh, Ruling, SealedSession, StoreError, StoredKey, Target, UndecidedKid,
};

impl SqliteStore {
    /// One transaction of the lease's holder.
    async fn fenced<T, F>(&self, lease: &Lease, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Lease) -> Result<T, Fault> + Send + 'static,
    {
        let lease = lease.clone();
        self.write(move |connection| {
            lease::check(connection, &lease)?;
            job(connection, &lease)
        })
        .await
    }
}

#[async_trait]
impl Refresh for SqliteStore {
    async fn enrol(&self, pin: &AppPin, now: UtcMicros) -> Result<(), StoreError> {
        let pin = pin.clone();
        self.write(move |connection| lease::enrol(connection, &pin, now)).await
    }

    async fn lease(
        &self,
        app: &AppName,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<Lease>, StoreError> {
        let app = app.clone();
        self.write(move |connection| Ok(lease::take(connection, &app, holder, now, expires_at)?)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write(move |connection| Ok(lease::release(connection, &lease)?)).await
    }

    async fn due(&self, app: &AppName, now: UtcMicros) -> Result<Due, StoreError> {
        let app = app.clone();
        self.read(move |connection| claims::due(connection, &app, now)).await
    }

    async fn claim_one(&self, lease: &Lease, now: UtcMicros, until: UtcMicros) -> Result<Option<Claimed>, StoreError> {
        self.fenced(lease, move |connection, lease| claims::one(connection, lease, now, until)).await
    }

    async fn claim_list(
        &self,
        lease: &Lease,
        now: UtcMicros,
        until: UtcMicros,
        limit: usize,
    ) -> Result<Claimed, StoreError> {
        self.fenced(lease, move |connection, lease| claims::list(connection, lease, now, until, limit)).await
    }

    async fn live_tokens(&self, app: &AppName) -> Result<Vec<ConnectionToken>, StoreError> {
        let app = app.clone();
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT token FROM connections WHERE app = ?1 AND deleted_at IS NULL ORDER BY token")?
                .query_map([app.as_str()], |row| columns::parsed(row, 0))?
                .collect()
        })
        .await
    }

    async fn observe(
        &self,
        lease: &Lease,
        observations: &[Observation],
        request_id: Option<&str>,
        now: UtcMicros,
    ) -> Result<Vec<Transition>, StoreError> {
        let (rules, observations) = (self.rules.clone(), observations.to_vec());
        let request_id = request_id.map(str::to_owned);
        self.fenced(lease, move |connection, lease| {
            observe::observe(connection, &rules, lease, &observations, request_id.as_deref(), now)
        })
        .await
    }

    async fn swept(
        &self,
        lease: &Lease,
        claim: &Claim,
        now: UtcMicros,
        not_before: UtcMicros,
    ) -> Result<(), StoreError> {
        let claim = claim.clone();
        let next_at = self.rules.next_sweep(claim.cause, now);
        self.fenced(lease, move |connection, _| Ok(claims::swept(connection, &claim, now, not_before, next_at)?)).await
    }

    async fn postpone(&self, lease: &Lease, postponements: &[Postponement]) -> Result<(), StoreError> {
        let postponements = postponements.to_vec();
        self.fenced(lease, move |connection, _| Ok(claims::postpone(connection, &postponements)?)).await
    }

    async fn request(
        &self,
        app: &AppName,
        token: Option<&ConnectionToken>,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let (app, token) = (app.clone(), token.cloned());
        self.write(move |connection| Ok(hints::request(connection, &app, token.as_ref(), now)?)).await
    }

    async fn replay(&self, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<(), StoreError> {
        let targets = targets.clone();
        self.write(move |connection| Ok(hints::replay(connection, &targets, now)?)).await
    }

    async fn approve_deletions(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError> {
        let app = app.clone();
        self.write(move |connection| Ok(operator::approve_deletions(connection, &app, now)?)).await
    }

    async fn keys(&self, app: &AppName) -> Result<Vec<StoredKey>, StoreError> {
        let app = app.clone();
        self.read(move |connection| keys::known(connection, &app)).await
    }

    async fn key_source(&self, app: &AppName, asked_before: UtcMicros) -> Result<KeySource, StoreError> {
        let app = app.clone();
        self.read(move |connection| keys::source(connection, &app, asked_before)).await
    }

    async fn learn_key(&self, lease: &Lease, key: &StoredKey) -> Result<(), StoreError> {
        let key = key.clone();
        self.fenced(lease, move |connection, lease| Ok(keys::learn(connection, &lease.app, &key)?)).await
    }

    async fn forget_key(&self, lease: &Lease, kid: Uuid) -> Result<(), StoreError> {
        self.fenced(lease, move |connection, lease| Ok(keys::forget(connection, &lease.app, kid)?)).await
    }

    async fn undecided(
        &self,
        app: &AppName,
        order: KidOrder,
        asked_before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<UndecidedKid>, StoreError> {
        let app = app.clone();
        self.read(move |connection| keys::undecided(connection, &app, order, asked_before, limit)).await
    }

    async fn learned_late(&self, app: &AppName) -> Result<Vec<Uuid>, StoreError> {
        let app = app.clone();
        self.read(move |connection| keys::learned_late(connection, &app)).await
    }

    async fn key_not_found(&self, lease: &Lease, kid: Uuid, now: UtcMicros) -> Result<UndecidedKid, StoreError> {
        self.fenced(lease, move |connection, lease| Ok(keys::not_found(connection, &lease.app, kid, now)?)).await
    }

    async fn pending(&self, app: &AppName, kid: Uuid, limit: usize) -> Result<Vec<PendingWebhook>, StoreError> {
        let app = app.clone();
        self.read(move |connection| pending::of_kid(connection, &app, kid, limit)).await
    }

    async fn pending_before(
        &self,
        app: &AppName,
        before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<PendingWebhook>, StoreError> {
        let app = app.clone();
        self.read(move |connection| pending::before(connection, &app, before, limit)).await
    }

    async fn decide(&self, lease: &Lease, rulings: &[Ruling]) -> Result<(), StoreError> {
        let rulings = rulings.to_vec();
        self.fenced(lease, move |connection, lease| Ok(pending::decide(connection, &lease.app, &rulings)?)).await
    }

    async fn session(&self, app: &AppName, fingerprint: &str) -> Result<Option<SealedSession>, StoreError> {
        let (app, fingerprint) = (app.clone(), fingerprint.to_owned());
        self.read(move |connection| keys::session(connection, &app, &fingerprint)).await
    }

    async fn keep_session(&self, lease: &Lease, session: &SealedSession) -> Result<(), StoreError> {
        let session = session.clone();
        self.fenced(lease, move |connection, lease| Ok(keys::keep_session(connection, lease, &session)?)).await
    }

    async fn purge_deliveries(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Option<Receipt>,
        limit: usize,
    ) -> Result<PurgedDeliveries, StoreError> {
        self.fenced(lease, move |connection, lease| {
            Ok(purging::deliveries(connection, lease, before, from, limit.max(1))?)
        })
        .await
    }

    async fn purge_events(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Cursor,
        limit: usize,
    ) -> Result<PurgedEvents, StoreError> {
        self.fenced(lease, move |connection, lease| Ok(purging::events(connection, lease, before, from, limit.max(1))?))
            .await
    }

    async fn close_gaps(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError> {
        let app = app.clone();
        let before = now.minus(self.rules.gap_open_for);
        self.write(move |connection| Ok(operator::close_gaps(connection, &app, before, now)?)).await
    }
}
