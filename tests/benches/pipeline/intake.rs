//! The consumer: from the embedded queue to the store, against a bare batched insert of the same rows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use consumer::{Consumer, Metrics};
use events::UtcMicros;
use prometheus::Registry;
use queue::embedded::EmbeddedQueue;
use sqlite::rusqlite::types::Value;
use sqlite::rusqlite::{Connection, params_from_iter};
use store::sqlite::SqliteStore;
use store::{Inspect, MigrateMode, Rules};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::backlog;
use crate::report::{Report, figure, median};

const WEBHOOKS: u64 = 100_000;
const TURNS: usize = 3;
const AT_MOST: Duration = Duration::from_mins(2);
const TABLES: [&str; 2] = ["deliveries", "bodies"];

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let folder = TempDir::new()?;
        whole.push(runtime.block_on(consume(folder.path()))?);
        bare.push(insert_the_same(folder.path())?);
    }
    let (whole, bare) = (median(whole), median(bare));
    figure("consumer, embedded queue to store", whole, "/s");
    figure("bare insert of the same rows, as many a commit", bare, "/s");
    report.ratio("consumer / bare insert", whole, bare, "0.50 or more");
    Ok(())
}

async fn consume(folder: &Path) -> Result<f64> {
    let queue = EmbeddedQueue::open(&queue::Settings { folder: folder.to_owned(), ..queue::Settings::default() })?;
    backlog::publish(&queue.publisher(), WEBHOOKS).await?;
    let settings = store::Settings { folder: folder.to_owned(), migrate: MigrateMode::Auto, rules: Rules::default() };
    let store = SqliteStore::open(&settings)?;
    let metrics = Metrics::register(&Registry::new())?;
    let consumer = Consumer::new(queue.subscribe(), Arc::new(store.clone()), consumer::Settings::default(), metrics);
    let stop = CancellationToken::new();
    let started = Instant::now();
    let running = tokio::spawn(consumer.run(stop.clone()));
    while queue.depth().messages > 0 {
        ensure!(started.elapsed() < AT_MOST, "{} messages are left after {AT_MOST:?}", queue.depth().messages);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let rate = WEBHOOKS as f64 / started.elapsed().as_secs_f64();
    stop.cancel();
    running.await??;
    let stored: u64 = store.totals(UtcMicros::now()).await?.deliveries.values().sum();
    ensure!(stored == WEBHOOKS, "{stored} of {WEBHOOKS} are stored");
    store.close().await;
    queue.close().await;
    Ok(rate)
}

/// Reads what the consumer stored, and inserts it into tables of the same definition and indexes in a new file.
fn insert_the_same(folder: &Path) -> Result<f64> {
    let stored = Connection::open(folder.join("store.sqlite"))?;
    let mut file = Connection::open(folder.join("bare.sqlite"))?;
    file.pragma_update(None, "journal_mode", "WAL")?;
    file.pragma_update(None, "synchronous", "FULL")?;
    let mut rows = Vec::new();
    for table in TABLES {
        let mut definitions =
            stored.prepare("SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND sql IS NOT NULL")?;
        for sql in definitions.query_map([table], |row| row.get::<_, String>(0))? {
            file.execute_batch(&sql?)?;
        }
        rows.push(all_rows(&stored, table)?);
    }
    let statements = [0, 1].map(|index| {
        let columns = rows[index].first().map_or(0, Vec::len);
        format!("INSERT INTO {} VALUES ({})", TABLES[index], vec!["?"; columns].join(","))
    });
    let started = Instant::now();
    // The consumer's own batch, so that both sides commit equally often.
    let batch = consumer::Settings::default().batch_messages_max;
    for (deliveries, bodies) in rows[0].chunks(batch).zip(rows[1].chunks(batch)) {
        let transaction = file.transaction()?;
        for (sql, chunk) in statements.iter().zip([deliveries, bodies]) {
            let mut insert = transaction.prepare_cached(sql)?;
            for row in chunk {
                insert.execute(params_from_iter(row))?;
            }
        }
        transaction.commit()?;
    }
    Ok(rows[0].len() as f64 / started.elapsed().as_secs_f64())
}

/// In the order of arrival, as the consumer inserted them.
fn all_rows(file: &Connection, table: &str) -> Result<Vec<Vec<Value>>> {
    let order = if table == "deliveries" { "receipt" } else { "rowid" };
    let mut query = file.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
    let columns = query.column_count();
    let rows = query.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<Result<_, _>>()?)
}
