//! Which dead letters something is done to.

use clap::Args;
use events::AppName;
use store::{DeadLetterFilter, DeadLetterReason, Inspect};

use crate::commands::PAGE_ROWS;
use crate::exit::Failure;

/// Letters by number, by filter, or all; at least one of these must be given.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Selection {
    /// The numbers of letters in the listing.
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// With this reason only.
    #[arg(long, value_parser = DeadLetterReason::ALL.map(DeadLetterReason::word))]
    reason: Option<String>,
    /// Of this app only.
    #[arg(long)]
    app: Option<AppName>,
    /// The oldest N of them.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Every dead letter there is.
    #[arg(long, conflicts_with_all = ["ids", "limit"])]
    all: bool,
}

/// What is to be done to letters: only told, or done.
#[derive(Debug, Clone, Args)]
pub(super) struct Change {
    #[command(flatten)]
    pub(super) letters: Selection,
    /// Does it. Without, nothing is changed.
    #[arg(long)]
    pub(super) yes: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

/// A letter that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) id: i64,
    pub(super) reason: String,
}

impl Selection {
    /// The letters as they are now, oldest first; an error where a number is none of theirs.
    pub(super) async fn of(&self, store: &dyn Inspect) -> Result<Vec<Selected>, Failure> {
        let mut selected = if self.ids.is_empty() { self.filtered(store).await? } else { self.named(store).await? };
        selected.sort_by_key(|letter| letter.id);
        selected.dedup();
        selected.truncate(self.limit.unwrap_or(usize::MAX));
        Ok(selected)
    }

    async fn filtered(&self, store: &dyn Inspect) -> Result<Vec<Selected>, Failure> {
        let (app, reason) = (self.app.clone(), self.reason.clone());
        let mut filter = DeadLetterFilter { app, reason, limit: Some(PAGE_ROWS), before: None };
        let mut selected = Vec::new();
        loop {
            let page = store.dead_letters(&filter).await?;
            let more = page.len() == PAGE_ROWS;
            filter.before = page.last().map(|last| last.id);
            selected.extend(page.into_iter().map(|letter| Selected { id: letter.id, reason: letter.reason }));
            if !more {
                return Ok(selected);
            }
        }
    }

    async fn named(&self, store: &dyn Inspect) -> Result<Vec<Selected>, Failure> {
        let mut selected = Vec::new();
        for id in &self.ids {
            let Some(letter) = store.dead_letter(*id).await? else {
                let what = anyhow::anyhow!(
                    "there is no dead letter {id}; nothing was changed; `dead-letters list` lists them"
                );
                return Err(what.into());
            };
            let of_app = self.app.is_none() || self.app == letter.app;
            if of_app && self.reason.as_ref().is_none_or(|reason| *reason == letter.reason) {
                selected.push(Selected { id: letter.id, reason: letter.reason });
            }
        }
        Ok(selected)
    }
}
