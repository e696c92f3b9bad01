//! The reconciler's port: each method is one call into the file of its concern, behind the fence where it has a lease.

use std::collections::BTreeSet;

use async_trait::async_trait;
use connections::Transition;
use events::{AppName, ConnectionToken, Receipt, UtcMicros};
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{
    PostgresStore, claims, clock, columns, deliveries, fault, hints, keys, lease, observe, operator, pending, purging,
};
use crate::purging::Choice;
use crate::{
    AppPin, Claim, Claimed, Cursor, Due, KeySource, KidOrder, Lease, Observation, PendingWebhook, Postponement,
    PurgedDeliveries, PurgedEvents, Refresh, Ruling, SealedSession, StoreError, StoredKey, Target, UndecidedKid,
};

/// The order in which rows are asked for has no more of them than this type can say.
fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

async fn live_tokens(session: &Session, app: &AppName) -> Result<Vec<ConnectionToken>, Fault> {
    let live = "SELECT token FROM connections WHERE app = $1 AND deleted_at IS NULL ORDER BY token";
    columns::all(&session.query(live, &[&app.as_str()]).await?, |row| columns::parsed(row, 0))
}

#[async_trait]
impl Refresh for PostgresStore {
    async fn time(&self) -> Result<UtcMicros, StoreError> {
        self.read((), |session, ()| Box::pin(clock::read(session))).await
    }

    async fn enrol(&self, pin: &AppPin, now: UtcMicros) -> Result<(), StoreError> {
        self.write((pin.clone(), now), |session, (pin, now)| Box::pin(lease::enrol(session, pin, *now))).await
    }

    async fn lease(
        &self,
        app: &AppName,
        holder: Uuid,
        now: UtcMicros,
        expires_at: UtcMicros,
    ) -> Result<Option<Lease>, StoreError> {
        self.write((app.clone(), holder, now, expires_at), |session, (app, holder, now, expires_at)| {
            Box::pin(lease::take(session, app, *holder, *now, *expires_at))
        })
        .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.write(lease.clone(), |session, lease| Box::pin(lease::release(session, lease))).await
    }

    async fn due(&self, app: &AppName, now: UtcMicros) -> Result<Due, StoreError> {
        self.read((app.clone(), now), |session, (app, now)| Box::pin(claims::due(session, app, *now))).await
    }

    async fn claim_one(&self, lease: &Lease, now: UtcMicros, until: UtcMicros) -> Result<Option<Claimed>, StoreError> {
        self.write((lease.clone(), now, until), |session, (lease, now, until)| {
            Box::pin(claims::one(session, lease, *now, *until))
        })
        .await
    }

    async fn claim_list(
        &self,
        lease: &Lease,
        now: UtcMicros,
        until: UtcMicros,
        limit: usize,
    ) -> Result<Claimed, StoreError> {
        self.write((lease.clone(), now, until, limit), |session, (lease, now, until, limit)| {
            Box::pin(claims::list(session, lease, *now, *until, *limit))
        })
        .await
    }

    async fn live_tokens(&self, app: &AppName) -> Result<Vec<ConnectionToken>, StoreError> {
        self.read(app.clone(), |session, app| Box::pin(live_tokens(session, app))).await
    }

