//! The consumer's port.

use async_trait::async_trait;
use events::{Checkpoint, UtcMicros};

use super::deliveries::{self, Batch};
use super::fault::{self, Fault};
use super::{PostgresStore, books, letters};
use crate::recording::{self, Prepared};
use crate::{DeadLetter, Intake, Reading, Recorded, StoreError};

/// Something is written, and recording is tried on no row: a right that is missing, or a table that somebody locked, is no
/// message's fault.
const PROBES: [&str; 12] = [
    "UPDATE meta SET value = value + 1 WHERE name = 'probes'",
    "INSERT INTO bodies (id) SELECT id FROM bodies WHERE FALSE ON CONFLICT (id) DO UPDATE SET last_receipt = NULL",
    "INSERT INTO deliveries (receipt) SELECT receipt FROM deliveries WHERE FALSE",
    "INSERT INTO keys (app) SELECT app FROM keys WHERE FALSE ON CONFLICT (app, kid) DO UPDATE SET waiting = 0",
    "INSERT INTO refreshes (app) SELECT app FROM refreshes WHERE FALSE ON CONFLICT (app, token) DO UPDATE SET hint_no = 0",
    "INSERT INTO told (through) SELECT through FROM told WHERE FALSE
     ON CONFLICT (instance, stripe) DO UPDATE SET through = 0",
    "WITH gone AS (DELETE FROM booked WHERE FALSE) INSERT INTO booked (instance) SELECT instance FROM booked WHERE FALSE",
    "INSERT INTO apps (app) SELECT app FROM apps WHERE FALSE ON CONFLICT (app) DO NOTHING",
    "INSERT INTO checkpoints (instance) SELECT instance FROM checkpoints WHERE FALSE
     ON CONFLICT (instance) DO UPDATE SET at = 0",
    "WITH gone AS (DELETE FROM refused WHERE FALSE) INSERT INTO refused (first) SELECT first FROM refused WHERE FALSE",
    "INSERT INTO counters (value) SELECT value FROM counters WHERE FALSE
     ON CONFLICT (stripe, app, name, word) DO UPDATE SET value = 0",
    "INSERT INTO arrivals (app) SELECT app FROM arrivals WHERE FALSE
     ON CONFLICT (stripe, app) DO UPDATE SET last_webhook_at = 0",
];

impl PostgresStore {
    async fn record_rows(&self, begin: &'static str, rows: Vec<Prepared>, trial: bool) -> Result<Vec<Recorded>, Fault> {
        let batch = Batch { rows, body_bytes_max: self.rules.body_bytes_per_app_max, trial };
        self.transact(begin, batch, |session, batch| Box::pin(deliveries::record(session, batch))).await
    }

    /// Which reading of a batch is to blame for `fault`: each is tried alone.
    async fn culprit(&self, readings: &[Reading], fault: Fault) -> Result<Vec<Recorded>, StoreError> {
        for reading in readings {
            let rows = recording::prepare(std::slice::from_ref(reading))?;
            match self.record_rows(deliveries::ALONE, rows, true).await {
                Err(fault) if fault.blames_the_values() => {
                    return Err(StoreError::Culprit(reading.webhook.receipt, fault::told(fault).to_string()));
                }
                Ok(_) | Err(Fault::Trial) => {}
                Err(other) => return Err(fault::told(other)),
            }
        }
        Err(fault::told(fault))
    }
}

#[async_trait]
impl Intake for PostgresStore {
    async fn record(&self, readings: &[Reading]) -> Result<Vec<Recorded>, StoreError> {
        if readings.is_empty() {
            return Ok(Vec::new());
        }
        let rows = recording::prepare(readings)?;
        deliveries::check(&rows)?;
        let mut outcome = self.record_rows(deliveries::AMONG_OTHERS, rows, false).await;
        if outcome.as_ref().is_err_and(Fault::is_race) {
            outcome = self.record_rows(deliveries::ALONE, recording::prepare(readings)?, false).await;
        }
        match outcome {
            Err(fault) if fault.blames_the_values() => self.culprit(readings, fault).await,
            outcome => outcome.map_err(fault::told),
        }
    }

    async fn mark(&self, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        self.write(checkpoints.to_vec(), |session, marks| Box::pin(books::mark(session, marks))).await
    }

    async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        self.write(letters.to_vec(), |session, letters| Box::pin(letters::bury(session, letters))).await
    }

    async fn unbury(&self, ids: &[i64]) -> Result<u64, StoreError> {
        self.write(ids.to_vec(), |session, ids| Box::pin(letters::remove(session, ids, None))).await
    }

    async fn discard(&self, ids: &[i64], now: UtcMicros) -> Result<u64, StoreError> {
        self.write((ids.to_vec(), now), |session, (ids, now)| Box::pin(letters::remove(session, ids, Some(*now)))).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write((), |session, ()| {
            Box::pin(async {
                for attempt in PROBES {
                    session.execute(attempt, &[]).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
