//! The parts alone: a signature checked, a row committed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use events::{AppName, BodyHash, UtcMicros};
use serde_json::json;
use sqlite::rusqlite::{Connection, params};
use tempfile::TempDir;
use tests::signing::SigningKey;
use verification::{KeySet, Outcome, Rules, verify};

use crate::report::{Report, figure};
use crate::serve::APP;

const EACH: Duration = Duration::from_secs(2);
const BODY_BYTES: usize = 600;

pub(crate) fn measure(_: &mut Report) -> Result<()> {
    let (count, elapsed) = verify_for(EACH)?;
    figure("verification, one core", count as f64 / elapsed.as_secs_f64(), "/s");
    for group in [1, 32, 256] {
        let rows = inserts_per_second(group)?;
        figure(&format!("bare insert of {BODY_BYTES}-byte rows, {group} a commit"), rows, "/s");
    }
    Ok(())
}

/// On one core, for so long: how many in how long.
pub(crate) fn verify_for(duration: Duration) -> Result<(u64, Duration)> {
    let key = SigningKey::generate()?;
    let app: AppName = APP.parse()?;
    let mut keys = KeySet::default();
    keys.insert(&app, key.kid, &key.jwk()?)?;
    let now = UtcMicros::now();
    let body = BodyHash::of(&[b'x'; BODY_BYTES]);
    let jwt = key.sign(&json!({"iat": now.0 / 1_000_000, "request_body_sha256": body.to_string()}))?;
    let (started, rules, mut count) = (Instant::now(), Rules::default(), 0_u64);
    while started.elapsed() < duration {
        let outcome = verify(&jwt, &body, &app, &keys, &rules, now);
        anyhow::ensure!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
        count += 1;
    }
    Ok((count, started.elapsed()))
}

fn inserts_per_second(group: usize) -> Result<f64> {
    let folder = TempDir::new()?;
    let mut file = Connection::open(folder.path().join("bare.db"))?;
    file.pragma_update(None, "journal_mode", "WAL")?;
    file.pragma_update(None, "synchronous", "FULL")?;
    file.execute_batch("CREATE TABLE messages (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
    let body = [b'x'; BODY_BYTES];
    let (started, mut count) = (Instant::now(), 0_usize);
    while started.elapsed() < EACH {
        let transaction = file.transaction().context("no transaction")?;
        for _ in 0..group {
            transaction.prepare_cached("INSERT INTO messages (body) VALUES (?1)")?.execute(params![body.as_slice()])?;
        }
        transaction.commit()?;
        count += group;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
