//! The receiver before a RabbitMQ: against a bare publisher, and against the best plain lapin receiver.
//!
//! Ours is the real binary; the others are this program. The plain receiver comes twice: with nothing but the body, and with
//! properties as long as ours are. What the second loses against the first is what the envelope costs the broker, whoever
//! writes it.

use std::time::Duration;

use anyhow::Result;
use tests::load::Pace;
use tests::servers::{RabbitMq, RabbitMqOptions};
use tests::usage;

use crate::contest::{BARE, Contest};
use crate::parts::verify_for_a_while;
use crate::real::{SIGNED, UNSIGNED as OURS};
use crate::receiver::{Bench, CONNECTIONS};
use crate::report::{Report, figure};

const PLAIN: &str = "unsigned-lapin";
const LABELLED: &str = "unsigned-lapin-labelled";
const NOTHING: &str = "nothing";

/// How long the latency is measured at half of the best rate.
const AT_HALF: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(1);

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
    let mut contest = Contest::new(bench, broker, &[NOTHING, BARE, SIGNED])?;
    contest.run(CONNECTIONS)?;
    let before = usage::cpu_time(std::process::id())?;
    let (verified, _) = verify_for_a_while()?;
    let verification = usage::cpu_time(std::process::id())?.saturating_sub(before);
    let verification_us = verification.as_secs_f64() * 1e6 / verified as f64;
    contest.show(NOTHING, &format!("HTTP with nothing behind it, {CONNECTIONS} connections"))?;
    figure("verification, processor time for one", verification_us, "us");
    contest.show(BARE, &format!("bare lapin publisher, {CONNECTIONS} in flight"))?;
    contest.show(SIGNED, &format!("receiver before RabbitMQ, signed, {CONNECTIONS} connections"))?;
    // Load, receiver and broker share the processor: what the parts take of it bounds the whole.
    let http_us = contest.median(NOTHING, |turn| turn.load_us + turn.receiver_us)?;
    let publishing_us = contest.median(BARE, |turn| turn.load_us + turn.broker_us)?;
    let parts_us = http_us + verification_us + publishing_us;
    let whole_us = contest.median(SIGNED, |turn| turn.load_us + turn.receiver_us + turn.broker_us)?;
    let per_second = contest.median(SIGNED, |turn| turn.per_second)?;
    let cores = std::thread::available_parallelism()?.get() as f64;
    let aim = "0.85 or more";
    report.ratio("signed / what the parts' processor time allows", per_second, cores * 1e6 / parts_us, aim);
    report.ratio("  the parts' processor time / the whole's", parts_us, whole_us, aim);

    let server = contest.server(SIGNED)?;
    bench.load(server, CONNECTIONS, WARM_UP, Pace::Closed)?;
    report.against("  resident memory under full load", server.resident_mib()?, "MiB", "under 128");
    let half = bench.load(server, CONNECTIONS, AT_HALF, Pace::Open(per_second / 2.0))?;
    report.against("signed before RabbitMQ at half of its best rate: p99", half.latency_ms(0.99), "ms", "under 30");
    Ok(())
}
