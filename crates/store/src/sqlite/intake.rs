//! The consumer's port.

use async_trait::async_trait;
use events::{Checkpoint, UtcMicros};

use super::{SqliteStore, books, deliveries, letters};
use crate::recording;
use crate::{DeadLetter, Intake, Reading, Recorded, StoreError};

#[async_trait]
impl Intake for SqliteStore {
    async fn record(&self, readings: &[Reading]) -> Result<Vec<Recorded>, StoreError> {
        let rows = recording::prepare(readings)?;
        let body_bytes_max = self.rules.body_bytes_per_app_max;
        self.write(move |connection| deliveries::record(connection, &rows, body_bytes_max)).await
    }

    async fn mark(&self, checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        let checkpoints = checkpoints.to_vec();
        self.write(move |connection| {
            for checkpoint in &checkpoints {
                books::mark(connection, checkpoint, UtcMicros::now())?;
            }
            Ok(())
        })
        .await
    }

    async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let letters = letters.to_vec();
        self.write(move |connection| Ok(letters::bury(connection, &letters)?)).await
    }

    async fn unbury(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |connection| Ok(letters::remove(connection, &ids, None)?)).await
    }

    async fn discard(&self, ids: &[i64], now: UtcMicros) -> Result<u64, StoreError> {
        let ids = ids.to_vec();
        self.write(move |connection| Ok(letters::remove(connection, &ids, Some(now))?)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'probes'", [])?;
            Ok(())
        })
        .await
    }
}