    async fn observe(
        &self,
        lease: &Lease,
        observations: &[Observation],
        request_id: Option<&str>,
        now: UtcMicros,
    ) -> Result<Vec<Transition>, StoreError> {
        let request_id = request_id.map(str::to_owned);
        let reads = (self.rules.clone(), lease.clone(), observations.to_vec(), request_id, now);
        self.write(reads, |session, (rules, lease, observations, request_id, now)| {
            Box::pin(observe::observe(session, rules, lease, observations, request_id.as_deref(), *now))
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
        let times = (now, not_before, self.rules.next_sweep(claim.cause, now));
        self.write((lease.clone(), claim.clone(), times), |session, (lease, claim, (now, not_before, next_at))| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                claims::swept(session, claim, *now, *not_before, *next_at).await
            })
        })
        .await
    }

    async fn postpone(&self, lease: &Lease, postponements: &[Postponement]) -> Result<(), StoreError> {
        self.write((lease.clone(), postponements.to_vec()), |session, (lease, postponements)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                claims::postpone(session, &lease.app, postponements).await
            })
        })
        .await
    }

    async fn request(
        &self,
        app: &AppName,
        token: Option<&ConnectionToken>,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        self.write((app.clone(), token.cloned(), now), |session, (app, token, now)| {
            Box::pin(hints::request(session, app, token.as_ref(), *now))
        })
        .await
    }

    async fn replay(&self, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<(), StoreError> {
        self.write((targets.clone(), now), |session, (targets, now)| Box::pin(hints::replay(session, targets, *now)))
            .await
    }

    async fn approve_deletions(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError> {
        self.write((app.clone(), now), |session, (app, now)| Box::pin(operator::approve_deletions(session, app, *now)))
            .await
    }

    async fn keys(&self, app: &AppName) -> Result<Vec<StoredKey>, StoreError> {
        self.read(app.clone(), |session, app| Box::pin(keys::known(session, app))).await
    }

    async fn key_source(&self, app: &AppName, asked_before: UtcMicros) -> Result<KeySource, StoreError> {
        self.read((app.clone(), asked_before), |session, (app, asked_before)| {
            Box::pin(keys::source(session, app, *asked_before))
        })
        .await
    }

    async fn learn_key(&self, lease: &Lease, key: &StoredKey) -> Result<(), StoreError> {
        self.write((lease.clone(), key.clone()), |session, (lease, key)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                keys::learn(session, &lease.app, key).await
            })
        })
        .await
    }

    async fn forget_key(&self, lease: &Lease, kid: Uuid) -> Result<(), StoreError> {
        self.write((lease.clone(), kid), |session, (lease, kid)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                keys::forget(session, &lease.app, *kid).await
            })
        })
        .await
    }

    async fn undecided(
        &self,
        app: &AppName,
        order: KidOrder,
        asked_before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<UndecidedKid>, StoreError> {
        self.read((app.clone(), order, asked_before, bounded(limit)), |session, (app, order, asked_before, limit)| {
            Box::pin(keys::undecided(session, app, *order, *asked_before, *limit))
        })
        .await
    }

    async fn learned_late(&self, app: &AppName) -> Result<Vec<Uuid>, StoreError> {
        self.read(app.clone(), |session, app| Box::pin(keys::learned_late(session, app))).await
    }

    async fn key_not_found(&self, lease: &Lease, kid: Uuid, now: UtcMicros) -> Result<UndecidedKid, StoreError> {
        self.write((lease.clone(), kid, now), |session, (lease, kid, now)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                keys::not_found(session, &lease.app, *kid, *now).await
            })
        })
        .await
    }

    async fn pending(&self, app: &AppName, kid: Uuid, limit: usize) -> Result<Vec<PendingWebhook>, StoreError> {
        self.read((app.clone(), kid, bounded(limit)), |session, (app, kid, limit)| {
            Box::pin(pending::of_kid(session, app, *kid, *limit))
        })
        .await
    }

    async fn pending_before(
        &self,
        app: &AppName,
        before: UtcMicros,
        limit: usize,
    ) -> Result<Vec<PendingWebhook>, StoreError> {
        self.read((app.clone(), before, bounded(limit)), |session, (app, before, limit)| {
            Box::pin(pending::before(session, app, *before, *limit))
        })
        .await
    }

    async fn decide(&self, lease: &Lease, rulings: &[Ruling]) -> Result<(), StoreError> {
        self.write((lease.clone(), rulings.to_vec()), |session, (lease, rulings)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                pending::decide(session, &lease.app, rulings).await
            })
        })
        .await
    }

    async fn session(&self, app: &AppName, fingerprint: &str) -> Result<Option<SealedSession>, StoreError> {
        self.read((app.clone(), fingerprint.to_owned()), |session, (app, fingerprint)| {
            Box::pin(keys::session_of(session, app, fingerprint))
        })
        .await
    }

    async fn keep_session(&self, lease: &Lease, session: &SealedSession) -> Result<(), StoreError> {
        self.write((lease.clone(), session.clone()), |session, (lease, kept)| {
            Box::pin(async move {
                lease::check(session, lease).await?;
                keys::keep_session(session, &lease.app, kept).await
            })
        })
        .await
    }

    async fn purge_deliveries(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Option<Receipt>,
        limit: usize,
    ) -> Result<PurgedDeliveries, StoreError> {
        let wanted = (lease.clone(), before, from, limit.max(1));
        let Choice { go, next } = self
            .write(wanted, |session, (lease, before, from, limit)| {
                Box::pin(purging::choose(session, lease, *before, *from, *limit))
            })
            .await?;
        if go.is_empty() {
            return Ok(PurgedDeliveries { next, ..PurgedDeliveries::default() });
        }
        let gone = self.transact(deliveries::ALONE, (lease.clone(), go), |session, (lease, go)| {
            Box::pin(purging::deliveries(session, lease, go))
        });
        let (deliveries, bodies) = gone.await.map_err(fault::told)?;
        Ok(PurgedDeliveries { deliveries, bodies, next })
    }

    async fn purge_events(
        &self,
        lease: &Lease,
        before: UtcMicros,
        from: Cursor,
        limit: usize,
    ) -> Result<PurgedEvents, StoreError> {
        self.write((lease.clone(), before, from, limit.max(1)), |session, (lease, before, from, limit)| {
            Box::pin(purging::events(session, lease, *before, *from, *limit))
        })
        .await
    }

    async fn close_gaps(&self, app: &AppName, now: UtcMicros) -> Result<u64, StoreError> {
        let before = now.minus(self.rules.gap_open_for);
        self.write((app.clone(), before, now), |session, (app, before, now)| {
            Box::pin(operator::close_gaps(session, app, *before, *now))
        })
        .await
    }
}
