//! The receiver before a RabbitMQ: against a bare publisher, and against the best plain lapin receiver.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use queue::rabbitmq::WEBHOOKS;
use tests::load::Pace;
use tests::servers::{RabbitMq, RabbitMqOptions};
use tests::usage;

use crate::parts::verify_for_a_while;
use crate::receiver::{Bench, CONNECTIONS};
use crate::report::{Report, figure, median};

const EACH: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_secs(2);
const TURNS: usize = 3;
const BODY_BYTES: usize = 600;

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let broker = RabbitMq::launch(&RabbitMqOptions::default())?;
    let bench = Bench::new()?;
    // Declares the topology.
    drop(bench.server_with("unsigned-broker", &broker.url())?);
    for in_flight in [64, 256, 1024] {
        let bare = bare_publisher(&bench, &broker, in_flight)?;
        bare.show(&format!("bare lapin publisher, {in_flight} in flight"));
    }
    for connections in [64, 256] {
        let (mut bare, mut reference, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            bare.push(bare_publisher(&bench, &broker, connections)?);
            reference.push(receiver(&bench, &broker, "unsigned-lapin", connections)?);
            ours.push(receiver(&bench, &broker, "unsigned-broker", connections)?);
        }
        let [bare, reference, ours] = [bare, reference, ours].map(|runs| Run::median(&runs));
        bare.show(&format!("bare lapin publisher, {connections} in flight"));
        reference.show(&format!("plain lapin receiver, {connections} connections"));
        ours.show(&format!("receiver before RabbitMQ, unsigned, {connections} connections"));
        let aim = if connections == 64 { "1.00 or more" } else { "1.20 or more" };
        let what = format!("ours / plain lapin receiver, {connections} connections");
        report.ratio(&what, ours.per_second, reference.per_second, aim);
        report.ratio(&format!("{what}: p99"), ours.p99_ms, reference.p99_ms, "below 1.00");
        let what = format!("ours / bare publisher, {connections} in flight");
        report.ratio(&what, ours.per_second, bare.per_second, "0.60");
    }
    signed(&bench, &broker, report)
}

/// The receiver with signatures: its best rate beside what its parts allow, and its latency at half of it.
fn signed(bench: &Bench, broker: &RabbitMq, report: &mut Report) -> Result<()> {
    let (mut nothing, mut bare, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        nothing.push(receiver(bench, broker, "nothing", CONNECTIONS)?);
        bare.push(bare_publisher(bench, broker, CONNECTIONS)?);
        whole.push(receiver(bench, broker, "signed-broker", CONNECTIONS)?);
    }
    let [nothing, bare, whole] = [nothing, bare, whole].map(|runs| Run::median(&runs));
    let before = usage::cpu_time(std::process::id())?;
    let (verified, _) = verify_for_a_while()?;
    let verification = usage::cpu_time(std::process::id())?.saturating_sub(before);
    let verification_us = verification.as_secs_f64() * 1e6 / verified as f64;
    nothing.show(&format!("HTTP with nothing behind it, {CONNECTIONS} connections"));
    figure("verification, processor time for one", verification_us, "us");
    whole.show(&format!("receiver before RabbitMQ, signed, {CONNECTIONS} connections"));
    // Load, receiver and broker share the processor: what the parts take of it bounds the whole.
    let parts_us = nothing.load_us + nothing.receiver_us + verification_us + bare.load_us + bare.broker_us;
    let cores = std::thread::available_parallelism()?.get() as f64;
    let aim = "0.85 or more";
    report.ratio("signed / what the parts' processor time allows", whole.per_second, cores * 1e6 / parts_us, aim);
    let whole_us = whole.load_us + whole.receiver_us + whole.broker_us;
    report.ratio("  the parts' processor time / the whole's", parts_us, whole_us, aim);

    let (server, _folder) = bench.server_with("signed-broker", &broker.url())?;
    bench.load(&server, CONNECTIONS, WARM_UP, Pace::Closed)?;
    let half = bench.load(&server, CONNECTIONS, EACH, Pace::Open(whole.per_second / 2.0))?;
    report.against("signed before RabbitMQ at half of its best rate: p99", half.latency_ms(0.99), "ms", "under 30");
    report.against("  resident memory", server.resident_mib()?, "MiB", "under 128");
    Ok(())
}

