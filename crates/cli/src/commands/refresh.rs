//! `finlinkd connections refresh TOKEN`: has Finlink asked about one connection.
//!
//! While the pipeline runs it owns the data folder, so it is asked through its own API (`fresh_within=0s`), which answers
//! when the read is done. While nothing runs the wish is written into the store, and the next start begins with it.

use std::io::Write;
use std::time::Duration;

use events::AppName;
use serde_json::{Value, json};

use super::connections::One;
use super::{finish, only_app, stdout};
use crate::ask::{self, Answer, AskError};
use crate::exit::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wiring;

/// A read may wait for its turn among others.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Refreshes one connection and prints it, or says that the wish is noted.
pub(super) async fn run(settings: &Settings, one: &One) -> Result<(), Failure> {
    let token = settings.api.resolve().map_err(anyhow::Error::msg)?;
    let app = one.app.as_ref().map(|app| format!("&app={app}")).unwrap_or_default();
    let path = format!("/v1/connections/{}?fresh_within=0s{app}", one.token);
    match ask::get(settings.api_listen, &path, token.as_ref(), TIMEOUT).await {
        Ok(answer) => print(&answer, one),
        Err(AskError::Nobody(_)) => note(settings, one).await,
        Err(error) => Err(anyhow::anyhow!("{error} (api_listen)").into()),
    }
}

fn print(answer: &Answer, one: &One) -> Result<(), Failure> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.status != 200 {
        let detail = body["detail"].as_str().unwrap_or("no reason was given").to_owned();
        return Err(
            anyhow::anyhow!("the running process answered {}: {}", answer.status, output::clean(&detail)).into()
        );
    }
    let mut out = stdout();
    if one.form.json {
        output::json(&mut out, &body)?;
    } else {
        let text = |name: &str| body[name].as_str().map_or_else(|| body[name].to_string(), str::to_owned);
        writeln!(
            out,
            "{} is {} as of {} (version {}).",
            one.token,
            output::clean(&text("status")),
            output::clean(&text("as_of")),
            output::clean(&text("version"))
        )?;
    }
    finish(out)
}

async fn note(settings: &Settings, one: &One) -> Result<(), Failure> {
    let store = wiring::open_store(settings)?;
    let mut apps: Vec<AppName> =
        store.inspect().connection(&one.token).await?.into_iter().map(|each| each.app).collect();
    apps.retain(|app| one.app.as_ref().is_none_or(|wanted| wanted == app));
    let app = only_app(None, &apps, &one.token)?;
    let now = store.inspect().time().await?;
    let known = store.refresh().request(&app, Some(&one.token), now).await?;
    store.close().await;
    if !known {
        return Err(anyhow::anyhow!("no connection {} of {app} is known", one.token).into());
    }
    let mut out = stdout();
    if one.form.json {
        output::json(&mut out, &json!({ "app": app, "token": one.token, "requested": true }))?;
    } else {
        writeln!(out, "Nothing runs with this data folder: {} is read first of all at the next start.", one.token)?;
    }
    finish(out)
}
