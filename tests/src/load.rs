//! A load of prepared HTTP requests over keep-alive connections, bounded in count and time, with latencies.
//!
//! Closed: each connection sends when it has its answer; shows the best rate. Open: sends by the clock whatever the answers
//! do and counts latency from when a request was due, so that a stall is not hidden by not sending.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// The next when the last is answered.
    Closed,
    /// So many a second over all connections, by the clock.
    Open(f64),
}

/// What to send, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where to.
    pub address: SocketAddr,
    /// Whole requests, head and body; sent in turn.
    pub requests: Arc<Vec<Bytes>>,
    /// Connections at a time.
    pub connections: usize,
    /// How requests follow each other.
    pub pace: Pace,
    /// When to stop.
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Bodies of the answers with status 200, where they were asked for.
    pub accepted: Vec<Bytes>,
    /// Latencies in microseconds.
    pub latency_us: Histogram<u64>,
    /// Connections that broke.
    pub broken: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl LoadReport {
    /// Answers with status 200.
    pub fn ok(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// Answers with status 200 per second.
    pub fn ok_per_second(&self) -> f64 {
        self.ok() as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latency, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1e3
    }

    fn add(&mut self, other: Self) -> Result<()> {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.accepted.extend(other.accepted);
        self.latency_us.add(&other.latency_us)?;
        self.broken += other.broken;
        Ok(())
    }

    fn empty() -> Result<Self> {
        Ok(Self {
            statuses: BTreeMap::new(),
            accepted: Vec::new(),
            latency_us: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            broken: 0,
            elapsed: Duration::ZERO,
        })
    }
}

/// Runs a load to its end. `keep_answers`: also collect the bodies of accepted answers.
pub async fn run(load: &Load, keep_answers: bool) -> Result<LoadReport> {
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for number in 0..load.connections {
        connections.spawn(drive(load.clone(), number, started, keep_answers));
    }
    let mut report = LoadReport::empty()?;
    while let Some(part) = connections.join_next().await {
        report.add(part??)?;
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// One connection's share; a connection that breaks is opened again.
async fn drive(load: Load, number: usize, started: Instant, keep_answers: bool) -> Result<LoadReport> {
    let mut report = LoadReport::empty()?;
    let mut turn = number;
    let mut stream = None;
    while started.elapsed() < load.duration {
        let due = match load.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(per_second) => {
                let due = started + Duration::from_secs_f64(turn as f64 / per_second);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        let request = &load.requests[turn % load.requests.len()];
        turn += load.connections;
        let Ok((status, body)) = exchange(&mut stream, load.address, request).await else {
            stream = None;
            report.broken += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        *report.statuses.entry(status).or_default() += 1;
        report.latency_us.saturating_record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
        if keep_answers && status == 200 {
            report.accepted.push(body);
        }
    }
    Ok(report)
}

/// Sends one request and reads its answer.
async fn exchange(stream: &mut Option<TcpStream>, address: SocketAddr, request: &Bytes) -> Result<(u16, Bytes)> {
    if stream.is_none() {
        let opened = TcpStream::connect(address).await?;
        opened.set_nodelay(true)?;
        *stream = Some(opened);
    }
    let connection = stream.as_mut().context("no connection")?;
    connection.write_all(request).await?;
    let mut answer = Vec::with_capacity(512);
    loop {
        if connection.read_buf(&mut answer).await? == 0 {
            bail!("the connection was closed before the answer was complete");
        }
        if let Some(head) = head(&answer)?
            && answer.len() >= head.body.end
        {
            if head.last {
                *stream = None;
            }
            return Ok((head.status, Bytes::copy_from_slice(&answer[head.body])));
        }
        if answer.len() > ANSWER_BYTES_MAX {
            bail!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
        }
    }
}

/// The head of an answer.
struct Head {
    status: u16,
    /// Where the body is.
    body: Range<usize>,
    /// Whether the connection ends with it.
    last: bool,
}

/// The head, once it is complete.
fn head(answer: &[u8]) -> Result<Option<Head>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..end])?;
    let status = text.get(9..12).context("no status line")?.parse()?;
    let mut head = Head { status, body: end + 4..end + 4, last: false };
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            head.body.end += value.trim().parse::<usize>()?;
        } else if name.eq_ignore_ascii_case("connection") {
            head.last = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}
