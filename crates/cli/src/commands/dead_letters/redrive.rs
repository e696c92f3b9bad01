//! `finlinkd dead-letters redrive`: messages back into the queue that the settings name.
//!
//! Promises: a letter is removed only after the queue has its message; the receipt stays the same, so that a message which
//! comes twice is recorded once, and ending half-way harms nothing. Not here: a spool. Where the broker is away the letters
//! stay where they are.

use std::time::Duration;

use anyhow::Context;
use consumer::envelope;
use prometheus::Registry;
use queue::{Message, PublishError, Publisher, QueueState};
use store::{DeadLetterRow, Inspect, Intake};

use super::report::Report;
use super::selection::{Change, Selected};
use crate::commands::own;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::wiring::{self, Ends, Queue};

/// Letters whose messages are published before they are removed together.
const REMOVED_AT_ONCE: usize = 100;

/// Tells what would be done, or does it.
pub(super) async fn run(settings: &Settings, wanted: &Change) -> Result<(), Failure> {
    if wanted.yes {
        return redrive(settings, wanted).await;
    }
    let store = wiring::look_into_store(settings)?;
    let selected = wanted.letters.of(store.as_ref()).await?;
    let mut report = Report::new("redrive", false, selected.len());
    for Selected { id, reason } in &selected {
        match message(store.as_ref(), *id).await? {
            Ok((letter, _)) => {
                report.take(reason);
                report.sample(letter);
            }
            Err(why) => report.leave(*id, &why),
        }
    }
    report.print(wanted.json, "would be published again, oldest first, and removed", "")
}

async fn redrive(settings: &Settings, wanted: &Change) -> Result<(), Failure> {
    let store = own(settings, wiring::open_store(settings))?;
    let selected = wanted.letters.of(store.inspect().as_ref()).await?;
    let metrics = queue::Metrics::register(&Registry::new()).map_err(anyhow::Error::from)?;
    let queue = own(settings, Queue::open(settings, Ends::Straight, metrics))?;
    let publisher = queue.publisher()?;
    let report = match ready(&publisher, settings.rabbitmq.connect_timeout).await {
        Ok(()) => publish(&selected, &publisher, store.inspect().as_ref(), store.intake().as_ref()).await,
        Err(unready) => Err(unready),
    };
    drop(publisher);
    queue.close().await;
    store.close().await;
    report?.print(
        wanted.json,
        "were published again and removed",
        "They are recorded once a consumer has taken them; until then `ledger verify` misses their numbers.",
    )
}

/// Waits until the queue takes messages.
async fn ready(publisher: &Publisher, patience: Duration) -> Result<(), Failure> {
    let mut state = publisher.state();
    if matches!(tokio::time::timeout(patience, state.wait_for(QueueState::can_persist)).await, Ok(Ok(_))) {
        return Ok(());
    }
    let why = match &*state.borrow() {
        QueueState::Down(why) => why.clone(),
        _ => "it does not answer".to_owned(),
    };
    Err(anyhow::anyhow!("the queue cannot be used, so nothing was changed: {why}").into())
}

/// Publishes and removes, part by part.
async fn publish(
    selected: &[Selected],
    publisher: &Publisher,
    inspect: &dyn Inspect,
    intake: &dyn Intake,
) -> Result<Report, Failure> {
    let mut report = Report::new("redrive", true, selected.len());
    for part in selected.chunks(REMOVED_AT_ONCE) {
        let mut published = Vec::with_capacity(part.len());
        for Selected { id, reason } in part {
            let (letter, message) = match message(inspect, *id).await {
                Ok(Ok(found)) => found,
                Ok(Err(why)) => {
                    report.leave(*id, &why);
                    continue;
                }
                Err(stopped) => {
                    report.stopped = Some(stopped.to_string());
                    break;
                }
            };
            match publisher.publish(message).await {
                Ok(()) => {
                    published.push(*id);
                    report.take(reason);
                    report.sample(letter);
                }
                Err(refused @ PublishError::Refused(_)) => report.leave(*id, &refused),
                Err(stopped) => {
                    report.stopped = Some(stopped.to_string());
                    break;
                }
            }
        }
        let removed = intake.unbury(&published).await.with_context(|| {
            let count = published.len();
            format!("{count} messages are in the queue again, but their letters are still there; doing it again does no harm")
        })?;
        report.buried_again += published.len() as u64 - removed;
        if report.stopped.is_some() {
            break;
        }
    }
    Ok(report)
}

/// A letter and its message, or why there is none.
async fn message(store: &dyn Inspect, id: i64) -> Result<Result<(DeadLetterRow, Message), String>, Failure> {
    let Some(mut letter) = store.dead_letter(id).await? else { return Ok(Err("it is gone".to_owned())) };
    let body = letter.body.take().unwrap_or_default();
    let restored = envelope::restore(&letter.envelope, body);
    Ok(restored.map(|message| (letter, message)).map_err(|why| why.to_string()))
}
