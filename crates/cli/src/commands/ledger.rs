//! `finlinkd ledger verify`: whether every webhook that was acknowledged is stored, by the books of the ingress runs (R8).

mod looks;

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use events::{SequenceRange, UtcMicros};
use humantime_serde::re::humantime;
use store::{Books, StoreError, Verdict};
use tokio::time::{Instant, sleep};

use self::looks::{Answer, Line, Looks};
use super::{finish, stdout, words};
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wiring;

/// A run that left no mark for so long is not running any more: it leaves one every `ingress.checkpoint_every`. Nor is
/// anything on its way to the store for so long, unless something is broken or a spool is not drained.
pub(crate) const SILENT_AFTER: Duration = Duration::from_mins(2);

/// Between two looks of one that waits.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// It pauses for so many times what a look took, so that a large store has little to do.
const PAUSED_PER_LOOK: u32 = 4;
/// The longest `--wait`.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// Options of `ledger`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Proves the books, run by run: balanced, holes, unproven tail, or waiting.
    ///
    /// Exits with 0 where nothing is missing, with 1 where there are holes, and with 75 where there are none and something
    /// is missing that may still be on its way: ask again, or have it wait.
    Verify(Verify),
}

#[derive(Debug, Clone, Args)]
struct Verify {
    /// Looks again until nothing is waited for or there are holes, but not for longer, such as 3m. What is missing for two
    /// minutes of them is a hole.
    #[arg(long, value_name = "DURATION", value_parser = wait)]
    wait: Option<Duration>,
    /// Every ingress was stopped: the last mark of each is waited for as well. Webhooks before it may be in the queue still.
    #[arg(long)]
    stopped: bool,
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn wait(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if wait <= WAIT_MAX { Ok(wait) } else { Err(format!("at most {} were expected", words(WAIT_MAX))) }
}

/// Does what was asked for.
pub(crate) async fn run(settings: &Settings, options: &Options) -> Result<(), Failure> {
    let Action::Verify(wanted) = &options.action;
    let store = wiring::look_into_store(settings)?;
    let ask = async || Ok((store.time().await?, store.books().await?));
    let lines = look(ask, wanted).await?;
    let answer = Answer::of(&lines);
    let mut out = stdout();
    if wanted.json {
        output::json(&mut out, &lines)?;
    } else {
        for line in &lines {
            writeln!(out, "{}", sentence(line))?;
        }
        writeln!(out, "{}", summary(&lines, answer))?;
    }
    finish(out)?;
    match answer {
        Answer::NoHoles => Ok(()),
        Answer::Holes(_) => Err(Failure::Negative),
        Answer::Waiting => Err(Failure::Undecided),
    }
}

/// Looks until there is nothing to wait for, or no more time. `ask` answers the store's time, and its books after that.
async fn look(
    ask: impl AsyncFn() -> Result<(UtcMicros, Vec<Books>), StoreError>,
    wanted: &Verify,
) -> Result<Vec<Line>, StoreError> {
    // By the first answer: to get it may take a connection, and what is missing has the whole time from then on.
    let mut answered = None;
    let mut looks = Looks::default();
    let mut told = false;
    loop {
        let asked = Instant::now();
        let (now, books) = ask().await?;
        let began = *answered.get_or_insert_with(Instant::now);
        let lines = looks.judge(books, now, wanted.stopped);
        let left = wanted.wait.unwrap_or_default().saturating_sub(began.elapsed());
        if Answer::of(&lines) != Answer::Waiting || left.is_zero() {
            return Ok(lines);
        }
        if !told {
            told = true;
            // Only a courtesy: whoever closed standard error does without.
            drop(writeln!(std::io::stderr(), "Waiting for what may still be on its way."));
        }
        sleep(LOOK_AGAIN_AFTER.max(asked.elapsed() * PAUSED_PER_LOOK).min(left)).await;
    }
}

fn sentence(line: &Line) -> String {
    let (books, verdict) = (&line.books, &line.verdict);
    let started = books.started_at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
    let stored = count(&books.stored);
    let refused = count(&books.refused);
    let told = match verdict {
        Verdict::Balanced if books.ended => String::new(),
        Verdict::Balanced => " so far: its last mark has not come".to_owned(),
        Verdict::Waiting { missing } if missing.is_empty() => ": its last mark may still be on the way".to_owned(),
        Verdict::Waiting { missing } => format!(": {} may still be on the way", named(missing)),
        Verdict::Holes { missing } => format!(": {} are missing", named(missing)),
        Verdict::UnprovenTail { after } => format!(": it ended without its last mark, nothing is known after {after}"),
    };
    let (instance, word, through) = (books.instance, verdict.word(), books.decided_through);
    format!("{instance} started {started}: marked through {through}, {stored} stored, {refused} refused: {word}{told}")
}

fn summary(lines: &[Line], answer: Answer) -> String {
    match answer {
        Answer::NoHoles if lines.is_empty() => "No ingress has left a mark in the books yet.".to_owned(),
        Answer::NoHoles => "No holes: whatever was acknowledged and marked is stored.".to_owned(),
        Answer::Waiting => "Not decided yet: something may still be on the way; --wait 3m waits for it.".to_owned(),
        Answer::Holes(count) => format!(
            "{count} numbers are missing: lost, or in the spool of a machine that is away, or in the queue again after a redrive."
        ),
    }
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

#[cfg(test)]
mod tests {
    //! How long it looks, by a clock that the test moves.

    use std::cell::Cell;

    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_all_the_while_is_a_hole_after_exactly_two_minutes() {
        let began = Instant::now();
        let connected = Cell::new(false);
        let ask = async || {
            if !connected.replace(true) {
                sleep(Duration::from_secs(5)).await;
            }
            let now = UtcMicros(1_767_225_600_000_000).plus(began.elapsed());
            let stored = vec![SequenceRange { from: 1, through: 1 }];
            let goes_on = Books {
                instance: Uuid::nil(),
                started_at: Some(now),
                marked_at: Some(now),
                recorded_at: Some(now),
                decided_through: 2,
                ended: false,
                stored,
                refused: Vec::new(),
            };
            Ok((now, vec![goes_on]))
        };
        let wanted = |wait| Verify { wait: Some(wait), stopped: false, json: false };
        let lines = look(ask, &wanted(SILENT_AFTER)).await.unwrap();
        assert_eq!(Answer::of(&lines), Answer::Holes(1));
        let lines = look(ask, &wanted(SILENT_AFTER / 2)).await.unwrap();
        assert_eq!(Answer::of(&lines), Answer::Waiting);
    }
}
