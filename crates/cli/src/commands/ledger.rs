//! `finlinkd ledger verify`: whether every webhook that was acknowledged is stored, by the books of the ingress runs (R8).

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use events::SequenceRange;
use serde::Serialize;
use store::{Books, Verdict};

use super::{finish, stdout};
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wiring;

/// A run that left no mark for so long is not running any more. It leaves one every `ingress.checkpoint_every`.
pub(crate) const SILENT_AFTER: Duration = Duration::from_mins(2);

/// Options of `ledger`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Proves the books, run by run: balanced, holes, unproven tail, or waiting. Exits with 1 where there are holes.
    Verify {
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// What is said of one run.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    books: Books,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    let Action::Verify { json } = options.action;
    let store = wiring::look_into_store(settings)?;
    let (now, books) = (store.time().await?, store.books().await?);
    let lines: Vec<Line> =
        books.into_iter().map(|books| Line { verdict: books.verdict(now, SILENT_AFTER), books }).collect();
    let holes: u64 = lines.iter().map(|line| line.verdict.holes()).sum();
    let mut out = stdout();
    if json {
        output::json(&mut out, &lines)?;
    } else {
        for line in &lines {
            writeln!(out, "{}", sentence(line))?;
        }
        match (lines.is_empty(), holes) {
            (true, _) => writeln!(out, "No ingress has left a mark in the books yet.")?,
            (false, 0) => writeln!(out, "No holes: whatever was acknowledged and marked is stored.")?,
            (false, holes) => {
                writeln!(out, "{holes} numbers are missing: lost, or in the spool of a machine that is away.")?;
            }
        }
    }
    finish(out)?;
    if holes == 0 { Ok(()) } else { Err(Failure::Negative) }
}

fn sentence(line: &Line) -> String {
    let (books, verdict) = (&line.books, &line.verdict);
    let started = books.started_at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
    let stored = count(&books.stored);
    let refused = count(&books.refused);
    let told = match verdict {
        Verdict::Balanced => String::new(),
        Verdict::Waiting { missing } => format!(": {} may still be on the way", named(missing)),
        Verdict::Holes { missing } => format!(": {} are missing", named(missing)),
        Verdict::UnprovenTail { after } => format!(": it ended without its last mark, nothing is known after {after}"),
    };
    let (instance, word, through) = (books.instance, verdict.word(), books.decided_through);
    format!("{instance} started {started}: marked through {through}, {stored} stored, {refused} refused: {word}{told}")
}

fn count(ranges: &[SequenceRange]) -> u64 {
    ranges.iter().map(|range| range.through - range.from + 1).sum()
}

/// The first few ranges, and how many more there are.
fn named(ranges: &[SequenceRange]) -> String {
    const SHOWN_MAX: usize = 10;
    let shown: Vec<String> = ranges
        .iter()
        .take(SHOWN_MAX)
        .map(|range| {
            if range.from == range.through {
                range.from.to_string()
            } else {
                format!("{}-{}", range.from, range.through)
            }
        })
        .collect();
    let more = ranges.len().saturating_sub(SHOWN_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more ranges", shown.join(", ")) }
}
