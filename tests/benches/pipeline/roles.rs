//! Memory of every role as a process of its own, while all of them have as much to do as they can: signed webhooks as fast as
//! they are taken, a Finlink whose connections all change all the time, and as many readers of the feed as it lets in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tempfile::TempDir;
use tests::binary::Finlinkd;
use tests::finlink::{ConnectionStatus, FakeFinlink, World};
use tests::load::{Load, LoadReport, Pace, run};
use tests::roles::{SOURCES_FIRST, Surroundings};
use tests::sender::{Sender, naming};
use tests::servers::{Postgres, RabbitMq, RabbitMqOptions, VirtualHost, free_port};
use tests::signing::SigningKey;
use tests::usage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::receiver::CONNECTIONS;
use crate::report::{Report, figure};
use crate::serve::APP;

/// What Finlink has; a list of them takes some 2 MB.
const AT_FINLINK: usize = 5_000;
/// Every one of them has another state so often.
const CHANGE_EVERY: Duration = Duration::from_millis(500);
/// `feed.streams_max`
const STREAMS: usize = 200;
/// With webhooks, and then without, when reconciler and feed have the processor to themselves.
const EACH: Duration = Duration::from_secs(20);

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (database, broker) = (Postgres::launch()?, RabbitMq::launch(&RabbitMqOptions::default())?);
    let host = VirtualHost::committed(&broker)?;
    runtime.block_on(load(&database, &host, report))
}

async fn load(database: &Postgres, broker: &VirtualHost, report: &mut Report) -> Result<()> {
    let (finlink, key, folder) = (FakeFinlink::start().await?, Arc::new(SigningKey::generate()?), TempDir::new()?);
    let app = finlink.world(World::add_app);
    finlink.world(|world| world.publish_key(&key))?;
    let tokens: Vec<String> = (0..AT_FINLINK).map(|number| format!("BENCH{number:05}")).collect();
    let change = || {
        finlink.world(|world| {
            for token in &tokens {
                world.put(&app.client_id, &ConnectionStatus::ready(token));
            }
        });
    };
    change();
    let surroundings = Surroundings {
        app_name: APP,
        app: &app,
        store: &database.url("finlinkd"),
        upstream: &finlink.base_url(),
        keys_port: free_port()?,
        folder: folder.path(),
    };
    let mut roles = BTreeMap::new();
    for role in SOURCES_FIRST.into_iter().rev() {
        let setup = surroundings.setup(&format!("{role}-1"), |user| broker.address_of(user).unwrap_or_default());
        roles.insert(role, setup.run_role(role).await?);
    }
    let mut readers = JoinSet::new();
    let feed = roles["feed"].address("api_listen").await?;
    for _ in 0..STREAMS {
        readers.spawn(follow(feed));
    }
    let sender = Sender { address: roles["ingress"].address("listen").await?, app: APP.to_owned(), key };
    let requests = tokens.iter().map(|token| sender.request(&naming(token))).collect::<Result<_>>()?;
    let taken = work(&sender, requests, change).await?;
    ensure!(readers.try_join_next().is_none(), "the feed has ended a stream");
    figure("all roles: webhooks taken meanwhile", taken.ok_per_second(), "/s");
    figure("all roles: events numbered meanwhile", numbered(database)?, "");
    for (role, process) in &roles {
        let peak = highest_mib(process)?;
        report.against(&format!("all roles under load: highest resident memory, {role}"), peak, "MiB", "under 128");
    }
    Ok(())
}

/// Sends webhooks for a while and lets Finlink change for twice as long.
async fn work(sender: &Sender, requests: Vec<Bytes>, change: impl Fn()) -> Result<LoadReport> {
    let requests = Arc::new(requests);
    let load = Load { address: sender.address, requests, connections: CONNECTIONS, pace: Pace::Closed, duration: EACH };
    let (mut sent, mut taken) = (std::pin::pin!(run(&load, false)), None);
    let mut change_at = tokio::time::interval(CHANGE_EVERY);
    let started = Instant::now();
    while started.elapsed() < 2 * EACH {
        tokio::select! {
            report = &mut sent, if taken.is_none() => taken = Some(report?),
            _ = change_at.tick() => change(),
        }
    }
    taken.context("the load did not end")
}

/// Reads the feed as a stream from its beginning, as fast as it comes, for as long as there is any.
async fn follow(feed: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(feed).await?;
    stream.write_all(b"GET /v1/events?after=0 HTTP/1.1\r\nhost: feed\r\naccept: text/event-stream\r\n\r\n").await?;
    let mut read = vec![0; 64 * 1024];
    let count = stream.read(&mut read).await?;
    ensure!(read[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read[..count]));
    while stream.read(&mut read).await? > 0 {}
    Ok(())
}

fn numbered(database: &Postgres) -> Result<f64> {
    Ok(database.query("finlinkd", "SELECT coalesce(max(number), 0) FROM outbox")?.parse()?)
}

fn highest_mib(process: &Finlinkd) -> Result<f64> {
    Ok(usage::highest_resident_bytes(process.id())? as f64 / f64::from(1 << 20))
}
