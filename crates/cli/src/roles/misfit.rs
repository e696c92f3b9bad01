//! A database that only a person can make fit: of a newer schema, or of an older one that nobody may migrate.
//!
//! Promises: a role that meets one starts nothing and takes no message. It stays up and says so, in one line of its log and on
//! its admin listener, until the database fits: ending would only have it started again and again. Not here: a database that
//! is away, without which a role starts; one that ceases to fit under a role that runs, which ends and comes back to here.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::health;
use super::process::Base;
use crate::admin::{Health, Readiness};
use crate::settings::{Role, Settings};
use crate::wiring::{self, Look};

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Waits until the database fits, where the role has one; false where `stop` came first.
pub(super) async fn wait(role: Role, settings: &Settings, stop: &CancellationToken) -> anyhow::Result<bool> {
    if role == Role::Ingress {
        return Ok(true);
    }
    let Some(look) = unless_stopped(stop, wiring::look_at_schema(settings)).await else { return Ok(false) };
    // One that cannot be seen is no misfit yet.
    let Look::Unfit(why) = look? else { return Ok(true) };
    let (told, shown) = watch::channel(why.clone());
    let mut readiness = Readiness::default();
    readiness.part("store", move || Health::Unready(shown.borrow().clone()));
    let base = Base { settings: settings.clone(), registry: health::registry()? };
    let over = stop.child_token();
    let listening =
        health::serve(&base, listener::bind("admin_listen", settings.admin_listen)?, readiness, over.clone());
    let waited = tokio::select! {
        waited = unless_stopped(stop, look_on(settings, why, &told)) => waited,
        ended = listening.ended() => {
            ended.map_err(|error| anyhow::anyhow!("{error:#}"))?;
            anyhow::ensure!(stop.is_cancelled(), "the admin listener ended by itself");
            None
        }
    };
    over.cancel();
    listening.ended().await.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    waited.transpose().map(|fits| fits.is_some())
}

/// Looks until it fits. A database that went away meanwhile has not begun to fit.
async fn look_on(settings: &Settings, mut why: String, told: &watch::Sender<String>) -> anyhow::Result<()> {
    loop {
        tracing::error!(reason = why, "nothing is started until a person has acted; looking every 10 s");
        told.send_replace(why.clone());
        why = loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match wiring::look_at_schema(settings).await? {
                Look::Fits => return Ok(()),
                Look::Unfit(other) if other != why => break other,
                Look::Unfit(_) => told.send_replace(why.clone()),
                Look::Unseen(now) => told.send_replace(format!("{why}; just now: {now}")),
            };
        };
    }
}

/// What `work` answers; `None` where `stop` comes first.
async fn unless_stopped<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        answer = work => Some(answer),
    }
}
