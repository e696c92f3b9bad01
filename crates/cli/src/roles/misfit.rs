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
use crate::wiring;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Waits until the database fits, where the role has one; false where `stop` came first.
pub(super) async fn wait(role: Role, settings: &Settings, stop: &CancellationToken) -> anyhow::Result<bool> {
    if role == Role::Ingress {
        return Ok(true);
    }
    let Some(why) = wiring::misfit(settings).await? else { return Ok(true) };
    let (told, shown) = watch::channel(why);
    let mut readiness = Readiness::default();
    readiness.part("store", move || Health::Unready(shown.borrow().clone()));
    let base = Base { settings: settings.clone(), registry: health::registry()? };
    let over = stop.child_token();
    let listening =
        health::serve(&base, listener::bind("admin_listen", settings.admin_listen)?, readiness, over.clone());
    loop {
        tracing::error!(reason = *told.borrow(), "nothing is started until a person has acted; looking every 10 s");
        if !is_still_told(settings, &told, stop).await? {
            break;
        }
    }
    over.cancel();
    listening.ended().await.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    Ok(!stop.is_cancelled())
}

/// Returns true once there is another reason, false once there is none or `stop` came.
async fn is_still_told(
    settings: &Settings,
    told: &watch::Sender<String>,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        let Some(why) = wiring::misfit(settings).await? else { return Ok(false) };
        let is_new = *told.borrow() != why;
        if is_new {
            told.send_replace(why);
            return Ok(true);
        }
    }
}
