//! What a person, or a program, is told at the end of the demo.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use simulator::{Tally, Truth};

use super::check::Checked;
use crate::output::clean;

/// Faults that are listed in full; more are only counted.
const FAULTS_SHOWN_MAX: usize = 10;

/// The outcome.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// Different webhooks that were put on the wire: duplicates and forged ones counted, retries not.
    sent: u64,
    /// Of these: answered with 200.
    acknowledged: u64,
    /// Requests that were answered with something else.
    refused: u64,
    /// Webhooks that were never sent, by plan.
    lost: u64,
    /// Of `sent`: those that repeat another.
    duplicates_sent: u64,
    /// Of `sent`: those that Finlink never sent.
    forged: u64,
    /// Of these: refused at the door.
    forged_refused: u64,
    /// Of these: taken in because their key was not known yet.
    forged_kept: u64,
    /// Webhooks stored.
    deliveries: u64,
    /// Of these: with a body that had been delivered before.
    duplicates: u64,
    /// Of these: found to be forged once their key was asked for.
    rejected: u64,
    /// Connections in the table, deleted ones included.
    connections: usize,
    /// Connections that were deleted; Finlink sends no webhook for that.
    deleted: usize,
    /// Events in the feed.
    events: u64,
    /// Changes of which no webhook was acknowledged and that are right all the same, because Finlink was asked.
    healed_without_webhook: u64,
    /// Requests to Finlink: in all, logins, lists.
    requests: u64,
    logins: u64,
    lists: u64,
    /// Connections that are not as they should be, in the table or in the feed.
    mismatches: usize,
    /// Whether everything is as it should be.
    pub(super) converged: bool,
    /// From the first moment to the last comparison.
    elapsed_seconds: f64,
    #[serde(flatten)]
    checked: Faults,
}

/// What is wrong, in words.
#[derive(Debug, Clone, Serialize)]
struct Faults {
    missing_receipts: usize,
    forged_verified: usize,
    unfinished: u64,
    differences: Vec<String>,
}

impl Report {
    /// Puts it together.
    pub(super) fn new(tally: &Tally, truth: &Truth, checked: Checked, elapsed: Duration) -> Self {
        let converged = checked.holds();
        let unheard: u64 = truth.unheard.values().sum();
        let totals = &checked.totals;
        Self {
            sent: tally.sent,
            acknowledged: tally.acknowledged,
            refused: tally.refused_total(),
            lost: tally.lost,
            duplicates_sent: tally.duplicates,
            forged: tally.forged_sent,
            forged_refused: tally.forged_refused,
            forged_kept: tally.forged_acknowledged,
            deliveries: totals.deliveries.values().sum(),
            duplicates: totals.duplicates,
            rejected: totals.deliveries.get("rejected").copied().unwrap_or(0),
            connections: checked.connections,
            deleted: truth.deleted.len(),
            events: checked.events,
            healed_without_webhook: if checked.mismatches.is_empty() { unheard } else { 0 },
            requests: tally.asked.requests(),
            logins: tally.asked.logins,
            lists: tally.asked.lists,
            mismatches: checked.mismatches.len(),
            converged,
            elapsed_seconds: elapsed.as_secs_f64(),
            checked: Faults {
                missing_receipts: checked.missing_receipts,
                forged_verified: checked.forged_verified,
                unfinished: checked.unfinished,
                differences: checked.mismatches.into_iter().chain(checked.feed_faults).collect(),
            },
        }
    }

    /// Writes it for a person.
    pub(super) fn write(&self, out: &mut impl Write, kept: Option<&Path>) -> io::Result<()> {
        writeln!(out, "What the simulated Finlink did")?;
        writeln!(out, "  {:>7} webhooks sent, {} of them a second time or a third", self.sent, self.duplicates_sent)?;
        writeln!(out, "  {:>7} never sent, as if lost on the way", self.lost)?;
        writeln!(
            out,
            "  {:>7} forged: {} refused at the door, {} kept until their key was asked for",
            self.forged, self.forged_refused, self.forged_kept
        )?;
        writeln!(out, "  {:>7} connections deleted, of which it tells nobody", self.deleted)?;
        writeln!(out, "\nWhat finlinkd made of it")?;
        writeln!(out, "  {:>7} webhooks acknowledged, each on disk before its answer", self.acknowledged)?;
        writeln!(
            out,
            "  {:>7} stored: {} with a body seen before, {} found to be forged",
            self.deliveries, self.duplicates, self.rejected
        )?;
        writeln!(out, "  {:>7} connections, {} events in the feed", self.connections, self.events)?;
        writeln!(out, "  {:>7} changes healed by asking, of which no webhook ever told", self.healed_without_webhook)?;
        writeln!(out, "  {:>7} requests to Finlink: {} logins, {} lists", self.requests, self.logins, self.lists)?;
        self.write_verdict(out)?;
        if let Some(folder) = kept {
            let folder = folder.display();
            writeln!(out, "\nLook into it: FINLINKD__DATA_DIR={folder} finlinkd connections")?;
        }
        Ok(())
    }

    fn write_verdict(&self, out: &mut impl Write) -> io::Result<()> {
        let seconds = self.elapsed_seconds;
        if self.converged {
            return writeln!(
                out,
                "\nRight: every connection equals the truth, every acknowledged webhook is stored, no forged one counts, and \
                 the feed has no event twice and ends at the truth. ({seconds:.1} s)"
            );
        }
        writeln!(out, "\nNOT RIGHT after {seconds:.1} s")?;
        let checked = &self.checked;
        writeln!(out, "  {:>7} acknowledged webhooks are not stored", checked.missing_receipts)?;
        writeln!(out, "  {:>7} forged webhooks count as verified", checked.forged_verified)?;
        writeln!(out, "  {:>7} hints, pending webhooks and events are not done with", checked.unfinished)?;
        writeln!(out, "  {:>7} differences from the truth", checked.differences.len())?;
        for fault in checked.differences.iter().take(FAULTS_SHOWN_MAX) {
            writeln!(out, "          {}", clean(fault))?;
        }
        Ok(())
    }
}
