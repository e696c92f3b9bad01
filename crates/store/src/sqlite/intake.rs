//! The consumer's port.

use async_trait::async_trait;
use events::Checkpoint;
use sqlite::rusqlite::params;

use super::{SqliteStore, books, deliveries, tally};
use crate::recording;
use crate::tally::{Sum, Tally};
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
                books::mark(connection, checkpoint)?;
            }
            Ok(())
        })
        .await
    }

    async fn bury(&self, letters: &[DeadLetter]) -> Result<(), StoreError> {
        let letters = letters.to_vec();
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO dead_letters
                     (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (receipt) DO NOTHING",
            )?;
            let mut tally = Tally::default();
            for letter in &letters {
                let app = letter.app.as_ref().map_or("", |app| app.as_str());
                let buried = statement.execute(params![
                    letter.receipt.as_ref().map(|receipt| receipt.0.as_bytes()),
                    (!app.is_empty()).then_some(app),
                    letter.booked.as_ref().map(|(instance, _)| instance.as_bytes()),
                    // A culprit's number may be the very thing that SQL cannot take: its bits are kept.
                    letter.booked.map(|(_, sequence)| sequence as i64),
                    letter.reason.word(),
                    letter.detail,
                    letter.buried_at.0,
                    letter.envelope.to_string(),
                    &letter.body[..],
                ])?;
                tally.add_word(app, Sum::DeadLetters, letter.reason.word(), buried as i64);
            }
            tally::write(connection, &tally)?;
            Ok(())
        })
        .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'probes'", [])?;
            Ok(())
        })
        .await
    }
}
