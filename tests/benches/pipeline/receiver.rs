//! The receiver: its best rate with and without storing, and its latency at half of that.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use events::{BodyHash, UtcMicros};
use serde_json::json;
use tempfile::TempDir;
use tests::load::{Load, LoadReport, Pace, run};
use tests::signing::{SigningKey, request};
use uuid::Uuid;

use crate::child::Server;
use crate::real;
use crate::report::{Report, figure, median};
use crate::serve::{APP, BROKER_FILE, KEY_FILE};

pub(crate) const CONNECTIONS: usize = 256;
const WARM_UP: Duration = Duration::from_secs(1);
const EACH: Duration = Duration::from_secs(4);
/// Runs of each server, by turns, so that a slow minute strikes all alike.
const TURNS: usize = 3;
const REQUESTS: usize = 20_000;

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let bench = Bench::new()?;
    let best = |what: &str| bench.best_of_turns(what);
    let nothing = best("nothing")?;
    figure("HTTP with nothing behind it, 256 connections", nothing, "/s");
    for kind in ["signed", "unsigned"] {
        let (left_out, stored) = bench.pair(&format!("{kind}-not-stored"), &format!("{kind}-stored"))?;
        figure(&format!("receiver, {kind}, storing left out"), left_out, "/s");
        figure(&format!("receiver, {kind}, durable before the 200"), stored, "/s");
        let aim = if kind == "signed" { "0.70 or more" } else { "none" };
        report.ratio(&format!("{kind}: durable / storing left out"), stored, left_out, aim);
        if kind == "signed" {
            let half = bench.run("signed-stored", Pace::Open(stored / 2.0))?;
            figure("receiver, signed, offered half of its best rate", half.ok_per_second(), "/s");
            figure("  p50", half.latency_ms(0.50), "ms");
            report.against("  p99", half.latency_ms(0.99), "ms", "under 25");
        }
    }
    Ok(())
}

/// Prepared requests and the key that signed them.
pub(crate) struct Bench {
    requests: Arc<Vec<Bytes>>,
    key: String,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    pub(crate) fn new() -> Result<Self> {
        let key = SigningKey::generate()?;
        let issued_at = UtcMicros::now().0 / 1_000_000;
        let requests = (0..REQUESTS)
            .map(|number| {
                let body = body(number);
                let hash = BodyHash::of(&body).to_string();
                let jwt = key.sign(&json!({"iat": issued_at, "request_body_sha256": hash}))?;
                Ok(request(APP, &jwt, &body))
            })
            .collect::<Result<_>>()?;
        let key = serde_json::to_string(&(key.kid, key.jwk()?))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { requests: Arc::new(requests), key, runtime })
    }

    /// A server with a fresh folder.
    pub(crate) fn server(&self, what: &str) -> Result<(Server, TempDir)> {
        self.server_with(what, "")
    }

    /// The same, before the broker at `url`.
    pub(crate) fn server_with(&self, what: &str, url: &str) -> Result<(Server, TempDir)> {
        let folder = TempDir::new()?;
        if real::is_one(what) {
            let server = self.runtime.block_on(real::ingress(what, folder.path(), url, &self.key))?;
            return Ok((server, folder));
        }
        std::fs::write(folder.path().join(KEY_FILE), &self.key)?;
        std::fs::write(folder.path().join(BROKER_FILE), url)?;
        Ok((Server::start(what, folder.path())?, folder))
    }

    /// Runs something on the load's runtime.
    pub(crate) fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    /// One run against a fresh server.
    fn run(&self, what: &str, pace: Pace) -> Result<LoadReport> {
        let (server, _folder) = self.server(what)?;
        self.load(&server, CONNECTIONS, WARM_UP, Pace::Closed)?;
        self.load(&server, CONNECTIONS, EACH, pace)
    }

    /// A load on a server.
    pub(crate) fn load(
        &self,
        server: &Server,
        connections: usize,
        duration: Duration,
        pace: Pace,
    ) -> Result<LoadReport> {
        let requests = Arc::clone(&self.requests);
        let load = Load { address: server.address, requests, connections, pace, duration };
        self.runtime.block_on(run(&load, false))
    }

    fn best_of_turns(&self, what: &str) -> Result<f64> {
        let runs = (0..TURNS).map(|_| Ok(self.run(what, Pace::Closed)?.ok_per_second()));
        Ok(median(runs.collect::<Result<_>>()?))
    }

    /// Two servers by turns.
    fn pair(&self, one: &str, other: &str) -> Result<(f64, f64)> {
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            of_one.push(self.run(one, Pace::Closed)?.ok_per_second());
            of_other.push(self.run(other, Pace::Closed)?.ok_per_second());
        }
        Ok((median(of_one), median(of_other)))
    }
}

/// 600 bytes of JSON, each different.
fn body(number: usize) -> Vec<u8> {
    let mut body = json!({"connectionToken": format!("BENCH{:05}", number % 1000), "n": number, "id": Uuid::new_v4()});
    let missing = 600 - body.to_string().len() - r#","pad":"""#.len();
    body["pad"] = "x".repeat(missing).into();
    body.to_string().into_bytes()
}