/// What a run reached, and what each side used of the processor for one webhook, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Run {
    per_second: f64,
    p99_ms: f64,
    broker_us: f64,
    receiver_us: f64,
    load_us: f64,
}

impl Run {
    /// The run whose rate is the median.
    fn median(runs: &[Self]) -> Self {
        let middle = median(runs.iter().map(|run| run.per_second).collect());
        let nearest = runs
            .iter()
            .min_by(|one, other| (one.per_second - middle).abs().total_cmp(&(other.per_second - middle).abs()));
        *nearest.unwrap_or(&Self { per_second: 0.0, p99_ms: 0.0, broker_us: 0.0, receiver_us: 0.0, load_us: 0.0 })
    }

    fn show(&self, what: &str) {
        figure(what, self.per_second, "/s");
        if self.p99_ms > 0.0 {
            figure("  p99", self.p99_ms, "ms");
        }
        let uses = [("the broker", self.broker_us), ("the receiver", self.receiver_us), ("the load", self.load_us)];
        for (who, us) in uses.into_iter().filter(|(_, us)| *us > 0.0) {
            figure(&format!("  processor time for one, {who}"), us, "us");
        }
    }
}

/// Processor time so far of each side.
struct Uses {
    broker: Duration,
    receiver: Duration,
    load: Duration,
}

impl Uses {
    fn now(broker: &RabbitMq, receiver: Duration) -> Result<Self> {
        let broker = usage::cpu_time(broker.process_id().context("the broker does not run")?)?;
        Ok(Self { broker, receiver, load: usage::cpu_time(std::process::id())? })
    }
}

/// One run against a fresh server and an empty queue.
fn receiver(bench: &Bench, broker: &RabbitMq, what: &str, connections: usize) -> Result<Run> {
    bench.block_on(purge(&broker.url()))?;
    let (server, _folder) = bench.server_with(what, &broker.url())?;
    bench.load(&server, connections, WARM_UP, Pace::Closed)?;
    let before = Uses::now(broker, server.cpu_time()?)?;
    let report = bench.load(&server, connections, EACH, Pace::Closed)?;
    let after = Uses::now(broker, server.cpu_time()?)?;
    ensure!(report.ok() > 0, "{what} stored nothing: {:?}", report.statuses);
    let each =
        |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / report.ok() as f64;
    Ok(Run {
        per_second: report.ok_per_second(),
        p99_ms: report.latency_ms(0.99),
        broker_us: each(before.broker, after.broker),
        receiver_us: each(before.receiver, after.receiver),
        load_us: each(before.load, after.load),
    })
}

/// The same for the bare publisher, which is its own load.
fn bare_publisher(bench: &Bench, broker: &RabbitMq, in_flight: usize) -> Result<Run> {
    bench.block_on(purge(&broker.url()))?;
    let before = Uses::now(broker, Duration::ZERO)?;
    let (stored, elapsed) = bench.block_on(publish(&broker.url(), in_flight))?;
    let after = Uses::now(broker, Duration::ZERO)?;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / stored as f64;
    Ok(Run {
        per_second: stored as f64 / elapsed.as_secs_f64(),
        p99_ms: 0.0,
        broker_us: each(before.broker, after.broker),
        receiver_us: 0.0,
        load_us: each(before.load, after.load),
    })
}

async fn purge(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.queue_purge(WEBHOOKS.into(), QueuePurgeOptions::default()).await?;
    Ok(connection.close(200, "done".into()).await?)
}

/// One channel, one task, so many publishes in flight: what the broker and lapin allow.
async fn publish(url: &str, in_flight: usize) -> Result<(u64, Duration)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let body = vec![b'x'; BODY_BYTES];
    let one = || async {
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let confirm = channel.basic_publish(WEBHOOKS.into(), "bench".into(), options, &body, properties).await?;
        Ok::<_, anyhow::Error>(confirm.await?.is_ack())
    };
    let (started, mut stored) = (Instant::now(), 0_u64);
    let mut waiting: FuturesUnordered<_> = (0..in_flight).map(|_| one()).collect();
    while started.elapsed() < EACH {
        ensure!(waiting.next().await.context("nothing in flight")??, "the broker refused");
        stored += 1;
        waiting.push(one());
    }
    let elapsed = started.elapsed();
    drop(waiting);
    connection.close(200, "done".into()).await?;
    Ok((stored, elapsed))
}
