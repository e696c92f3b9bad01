//! Running sums: what would cost a scan is counted in the transaction that changes it, and read back as [`Totals`].

use std::collections::BTreeMap;

use events::AppName;

use crate::Totals;

/// What is counted; the word in `counters.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sum {
    /// Deliveries, by verification word.
    Deliveries,
    /// Deliveries whose body had been delivered before.
    Duplicates,
    /// Distinct bodies.
    Bodies,
    /// Bytes of bodies kept.
    BodyBytes,
    /// Events committed.
    Events,
    /// Gaps found, by kind.
    Gaps,
    /// Gaps whose webhook came late.
    GapsLate,
    /// Dead letters, by reason.
    DeadLetters,
}

impl Sum {
    const ALL: [Self; 8] = [
        Self::Deliveries,
        Self::Duplicates,
        Self::Bodies,
        Self::BodyBytes,
        Self::Events,
        Self::Gaps,
        Self::GapsLate,
        Self::DeadLetters,
    ];

    /// The word in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Duplicates => "duplicates",
            Self::Bodies => "bodies",
            Self::BodyBytes => "body_bytes",
            Self::Events => "events",
            Self::Gaps => "gaps",
            Self::GapsLate => "gaps_late",
            Self::DeadLetters => "dead_letters",
        }
    }
}

/// Changes of sums, gathered while a transaction does its work and written once at its end, in key order.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(String, Sum, &'static str), i64>);

impl Tally {
    /// Changes a sum that has no word of its own.
    pub(crate) fn add(&mut self, app: &AppName, sum: Sum, by: i64) {
        self.add_word(app.as_str(), sum, "", by);
    }

    /// Changes the sum of a word; `app` may be empty where there is none.
    pub(crate) fn add_word(&mut self, app: &str, sum: Sum, word: &'static str, by: i64) {
        *self.0.entry((app.to_owned(), sum, word)).or_insert(0) += by;
    }

    /// The changes that are not nought: app, name, word, by how much.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&str, &'static str, &'static str, i64)> {
        self.0.iter().filter(|(_, by)| **by != 0).map(|((app, sum, word), by)| (app.as_str(), sum.name(), *word, *by))
    }
}

impl Totals {
    /// Takes one row of `counters` in.
    pub(crate) fn take_counter(&mut self, app: &str, name: &str, word: &str, value: i64) {
        let count = u64::try_from(value).unwrap_or(0);
        let Some(sum) = Sum::ALL.into_iter().find(|sum| sum.name() == name) else { return };
        match sum {
            Sum::Deliveries => *self.deliveries.entry(word.to_owned()).or_insert(0) += count,
            Sum::Duplicates => self.duplicates += count,
            Sum::Bodies => self.bodies += count,
            Sum::BodyBytes => self.body_bytes += count,
            Sum::Events => self.events += count,
            Sum::Gaps => {
                let Ok(app) = app.parse::<AppName>() else { return };
                *self.gaps.entry(app).or_default().entry(word.to_owned()).or_insert(0) += count;
            }
            Sum::GapsLate => self.gaps_late += count,
            // A reason whose letters are all redriven or discarded is none any more.
            Sum::DeadLetters if count == 0 => {}
            Sum::DeadLetters => *self.dead_letters.entry(word.to_owned()).or_insert(0) += count,
        }
    }

    /// Takes the number of an app's connections in that have `status` (Finlink's word) and are deleted or not.
    pub(crate) fn take_connections(&mut self, app: AppName, status: String, deleted: bool, count: u64) {
        let label = if deleted { "DELETED" } else { events::Status::from(status).label() };
        *self.connections.entry(app).or_default().entry(label.to_owned()).or_insert(0) += count;
    }
}
