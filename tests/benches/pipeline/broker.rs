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

use crate::receiver::Bench;
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
        let rate = bench.block_on(publish(&broker.url(), in_flight))?;
        figure(&format!("bare lapin publisher, {in_flight} in flight"), rate, "/s");
    }
    for connections in [64, 256] {
        let bare = bench.block_on(publish(&broker.url(), connections))?;
        let (mut ours, mut reference, mut our_p99, mut their_p99) = (vec![], vec![], vec![], vec![]);
        for _ in 0..TURNS {
            let (rate, p99) = run(&bench, &broker, "unsigned-lapin", connections, None)?;
            reference.push(rate);
            their_p99.push(p99);
            let (rate, p99) = run(&bench, &broker, "unsigned-broker", connections, Some("receiver before RabbitMQ"))?;
            ours.push(rate);
            our_p99.push(p99);
        }
        let (ours, reference) = (median(ours), median(reference));
        figure(&format!("plain lapin receiver, {connections} connections"), reference, "/s");
        figure("  p99", median(their_p99), "ms");
        figure(&format!("receiver before RabbitMQ, unsigned, {connections} connections"), ours, "/s");
        figure("  p99", median(our_p99), "ms");
        let aim = if connections == 64 { "1.00 or more" } else { "1.20 or more" };
        report.ratio(&format!("ours / plain lapin receiver, {connections} connections"), ours, reference, aim);
        report.ratio(&format!("ours / bare publisher, {connections} in flight"), ours, bare, "0.60");
    }
    let (signed, _) = run(&bench, &broker, "signed-broker", 256, Some("receiver before RabbitMQ, signed"))?;
    figure("receiver before RabbitMQ, signed, 256 connections", signed, "/s");
    let (server, _folder) = bench.server_with("signed-broker", &broker.url())?;
    bench.load(&server, 256, WARM_UP, Pace::Closed)?;
    let half = bench.load(&server, 256, EACH, Pace::Open(signed / 2.0))?;
    report.against("signed before RabbitMQ at half of its best rate: p99", half.latency_ms(0.99), "ms", "under 30");
    report.against("  resident memory", server.resident_mib()?, "MiB", "under 128");
    Ok(())
}

/// One run: rate and p99; where named, also what broker and receiver used of the processor.
fn run(bench: &Bench, broker: &RabbitMq, what: &str, connections: usize, named: Option<&str>) -> Result<(f64, f64)> {
    bench.block_on(purge(&broker.url()))?;
    let (server, _folder) = bench.server_with(what, &broker.url())?;
    bench.load(&server, connections, WARM_UP, Pace::Closed)?;
    let broker_id = broker.process_id().context("the broker does not run")?;
    let before = (usage::cpu_time(broker_id)?, server.cpu_time()?);
    let report = bench.load(&server, connections, EACH, Pace::Closed)?;
    ensure!(report.ok() > 0, "{what} stored nothing: {:?}", report.statuses);
    if let Some(name) = named {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / report.ok() as f64;
        figure(
            &format!("  {name}: broker's processor time per webhook"),
            each(usage::cpu_time(broker_id)?.saturating_sub(before.0)),
            "us",
        );
        figure(
            &format!("  {name}: receiver's processor time per webhook"),
            each(server.cpu_time()?.saturating_sub(before.1)),
            "us",
        );
    }
    Ok((report.ok_per_second(), report.latency_ms(0.99)))
}

async fn purge(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.queue_purge(WEBHOOKS.into(), QueuePurgeOptions::default()).await?;
    Ok(connection.close(200, "done".into()).await?)
}

/// One channel, one task, so many publishes in flight: what the broker and lapin allow.
async fn publish(url: &str, in_flight: usize) -> Result<f64> {
    purge(url).await?;
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
    let rate = stored as f64 / started.elapsed().as_secs_f64();
    drop(waiting);
    connection.close(200, "done".into()).await?;
    Ok(rate)
}
