//! The receiver before a RabbitMQ: against a bare publisher, and against the best plain lapin receiver.
//!
//! Ours is the real binary; the others are this program. The plain receiver comes twice: with nothing but the body, and with
//! properties as long as ours are. What the second loses against the first is what the envelope costs the broker, whoever
//! writes it.

use anyhow::Result;
use tests::load::Pace;
use tests::servers::{RabbitMq, RabbitMqOptions};

use crate::contest::{BARE, BARE_LABELLED, Contest, VERIFICATION};
use crate::real::{SIGNED, UNSIGNED as OURS};
use crate::receiver::{Bench, CONNECTIONS};
use crate::report::{Report, median};

const PLAIN: &str = "unsigned-lapin";
const LABELLED: &str = "unsigned-lapin-labelled";
const NOTHING: &str = "nothing";

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let broker = RabbitMq::launch(&RabbitMqOptions::default())?;
    let bench = Bench::new()?;
    // Declares the topology.
    drop(bench.server_with(OURS, &broker.url())?);
    let mut alone = Contest::new(&bench, &broker, &[BARE])?;
    alone.run(1024)?;
    alone.show(BARE, "bare lapin publisher, 1024 in flight")?;
    let mut contest = Contest::new(&bench, &broker, &[BARE, PLAIN, OURS, LABELLED])?;
    for connections in [64, 256] {
        contest.run(connections)?;
        contest.show(BARE, &format!("bare lapin publisher, {connections} in flight"))?;
        contest.show(PLAIN, &format!("plain lapin receiver, {connections} connections"))?;
        contest.show(LABELLED, &format!("plain lapin receiver with our properties, {connections} connections"))?;
        contest.show(OURS, &format!("receiver before RabbitMQ, unsigned, {connections} connections"))?;
        compare(&contest, connections, report)?;
    }
    report.against("  resident memory under full load", contest.server(OURS)?.resident_mib()?, "MiB", "under 128");
    drop(contest);
    signed(&bench, &broker, report)
}

fn compare(contest: &Contest<'_>, connections: usize, report: &mut Report) -> Result<()> {
    let aim = if connections == 64 { "1.00 or more" } else { "1.20 or more" };
    let others = [(PLAIN, "plain lapin receiver", aim), (LABELLED, "the same with our properties", "none")];
    for (other, name, aim) in others {
        let what = format!("ours / {name}, {connections} connections");
        report.against(&what, contest.ratio(OURS, other, |turn| turn.per_second)?, "", aim);
        report.against(&format!("{what}: p99"), contest.ratio(OURS, other, |turn| turn.p99_ms)?, "", "below 1.00");
    }
    let what = format!("ours / bare publisher, {connections} in flight");
    report.against(&what, contest.ratio(OURS, BARE, |turn| turn.per_second)?, "", "0.60");
    Ok(())
}

/// The receiver with signatures: its best rate beside what its parts allow, and its latency at half of it.
fn signed(bench: &Bench, broker: &RabbitMq, report: &mut Report) -> Result<()> {
    let mut contest = Contest::new(bench, broker, &[NOTHING, VERIFICATION, BARE, BARE_LABELLED, SIGNED])?;
    contest.run(CONNECTIONS)?;
    contest.show(NOTHING, &format!("HTTP with nothing behind it, {CONNECTIONS} connections"))?;
    contest.show(VERIFICATION, "verification, one core")?;
    contest.show(BARE, &format!("bare lapin publisher, {CONNECTIONS} in flight"))?;
    contest.show(BARE_LABELLED, &format!("bare lapin publisher with our properties, {CONNECTIONS} in flight"))?;
    contest.show(SIGNED, &format!("receiver before RabbitMQ, signed, {CONNECTIONS} connections"))?;
    for (publisher, aim) in [(BARE, "0.85 or more"), (BARE_LABELLED, "none")] {
        let (allowed, used) = beside_its_parts(&contest, publisher)?;
        report.against(&format!("signed / what the parts' processor time allows, {publisher}"), allowed, "", aim);
        report.against("  the parts' processor time / the whole's", used, "", aim);
    }
    let per_second = contest.median(SIGNED, |turn| turn.per_second)?;
    let server = contest.server(SIGNED)?;
    report.against("  resident memory under full load", server.resident_mib()?, "MiB", "under 128");
    drop(contest);

    let mut at_half = Contest::new(bench, broker, &[SIGNED, PLAIN])?;
    at_half.run_at(CONNECTIONS, Pace::Open(per_second / 2.0))?;
    at_half.show(SIGNED, "receiver before RabbitMQ, signed, offered half of its best rate")?;
    at_half.show(PLAIN, "plain lapin receiver, unsigned, offered as much")?;
    let p99 = at_half.median(SIGNED, |turn| turn.p99_ms)?;
    report.against("signed before RabbitMQ at half of its best rate: p99", p99, "ms", "under 30");
    Ok(())
}

/// The rate against what the sum of the parts' processor time allows, and that sum against what the whole used, each turn by
/// turn. Load, receiver and broker share the processor: what the parts take of it bounds the whole.
fn beside_its_parts(contest: &Contest<'_>, publisher: &str) -> Result<(f64, f64)> {
    let cores = std::thread::available_parallelism()?.get() as f64;
    let parts = contest.turns(NOTHING)?.iter().zip(contest.turns(VERIFICATION)?).zip(contest.turns(publisher)?);
    let (mut allowed, mut used) = (Vec::new(), Vec::new());
    for (((http, verification), publishing), whole) in parts.zip(contest.turns(SIGNED)?) {
        // The broker does nothing but publishing.
        let parts_us = http.receiver_us + http.load_us + verification.load_us + publishing.used_us();
        allowed.push(whole.per_second * parts_us / (cores * 1e6));
        used.push(parts_us / whole.used_us());
    }
    Ok((median(allowed), median(used)))
}
