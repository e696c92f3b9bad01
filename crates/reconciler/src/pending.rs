//! Pending webhooks decided (R10): by the key once it is known, by Finlink's word that there is none, or by time.
//!
//! Each is judged at the time it was received, however long its key took to come; one that its receiver dated wrongly, at the
//! time it was recorded.

use events::{AppName, UtcMicros};
use serde_json::Value;
use store::{Decision, PendingWebhook, Ruling, StoreError};
use uuid::Uuid;
use verification::{KeySet, Outcome, Rules, verify};

use crate::Reconciler;
use crate::lease::Turn;
use crate::persist::persist;
use crate::reconciler::Shared;

/// Webhooks decided in one transaction.
const DECISIONS_PER_TRANSACTION_MAX: usize = 200;
/// Transactions of one turn; what is left waits for the next.
const TRANSACTIONS_PER_TURN_MAX: usize = 20;

impl Reconciler {
    /// Verifies what waits for `kid`, now that its key is known.
    pub(crate) async fn verify_pending(&self, turn: &Turn, kid: Uuid, jwk: &Value) -> Result<(), StoreError> {
        let Shared { app, verification, .. } = &*self.shared;
        let mut keys = KeySet::default();
        if let Err(error) = keys.insert(&app.name, kid, jwk) {
            tracing::error!(app = %app.name, %kid, %error, "webhooks wait for a key that is kept and is none");
            return Ok(());
        }
        let now = turn.clock.now();
        self.decide_pending(turn, kid, |webhook| judge(webhook, &app.name, &keys, verification, now)).await
    }

    /// Rejects what waits for `kid`: Finlink has no such key.
    pub(crate) async fn reject_pending(&self, turn: &Turn, kid: Uuid) -> Result<(), StoreError> {
        self.decide_pending(turn, kid, |_| Decision::Rejected("Finlink has no such key".to_owned())).await
    }

    /// Rejects what waited too long for its key.
    pub(crate) async fn reject_overdue(&self, turn: &Turn) -> Result<(), StoreError> {
        let Shared { app, refresh, rules, .. } = &*self.shared;
        let before = turn.clock.now().minus(rules.pending_for_max);
        for _ in 0..TRANSACTIONS_PER_TURN_MAX {
            let overdue = refresh.pending_before(&app.name, before, DECISIONS_PER_TRANSACTION_MAX).await?;
            let why = "its key could not be learned in time";
            let last = self.decide(turn, overdue, |_| Decision::Rejected(why.to_owned())).await?;
            if last {
                break;
            }
        }
        Ok(())
    }

    async fn decide_pending(
        &self,
        turn: &Turn,
        kid: Uuid,
        decision: impl Fn(&PendingWebhook) -> Decision,
    ) -> Result<(), StoreError> {
        let Shared { app, refresh, .. } = &*self.shared;
        for _ in 0..TRANSACTIONS_PER_TURN_MAX {
            let waiting = refresh.pending(&app.name, kid, DECISIONS_PER_TRANSACTION_MAX).await?;
            if self.decide(turn, waiting, &decision).await? {
                break;
            }
        }
        Ok(())
    }

    /// Decides these; true where they were the last.
    async fn decide(
        &self,
        turn: &Turn,
        webhooks: Vec<PendingWebhook>,
        decision: impl Fn(&PendingWebhook) -> Decision,
    ) -> Result<bool, StoreError> {
        let last = webhooks.len() < DECISIONS_PER_TRANSACTION_MAX;
        if webhooks.is_empty() {
            return Ok(last);
        }
        let rulings: Vec<Ruling> =
            webhooks.iter().map(|webhook| Ruling { receipt: webhook.receipt, decision: decision(webhook) }).collect();
        persist(|| self.shared.refresh.decide(&turn.lease, &rulings)).await?;
        let rejected = rulings.iter().filter(|ruling| matches!(ruling.decision, Decision::Rejected(_))).count();
        tracing::info!(app = %self.shared.app.name, verified = rulings.len() - rejected, rejected, "pending webhooks decided");
        Ok(last)
    }
}

fn judge(webhook: &PendingWebhook, app: &AppName, keys: &KeySet, rules: &Rules, now: UtcMicros) -> Decision {
    let at = |time| verify(&webhook.jwt, &webhook.body_sha256, app, keys, rules, time);
    let outcome = match at(webhook.received_at) {
        // The clock of its receiver may have been off, and decides nothing.
        Outcome::Refused(refusal) if refusal.is_of_time() => at(webhook.recorded_at.unwrap_or(now)),
        outcome => outcome,
    };
    match outcome {
        Outcome::Verified(verified) => Decision::Verified { binds_body: verified.binds_body },
        Outcome::UnknownKey(_) => Decision::Rejected("it names another key than it was kept for".to_owned()),
        Outcome::Refused(refusal) => Decision::Rejected(refusal.word().to_owned()),
    }
}
