//! `finlinkd dead-letters discard`: letters away for good. Their numbers stay accounted for in the books (R8).

use super::report::Report;
use super::selection::{Change, Selected};
use crate::commands::own;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::wiring;

/// Letters removed in one transaction.
const REMOVED_AT_ONCE: usize = 1000;

/// Tells what would be done, or does it.
pub(super) async fn run(settings: &Settings, wanted: &Change) -> Result<(), Failure> {
    if wanted.yes {
        return discard(settings, wanted).await;
    }
    let store = wiring::look_into_store(settings)?;
    let selected = wanted.letters.of(store.as_ref()).await?;
    let mut report = Report::new("discard", false, selected.len());
    for Selected { id, reason } in &selected {
        report.take(reason);
        if report.wants_sample() {
            store.dead_letter(*id).await?.into_iter().for_each(|letter| report.sample(letter));
        }
    }
    let after = "This cannot be undone: their bodies are kept nowhere else.";
    report.print(wanted.json, "would be removed for good, bodies included", after)
}

async fn discard(settings: &Settings, wanted: &Change) -> Result<(), Failure> {
    let store = own(settings, wiring::open_store(settings))?;
    let selected = wanted.letters.of(store.inspect().as_ref()).await?;
    let now = store.inspect().time().await?;
    let mut report = Report::new("discard", true, selected.len());
    for part in selected.chunks(REMOVED_AT_ONCE) {
        let ids: Vec<i64> = part.iter().map(|letter| letter.id).collect();
        report.letters += store.intake().discard(&ids, now).await?;
    }
    store.close().await;
    report.print(wanted.json, "were removed for good", "The books still account for their numbers.")
}
