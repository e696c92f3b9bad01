//! A read on record, judged once more: so what is known of a connection can be derived again.
//!
//! A record holds what its read was judged by, but for two durations, which are settings and may have been others then: that of
//! the second look, and that between the rounds of a deletion. Which way they decided shows in the verdict, so of the ways
//! that the rules leave open the one on record is taken, whatever the settings say today.

use std::time::Duration;

use crate::known::Known;
use crate::observe::{Circumstances, Verdict, observe};
use crate::read::Read;
use crate::schedule::Schedule;

/// A read that was judged, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The read.
    pub read: Read,
    /// What it was judged by.
    pub circumstances: Circumstances,
    /// What it did.
    pub verdict: Verdict,
}

/// What a read on record makes of what is known before it, and its verdict: another than the one on record only where no
/// durations explain that one. Then it raises the version as it did, if it can: of reads that an older program recorded and that
/// overtook each other while a version lasted it is not known which came first, and one that was held then may come too late.
pub fn rebuild(before: Option<&Known>, recorded: &Recorded) -> (Option<Known>, Verdict) {
    let judged = |schedule: &Schedule| {
        let transition = observe(before, &recorded.read, recorded.circumstances, schedule);
        (transition.after, transition.verdict)
    };
    let usual = judged(&Schedule::default());
    if usual.1 == recorded.verdict {
        return usual;
    }
    let ways: Vec<_> = extremes().map(|schedule| judged(&schedule)).collect();
    let raises = recorded.verdict.raises_version();
    let fits: [&dyn Fn(Verdict) -> bool; 2] =
        [&|verdict| verdict == recorded.verdict, &|verdict| verdict.raises_version() == raises];
    fits.into_iter().find_map(|fits| ways.iter().find(|(_, verdict)| fits(*verdict)).cloned()).unwrap_or(usual)
}

/// Whatever durations decide, one of these decides it in the same way: each is either over or not.
fn extremes() -> impl Iterator<Item = Schedule> {
    const EXTREMES: [Duration; 2] = [Duration::ZERO, Duration::MAX];
    EXTREMES.into_iter().flat_map(|second_look| {
        EXTREMES.into_iter().map(move |deletion_rounds_apart| Schedule {
            second_look,
            deletion_rounds_apart,
            ..Schedule::default()
        })
    })
}
