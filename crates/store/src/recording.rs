//! What recording a batch comes down to, whatever the engine: which values each table gets, table by table and in key order
//! (R12). Not here: any SQL, and whether a row was there before, which only the engine finds out.

use std::collections::BTreeMap;

use events::{AppName, RawWebhook, UtcMicros, Verification};
use uuid::Uuid;

use crate::books::{Entry, number};
use crate::hints::Telling;
use crate::tally::{Sum, Tally};
use crate::{Reading, Recorded, StoreError};

/// A reading with what can be computed outside any transaction.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) reading: Reading,
    pub(crate) sequence: i64,
    pub(crate) body_id: [u8; 16],
    /// What its body tells, as JSON.
    pub(crate) tells: String,
}

/// Prepares a batch; a reading that SQL has no number for is named at once.
pub(crate) fn prepare(readings: &[Reading]) -> Result<Vec<Prepared>, StoreError> {
    let prepare = |reading: &Reading| {
        let webhook = &reading.webhook;
        let culprit = |why: &str| StoreError::Culprit(webhook.receipt, why.to_owned());
        let sequence = i64::try_from(webhook.sequence).map_err(|_| culprit("its sequence number is out of range"))?;
        let tells = serde_json::to_string(&reading.tells).map_err(|error| culprit(&error.to_string()))?;
        Ok(Prepared { sequence, body_id: webhook.body_sha256.body_id(&webhook.app), tells, reading: reading.clone() })
    };
    readings.iter().map(prepare).collect()
}

/// The readings that were not there before.
pub(crate) fn fresh<'a>(rows: &'a [Prepared], recorded: &[Recorded]) -> Vec<&'a Reading> {
    let kept = rows.iter().zip(recorded).filter(|(_, recorded)| **recorded != Recorded::Redelivered);
    kept.map(|(row, _)| &row.reading).collect()
}

/// When the newest webhook of each app was received: an app is known from its first one on.
pub(crate) fn newest_by_app(rows: &[Prepared]) -> BTreeMap<&AppName, UtcMicros> {
    let mut newest = BTreeMap::new();
    for webhook in rows.iter().map(|row| &row.reading.webhook) {
        let at = newest.entry(&webhook.app).or_insert(webhook.received_at);
        *at = webhook.received_at.max(*at);
    }
    newest
}

/// What the webhooks add to the books of their runs (R8).
pub(crate) fn told(rows: &[Prepared]) -> BTreeMap<Uuid, Entry> {
    let mut told: BTreeMap<Uuid, Entry> = BTreeMap::new();
    for webhook in rows.iter().map(|row| &row.reading.webhook) {
        let entry = told.entry(webhook.instance).or_default();
        entry.told_through = number(webhook.decided_through).max(entry.told_through);
        entry.numbers.add(webhook.sequence);
    }
    told
}

/// The keys that pending webhooks wait for: how many more do, and since when.
pub(crate) fn waiting<'a>(fresh: &[&'a Reading]) -> BTreeMap<(&'a AppName, Uuid), (i64, UtcMicros)> {
    let mut waiting = BTreeMap::new();
    for webhook in fresh.iter().map(|reading| &reading.webhook) {
        if let Verification::Pending { kid, .. } = &webhook.verification {
            let (count, since) = waiting.entry((&webhook.app, *kid)).or_insert((0, webhook.received_at));
            *count += 1;
            *since = webhook.received_at.min(*since);
        }
    }
    waiting
}

/// What hints now: pending webhooks hint when they are decided (R10), all others at once.
pub(crate) fn tellings<'a>(readings: &[&'a Reading]) -> Vec<Telling<'a>> {
    let decided =
        readings.iter().filter(|reading| !matches!(reading.webhook.verification, Verification::Pending { .. }));
    let tellings = decided.map(|reading| Telling {
        app: &reading.webhook.app,
        tells: &reading.tells,
        binds_body: reading.webhook.verification.binds_body(),
        received_at: reading.webhook.received_at,
    });
    tellings.collect()
}

/// The JWT of a webhook, while it is pending.
pub(crate) fn signature(webhook: &RawWebhook) -> Option<&str> {
    match &webhook.verification {
        Verification::Pending { jwt, .. } => Some(jwt),
        Verification::Verified { .. } | Verification::Unchecked => None,
    }
}

/// Counts a delivery that was not there before.
pub(crate) fn count(tally: &mut Tally, webhook: &RawWebhook, duplicate: bool) {
    tally.add(&webhook.app, Sum::Duplicates, i64::from(duplicate));
    tally.add_word(webhook.app.as_str(), Sum::Deliveries, webhook.verification.word(), 1);
}

/// What a delivery that was not there before is answered with.
pub(crate) fn recorded(duplicate: bool) -> Recorded {
    if duplicate { Recorded::Duplicate } else { Recorded::New }
}
