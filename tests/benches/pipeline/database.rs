//! The consumer before PostgreSQL, against a bare batched insert of the same rows into the same tables.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use queue::QueueState;
use queue::embedded::EmbeddedQueue;
use queue::rabbitmq::{self, Addresses, RabbitMq};
use secrecy::SecretString;
use tempfile::TempDir;
use tests::servers::{self, Postgres, RabbitMqOptions};

use crate::backlog;
use crate::child::Process;
use crate::consuming::{self, BATCH_FILE, STORE_FILE};
use crate::deliveries::{self, Rows};
use crate::report::{Report, figure, median};
use crate::serve::BROKER_FILE;

const WEBHOOKS: u64 = 60_000;
const TURNS: usize = 3;
const AT_MOST: Duration = Duration::from_mins(2);
/// Between two looks at how much is stored.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What one run showed.
struct Run {
    per_second: f64,
    our_us: f64,
    database_us: f64,
    resident_mib: f64,
}

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let database = Postgres::launch()?;
    let broker = servers::RabbitMq::launch(&RabbitMqOptions::default())?;
    for batch in [100, 512] {
        let (mut bare, mut embedded, mut clustered) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let name = format!("batch_{batch}_{turn}");
            embedded.push(runtime.block_on(consume(&database, &format!("embedded_{name}"), "", batch))?);
            bare.push(runtime.block_on(insert_the_same(&database, &name, batch))?);
            let broker = broker.create_virtual_host(&name)?;
            clustered.push(runtime.block_on(consume(&database, &format!("clustered_{name}"), &broker, batch))?);
        }
        let bare = median(bare);
        figure(&format!("bare insert of the same rows into PostgreSQL, {batch} a commit"), bare, "/s");
        for (queue, runs, aim) in
            [("embedded queue", embedded, "0.60 or more"), ("RabbitMQ on the same processors", clustered, "none")]
        {
            let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
            let rate = of(|run| run.per_second);
            figure(&format!("consumer, {queue} to PostgreSQL, {batch} a batch"), rate, "/s");
            figure("  database's processor time per webhook", of(|run| run.database_us), "us");
            figure("  consumer's processor time per webhook", of(|run| run.our_us), "us");
            report.ratio(&format!("consumer / bare insert, {batch} a batch, {queue}"), rate, bare, aim);
            report.against("  highest resident memory", of(|run| run.resident_mib), "MiB", "under 128");
        }
    }
    Ok(())
}

/// Fills a queue and lets a consumer empty it into a new database.
async fn consume(database: &Postgres, name: &str, broker: &str, batch: usize) -> Result<Run> {
    let folder = TempDir::new()?;
    fill(folder.path(), broker).await?;
    let url = database.create_database(name)?;
    for (file, text) in [(STORE_FILE, &*url), (BROKER_FILE, broker), (BATCH_FILE, &*batch.to_string())] {
        std::fs::write(folder.path().join(file), text)?;
    }
    database.query(name, "CHECKPOINT")?;
    let used_before = database.cpu_time()?;
    let (consumer, said) = Process::start("consumer", folder.path())?;
    ensure!(said == "ready", "the consumer said {said:?}");
    let (started, client, mut resident_mib) = (Instant::now(), deliveries::client(&url).await?, 0.0_f64);
    let stored = "SELECT coalesce(sum(value), 0)::bigint FROM counters WHERE name = 'deliveries'";
    let stored = client.prepare(stored).await?;
    loop {
        let stored: i64 = client.query_one(&stored, &[]).await?.try_get(0)?;
        resident_mib = resident_mib.max(consumer.resident_mib()?);
        if stored.cast_unsigned() == WEBHOOKS {
            break;
        }
        ensure!(started.elapsed() < AT_MOST, "{stored} of {WEBHOOKS} are stored after {AT_MOST:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / WEBHOOKS as f64;
    Ok(Run {
        per_second: WEBHOOKS as f64 / started.elapsed().as_secs_f64(),
        our_us: each(consumer.cpu_time()?),
        database_us: each(database.cpu_time()?.saturating_sub(used_before)),
        resident_mib,
    })
}

async fn fill(folder: &Path, broker: &str) -> Result<()> {
    if broker.is_empty() {
        let settings = queue::Settings { folder: folder.to_owned(), ..queue::Settings::default() };
        let queue = EmbeddedQueue::open(&settings)?;
        backlog::publish(&queue.publisher(), WEBHOOKS).await?;
        queue.close().await;
        return Ok(());
    }
    let addresses = Addresses::Given(vec![SecretString::from(broker.to_owned())]);
    // Nobody kills this broker.
    let settings = rabbitmq::Settings { new_queue_settles_for: Duration::ZERO, ..rabbitmq::Settings::default() };
    let (publisher, drained) = RabbitMq::new(addresses, settings, "bench").publisher();
    publisher.state().wait_for(|state| *state == QueueState::Ready).await?;
    backlog::publish(&publisher, WEBHOOKS).await?;
    drop(publisher);
    drained.await.context("the publisher did not end")
}

/// Inserts what a consumer stored in a database of the same schema.
async fn insert_the_same(database: &Postgres, name: &str, batch: usize) -> Result<f64> {
    let rows = Rows::read(&deliveries::client(&database.url(&format!("embedded_{name}"))).await?).await?;
    let url = database.create_database(&format!("bare_{name}"))?;
    consuming::store(&url)?.ready().await?;
    database.query("postgres", "CHECKPOINT")?;
    rows.insert(&mut deliveries::client(&url).await?, batch).await
}
